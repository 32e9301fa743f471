"""Splits VODs into a training and a validation side so that nothing leaks from one to the other.

A chunk is 30 s of one VOD; chunks that share an event are joined, so that an event is never cut (see
`lolhl.labels.chunks`). Whole chunks go to validation. Frames of the training side that lie nearer to
a validation frame of the same VOD than the guard are dropped: from the training side, since validation
is the scarcer one and has to stay as streams are. Nothing here knows of rebalancing, which comes after.
"""

import zlib
from collections.abc import Mapping, Sequence
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
    """A VOD's frames in chunks, which are joined where an event crosses the border between two.

    Events count as the frames show them: an event crosses a border only if one of its frames lies before it.

    Args:
        vod: its name.
        spans: its labels, merged. What lies beyond the last frame does not count.
        frames: how many instants of the grid it has.
        fps: of the grid.
        chunk_seconds: length of a chunk.
    """
    return labelled_stretch(vod, on_grid(spans, frames, fps), fps, chunk_seconds)


def labelled_stretch(vod: str, labels: npt.NDArray[np.bool_], fps: Fraction, chunk_seconds: float) -> Stretch:
    """Like `stretch`, from the labels of all instants: bool [frames]."""
    return Stretch(vod, labels, chunks(from_grid(labels, fps), len(labels), fps, chunk_seconds))


def by_chunks(
    stretches: Sequence[Stretch], fps: Fraction, *, validation: float, guard_seconds: float, seed: int
) -> dict[str, npt.NDArray[np.int8]]:
    """The side of each frame: VOD → int8 [frames]. Each VOD gives chunks to the validation side.

    Where the guard is long, neighbouring chunks go together, so that the guard costs training no more
    than two thirds of what validation takes. The choice depends on the seed and on this VOD alone.

    Args:
        validation: the share of each VOD's frames that is aimed at.
        guard_seconds: the least distance between frames of the two sides.
    """
    return {
        labelled.vod: by_chunks_of(labelled, fps, validation=validation, guard_seconds=guard_seconds, seed=seed)
        for labelled in stretches
    }


def by_chunks_of(
    labelled: Stretch,
    fps: Fraction,
    *,
    validation: float,
    guard_seconds: float,
    seed: int,
    known: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.int8]:
    """The side of each frame of one VOD: int8 [frames], see `by_chunks`.

    Args:
        known: bool [frames], those that are split; the others are dropped. None for all.
    """
    frames = np.arange(labelled.labels.size) if known is None else np.flatnonzero(known)
    labels = labelled.labels[frames]
    least = round(float(min(3 * guard_seconds * fps, validation * frames.size)))
    blocks = _blocks(labelled.chunks[frames], least)
    sizes = [stop - start for start, stop in blocks]
    positives = [int(np.count_nonzero(labels[start:stop])) for start, stop in blocks]
    side = np.full(labelled.labels.size, DROPPED)
    side[frames] = TRAIN
    for index in chosen(sizes, positives, validation, generator(seed, labelled.vod)):
        side[frames[slice(*blocks[index])]] = VALIDATION
    return guarded(side, fps, guard_seconds)


def by_vods(
    stretches: Sequence[Stretch], *, validation: float, seed: int, named: Sequence[str] = ()
) -> dict[str, npt.NDArray[np.int8]]:
    """The side of each frame: VOD → int8 [frames]. Whole VODs are held out.

    Args:
        validation: the share of all frames that is aimed at.
        named: the VODs to hold out; without any, they are chosen.
    """
    counts = {labelled.vod: (labelled.labels.size, int(labelled.labels.sum())) for labelled in stretches}
    held = set(named) or choose_vods(counts, validation=validation, seed=seed)
    return {
        labelled.vod: np.full(labelled.labels.size, VALIDATION if labelled.vod in held else TRAIN)
        for labelled in stretches
    }


def choose_vods(counts: Mapping[str, tuple[int, int]], *, validation: float, seed: int) -> set[str]:
    """The VODs to hold out: at least one of two or more, and never all.

    Args:
        counts: VOD → how many frames it has, and how many of them lie in a highlight.
        validation: the share of all frames that is aimed at.
    """
    vods = list(counts)
    sizes, positives = ([pair[at] for pair in counts.values()] for at in (0, 1))
    return {vods[index] for index in chosen(sizes, positives, validation, generator(seed, ""))}


def guarded(side: npt.NDArray[np.int8], fps: Fraction, guard_seconds: float) -> npt.NDArray[np.int8]:
    """The same sides, but training frames that are nearer to a validation frame than the guard are dropped."""
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


def chosen(
    block_sizes: Sequence[int],
    block_positives: Sequence[int],
    share: float,
    rng: np.random.Generator,
) -> list[int]:
    """The blocks for validation, by their places in order: at least one, and never all.

    Of many random choices of about the right size, the one that comes nearest to the share aimed at,
    and to the rate of positives of the whole; one that leaves a side without positives or without
    negatives is taken only when there is no other.

    Args:
        block_sizes, block_positives: how many frames each block has, and how many of them lie in a highlight.
    """
    if len(block_sizes) < 2:
        return []
    sizes, positives = np.array(block_sizes), np.array(block_positives)
    total, total_positive = sizes.sum(), positives.sum()
    orders = np.stack([rng.permutation(len(sizes)) for _ in range(_TRIES)])
    taken = np.cumsum(sizes[orders], axis=1)[:, :-1]
    last = np.arange(_TRIES), np.abs(taken - share * total).argmin(axis=1)
    size, positive = taken[last], np.cumsum(positives[orders], axis=1)[last]
    classes = (positive, size - positive, total_positive - positive, (total - size) - (total_positive - positive))
    lacking = np.sum([frames == 0 for frames in classes], axis=0)
    off_share = np.abs(size / (share * total) - 1)
    off_rate = np.abs(positive / np.maximum(size, 1) * total / total_positive - 1) if total_positive else 0.0
    best = int((1000 * lacking + off_share + off_rate).argmin())
    return sorted(orders[best, : last[1][best] + 1].tolist())


def generator(seed: int, vod: str) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(vod.encode())])
