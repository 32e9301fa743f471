import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from lolhl import results
from lolhl.errors import Damaged, TwitchError, UsageError, VideoError
from lolhl.manifest import Manifest, load
from lolhl.stages.download import DownloadConfig, download
from lolhl.storage import Root, open_root
from lolhl.vod import fetch
from lolhl.vod.decode import View, decode
from lolhl.vod.trim import join
from tests.servers import set_environ
from tests.servers.seaweedfs import seaweedfs
from tests.servers.twitch import Clip, Twitch, Vod, rendition, twitch
from tests.servers.web import Web
from tests.servers.web import web as web_server
from tests.videos import numbered_video, read_number
from tests.vod.shown import shown

ID = "123456789"
SOURCE = {"name": "240p30", "group": "chunked", "width": 320, "height": 240, "fps": 30, "is_source": True}
ADDRESS = f"https://www.twitch.tv/videos/{ID}"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return numbered_video(tmp_path_factory.mktemp("film") / "film.mp4", seconds=24, size=(96, 64))


@pytest.fixture(scope="module")
def vod(film: Path) -> Vod:
    rendition(film, film.parent / "vod" / "chunked")
    return Vod(
        film.parent / "vod",
        24,
        chapters=((0, 10, "Just Chatting"), (10, 24, "League of Legends")),
        comments=tuple((3 * n, "User", f"line {n}") for n in range(8)),
        muted=frozenset([2]),
    )


@pytest.fixture(scope="module")
def whole_vod(vod: Vod) -> list[tuple[float, int]]:
    """Time and number of every picture of the VOD, as it is stored when all of it is."""
    join(vod.folder / "chunked" / "index-dvr.m3u8", vod.folder / "whole.mp4")
    return shown(vod.folder / "whole.mp4")


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return open_root(str(tmp_path / "root"))


@contextmanager
def serving(vod: Vod, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Twitch]:
    with twitch(folder, vod) as server:
        set_environ(monkeypatch, server.environ)
        yield server


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(fetch, "_PAUSES", (0.01,))
    with web_server() as server:
        yield server


def numbers(root: Root, made: Manifest[results.Vod]) -> list[int]:
    return [number for _, number in shown(root.local(made.result.video))]


def check(root: Root, made: Manifest[results.Vod], *keys: str) -> results.Vod:
    """The outputs are what the manifest says, nothing else is left; returns the result."""
    vod = made.result.vod
    assert [output.key for output in made.outputs] == [f"vods/{vod}/{key}" for key in keys]
    assert [s.key for s in root.list(f"vods/{vod}/")] == sorted(f"vods/{vod}/{key}" for key in (*keys, "vod.json"))
    for output in made.outputs:
        data = root.read(output.key)
        assert (len(data), hashlib.sha256(data).hexdigest()) == (output.size, output.sha256)
    assert not Path(root.url, ".unfinished-downloads").exists()
    return made.result


def test_a_twitch_vod(
    vod: Vod, root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with serving(vod, tmp_path, monkeypatch) as server:
        made = download(root, f"https://m.twitch.tv/videos/{ID}?t=5s", DownloadConfig(chat=True))
        server.requests.clear()
        assert download(root, ID, DownloadConfig(chat=True)) == made
        assert server.requests == []
    assert "done already" in caplog.text
    check(root, made, "chat.json", "video.mp4")
    assert made.result_values() == {
        "vod": ID,
        "title": "LCK Finals: T1 vs GEN",
        "source": ADDRESS,
        "twitch_id": ID,
        "channel": "lck",
        "offset": 0.0,
        "recorded_at": "2024-09-08T08:00:00Z",
        "clock": pytest.approx(61.4, abs=0.1),
        "rendition": SOURCE,
        "qualities": [SOURCE],
        "video": f"vods/{ID}/video.mp4",
        "duration": pytest.approx(24, abs=0.05),
        "width": 96,
        "height": 64,
        "fps": "30",
        "chapters": [
            {"start": 0.0, "stop": 10.0, "name": "Just Chatting", "score": None, "source": None},
            {"start": 10.0, "stop": 24.0, "name": "League of Legends", "score": None, "source": None},
        ],
        "muted": [{"start": 8.0, "stop": 12.0, "name": "muted", "score": None, "source": None}],
        "chat": f"vods/{ID}/chat.json",
    }
    assert numbers(root, made) == list(range(720))
    chat = json.loads(root.read(f"vods/{ID}/chat.json"))
    assert chat["comments"] == [{"time": 3.0 * n, "user": "User", "text": f"line {n}"} for n in range(8)]


@pytest.mark.parametrize(("start", "stop"), [(5.5, 17.2), (0.0, 8.9), (20.03, None), (3.9, 4.2)])
def test_a_part_of_a_twitch_vod(
    vod: Vod,
    whole_vod: list[tuple[float, int]],
    root: Root,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    start: float,
    stop: float | None,
) -> None:
    with serving(vod, tmp_path, monkeypatch):
        made = download(root, ID, DownloadConfig(start=start, stop=stop, chat=True))
    wanted = [(time, number) for time, number in whole_vod if start <= time and (stop is None or time < stop)]
    result = check(root, made, "chat.json", "video.mp4")
    assert result.offset == pytest.approx(wanted[0][0], abs=0.002)
    kept = shown(root.local(result.video))
    assert [number for _, number in kept] == [number for _, number in wanted]
    assert [result.offset + time for time, _ in kept] == pytest.approx([time for time, _ in wanted], abs=0.002)
    # The models' decoder, which knows nothing of all this, sees the same.
    view = View(fps=Fraction(3), size=64, fit="crop")
    grid = [read_number(picture) for picture in decode(root.local(result.video), view)]
    assert grid[0] == wanted[0][1]
    assert grid == [wanted[0][1] + 10 * k for k in range(len(grid))]
    assert len(grid) == pytest.approx(len(wanted) / 10, abs=1)
    # What Twitch says besides counts from the first picture, too.
    lines = json.loads(root.read(str(result.chat)))["comments"]
    inside = [3 * n for n in range(8) if start + 0.1 <= 3 * n < (stop or 24)]
    assert [line["time"] + result.offset for line in lines if line["time"] > 0.1] == pytest.approx(inside, abs=0.01)
    for chapter in result.chapters:
        assert 0 <= chapter.start < chapter.stop <= result.duration
    if start == 5.5:
        assert result.chapters[0].stop + result.offset == pytest.approx(10, abs=0.001)
        assert result.muted[0].start + result.offset == pytest.approx(8, abs=0.001)


@pytest.fixture(scope="module")
def many(film: Path) -> Vod:
    """A VOD in three qualities; the pictures are as large as it says."""
    folder = film.parent / "many"
    shapes = {"chunked": (640, 360), "360p30": (426, 240), "160p30": (284, 160)}
    for group, shape in shapes.items():
        rendition(numbered_video(film.parent / f"{group}.mp4", seconds=8, size=shape), folder / group)
    return Vod(
        folder,
        8,
        qualities={"chunked": "1080p60", "360p30": "360p", "160p30": "160p"},
        resolutions={group: f"{width}x{height}" for group, (width, height) in shapes.items()},
    )


@pytest.mark.parametrize(
    ("config", "group"),
    [
        (DownloadConfig(), "360p30"),
        (DownloadConfig(serves=160), "160p30"),
        (DownloadConfig(serves=241), "chunked"),
        (DownloadConfig(serves_fps=Fraction(60)), "chunked"),
        (DownloadConfig(quality="160p"), "160p30"),
        (DownloadConfig(quality="source"), "chunked"),
    ],
)
def test_the_rendition_that_serves(
    many: Vod, root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: DownloadConfig, group: str
) -> None:
    with serving(many, tmp_path, monkeypatch) as server:
        made = download(root, ID, config)
        assert {name.split("/")[0] for name in server.segments()} == {group}
    assert made.result.rendition is not None
    assert (made.result.rendition.group, made.result.rendition.height) == (group, made.result.height)
    assert [one.group for one in made.result.qualities] == ["chunked", "360p30", "160p30"]
    check(root, made, "video.mp4")


def test_what_is_stored_and_serves_is_not_fetched_again(
    many: Vod, root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(many, tmp_path, monkeypatch) as server:
        made = download(root, ID, DownloadConfig(quality="source"))
        server.requests.clear()
        for same in (DownloadConfig(), DownloadConfig(serves=300), DownloadConfig(quality="1080p60")):
            assert download(root, ID, same) == made
        assert server.requests == []
        small = download(root, ID, DownloadConfig(quality="160p"))
        assert small.result.height == 160
        assert download(root, ID).result.height == 240  # what was there did not serve
        assert download(root, ID, DownloadConfig(start=2)).result.offset == pytest.approx(2, abs=0.05)


def test_clips_of_viewers_come_to_a_vod_that_is_stored_and_cost_it_nothing(
    vod: Vod, root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    key, asked = f"vods/{ID}/twitch-clips.json", DownloadConfig(twitch_clips=True)

    def stored() -> list[tuple[str, float]]:
        clips = load(root, key, results.TwitchClips).result.clips
        return [(clip.slug, clip.start) for clip in clips]

    clips = (Clip("second", 12), Clip("first", 3.5, "BARON"))
    with serving(replace(vod, clips=clips), tmp_path, monkeypatch) as server:
        made = download(root, ID)
        assert root.stat(key) is None
        server.requests.clear()
        assert download(root, ID, asked) == made
        assert server.requests == ["gql.twitch.tv/clips/ALL_TIME"]
        assert stored() == [("first", 3.5), ("second", 12)]
        before = root.read(key)
        server.faults.status["clips/"] = 503
        caplog.clear()
        assert download(root, ID, asked) == made
        assert [record.message for record in caplog.records if record.levelname == "WARNING"] == [
            f"download {ID}: clips of viewers: Twitch answered 503: run again later"
        ]
        assert root.read(key) == before  # those of before stay
        assert download(root, ID, DownloadConfig(start=5, stop=20, twitch_clips=True)).result.offset
        assert root.read(key) == before


def test_a_video_from_elsewhere_has_no_clips_of_viewers(
    film: Path, root: Root, caplog: pytest.LogCaptureFixture
) -> None:
    download(root, str(film), DownloadConfig(twitch_clips=True))
    assert "download film: it is no VOD of Twitch, so no clips of viewers are stored" in caplog.text
    assert root.stat("vods/film/twitch-clips.json") is None


def test_another_part_replaces_the_vod(vod: Vod, root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(vod, tmp_path, monkeypatch):
        download(root, ID, DownloadConfig(chat=True))
        made = download(root, ID, DownloadConfig(start=8, stop=10))
    check(root, made, "video.mp4")
    assert len(numbers(root, made)) == 60


def test_twitch_s_refusals_leave_nothing(vod: Vod, root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(vod, tmp_path, monkeypatch) as server:
        for config in (DownloadConfig(quality="360p"), DownloadConfig(start=24), DownloadConfig(start=30, stop=40)):
            with pytest.raises(UsageError, match=r"choose (one of source|a --start)"):
                download(root, ID, config)
        with pytest.raises(TwitchError):
            download(root, "987654321")
        server.faults.status["/Video"] = 503
        with pytest.raises(TwitchError, match="503"):
            download(root, ID, DownloadConfig(chat=True))
        assert server.segments() == []
    assert [path.name for path in tmp_path.glob("root/**/*") if path.is_file()] == []


SCRIPT = "import sys; from lolhl.stages.download import download; from lolhl.storage import open_root; "
SCRIPT += "download(open_root(sys.argv[1]), sys.argv[2])"


@pytest.mark.slow
def test_killed_in_the_middle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = numbered_video(tmp_path / "film.mp4", seconds=40, size=(96, 64), gop=1)
    rendition(film, tmp_path / "vod" / "chunked", seconds=1)
    with serving(Vod(tmp_path / "vod", 40), tmp_path, monkeypatch) as server:
        undisturbed = open_root(str(tmp_path / "undisturbed"))
        made = download(undisturbed, ID)
        server.requests.clear()
        server.faults.delay = 0.5  # twitch-dl gets ten segments at a time
        last = server.faults.held["/39.ts"] = threading.Event()
        root = tmp_path / "root"
        there: set[str] = set()
        there_at: list[tuple[int, set[str]]] = []  # so many requests had been made when these segments were there
        for least in (1, 15, 30):
            running = subprocess.Popen([sys.executable, "-c", SCRIPT, str(root), ID], start_new_session=True)
            deadline = time.monotonic() + 60
            while len(there) < least:
                assert running.poll() is None, "ended before it was killed"
                assert time.monotonic() < deadline
                time.sleep(0.02)
                there = {path.name for path in root.glob(".unfinished-downloads/*/chunked/*.ts")}
            there_at.append((len(server.requests), there))
            os.kill(running.pid, signal.SIGKILL)  # twitch-dl, its child, is left to itself
            running.wait()
            assert not (root / f"vods/{ID}/vod.json").exists()
        server.faults.delay = 0
        last.set()
        assert download(open_root(str(root)), ID) == made
    for so_far, segments in there_at:
        later = {request.rpartition("/")[2] for request in server.requests[so_far:]}
        assert not later & {f"{int(name[:5])}.ts" for name in segments}
    assert check(open_root(str(root)), made, "video.mp4") == made.result
    for key in ("video.mp4", "vod.json"):
        assert (root / f"vods/{ID}/{key}").read_bytes() == undisturbed.read(f"vods/{ID}/{key}")


def test_a_file(film: Path, root: Root, tmp_path: Path) -> None:
    source = tmp_path / "My stream #1 (é).MP4"
    source.write_bytes(film.read_bytes())
    made = download(root, str(source))
    result = check(root, made, "video.mp4")
    assert (result.vod, result.title) == ("My-stream-1-e", "My stream #1 (é)")
    assert (result.source, result.twitch_id, result.offset) == (str(source), None, 0.0)
    assert (result.chapters, result.muted, result.chat) == ([], [], None)
    assert not root.local(result.video).samefile(source)
    assert numbers(root, made) == list(range(720))


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("testsrc2=size=64x48:rate=1000:duration=0.1", "fast.mp4"),
        ("testsrc2=size=64x48:rate=1001000:duration=0.0001", "faster.y4m"),
        ("testsrc2=size=64x48:rate=1/100000:duration=200000", "slow.mp4"),
        ("testsrc2=size=64x48:rate=10:duration=0.1", "single.wmv"),
        ("color=size=150000x16:rate=5:duration=0.4", "wide.y4m"),
    ],
)
def test_what_a_video_claims_can_be_read_again(root: Root, tmp_path: Path, source: str, name: str) -> None:
    video = tmp_path / name
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-pix_fmt", "yuv420p", video], check=True)
    made = download(root, str(video), name="v")
    assert load(root, "vods/v/vod.json", results.Vod, "lolhl download").result == made.result
    assert list(decode(root.local(made.result.video), View(Fraction(3), 16, "squeeze"), stop=2))


def test_a_file_that_is_done_and_one_that_changed(
    film: Path, root: Root, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    source = tmp_path / "a.mp4"
    source.write_bytes(film.read_bytes())
    made = download(root, str(source))
    assert download(root, str(source)) == made
    assert caplog.text.count("done already") == 1
    copy = tmp_path / "elsewhere" / "a.mp4"
    copy.parent.mkdir()
    copy.write_bytes(film.read_bytes())
    assert download(root, str(copy)) == made
    assert caplog.text.count("done already") == 2
    assert download(root, str(source), force=True).outputs == made.outputs
    assert caplog.text.count("done already") == 2

    source.unlink()
    source.write_bytes(b"no video any more")
    with pytest.raises(VideoError, match=r"a\.mp4 is no video"):
        download(root, str(source))
    assert download(root, str(copy)) == made  # what was there is untouched
    numbered_video(source, seconds=2, size=(96, 64))
    assert len(numbers(root, download(root, str(source)))) == 60
    assert numbers(root, download(root, str(copy), name="b"))[-1] == 719


def test_a_later_write_to_the_file_does_not_reach_what_is_stored(film: Path, root: Root, tmp_path: Path) -> None:
    source = tmp_path / "a.mp4"
    source.write_bytes(film.read_bytes())
    made = download(root, str(source))
    with source.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"x")
    check(root, made, "video.mp4")
    assert root.read(made.result.video) == film.read_bytes()
    again = download(root, str(source))
    assert again.inputs != made.inputs
    check(root, again, "video.mp4")


@pytest.mark.parametrize("config", [DownloadConfig(), DownloadConfig(start=1, stop=5)], ids=["whole", "part"])
def test_a_file_that_is_being_written_is_refused(
    film: Path, root: Root, tmp_path: Path, config: DownloadConfig
) -> None:
    source = tmp_path / "a.mp4"
    source.write_bytes(film.read_bytes())
    stop = threading.Event()

    def record() -> None:
        with source.open("ab", buffering=0) as file:
            while not stop.wait(0.001):
                file.write(b"more")

    recorder = threading.Thread(target=record)
    recorder.start()
    try:
        with pytest.raises(VideoError, match=r"a\.mp4 is still being written: run again when it is finished"):
            download(root, str(source), config)
    finally:
        stop.set()
        recorder.join()
    assert not list(root.list())
    assert check(root, download(root, str(source)), "video.mp4").duration == 24
    assert download(root, str(source)).inputs == {"video": hashlib.sha256(source.read_bytes()).hexdigest()}


def test_a_name_that_is_taken(film: Path, root: Root, tmp_path: Path) -> None:
    other = numbered_video(tmp_path / "film.mp4", seconds=2, size=(96, 64))
    made = download(root, str(film))
    with pytest.raises(
        UsageError, match=r"VOD film is there already, from .*: choose another name \(--name\), or --force"
    ):
        download(root, str(other))
    assert download(root, str(film)) == made
    assert len(numbers(root, download(root, str(other), force=True))) == 60
    assert len(shown(film)) == 720  # the first one's own file is as it was


def test_forced_it_needs_no_sound_record_of_what_is_stored(film: Path, root: Root) -> None:
    download(root, str(film))
    key = "vods/film/vod.json"
    stored = root.read(key)
    for damaged in (stored.replace(b'"title": "film"', b'"title": "other"'), b"no manifest"):
        root.write(key, damaged)
        with pytest.raises(Damaged, match=r"run `lolhl download … --name film --force`"):
            download(root, str(film))
        download(root, str(film), force=True)
        assert root.read(key) == stored


def test_a_part_of_a_file(film: Path, root: Root) -> None:
    made = download(root, str(film), DownloadConfig(start=5.5, stop=9.1))
    assert check(root, made, "video.mp4").offset == 5.5
    assert numbers(root, made) == list(range(165, 273))
    assert len(shown(film)) == 720
    with pytest.raises(UsageError, match=r"film.mp4 has no picture from 0:00:30 to 0:00:40"):
        download(root, str(film), DownloadConfig(start=30, stop=40))


def test_a_vod_s_own_video(film: Path, root: Root) -> None:
    made = download(root, str(film))
    own = root.local(made.result.video)
    again = download(root, str(own), DownloadConfig(start=1), name="film", force=True)
    assert numbers(root, again) == list(range(30, 720))
    assert len(shown(film)) == 720


def test_a_file_of_another_kind_replaces_the_old_one(film: Path, root: Root, tmp_path: Path) -> None:
    source = tmp_path / "film.mkv"
    subprocess.run(["ffmpeg", "-v", "error", "-i", film, "-c", "copy", source], check=True)
    download(root, str(film))
    check(root, download(root, str(source), force=True), "video.mkv")
    assert film.exists()


MPD = """<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT24S" minBufferTime="PT1S"
 profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="video/mp4">
 <Representation id="0" bandwidth="100000"><BaseURL>file://{}</BaseURL></Representation>
</AdaptationSet></Period></MPD>"""
BAD_SOURCES = {
    "": "no file",
    "no-such-file.mp4": "no file",
    "-i": "no file",
    "--help": "no file",
    "folder": "is a folder",
    "/dev/null": "no plain file",
    "text.mp4": "is no video",
    "empty.mp4": "is no video",
    "list.m3u8": "is a playlist",
    "list.ffconcat": "is a playlist",
    "list.mpd": "is a playlist",
    "mpd.mp4": "is a playlist",
    "picture.png": "is a still picture",
    "日本語.mp4": "(--name)",
    "a\0b": "no file",
    "file:///etc/passwd": "no address of a file",
    "ftp://127.0.0.1/a.mp4": "no address of a file",
    "concat:/etc/passwd": "no file",
    "s3://bucket/a.mp4": "no address of a file",
    "https://www.twitch.tv/lck": "no VOD on Twitch",
    "https://clips.twitch.tv/SomeClip": "no VOD on Twitch",
}


@pytest.mark.parametrize(("source", "words"), BAD_SOURCES.items())
def test_a_bad_source(
    film: Path, root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("text.mp4").write_text("hello\n" * 1000)
    Path("empty.mp4").touch()
    Path("list.m3u8").write_text(f"#EXTM3U\n#EXTINF:24,\nfile://{film}\n#EXT-X-ENDLIST\n")
    Path("list.ffconcat").write_text(f"ffconcat version 1.0\nfile {film}\n")
    for name in ("list.mpd", "mpd.mp4"):
        Path(name).write_text(MPD.format(film))
    Path("picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    Path("日本語.mp4").write_bytes(film.read_bytes())
    for part in (DownloadConfig(), DownloadConfig(start=1, stop=5)):
        with pytest.raises((UsageError, VideoError), match=words) as raised:
            download(root, source, part)
        assert "\n" not in str(raised.value)
    assert [path.name for path in Path("root").rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", ["../x", "a/b", "-x", ".x", "a b", "x" * 200])
def test_a_bad_name(film: Path, root: Root, name: str) -> None:
    with pytest.raises(UsageError, match="is no name for a VOD"):
        download(root, str(film), name=name)
    assert list(root.list()) == []


def test_odd_names_are_no_options(film: Path, root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("-y.mp4", "a'b;$(x)%d{id}.mp4", "http:x.mp4"):
        Path(name).write_bytes(film.read_bytes())
        made = download(root, name, DownloadConfig(start=2, stop=3), force=True)
        assert numbers(root, made) == list(range(60, 90))
    Path("日本語.mp4").write_bytes(film.read_bytes())
    assert check(root, download(root, "日本語.mp4", name="spiel"), "video.mp4").title == "日本語"


@pytest.mark.parametrize(
    "values",
    [{"quality": "audio_only"}, {"quality": "Audio Only"}, {"start": -1.0}, {"stop": 0.0}, {"start": 5.0, "stop": 5.0},
     {"start": float("nan")}, {"start": float("inf")}, {"stop": float("inf")}],
)  # fmt: skip
def test_a_bad_setting(values: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="--"):
        DownloadConfig(**values)


def test_an_address(film: Path, root: Root, web: Web, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    web.files["/films/My film.mp4"] = web.files["/films/My%20film.mp4"] = film.read_bytes()
    url = f"{web.url}/films/My%20film.mp4"
    web.cut = 1
    made = download(root, f"{url}?key=secret")
    result = check(root, made, "video.mp4")
    assert (result.vod, result.title, result.source) == ("My-film", "My film", url)
    assert numbers(root, made) == list(range(720))
    assert b"secret" not in root.read("vods/My-film/vod.json")
    assert "bytes=" in web.requests[-1]

    web.requests.clear()
    assert download(root, f"{url}?key=another") == made
    assert len(web.requests) == 1  # only asked whether it is still the same
    assert "done already" in caplog.text
    web.files["/films/My%20film.mp4"] = numbered_video(film.parent / "short.mp4", seconds=2).read_bytes()
    assert len(numbers(root, download(root, url))) == 60


def test_an_address_is_known_by_its_query_where_the_server_tells_nothing_of_the_file(
    film: Path, root: Root, web: Web, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    web.tells_tags = web.tells_sizes = False
    web.files["/watch.mp4"] = film.read_bytes()
    made = download(root, f"{web.url}/watch.mp4?v=1")
    assert download(root, f"{web.url}/watch.mp4?v=1") == made
    assert "done already" in caplog.text
    web.files["/watch.mp4"] = numbered_video(film.parent / "other.mp4", seconds=2).read_bytes()
    assert len(numbers(root, download(root, f"{web.url}/watch.mp4?v=2"))) == 60


def test_an_address_goes_on_after_a_dropped_connection(film: Path, root: Root, web: Web) -> None:
    web.files["/a.ts"] = film.read_bytes()
    web.cut, web.knows_ranges = 1000, False
    with pytest.raises(VideoError, match=r"a.ts: the connection failed .*: run again, it goes on$"):
        download(root, f"{web.url}/a.ts")
    assert list(root.list()) == []
    web.cut, web.knows_ranges = 0, True
    web.requests.clear()
    with pytest.raises(UsageError, match=r"a\.ts has no picture from 0:00:40 to its end"):
        download(root, f"{web.url}/a.ts", DownloadConfig(start=40))
    assert web.requests[-1].startswith("/a.ts bytes=")
    made = download(root, f"{web.url}/a.ts", DownloadConfig(start=4, stop=6))
    assert len(web.requests) == 3  # to look, to get the rest, to look again
    check(root, made, "video.mp4")
    assert numbers(root, made) == list(range(120, 180))


def test_an_address_of_no_video(root: Root, web: Web, tmp_path: Path) -> None:
    web.files |= {"/a.mp4": b"hello" * 1000, "/b.m3u8": b"#EXTM3U\nhttp://127.0.0.1:1/x.ts\n", "/c": b"<html>"}
    web.files["/e.mp4"] = MPD.format("/etc/passwd").encode()
    web.types["/c"] = "text/html"
    for path, words in (
        ("/a.mp4", "/a.mp4 is no video"),
        ("/b.m3u8", "is a playlist"),
        ("/e.mp4", "is a playlist"),
        ("/c", "web page"),
        ("/d.mp4", "no such file"),
    ):
        with pytest.raises(VideoError, match=words) as raised:
            download(root, web.url + path)
        assert str(tmp_path) not in str(raised.value)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.slow
def test_into_a_bucket(vod: Vod, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOLHL_CACHE", str(tmp_path / "cache"))
    with seaweedfs(tmp_path / "weed") as server, serving(vod, tmp_path, monkeypatch):
        set_environ(monkeypatch, server.environ)
        root = open_root(f"s3://{server.bucket}/data")
        for source, config, keys in (
            (str(film), DownloadConfig(), ("video.mp4",)),
            (ID, DownloadConfig(chat=True), ("chat.json", "video.mp4")),
        ):
            made = download(root, source, config)
            check(root, made, *keys)
            assert download(root, source, config) == made
            assert numbers(root, made) == list(range(720))
        assert film.exists()
        assert not (tmp_path / "cache" / "downloads").exists()


@pytest.mark.parametrize(
    "text",
    ["[" * 200_000, "null", '{"comments": [3]}', '{"comments": [{"time": 1%s, "user": "", "text": ""}]}' % ("0" * 400)],
    ids=["deep", "null", "number", "huge"],
)
def test_a_chat_that_is_none_is_refused(film: Path, root: Root, tmp_path: Path, text: str) -> None:
    (tmp_path / "a.mp4").write_bytes(film.read_bytes())
    (tmp_path / "a.chat.json").write_text(text)
    with pytest.raises(UsageError, match=r"a\.chat\.json is no chat: write"):
        download(root, str(tmp_path / "a.mp4"), DownloadConfig(chat=True))
    assert not [*root.list("vods/")]


def test_half_characters_of_a_chat_are_replaced(film: Path, root: Root, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(film.read_bytes())
    (tmp_path / "a.chat.json").write_text(r'{"comments": [{"time": 1, "user": "me", "text": "\ud83d gg"}]}')
    made = download(root, str(tmp_path / "a.mp4"), DownloadConfig(chat=True))
    (line,) = json.loads(root.read(str(made.result.chat)))["comments"]
    assert line == {"time": 1.0, "user": "me", "text": "? gg"}
