"""Splits VODs into a training and a validation side so that nothing leaks from one to the other.

A chunk is 30 s of one VOD; chunks that share an event are joined, so that an event is never cut (see
`lolhl.labels.chunks`). Whole chunks go to validation. Frames of the training side that lie nearer to
a validation frame of the same VOD than the guard are dropped: from the training side, since validation
is the scarcer one and has to stay as streams are. Nothing here knows of rebalancing, which comes after.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from lolhl import grid
from lolhl.labels.chunks import chunks
from lolhl.labels.spans import Span, from_grid, on_grid

TRAIN, VALIDATION, DROPPED = np.int8(0), np.int8(1), np.int8(2)
_TRIES = 256  # random choices of which the best is taken


@dataclass(frozen=True)
class Stretch:
    """What is split: the labelled frames of one VOD.

    Attributes:
        vod: its name.
        labels: bool [frames], whether the frame lies in a highlight.
        chunks: int64 [frames], the number of the frame's chunk: that of the first 30 s of those joined.
    """

    vod: str
    labels: npt.NDArray[np.bool_]
    chunks: npt.NDArray[np.int64]


def stretch(vod: str, spans: Sequence[Span], frames: int, fps: Fraction, chunk_seconds: float) -> Stretch:
    """A VOD's frames in chunks, joined where an event crosses the border between two.

    Events count as the frames show them: one of which no frame lies before a border does not cross it.

    Args:
        spans: its labels, merged; what lies beyond the last frame does not count.
        frames: how many instants of the grid it has.
    """
    return labelled_stretch(vod, on_grid(spans, frames, fps), fps, chunk_seconds)


def labelled_stretch(vod: str, labels: npt.NDArray[np.bool_], fps: Fraction, chunk_seconds: float) -> Stretch:
    """As `stretch`, of the labels of all instants: bool [frames]."""
    return Stretch(vod, labels, chunks(from_grid(labels, fps), len(labels), fps, chunk_seconds))


def by_chunks(
    stretches: Sequence[Stretch], fps: Fraction, *, validation: float, guard_seconds: float, seed: int
) -> dict[str, npt.NDArray[np.int8]]:
    """The side of each frame, with validation chunks taken from each VOD: VOD → int8 [frames].

    Where the guard is long, neighbouring chunks go together, so that the guard costs training no more
    than two thirds of what validation takes. The choice depends on the seed and on this VOD alone.

    Args:
        validation: the share of each VOD's frames that is aimed at.
        guard_seconds: the least distance between frames of the two sides.
    """
    sides = {}
    for of in stretches:
        side = np.full(of.labels.size, TRAIN)
        least = round(float(min(3 * guard_seconds * fps, validation * of.labels.size)))
        for start, stop in _chosen(of.labels, _blocks(of.chunks, least), validation, _rng(seed, of.vod)):
            side[start:stop] = VALIDATION
        sides[of.vod] = guarded(side, fps, guard_seconds)
    return sides


def by_vods(
    stretches: Sequence[Stretch], *, validation: float, seed: int, named: Sequence[str] = ()
) -> dict[str, npt.NDArray[np.int8]]:
    """The side of each frame, with whole VODs held out: VOD → int8 [frames].

    Args:
        validation: the share of all frames that is aimed at.
        named: the VODs to hold out; without any, they are chosen.
    """
    held = set(named)
    if not held:
        ends = np.cumsum([of.labels.size for of in stretches]).tolist()
        blocks = list(pairwise([0, *ends]))
        labels = np.concatenate([of.labels for of in stretches])
        chosen = set(_chosen(labels, blocks, validation, _rng(seed, "")))
        held = {of.vod for of, block in zip(stretches, blocks, strict=True) if block in chosen}
    return {of.vod: np.full(of.labels.size, VALIDATION if of.vod in held else TRAIN) for of in stretches}


def guarded(side: npt.NDArray[np.int8], fps: Fraction, guard_seconds: float) -> npt.NDArray[np.int8]:
    """The sides, with training frames that are nearer to a validation frame than the guard dropped."""
    reach = grid.first_frame_at(guard_seconds, fps) - 1  # the farthest distance, in frames, that is too near
    edges = np.flatnonzero(np.diff(np.pad((side == VALIDATION).astype(np.int8), 1)))
    near = np.zeros(side.size, dtype=bool)
    for start, stop in edges.reshape(-1, 2):
        near[max(0, start - reach) : stop + reach] = True
    return np.where(near & (side == TRAIN), DROPPED, side)


def _blocks(chunks: npt.NDArray[np.int64], least: int) -> list[tuple[int, int]]:
    """First frame and end of each run of chunks that has at least this many frames."""
    if not chunks.size:
        return []
    starts = [0]
    for border in (np.flatnonzero(np.diff(chunks)) + 1).tolist():
        if border - starts[-1] >= least:
            starts.append(border)
    if len(starts) > 2 and chunks.size - starts[-1] < least:
        starts.pop()
    return list(pairwise([*starts, chunks.size]))


def _chosen(
    labels: npt.NDArray[np.bool_], blocks: Sequence[tuple[int, int]], share: float, rng: np.random.Generator
) -> list[tuple[int, int]]:
    """The blocks for validation: at least one, and never all.

    Of many random choices of about the right size, the one that comes nearest to the share aimed at,
    and to the rate of positives of the whole; one that leaves a side without positives or without
    negatives is taken only when there is no other.
    """
    if len(blocks) < 2:
        return []
    sizes = np.array([stop - start for start, stop in blocks])
    positives = np.array([int(labels[start:stop].sum()) for start, stop in blocks])
    total, labelled = sizes.sum(), positives.sum()
    best, least = np.array([], dtype=np.int64), np.inf
    for _ in range(_TRIES):
        order = rng.permutation(len(blocks))
        taken = np.cumsum(sizes[order])[:-1]
        count = int(np.abs(taken - share * total).argmin()) + 1
        size, found = taken[count - 1], positives[order[:count]].sum()
        classes = (found, size - found, labelled - found, (total - size) - (labelled - found))
        lacking = sum(frames == 0 for frames in classes)
        off_share = abs(size / (share * total) - 1)
        off_rate = abs(found / size * total / labelled - 1) if labelled else 0.0
        cost = 1000 * lacking + off_share + off_rate
        if cost < least:
            best, least = order[:count], cost
    return [blocks[index] for index in sorted(best.tolist())]


def _rng(seed: int, vod: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(vod.encode())])
