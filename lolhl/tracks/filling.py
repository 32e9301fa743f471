"""Fills a track: reads what earlier runs stored, measures and stores what is missing, and yields all of it.

A part is stored as soon as it is full, while the next one is measured. A run that follows a killed one goes on after
the parts that were stored. In a folder one run fills a track and others wait for it. In a bucket several may fill it
at the same time. Their parts have the same keys where they have the same bytes, and the run that finishes first
makes the track.
"""

import logging
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from typing import Generic, Literal, Self, TypeVar

from lolhl import layout, progress, results
from lolhl.errors import Conflict, StorageError
from lolhl.manifest import Manifest, Output, Plan
from lolhl.storage import Root, delete_all, each
from lolhl.tracks.recipe import Recipe
from lolhl.tracks.rows import PART, Part, Rows, load_part
from lolhl.tracks.track import Track, find_made, part_counts

log = logging.getLogger(__name__)

Item = TypeVar("Item")

_UPLOADS_AHEAD = 1  # parts that are uploaded while the next is measured; it bounds memory


@dataclass(frozen=True)
class Gap:
    """Rows that are missing.

    Attributes:
        first: number of the first of them.
        stop: the number after the last one. It is None where it is not known how many rows the VOD has.
        after: time of the row before, in seconds. It is -1 where there is none.
        before: time of the row that follows, in seconds. It is None where the gap reaches the end of the VOD.
    """

    first: int
    stop: int | None
    after: float = -1.0
    before: float | None = None


@dataclass(frozen=True)
class End:
    """How a VOD ends.

    Attributes:
        frames: instants of its grid.
        seconds: the time of its end.
        problem: why it could not be read any further. It is None where it does not break off.
    """

    frames: int
    seconds: float
    problem: str | None = None


Measured = Generator[Rows, None, End]
"""Yields rows in order, some at a time, and returns how the VOD ends. The end counts only after the last row."""


class Taken(Generic[Item]):
    """Iterates over a generator once, and keeps how the VOD ends."""

    def __init__(self, items: Generator[Item, None, End]) -> None:
        self._items = items
        self._end: End | None = None

    def __iter__(self) -> Iterator[Item]:
        self._end = yield from self._items

    @property
    def end(self) -> End:
        """What the generator returned. It must be exhausted."""
        assert self._end is not None
        return self._end


def with_progress(label: str, seconds: float, batches: Measured) -> Measured:
    """Yields the same rows and shows a progress bar.

    Args:
        label: what is being done.
        seconds: the length of the VOD, about.
        batches: the rows.
    """
    with closing(batches), progress.bar(label, seconds, "s") as advance:
        taken, shown = Taken(batches), 0.0
        for rows in taken:
            yield rows
            advance(float(rows.times[-1]) - shown)
            shown = float(rows.times[-1])
    return taken.end


@dataclass(frozen=True)
class Filling:
    """A track that is to be stored whole.

    Attributes:
        root: where the track lies.
        recipe: which track.
        source: what is measured.
        seconds: the length of the VOD, about, for the progress bar.
        measure: measures the rows of a gap.
    """

    root: Root
    recipe: Recipe
    source: Literal["frames", "video"]
    seconds: float
    measure: Callable[[Gap], Measured]

    def rows(self) -> Measured:
        """Yields all rows as they are read or measured. After the last one the track is stored whole.

        Raises:
            StorageError: the root fails, or the stored parts are of another video.
            LolhlError: as `measure` raises it.
        """
        with self.root.lock(self.recipe.manifest_key):
            return (yield from with_progress(self.recipe.label, self.seconds, self._rows()))

    def clear(self) -> None:
        """Removes what is stored of the track, its manifest first."""
        self.root.delete(self.recipe.manifest_key)
        delete_all(self.root, [stat.key for stat in self.root.list(f"{self.recipe.folder}/")])

    def track(self) -> Track:
        """Stores the track whole and returns it.

        Raises:
            StorageError, LolhlError: as `rows` raises them.
        """
        for _ in self.rows():
            pass
        made, _ = find_made(self.root, self.recipe.manifest_key)
        track = Track.load(self.root, self.recipe, made) if made else None
        if track is None:
            raise StorageError(f"{self.root.url}/{self.recipe.folder} was changed by another run meanwhile: run again")
        return track

    def _rows(self) -> Measured:
        key = self.recipe.manifest_key
        earlier, etag = find_made(self.root, key)
        keys = [stat.key for stat in self.root.list(f"{self.recipe.folder}/")]
        parts = self._stored(keys, earlier)
        pieces = list(_pieces(parts, earlier.result.rows if earlier else None))
        end = track_end(earlier) if earlier else None
        with _Writer(self.root, self.recipe, parts) as writer:
            for piece in pieces:
                if isinstance(piece, Part):
                    for rows in piece.rows():
                        writer.count_unknown(rows)
                        yield rows
                else:
                    ended = yield from self._measured(piece, writer)
                    end = end or ended
        assert end is not None
        if earlier and all(isinstance(piece, Part) for piece in pieces):
            return end
        todo = Plan(
            root=self.root,
            key=key,
            kind=results.Track,
            config=self.recipe.recorded(),
            inputs=dict(self.recipe.inputs),
            etag=etag,
            digest=self.recipe.digest,
        )
        made = self._finish(todo, writer, end)
        named = {key, *(output.key for output in made.outputs)}
        delete_all(self.root, [key for key in keys if key not in named])
        delete_all(self.root, _outdated(self.root, self.recipe))
        return end

    def _measured(self, gap: Gap, writer: "_Writer") -> Measured:
        """Measures a gap and stores its parts. Raises StorageError where it has not as many rows as it must have."""
        number = gap.first
        with closing(self.measure(gap)) as batches:
            taken = Taken(batches)
            for rows in taken:
                writer.add(number, rows)
                writer.count_unknown(rows)
                number += len(rows)
                yield rows
        writer.flush()
        if gap.stop not in (None, number):
            raise StorageError(f"{self.root.url}/{self.recipe.folder} is of another video than there is: remove it")
        return taken.end

    def _finish(self, todo: Plan[results.Track], writer: "_Writer", end: End) -> Manifest[results.Track]:
        result = results.Track(
            vod=self.recipe.vod,
            signal=self.recipe.signal,
            version=self.recipe.version,
            engine=self.recipe.engine,
            source=self.source,
            fps=self.recipe.fps,
            layout=self.recipe.layout,
            frames=end.frames,
            rows=writer.rows,
            width=writer.width,
            ended_at=end.seconds,
            problem=end.problem,
            unknown=writer.unknown,
        )
        outputs = [writer.outputs[number] for number in sorted(writer.outputs)]
        try:
            return todo.finish(result, outputs)
        except Conflict:
            # Another run has finished this track with values that differ in their last bits, as on a GPU.
            winner, _ = find_made(self.root, todo.key)
            if winner is None:
                raise
            kept = {output.key for output in winner.outputs}
            delete_all(self.root, [output.key for output in outputs if output.key not in kept])
            return winner

    def _stored(self, keys: list[str], earlier: Manifest[results.Track] | None) -> dict[int, Part]:
        """The parts of earlier runs that are intact: number → part."""
        named = {output.key for output in earlier.outputs} if earlier else {*keys}
        folder = self.recipe.folder
        wanted = [(key, *match) for key in keys if key in named and (match := layout.track_part_name(folder, key))]
        counts = part_counts(earlier.result.rows) if earlier else None
        parts: dict[int, Part] = {}
        loaded = each(lambda place: load_part(self.root, place[0], place[2]), wanted)
        for (_, number, _), part in zip(wanted, loaded, strict=True):
            # Of a track that is not finished only full parts count: the last one may be one of these.
            if part and part.count == (PART if counts is None else counts[number]):
                parts[number] = part
        return parts


def track_end(made: Manifest[results.Track]) -> End:
    """How the VOD of this track ends."""
    return End(made.result.frames, made.result.ended_at, made.result.problem)


def _pieces(parts: Mapping[int, Part], rows: int | None) -> Iterator[Part | Gap]:
    """Yields the stored parts and the gaps between them, in order.

    Args:
        parts: the stored parts, by number.
        rows: the number of rows of the whole track, where it is known.
    """
    number = 0
    while rows is None or number * PART < rows:
        if number in parts:
            yield parts[number]
            number += 1
            continue
        after = float(parts[number - 1].times()[-1]) if number else -1.0
        following = min((other for other in parts if other > number), default=None)
        if following is None:
            yield Gap(number * PART, rows, after)
            return
        yield Gap(number * PART, following * PART, after, float(parts[following].times()[0]))
        number = following


class _Writer(AbstractContextManager["_Writer"]):
    """Cuts rows into parts and stores these in the background, in order.

    Attributes:
        outputs: all parts that are stored: number → output. They are complete when the context is left.
    """

    def __init__(self, root: Root, recipe: Recipe, stored: Mapping[int, Part]) -> None:
        self.outputs = {number: part.output for number, part in stored.items()}
        self.rows = sum(part.count for part in stored.values())
        self.width = next((part.width for part in stored.values()), 0)
        self.unknown = 0
        self._root, self._recipe = root, recipe
        self._thread = ThreadPoolExecutor(1)
        self._uploads: deque[Future[None]] = deque()
        self._waiting: list[Rows] = []
        self._first = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            while self._uploads and kind is None:
                self._uploads.popleft().result()
        finally:
            self._thread.shutdown()

    def add(self, number: int, rows: Rows) -> None:
        """Adds rows from this number on. They follow the rows before, or begin a gap."""
        if not self._waiting:
            self._first = number
        self._waiting.append(rows)
        self.rows += len(rows)
        self.width = rows.values.shape[1]
        if sum(map(len, self._waiting)) >= PART:
            joined = Rows.join(self._waiting)
            whole = len(joined) // PART * PART
            for at in range(0, whole, PART):
                self._store(joined[at : at + PART])
            self._waiting = [joined[whole:]] if whole < len(joined) else []

    def count_unknown(self, rows: Rows) -> None:
        """Counts the rows that have no values."""
        self.unknown += len(rows) - int(rows.known.sum())

    def flush(self) -> None:
        """Stores the remaining rows as a part of their own."""
        if self._waiting:
            self._store(Rows.join(self._waiting))
        self._waiting = []

    def _store(self, rows: Rows) -> None:
        self._uploads.append(self._thread.submit(self._write, self._first // PART, rows))
        self._first += len(rows)
        if len(self._uploads) > _UPLOADS_AHEAD:
            self._uploads.popleft().result()

    def _write(self, number: int, rows: Rows) -> None:
        data = rows.to_bytes()
        output = Output.with_digest(layout.track_part(self._recipe.folder, number), data)
        self._root.write(output.key, data)
        self.outputs[number] = output


def _outdated(root: Root, recipe: Recipe) -> list[str]:
    """The keys of tracks that were made from an earlier version of the recipe's source."""
    listed = [stat.key for stat in root.list(layout.track_stem(recipe.vod, recipe.signal, ""))]
    manifests = [layout.track(folder) for folder in layout.tracks(listed)]
    outdated = []
    for key, (made, _) in zip(manifests, each(lambda key: find_made(root, key), manifests), strict=True):
        if made and any(recipe.inputs.get(source, digest) != digest for source, digest in made.inputs.items()):
            folder = key.rpartition("/")[0]
            outdated += [key, *(other for other in listed if other.startswith(f"{folder}/") and other != key)]
    return outdated
