"""What a file says of itself, read from its streams."""

import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from lolhl.errors import VideoError
from lolhl.vod.probe import VideoInfo, probe
from tests.videos import numbered_video


def ffmpeg(*words: str | Path) -> None:
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *words], check=True)


def drawn(target: Path, *options: str, size: str = "64x48", rate: str = "30000/1001", seconds: float = 4) -> Path:
    ffmpeg("-f", "lavfi", "-i", f"testsrc2=size={size}:rate={rate}:duration={seconds}", *options, target)
    return target


@pytest.mark.parametrize("ending", ["mp4", "mov", "ts", "mkv", "flv", "avi", "webm", "wmv", "gif", "y4m", "nut", "mxf"])
def test_usual_containers(tmp_path: Path, ending: str) -> None:
    rate = "25" if ending in ("gif", "mxf", "wmv") else "30000/1001"
    codec = ("-c:v", "mpeg2video") if ending == "mxf" else ()
    info = probe(drawn(tmp_path / f"v.{ending}", *codec, rate=rate))
    assert (info.width, info.height, info.rotation, info.has_audio) == (64, 48, 0, False)
    assert info.fps == Fraction(rate)
    assert info.duration == pytest.approx(4, abs=0.06)
    assert round(info.duration, 2) == info.duration


@pytest.mark.parametrize("ending", ["h264", "hevc", "m2v", "mjpeg", "apng", "obu"])
def test_streams_without_a_container(tmp_path: Path, ending: str) -> None:
    codec = {"hevc": ("-x265-params", "log-level=error"), "obu": ("-c:v", "libaom-av1", "-cpu-used", "8")}
    forced = ("-f", "apng") if ending == "apng" else ()
    video = drawn(tmp_path / f"v.{ending}", *codec.get(ending, ()), *forced, rate="25", seconds=0.4)
    assert (probe(video).width, probe(video).height) == (64, 48)
    assert probe(video.rename(tmp_path / "nameless")).fps == 25


@pytest.mark.parametrize("rate", ["24", "25", "30", "50", "60", "24000/1001", "60000/1001", "1/2", "7/2", "1000/7"])
@pytest.mark.parametrize("ending", ["mp4", "ts", "mkv"])
def test_the_exact_rate(tmp_path: Path, ending: str, rate: str) -> None:
    seconds = 12 if Fraction(rate) < 4 else 3
    assert probe(drawn(tmp_path / f"v.{ending}", "-c:v", "libx264", rate=rate, seconds=seconds)).fps == Fraction(rate)


@pytest.mark.parametrize("rate", [250, 1000, 90_000])
def test_a_rate_that_no_grid_has(tmp_path: Path, rate: int) -> None:
    assert probe(drawn(tmp_path / "v.mp4", "-c:v", "libx264", rate=str(rate), seconds=20 / rate)).fps == rate


def test_of_one_picture_no_rate_is_known(tmp_path: Path) -> None:
    assert probe(drawn(tmp_path / "v.wmv", rate="10", seconds=0.1)).fps == 0


@pytest.mark.parametrize(
    "title",
    [
        "displaymatrix: rotation of . degrees",
        "displaymatrix: rotation of 90.00 degrees",
        "Stream #0:0: Video: h264, yuv420p, 1x1, 9 fps",
        "a\n  Duration: 99:99:99.99",
    ],
)
def test_tags_are_not_taken_for_what_a_stream_says(tmp_path: Path, title: str) -> None:
    plain = numbered_video(tmp_path / "plain.mp4", seconds=2)
    ffmpeg("-i", plain, "-c", "copy", "-metadata", f"title={title}", tmp_path / "tagged.mp4")
    expected = VideoInfo(
        2.0, 0.0, 320, 240, Fraction(30), "h264", has_audio=True, rotation=0,
        video_duration=Fraction(2), channels=1, sample_rate=44100,
    )  # fmt: skip
    assert probe(plain) == probe(tmp_path / "tagged.mp4") == expected


def test_tags_that_are_no_text(tmp_path: Path) -> None:
    video = drawn(tmp_path / "v.mp4", "-metadata", "title=four")
    video.write_bytes(video.read_bytes().replace(b"four", b"\xff\xfe\x80\xc3"))
    assert probe(video).width == 64


@pytest.mark.parametrize("degrees", [90, 180, 270])
@pytest.mark.parametrize("size", ["64x48", "16x4096", "4096x16", "2x2"])
def test_width_and_height_as_shown(tmp_path: Path, size: str, degrees: int) -> None:
    video = drawn(tmp_path / "v.mp4", "-c:v", "libx264", size=size, rate="5", seconds=0.4)
    ffmpeg("-i", video, "-c", "copy", "-metadata:s:v", f"rotate={degrees}", tmp_path / "turned.mp4")
    width, height = map(int, size.split("x"))
    info = probe(tmp_path / "turned.mp4")
    assert (info.width, info.height) == ((width, height) if degrees == 180 else (height, width))
    assert info.rotation in (degrees, 360 - degrees)


@pytest.mark.parametrize("ending", ["png", "jpg", "bmp", "tiff", "webp", "gif", "apng", "mp4"])
def test_a_still_picture_is_no_video(tmp_path: Path, ending: str) -> None:
    codec = {"webp": ("-c:v", "libwebp"), "apng": ("-f", "apng")}.get(ending, ())
    still = tmp_path / f"still.{ending}"
    if ending == "mp4":  # as a phone's pictures are
        still.write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heic" + bytes(99))
    else:
        drawn(still, *codec, "-frames:v", "1")
    for name in (still.name, "nameless"):
        video = still.rename(tmp_path / name)
        with pytest.raises(VideoError, match=rf"{name} is a still picture and no video: give an \.mp4"):
            probe(video)
        still = video
