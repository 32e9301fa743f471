"""Features of pictures and of a VOD's frames.

A frozen backbone gives the same features each time. They are stored beside the frames, in parts, so
that training, scoring and training again after a correction do not look at a picture twice, and a
run that was killed goes on where it stopped. They stay in files: no array grows with the VOD.
"""

import io
import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lolhl import grid, progress
from lolhl.errors import ModelError, NotFound
from lolhl.frames.frameset import FrameSet
from lolhl.models.engine import Engine, Pictures
from lolhl.models.engine import Features as Features
from lolhl.storage import Root, each
from lolhl.vod.decode import Picture

log = logging.getLogger(__name__)

_PART = 2048  # frames in a stored part: some seconds of work
_BATCH = 512  # frames that are read or interpolated at once


@dataclass(frozen=True)
class _Rows:
    """One row a picture, in files of `_PART` rows but the last: what is asked for is read, and nothing is kept.

    Attributes:
        root: where they are stored.
        keys: of the files.
        paths: of the same files, on this machine.
    """

    root: Root
    keys: tuple[str, ...]
    paths: tuple[Path, ...]

    def __getitem__(self, numbers: npt.NDArray[np.int64]) -> Features:
        """float16 [len(numbers), D]."""
        parts = numbers // _PART
        found: Features | None = None
        for part in np.unique(parts):
            here = parts == part
            rows: Features = self._open(part)[numbers[here] - part * _PART]
            if len(rows) == len(numbers):
                return rows
            if found is None:
                found = np.empty((len(numbers), rows.shape[1]), dtype=np.float16)
            found[here] = rows
        return self._open(0)[:0] if found is None else found

    def _open(self, part: int) -> Features:
        # Opened anew each time: what stays mapped counts as memory of this process.
        try:
            mapped: Features = np.load(self.paths[part], mmap_mode="r")
        except FileNotFoundError:  # the cache of a bucket needed the room
            mapped = np.load(self.root.local(self.keys[part]), mmap_mode="r")
        return mapped


@dataclass(frozen=True)
class FrameFeatures:
    """The features of a VOD at all instants of its grid, read from files or made of what lies there when asked for.

    Where the frame set has no picture of an instant, they are interpolated, see `spread`.
    """

    frames: FrameSet
    rows: _Rows

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, numbers: npt.NDArray[np.int64]) -> Features:
        """The features at these instants: float16 [len(numbers), D]. May be called by several threads."""
        if self.frames.is_whole:
            return self.rows[numbers]
        return spread(self.frames.times, self.rows, _grid_times(self.frames)[numbers])

    def batches(self) -> Iterator[Features]:
        """All features in order, some hundreds at a time."""
        for first in range(0, len(self), _BATCH):
            yield self[np.arange(first, min(first + _BATCH, len(self)))]


def of_pictures(engine: Engine, pictures: Iterable[Picture]) -> Iterator[Features]:
    """Features of pictures (uint8 [S, S, 3]) as they come, a batch at a time: float16 [n, D]."""
    return engine.run(_stacked(pictures, engine.batch))


def of_frames(engine: Engine, frames: FrameSet) -> Iterator[Features]:
    """Features at all instants of a VOD's grid, in order, a batch at a time: float16 [n, D]. Stores nothing."""
    with progress.bar(f"features {frames.vod}", len(frames.times), "frames") as advance:
        coming = _run(engine, frames, range(len(frames.times)), advance)
        if frames.is_whole:
            yield from coming
        else:  # so few pictures that they can be held
            yield from spread_batches(frames.times, np.concatenate(list(coming)), _grid_times(frames))


def stored(engine: Engine, frames: FrameSet) -> FrameFeatures:
    """Features of a whole VOD: what earlier runs stored, and what is missing or damaged, which is stored now.

    Right for a frozen backbone, whose features are asked for again.

    Raises:
        StorageError: frames are missing or damaged.
        ModelError: the backbone gives features that are no numbers.
    """
    folder = f"{frames.features}/{engine.key}"
    pictures = len(frames.times)
    parts = {f"{folder}/{at:08}.npy": range(at, min(at + _PART, pictures)) for at in range(0, pictures, _PART)}
    paths = []
    with progress.bar(f"features {frames.vod}", pictures, "frames") as advance:
        there = each(lambda key: _whole(frames.root, key, (len(parts[key]), engine.width)), parts)
        for (key, numbers), path in zip(parts.items(), there, strict=True):
            if path:
                advance(len(numbers))
            else:
                part = np.concatenate(list(_run(engine, frames, numbers, advance)))
                if not np.isfinite(part).all():
                    raise ModelError(
                        f"the features of VOD {frames.vod} by {engine.name} are no numbers: choose another --backbone"
                    )
                frames.root.write(key, _npy(part))
            paths.append(path or frames.root.local(key))
    return FrameFeatures(frames, _Rows(frames.root, tuple(parts), tuple(paths)))


def spread(times: npt.NDArray[np.float64], features: Features | _Rows, grid_times: npt.NDArray[np.float64]) -> Features:
    """Features at other times than those of the pictures: in between linear in time, before and after held.

    Args:
        times: of the pictures, in seconds, ascending: float64 [m], m at least 1.
        features: float16 [m, D].
        grid_times: float64 [n], in any order.

    Returns:
        float16 [n, D].
    """
    after = np.searchsorted(times, grid_times, side="right").clip(1, max(1, len(times) - 1))
    before = after - 1
    after = after.clip(max=len(times) - 1)  # there may be one picture only
    gap = times[after] - times[before]
    share = ((grid_times - times[before]) / np.where(gap > 0, gap, 1)).clip(0, 1).astype(np.float32)[:, None]
    mixed = features[before].astype(np.float32) * (1 - share) + features[after].astype(np.float32) * share
    return np.asarray(mixed.astype(np.float16))


def spread_batches(
    times: npt.NDArray[np.float64], features: Features, grid_times: npt.NDArray[np.float64]
) -> Iterator[Features]:
    """As `spread`, some hundreds of rows at a time."""
    for first in range(0, len(grid_times), _BATCH):
        yield spread(times, features, grid_times[first : first + _BATCH])


def _grid_times(frames: FrameSet) -> npt.NDArray[np.float64]:
    return grid.times(len(frames), frames.view.fps)


def _run(engine: Engine, frames: FrameSet, places: range, advance: progress.Advance) -> Iterator[Features]:
    """Features of the pictures at these places, which are read by threads while the engine works."""
    batches = (places[first : first + engine.batch] for first in range(0, len(places), engine.batch))
    for found in engine.run(each(frames.pictures, batches)):
        yield found
        advance(len(found))


def _stacked(pictures: Iterable[Picture], size: int) -> Iterator[Pictures]:
    waiting: list[Picture] = []
    for picture in pictures:
        waiting.append(picture)
        if len(waiting) == size:
            yield np.stack(waiting)
            waiting = []
    if waiting:
        yield np.stack(waiting)


def _whole(root: Root, key: str, shape: tuple[int, int]) -> Path | None:
    """The file of this part, if an earlier run stored it and it holds what it must: else it is made anew."""
    try:
        path = root.local(key)
    except NotFound:
        return None
    with suppress(ValueError, EOFError, OSError):
        part = np.load(path, mmap_mode="r")
        if part.shape == shape and part.dtype == np.float16 and np.isfinite(part).all():
            return path
    log.warning("%s/%s is damaged, and is made anew", root.url, key)
    return None


def _npy(array: Features) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
