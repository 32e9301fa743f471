"""Clips hold the right pictures: each picture of the source carries its own number."""

import itertools
import re
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lolhl.errors import UsageError, VideoError
from lolhl.labels.spans import Span
from lolhl.vod import cut, probe
from lolhl.vod.decode import View, decode
from tests.videos import numbered_video, read_number

SECONDS = 12.0
NTSC = Fraction(30000, 1001)
US = Fraction(1, 1_000_000)  # ffmpeg's own unit of time


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("it's a source")  # the quote must survive ffmpeg's list of clips
    return {
        "mp4": numbered_video(folder / "source.mp4", seconds=SECONDS),
        "ts": numbered_video(folder / "source.ts", seconds=SECONDS, fps=NTSC),
        "mkv": numbered_video(folder / "-source.mkv", seconds=SECONDS),
        "silent": numbered_video(folder / "silent.mp4", seconds=SECONDS, sound=False),
    }


def pictures(video: Path) -> list[tuple[Fraction, int]]:
    """Time and number of each picture. Time 0 is where the first of picture and sound begins."""
    command = ["ffmpeg", "-v", "info", "-nostdin", "-i", str(video), "-map", "0:v", "-fps_mode", "passthrough"]
    command += ["-vf", "showinfo", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "320x240", "pipe:1"]
    if probe.probe(video).has_audio:
        command += ["-map", "0:a", "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    stderr = done.stderr.decode()
    tick = Fraction(re.findall(r"config in time_base: (\d+/\d+)", stderr)[0])
    times = [int(pts) * tick for pts in re.findall(r"n: *\d+ pts: *(\d+) pts_time", stderr)]
    raw = np.frombuffer(done.stdout, dtype=np.uint8).reshape(-1, 240, 320, 3)
    return list(zip(times, [read_number(picture) for picture in raw], strict=True))


@pytest.mark.parametrize("kind", ["mp4", "ts", "mkv", "silent"])
@pytest.mark.parametrize(("start", "stop"), [(0, 2), (3.1, 5.2), (4, 7), (20 / 3, 31 / 3), (11, 12), (11.5, 30)])
def test_an_exact_clip_holds_just_the_pictures_of_the_span(
    sources: dict[str, Path], tmp_path: Path, kind: str, start: float, stop: float
) -> None:
    cut.clip(sources[kind], Span(start, stop), tmp_path / "clip.mp4", exact=True)
    got = pictures(tmp_path / "clip.mp4")
    shown_at = {number: at for at, number in pictures(sources[kind])}
    wanted = [number for number, at in shown_at.items() if Fraction(start) - US < at < Fraction(stop) - US]
    assert [number for _, number in got] == wanted
    assert all(abs(at - (shown_at[n] - start)) < 0.025 for at, n in got)
    assert probe.probe(tmp_path / "clip.mp4").has_audio == (kind != "silent")


@pytest.mark.parametrize("kind", ["mp4", "ts", "mkv", "silent"])
@pytest.mark.parametrize(("start", "stop", "key_frame"), [(0, 2, 0), (3.1, 5.2, 60), (4.5, 7, 120), (11, 12, 300)])
def test_a_copy_starts_at_the_key_frame_before(
    sources: dict[str, Path], tmp_path: Path, kind: str, start: float, stop: float, key_frame: int
) -> None:
    cut.clip(sources[kind], Span(start, stop), tmp_path / "clip.mp4", exact=False)
    numbers = [number for _, number in pictures(tmp_path / "clip.mp4")]
    assert numbers[0] == key_frame
    assert numbers[: round(30 * (stop - key_frame / 30)) - 4] == list(range(key_frame, round(stop * 30) - 4))
    assert abs(numbers[-1] - stop * 30) <= 5  # pictures refer to later ones: a copy ends a few late
    assert probe.probe(tmp_path / "clip.mp4").has_audio == (kind != "silent")


def test_the_key_frame_is_found_however_far_back_it_lies(tmp_path: Path) -> None:
    source = numbered_video(tmp_path / "source.ts", seconds=75, fps=Fraction(4), size=(64, 48), gop=70, sound=False)
    cut.clip(source, Span(69, 72), tmp_path / "clip.mp4", exact=True)
    numbers = [number for _, number in pictures(tmp_path / "clip.mp4")]
    assert numbers == list(range(69 * 4, 72 * 4))
    cut.clip(source, Span(69, 70), tmp_path / "copy.mp4", exact=False)
    assert pictures(tmp_path / "copy.mp4")[0][1] == 0


@pytest.mark.parametrize("kind", ["mp4", "silent"])
@pytest.mark.parametrize("exact", [True, False])
def test_a_reel_is_its_clips_one_after_the_other(
    sources: dict[str, Path], tmp_path: Path, kind: str, exact: bool
) -> None:
    spans = [Span(1, 2.5), Span(4, 5), Span(8.5, 10)]
    clips = [tmp_path / f"it's {n}.mp4" for n in range(len(spans))]
    for span, target in zip(spans, clips, strict=True):
        cut.clip(sources[kind], span, target, exact=exact)
    cut.reel(clips, tmp_path / "reel.mp4")
    parts = [number for one in clips for _, number in pictures(one)]
    reel = pictures(tmp_path / "reel.mp4")
    assert [number for _, number in reel] == parts
    length = sum(probe.probe(one).duration for one in clips)
    assert reel[-1][0] + 1 / 30 == pytest.approx(length, abs=0.1 * len(spans))
    assert all(later - sooner < 0.2 for (sooner, _), (later, _) in itertools.pairwise(reel))


def test_odd_sizes_can_be_encoded(tmp_path: Path) -> None:
    source = tmp_path / "odd.mkv"
    made = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=321x241:duration=2", "-c:v", "ffv1"]
    subprocess.run([*made, str(source)], check=True)
    cut.clip(source, Span(0.5, 1.5), tmp_path / "clip.mp4", exact=True)
    info = probe.probe(tmp_path / "clip.mp4")
    assert (info.width, info.height) == (320, 240)


def test_the_same_clip_gives_the_same_bytes(sources: dict[str, Path], tmp_path: Path) -> None:
    for exact in (True, False):
        for name in ("a.mp4", "b.mp4"):
            cut.clip(sources["mp4"], Span(3, 5), tmp_path / name, exact=exact)
        assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize("exact", [True, False])
def test_what_is_no_video_is_one_line_and_leaves_nothing(tmp_path: Path, exact: bool) -> None:
    source = tmp_path / "source.mp4"
    source.write_bytes(b"no video\n" * 1000)
    with pytest.raises(VideoError) as caught:
        cut.clip(source, Span(0, 1), tmp_path / "clip.mp4", exact=exact)
    assert "\n" not in str(caught.value)
    assert str(source) in str(caught.value)
    assert list(tmp_path.iterdir()) == [source]


def test_an_empty_span_is_refused(sources: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="empty"):
        cut.clip(sources["mp4"], Span(3, 3), tmp_path / "clip.mp4", exact=True)


def test_a_playlist_cannot_reach_the_network(tmp_path: Path) -> None:
    """ffmpeg opens files from strangers: one that names a URL is refused, not fetched."""
    source = tmp_path / "evil.mp4"
    source.write_text("#EXTM3U\n#EXTINF:10,\nhttp://127.0.0.1:9/segment.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(VideoError):
        cut.clip(source, Span(0, 1), tmp_path / "clip.mp4", exact=True)


def test_a_gif_is_cut_by_the_times_that_its_pictures_are_decoded_by(tmp_path: Path) -> None:
    film = tmp_path / "film.gif"  # at 60 pictures a second some stay for 0.02 s, others for 0.01 s
    drawn = "testsrc2=size=64x48:rate=60:duration=4"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", drawn, film], check=True)
    assert len(list(decode(film, View(Fraction(3), 16, "squeeze")))) == 12
    cut.clip(film, Span(1, 3), tmp_path / "clip.mp4", exact=True)
    assert probe.probe(tmp_path / "clip.mp4").duration == pytest.approx(2, abs=0.05)
    assert probe.probe(tmp_path / "clip.mp4").fps == pytest.approx(60, abs=1)


@pytest.mark.parametrize("ending", ["mkv", "mp4"])
def test_an_exact_clip_of_a_gap_shows_the_picture_on_screen(tmp_path: Path, ending: str) -> None:
    gap = ("-vf", "select='lt(t,4)+gt(t,10)'", "-fps_mode", "vfr")
    film = numbered_video(tmp_path / f"gap.{ending}", seconds=SECONDS, options=gap)
    cut.clip(film, Span(6, 9), tmp_path / "clip.mp4", exact=True)
    assert probe.probe(tmp_path / "clip.mp4").duration == pytest.approx(3, abs=0.1)
    assert {number for _, number in pictures(tmp_path / "clip.mp4")} == {119}


@pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
def test_an_exact_clip_behind_the_last_picture_shows_it(tmp_path: Path, ending: str) -> None:
    """Sound may go on where pictures end."""
    numbers, video = numbered_video(tmp_path / "numbers.mp4", seconds=4, sound=False), tmp_path / f"video.{ending}"
    sound = ["-f", "lavfi", "-i", "sine=duration=12"]
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(numbers), *sound, "-c:v", "copy", "-c:a", "aac", str(video)], check=True
    )
    last = pictures(video)[-1][1]
    clips = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    for clip, span in zip(clips, [Span(7, 9), Span(1, 2)], strict=True):
        cut.clip(video, span, clip, exact=True)
    shown = pictures(clips[0])
    assert {number for _, number in shown} == {last}
    assert len(shown) == 20
    cut.reel(clips, tmp_path / "reel.mp4", fade=0.2)
    assert len(pictures(tmp_path / "reel.mp4")) == len(shown) + len(pictures(clips[1]))
