"""How people mark highlights: how much of the time, how long, how far apart. Cutting follows it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated

import numpy as np
from msgspec import Meta

from lolhl.labels.spans import Span, merge

Seconds = Annotated[float, Meta(ge=0, le=1e9)]

_SHORT, _LONG = 0.1, 0.9  # quantiles of lengths that are usual


@dataclass(frozen=True, kw_only=True)
class Habits:
    """What labels have in common. Times are seconds.

    Attributes:
        share: of the time that is labelled, above 0 and at most 1.
        highlights: how many there are.
        short, median, long: lengths of highlights: 10 % are shorter than `short`, and 10 % longer than `long`.
        longest: the length of the longest one.
        gap: the median time between two.
    """

    share: Annotated[float, Meta(gt=0, le=1)]
    highlights: Annotated[int, Meta(ge=1)]
    short: Seconds
    median: Seconds
    long: Seconds
    longest: Seconds
    gap: Seconds | None

    @property
    def smooth_seconds(self) -> float:
        """Over how many seconds probabilities are averaged: enough to still noise, and too little to move borders."""
        return round(self.median / 4, 1)

    @property
    def lull(self) -> float:
        """Seconds of a lull within one highlight, and not between two."""
        return round(self.median / 8, 1)


def habits(labels: Iterable[tuple[Sequence[Span], float]]) -> Habits | None:
    """What the labels of some VODs have in common; None where nothing is labelled.

    Args:
        labels: of each VOD its labelled spans, and its length in seconds.
    """
    vods = [(merge(spans), seconds) for spans, seconds in labels]
    lengths = np.array([span.duration for spans, _ in vods for span in spans])
    total = sum(seconds for _, seconds in vods)
    if not lengths.size or total <= 0:
        return None
    gaps = [later.start - earlier.stop for spans, _ in vods for earlier, later in pairwise(spans)]
    return Habits(
        share=min(1.0, float(lengths.sum()) / total),
        highlights=lengths.size,
        short=float(np.quantile(lengths, _SHORT)),
        median=float(np.median(lengths)),
        long=float(np.quantile(lengths, _LONG)),
        longest=float(lengths.max()),
        gap=float(np.median(gaps)) if gaps else None,
    )
