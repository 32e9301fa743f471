"""A game as its timeline tells it."""

import pytest

from lolhl.matches.game import KINDS, Event, Game, game_of
from lolhl.matches.timeline import Record, parse_match, parse_record, record_bytes
from tests.matches import made
from tests.matches.made import BEGAN, building, kill, monster, multi, pause_end, special


def game(*events: dict[str, object], with_match: bool = False, **options: float | None) -> Game:
    timeline = made.data(made.timeline(*events, **options))  # type: ignore[arg-type]
    if with_match:
        return game_of(parse_record(record_bytes(timeline, made.data(made.match()))))
    return game_of(parse_record(timeline))


def kinds(*events: dict[str, object]) -> list[tuple[str, int, int]]:
    return [(event.kind, event.player, event.team) for event in game(*events).events]


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        (kill(60, 1, 6), [("kill", 1, 100), ("death", 6, 200)]),
        (
            kill(60, 7, 2, 6, 8, bounty=300),
            [("kill", 7, 200), ("shutdown", 7, 200), ("assist", 6, 200), ("assist", 8, 200), ("death", 2, 100)],
        ),
        (kill(60, 0, 3), [("death", 3, 100)]),  # a tower did it
        (multi(60, 1, 2), [("double_kill", 1, 100)]),
        (multi(60, 1, 5), [("penta_kill", 1, 100)]),
        (multi(60, 1, 7), [("penta_kill", 1, 100)]),
        (special(60, 6, "KILL_ACE"), [("ace", 6, 200)]),
        (special(60, 6, "KILL_FIRST_BLOOD"), [("first_blood", 6, 200)]),
        (monster(60, 9, 200, "DRAGON", "FIRE_DRAGON"), [("dragon", 9, 200)]),
        (monster(60, 9, 200, "DRAGON", "ELDER_DRAGON"), [("elder_dragon", 9, 200)]),
        (monster(60, 0, 100, "BARON_NASHOR"), [("baron", 0, 100)]),
        (monster(60, 1, 100, "SOMETHING_NEW"), []),
        (building(60, 4, 200, "TOWER_BUILDING"), [("tower", 4, 100)]),
        (building(60, 0, 100, "INHIBITOR_BUILDING"), [("inhibitor", 0, 200)]),
        ({"type": "WARD_PLACED", "timestamp": 60_000, "creatorId": 1, "wardType": "YELLOW_TRINKET"}, []),
    ],
)
def test_what_an_event_is(event: dict[str, object], wanted: list[tuple[str, int, int]]) -> None:
    assert kinds(event) == wanted
    assert all(kind in KINDS for kind, _, _ in wanted)


def test_events_come_in_order_of_time_by_the_game_s_clock() -> None:
    events = game(kill(301.5, 1, 6), kill(12.25, 0, 1)).events
    assert events[:2] == (Event("death", 12.25, 1, 100), Event("kill", 301.5, 1, 100))


def test_the_clock_stands_still_in_pauses() -> None:
    clock = game(pause_end(600, BEGAN + 690), pause_end(900, BEGAN + 1000.5)).clock
    assert clock.began == BEGAN
    assert [clock.since_begin(at) for at in (0, 599, 600, 899, 900, 1800)] == [0, 599, 690, 989, 1000.5, 1900.5]


def test_a_step_of_the_world_s_clock_that_is_no_pause_moves_nothing() -> None:
    clock = game(pause_end(600, BEGAN - 9000), pause_end(900, BEGAN + 10**9), pause_end(1000, BEGAN + 1010)).clock
    assert [clock.since_begin(at) for at in (600, 900, 1000)] == [600, 900, 1010]


def test_the_match_says_when_it_began_where_the_timeline_does_not() -> None:
    assert game(began=None).clock.began is None
    assert game(began=None).clock.since_begin(50) == 50
    assert game(began=None, with_match=True).clock.began == BEGAN


def test_players_by_number_puuid_and_riot_id() -> None:
    plain, named = game(), game(with_match=True)
    for player in (plain.player("1"), plain.player(made.puuid("Me")), named.player(" me#euw "), named.player("1")):
        assert player
        assert (player.number, player.team) == (1, 100)
    assert plain.player("Me#EUW") is None
    assert named.player("Nobody#EUW") is None
    assert plain.player("") is None
    seven = named.player("Player7#EUW")
    assert seven
    assert seven.team == 200


def test_players_of_a_timeline_that_lists_none() -> None:
    values = made.timeline()
    del values["info"]["participants"]
    player = game_of(parse_record(made.data(values))).player(made.puuid("Player10"))
    assert player
    assert (player.number, player.team) == (10, 200)


def test_a_remake_is_short() -> None:
    assert not game().is_remake
    assert game(seconds=200).is_remake
    assert game().seconds == 1800


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (b"{}", "metadata"),
        (b"[" * 100_000, "nested too deeply|Expected `object`"),
        (b'{"timeline": 3}', r"\$.timeline"),
        (made.data(made.timeline()).replace(b'"matchId": "EUW1_7123456789"', b'"matchId": "../x"'), "matchId"),
        (made.data(made.timeline(kill(60, 1, 6))).replace(b'"killerId": 1', b'"killerId": "1"'), "killerId"),
        (made.data(made.timeline(kill(60, 1, 6))).replace(b'p": 60000', b'p": -1'), "timestamp"),
    ],
)
def test_what_is_no_timeline_is_named(values: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_record(values)


def test_a_match_is_no_timeline() -> None:
    with pytest.raises(ValueError, match="frames"):
        parse_record(made.data(made.match()))
    with pytest.raises(ValueError, match=r"gameDuration|participants"):
        parse_match(made.data(made.timeline()))
    assert isinstance(parse_record(made.data(made.timeline())), Record)
