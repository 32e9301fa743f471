"""The games that a VOD shows, asked of a server that speaks Riot's protocol."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lolhl import layout, results
from lolhl.errors import MissingInput, RiotError, UsageError
from lolhl.labels.spans import Span
from lolhl.labels.store import load_labels, save_labels
from lolhl.manifest import Manifest, load
from lolhl.matches import riot as api
from lolhl.matches.clock import ClockGame, Stretch
from lolhl.stages.labels import LabelsConfig, labels
from lolhl.stages.riot import RiotConfig, riot
from lolhl.storage import Root, open_root
from tests.cli.process import outcome
from tests.matches import made
from tests.matches.made import BEGAN, FIGHT, kill
from tests.results import VOD, store
from tests.servers.riot import KEY, Fault, Riot
from tests.servers.riot import riot as riot_server

HOUR = 3600.0
RECORDED = BEGAN - 600  # of the VOD: its first game begins after ten minutes
EVENTS = [kill(60, 6, 2), kill(200, 1, 6), *FIGHT]


@pytest.fixture
def root(tmp_path: Path) -> Root:
    root = open_root(str(tmp_path / "root"))
    downloaded(root, "v")
    return root


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Riot]:
    monkeypatch.setattr(api, "_PAUSES", (0.01, 0.01))
    with riot_server() as running:
        monkeypatch.setenv("LOLHL_RIOT_URL", running.url)
        monkeypatch.setenv("LOLHL_RIOT_KEY", KEY)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield running


def downloaded(root: Root, vod: str, recorded: float | None = RECORDED, duration: float = 2 * HOUR) -> None:
    when = None if recorded is None else datetime.fromtimestamp(recorded, UTC)
    store(root, f"vods/{vod}/vod.json", VOD, vod=vod, duration=duration, recorded_at=when)


def play(server: Riot, number: int, after: float, *events: dict[str, Any], region: str = "europe", **kind: Any) -> str:
    """A match that begins so many seconds after the first one."""
    match_id = f"EUW1_{number}"
    server.add(
        made.match(match_id=match_id, began=BEGAN + after, **kind),
        made.timeline(*(events or EVENTS), match_id=match_id, began=BEGAN + after, **kind),
        region,
    )
    return match_id


def games(made_by: Manifest[results.Games]) -> list[tuple[str, float, int]]:
    return [(game.match, game.start, game.labels) for game in made_by.result.games]


def sources(root: Root, vod: str = "v") -> list[tuple[float, str | None]]:
    return [(span.start, span.source) for span in load_labels(root, vod)]


def test_the_games_of_a_vod(root: Root, server: Riot, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    play(server, 1, 0)
    play(server, 2, 2700, kill(100, 1, 9))
    made_by = riot(root, "v", "Me#EUW")
    assert games(made_by) == [("EUW1_1", 600, 2), ("EUW1_2", 3300, 1)]
    assert (made_by.result.placed, made_by.result.labelled) == ("roughly", True)
    first = made_by.result.games[0]
    assert (first.account, first.champion, first.stop) == ("Me#EUW", "Ahri", 2400)
    assert load_labels(root, "v") == [
        Span(788, 806, "kill", 1, "riot EUW1_1"),
        Span(888, 917, "triple kill, ace, shutdown", 7.5, "riot EUW1_1"),
        Span(3388, 3406, "kill", 1, "riot EUW1_2"),
    ]
    events = made_by.result.events
    assert [(event.time, event.kind, event.whose) for event in events[:4]] == [
        (660, "kill", "enemy"), (660, "death", "team"), (800, "kill", "player"), (800, "death", "enemy"),
    ]  # fmt: skip
    asked = len(server.requests)
    assert asked == 2 + 2 * 2
    assert riot(root, "v", "Me#EUW") == made_by
    assert (len(server.requests), "done already (games/v.json)" in caplog.text) == (asked, True)
    riot(root, "v", "Me#EUW", force=True)
    assert len(server.requests) == asked + 2  # the matches are there


def test_games_are_set_right_by_the_first_one(root: Root, server: Riot) -> None:
    play(server, 1, -900)  # began before the VOD
    play(server, 2, 1800)
    made_by = riot(root, "v", "Me#EUW", RiotConfig(game_start=2412.5))
    assert games(made_by) == [("EUW1_1", -287.5, 1), ("EUW1_2", 2412.5, 2)]
    assert made_by.result.placed == "by hand"
    # A kill of the first game's 200th second came before the VOD, its triple kill at the 300th did not.
    assert sources(root) == [(0.5, "riot EUW1_1"), (2600.5, "riot EUW1_2"), (2700.5, "riot EUW1_2")]


def test_a_match_that_two_vods_show_is_asked_for_once(root: Root, server: Riot) -> None:
    match_id = play(server, 1, 0, kill(300, 1, 6), kill(1500, 1, 7))
    downloaded(root, "v", duration=1400)
    downloaded(root, "w", recorded=RECORDED + 1400)
    assert games(riot(root, "v", "Me#EUW")) == [(match_id, 600, 1)]
    assert games(riot(root, "w", "Me#EUW")) == [(match_id, -800, 1)]
    assert [span.start for vod in "vw" for span in load_labels(root, vod)] == [888, 688]
    assert len(server.asked(match_id)) == 2
    assert [stat.key for stat in root.list("matches/")] == ["matches/EUW1_1.json"]


def test_a_vod_of_two_accounts(root: Root, server: Riot) -> None:
    server.accounts.append("Second One#abc")
    play(server, 1, 0)
    play(server, 2, 2700, me="Second One")
    made_by = riot(root, "v", "Me#EUW, second one#ABC")
    assert [(game.match, game.account) for game in made_by.result.games] == [
        ("EUW1_1", "Me#EUW"), ("EUW1_2", "second one#ABC"),
    ]  # fmt: skip
    assert {source for _, source in sources(root)} == {"riot EUW1_1", "riot EUW1_2"}


def test_a_remake_has_no_highlights(root: Root, server: Riot) -> None:
    play(server, 1, 0, seconds=190)
    play(server, 2, 400)
    made_by = riot(root, "v", "Me#EUW")
    assert made_by.result.remakes == ["EUW1_1"]
    assert [game.match for game in made_by.result.games] == ["EUW1_2"]
    assert not server.asked("EUW1_1/timeline")


def test_only_remakes(root: Root, server: Riot) -> None:
    play(server, 1, 0, seconds=190)
    assert riot(root, "v", "Me#EUW").result.games == []
    assert not [*root.list("labels/")]


def test_games_before_and_after_the_vod_are_left_out(root: Root, server: Riot) -> None:
    play(server, 1, -600 - 1900)
    play(server, 2, 100)
    play(server, 3, 2 * HOUR)
    assert [match for match, *_ in games(riot(root, "v", "Me#EUW"))] == ["EUW1_2"]
    assert not server.asked("EUW1_1/timeline") + server.asked("EUW1_3/timeline")


def test_six_hours_take_at_most_thirty_requests(root: Root, server: Riot) -> None:
    downloaded(root, "v", duration=6 * HOUR)
    for number in range(12):
        play(server, number + 1, number * 1800)
    assert len(riot(root, "v", "Me#EUW").result.games) == 12
    assert len(server.requests) <= 30
    assert server.limited == 0


def test_riot_may_list_all_that_was_ever_played(root: Root, server: Riot) -> None:
    server.heeds_start = False
    shown = ["EUW1_57", "EUW1_58", "EUW1_59", "EUW1_60"]
    for number in range(60):
        play(server, number + 1, (number - 57) * 2100)
    for config in (RiotConfig(), RiotConfig(game_start=600)):  # the second time most are there
        assert [match for match, *_ in games(riot(root, "v", "Me#EUW", config))] == shown
    assert len(server.requests) <= 2 * 2 + 2 * len(shown) + 2


def test_a_run_that_has_made_all_requests_goes_on(root: Root, server: Riot) -> None:
    for number in range(5):
        play(server, number + 1, number * 1300, seconds=1200)
    config = RiotConfig(requests=7)
    with pytest.raises(RiotError, match=r"7 requests were made, .*: what came is kept; run again"):
        riot(root, "v", "Me#EUW", config)
    assert (len(server.requests), [*root.list("games/")], [*root.list("labels/")]) == (7, [], [])
    with pytest.raises(RiotError, match="run again"):
        riot(root, "v", "Me#EUW", config)
    assert len(riot(root, "v", "Me#EUW", config).result.games) == 5
    assert len(server.asked("timeline")) == 5


def test_riot_asks_to_wait(root: Root, server: Riot, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    play(server, 1, 0)
    server.faults["timeline"] = Fault(429, headers={"Retry-After": "1"})
    assert len(riot(root, "v", "Me#EUW").result.games) == 1
    assert "Riot asks to wait for 1 s" in caplog.text
    assert len(server.asked("timeline")) == 2


def test_riot_does_not_say_how_long_to_wait(root: Root, server: Riot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "_UNTOLD", 0.1)
    play(server, 1, 0)
    server.faults["ids"] = Fault(429, headers={"Retry-After": "soon"})
    assert len(riot(root, "v", "Me#EUW").result.games) == 1


def test_riot_asks_to_wait_for_too_long(root: Root, server: Riot) -> None:
    server.faults["account"] = Fault(429, times=99, headers={"Retry-After": "3600"})
    with pytest.raises(RiotError, match="account Me#EUW: Riot asks to wait for 3600 s: run again after that"):
        riot(root, "v", "Me#EUW")
    assert len(server.requests) == 1


def test_a_stale_key(root: Root, server: Riot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOLHL_RIOT_KEY", "RGAPI-stale")
    with pytest.raises(RiotError, match=r"does not accept the key in LOLHL_RIOT_KEY \(it answers 403\): .* 24 hours"):
        riot(root, "v", "Me#EUW")
    assert len(server.requests) == 1


def test_an_account_that_is_none(root: Root, server: Riot) -> None:
    with pytest.raises(RiotError, match="Riot knows no account Nobody#EUW: check its spelling"):
        riot(root, "v", "Nobody#EUW")
    assert len(server.requests) == 1


def test_another_region(root: Root, server: Riot) -> None:
    play(server, 1, 0, region="americas")
    with pytest.raises(RiotError, match=r"no game of Me#EUW in europe while VOD v lasts, .*: check --region"):
        riot(root, "v", "Me#EUW")
    assert len(riot(root, "v", "Me#EUW", RiotConfig(region="na1")).result.games) == 1
    assert server.requests[-1].startswith("americas/lol/match/v5/matches/EUW1_1/timeline")
    with pytest.raises(RiotError, match="no game of Me#EUW in sea"):
        riot(root, "v", "Me#EUW", RiotConfig(region="sea"))
    assert server.requests[-2].startswith("asia/riot/account")


@pytest.mark.parametrize(
    ("part", "fault", "message"),
    [
        ("account", Fault(500, times=3), "account Me#EUW: Riot answers 500: run again later"),
        ("account", Fault(200, body=b"[]"), "account Me#EUW: what Riot answers is none"),
        ("ids", Fault(200, body=b'["../../x"]'), "'../../x' is no id of a match"),
        ("ids", Fault(200, body=b'{"a": 1}'), "matches of Me#EUW: what Riot answers is none"),
        ("EUW1_1", Fault(200, body=b'{"metadata": '), "match EUW1_1: what Riot answers is none"),
        ("timeline", Fault(200, body=b"<html>"), "timeline of EUW1_1: what Riot answers is none"),
        ("ids", Fault(400), "matches of Me#EUW: Riot answers 400: check --riot-id"),
        ("ids", Fault(302, headers={"Location": "http://127.0.0.1:9/"}), "Riot answers 302"),
    ],
)
def test_odd_answers(root: Root, server: Riot, part: str, fault: Fault, message: str) -> None:
    play(server, 1, 0)
    server.faults[part] = fault
    with pytest.raises(RiotError, match=message):
        riot(root, "v", "Me#EUW")
    assert not [*root.list("games/"), *root.list("labels/"), *root.list("matches/")]
    server.faults.clear()
    assert len(riot(root, "v", "Me#EUW").result.games) == 1


def test_two_failures_of_the_server_are_got_over(root: Root, server: Riot) -> None:
    play(server, 1, 0)
    server.faults["ids"] = Fault(503, times=2)
    assert len(riot(root, "v", "Me#EUW").result.games) == 1


def test_no_server(root: Root, server: Riot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOLHL_RIOT_URL", "http://127.0.0.1:9/{region}")
    with pytest.raises(RiotError, match=r"account Me#EUW: the connection to Riot failed .*: run again"):
        riot(root, "v", "Me#EUW")
    assert server.requests == []


def test_a_match_without_a_timeline_is_left_out(root: Root, server: Riot, caplog: pytest.LogCaptureFixture) -> None:
    play(server, 1, 0)
    match, _ = server.matches["europe"]["EUW1_1"]
    server.add(match, None)
    play(server, 2, 1900)
    assert [match_id for match_id, *_ in games(riot(root, "v", "Me#EUW"))] == ["EUW1_2"]
    assert "what Riot has of match EUW1_1 does not say who did what and when" in caplog.text


def test_matches_that_make_no_sense_are_left_out(root: Root, server: Riot, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(5):
        play(server, number + 1, number * 600, seconds=500)
    matches = server.matches["europe"]
    empty = {"gameCreation": 0, "gameDuration": 0, "gameStartTimestamp": 0, "participants": []}
    for match_id, info in (("EUW1_2", {**empty, "gameEndTimestamp": round((BEGAN + 900) * 1000)}), ("EUW1_3", empty)):
        match, timeline = matches[match_id]
        server.faults[match_id] = Fault(200, times=9, body=made.data({**match, "info": info}))
    match, timeline = matches["EUW1_4"]
    assert timeline
    matches["EUW1_4"] = (match, {**timeline, "info": {"frames": None}})
    made_by = riot(root, "v", "Me#EUW")
    assert [match_id for match_id, *_ in games(made_by)] == ["EUW1_1", "EUW1_5"]
    assert made_by.result.remakes == ["EUW1_2"]
    assert "Riot lists match EUW1_3 and does not know it" in caplog.text
    assert "timeline of EUW1_4 makes no sense (Expected `array`, got `null`" in caplog.text


def test_a_kept_match_that_is_damaged_or_of_another_key_is_asked_for_again(root: Root, server: Riot) -> None:
    play(server, 1, 0)
    made_by = riot(root, "v", "Me#EUW")
    whole = root.read("matches/EUW1_1.json")
    for data in (whole[:100], whole.replace(b"me-", b"xx-").replace(b'"Me"', b'"Xx"')):
        root.write("matches/EUW1_1.json", data)
        assert riot(root, "v", "Me#EUW", force=True).to_bytes() == made_by.to_bytes()
        assert root.read("matches/EUW1_1.json") == whole
    root.write("matches/EUW1_1.json", whole.replace(b"me-", b"xx-"))  # the puuids of another key
    asked = len(server.requests)
    riot(root, "v", "Me#EUW", force=True)
    assert len(server.requests) == asked + 2


def test_a_kept_match_can_be_imported_by_hand(root: Root, server: Riot, tmp_path: Path) -> None:
    play(server, 1, 0)
    riot(root, "v", "Me#EUW")
    file = tmp_path / "root" / "matches" / "EUW1_1.json"
    labels(root, file, LabelsConfig(vod="v", game_start=700, player="Me#EUW"))
    assert sources(root) == [(888, "riot EUW1_1"), (988, "riot EUW1_1")]


def test_what_a_person_gave_stays(root: Root, server: Riot, capsys: pytest.CaptureFixture[str]) -> None:
    play(server, 1, 0)
    save_labels(root, "v", [Span(1, 2)])
    made_by = riot(root, "v", "Me#EUW")
    assert load_labels(root, "v") == [Span(1, 2)]
    assert not made_by.result.labelled
    code, out, _ = outcome(capsys, ["riot", "v", "--riot-id", "Me#EUW", "--root", root.url])
    assert code == 0
    assert out.splitlines()[2] == "the VOD has labels that a person gave, which stay as they are"
    assert "this is rough: " in out.splitlines()[3]


def test_other_rules_make_other_labels(root: Root, server: Riot, tmp_path: Path) -> None:
    play(server, 1, 0)
    riot(root, "v", "Me#EUW")
    rules = tmp_path / "rules.toml"
    rules.write_text("[ace]\nbefore = 3\nafter = 1\nof = 'team'\n")
    made_by = riot(root, "v", "Me#EUW", RiotConfig(rules=str(rules)))
    assert games(made_by) == [("EUW1_1", 600, 1)]
    assert sources(root) == [(906, "riot EUW1_1")]
    rules.write_text("[baron]\nbefore = 3\nafter = 1\n")
    assert games(riot(root, "v", "Me#EUW", RiotConfig(rules=str(rules)))) == [("EUW1_1", 600, 0)]
    assert not [*root.list("labels/")]  # an empty file would be a person's word


@pytest.mark.parametrize(
    ("riot_id", "config", "error", "message"),
    [
        ("Me", RiotConfig(), UsageError, "--riot-id 'Me' is no Riot ID: give NAME#TAG"),
        ("#EUW", RiotConfig(), UsageError, "is no Riot ID"),
        ("Me#EUW,", RiotConfig(), UsageError, "is no Riot ID"),
        ("Me#EUW", RiotConfig(rules="none.toml"), UsageError, "none.toml: it cannot be read"),
        ("Me#EUW", RiotConfig(), UsageError, "nobody knows when VOD w was recorded: give --recorded-at"),
    ],
)
def test_bad_calls(
    root: Root, server: Riot, riot_id: str, config: RiotConfig, error: type[Exception], message: str
) -> None:
    downloaded(root, "w", recorded=None)
    with pytest.raises(error, match=message):
        riot(root, "w", riot_id, config)
    with pytest.raises(MissingInput, match=r"vods/x/vod.json does not exist: run `lolhl download"):
        riot(root, "x", "Me#EUW")
    assert server.requests == []


def test_no_game_to_set_right(root: Root, server: Riot) -> None:
    play(server, 1, -900)
    with pytest.raises(UsageError, match="--game-start 0:01:00: no game begins in VOD v"):
        riot(root, "v", "Me#EUW", RiotConfig(game_start=60))


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("LOLHL_RIOT_KEY", "", "LOLHL_RIOT_KEY is not set: make a key of your own"),
        ("LOLHL_RIOT_KEY", "RGAPI-x\nHost: y", "LOLHL_RIOT_KEY holds no key"),
        ("LOLHL_RIOT_URL", "ftp://x", "LOLHL_RIOT_URL is no address"),
    ],
)
def test_a_bad_environment(
    root: Root, server: Riot, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(UsageError, match=message) as raised:
        riot(root, "v", "Me#EUW")
    assert "RGAPI-x" not in str(raised.value)
    assert server.requests == []


def test_the_command_shows_and_stores_no_key(root: Root, server: Riot, capsys: pytest.CaptureFixture[str]) -> None:
    play(server, 1, 0)
    downloaded(root, "w", recorded=None)
    when = datetime.fromtimestamp(RECORDED, UTC).isoformat()
    words = ["riot", "w", "--riot-id", "Me#EUW", "--region", "euw1", "--recorded-at", when, "--root", root.url]
    code, out, error = outcome(capsys, [*words, "--game-start", "0:10:02"])
    assert code == 0, error
    assert out == (
        "riot w: 1 games, 0 remakes\n  0:10:02  EUW1_1, Me#EUW, Ahri, 30 min: 2 highlights\n"
    )  # fmt: skip
    code, out, error = outcome(capsys, [*words, "--json", "--force"])
    assert json.loads(out)["placed"] == "roughly"
    server.key = "RGAPI-another"
    code, refused, also = outcome(capsys, [*words, "--force"])
    assert (code, "24 hours" in also) == (1, True)
    assert KEY not in out + error + refused + also
    for stat in root.list():
        assert KEY.encode() not in root.read(stat.key)
    assert layout.command("games/w.json") == "lolhl riot w --riot-id …"


def shown_clock(root: Root, *zeros: float, seconds: float = 1800, vod: str = "v") -> None:
    """What `lolhl clock` leaves: games that last as long, whose clock is 0 at these seconds of the VOD."""
    stored = load(root, layout.vod(vod), results.Vod)
    shown = [ClockGame(max(0.0, zero), zero + seconds, (Stretch(zero, 2, seconds - 3, 90),)) for zero in zeros]
    clock = results.Clock(vod=vod, looks=360, readings=180, games=shown)
    store(root, layout.clock(vod), clock, inputs={layout.vod(vod): stored.content_digest()})


def test_games_are_placed_by_the_clock_on_the_pictures(root: Root, server: Riot) -> None:
    play(server, 1, 0)
    play(server, 2, 2700)
    rough = riot(root, "v", "Me#EUW")
    assert rough.result.placed == "roughly"
    shown_clock(root, 612.5, 3313.0)
    made_by = riot(root, "v", "Me#EUW")
    assert games(made_by) == [("EUW1_1", 612.5, 2), ("EUW1_2", 3313.0, 2)]
    assert made_by.result.placed == "by the clock"
    assert sources(root)[0] == (800.5, "riot EUW1_1")
    assert riot(root, "v", "Me#EUW") == made_by
    assert riot(root, "v", "Me#EUW", RiotConfig(game_start=600)).result.placed == "by hand"


def test_a_clock_that_disagrees_with_riot_says_by_how_much(root: Root, server: Riot) -> None:
    play(server, 1, 0)
    shown_clock(root, 1500)
    with pytest.raises(RiotError, match=r"VOD v: .* begins at 0:25:00, .* at 0:10:00, which is 900 s apart: check --r"):
        riot(root, "v", "Me#EUW")
    assert not [*root.list("games/"), *root.list("labels/")]


def test_a_clock_of_another_video_does_not_count(root: Root, server: Riot, caplog: pytest.LogCaptureFixture) -> None:
    play(server, 1, 0)
    shown_clock(root, 612)
    downloaded(root, "v", duration=HOUR)
    assert riot(root, "v", "Me#EUW").result.placed == "roughly"
    assert "stored anew since its clock was read: `lolhl clock v` reads it again" in caplog.text
