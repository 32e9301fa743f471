"""How much of a VOD becomes highlights: what a user asks for, or what the scores and the labels together suggest.

People think in minutes, in a number of highlights, or in a share of the stream; a threshold on probabilities means
something to the model only. Whatever is asked for, highlights stay whole: the best ones are kept until the amount is
reached, and the threshold is lowered where there are too few.
"""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lolhl.config import Config, setting
from lolhl.errors import UsageError
from lolhl.highlights.cut import Highlight, ranked

Find = Callable[[float], Sequence[Highlight]]  # threshold → highlights, best first
Levels = npt.NDArray[np.float64]  # thresholds, ascending

ROOM = 2.0  # times more or less than people usually mark: how streams differ
_STEPS = 64  # thresholds that are tried for a number of highlights
_ROUNDING = 0.002  # seconds, of borders in whole milliseconds


def parse_share(text: str) -> float:
    """ "8%" and "0.08" are 0.08.

    Raises:
        UsageError: the text is no share.
    """
    if not re.fullmatch(r"\d{1,9}(\.\d{0,9})?%|0?\.\d{1,9}|[01](\.0*)?", text, re.ASCII):
        raise UsageError(f"{text[:40]!r} is no share: write it as 8% or 0.08")
    return float(text[:-1]) / 100 if text.endswith("%") else float(text)


@dataclass(frozen=True, kw_only=True)
class AmountConfig(Config):
    """How much of a VOD becomes highlights. At most one of these is given; by default the model decides."""

    threshold: float | None = setting(
        None,
        "a highlight begins where the smoothed probability reaches this (default: by the model's threshold and by the "
        "share of time that was labelled where it learnt)",
        at_least=0,
        at_most=1,
    )
    minutes: float | None = setting(
        None, "in place of --threshold: the best highlights, so many minutes together", above=0, at_most=1e6
    )
    top: int | None = setting(None, "in place of --threshold: so many of the best highlights", at_least=1)
    share: float | None = setting(
        None,
        "in place of --threshold: the best highlights, together this share of the VOD, as 8% or 0.08",
        above=0,
        at_most=1,
        parse=parse_share,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.given) > 1:
            raise UsageError(f"--{self.given[0]} and --{self.given[1]} exclude each other: give one of them")

    @property
    def given(self) -> list[str]:
        """The names of what is asked for: one at most, none where the model decides."""
        return [name for name in ("threshold", "minutes", "top", "share") if getattr(self, name) is not None]

    def seconds(self, duration: float) -> float | None:
        """How long highlights may last together in a VOD of this duration; None where no time is asked for."""
        if self.minutes is not None:
            return 60 * self.minutes
        return None if self.share is None else self.share * duration


def choose(
    find: Find,
    smoothed: npt.NDArray[np.floating],
    fps: float,
    threshold: float,
    share: float | None,
    amount: AmountConfig = AmountConfig(),
    unpadded: Find | None = None,
) -> tuple[float, list[Highlight]]:
    """The highlights of a VOD, as many as suit it or as a user asks for, and the threshold that they were found with.

    Args:
        find: gives the highlights at a threshold.
        smoothed: float [n], the probabilities that are compared with the threshold.
        fps: instants a second.
        threshold: the model's.
        share: of the time that was labelled where the model learnt, if that is known. Without it the model's
            threshold is used as it is.
        amount: what a user asks for.
        unpadded: gives the highlights at a threshold as they are before seconds are added to them, where any are. What
            the scores expect is compared with these, so that such seconds change no threshold.
    """
    if amount.threshold is not None:
        return amount.threshold, list(find(amount.threshold))
    levels, duration = np.unique(np.asarray(smoothed, dtype=np.float64)), len(smoothed) / fps
    if share is not None:
        likely = likely_seconds(float(np.sum(smoothed)) / fps, share * duration)
        threshold = lowest_within(unpadded or find, levels, likely, _beyond(levels))
    seconds = amount.seconds(duration)
    if amount.top is None and seconds is None:
        return threshold, list(find(threshold))
    return best(find, levels, threshold, seconds=seconds, top=amount.top)


def best(
    find: Find, levels: Levels, threshold: float, *, seconds: float | None = None, top: int | None = None
) -> tuple[float, list[Highlight]]:
    """The best highlights, as many as are asked for, and the threshold that they were found with.

    Of more than are asked for, the best are kept, whole, each that still fits into the time. Where they are fewer, the
    threshold is lowered as far as is needed.

    Args:
        find: gives the highlights at a threshold.
        levels: thresholds to choose from, ascending.
        threshold: where to begin.
        seconds: how long they may last together.
        top: how many there may be.
    """
    highlights, lower = find(threshold), levels[levels < threshold]
    if top is not None:
        # The number does not always rise as the threshold falls, since highlights grow together: no search by halves.
        steps = lower[np.unique(np.linspace(0, len(lower) - 1, min(len(lower), _STEPS)).astype(np.int64))]
        for level in reversed(steps.tolist()):
            if len(highlights) >= top:
                break
            if len(more := find(level)) > len(highlights):
                threshold, highlights = level, more
        return threshold, ranked(highlights[:top])
    left = math.inf if seconds is None else seconds
    if together(highlights) < left < math.inf:
        threshold = lowest_within(find, lower, left, threshold)
        highlights = find(threshold)
    return threshold, ranked(kept_within(highlights, left))


def kept_within(highlights: Sequence[Highlight], seconds: float) -> list[Highlight]:
    """The best highlights, whole, each that still fits into so many seconds together.

    Args:
        highlights: best first.
        seconds: how long they may last together.
    """
    kept = []
    for highlight in highlights:
        if highlight.span.duration <= seconds + _ROUNDING:
            kept.append(highlight)
            seconds -= highlight.span.duration
    return kept


def likely_seconds(expected: float, marked: float, room: float = ROOM) -> float:
    """How long highlights probably last together in a VOD, in seconds, or as a share where both are shares.

    A threshold that was chosen on other VODs calls half of one and nothing of the next. To call always as much as
    people mark finds as much in a stream where little happens as in a wild one. What the scores expect tells streams
    apart, as far as probabilities hold there. So it counts as it is within the room that what people mark has; where
    scores lie higher or lower as a whole than they should, it counts half, as ratios go.

    Args:
        expected: what the scores expect: the sum of the probabilities.
        marked: what people mark in a VOD as long as this.
        room: how many times more or less a stream may have. 1 gives the geometric mean of both.
    """
    nearest = min(max(expected, marked / room), marked * room)
    return math.sqrt(expected * nearest)


def lowest_within(find: Find, levels: Levels, seconds: float, otherwise: float) -> float:
    """The lowest level at which highlights last at most so many seconds together; `otherwise` where there is none."""
    low, high = 0, len(levels)  # the lower the threshold, the longer they last: a search by halves
    while low < high:
        middle = (low + high) // 2
        if together(find(float(levels[middle]))) > seconds:
            low = middle + 1
        else:
            high = middle
    return float(levels[low]) if low < len(levels) else otherwise


def _beyond(levels: Levels) -> float:
    """A threshold above all levels, at which nothing is found."""
    return min(1.0, math.nextafter(float(levels[-1]), math.inf)) if len(levels) else 1.0


def together(highlights: Sequence[Highlight]) -> float:
    """How many seconds they last together."""
    return sum(highlight.span.duration for highlight in highlights)
