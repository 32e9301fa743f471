"""Spans: start and stop in seconds, half open. Labels and predicted highlights have this one shape."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from lolhl import grid


@dataclass(frozen=True, order=True)
class Span:
    """[start, stop) in seconds from the start of the video.

    Attributes:
        source: where a label comes from that no person gave, as "riot EUW1_7123456789"; None for all others.
    """

    start: float
    stop: float
    name: str = "highlight"
    score: float | None = None
    source: str | None = None

    @property
    def duration(self) -> float:
        """Seconds."""
        return self.stop - self.start


def merge(spans: Iterable[Span], gap: float = 0.0) -> list[Span]:
    """Spans in order of time, with those that overlap, touch or lie at most `gap` seconds apart made one.

    A merged span keeps the name of its first part and the best score of all. It has the source of its first part,
    and none where a part has none: what a person said stays a person's.
    """
    merged: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start, s.stop)):
        if merged and span.start <= merged[-1].stop + gap:
            last = merged[-1]
            scores = [s for s in (last.score, span.score) if s is not None]
            source = last.source if span.source is not None else None
            merged[-1] = Span(last.start, max(last.stop, span.stop), last.name, max(scores, default=None), source)
        else:
            merged.append(span)
    return merged


def on_grid(spans: Sequence[Span], count: int, fps: Fraction) -> npt.NDArray[np.bool_]:
    """Which of the first `count` instants of the grid lie in a span: bool [count]."""
    inside = np.zeros(count, dtype=bool)
    for span in spans:
        inside[grid.first_frame_at(span.start, fps) : grid.first_frame_at(span.stop, fps)] = True
    return inside


def from_grid(inside: npt.NDArray[np.bool_], fps: Fraction) -> list[Span]:
    """The spans of the instants that lie in one. `on_grid` gives the same instants again.

    Args:
        inside: bool [n].
    """
    edges = np.flatnonzero(np.diff(np.pad(inside.astype(np.int8), 1))).reshape(-1, 2)
    return [Span(grid.time_of(first, fps), grid.time_of(stop, fps)) for first, stop in edges.tolist()]
