"""The rendition that the game's clock is read from: Twitch is a local server that speaks its protocol."""

import logging
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lolhl import layout, manifest
from lolhl.manifest import Manifest
from lolhl.results import Clock
from lolhl.signals import clock as signal
from lolhl.signals import clock_text
from lolhl.stages.clock import ClockConfig, clock
from lolhl.stages.download import DownloadConfig, download
from lolhl.storage import Root, open_root
from lolhl.vod import fetch
from lolhl.vod.twitch_key_frames import TwitchKeyFrames
from tests.clocks import Played, clock_video
from tests.servers import set_environ
from tests.servers.twitch import TOKEN, Twitch, Vod, rendition, twitch

pytest.importorskip("onnxruntime", reason="reading clocks needs lolhl[clock]")

ID = "123456789"
GAMES = [Played(21.3, 250), Played(330.6, 300, ((120, 70),))]
SECONDS = 760
SIZES = {"480p30": (854, 480), "160p30": (284, 160)}
RATES = {"480p30": "1200k", "160p30": "100k"}
PLACE = "0.955,0,0.045,0.036"  # of the clock, which it costs time to search for
AUTO, STORED = ClockConfig(box=PLACE), ClockConfig(box=PLACE, rendition="stored")


@pytest.fixture(scope="module")
def vod(tmp_path_factory: pytest.TempPathFactory) -> Vod:
    """Two games in two renditions. The source is listed, and is not there."""
    folder = tmp_path_factory.mktemp("twitch")
    for group, size in SIZES.items():
        film = clock_video(folder / f"{group}.mp4", GAMES, seconds=SECONDS, fps=2, size=size, rate=RATES[group])
        rendition(film, folder / "vod" / group, seconds=10)
    return Vod(
        folder / "vod",
        SECONDS,
        qualities={"chunked": "1080p60", "480p30": "480p", "160p30": "160p"},
        resolutions={"chunked": "1920x1080", "480p30": "854x480", "160p30": "284x160"},
    )


@pytest.fixture
def server(vod: Vod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Twitch]:
    monkeypatch.setattr(fetch, "_PAUSES", (0.01, 0.01))
    with twitch(tmp_path, vod) as running:
        set_environ(monkeypatch, running.environ)
        yield running


@pytest.fixture
def root(server: Twitch, tmp_path: Path) -> Root:
    return downloaded(server, tmp_path / "root")


def downloaded(server: Twitch, folder: Path, quality: str = "160p", start: float = 0.0) -> Root:
    root = open_root(str(folder))
    download(root, ID, DownloadConfig(quality=quality, start=start))
    server.requests.clear()
    server.sent.clear()
    return root


def check(made: Manifest[Clock], offset: float = 0.0) -> None:
    games = made.result.games
    assert [game.start for game in games] == pytest.approx([game.start - offset for game in GAMES], abs=1)
    assert [game.stop for game in games] == pytest.approx([game.stop - offset for game in GAMES], abs=2)
    assert [[pause.seconds for pause in game.pauses] for game in games] == [[], [pytest.approx(70, abs=1)]]


def tracks(root: Root) -> list[str]:
    return sorted(layout.tracks(stat.key for stat in root.list(f"tracks/{ID}/clock")))


def test_a_small_video_s_games_come_from_a_larger_rendition(
    root: Root, server: Twitch, vod: Vod, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    check(clock(root, ID))
    assert {name.split("/")[0] for name in server.segments()} == {"480p30"}
    whole = sum(path.stat().st_size for path in (vod.folder / "480p30").glob("*.ts"))
    assert sum(server.sent) < whole / 4
    assert len(server.sent) < SECONDS / 20 * 4
    server.requests.clear()
    assert clock(root, ID).result.games
    assert server.requests == []
    assert "clock: done already" in caplog.text
    stored = clock(root, ID, STORED).result.games
    assert [game.start for game in stored] != pytest.approx([game.start for game in GAMES], abs=1)
    assert server.requests == []


def test_a_part_of_a_vod(server: Twitch, tmp_path: Path) -> None:
    root = downloaded(server, tmp_path / "root", start=13.3)
    check(clock(root, ID, AUTO), offset=13.3)


def test_each_rendition_has_a_track_of_its_own(root: Root, server: Twitch, monkeypatch: pytest.MonkeyPatch) -> None:
    clock(root, ID, STORED)
    stored = tracks(root)
    made = clock(root, ID, AUTO)
    assert len(tracks(root)) == 2
    assert set(stored) < set(tracks(root))
    root.delete(layout.clock(ID))
    monkeypatch.setattr(clock_text, "read_clock", lambda _: pytest.fail("it is read again"))
    server.requests.clear()
    assert clock(root, ID, AUTO) == made
    assert server.requests == []


def test_what_is_large_enough_is_read_as_it_is_stored(server: Twitch, tmp_path: Path) -> None:
    root = downloaded(server, tmp_path / "root", "480p")
    check(clock(root, ID, AUTO))
    assert server.requests == []
    auto = manifest.load(root, layout.clock(ID), Clock)
    assert "rendition" not in auto.inputs
    made = tracks(root)
    clock(root, ID, STORED)
    assert tracks(root) == made


@pytest.mark.parametrize("fault", ["the VOD is gone", "nobody is there", "a segment is gone"])
def test_where_twitch_fails_the_stored_video_is_read(
    root: Root, server: Twitch, fault: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("LOLHL_TWITCH_TOKEN", TOKEN)
    match fault:
        case "the VOD is gone":
            server.faults.status["/vod/"] = 404
        case "nobody is there":
            monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
            monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        case _:
            server.faults.status["480p30/40.ts"] = 403
    made = clock(root, ID, AUTO)
    assert "rendition" not in made.inputs
    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 1
    assert lines[0].startswith(f"clock {ID}: VOD {ID}")
    assert lines[0].endswith("; the smaller video that is stored is read instead")
    assert TOKEN not in caplog.text
    assert "https://" not in lines[0]
    assert clock(root, ID, AUTO) == made
    # The next run asks again.
    server.faults.status.clear()
    set_environ(monkeypatch, server.environ)
    check(clock(root, ID, AUTO))


def test_a_server_that_sends_no_parts_gives_the_same(root: Root, server: Twitch, tmp_path: Path) -> None:
    other = open_root(str(shutil.copytree(root.url, tmp_path / "other")))
    games = clock(root, ID, AUTO).result
    server.faults.knows_ranges = False
    assert clock(other, ID, AUTO).result == games


def test_a_run_that_was_cut_off_goes_on(root: Root, server: Twitch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal, "_BLOCK", 4)  # rows of 80 s at a time; a part of the track has 683 s
    look = TwitchKeyFrames.look

    def cut_off(self: TwitchKeyFrames, parts: Sequence[object], *arguments: object, **options: bool) -> object:
        if 38 in parts:
            raise KeyboardInterrupt
        return look(self, parts, *arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(TwitchKeyFrames, "look", cut_off)
        with pytest.raises(KeyboardInterrupt):
            clock(root, ID, AUTO)
    assert manifest.find(root, layout.clock(ID), Clock) is None
    assert len(server.segments()) > 30
    server.requests.clear()
    check(clock(root, ID, AUTO))
    asked = {int(name.split("/")[1].split(".")[0]) for name in server.segments()}
    assert min(asked) >= 64


def test_no_larger_rendition(vod: Vod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    only = Vod(vod.folder, SECONDS, qualities={"160p30": "160p"}, resolutions={"160p30": "284x160"})
    with twitch(tmp_path, only) as server:
        set_environ(monkeypatch, server.environ)
        root = downloaded(server, tmp_path / "root")
        clock(root, ID, AUTO)
        assert server.requests == []
