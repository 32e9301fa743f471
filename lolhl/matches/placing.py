"""Places the games that Riot records by the clock that a video shows: to the second, where when both began is rough."""

from collections.abc import Sequence
from statistics import median

from lolhl.grid import format_time
from lolhl.matches.clock import ClockGame
from lolhl.matches.game import Game

ROUGH_ERROR = 180.0  # seconds by which a game that is placed by when VOD and games began is off at most: streams lag
_ALIKE = 30.0  # seconds by which the clock of a game and what Riot says of its length differ at most


class Disagreement(Exception):
    """The clock says that games lie elsewhere. The message says by how much."""


def starts_by_clock(games: Sequence[Game], rough: Sequence[float], shown: Sequence[ClockGame]) -> list[float] | None:
    """When the clock of each game is 0, in seconds of the video. None where the clock says nothing of any.

    A game whose clock was not read is placed by how far the others are off, which is the lag of the stream mostly.

    Args:
        games: as Riot records them.
        rough: when the clock of each is 0, by when the video and the games began.
        shown: the games that the clock on the pictures tells.

    Raises:
        Disagreement: a game lies further from where the clock shows it than `ROUGH_ERROR`.
    """
    shifts: dict[int, float] = {}
    beyond: list[tuple[float, int]] = []
    for number, (game, start) in enumerate(zip(games, rough, strict=True)):
        offs = {
            start_of(game, other) - start: _overlaps(game, start, other) or abs(other.clock - game.seconds) <= _ALIKE
            for other in shown
            if other.clock <= game.seconds + _ALIKE
        }
        off = min(offs, key=abs, default=None)
        if off is not None and abs(off) <= ROUGH_ERROR:
            shifts[number] = off
        elif off is not None and offs[off]:
            beyond.append((off, number))
    # A game whose clock was not read is near to none. Where none is near to its own, all lie elsewhere.
    if beyond and not shifts:
        off, number = min(beyond, key=lambda one: abs(one[0]))
        raise Disagreement(
            f"by the clock on the pictures game {games[number].id} begins at {_shown(rough[number] + off)}, by the "
            f"clocks of Twitch and Riot at {_shown(rough[number])}, which is {abs(off):.0f} s apart"
        )
    if not shifts:
        return None
    lag = median(shifts.values())
    return [start + shifts.get(number, lag) for number, start in enumerate(rough)]


def start_of(game: Game, shown: ClockGame) -> float:
    """When the clock of a game is 0, by the longest stretch of it that is shown, in seconds of the video.

    It may lie before the video, whose pauses until then Riot knows.
    """
    stretch = max(shown.stretches, key=lambda stretch: stretch.votes)
    clock = (stretch.first + stretch.last) / 2
    return stretch.offset + clock - game.clock.since_begin(clock)


def _overlaps(game: Game, start: float, shown: ClockGame) -> bool:
    """Whether most of the shorter one lies within the other."""
    stop = start + game.clock.since_begin(game.seconds)
    both = min(stop, shown.stop) - max(start, shown.start)
    return both > min(stop - start, shown.stop - shown.start) / 2


def _shown(seconds: float) -> str:
    return format_time(round(seconds)) if seconds >= 0 else f"-{format_time(round(-seconds))}"
