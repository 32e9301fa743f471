"""Single key frames of another rendition of a VOD, from a local server that speaks Twitch's protocol."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from lolhl.errors import TwitchError
from lolhl.results import Vod as StoredVod
from lolhl.stages.download import DownloadConfig, download
from lolhl.storage import open_root
from lolhl.vod import fetch, twitch_key_frames
from lolhl.vod.decode import Look, look_at_keys
from lolhl.vod.key_frames import KeyFrames
from lolhl.vod.twitch_key_frames import TwitchKeyFrames
from tests.servers import set_environ
from tests.servers.twitch import Twitch, Vod, rendition, twitch
from tests.videos import numbered_video, read_number

ID = "123456789"
SECONDS = 40
SEGMENT = 8
OFF = 0.07  # seconds; the sound of .mp4 segments begins before their pictures, and counts differently in what is stored
TIMES = [0.0, 1.9, 2.1, 7.9, 8.1, 13.5, 16.1, 23.0, 35.5, 39.9]


@pytest.fixture(scope="module", params=["ts", "fmp4"])
def vod(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Vod:
    """40 s in segments of 8 s with a key frame every 2 s; the larger rendition has twice as many pictures."""
    folder = tmp_path_factory.mktemp("twitch")
    fmp4 = request.param == "fmp4"
    for group, fps, size in (("720p60", Fraction(60), (320, 192)), ("160p30", Fraction(30), (48, 32))):
        film = numbered_video(folder / f"{group}.mp4", seconds=SECONDS, fps=fps, size=size)
        rendition(film, folder / "vod" / group, seconds=SEGMENT, fmp4=fmp4)
    return Vod(
        folder / "vod",
        SECONDS,
        qualities={"720p60": "720p60", "160p30": "160p"},
        resolutions={"720p60": "320x192", "160p30": "48x32"},
    )


@pytest.fixture
def server(vod: Vod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Twitch]:
    monkeypatch.setattr(fetch, "_PAUSES", (0.01, 0.01))
    with twitch(tmp_path, vod) as running:
        set_environ(monkeypatch, running.environ)
        yield running


def stored(tmp_path: Path, server: Twitch, **config: float) -> tuple[StoredVod, Path]:
    """The small rendition: what is known of it, and its file."""
    root = open_root(str(tmp_path / "root"))
    made = download(root, ID, DownloadConfig(quality="160p", **config))  # type: ignore[arg-type]
    server.requests.clear()
    server.sent.clear()
    return made.result, root.local(made.result.video)


def larger(vod: StoredVod, folder: Path) -> TwitchKeyFrames:
    folder.mkdir(exist_ok=True)
    return TwitchKeyFrames(vod=ID, group="720p60", clock=vod.clock or 0.0, offset=vod.offset, folder=folder)


def seen(look: Look, time: float) -> tuple[float, int] | None:
    key = look(time)
    return key and (key[0], read_number(key[1]))


def test_key_frames_lie_where_the_stored_video_has_them(server: Twitch, tmp_path: Path) -> None:
    vod, video = stored(tmp_path, server)
    expected = list(look_at_keys(video, TIMES, seen))
    keys: KeyFrames = larger(vod, tmp_path / "keys")
    shown = list(keys.look(TIMES, seen, exact=True))
    for key, other in zip(shown, expected, strict=True):
        assert key is not None
        assert other is not None
        assert key[0] == pytest.approx(other[0], abs=OFF)
        assert key[1] == 2 * other[1]
    assert [key and round(key[0]) for key in shown] == [0, 0, 2, 6, 8, 12, 16, 22, 34, 38]


def test_those_that_begin_segments_cost_their_first_bytes(
    server: Twitch, vod: Vod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twitch_key_frames, "_BYTES", (1 << 14, 1 << 16, 1 << 27))
    known, _ = stored(tmp_path, server)
    shown = list(larger(known, tmp_path / "keys").look(TIMES, seen))
    assert [key and round(key[0]) for key in shown] == [0, 0, 0, 0, 8, 8, 16, 16, 32, 32]
    assert [key and key[1] for key in shown] == [round(time * 60) for time in (0, 0, 0, 0, 8, 8, 16, 16, 32, 32)]
    assert all("720p60/" in name for name in server.segments())
    sizes = [path.stat().st_size for path in (vod.folder / "720p60").iterdir() if path.stem in "0124"]
    assert sum(server.sent) < sum(sizes) / 2


def test_a_key_frame_that_the_first_bytes_do_not_hold_is_read_whole(
    server: Twitch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, _ = stored(tmp_path, server)
    expected = list(larger(known, tmp_path / "keys").look(TIMES, seen))
    server.sent.clear()
    monkeypatch.setattr(twitch_key_frames, "_BYTES", (500, 1_000, 1 << 27))
    again = list(larger(known, tmp_path / "again").look(TIMES, seen))
    assert [key and (round(key[0], 3), key[1]) for key in again] == [
        key and (round(key[0], 3), key[1]) for key in expected
    ]
    assert {500} < set(server.sent)
    assert len(server.sent) <= 3 * 4 + 1


def test_a_part_of_a_vod_is_on_the_clock_of_that_part(server: Twitch, tmp_path: Path) -> None:
    vod, video = stored(tmp_path, server, start=9.3)
    times = [10.0, 13.0, 29.9]
    expected = list(look_at_keys(video, times, seen))
    shown = list(larger(vod, tmp_path / "keys").look(times, seen, exact=True))
    assert [key and key[0] for key in shown] == [
        pytest.approx(other[0], abs=OFF) if other else None for other in expected
    ]
    first = next(iter(larger(vod, tmp_path / "keys").look([0.0], seen)))  # of the first segment that begins in it
    assert first is not None
    assert first[0] == pytest.approx(16 - vod.offset, abs=OFF)
    assert first[1] == 16 * 60


def test_a_server_that_sends_no_parts(server: Twitch, tmp_path: Path) -> None:
    known, _ = stored(tmp_path, server)
    expected = [key and key[1] for key in larger(known, tmp_path / "keys").look(TIMES, seen, exact=True)]
    server.faults.knows_ranges = False
    again = larger(known, tmp_path / "again").look(TIMES, seen, exact=True)
    assert [key and key[1] for key in again] == expected


def test_what_twitch_does_not_give_is_one_line(server: Twitch, tmp_path: Path) -> None:
    known, _ = stored(tmp_path, server)
    server.faults.status["720p60/2."] = 403
    keys = larger(known, tmp_path / "keys").look(TIMES, seen)
    with pytest.raises(TwitchError, match=r"^VOD 123456789: 720p60/2\.\w+ cannot be had from Twitch \([^:/]*403\)\)$"):
        list(keys)
    server.faults.body["index-dvr.m3u8"] = b"#EXTM3U\n#EXTINF:many,\n0.ts\n"
    with pytest.raises(TwitchError, match="the playlist of 720p60 is none"):
        list(larger(known, tmp_path / "keys").look(TIMES, seen))
    server.faults.body["index-dvr.m3u8"] = b"#EXTM3U\n"
    with pytest.raises(TwitchError, match="the playlist of 720p60 names no segments"):
        list(larger(known, tmp_path / "keys").look(TIMES, seen))
    with pytest.raises(TwitchError, match="Twitch has no 1440p60 of it any more"):
        list(TwitchKeyFrames(ID, "1440p60", 0.0, 0.0, tmp_path).look(TIMES, seen))
