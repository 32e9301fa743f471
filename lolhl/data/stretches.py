"""What a dataset holds: for each VOD its labelled spans, and the unbroken stretches of time on either side.

datasets/<name>/stretches.parquet has a row for each stretch: vod (str), first and end (int64, instants of the VOD's
grid, half open) and side (str, "train", "validation" or, where nobody has looked at it, "unseen"). spans.parquet has a
row for each labelled span: vod (str), start and stop (float64, seconds). Rows of both are in order of VOD and time.
What lies in no stretch was dropped by the guard between the sides. Which instants train is decided when they are read,
see `samples`.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl

from lolhl import grid, layout
from lolhl.data import split
from lolhl.data.balance import rebalanced
from lolhl.errors import StorageError
from lolhl.labels.spans import Span, on_grid
from lolhl.tables import read_table

Side = Literal["train", "validation"]
SIDES: tuple[Side, ...] = ("train", "validation")
_UNSEEN = "unseen"

_STRETCHES = {"vod": pl.String, "first": pl.Int64, "end": pl.Int64, "side": pl.String}
_SPANS = {"vod": pl.String, "start": pl.Float64, "stop": pl.Float64}
_LONGEST = 2**31  # instants of a VOD: 100 days at the fastest grid


def keys(dataset: str) -> tuple[str, str]:
    """Where the stretches and the spans of a dataset lie, without the digest in their names."""
    return layout.stretches(dataset), layout.spans(dataset)


@dataclass(frozen=True)
class LabelledStretch:
    """Consecutive instants of one VOD.

    Attributes:
        first: the number of its first instant on the VOD's grid.
        labels: bool [n], whether each instant lies in a highlight.
    """

    vod: str
    first: int
    labels: npt.NDArray[np.bool_]

    @property
    def end(self) -> int:
        """The number of the first instant after it."""
        return self.first + len(self.labels)


@dataclass(frozen=True)
class SplitVod:
    """A labelled VOD as a dataset splits it.

    Attributes:
        vod: its name.
        fps: of its grid.
        spans: what is labelled, in order of time, without overlaps.
        sides: for each side the first instant and the end of each of its stretches, in order of time. It is empty
            where the VOD has nothing on this side.
        unseen: likewise the stretches that nobody has looked at. They lie on no side, and models may see them around
            what they learn from.
    """

    vod: str
    fps: Fraction
    spans: Sequence[Span]
    sides: Mapping[Side, Sequence[tuple[int, int]]]
    unseen: Sequence[tuple[int, int]] = ()

    @classmethod
    def from_sides(
        cls,
        vod: str,
        fps: Fraction,
        spans: Sequence[Span],
        sides: npt.NDArray[np.int8],
        known: npt.NDArray[np.bool_] | None = None,
    ) -> "SplitVod":
        """A VOD after the split.

        Args:
            sides: the side of each instant: int8 [n], see `lolhl.data.split`.
            known: bool [n], the instants that somebody has looked at; None for all.
        """
        return cls(
            vod,
            fps,
            spans,
            {"train": _runs(sides == split.TRAIN), "validation": _runs(sides == split.VALIDATION)},
            [] if known is None else _runs(~known),
        )

    @property
    def end(self) -> int:
        """The number of the first instant after all stretches of its sides."""
        return max((end for stretches in self.sides.values() for _, end in stretches), default=0)

    def until(self, end: int) -> "SplitVod":
        """The same VOD without what lies at the instant with this number and after it."""
        stop = grid.time_of(end, self.fps)
        spans = [replace(span, stop=min(span.stop, stop)) for span in self.spans if span.start < stop]
        sides: dict[Side, Sequence[tuple[int, int]]] = {side: _until(parts, end) for side, parts in self.sides.items()}
        return replace(self, spans=spans, sides=sides, unseen=_until(self.unseen, end))

    def stretches(self, side: Side) -> list[LabelledStretch]:
        """The unbroken stretches of a side, in order of time, as models need them that see whole stretches.

        No instant of a stretch is left out for the sake of balance.
        """
        labels = on_grid(self.spans, self.end, self.fps)
        return [LabelledStretch(self.vod, first, labels[first:end]) for first, end in self.sides[side]]


def _until(stretches: Sequence[tuple[int, int]], end: int) -> list[tuple[int, int]]:
    return [(first, min(behind, end)) for first, behind in stretches if first < end]


def _runs(chosen: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First instant and end of each run of instants that are chosen: bool [n]."""
    edges = np.flatnonzero(np.diff(np.pad(chosen.astype(np.int8), 1))).reshape(-1, 2)
    return [(first, end) for first, end in edges.tolist()]


@dataclass(frozen=True)
class Samples:
    """Labelled instants of some VODs, in order of VOD and time.

    Attributes:
        vods: the VODs' names.
        vod: int64 [n], the place of each sample's VOD in `vods`.
        frame: int64 [n], on that VOD's grid.
        label: bool [n], whether each sample lies in a highlight.
    """

    vods: tuple[str, ...]
    vod: npt.NDArray[np.int64]
    frame: npt.NDArray[np.int64]
    label: npt.NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.frame)

    def by_vod(self) -> dict[str, slice]:
        """The rows of each VOD."""
        ends = np.searchsorted(self.vod, np.arange(len(self.vods) + 1)).tolist()
        return {vod: slice(first, end) for vod, (first, end) in zip(self.vods, pairwise(ends), strict=True)}


def training_samples(vods: Sequence[SplitVod], positives: float, seed: int) -> Samples:
    """The instants to train clip models on, in order of VOD and time, rebalanced.

    Args:
        vods: all VODs of the dataset.
        positives, seed: see `lolhl.data.balance.rebalanced`. A dataset's result names them.
    """
    stretches = [vod.stretches("train") for vod in vods]
    labels = [_labels(vod_stretches) for vod_stretches in stretches]
    stay = rebalanced(labels, positives, seed)
    return _samples(
        vods,
        [_instants(part)[kept] for part, kept in zip(stretches, stay, strict=True)],
        [label[kept] for label, kept in zip(labels, stay, strict=True)],
    )


def validation_samples(vods: Sequence[SplitVod]) -> Samples:
    """All instants of the validation side, in order of VOD and time. Samples of both sides count VODs alike."""
    stretches = [vod.stretches("validation") for vod in vods]
    return _samples(vods, [_instants(part) for part in stretches], [_labels(part) for part in stretches])


def _samples(
    vods: Sequence[SplitVod], instants: Sequence[npt.NDArray[np.int64]], labels: Sequence[npt.NDArray[np.bool_]]
) -> Samples:
    counts = [len(part) for part in instants]
    return Samples(
        tuple(vod.vod for vod in vods),
        np.repeat(np.arange(len(vods), dtype=np.int64), counts),
        np.concatenate([np.empty(0, np.int64), *instants]),
        np.concatenate([np.empty(0, np.bool_), *labels]),
    )


def _instants(stretches: Sequence[LabelledStretch]) -> npt.NDArray[np.int64]:
    return np.concatenate([np.empty(0, np.int64), *(np.arange(part.first, part.end) for part in stretches)])


def _labels(stretches: Sequence[LabelledStretch]) -> npt.NDArray[np.bool_]:
    return np.concatenate([np.empty(0, np.bool_), *(part.labels for part in stretches)])


def to_files(dataset: str, vods: Sequence[SplitVod]) -> dict[str, bytes]:
    """The two files of a dataset: key → content.

    Args:
        dataset: its name.
        vods: in order of names.
    """
    names = pl.Series([vod.vod for vod in vods], dtype=pl.String)
    parts = [
        sorted((*part, side) for side, stretches in [*vod.sides.items(), (_UNSEEN, vod.unseen)] for part in stretches)
        for vod in vods
    ]
    borders = np.array([(first, end) for vod in parts for first, end, _ in vod], dtype=np.int64).reshape(-1, 2)
    times = np.array([(span.start, span.stop) for vod in vods for span in vod.spans]).reshape(-1, 2)
    stretches = {
        "vod": names.gather(np.repeat(np.arange(len(vods)), [len(vod) for vod in parts])),
        "first": borders[:, 0],
        "end": borders[:, 1],
        "side": [side for vod in parts for _, _, side in vod],
    }
    spans = {
        "vod": names.gather(np.repeat(np.arange(len(vods)), [len(vod.spans) for vod in vods])),
        "start": times[:, 0],
        "stop": times[:, 1],
    }
    stretches_key, spans_key = keys(dataset)
    return {
        stretches_key: _parquet(pl.DataFrame(stretches, _STRETCHES)),
        spans_key: _parquet(pl.DataFrame(spans, _SPANS)),
    }


def _parquet(table: pl.DataFrame) -> bytes:
    output = io.BytesIO()
    table.write_parquet(output)
    return output.getvalue()


def from_files(
    files: Sequence[bytes], vods: Sequence[str], fps: Fraction, places: Sequence[str], redo: str
) -> list[SplitVod]:
    """Reads the two files of a dataset: the VODs that have a stretch, in order of names.

    Args:
        files: the contents of both, in the order of `keys`.
        vods: the VODs that may be in them.
        fps: of the grid of all VODs.
        places: the files' names, for the message of an error.
        redo: the command that makes them anew, for the message of an error.

    Raises:
        StorageError: a file holds something else.
    """
    first, end = pl.col("first"), pl.col("end")
    parts = read_table(files[0], _STRETCHES, places[0], redo)
    _check(
        parts,
        places[0],
        redo,
        {
            "VODs that the dataset does not have": pl.col("vod").is_in(sorted(vods)),
            "a side that is neither train nor validation": pl.col("side").is_in([*SIDES, _UNSEEN]),
            "instants that no video has": first.is_between(0, _LONGEST) & end.is_between(0, _LONGEST),
            "stretches without an instant": first < end,
            "stretches that overlap or are out of order": _follows("first", "end"),
        },
    )
    labelled = read_table(files[1], _SPANS, places[1], redo)
    _check(
        labelled,
        places[1],
        redo,
        {
            "VODs that the dataset does not have": pl.col("vod").is_in(sorted(vods)),
            "spans that no video has": pl.col("start").is_between(0, 1e9) & pl.col("stop").is_between(0, 1e9),
            "spans that end before they begin": pl.col("start") < pl.col("stop"),
            "spans that overlap or are out of order": _follows("start", "stop"),
        },
    )
    spans_by_vod: dict[str, list[Span]] = {}
    for vod, start, stop in labelled.iter_rows():
        spans_by_vod.setdefault(vod, []).append(Span(start, stop))
    sides_by_vod: dict[str, dict[Side, list[tuple[int, int]]]] = {}
    unseen_by_vod: dict[str, list[tuple[int, int]]] = {}
    for vod, begin, behind, side in parts.iter_rows():
        sides = sides_by_vod.setdefault(vod, {"train": [], "validation": []})
        (unseen_by_vod.setdefault(vod, []) if side == _UNSEEN else sides[side]).append((begin, behind))
    return [
        SplitVod(vod, fps, spans_by_vod.get(vod, []), sides, unseen_by_vod.get(vod, []))
        for vod, sides in sides_by_vod.items()
    ]


def _follows(begin: str, end: str) -> pl.Expr:
    """Whether each row is of a later VOD than the row before, or begins no earlier than that ends."""
    vod = pl.col("vod")
    return (vod > vod.shift(1)) | ((vod == vod.shift(1)) & (pl.col(begin) >= pl.col(end).shift(1)))


def _check(table: pl.DataFrame, place: str, redo: str, checks: Mapping[str, pl.Expr]) -> None:
    for problem, holds in checks.items():
        if not table.select(holds.all()).item():  # a row without one before it counts as in order
            raise StorageError(f"{place} is wrong (it has {problem}): run `{redo}`")
