"""Marks scores down outside of games: loud champion selects, breaks and other games are rarely highlights.

The odds of a highlight are multiplied by one number: by how much rarer people label highlights outside of games than
in them. Where that is hardly known, it is near a usual one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated

import numpy as np
import numpy.typing as npt
from msgspec import Meta

from lolhl.labels.spans import Span, merge, on_grid

Seconds = Annotated[float, Meta(ge=0, le=1e9)]

USUAL = 0.05
_WEIGHT = 600.0  # seconds of looking at what lies outside of games that count as much as the usual number


@dataclass(frozen=True, kw_only=True)
class OutsideGames:
    """What scores are marked down by.

    Attributes:
        odds: what the odds of a highlight are multiplied by outside of games.
        games: start and stop of each in seconds, with the room around it that is not marked down.
    """

    odds: Annotated[float, Meta(gt=0, le=1)]
    games: list[tuple[Seconds, Seconds]]

    @property
    def rule(self) -> str:
        """The rule in a sentence for people."""
        return f"Outside of games the odds of a highlight are multiplied by {self.odds:g}."


def marked_down(
    probabilities: npt.NDArray[np.float32], fps: Fraction, outside: OutsideGames | None
) -> npt.NDArray[np.float32]:
    """The probabilities, lower outside of games: float32 [n].

    Args:
        probabilities: float32 [n], on the grid.
        fps: of the grid.
        outside: None to change nothing.
    """
    if outside is None:
        return probabilities
    played = on_grid([Span(start, stop) for start, stop in outside.games], len(probabilities), fps)
    exact = probabilities.astype(np.float64)
    lower = outside.odds * exact / (outside.odds * exact + 1 - exact)
    return np.where(played, probabilities, lower.astype(np.float32))


@dataclass(frozen=True)
class LabelledGames:
    """Labels of a VOD whose games are known. All spans are in order of time and do not overlap.

    Attributes:
        labels: the highlights.
        looked_at: the stretches that somebody has looked at.
        games: when a game is on.
    """

    labels: Sequence[Span]
    looked_at: Sequence[Span]
    games: Sequence[Span]


def odds_outside(vods: Iterable[LabelledGames]) -> float:
    """How the odds that an instant is labelled outside of games compare with those in games: above 0, at most 1.

    The usual number counts as much as ten minutes outside of games. Without labels it is the usual number.
    """
    inside = outside = labelled_inside = labelled_outside = 0.0
    for vod in vods:
        seconds, played = _seconds(vod.looked_at), _seconds(_common(vod.looked_at, vod.games))
        labelled = _common(merge(vod.labels), vod.looked_at)
        labelled_played = _seconds(_common(labelled, vod.games))
        inside, outside = inside + played, outside + seconds - played
        labelled_inside += labelled_played
        labelled_outside += _seconds(labelled) - labelled_played
    if not 0 < labelled_inside < inside:
        return USUAL
    odds = labelled_inside / (inside - labelled_inside)
    usual = USUAL * odds / (1 + USUAL * odds)
    share = (labelled_outside + _WEIGHT * usual) / (outside + _WEIGHT)
    return min(1.0, share / (1 - share) / odds) if share < 1 else 1.0


def _seconds(spans: Iterable[Span]) -> float:
    return sum(span.duration for span in spans)


def _common(ones: Sequence[Span], others: Sequence[Span]) -> list[Span]:
    """What lies in both."""
    pairs = [(max(one.start, other.start), min(one.stop, other.stop)) for one in ones for other in others]
    return [Span(start, stop) for start, stop in pairs if start < stop]
