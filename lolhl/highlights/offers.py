"""Cuts of one VOD into more or fewer highlights, made beforehand, so that a page can change between them at once.

Each can be asked for again: fewer highlights by minutes, which keeps the best of those that the model suggests, and
more by a threshold below its own.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lolhl.highlights.amount import AmountConfig, Find, kept_within, together
from lolhl.highlights.cut import Highlight, ranked

_MINUTES = (0.1, 0.2, 0.3, 0.5, 1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100)
_STEP = 1.15  # how much more time of the VOD each lower threshold lets in
_MOST = 20  # lower thresholds
_SHARE = 0.5  # of a VOD: nobody wants more of it as highlights


@dataclass(frozen=True)
class Offer:
    """A cut of one VOD.

    Attributes:
        asked: what asks for it, nothing for what the model suggests; None for the cut that there is.
        threshold: that it was found with.
        highlights: best first.
    """

    asked: AmountConfig | None
    threshold: float
    highlights: Sequence[Highlight]

    @property
    def seconds(self) -> float:
        """How long its highlights last together."""
        return together(self.highlights)


def offers(find: Find, smoothed: npt.NDArray[np.floating], fps: float, suggested: Offer, present: Offer) -> list[Offer]:
    """Cuts of a VOD, the shortest first. No two have the same highlights.

    Args:
        find, smoothed, fps: as of `amount.choose`.
        suggested: the cut that the model suggests.
        present: the cut that there is, which is one of them.
    """
    cuts = [present, suggested]
    cuts += _fewer(suggested.highlights, suggested.threshold)
    cuts += _more(find, smoothed, fps, suggested.threshold, suggested.seconds)
    unlike: dict[frozenset[tuple[float, float]], Offer] = {}
    for cut in cuts:
        unlike.setdefault(frozenset((h.span.start, h.span.stop) for h in cut.highlights), cut)
    return sorted(unlike.values(), key=lambda cut: (cut.seconds, -cut.threshold))


def _fewer(suggested: Sequence[Highlight], threshold: float) -> Iterator[Offer]:
    """The best of the suggested highlights, as many as fit into so many minutes."""
    for minutes in _MINUTES:
        if 60 * minutes < together(suggested):
            kept = ranked(kept_within(suggested, 60 * minutes))
            if kept:
                yield Offer(AmountConfig(minutes=minutes), threshold, kept)


def _more(
    find: Find, smoothed: npt.NDArray[np.floating], fps: float, threshold: float, seconds: float
) -> Iterator[Offer]:
    """The highlights by lower thresholds, each of which lets in some more of the VOD's time.

    Args:
        seconds: how long the suggested highlights last.
    """
    if not len(smoothed):
        return
    levels = np.sort(np.asarray(smoothed, dtype=np.float64))[::-1]
    least = max(seconds, len(levels) / fps / 200)
    for place in least * fps * _STEP ** np.arange(1, _MOST + 1):
        if place >= _SHARE * len(levels):
            return
        level = math.floor(1e4 * levels[int(place)]) / 1e4  # which people can write
        if 0 < level < threshold:
            threshold, highlights = level, find(level)
            if together(highlights) > _SHARE * len(levels) / fps:  # many instants may have the same score
                return
            yield Offer(AmountConfig(threshold=level), level, highlights)
