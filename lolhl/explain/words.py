"""What parts of a picture add to the log-odds, in words and in colours."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from lolhl.explain.segments import Segments
from lolhl.vod.view import Picture

NOTHING = 0.005  # of log-odds: what adds less says nothing, and rounds to 0.00

_AS_MUCH = 0.1  # of what the strongest part adds: what adds less is not named
_NAMED = 3  # parts for it, and parts against it
_FOR, _AGAINST = (40, 110, 255), (255, 120, 0)  # which also those tell apart who see no red or no green
_OBLONG = 4  # times as wide as high, or as high as wide, a picture is drawn at most
_STRONGEST = 0.65  # of the colour, where a part adds most


def in_words(weights: Mapping[str, float]) -> str:
    """A sentence: "The kill feed speaks for it (+0.8), the minimap against it (−0.2)."

    Args:
        weights: part → what it adds to the log-odds.
    """
    strongest = max((abs(weight) for weight in weights.values()), default=0.0)
    if strongest < NOTHING:
        return "No part of the picture speaks for it or against it."
    least = max(NOTHING, _AS_MUCH * strongest)
    speaking = {name: weight for name, weight in weights.items() if abs(weight) >= least}
    in_order = sorted(speaking, key=lambda name: -abs(speaking[name]))
    sides = {
        "for": [name for name in in_order if speaking[name] > 0][:_NAMED],
        "against": [name for name in in_order if speaking[name] < 0][:_NAMED],
    }
    clauses: list[str] = []
    for side in sorted(sides, key=lambda side: in_order[0] not in sides[side]):  # the strongest part stands first
        if names := sides[side]:
            shown = {name: signed(speaking[name], strongest) for name in names}
            clauses.append(_clause(side, shown, verb=not clauses))
    sentence = ", ".join(clauses) + "."
    return sentence[0].upper() + sentence[1:]


def _clause(side: str, weights: Mapping[str, str], *, verb: bool) -> str:
    """ "the kill feed speaks for it (+0.8)", or of several "the kill feed (+0.8) and the chat (+0.3) speak for it"."""
    if len(weights) == 1:
        ((name, weight),) = weights.items()
        return f"the {name} {'speaks ' if verb else ''}{side} it ({weight})"
    *parts, last = (f"the {name} ({weight})" for name, weight in weights.items())
    return f"{', '.join(parts)} and {last} {'speak ' if verb else ''}{side} it"


def signed(weight: float, strongest: float) -> str:
    """A weight with its sign, with two decimals where the strongest one is small."""
    return f"{weight:+.{1 if strongest >= 0.5 else 2}f}".replace("-", "−")


def summed(segments: Segments, weights: Sequence[float] | npt.NDArray[np.floating]) -> dict[str, float]:
    """Name → what the parts of this name add together: several superpixels may lie at the top left."""
    by_name: dict[str, float] = {}
    for name, weight in zip(segments.names, weights, strict=True):
        by_name[name] = by_name.get(name, 0.0) + float(weight)
    return by_name


def coloured(picture: Picture, segments: Segments, weights: npt.NDArray[np.floating], shape: float = 1.0) -> Picture:
    """The picture in grey, its parts in blue where they speak for it, in orange where against, with their borders.

    Args:
        picture: uint8 [S, S, 3].
        weights: of each part, [n].
        shape: width / height that it is drawn in, within reason.

    Returns:
        uint8 [2 S / shape, 2 S, 3].
    """
    strongest = max(float(np.abs(weights).max(initial=0.0)), NOTHING)
    share = (_STRONGEST * np.abs(weights) / strongest)[segments.places][..., None]
    colours = np.where(weights[:, None] > 0, _FOR, _AGAINST)[segments.places]
    grey = picture.mean(-1, keepdims=True)
    mixed = grey * (1 - share) + colours * share
    size = len(picture)
    width, height = 2 * size, round(2 * size / min(max(shape, 1 / _OBLONG), _OBLONG))
    pixels = np.ix_(*((2 * np.arange(n) + 1) * size // (2 * n) for n in (height, width)))  # by their middles
    large, places = mixed[pixels], segments.places[pixels]
    border = np.zeros(places.shape, dtype=bool)
    border[:-1] |= places[:-1] != places[1:]
    border[:, :-1] |= places[:, :-1] != places[:, 1:]
    large[border] = 255
    return np.ascontiguousarray(large.round().astype(np.uint8))
