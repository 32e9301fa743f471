"""Splits VODs by the games that they show: whole games go to validation, and what lies between goes with a neighbour.

A VOD is cut half way between two games, and beside a labelled event that lies there. The guard between the sides is
that of `lolhl.data.split`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from lolhl import grid
from lolhl.data import split
from lolhl.labels.spans import Span, on_grid


@dataclass(frozen=True)
class GameParts:
    """The parts of one VOD, in order of time, each with one game.

    Attributes:
        borders: the first instant of each part, and the end of the last one. No event crosses one of them.
        counts: of each part, how many instants were looked at, and how many of these lie in a highlight.
    """

    borders: Sequence[int]
    counts: Sequence[tuple[int, int]]


def game_parts(
    spans: Sequence[Span],
    games: Sequence[Span],
    frames: int,
    fps: Fraction,
    known: npt.NDArray[np.bool_] | None = None,
) -> GameParts:
    """Cuts a VOD into parts with one game each.

    Args:
        spans: its labels.
        games: in order of time, without overlaps; at least one.
        frames: how many instants its grid has.
        fps: of the grid.
        known: bool [frames], those that were looked at; None for all.
    """
    labels = on_grid(spans, frames, fps)
    seen = np.ones(frames, dtype=bool) if known is None else known
    middles = [(earlier.stop + later.start) / 2 for earlier, later in pairwise(games)]
    inner = [_beside_event(labels, min(grid.first_frame_at(middle, fps), frames)) for middle in middles]
    borders = sorted({0, *inner, frames})
    counts = [(int(seen[first:end].sum()), int((labels & seen)[first:end].sum())) for first, end in pairwise(borders)]
    return GameParts(borders, counts)


def choose_games(parts: Mapping[str, GameParts], *, validation: float, seed: int) -> dict[str, list[int]]:
    """The parts to hold out, by their places: VOD → ascending. At least one of two or more, and never all.

    Args:
        parts: of each VOD, in order of names.
        validation: the share of all instants that is aimed at.
        seed: of the choice.
    """
    places = [(vod, place) for vod, cut in parts.items() for place, (seen, _) in enumerate(cut.counts) if seen]
    sizes, positives = ([parts[vod].counts[place][at] for vod, place in places] for at in (0, 1))
    held: dict[str, list[int]] = {vod: [] for vod in parts}
    for index in split.chosen(sizes, positives, validation, split.generator(seed, "")):
        vod, place = places[index]
        held[vod].append(place)
    return held


def by_games(
    parts: GameParts,
    held: Sequence[int],
    fps: Fraction,
    guard_seconds: float,
    known: npt.NDArray[np.bool_] | None = None,
) -> npt.NDArray[np.int8]:
    """The side of each instant of a VOD: int8 [frames], as `lolhl.data.split` has them.

    Args:
        held: the places of the parts that go to validation.
        guard_seconds: the least distance between instants of the two sides.
        known: bool [frames], those that are split; the others are dropped. None for all.
    """
    side = np.full(parts.borders[-1], split.TRAIN)
    for place in held:
        side[parts.borders[place] : parts.borders[place + 1]] = split.VALIDATION
    if known is not None:
        side[~known] = split.DROPPED
    return split.guarded(side, fps, guard_seconds)


def _beside_event(labels: npt.NDArray[np.bool_], border: int) -> int:
    """The border, or where an event lies across it the nearer end of that."""
    if not 0 < border < len(labels) or not (labels[border - 1] and labels[border]):
        return border
    first = border - int(np.argmin(np.append(labels[border - 1 :: -1], False)))
    end = border + int(np.argmin(np.append(labels[border:], False)))
    return first if border - first <= end - border else end
