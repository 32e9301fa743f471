import subprocess
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import pytest

from lolhl.vod.cpu import Reader
from lolhl.vod.probe import probe
from lolhl.vod.trim import join, trim
from lolhl.vod.view import View
from tests.servers.twitch import rendition
from tests.videos import numbered_video
from tests.vod.shown import shown

FPS = Fraction(30)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder: film.mp4 of 24 s, the same in other containers, and as segments."""
    folder = tmp_path_factory.mktemp("videos")
    film = numbered_video(folder / "film.mp4", seconds=24, fps=FPS)
    for kind in ("ts", "mkv", "flv"):
        subprocess.run(["ffmpeg", "-v", "error", "-i", film, "-c", "copy", folder / f"film.{kind}"], check=True)
    rendition(film, folder / "segments")
    return folder


def check(video: Path, target: Path, start: float, stop: float | None) -> None:
    """What is kept is just what was shown in [start, stop), by the times that ffmpeg itself tells."""
    wanted = [(t, n) for t, n in shown(video) if start <= t + 0.0005 and (stop is None or t + 0.0005 < stop)]
    offset = trim(video, target, start, stop)
    assert offset == pytest.approx(wanted[0][0], abs=0.001)
    kept = shown(target)
    assert [number for _, number in kept] == [number for _, number in wanted]
    assert [time for time, _ in kept] == pytest.approx([time - wanted[0][0] for time, _ in wanted], abs=0.002)
    info = probe(target)
    end = wanted[-1][0] + 1 / 30  # about; the sound may last a little longer
    assert info.duration == pytest.approx((end if stop is None else min(stop, end)) - wanted[0][0], abs=0.05)
    assert info.start_time == 0
    with av.open(str(video)) as whole:
        assert info.has_audio == bool(whole.streams.audio)


@pytest.mark.parametrize(
    ("start", "stop"),
    [(5.5, 9.1), (0, 9.1), (11.3, 15.2), (20.03, None), (5.51, 5.55), (6.0, 6.034), (0, None), (17.367, 40)],
)
def test_exact_to_a_picture(videos: Path, tmp_path: Path, start: float, stop: float | None) -> None:
    check(videos / "film.mp4", tmp_path / "part.mp4", start, stop)


def test_the_pictures_meant_by_number(videos: Path, tmp_path: Path) -> None:
    assert trim(videos / "film.mp4", tmp_path / "part.mp4", 5.5, 9.1) == 5.5
    assert [number for _, number in shown(tmp_path / "part.mp4")] == list(range(165, 273))


@pytest.mark.parametrize("name", ["film.ts", "film.mkv", "film.flv", "segments/index-dvr.m3u8"])
def test_other_containers(videos: Path, tmp_path: Path, name: str) -> None:
    check(videos / name, tmp_path / "part.mp4", 17.3, 20.2)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(["-c:v", "libx264", "-preset", "fast", "-bf", "8", "-x264-params", "open-gop=1"], id="open GOPs"),
        pytest.param(["-c:v", "libx264", "-preset", "ultrafast", "-g", "600"], id="a key frame in 20 s, in a .ts"),
        pytest.param(["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error"], id="H.265"),
        pytest.param(["-c:v", "mpeg4", "-bf", "2", "-q:v", "3", "-c:a", "mp3"], id="an .avi without times of showing"),
        pytest.param(["-c:v", "libvpx", "-b:v", "1M", "-deadline", "realtime", "-cpu-used", "8"], id="VP8"),
        pytest.param(["-c:v", "ffv1", "-c:a", "pcm_s16le"], id="codecs that no .mp4 holds"),
    ],
)
def test_other_codecs(videos: Path, tmp_path: Path, options: list[str]) -> None:
    kind = {"mpeg4": "avi", "libvpx": "webm", "ffv1": "mkv", "libx265": "mp4"}.get(options[1], "ts")
    video = tmp_path / f"other.{kind}"
    subprocess.run(["ffmpeg", "-v", "error", "-i", videos / "film.mp4", *options, video], check=True)
    check(video, tmp_path / "part.mp4", 18.3, 20.2)


def test_rates_whose_pictures_fall_between(tmp_path: Path) -> None:
    video = numbered_video(tmp_path / "ntsc.mp4", seconds=20, fps=Fraction(60000, 1001), sound=False, size=(64, 64))
    check(video, tmp_path / "part.mp4", 16.7, 18.5)


def test_another_ffmpeg_sees_the_same(videos: Path, tmp_path: Path) -> None:
    trim(videos / "film.ts", tmp_path / "part.mp4", 17.3, 20.2)
    other = shown(tmp_path / "part.mp4", imageio_ffmpeg.get_ffmpeg_exe())
    assert [number for _, number in other] == list(range(519, 606))
    assert [time for time, _ in other] == pytest.approx([n / 30 for n in range(87)], abs=0.001)


def test_the_same_bytes_again(videos: Path, tmp_path: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        trim(videos / "film.mkv", tmp_path / name, 3.3, 7.7)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize(("start", "stop"), [(24.5, None), (100, 200), (6.01, 6.02)])
def test_where_there_is_no_picture(videos: Path, tmp_path: Path, start: float, stop: float | None) -> None:
    assert trim(videos / "film.mp4", tmp_path / "part.mp4", start, stop) is None
    assert not (tmp_path / "part.mp4").exists()


def test_join(videos: Path, tmp_path: Path) -> None:
    join(videos / "segments" / "index-dvr.m3u8", tmp_path / "all.mp4")
    assert [number for _, number in shown(tmp_path / "all.mp4")] == list(range(24 * 30))
    assert probe(tmp_path / "all.mp4").duration == pytest.approx(24, abs=0.05)


def test_a_hidden_key_frame_at_the_end_does_not_lengthen_a_part(tmp_path: Path) -> None:
    film = numbered_video(tmp_path / "film.mp4", seconds=4 + 1 / 15, fps=Fraction(15), gop=1, sound=False)
    trim(film, tmp_path / "part.mp4", 1 + 7 / 15, 1 + 7 / 15 + 4 / 3)
    with av.open(str(tmp_path / "part.mp4")) as part:
        *_, last, _ = part.demux(video=0)
        assert last.is_keyframe
        assert last.is_discard
    view = View(Fraction(3), 64, "squeeze")
    with closing(Reader(tmp_path / "part.mp4", view)) as reader:
        assert len(list(reader.grid(0, None))) == reader.count(0, None) == 4
        assert reader.end == Fraction(4, 3)
