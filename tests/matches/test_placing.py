"""Riot's games by the clock that a video shows."""

import pytest

from lolhl.matches.clock import ClockGame, Stretch
from lolhl.matches.game import Game, GameClock
from lolhl.matches.placing import ROUGH_ERROR, Disagreement, start_of, starts_by_clock


def game(number: int, seconds: float = 1800, *pauses: tuple[float, float]) -> Game:
    return Game(f"EUW1_{number}", (), (), GameClock(0.0, pauses), seconds)


def shown(zero: float, last: float = 1795, first: float = 2) -> ClockGame:
    return ClockGame(max(0.0, zero + first), zero + last, (Stretch(zero, first, last, 90),))


def test_games_begin_where_their_clock_is_zero() -> None:
    games = [game(1), game(2, 1500)]
    assert starts_by_clock(games, [588, 2990], [shown(600.5), shown(3003.0, 1490)]) == [600.5, 3003.0]


def test_a_game_whose_clock_was_not_read_is_as_late_as_the_others() -> None:
    assert starts_by_clock([game(1), game(2)], [588, 2990], [shown(600)]) == [600, 3002]


def test_without_the_clock_nothing_is_known() -> None:
    assert starts_by_clock([game(1)], [588], []) is None
    assert starts_by_clock([], [], [shown(600)]) is None


def test_another_s_game_says_nothing() -> None:
    assert starts_by_clock([game(1, 1300)], [588], [shown(650, 1800)]) is None  # it lasts longer
    assert starts_by_clock([game(1, 1300)], [588], [shown(4000, 700)]) is None  # it is elsewhere, and shorter


def test_pauses_before_what_is_shown_are_known_by_riot() -> None:
    paused = game(1, 1800, (300.0, 120.0))
    late = ClockGame(0, 1000, (Stretch(-780, 700, 1780, 50),))
    assert start_of(paused, late) == -900


@pytest.mark.parametrize("off", [-ROUGH_ERROR - 60, ROUGH_ERROR + 60, 3600])
def test_the_clock_and_when_games_began_may_not_lie_far_apart(off: float) -> None:
    with pytest.raises(Disagreement, match=f"game EUW1_1 begins at .*, which is {abs(off):.0f} s apart"):
        starts_by_clock([game(1)], [4000], [shown(4000 + off)])


def test_a_remake_of_another_length_is_not_taken_for_the_game() -> None:
    assert starts_by_clock([game(1, 1800)], [588], [shown(100, 180), shown(600)]) == [600]
