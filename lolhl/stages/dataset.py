"""dataset: VODs, or frame sets of them, and labels → the stretches of time to learn from and to be judged on.

First the split, then the guard between its sides (see `lolhl.data.split`). Which frames of the training side are
learnt from, so that enough of them lie in highlights, is decided when they are read (see `lolhl.data.stretches`).
The validation side stays as streams are. What nobody has looked at, as the labels tell, lies on neither side.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from lolhl import grid, layout, manifest
from lolhl.config import Config, setting
from lolhl.data import split, split_games, stretches
from lolhl.data.balance import kept_negatives
from lolhl.data.stretches import SplitVod
from lolhl.errors import DatasetError, MissingInput, UsageError
from lolhl.frames.spec import FrameSpec, stored_of_all, view_name
from lolhl.labels.spans import Span, on_grid
from lolhl.labels.store import VodLabels, read_labels
from lolhl.manifest import Manifest
from lolhl.results import Dataset, Dropped, EventCount, FrameCount, Frames, SideCounts, Vod, VodCounts
from lolhl.stages.split_by_games import games_to_split
from lolhl.storage import MANY, Root, check_name, check_new, each
from lolhl.text import first_few
from lolhl.vod.view import USUAL, Fit, View

log = logging.getLogger(__name__)

LEAST_GUARD = 10.0  # seconds between the two sides, however short the context: neighbouring frames look alike
VODS_ENOUGH = 5  # from here on whole VODs are held out: with fewer, one VOD is far from 15 % of the time
_SHOWN = 50  # VODs in the table
_GAMES = "games"  # what is held out


@dataclass(frozen=True, kw_only=True)
class DatasetConfig(Config):
    """How samples are split and rebalanced."""

    chunk_seconds: float = setting(
        30.0, "length of a chunk, the unit of the split, in seconds", at_least=1, at_most=3600
    )
    validation: float = setting(0.15, "share of the time that is held out for validation", above=0, below=1)
    holdout: str = setting(
        "auto",
        "what to hold out: chunks of each VOD, whole vods, whole games (as `lolhl clock` has found them), auto (vods "
        f"from {VODS_ENOUGH} VODs on, else chunks), or the names of the VODs to hold out, with commas between",
    )
    context_seconds: float = setting(
        0.0,
        "longest stretch of time that a model will see around a frame, in seconds; training frames nearer than "
        f"this (and than {LEAST_GUARD:.0f} s) to a validation frame are dropped",
        at_least=0,
        at_most=3600,
    )
    positives: float = setting(
        0.30, "share of positive frames in training, reached by dropping negatives", above=0, below=1
    )
    seed: int = setting(0, "seed of the split and of the rebalancing", at_least=0)
    # What these mean in this root is among the inputs.
    fps: Fraction | None = setting(
        None,
        "where the VODs have frames of several views: those with so many per second; where they have none, so many "
        "pictures per second of the videos (default: 3)",
        at_least=grid.SLOWEST,
        at_most=grid.FASTEST,
        neutral=True,
    )
    size: int | None = setting(
        None,
        "as --fps: those of this width and height, in pixels (default: 224)",
        at_least=16,
        at_most=2048,
        neutral=True,
    )
    fit: Fit | None = setting(
        None, "as --fps: those with the whole picture, or its middle (default: squeeze)", neutral=True
    )

    @property
    def guard_seconds(self) -> float:
        return max(LEAST_GUARD, self.context_seconds)

    @property
    def usual_view(self) -> View:
        """The view of pictures where no VOD has frames."""
        return View(self.fps or USUAL.fps, self.size or USUAL.size, self.fit or USUAL.fit)


def dataset(
    root: Root, name: str, vods: Sequence[str], config: DatasetConfig = DatasetConfig(), *, force: bool = False
) -> Manifest[Dataset]:
    """Makes datasets/<name>/ from labels/<vod>.tsv of each VOD, and from its frames, or from its video if it has none.

    All frames have one view, and the pictures of videos are seen in it too. Of frame sets that differ in how they are
    stored, the best is taken: whole before scanned, then by JPEG quality. What the files hold is told in
    `lolhl.data.stretches`.

    Args:
        root: where the data lies.
        name: of the dataset.
        vods: the VODs to learn from, in any order.
        config: see `DatasetConfig`.
        force: redo what is done.

    Returns:
        The dataset's manifest. Its result holds the counts and rates of positives of each side before
        and after the rebalancing, what was dropped and why, and what the frame sets have in common.

    Raises:
        MissingInput: a VOD has neither a frame set nor a video, or no labels, or games are held out and nobody knows
            its games.
        DatasetError: the frame sets differ, a side would lack highlights or the rest, or there are too few games.
    """
    vods = sorted({check_name(vod, "VOD") for vod in vods})
    if not vods:
        raise UsageError(f"dataset {name}: no VOD was named: name those to learn from")
    key = layout.dataset(name)
    check_new(root, key, name, "dataset")
    view, specs = _chosen(stored_of_all(root, vods), config)
    whole_games = config.holdout == _GAMES
    sources = list(each(lambda vod: _source(root, vod, specs[vod], view, whole_games=whole_games), vods, ahead=MANY))
    inputs = {source.key: source.digest for source in sources}
    inputs |= {layout.labels(source.vod): source.labels_digest for source in sources}
    inputs |= {layout.clock(source.vod): source.games_digest for source in sources if whole_games}
    if not all(specs.values()):
        inputs["view"] = view_name(view)  # a frame set's key names it
    todo, earlier = manifest.plan(root, key, Dataset, config, inputs, force=force)
    # That of lolhl 0.1 has a row for each frame.
    if earlier and [layout.without_digest(output.key) for output in earlier.outputs] == sorted(stretches.keys(name)):
        return earlier

    held = _held_out(vods, config)
    parts = list(assign(sources, view.fps, held, config))
    counts = _counts(parts, config.positives)
    result = Dataset(
        fps=view.fps,
        size=view.size,
        fit=view.fit,
        vods=vods,
        holdout="games" if whole_games else "chunks" if held is None else "vods",
        chunk_seconds=config.chunk_seconds,
        guard_seconds=config.guard_seconds,
        positives=config.positives,
        seed=config.seed,
        **vars(_sum(list(counts.values()))),
        per_vod=counts,
    )
    log.info("dataset %s: %s\n%s", name, first_few(vods), table(result))
    _check(result, name)

    return todo.store(result, stretches.to_files(name, [part.split for part in parts]))


def split_vods_of(root: Root, dataset: str, described: Manifest[Dataset]) -> list[SplitVod]:
    """The VODs of a dataset, as it splits them.

    Args:
        root: where the data lies.
        dataset: its name.
        described: its manifest.

    Raises:
        MissingInput: an earlier lolhl made it.
        StorageError: its files are gone or damaged.
    """
    keys, result = stretches.keys(dataset), described.result
    redo = dataset_command(dataset, described)
    if not {*keys} <= {layout.without_digest(output.key) for output in described.outputs}:
        raise MissingInput(f"datasets/{dataset} was made by an earlier lolhl, which stored each frame: run `{redo}`")
    files = [described.read(root, key, redo) for key in keys]
    places = [f"{root.url}/{described.key_of(key)}" for key in keys]
    return stretches.from_files(files, result.vods, result.fps, places, redo)


def dataset_command(dataset: str, described: Manifest[Dataset]) -> str:
    """The command that makes the dataset anew, with the settings that it was made with."""
    result, options = described.result, DatasetConfig.options(described.config)
    view = f"--fps {result.fps} --size {result.size} --fit {result.fit}"
    return f"lolhl dataset {dataset} {first_few(result.vods, ' ')} {view}{options} --force"


@dataclass(frozen=True)
class Source:
    """What a dataset is made of, of one VOD.

    Attributes:
        frames: how many instants its grid has.
        spans: what is labelled.
        key, digest: of the manifest of its frame set, or of its video where it has none.
        labels_digest: of the file of labels.
        looked_at: the stretches that somebody has looked at; None for all of it.
        games, games_digest: that it shows, in order of time, where games are held out; and of what says so.
    """

    vod: str
    frames: int
    spans: Sequence[Span]
    key: str = ""
    digest: str = ""
    labels_digest: str = ""
    looked_at: Sequence[Span] | None = None
    games: Sequence[Span] = ()
    games_digest: str = ""

    def known(self, fps: Fraction) -> npt.NDArray[np.bool_] | None:
        """Which instants were looked at: bool [frames]. None for all."""
        return VodLabels(self.spans, self.looked_at).known(self.frames, fps)


@dataclass(frozen=True)
class Assigned:
    """A VOD after the split, with its counts of frames and of those in highlights: (all, positive).

    Attributes:
        natural, guard: of all frames that were looked at, and of those that the guard dropped.
        train, validation: of the two sides, before the rebalancing.
        not_looked_at: how many frames nobody has looked at.
    """

    split: SplitVod
    natural: tuple[int, int]
    train: tuple[int, int]
    validation: tuple[int, int]
    guard: tuple[int, int]
    events: EventCount
    not_looked_at: int = 0


def assign(
    sources: Sequence[Source], fps: Fraction, held: Sequence[str] | None, config: DatasetConfig
) -> Iterator[Assigned]:
    """Assigns the frames of each VOD to a side, or drops them. It never holds the frames of more than one VOD.

    Args:
        sources: the VODs, in order of names.
        fps: of the grid.
        held: the VODs to hold out. If the list is empty, they are chosen. None where chunks or games are held out.
        config: see `DatasetConfig`.

    Raises:
        DatasetError: games are to be held out, and there are fewer than two.
    """
    if config.holdout == _GAMES:
        yield from _assign_games(sources, fps, config)
        return
    if held == []:
        counts = {source.vod: _natural(source, fps) for source in sources}
        held = list(split.choose_vods(counts, validation=config.validation, seed=config.seed))
    for source in sources:
        known = source.known(fps)
        if held is None:
            side = split.by_chunks_of(
                split.stretch(source.vod, source.spans, source.frames, fps, config.chunk_seconds),
                fps,
                validation=config.validation,
                guard_seconds=config.guard_seconds,
                seed=config.seed,
                known=known,
            )
        else:
            side = np.full(source.frames, split.VALIDATION if source.vod in held else split.TRAIN)
            side[~_all(source, known)] = split.DROPPED
        yield _assigned(source, side, fps, known)


def _assign_games(sources: Sequence[Source], fps: Fraction, config: DatasetConfig) -> Iterator[Assigned]:
    """Holds out whole games, of all VODs together."""
    parts = {
        source.vod: split_games.game_parts(source.spans, source.games, source.frames, fps, source.known(fps))
        for source in sources
    }
    seen = sum(seen > 0 for cut in parts.values() for seen, _ in cut.counts)
    if seen < 2:
        raise DatasetError(
            f"--holdout games: the labelled part of these VODs shows {seen} game: name more VODs, or hold out chunks"
        )
    held = split_games.choose_games(parts, validation=config.validation, seed=config.seed)
    for source in sources:
        known = source.known(fps)
        side = split_games.by_games(parts[source.vod], held[source.vod], fps, config.guard_seconds, known)
        yield _assigned(source, side, fps, known)


def _source(root: Root, vod: str, spec: FrameSpec | None, view: View, *, whole_games: bool) -> Source:
    """Reads what is needed of a VOD, by its frame set, or by its video where there is none."""
    key = spec.manifest_key(vod) if spec else layout.vod(vod)
    if spec:
        frames = manifest.load(root, key, Frames, spec.command(vod), fresh=True)
        count, digest = frames.result.frames, frames.content_digest()
    else:
        video = manifest.find(root, key, Vod)
        if video is None:
            raise MissingInput(f"VOD {vod} has neither frames nor a video: run `lolhl download … --name {vod}` first")
        count, digest = grid.instants_in(video.result.duration, view.fps), video.content_digest()
        if not count:
            raise MissingInput(f"the video of VOD {vod} does not say how long it is: run `lolhl extract {vod}` first")
    labels, labels_digest = read_labels(root, vod)
    source = Source(vod, count, labels.spans, key, digest, labels_digest, labels.looked_at)
    if not whole_games:
        return source
    shown = games_to_split(root, vod)
    return replace(source, games=shown.games, games_digest=shown.digest)


def _labels(source: Source, fps: Fraction) -> npt.NDArray[np.bool_]:
    return on_grid(source.spans, source.frames, fps)


def _all(source: Source, known: npt.NDArray[np.bool_] | None) -> npt.NDArray[np.bool_]:
    """Which instants were looked at, spelt out: bool [frames]."""
    return np.ones(source.frames, dtype=bool) if known is None else known


def _natural(source: Source, fps: Fraction) -> tuple[int, int]:
    """How many frames were looked at, and how many of these lie in highlights."""
    known = _all(source, source.known(fps))
    return int(known.sum()), int(_labels(source, fps)[known].sum())


def _assigned(
    source: Source, side: npt.NDArray[np.int8], fps: Fraction, known: npt.NDArray[np.bool_] | None
) -> Assigned:
    """
    Args:
        side: int8 [frames], as `lolhl.data.split` gives it.
        known: bool [frames], which of them were looked at; None for all.
    """
    labels, seen = _labels(source, fps), _all(source, known)

    def count(chosen: npt.NDArray[np.bool_]) -> tuple[int, int]:
        return int(chosen.sum()), int(labels[chosen].sum())

    firsts = [grid.first_frame_at(span.start, fps) for span in source.spans]
    shown = [
        first
        for first, span in zip(firsts, source.spans, strict=True)
        if first < min(source.frames, grid.first_frame_at(span.stop, fps))
    ]
    if len(shown) < len(firsts):
        log.warning("VOD %s: %d of %d labelled events have no frame", source.vod, len(firsts) - len(shown), len(firsts))
    validation = int((side[shown] == split.VALIDATION).sum())
    return Assigned(
        split=SplitVod.from_sides(source.vod, fps, source.spans, side, known),
        natural=_natural(source, fps),
        train=count(side == split.TRAIN),
        validation=count(side == split.VALIDATION),
        guard=count((side == split.DROPPED) & seen),
        not_looked_at=int((~seen).sum()),
        events=EventCount(train=len(shown) - validation, validation=validation, without_frame=len(firsts) - len(shown)),
    )


def table(result: Dataset) -> str:
    """The counts of a dataset, as a table in text."""
    rows = [("VOD", "side", "frames", "positive", "rate", "dropped by guard", "by rebalancing")]
    shown = list(result.per_vod.items())[:_SHOWN] if len(result.per_vod) > 1 else []
    parts: dict[str, SideCounts] = {"all": result, **dict(shown)}
    for vod, part in parts.items():
        dropped = (f"{part.dropped.guard.frames:,}", f"{part.dropped.rebalancing.frames:,}")
        for side, count, lost in (("train", part.train, dropped), ("validation", part.validation, ("", ""))):
            rows.append((vod, side, f"{count.frames:,}", f"{count.positives:,}", _percent(count.rate), *lost))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    if len(result.per_vod) > _SHOWN:
        lines.append(f"… and {len(result.per_vod) - _SHOWN:,} more VODs: dataset.json has them all")
    looked_at = "all frames"
    if result.dropped.not_looked_at:
        lines.append(f"nobody has looked at {result.dropped.not_looked_at:,} more frames: they lie on neither side")
        looked_at = "the frames that were looked at"
    lines.append(
        f"{_percent(result.natural.rate)} of {looked_at} are positive; {result.holdout} are held out, "
        f"and frames of the two sides lie at least {result.guard_seconds:g} s apart"
    )
    return "\n".join(lines)


def _chosen(
    stored: Mapping[str, Sequence[FrameSpec]], config: DatasetConfig
) -> tuple[View, dict[str, FrameSpec | None]]:
    """Chooses the view, and the frame set of each VOD that has any.

    The view is the only one that all VODs with frames have and that is asked for. Where no VOD has frames, it is the
    one that is asked for.

    Args:
        stored: the frame sets that each VOD has, best first.
    """
    framed = {vod: specs for vod, specs in stored.items() if specs}
    if not framed:
        return config.usual_view, dict.fromkeys(stored)
    views = {vod: {spec.view for spec in specs if _is_asked_for(spec.view, config)} for vod, specs in framed.items()}
    for vod, fitting in views.items():
        if not fitting:
            raise MissingInput(
                f"VOD {vod} has no such frames, but {_listed(spec.view for spec in stored[vod])}: run `lolhl extract "
                f"{vod}` with the same settings"
            )
    first, *others = views
    common = views[first].intersection(*(views[vod] for vod in others))
    if not common:
        other = next(vod for vod in others if not views[first] & views[vod])
        raise DatasetError(
            f"the frame sets differ: VOD {first} has {_listed(views[first])} and VOD {other} {_listed(views[other])}: "
            "extract both with the same settings"
        )
    if len(common) > 1:
        raise UsageError(
            f"the VODs have frames of {len(common)} views, {_listed(common)}: choose by --fps, --size, --fit"
        )
    (view,) = common
    return view, {vod: next((spec for spec in specs if spec.view == view), None) for vod, specs in stored.items()}


def _is_asked_for(view: View, config: DatasetConfig) -> bool:
    return config.fps in (None, view.fps) and config.size in (None, view.size) and config.fit in (None, view.fit)


def _listed(views: Iterable[View]) -> str:
    return " and ".join(sorted({view_name(view) for view in views}))


def _held_out(vods: Sequence[str], config: DatasetConfig) -> list[str] | None:
    """The VODs that were named to be held out. Empty where they are to be chosen, and None for chunks and games."""
    if config.holdout in ("chunks", _GAMES) or (config.holdout == "auto" and len(vods) < VODS_ENOUGH):
        return None
    named = [] if config.holdout in ("auto", "vods") else [vod.strip() for vod in config.holdout.split(",")]
    unknown = [vod for vod in named if vod not in vods]
    if unknown:
        raise UsageError(
            f"--holdout {config.holdout}: {unknown[0]!r} is no VOD of this dataset: write auto, chunks, vods, games, "
            "or names"
        )
    if len(set(named) or {1}) >= len(vods):
        raise UsageError(f"--holdout {config.holdout}: no VOD is left to learn from: name more VODs for the dataset")
    return named


def _counts(parts: Sequence[Assigned], share: float) -> dict[str, VodCounts]:
    """The counts of each VOD.

    Args:
        share: of the positives in training.
    """
    positive = [part.train[1] for part in parts]
    negative = [part.train[0] - part.train[1] for part in parts]
    counts = {}
    for part, kept in zip(parts, kept_negatives(positive, negative, share), strict=True):
        train, positives = part.train
        counts[part.split.vod] = VodCounts(
            natural=_count(*part.natural),
            train_before=_count(train + part.guard[0], positives + part.guard[1]),
            train=_count(positives + kept, positives),
            validation=_count(*part.validation),
            dropped=Dropped(_count(*part.guard), _count(train - positives - kept, 0), part.not_looked_at),
            events=part.events,
        )
    return counts


def _sum(parts: Sequence[SideCounts]) -> SideCounts:
    def total(counts: Iterable[FrameCount]) -> FrameCount:
        pairs = [(count.frames, count.positives) for count in counts]
        return _count(sum(frames for frames, _ in pairs), sum(positives for _, positives in pairs))

    return SideCounts(
        natural=total(part.natural for part in parts),
        train_before=total(part.train_before for part in parts),
        train=total(part.train for part in parts),
        validation=total(part.validation for part in parts),
        dropped=Dropped(
            total(part.dropped.guard for part in parts),
            total(part.dropped.rebalancing for part in parts),
            sum(part.dropped.not_looked_at for part in parts),
        ),
    )


def _count(frames: int, positives: int) -> FrameCount:
    return FrameCount(frames, positives, positives / frames if frames else None)


def _check(result: Dataset, name: str) -> None:
    """Raises DatasetError where a side cannot do its work."""
    if not result.natural.positives:
        raise DatasetError(f"dataset {name}: no frame lies in a highlight: import labels with `lolhl labels FILE`")
    for side, count in {"train": result.train, "validation": result.validation}.items():
        if not 0 < count.positives < count.frames:
            lacking = "no highlight" if not count.positives else "nothing but highlights"
            raise DatasetError(
                f"dataset {name}: {side} would have {lacking}: label more, name more VODs, or hold out others"
            )


def _percent(rate: float | None) -> str:
    return "–" if rate is None else f"{rate:.1%}"
