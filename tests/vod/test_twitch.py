"""The unmodified twitch-dl against a local server that speaks Twitch's protocol."""

import dataclasses
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest

from lolhl.errors import MachineError, StillLive, SubscriberOnly, TwitchError, UsageError, VodNotFound
from lolhl.labels.spans import Span
from lolhl.vod import twitch
from lolhl.vod.probe import probe
from lolhl.vod.trim import join, trim
from tests.servers import set_environ
from tests.servers.twitch import TOKEN, Twitch, Vod, rendition
from tests.servers.twitch import twitch as twitch_server
from tests.videos import numbered_video
from tests.vod.shown import shown

ID = "123456789"


@pytest.fixture(scope="module")
def vod(tmp_path_factory: pytest.TempPathFactory) -> Vod:
    """24 s in six segments, in two qualities."""
    folder = tmp_path_factory.mktemp("twitch")
    film = numbered_video(folder / "film.mp4", seconds=24, size=(96, 64))
    rendition(film, folder / "vod" / "chunked")
    rendition(numbered_video(folder / "small.mp4", seconds=24, size=(48, 32)), folder / "vod" / "160p30")
    return Vod(
        folder / "vod",
        24,
        qualities={"chunked": "1080p60", "160p30": "160p"},
        resolutions={"chunked": "96x64", "160p30": "48x32"},
        chapters=((0, 10, "Just Chatting"), (10, 24, "League of Legends")),
        comments=tuple((3 * n, f"User{n}" if n != 4 else None, f"line {n} of the chat") for n in range(8)),
        muted=frozenset([2, 3, 5]),
    )


Serve = Callable[..., AbstractContextManager[Twitch]]


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    @contextmanager
    def run(*vods: Vod) -> Iterator[Twitch]:
        with twitch_server(tmp_path, *vods) as server, monkeypatch.context() as patch:
            set_environ(patch, server.environ)
            yield server

    return run


def fetch(folder: Path, quality: str = "source", **options: float) -> twitch.Segments:
    description = twitch.describe(ID)
    return twitch.fetch(description, description.rendition(quality), folder, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "source",
    [
        "123456789",
        "https://www.twitch.tv/videos/123456789",
        "https://www.twitch.tv/videos/123456789?t=1h2m3s",
        "http://twitch.tv/videos/123456789/#top",
        "https://m.twitch.tv/videos/123456789",
        "www.twitch.tv/videos/123456789",
        "https://WWW.Twitch.TV/videos/123456789?filter=archives&sort=time",
        "https://www.twitch.tv/lck/v/123456789",
        "https://www.twitch.tv/lck/video/123456789",
    ],
)
def test_what_names_a_vod(source: str) -> None:
    assert twitch.vod_id(source) == ID


@pytest.mark.parametrize(
    "source",
    ["video.mp4", "./123456789", "-123", "123456789.mp4", "[1] twitch.tv.mp4", "https://example.org/videos/1", "",
     "https://nottwitch.tv/videos/1", "https://www.twitch.tv.example.org/videos/1", "１２３", "--help", "1" * 40],
)  # fmt: skip
def test_what_is_no_matter_of_twitch(source: str) -> None:
    assert twitch.vod_id(source) is None


@pytest.mark.parametrize(
    "source",
    ["https://www.twitch.tv/lck", "https://clips.twitch.tv/SomeClip", "twitch.tv", "https://www.twitch.tv/videos/",
     "https://www.twitch.tv/videos/12a", "https://www.twitch.tv/videos/../../1", "https://www.twitch.tv/lck/clip/Some"],
)  # fmt: skip
def test_what_is_on_twitch_but_no_vod(source: str) -> None:
    with pytest.raises(UsageError, match="no VOD on Twitch"):
        twitch.vod_id(source)


def test_describe(vod: Vod, serve: Serve) -> None:
    with serve(vod):
        description = twitch.describe(ID)
    assert description == twitch.TwitchVod(
        id=ID,
        title="LCK Finals: T1 vs GEN",
        seconds=24,
        renditions=(
            twitch.Rendition("1080p60", "chunked", 96, 64, 60, is_source=True),
            twitch.Rendition("160p", "160p30", 48, 32, 30, is_source=False),
        ),
        chapters=[Span(0, 10, "Just Chatting"), Span(10, 24, "League of Legends")],
        recorded_at=datetime(2024, 9, 8, 8, tzinfo=UTC),
        channel="lck",
    )
    assert description.rendition("160p") == description.rendition("160p30") == description.renditions[1]
    assert description.rendition("source") == description.rendition("1080p60") == description.renditions[0]
    for quality in ("360p", "audio_only", "Audio Only", "--help", ""):
        with pytest.raises(UsageError, match=r"choose one of source, 1080p60, 160p$"):
            description.rendition(quality)


def test_a_rendition_whose_size_is_not_told(vod: Vod, serve: Serve) -> None:
    qualities = {"chunked": "Source", "480p30": "480p", "720p60": "720p60", "odd": "odd"}
    with serve(dataclasses.replace(vod, qualities=qualities, resolutions=dict.fromkeys(qualities, ""))):
        renditions = {
            one.group: (one.width, one.height, one.fps, one.is_source) for one in twitch.describe(ID).renditions
        }
    assert renditions == {
        "chunked": (None, None, None, True),
        "480p30": (853, 480, 30, False),
        "720p60": (1280, 720, 60, False),
        "odd": (None, None, None, False),
    }


def test_a_vod_without_pictures(vod: Vod, serve: Serve) -> None:
    with serve(dataclasses.replace(vod, qualities={})), pytest.raises(VodNotFound, match="no pictures"):
        twitch.describe(ID)


USUAL = ["chunked 1920x1080 60", "720p60 1280x720 60", "480p30 852x480 30", "360p30 640x360 30", "160p30 284x160 30"]


@pytest.mark.parametrize(
    ("there", "size", "fps", "chosen"),
    [
        (USUAL, 224, 3, "360p30"),
        (USUAL, 160, 3, "160p30"),
        (USUAL, 161, 3, "360p30"),
        (USUAL, 361, 3, "480p30"),
        (USUAL, 224, 30, "360p30"),
        (USUAL, 224, 31, "720p60"),
        (USUAL, 2000, 3, "chunked"),  # none is large enough
        (USUAL[:1], 224, 3, "chunked"),  # only the source
        (["chunked ? ?"], 224, 3, "chunked"),
        (["chunked ? ?", "160p30 284x160 30"], 224, 3, "chunked"),
        (["chunked ? ?", "360p30 640x360 30"], 224, 3, "360p30"),
        (["720p60 1280x720 60", "160p30 284x160 30"], 1000, 3, "720p60"),  # no source; the largest
        (["chunked 1080x1920 60", "480p30 270x480 30", "360p30 202x360 30"], 224, 3, "480p30"),  # portrait
        (["chunked 640x360 30", "360p30 640x360 30"], 224, 3, "360p30"),
        (["720p60 1280x720 60", "720p30 1280x720 30"], 512, 3, "720p30"),
        (["odd ? ?", "chunked 1920x1080 60"], 224, 3, "chunked"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_the_smallest_that_serves(there: list[str], size: int, fps: int, chosen: str, turned: bool) -> None:
    renditions = []
    for group, shape, rate in (line.split() for line in there):
        width, height = (None, None) if shape == "?" else map(int, shape.split("x"))
        frame_rate = None if rate == "?" else int(rate)
        renditions.append(twitch.Rendition(group, group, width, height, frame_rate, is_source=group == "chunked"))
    description = twitch.TwitchVod(ID, "", 24, tuple(renditions[::-1] if turned else renditions), [])
    assert description.smallest(size, Fraction(fps)).group == chosen


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"state": "unknown"}, VodNotFound, "never was, was deleted, or has expired"),
        ({"state": "deleted"}, VodNotFound, "was deleted"),
        ({"state": "expired"}, VodNotFound, "has expired"),
        ({"state": "subscribers"}, SubscriberOnly, "subscribers of its channel only"),
        ({"live": True}, StillLive, "still being broadcast"),
    ],
)
def test_a_vod_that_cannot_be_had(
    vod: Vod, serve: Serve, tmp_path: Path, change: dict[str, str], error: type[TwitchError], words: str
) -> None:
    with serve(dataclasses.replace(vod, **change)) as server, pytest.raises(TwitchError) as raised:  # type: ignore[arg-type]
        fetch(tmp_path / "segments")
    assert type(raised.value) is error
    assert words in str(raised.value)
    assert ID in str(raised.value)
    assert "\n" not in str(raised.value)
    assert server.segments() == []


def test_a_subscriber_s_token(vod: Vod, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOLHL_TWITCH_TOKEN", TOKEN)
    with serve(dataclasses.replace(vod, state="subscribers")) as server:
        fetch(tmp_path / "segments", stop=5)
        assert server.segments()
        monkeypatch.setenv("LOLHL_TWITCH_TOKEN", "stale")
        with pytest.raises(SubscriberOnly):
            twitch.describe(ID)


def test_twitch_dl_sees_the_token_and_no_other_secret(
    vod: Vod, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = "import os, sys\nif 'twitchdl' in sys.orig_argv: open(os.environ['HOME'] + '/seen', 'w')"
    code += ".write(repr(os.environ))"
    (tmp_path / "sitecustomize.py").write_text(code)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LOLHL_TWITCH_TOKEN", TOKEN)
    for name in ("AWS_SECRET_ACCESS_KEY", "LOLHL_OTHER", "MLFLOW_TRACKING_PASSWORD", "SOMETHING_ELSE"):
        monkeypatch.setenv(name, "s3cret")
    with serve(dataclasses.replace(vod, state="subscribers")) as server:
        twitch.describe(ID)
        seen = (tmp_path / "seen").read_text()
        assert "s3cret" not in seen
        assert all(value in seen for value in (*server.environ.values(), TOKEN))


def test_a_full_disk_is_not_twitch_s_fault(vod: Vod, serve: Serve, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k", "tmpfs", disk], check=False).returncode != 0:
        pytest.skip("only root may mount a small disk")
    try:
        with serve(vod), pytest.raises(MachineError, match=r"No space left on device\): make room there"):
            fetch(disk / "segments")
    finally:
        subprocess.run(["umount", disk], check=True)


@pytest.mark.parametrize(("part", "status"), [("/video", 503), ("/vod/", 500), ("index-dvr", 502), ("/3-muted", 429)])
def test_a_twitch_that_is_not_well(vod: Vod, serve: Serve, tmp_path: Path, part: str, status: int) -> None:
    with serve(vod) as server:
        server.faults.status[part] = status
        with pytest.raises(TwitchError, match=f"answered {status}.*run again later") as raised:
            fetch(tmp_path / "segments")
    assert type(raised.value) is TwitchError


def test_no_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{nobody.getsockname()[1]}")
        with pytest.raises(TwitchError, match=r"connection to Twitch failed \(.+\): run again, it goes on$"):
            twitch.describe(ID)


def test_the_whole(vod: Vod, serve: Serve, tmp_path: Path) -> None:
    seen: list[float] = []
    with serve(vod):
        got = fetch(tmp_path / "segments", advance=seen.append)  # type: ignore[arg-type]
    assert (got.begin, got.muted) == (0, [Span(8, 16, "muted"), Span(20, 24, "muted")])
    assert sum(seen) == pytest.approx(24)
    assert len(seen) == 6
    join(got.playlist, tmp_path / "all.mp4")
    assert [number for _, number in shown(tmp_path / "all.mp4")] == list(range(720))


def test_segments_are_seen_in_order_while_others_come(vod: Vod, serve: Serve, tmp_path: Path) -> None:
    film = numbered_video(tmp_path / "film.mp4", seconds=40, size=(96, 64), gop=1)
    rendition(film, tmp_path / "vod" / "chunked", seconds=1)
    seen: list[tuple[str, float]] = []
    with serve(dataclasses.replace(vod, folder=tmp_path / "vod", seconds=40, muted=frozenset())) as server:
        last = server.faults.held["/39.ts"] = threading.Event()

        def watch(segment: Path, begin: float) -> None:
            assert probe(segment).duration == pytest.approx(1, abs=0.1)  # it is whole
            seen.append((segment.name, begin))
            last.set()

        fetch(tmp_path / "segments", watch=watch)  # type: ignore[arg-type]
    assert [name for name, _ in seen] == [f"{number:05}.ts" for number in range(40)]
    assert [begin for _, begin in seen] == pytest.approx(list(range(40)), abs=0.1)


def test_another_quality(vod: Vod, serve: Serve, tmp_path: Path) -> None:
    with serve(vod) as server:
        got = fetch(tmp_path / "segments", "160p")
        assert {name.split("/")[0] for name in server.segments()} == {"160p30"}
    join(got.playlist, tmp_path / "all.mp4")
    assert probe(tmp_path / "all.mp4").width == 48


def test_a_part_by_the_clock_of_another_rendition(vod: Vod, serve: Serve, tmp_path: Path) -> None:
    with serve(vod) as server:
        whole = fetch(tmp_path / "small", "160p")
        server.requests.clear()
        got = fetch(tmp_path / "segments", start=13.2, stop=14.9, clock=whole.clock)
        assert server.segments() == ["chunked/3-muted.ts"]
        assert got.begin == pytest.approx(12, abs=0.05)
        other = fetch(tmp_path / "others", start=0, stop=1, clock=whole.clock + 0.25)
    assert other.begin == pytest.approx(-0.25, abs=0.05)
    check_part(got, tmp_path / "part.mp4", vod, 13.2, 14.9)


def test_a_part_takes_few_segments_and_knows_where_it_is(vod: Vod, serve: Serve, tmp_path: Path) -> None:
    seen: list[float] = []
    with serve(vod) as server:
        got = fetch(tmp_path / "segments", start=13.2, stop=14.9, advance=seen.append)  # type: ignore[arg-type]
        assert sorted(server.segments()) == ["chunked/0.ts", "chunked/3-muted.ts"]
    assert sum(seen) == pytest.approx(1.7)
    assert got.begin == pytest.approx(12, abs=0.05)  # by its timestamps: the sound begins at another place each time
    assert got.muted == [Span(12, 16, "muted")]
    check_part(got, tmp_path / "part.mp4", vod, 13.2, 14.9)


def check_part(got: twitch.Segments, target: Path, vod: Vod, start: float, stop: float) -> None:
    """The same pictures, at the same times, as in the whole."""
    join(vod.folder / "chunked" / "index-dvr.m3u8", target)
    wanted = [(time, number) for time, number in shown(target) if start <= time + 0.0005 and time + 0.0005 < stop]
    offset = trim(got.playlist, target, start - got.begin, stop - got.begin)
    assert offset is not None
    kept = shown(target)
    assert [number for _, number in kept] == [number for _, number in wanted]
    assert [got.begin + offset + time for time, _ in kept] == pytest.approx([time for time, _ in wanted], abs=0.002)


@pytest.mark.parametrize("first_stamp", [95_430.0, 0.0])
def test_timestamps_that_wrap(vod: Vod, serve: Serve, tmp_path: Path, first_stamp: float) -> None:
    again = dataclasses.replace(vod, folder=tmp_path / "vod")
    rendition(vod.folder.parent / "film.mp4", again.folder / "chunked", first_stamp=first_stamp)
    with serve(again):
        got = fetch(tmp_path / "segments", start=16.3, stop=21)
    check_part(got, tmp_path / "part.mp4", again, 16.3, 21)


def test_timestamps_that_begin_anew(vod: Vod, serve: Serve, tmp_path: Path) -> None:
    # As when a streamer's program was started again: the playlist's lengths count, then.
    again = dataclasses.replace(vod, folder=tmp_path / "vod", muted=frozenset())
    shutil.copytree(vod.folder / "chunked", again.folder / "chunked")
    rendition(vod.folder.parent / "film.mp4", tmp_path / "late", first_stamp=5000)
    for number in (4, 5):
        shutil.copy(tmp_path / "late" / f"{number}.ts", again.folder / "chunked")
    with serve(again):
        got = fetch(tmp_path / "segments", start=17.5, stop=19)
    assert got.begin == 16
    trim(got.playlist, tmp_path / "part.mp4", 17.5 - got.begin, 19 - got.begin)
    numbers = [number for _, number in shown(tmp_path / "part.mp4")]
    assert numbers[0] in (524, 525)
    assert numbers == list(range(numbers[0], numbers[0] + 45))
    with serve(again):
        join(fetch(tmp_path / "segments").playlist, tmp_path / "all.mp4")
    assert [number for _, number in shown(tmp_path / "all.mp4")] == list(range(720))
    assert probe(tmp_path / "all.mp4").duration == pytest.approx(24, abs=0.1)


def test_segments_of_the_newer_kind(vod: Vod, serve: Serve, tmp_path: Path) -> None:
    again = dataclasses.replace(vod, folder=tmp_path / "vod")
    rendition(vod.folder.parent / "film.mp4", again.folder / "chunked", fmp4=True)
    with serve(again) as server:
        got = fetch(tmp_path / "segments", start=13.2, stop=14.9)
        assert {"chunked/0.mp4", "chunked/3.mp4", "chunked/init-0.mp4"} == set(server.segments())
    check_part(got, tmp_path / "part.mp4", again, 13.2, 14.9)


def test_a_start_behind_the_end(vod: Vod, serve: Serve, tmp_path: Path) -> None:
    with serve(vod), pytest.raises(UsageError, match=f"VOD {ID} has no video from 0:00:40"):
        fetch(tmp_path / "segments", start=40)


def test_a_connection_that_drops_now_and_then(vod: Vod, serve: Serve, tmp_path: Path) -> None:
    with serve(vod) as server:
        server.faults.cut |= {"/1.ts": 1, "/3-muted.ts": 3}
        got = fetch(tmp_path / "segments")
        assert server.segments().count("chunked/3-muted.ts") == 4
    join(got.playlist, tmp_path / "all.mp4")
    assert [number for _, number in shown(tmp_path / "all.mp4")] == list(range(720))


def test_a_connection_that_stays_down_and_the_run_after(vod: Vod, serve: Serve, tmp_path: Path) -> None:
    with serve(vod) as server:
        server.faults.cut["/4.ts"] = 1000
        with pytest.raises(TwitchError, match=r"connection to Twitch failed .*run again, it goes on"):
            fetch(tmp_path / "segments")
        server.faults.cut.clear()
        server.requests.clear()
        fetch(tmp_path / "segments")
        assert server.segments() == ["chunked/4.ts"]


def test_a_folder_with_a_name_that_means_something(vod: Vod, serve: Serve, tmp_path: Path) -> None:
    folder = tmp_path / "{id} %s {0} -x"
    with serve(vod):
        got = fetch(folder, stop=3)
        assert twitch.chat(ID, folder)
    assert got.playlist.parent == folder
    assert (folder / "00000.ts").exists()
    assert not list(tmp_path.glob("*.mp4"))


def test_chat(vod: Vod, serve: Serve, tmp_path: Path) -> None:
    with serve(vod):
        chat = twitch.chat(ID, tmp_path)
    assert chat == [twitch.Comment(3 * n, f"User{n}" if n != 4 else "", f"line {n} of the chat") for n in range(8)]
    assert not (tmp_path / "chat.json").exists()


def test_chat_where_nobody_wrote_and_where_it_fails(vod: Vod, serve: Serve, tmp_path: Path) -> None:
    with serve(dataclasses.replace(vod, comments=())) as server:
        assert twitch.chat(ID, tmp_path) == []
        server.faults.status["/VideoCommentsBy"] = 503
        with pytest.raises(TwitchError, match="answered 503"):
            twitch.chat(ID, tmp_path)
