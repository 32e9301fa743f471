"""dataset: frame sets and labels of some VODs → samples to learn from and to be judged on.

First the split, then the guard between its sides, and only then the rebalancing of the training side
(see `lolhl.data.split`). The validation side stays as streams are.
"""

import hashlib
import io
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import polars as pl

from lolhl import grid, layout, manifest
from lolhl.config import Config, setting
from lolhl.data import split
from lolhl.data.balance import rebalanced
from lolhl.errors import DatasetError, MissingInput, UsageError
from lolhl.frames.spec import FrameSpec, stored, view_name
from lolhl.labels.spans import Span
from lolhl.labels.store import labels_key, load_labels
from lolhl.manifest import Manifest
from lolhl.results import Dataset, Dropped, EventCount, FrameCount, Frames, SideCounts, VodCounts
from lolhl.storage import Root, check_name, check_new, each
from lolhl.vod.view import Fit, View

log = logging.getLogger(__name__)

LEAST_GUARD = 10.0  # seconds between the two sides, however short the context: neighbouring frames look alike
VODS_ENOUGH = 5  # from here on whole VODs are held out: with fewer, one VOD is far from 15 % of the time


@dataclass(frozen=True, kw_only=True)
class DatasetConfig(Config):
    """How samples are split and rebalanced."""

    chunk_seconds: float = setting(
        30.0, "length of a chunk, the unit of the split, in seconds", at_least=1, at_most=3600
    )
    validation: float = setting(0.15, "share of the time that is held out for validation", above=0, below=1)
    holdout: str = setting(
        "auto",
        f"what to hold out: chunks of each VOD, whole vods, auto (vods from {VODS_ENOUGH} VODs on, else chunks), "
        "or the names of the VODs to hold out, with commas between",
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
    # Which frame sets these mean in this root is among the inputs.
    fps: Fraction | None = setting(
        None,
        "where the VODs have frames of several views: those with so many per second",
        at_least=grid.SLOWEST,
        at_most=grid.FASTEST,
        neutral=True,
    )
    size: int | None = setting(
        None, "as --fps: those of this width and height, in pixels", at_least=16, at_most=2048, neutral=True
    )
    fit: Fit | None = setting(None, "as --fps: those with the whole picture, or its middle", neutral=True)

    @property
    def guard_seconds(self) -> float:
        return max(LEAST_GUARD, self.context_seconds)


def dataset(
    root: Root, name: str, vods: Sequence[str], config: DatasetConfig = DatasetConfig(), *, force: bool = False
) -> Manifest[Dataset]:
    """Makes datasets/<name>/ from frames and labels/<vod>.tsv of each VOD.

    All frames have one view. Of frame sets that differ in how they are stored, the best is taken: whole before
    scanned, then by JPEG quality.

    samples.parquet has the columns vod (str), frame (int64), label (bool), chunk (str, unique over
    VODs), split (str, "train" or "validation"), in order of vod and frame. Frames that were dropped
    are not in it.

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
        MissingInput: a VOD has no frame set or no labels.
        DatasetError: the frame sets differ, or a side would lack highlights or the rest.
    """
    vods = sorted({check_name(vod, "VOD") for vod in vods})
    if not vods:
        raise UsageError(f"dataset {name}: no VOD was named: name those to learn from")
    key = layout.dataset(name)
    check_new(root, key, name, "dataset")
    specs = _chosen(dict(zip(vods, each(lambda vod: stored(root, vod), vods), strict=True)), config)
    keys = {vod: specs[vod].manifest_key(vod) for vod in vods}
    root = root.ahead([key, *(read for vod in vods for read in (keys[vod], layout.vod(vod), labels_key(vod)))])
    framesets = {vod: manifest.load(root, keys[vod], Frames, specs[vod].command(vod), fresh=True) for vod in vods}
    labels = {vod: load_labels(root, vod) for vod in vods}
    inputs = {keys[vod]: made.content_digest() for vod, made in framesets.items()}
    files = each(root.read, map(labels_key, vods))
    inputs |= {labels_key(vod): hashlib.sha256(file).hexdigest() for vod, file in zip(vods, files, strict=True)}
    todo, earlier = manifest.plan(root, key, Dataset, config, inputs, force=force)
    if earlier:
        return earlier

    view = specs[vods[0]].view
    fps = view.fps
    stretches = [
        split.stretch(vod, labels[vod], framesets[vod].result.frames, fps, config.chunk_seconds) for vod in vods
    ]
    held = _held_out(vods, config)
    frames = assign(stretches, fps, held, config)
    result = Dataset(
        fps=fps,
        size=view.size,
        fit=view.fit,
        vods=vods,
        holdout="chunks" if held is None else "vods",
        chunk_seconds=config.chunk_seconds,
        guard_seconds=config.guard_seconds,
        **vars(_counts(frames)),
        per_vod={vod: _vod_counts(vod, labels[vod], frames, fps) for vod in vods},
    )
    log.info("dataset %s: %s\n%s", name, ", ".join(vods), table(result))
    _check(result, name)

    samples = frames.filter(pl.col("fate").is_in(["train", "validation"])).drop("side").rename({"fate": "split"})
    output = io.BytesIO()
    samples.write_parquet(output)
    return todo.store(result, {layout.samples(name): output.getvalue()})


def assign(
    stretches: Sequence[split.Stretch], fps: Fraction, held: Sequence[str] | None, config: DatasetConfig
) -> pl.DataFrame:
    """Assigns each frame to a side, or drops it.

    Args:
        stretches: the VODs, in order of names.
        fps: of the grid.
        held: the VODs to hold out. If the list is empty, they are chosen. None where chunks are held out.
        config: see `DatasetConfig`.

    Returns:
        The columns vod, frame, label, chunk, side ("train", "validation"), and fate: the side again, or why
        the frame was dropped ("guard", "rebalancing"). Rows are in order of VOD and frame.
    """
    if held is None:
        sides = split.by_chunks(
            stretches, fps, validation=config.validation, guard_seconds=config.guard_seconds, seed=config.seed
        )
    else:
        sides = split.by_vods(stretches, validation=config.validation, seed=config.seed, named=held)
    labels = np.concatenate([stretch.labels for stretch in stretches])
    side = np.concatenate([sides[stretch.vod] for stretch in stretches])
    fate = np.array(["train", "validation", "guard"])[side]
    training = np.flatnonzero(fate == "train")
    fate = fate.astype("U11")
    fate[training[~rebalanced(labels[training], config.positives, config.seed)]] = "rebalancing"
    return pl.DataFrame(
        {
            "vod": np.repeat([stretch.vod for stretch in stretches], [stretch.labels.size for stretch in stretches]),
            "frame": np.concatenate([np.arange(stretch.labels.size, dtype=np.int64) for stretch in stretches]),
            "label": labels,
            "chunk": np.concatenate(
                [np.char.add(f"{stretch.vod}/", stretch.chunks.astype(str)) for stretch in stretches]
            ),
            "side": np.where(side == split.VALIDATION, "validation", "train"),
            "fate": fate,
        }
    )


def table(result: Dataset) -> str:
    """The counts of a dataset, as a table in text."""
    rows = [("VOD", "side", "frames", "positive", "rate", "dropped by guard", "by rebalancing")]
    parts: dict[str, SideCounts] = {"all": result, **(result.per_vod if len(result.per_vod) > 1 else {})}
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
    lines.append(
        f"{_percent(result.natural.rate)} of all frames are positive; {result.holdout} are held out, "
        f"and frames of the two sides lie at least {result.guard_seconds:g} s apart"
    )
    return "\n".join(lines)


def _chosen(stored: Mapping[str, Sequence[FrameSpec]], config: DatasetConfig) -> dict[str, FrameSpec]:
    """Chooses the frame set of each VOD. All have one view: the only one that all VODs have and that is asked for.

    Args:
        stored: the frame sets that each VOD has, best first.
    """
    for vod, specs in stored.items():
        if not specs:
            raise MissingInput(f"VOD {vod} has no frames: run `lolhl extract {vod}` first")
    views = {vod: {spec.view for spec in specs if _is_asked_for(spec.view, config)} for vod, specs in stored.items()}
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
    return {vod: next(spec for spec in specs if spec.view in common) for vod, specs in stored.items()}


def _is_asked_for(view: View, config: DatasetConfig) -> bool:
    return config.fps in (None, view.fps) and config.size in (None, view.size) and config.fit in (None, view.fit)


def _listed(views: Iterable[View]) -> str:
    return " and ".join(sorted({view_name(view) for view in views}))


def _held_out(vods: Sequence[str], config: DatasetConfig) -> list[str] | None:
    """The VODs that were named to be held out. The list is empty where they are to be chosen, and None for chunks."""
    if config.holdout == "chunks" or (config.holdout == "auto" and len(vods) < VODS_ENOUGH):
        return None
    named = [] if config.holdout in ("auto", "vods") else [vod.strip() for vod in config.holdout.split(",")]
    unknown = [vod for vod in named if vod not in vods]
    if unknown:
        raise UsageError(
            f"--holdout {config.holdout}: {unknown[0]!r} is no VOD of this dataset: write auto, chunks, vods, or names"
        )
    if len(set(named) or {1}) >= len(vods):
        raise UsageError(f"--holdout {config.holdout}: no VOD is left to learn from: name more VODs for the dataset")
    return named


def _counts(frames: pl.DataFrame) -> SideCounts:
    """Counts frames and positives: in all, on each side as it is used, and of what was dropped."""

    def count(chosen: pl.DataFrame) -> FrameCount:
        positives = int(chosen["label"].sum())
        return FrameCount(chosen.height, positives, positives / chosen.height if chosen.height else None)

    return SideCounts(
        natural=count(frames),
        train_before=count(frames.filter(side="train")),
        train=count(frames.filter(fate="train")),
        validation=count(frames.filter(fate="validation")),
        dropped=Dropped(count(frames.filter(fate="guard")), count(frames.filter(fate="rebalancing"))),
    )


def _vod_counts(vod: str, spans: Sequence[Span], frames: pl.DataFrame, fps: Fraction) -> VodCounts:
    """The counts of one VOD: its frames and its events."""
    vod_frames = frames.filter(vod=vod)
    firsts = [grid.first_frame_at(span.start, fps) for span in spans]
    shown = [
        first
        for first, span in zip(firsts, spans, strict=True)
        if first < min(vod_frames.height, grid.first_frame_at(span.stop, fps))
    ]
    sides = vod_frames["side"].gather(shown)
    if len(shown) < len(spans):
        log.warning("VOD %s: %d of %d labelled events have no frame", vod, len(spans) - len(shown), len(spans))
    events = EventCount(
        train=int((sides == "train").sum()),
        validation=int((sides == "validation").sum()),
        without_frame=len(spans) - len(shown),
    )
    return VodCounts(**vars(_counts(vod_frames)), events=events)


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
