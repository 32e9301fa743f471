"""What an editor had best look at first: some moments of a stream, in lists that each have a purpose.

What is looked at teaches the model most where it is wrong or does not know, and says how good it is where it was drawn
at random. What was looked at already is in no list.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import median

import numpy as np
import numpy.typing as npt

from lolhl import grid
from lolhl.highlights.cut import Highlight
from lolhl.labels.spans import Span, on_grid

_MOST = 10  # moments in a list
_CANDIDATES = 100  # near misses that are considered
_SHORTEST, _LONGEST, _USUAL = 4.0, 30.0, 10.0  # seconds of a moment that is no highlight; usual: without highlights


@dataclass(frozen=True)
class Moment:
    """A stretch of a stream.

    Attributes:
        span: where it lies.
        peak, mean: of the smoothed probability over it.
        rank: of the highlight that it is; None where it is none.
    """

    span: Span
    peak: float
    mean: float
    rank: int | None = None


@dataclass(frozen=True)
class Feed:
    """A list of moments, the one to look at first before the others.

    Attributes:
        name: for people.
        purpose: what is in it and what it is good for, for people.
    """

    name: str
    purpose: str
    moments: tuple[Moment, ...]


def feeds(
    vod: str,
    smoothed: npt.NDArray[np.floating],
    fps: Fraction,
    threshold: float,
    highlights: Sequence[Highlight],
    looked_at: Sequence[Span],
) -> list[Feed]:
    """The lists of one VOD. The same arguments give the same lists.

    Args:
        vod: its name, which decides what is drawn at random.
        smoothed: [n], probabilities on the grid, as highlights were cut from them.
        fps: of the grid.
        threshold: that a highlight reaches.
        highlights: those that were found.
        looked_at: what an editor has accepted or rejected.
    """
    seconds = median(highlight.span.duration for highlight in highlights) if highlights else _USUAL
    length = max(1, round(Fraction(min(max(seconds, _SHORTEST), _LONGEST)) * fps))
    new = [
        Moment(highlight.span, highlight.peak, highlight.mean, highlight.rank)
        for highlight in highlights
        if not _overlaps(highlight.span, looked_at)
    ]
    taken = on_grid([*looked_at, *(highlight.span for highlight in highlights)], len(smoothed), fps)
    near = [*new, *_near_misses(smoothed, fps, threshold, taken, length)]
    return [
        Feed(
            "Borderline",
            "Highlights that only just are, and moments that only just are not: they say where the threshold belongs.",
            tuple(sorted(near, key=lambda moment: abs(moment.peak - threshold))[:_MOST]),
        ),
        Feed(
            "Surest",
            "The highest probabilities: one that is wrong teaches most.",
            tuple(sorted(new, key=lambda moment: -moment.peak)[:_MOST]),
        ),
        Feed(
            "Least sure",
            "On average nearest to a probability of one half: here the model does not know.",
            tuple(sorted(near, key=lambda moment: abs(moment.mean - 0.5))[:_MOST]),
        ),
        Feed(
            "Random",
            "Drawn by chance from the rest of the stream: they show what is missed.",
            tuple(_drawn(vod, smoothed, fps, taken, length)),
        ),
    ]


def _overlaps(span: Span, others: Sequence[Span]) -> bool:
    return any(span.start < other.stop and other.start < span.stop for other in others)


def _near_misses(
    smoothed: npt.NDArray[np.floating], fps: Fraction, threshold: float, taken: npt.NDArray[np.bool_], length: int
) -> list[Moment]:
    """The highest peaks outside of what is taken, at least half as high as the threshold. None overlaps another.

    What rises towards a highlight is no peak of its own.
    """
    around = np.pad(smoothed, 1, constant_values=-np.inf)
    is_peak = (smoothed >= around[:-2]) & (smoothed >= around[2:])
    free = np.where(is_peak & ~taken & (smoothed >= threshold / 2), smoothed, -np.inf)
    misses: list[Moment] = []
    while len(misses) < _CANDIDATES and len(free) and free.max() > -np.inf:
        peak = int(free.argmax())
        equal = np.append(free[peak : peak + length] == free[peak], False)
        peak += (int(equal.argmin()) - 1) // 2  # the middle of values that are equal
        first, stop = max(0, peak - length // 2), min(len(free), peak + length - length // 2)
        before, after = np.flatnonzero(taken[first:peak]), np.flatnonzero(taken[peak:stop])
        first, stop = (
            first + int(before[-1]) + 1 if len(before) else first,
            peak + int(after[0]) if len(after) else stop,
        )
        if 2 * (stop - first) > length:  # else it is the rest of what is taken
            misses.append(_moment(smoothed, fps, first, stop))
        free[max(0, first - length) : stop + length] = -np.inf
    return misses


def _drawn(
    vod: str, smoothed: npt.NDArray[np.floating], fps: Fraction, taken: npt.NDArray[np.bool_], length: int
) -> list[Moment]:
    """Moments that hold nothing that is taken. What is taken later takes none of the others away."""
    seed = int.from_bytes(hashlib.sha256(vod.encode()).digest()[:8])
    moments: list[Moment] = []
    drawn = np.zeros(len(taken), dtype=bool)
    for first in np.random.default_rng(seed).permutation(max(0, len(taken) - length + 1)).tolist():
        stop = first + length
        if len(moments) == _MOST:
            break
        if not drawn[first:stop].any():
            drawn[first:stop] = True
            if not taken[first:stop].any():
                moments.append(_moment(smoothed, fps, first, stop))
    return moments


def _moment(smoothed: npt.NDArray[np.floating], fps: Fraction, first: int, stop: int) -> Moment:
    values = smoothed[first:stop]
    # In whole milliseconds, as highlights, so that none overlaps one by less.
    start, end = (grid.whole_millis(grid.time_of(frame, fps)) for frame in (first, stop))
    return Moment(Span(start, end), float(values.max()), float(values.mean()))
