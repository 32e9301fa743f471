"""Games by readings of their clock, whatever was misread, paused, replayed or lost."""

import random
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from lolhl.matches.clock import STEP, ClockGame, Reading, agree, games_of, may_agree
from tests.clocks import Played

MISREAD = {"1": "7", "3": "8", "5": "6", "0": "8", "9": "0", "2": "7"}


def readings(played: list[Played], seconds: float, step: float = STEP) -> list[Reading]:
    """What is read of a video with these games, without a fault."""
    times = [number * step for number in range(int(seconds // step) + 1)]
    return [Reading(t, next((c for game in played if (c := game.shows(t)) is not None), None)) for t in times]


def misread(clock: int, rng: random.Random) -> int | None:
    """A clock with one digit that looks like another. None where that is no clock."""
    text = f"{clock // 60:02}{clock % 60:02}"
    at = rng.randrange(4)
    text = text[:at] + MISREAD.get(text[at], "1") + text[at + 1 :]
    return int(text[:2]) * 60 + int(text[2:]) if text[2:] < "60" else None


def seconds(text: str) -> int:
    minutes, rest = text.split(":")
    return int(minutes) * 60 + int(rest)


def borders(games: tuple[ClockGame, ...]) -> list[tuple[float, float]]:
    return [(game.start, game.stop) for game in games]


def assert_shown(games: tuple[ClockGame, ...], played: list[Played], within: float = STEP / 2 + 1) -> None:
    assert len(games) == len(played), (games, played)
    for game, expected in zip(games, played, strict=True):
        assert game.zero == pytest.approx(expected.start, abs=1.0)
        assert game.stop == pytest.approx(expected.stop, abs=within)


@st.composite
def streams(draw: st.DrawFn) -> list[Played]:
    """Games with a minute or more between them, perhaps with pauses."""
    played: list[Played] = []
    at = draw(st.floats(0, 600))
    for _ in range(draw(st.integers(0, 4))):
        clock = draw(st.floats(200, 3000))
        shares = sorted(draw(st.lists(st.floats(0, 1), max_size=2)))
        pauses = [(share * clock, draw(st.floats(60, 900))) for share in shares]
        marks = [0.0, *(clock for clock, _ in pauses), clock]
        apart = all(after - before > 200 for before, after in pairwise(marks))
        played.append(Played(at, clock, tuple(pauses) if apart else ()))
        at = played[-1].stop + draw(st.floats(60, 900))
    return played


@given(streams(), st.integers(0, 2**32), st.floats(0, 0.05))
@settings(phases=[Phase.explicit, Phase.reuse, Phase.generate])  # a stream that is made smaller says no more
def test_games_are_those_that_were_played_whatever_was_misread(played: list[Played], seed: int, share: float) -> None:
    seconds = (played[-1].stop if played else 0) + 500
    rng = random.Random(seed)
    shown = [
        Reading(look.time, misread(look.clock, rng) if look.clock is not None and rng.random() < share else look.clock)
        for look in readings(played, seconds)
    ]
    games = games_of(shown, seconds)
    assert len(games) == len(played)
    for game, expected in zip(games, played, strict=True):
        assert abs(game.zero - expected.start) <= 1
        assert game.start == max(0, game.zero)
        assert len(game.pauses) == len(expected.pauses)
        for pause, (_, lasts) in zip(game.pauses, expected.pauses, strict=True):
            assert abs(pause.seconds - lasts) <= 1.6
    assert all(before.stop <= after.start for before, after in pairwise(games))


@given(st.lists(st.tuples(st.floats(0, 7200), st.none() | st.integers(0, 5999)), max_size=200))
def test_any_readings_make_games_in_order_within_the_video(looks: list[tuple[float, int | None]]) -> None:
    games = games_of([Reading(*look) for look in looks], 7200)
    edges = [edge for game in borders(games) for edge in game]
    assert edges == sorted(edges)
    assert all(0 <= edge <= 7200 for edge in edges)


@given(streams(), st.randoms())
def test_the_order_of_readings_does_not_count(played: list[Played], rng: random.Random) -> None:
    shown = readings(played, 9000)
    shuffled = shown[:]
    rng.shuffle(shuffled)
    assert games_of(shuffled, 9000) == games_of(shown, 9000)


def test_two_games_and_a_remake_between_them() -> None:
    played = [Played(100, 1800), Played(2100, 185), Played(2500, 1200)]
    games = games_of(readings(played, 4000), 4000)
    assert_shown(games, played)
    assert games[1].clock == pytest.approx(185, abs=STEP)


def test_a_pause_is_part_of_its_game() -> None:
    played = [Played(100, 1800, ((600, 240),))]
    (game,) = games_of(readings(played, 2500), 2500)
    (pause,) = game.pauses
    assert (pause.clock, pause.seconds, pause.start) == pytest.approx((600, 240, 700), abs=1)
    assert game.time_of(500) == pytest.approx(600, abs=1)
    assert game.time_of(1000) == pytest.approx(1340, abs=1)


def test_a_pause_whose_clock_nobody_saw() -> None:
    played = [Played(0, 1800, ((600, 120),))]
    shown = [look if not 600 < look.time < 720 else Reading(look.time, None) for look in readings(played, 2000)]
    (game,) = games_of(shown, 2000)
    assert [pause.seconds for pause in game.pauses] == pytest.approx([120], abs=1)


def test_a_replay_within_a_game_is_no_game() -> None:
    played = [Played(100, 1800)]
    shown = readings(played, 2200, step=2)
    replayed = [Reading(r.time, r.clock and r.clock - 90) if 800 <= r.time < 860 else r for r in shown]
    assert borders(games_of(replayed, 2200)) == borders(games_of(shown, 2200))


def test_a_replay_after_a_game_is_no_game() -> None:
    played = [Played(100, 1800)]
    shown = readings(played, 2600, step=2)
    replayed = [Reading(r.time, int(r.time - 900)) if 2100 <= r.time < 2190 else r for r in shown]
    assert borders(games_of(replayed, 2600)) == borders(games_of(shown, 2600))


def test_a_game_that_is_watched_for_long_is_shown_from_when_on_it_is_watched() -> None:
    watched = [Reading(t * STEP, int(t * STEP) - 400 if 60 <= t < 120 else None) for t in range(200)]
    (game,) = games_of(watched, 4000)
    assert (game.start, game.stop, game.zero) == pytest.approx((1190, 2390, 400), abs=1)


@pytest.mark.parametrize(
    ("read", "clock", "may"),
    [
        *[("4:20", "4:20", True), ("41:20", "4:20", True), ("5:02", "6:02", True), ("1:27", "0:27", True)],
        *[("2:47", "12:47", True), ("5:12", "6:02", False), ("5:32", "4:47", False), ("0:07", "12:07", False)],
    ],
)
def test_a_clock_that_is_misread_in_one_place_may_be_of_the_game_that_runs(read: str, clock: str, may: bool) -> None:
    before, then = Reading(100.0, seconds(clock) - 20), Reading(120.0, seconds(read))
    if before.clock is not None and before.clock >= 0:
        assert may_agree(before, then) is may
    after = Reading(140.0, seconds(clock) + 20)
    assert may_agree(then, after) is may
    assert agree(then, after) is (read == clock)
    assert not may_agree(then, Reading(140.0, None))


def test_a_last_clock_that_was_misread_ends_its_game() -> None:
    played = [Played(100, 432)]  # its last clock is 7:11
    shown = readings(played, 800, step=2)
    misread = [replace(r, clock=r.clock + 3600) if r.clock and r.clock >= 425 else r for r in shown]
    assert [look.clock for look in misread if look.time == 530] == [430 + 3600]
    (game,) = games_of(misread, 800)
    assert game.stop == pytest.approx(532, abs=2)


def test_what_another_game_shows_soon_after_is_not_the_end_of_the_first() -> None:
    played = [Played(100, 432), Played(545, 600)]
    first, second = games_of(readings(played, 1300, step=2), 1300)
    assert first.stop == pytest.approx(532, abs=2)
    assert second.start == pytest.approx(545, abs=1)


def test_a_clock_that_is_always_misread_in_one_place() -> None:
    played = [Played(100, 2400)]
    shown = [
        Reading(r.time, r.clock + 3600 if r.clock is not None and 600 <= r.clock < 1200 else r.clock)
        for r in readings(played, 3000)
    ]
    assert_shown(games_of(shown, 3000), played)


def test_a_stream_that_lost_some_seconds_shows_one_game() -> None:
    shown = [Reading(t * STEP, int(t * STEP) + (40 if t > 30 else 0)) for t in range(90)]
    (game,) = games_of(shown, 1790)
    assert [stretch.offset for stretch in game.stretches] == pytest.approx([-0.5, -40.5], abs=0.6)
    assert (game.start, game.stop, game.pauses) == (0, 1790, ())


def test_a_clock_that_stands_still_at_the_end_belongs_to_the_game() -> None:
    played = [Played(0, 900)]
    shown = readings(played, 1200, step=2)
    ended = [Reading(r.time, 899) if 900 <= r.time < 914 else r for r in shown]
    (game,) = games_of(ended, 1200)
    assert game.stop == pytest.approx(913, abs=1)


def test_a_game_that_began_before_the_video() -> None:
    (game,) = games_of(readings([Played(-700, 2000)], 1800), 1800)
    assert (game.start, game.stop, game.zero) == pytest.approx((0, 1300, -700), abs=STEP)


@pytest.mark.parametrize("length", [106, 113, 119, 712, 1313, 1912, 2515])
def test_a_game_that_ends_while_a_minute_ends_with_a_one_is_one_game(length: int) -> None:
    """Its last clocks may be those of a minute with a colon that was read as a one, see `_meanings`."""
    played = Played(100, length)
    low, high = 100 + length // STEP * STEP, 100 + length + STEP
    closer = []
    while high - low > 2:
        middle = (low + high) / 2
        closer.append(Reading(middle, played.shows(middle)))
        low, high = (middle, high) if middle < played.stop else (low, middle)
    assert_shown(games_of([*readings([played], 3000), *closer], 3000), [played], within=3)


def test_a_clock_of_the_day_is_no_game() -> None:
    assert games_of([Reading(t * STEP, 21 * 60 + 30 + int(t * STEP / 60)) for t in range(300)], 6000) == ()
    assert games_of([Reading(t * STEP, 5999 - t * 20) for t in range(200)], 4000) == ()


def test_readings_agree_where_their_clock_runs_with_the_video() -> None:
    assert agree(Reading(10, 5), Reading(30, 26))
    assert not agree(Reading(10, 5), Reading(30, 5))
    assert not agree(Reading(10, None), Reading(30, None))


def test_a_colon_that_is_always_read_as_a_one() -> None:
    played = [Played(100, 585), Played(900, 1500)]
    shown = [
        Reading(
            r.time, (r.clock // 60 * 10 + 1) * 60 + r.clock % 60 if r.clock is not None and r.clock < 600 else r.clock
        )
        for r in readings(played, 2600)
    ]
    assert_shown(games_of(shown, 2600), played)
