"""The games that the clock on a VOD's pictures tells, and Riot's games by them."""

import logging
from dataclasses import replace
from pathlib import Path

import pytest

from lolhl import layout, manifest
from lolhl.errors import MissingInput, UsageError
from lolhl.results import Clock, Vod
from lolhl.review.places import load_place
from lolhl.signals import clock_text
from lolhl.stages.clock import ClockConfig, clock
from lolhl.stages.download import download
from lolhl.stages.riot import RiotConfig, riot
from lolhl.storage import Root, open_root
from tests.clocks import Played, clock_video
from tests.matches import made
from tests.matches.made import BEGAN, kill, pause_end
from tests.results import store
from tests.servers.riot import KEY
from tests.servers.riot import riot as riot_server

pytest.importorskip("onnxruntime", reason="reading clocks needs lolhl[clock]")

GAMES = [Played(21.3, 250), Played(330.6, 400, ((120, 70),))]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return clock_video(tmp_path_factory.mktemp("clock") / "v.mp4", GAMES, seconds=850, fps=3, size=(854, 480))


@pytest.fixture
def root(video: Path, tmp_path: Path) -> Root:
    root = open_root(str(tmp_path / "root"))
    download(root, str(video))
    return root


def test_the_games_of_a_stream(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    made = clock(root, "v")
    games = made.result.games
    assert [game.start for game in games] == pytest.approx([game.start for game in GAMES], abs=1)
    assert [game.stop for game in games] == pytest.approx([game.stop for game in GAMES], abs=2)
    assert [[pause.seconds for pause in game.pauses] for game in games] == [[], [pytest.approx(70, abs=1)]]
    assert made.result.readings <= made.result.looks < 850 / 20 * 3
    assert manifest.load(root, "clocks/v.json", Clock) == made
    assert clock(root, "v") == made
    assert "clock: done already (clocks/v.json)" in caplog.text


def test_the_track_is_read_again_where_it_is_stored(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    made = clock(root, "v")
    root.delete(layout.clock("v"))
    monkeypatch.setattr(clock_text, "read_clock", lambda _: pytest.fail("it is read again"))
    assert clock(root, "v") == made


def test_where_the_clock_is_can_be_said_and_is_kept(root: Root) -> None:
    first = clock(root, "v")
    made = clock(root, "v", ClockConfig(box="0.955,0,0.045,0.036"))
    assert len(made.result.games) == 2
    assert clock(root, "v", ClockConfig(box="0,0.5,0.045,0.036")).result.games == []
    assert clock(root, "v").result.games == []  # as it was said
    assert load_place(root, "clock-places/vod-v.json")[0].rectangle == (0, 0.5, 0.045, 0.036)
    assert clock(root, "v", ClockConfig(box="search")).result.games == first.result.games
    assert clock(root, "v").result.games == first.result.games
    assert layout.command("clock-places/vod-v.json") == "lolhl clock … --box x,y,w,h"


def test_the_clock_s_place_is_that_of_the_channel(root: Root) -> None:
    stored = manifest.load(root, "vods/v/vod.json", Vod)
    store(root, "vods/v/vod.json", replace(stored.result, channel="LCK"), tuple(stored.outputs))
    clock(root, "v", ClockConfig(box="0,0.5,0.045,0.036"))
    assert [stat.key for stat in root.list("clock-places/")] == ["clock-places/channel-lck.json"]


def test_what_is_no_place_of_a_clock_is_refused() -> None:
    with pytest.raises(UsageError, match="--box '1' is no rectangle"):
        ClockConfig(box="1")


def test_a_stream_of_another_game_has_none(tmp_path: Path) -> None:
    root = open_root(str(tmp_path / "root"))
    download(root, str(clock_video(tmp_path / "other.mp4", [], seconds=60, fps=2, size=(320, 180))))
    result = clock(root, "other").result
    assert (result.games, result.readings) == ([], 0)


def test_a_vod_that_nobody_has(tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="run `lolhl download"):
        clock(open_root(str(tmp_path)), "v")
    assert layout.command("clocks/v.json") == "lolhl clock v"


def test_riot_s_events_lie_where_the_stream_shows_them(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole way, with a stream that is 40 s later than the clocks of Twitch and Riot say."""
    lag, (_, played) = 40, GAMES
    zero = BEGAN - (played.start - lag)  # of the video, in Unix time
    paused = pause_end(120, BEGAN + 120 + 70)
    with riot_server() as server:
        monkeypatch.setenv("LOLHL_RIOT_URL", server.url)
        monkeypatch.setenv("LOLHL_RIOT_KEY", KEY)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        server.add(
            made.match(match_id="EUW1_1", seconds=400),
            made.timeline(paused, kill(60, 1, 6), kill(200, 1, 7), match_id="EUW1_1", seconds=400),
            "europe",
        )
        config = RiotConfig(recorded_at=zero)
        rough = riot(root, "v", "Me#EUW", config).result
        assert rough.placed == "roughly"
        assert rough.games[0].start == pytest.approx(played.start - lag, abs=0.01)
        clock(root, "v")
        placed = riot(root, "v", "Me#EUW", config).result
    assert placed.placed == "by the clock"
    kills = [event.time for event in placed.events if event.kind == "kill"]
    assert kills == pytest.approx([played.start + 60, played.start + 70 + 200], abs=1)
