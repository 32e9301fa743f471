"""From scores to highlights: hysteresis on a short smoothing, then padded, merged, kept in length, ranked.

The chart is not the knife: the 30 s intensity of the timeline is for looking and plays no part here.
"""

import math
from collections.abc import Iterator
from dataclasses import MISSING, dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from lolhl import grid
from lolhl.config import Config, setting
from lolhl.errors import UsageError
from lolhl.labels.spans import Span, merge

_ROUNDING = 0.002  # seconds: borders are whole milliseconds, so a length may be off by that


@dataclass(frozen=True, kw_only=True)
class CutConfig(Config):
    """How highlights are cut from scores."""

    low_ratio: float = setting(0.85, "a highlight ends below the threshold times this", at_least=0, at_most=1)
    pad_before: float = setting(1.0, "seconds added before each highlight", at_least=0)
    pad_after: float = setting(1.0, "seconds added after each highlight", at_least=0)
    merge_gap: float = setting(2.0, "highlights at most so many seconds apart, after padding, become one", at_least=0)
    min_length: float = setting(4.0, "shorter highlights are dropped, in seconds", at_least=0)
    max_length: float = setting(
        120.0, "longer highlights are split at the lowest smoothed probability within, in seconds", at_least=0.1
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_length < 2 * self.min_length:
            raise UsageError(
                f"--max-length {self.max_length:g}: give at least twice --min-length, which is {self.min_length:g}, "
                "so that a highlight that is too long can be split"
            )


@dataclass(frozen=True, kw_only=True)
class Limits(CutConfig):
    """Where highlights begin and end."""

    threshold: float = setting(
        MISSING, "a highlight begins where the smoothed probability reaches this", at_least=0, at_most=1
    )

    @property
    def low(self) -> float:
        """The smoothed probability below which a highlight ends."""
        return self.threshold * self.low_ratio


@dataclass(frozen=True)
class Highlight:
    """A span that was found, and why.

    Attributes:
        span: its name is "highlight <rank>", its score the peak.
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
    spans = [
        part
        for span in merge(_padded(smoothed, fps, duration, limits), limits.merge_gap)
        for part in _split(span, smoothed, instants, limits)
        if part.duration >= limits.min_length - _ROUNDING
    ]
    found = [h for span in spans if (h := _described(span, smoothed, instants, limits.threshold))]
    found.sort(key=lambda h: (-h.peak, -h.mean, h.span.start))
    return [_ranked(highlight, rank) for rank, highlight in enumerate(found, start=1)]


def reason_for_none(smoothed: npt.NDArray[np.floating], limits: Limits) -> str:
    """Why `find` found nothing, in one sentence for people."""
    if not len(smoothed):
        return "the video has no frames"
    highest = float(np.max(smoothed))
    if highest < limits.threshold:
        shown = _unlike(highest, limits.threshold)
        return f"the highest smoothed probability was {shown[0]}, below the threshold {shown[1]}"
    return (
        f"the smoothed probability reached {highest:.2f} (threshold {limits.threshold:.2f}), "
        f"but never for long enough: every stretch was shorter than {limits.min_length:g} s with its padding"
    )


def _padded(smoothed: npt.NDArray[np.floating], fps: Fraction, duration: float, limits: Limits) -> Iterator[Span]:
    """Stretches by hysteresis, padded, within the video."""
    stays = smoothed >= limits.low
    enters = smoothed >= limits.threshold
    borders = np.flatnonzero(np.diff(stays, prepend=False, append=False))
    for first, end in borders.reshape(-1, 2):
        above = np.flatnonzero(enters[first:end])
        if len(above):
            start = float((first + above[0]) / fps) - limits.pad_before
            stop = float(end / fps) + limits.pad_after
            start, stop = _millis(max(0.0, start)), _millis(min(duration, stop))
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
        at = _millis(lowest)
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


def _millis(seconds: float) -> float:
    """Rounded down to what a label file holds: a frame at just that instant stays on its side of the border."""
    return math.floor(seconds * 1000 + 1e-6) / 1000


def _unlike(low: float, high: float) -> tuple[str, str]:
    """Two different numbers, with as few decimals as show the difference."""
    for decimals in range(2, 17):
        if f"{low:.{decimals}f}" != f"{high:.{decimals}f}":
            return f"{low:.{decimals}f}", f"{high:.{decimals}f}"
    return repr(low), repr(high)
