"""From scores to highlights: stretches above a threshold, one a fight, kept in length, ranked.

The 30 s intensity of the timeline is only drawn. Spans are cut from scores smoothed over some seconds. How long
highlights usually are is learnt from labels: `CutConfig.limits`.
"""

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from lolhl import grid
from lolhl.config import Config, setting
from lolhl.errors import UsageError
from lolhl.labels.habits import Habits
from lolhl.labels.spans import Span

_ROUNDING = 0.002  # seconds: borders are whole milliseconds, so a length may be off by that


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Where highlights begin and end, and how long they are. Times are seconds.

    Attributes:
        threshold: a highlight begins where the smoothed probability reaches this.
        low_ratio, valley, pad_before, pad_after, merge_gap, min_length, split_above, max_length: as of `CutConfig`.
            The defaults serve models that know no labels.
    """

    threshold: float
    low_ratio: float = 1.0
    valley: float = 0.85
    pad_before: float = 0.0
    pad_after: float = 0.0
    merge_gap: float = 2.0
    min_length: float = 4.0
    split_above: float = 30.0
    max_length: float = 120.0

    @property
    def low(self) -> float:
        """The smoothed probability below which a highlight ends."""
        return self.threshold * self.low_ratio


@dataclass(frozen=True, kw_only=True)
class CutConfig(Config):
    """How highlights are cut from scores. The labels that the model learnt from say how long they usually are."""

    low_ratio: float = setting(
        1.0, "a highlight ends below the threshold times this", at_least=0, at_most=1, unrecorded=0.85
    )
    valley: float = setting(
        0.85,
        "a long highlight is split between two peaks where the smoothed probability falls to the lower one times this",
        at_least=0,
        at_most=1,
        unrecorded=0.0,
    )
    pad_before: float = setting(0.0, "seconds added before each highlight", at_least=0, unrecorded=1.0)
    pad_after: float = setting(0.0, "seconds added after each highlight", at_least=0, unrecorded=1.0)
    merge_gap: float | None = setting(
        None,
        "highlights at most so many seconds apart, before padding, become one (default: an eighth of the median label)",
        at_least=0,
        unrecorded=2.0,
    )
    min_length: float | None = setting(
        None,
        "shorter highlights are dropped, in seconds (default: as one in ten labels)",
        at_least=0,
        unrecorded=4.0,
    )
    split_above: float | None = setting(
        None,
        "longer highlights are split at their valleys, in seconds (default: as the median label)",
        at_least=0,
        unrecorded=120.0,
    )
    max_length: float | None = setting(
        None,
        "longer highlights are split in any case, at the lowest smoothed probability within, in seconds", at_least=0.1,
        unrecorded=120.0,
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_length is not None and self.min_length is not None and self.max_length < 2 * self.min_length:
            raise UsageError(
                f"--max-length {self.max_length:g}: give at least twice --min-length, which is {self.min_length:g}, "
                "so that a highlight that is too long can be split"
            )

    def limits(self, threshold: float, habits: Habits | None = None) -> Limits:
        """The limits for a model. What is not set follows from the labels that it learnt from, if they are known."""
        usual = Limits(threshold=threshold)
        if habits:
            usual = replace(
                usual,
                merge_gap=habits.lull,
                min_length=habits.short,
                split_above=habits.median,
                max_length=max(habits.longest, 0.1),
            )
        shortest, longest = self.min_length, self.max_length
        if shortest is None:
            shortest = usual.min_length if longest is None else min(usual.min_length, longest / 2)
        if longest is None:
            longest = max(usual.max_length, 2 * shortest)
        return Limits(
            threshold=threshold,
            low_ratio=self.low_ratio,
            valley=self.valley,
            pad_before=self.pad_before,
            pad_after=self.pad_after,
            merge_gap=usual.merge_gap if self.merge_gap is None else self.merge_gap,
            min_length=shortest,
            split_above=usual.split_above if self.split_above is None else self.split_above,
            max_length=longest,
        )


@dataclass(frozen=True)
class Highlight:
    """A span that was found, and why.

    Attributes:
        span: its name is "highlight <rank>", or what happened where that is known; its score the peak.
        rank: 1 for the highest peak; of equal peaks the higher mean comes first, then the earlier start.
        peak: the highest smoothed probability in the span.
        peak_time: the first instant of the grid with that value, in seconds.
        mean: of the smoothed probability over the span.
        reason: why it was picked, for people.
    """

    span: Span
    rank: int
    peak: float
    peak_time: float
    mean: float
    reason: str


def find(smoothed: npt.NDArray[np.floating], fps: Fraction, duration: float, limits: Limits) -> list[Highlight]:
    """The highlights of one video, best first.

    Args:
        smoothed: [n], probabilities on the grid after a short smoothing (`intensity.centred_mean`).
        fps: of the grid.
        duration: of the video in seconds; no span reaches beyond it.
        limits: where highlights begin and end.

    Returns:
        Spans in whole milliseconds within [0, duration] that never overlap (parts of a long one may touch), each from
        `min_length` to `max_length` long and reaching the threshold somewhere.
    """
    instants = grid.times(len(smoothed), fps)
    runs = [run for stretch in _stretches(smoothed, fps, limits) for run in _at_valleys(smoothed, fps, stretch, limits)]
    spans = [
        part
        for span in _padded(runs, fps, duration, limits)
        for part in _split(span, smoothed, instants, limits)
        if part.duration >= limits.min_length - _ROUNDING
    ]
    return ranked([h for span in spans if (h := _described(span, smoothed, instants, limits.threshold))])


def ranked(highlights: Sequence[Highlight]) -> list[Highlight]:
    """The highlights best first, with their ranks from 1."""
    in_order = sorted(highlights, key=lambda h: (-h.peak, -h.mean, h.span.start))
    return [_ranked(highlight, rank) for rank, highlight in enumerate(in_order, start=1)]


def reason_for_none(smoothed: npt.NDArray[np.floating], limits: Limits) -> str:
    """Why `find` found nothing, in one sentence for people."""
    if not len(smoothed):
        return "the video has no frames"
    highest = float(np.max(smoothed))
    if highest < limits.threshold:
        figures = _unlike(highest, limits.threshold)
        return f"the highest smoothed probability was {figures[0]}, below the threshold {figures[1]}"
    return (
        f"the smoothed probability reached {highest:.2f} (threshold {limits.threshold:.2f}), "
        f"but never for long enough: every stretch was shorter than {limits.min_length:g} s with its padding"
    )


Run = tuple[int, int]  # first instant and end


def _stretches(smoothed: npt.NDArray[np.floating], fps: Fraction, limits: Limits) -> Iterator[Run]:
    """Where it stays above the lower threshold, but for lulls, and reaches the upper one."""
    edges = np.flatnonzero(np.diff(smoothed >= limits.low, prepend=False, append=False)).reshape(-1, 2)
    lull = limits.merge_gap * float(fps) + 1e-6
    begins = np.flatnonzero(np.diff(edges.ravel())[1::2] > lull) + 1
    for group in np.split(edges, begins):
        if len(group):
            first, end = int(group[0, 0]), int(group[-1, 1])
            if smoothed[first:end].max() >= limits.threshold:
                yield first, end


def _at_valleys(smoothed: npt.NDArray[np.floating], fps: Fraction, stretch: Run, limits: Limits) -> list[Run]:
    """The stretch itself, or where it is long the parts round its peaks, which meet at the valleys between them.

    Valleys are filled from the shallowest on, until none is shallower than the limit and no part is shorter than a
    highlight may be. How deep a valley is says its floor beside the lower of its two peaks.
    """
    first, end = stretch
    values = smoothed[first:end]
    if len(values) <= limits.split_above * float(fps) or not limits.valley:
        return [stretch]
    borders = _joined(_watershed(values, limits.valley), values, limits.min_length * float(fps) - 1e-6)
    return [(first + a, first + b) for a, b in pairwise(borders)]


def _watershed(values: npt.NDArray[np.floating], deepest: float) -> list[int]:
    """The borders of the parts round the peaks that remain once all valleys shallower than the limit are filled."""
    places = _peaks(values)
    heights = values[places].tolist()
    valleys = [a + int(np.argmin(values[a : b + 1])) for a, b in pairwise(places)]  # after each peak but the last
    floors = values[valleys].tolist()
    after = [*range(1, len(places)), -1]  # the next peak that remains; -1 after the last one

    def depth(peak: int) -> float:
        """The floor of the valley after a peak, as a share of the lower of the two peaks."""
        return float(floors[peak] / max(min(heights[peak], heights[after[peak]]), 1e-12))

    queue = [(-depth(peak), peak) for peak in range(len(places) - 1)]
    heapq.heapify(queue)
    gone = [False] * len(places)
    while queue:
        expected, peak = heapq.heappop(queue)
        if gone[peak] or after[peak] < 0:
            continue
        if -expected != depth(peak):  # a peak beside it has become higher since
            heapq.heappush(queue, (-depth(peak), peak))
            continue
        if -expected <= deepest:
            break
        following = after[peak]
        gone[following] = True
        heights[peak] = max(heights[peak], heights[following])
        after[peak] = after[following]
        if after[following] >= 0:
            floors[peak], valleys[peak] = floors[following], valleys[following]
            heapq.heappush(queue, (-depth(peak), peak))
    remaining = [peak for peak in range(len(places)) if not gone[peak]]
    return [0, *(valleys[peak] for peak in remaining if after[peak] >= 0), len(values)]


def _peaks(values: npt.NDArray[np.floating]) -> list[int]:
    """Where values are greater than on both sides, ascending; the middles of even tops. The ends may be peaks."""
    edges = np.flatnonzero(np.diff(values) != 0) + 1
    firsts, ends = np.concatenate([[0], edges]), np.concatenate([edges, [len(values)]])
    levels = np.pad(values[firsts].astype(np.float64), 1, constant_values=-np.inf)
    is_top = (levels[1:-1] > levels[:-2]) & (levels[1:-1] > levels[2:])
    return ((firsts + ends - 1) // 2)[is_top].tolist()  # type: ignore[no-any-return]


def _joined(borders: Sequence[int], values: npt.NDArray[np.floating], least: float) -> list[int]:
    """The borders that remain once parts shorter than the least have joined a neighbour, the shortest part first.

    Each joins the one beyond the shallower of its two valleys.
    """
    before, after = list(range(-1, len(borders) - 1)), list(range(1, len(borders) + 1))
    queue = [(b - a, number) for number, (a, b) in enumerate(pairwise(borders))]  # parts, by the border they begin at
    heapq.heapify(queue)
    gone = [False] * len(borders)
    while queue:
        length, part = heapq.heappop(queue)
        if gone[part] or length != borders[after[part]] - borders[part]:  # it is part of another one, or has grown
            continue
        inner = [border for border in (part, after[part]) if 0 < border < len(borders) - 1]
        if length >= least or not inner:
            break
        filled = max(inner, key=lambda border: float(values[borders[border]]))
        gone[filled] = True
        begin, end = before[filled], after[filled]
        after[begin], before[end] = end, begin
        heapq.heappush(queue, (borders[end] - borders[begin], begin))
    return [border for border, is_gone in zip(borders, gone, strict=True) if not is_gone]


def _padded(runs: Sequence[Run], fps: Fraction, duration: float, limits: Limits) -> Iterator[Span]:
    """The runs as spans, padded within the video. Padding ends half way to the neighbour."""
    borders = [
        (float(a / fps) - limits.pad_before, float(b / fps) + limits.pad_after, float(a / fps), float(b / fps))
        for a, b in runs
    ]
    for number, (start, stop, begin, end) in enumerate(borders):
        if number:
            start = max(start, (borders[number - 1][3] + begin) / 2)
        if number + 1 < len(borders):
            stop = min(stop, (end + borders[number + 1][2]) / 2)
        start, stop = grid.whole_millis(max(0.0, start)), grid.whole_millis(min(duration, stop))
        if start < stop:
            yield Span(start, stop)


def _split(
    span: Span, smoothed: npt.NDArray[np.floating], instants: npt.NDArray[np.float64], limits: Limits
) -> Iterator[Span]:
    """The span itself, or touching parts of it of at most the maximum length, in order of time.

    It is split at its lowest instant, but no part becomes shorter than the minimum, nor than a
    quarter of the maximum: a lull near an end is no place to split.
    """
    least = max(limits.min_length, limits.max_length / 4)
    parts = [span]
    while parts:
        part = parts.pop()
        if part.duration <= limits.max_length + _ROUNDING:
            yield part
            continue
        first = np.searchsorted(instants, part.start + least)
        end = np.searchsorted(instants, part.stop - least, side="right")
        lowest = (
            float(instants[first + np.argmin(smoothed[first:end])]) if first < end else (part.start + part.stop) / 2
        )
        at = grid.whole_millis(lowest)
        parts += [Span(at, part.stop), Span(part.start, at)]


def _described(
    span: Span, smoothed: npt.NDArray[np.floating], instants: npt.NDArray[np.float64], threshold: float
) -> Highlight | None:
    """The highlight, not yet ranked; None for a part of a long one that never reaches the threshold."""
    first, end = np.searchsorted(instants, [span.start, span.stop])
    values = smoothed[first:end]
    if not len(values) or values.max() < threshold:
        return None
    at = int(np.argmax(values))
    peak, mean, peak_time = float(values[at]), float(values.mean()), float(instants[first + at])
    reason = (
        f"reached {peak:.2f} at {grid.format_time(round(peak_time))} (threshold {threshold:.2f}), "
        f"mean {mean:.2f} over {span.duration:.0f} s"
    )
    return Highlight(span, 0, peak, peak_time, mean, reason)


def _ranked(h: Highlight, rank: int) -> Highlight:
    span = Span(h.span.start, h.span.stop, f"highlight {rank}", h.peak)
    return Highlight(span, rank, h.peak, h.peak_time, h.mean, h.reason)


def _unlike(low: float, high: float) -> tuple[str, str]:
    """Two different numbers, with as few decimals as show the difference."""
    for decimals in range(2, 17):
        if f"{low:.{decimals}f}" != f"{high:.{decimals}f}":
            return f"{low:.{decimals}f}", f"{high:.{decimals}f}"
    return repr(low), repr(high)
