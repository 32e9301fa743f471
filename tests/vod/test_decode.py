"""Frame k shows the picture on screen at k / fps, whatever the video is like."""

import math
import shutil
import subprocess
from contextlib import closing
from fractions import Fraction
from itertools import zip_longest
from pathlib import Path

import numpy as np
import pytest

from lolhl.errors import UsageError, VideoError
from lolhl.vod import cpu, cuda
from lolhl.vod.decode import Ending, View, choose_decoder, decode, scan, stills
from lolhl.vod.probe import probe
from tests.videos import numbered_video, read_number

THREE = View(Fraction(3), 224, "crop")


def numbers(video: Path, view: View = THREE, first: int = 0) -> list[int]:
    return [read_number(picture) for picture in decode(video, view, first=first)]


def expected(count: int, fps: Fraction, view: View = THREE, late: float = 0.0) -> list[int]:
    """The picture on screen at each instant, for a video whose first picture is shown at `late` seconds."""
    on_screen = (math.floor((Fraction(k) / view.fps - Fraction(late)) * fps + Fraction(1, 10**6)) for k in range(count))
    return [max(0, number) for number in on_screen]


@pytest.mark.parametrize(
    "fps", [Fraction(30), Fraction(60), Fraction(25), Fraction(30000, 1001), Fraction(60000, 1001)]
)
@pytest.mark.parametrize("ending", ["mp4", "ts", "mkv"])
def test_each_frame_is_the_picture_on_screen(tmp_path: Path, fps: Fraction, ending: str) -> None:
    video = numbered_video(tmp_path / f"v.{ending}", seconds=8, fps=fps, sound=False)
    length = round(8 * fps) / fps
    result, exact = numbers(video), expected(math.ceil(length * 3), fps)
    assert len(result) in (len(exact), len(exact) + (ending == "mkv"))
    # Matroska rounds times to the millisecond: a picture may come that much after its instant.
    assert all(a == b or (ending == "mkv" and a == b - 1) for a, b in zip(result, exact, strict=False))


@pytest.mark.parametrize("rate", ["1/2", "1", "7/2", "10", "30000/1001"])
def test_other_grids(tmp_path: Path, rate: str) -> None:
    view = View(Fraction(rate), 96, "crop")
    video = numbered_video(tmp_path / "v.mp4", seconds=8, sound=False)
    assert numbers(video, view) == expected(math.ceil(8 * view.fps), Fraction(30), view)


@pytest.mark.parametrize("offset", ["1.4", "3.7", "3600"])
@pytest.mark.parametrize("ending", ["mp4", "ts"])
def test_time_starts_where_the_file_starts(tmp_path: Path, offset: str, ending: str) -> None:
    video = numbered_video(tmp_path / f"v.{ending}", seconds=8, sound=False, options=("-output_ts_offset", offset))
    assert numbers(video) == expected(24, Fraction(30))


def test_a_picture_that_comes_after_the_sound(tmp_path: Path) -> None:
    plain = numbered_video(tmp_path / "plain.mp4", seconds=8)
    late = tmp_path / "late.mkv"
    command = ["ffmpeg", "-v", "error", "-itsoffset", "1.5", "-i", str(plain), "-i", str(plain)]
    subprocess.run([*command, "-map", "0:v", "-map", "1:a", "-c", "copy", "-copyts", str(late)], check=True)
    start = probe(late).start_time
    shown = float(subprocess.check_output(
        ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "stream=start_time", "-of", "csv=p=0", late]
    )) - start  # fmt: skip
    assert shown > 1
    assert numbers(late)[:20] == expected(20, Fraction(30), late=shown)


def test_variable_frame_rate(tmp_path: Path) -> None:
    steady = numbered_video(tmp_path / "steady.mp4", seconds=12, sound=False)
    video = tmp_path / "vfr.mp4"
    # Of the pictures from 2 s to 5 s all but the first are gone; those from 8 s on come every 100 ms.
    keep = "select='not(between(t,2.01,4.99))*not(gt(t,8.01)*mod(n,3))'"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", steady, "-vf", keep, "-fps_mode", "vfr", "-c:v", "libx264", video], check=True
    )
    result = numbers(video)
    shown = expected(36, Fraction(30))
    assert result[:6] == shown[:6]
    assert result[6:15] == [60] * 9  # the picture of 2.0 s stays on screen
    assert result[15:24] == shown[15:24]
    assert result[24:] == [n // 3 * 3 for n in shown[24:]]


@pytest.mark.parametrize("first", [1, 5, 13, 14, 20, 33, 47])
@pytest.mark.parametrize("ending", ["mp4", "ts"])
def test_going_on_in_the_middle_gives_the_same_pictures(tmp_path: Path, ending: str, first: int) -> None:
    video = numbered_video(tmp_path / f"v.{ending}", seconds=16, fps=Fraction(30000, 1001), gop=3)
    whole = list(decode(video, THREE))
    rest = list(decode(video, THREE, first=first))
    assert len(rest) == len(whole) - first
    assert all(np.array_equal(a, b) for a, b in zip(rest, whole[first:], strict=True))


def test_going_on_where_one_picture_stands_for_long(tmp_path: Path) -> None:
    video = numbered_video(tmp_path / "slow.mp4", seconds=120, fps=Fraction(1, 15), gop=15, sound=False)
    assert numbers(video, first=50) == numbers(video)[50:]


@pytest.mark.parametrize("ending", ["mp4", "ts", "mkv"])
@pytest.mark.parametrize("fps", [Fraction(30), Fraction(60000, 1001)])
def test_parts_side_by_side_give_the_same_pictures(tmp_path: Path, ending: str, fps: Fraction) -> None:
    video = numbered_video(tmp_path / f"v.{ending}", seconds=150, fps=fps, size=(64, 64), gop=2.1, sound=False)
    view = View(Fraction(3), 64, "squeeze")
    one, three = (list(decode(video, view, workers=n)) for n in (1, 3))
    assert len(one) == len(three) == math.ceil(round(150 * fps) / fps * 3)
    assert all(np.array_equal(a, b) for a, b in zip(one, three, strict=True))
    assert [read_number(p) for p in one] == pytest.approx(expected(len(one), fps), abs=1 if ending == "mkv" else 0)


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-x264-params", "open-gop=1:bframes=8:b-pyramid=normal:keyint=48:min-keyint=48:scenecut=0"),
        ("-c:v", "libx265", "-x265-params", "log-level=error:bframes=4:keyint=50:open-gop=1"),
        ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "60"),
        ("-c:v", "mpeg4", "-bf", "2", "-g", "30"),
        ("-movflags", "frag_keyframe+empty_moov"),
    ],
)
@pytest.mark.parametrize("cut", [False, True])
def test_readers_of_one_file_do_not_disturb_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cut: bool, options: tuple[str, ...]
) -> None:
    """Also where the video was cut without encoding: its first pictures are there, but not to be shown."""
    video = numbered_video(tmp_path / "v.mp4", seconds=12, fps=Fraction(25), size=(128, 128), options=options)
    if cut:
        whole, video = video, tmp_path / "cut.mp4"
        subprocess.run(["ffmpeg", "-v", "error", "-ss", "2.6", "-i", whole, "-c", "copy", video], check=True)
    view = View(Fraction(3), 64, "squeeze")
    with closing(cpu.Reader(video, view)) as reader:
        alone = [list(reader.grid(first, None)) for first in (0, 9, 14)]
        times = list(reader.keys(0))
    monkeypatch.setattr(cpu, "_TAKEN", 1)  # so that readers take turns at each packet
    with closing(cpu.Reader(video, view)) as first, closing(cpu.Reader(first, view)) as second:
        third, fourth = cpu.Reader(first, view), cpu.Reader(second, view)
        turns = zip_longest(first.grid(0, None), second.grid(9, None), third.grid(14, None), fourth.keys(0))
        together = [[item for item in items if item is not None] for items in zip(*turns, strict=True)]
        assert [reader.problem for reader in (first, second, third, fourth)] == [None] * 4
    for one, other in zip(alone, together[:3], strict=True):
        assert len(one) > 10
        assert [read_number(p) for p in one] == [read_number(p) for p in other]
        assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert [time for time, _ in times] == [time for time, _ in together[3]]
    assert all(np.array_equal(a, b) for (_, a), (_, b) in zip(times, together[3], strict=True))


def test_an_mp4_is_opened_once_for_all_threads(tmp_path: Path) -> None:
    """FFmpeg holds the whole index of each one that is open in memory."""
    video = numbered_video(tmp_path / "v.mp4", seconds=200, fps=Fraction(10), size=(64, 64), sound=False)
    view = View(Fraction(3), 64, "squeeze")
    for pictures in (decode(video, view, workers=3), scan(video, view, workers=3)):
        next(pictures)
        opened = [str(file.readlink()) for file in Path("/proc/self/fd").iterdir() if file.is_symlink()]
        assert opened.count(str(video)) == 1
        assert len(list(pictures)) > 90


@pytest.mark.parametrize(("first", "stop"), [(0, 1), (7, 20), (179, 182), (180, 240), (430, 999), (5, 5)])
@pytest.mark.parametrize("ending", ["mp4", "ts"])
def test_a_stretch_is_the_same_as_in_the_whole(tmp_path: Path, ending: str, first: int, stop: int) -> None:
    video = numbered_video(tmp_path / f"v.{ending}", seconds=150, size=(64, 64), gop=3, sound=False)
    view = View(Fraction(3), 64, "squeeze")
    result = [read_number(p) for p in decode(video, view, first=first, stop=stop)]
    assert result == expected(450, Fraction(30))[first:stop]


@pytest.mark.parametrize(
    "codec",
    [
        ("libx264", "-x264-params", "open-gop=1:bframes=3:keyint=48:min-keyint=48:scenecut=0"),
        ("libx264", "-x264-params", "bframes=8:b-pyramid=normal:ref=6:keyint=40"),
        ("libx264", "-x264-params", "intra-refresh=1:keyint=30:bframes=0"),
        ("libx264", "-bf", "0", "-g", "9999"),
        ("libx265", "-x265-params", "log-level=error:bframes=4:keyint=50:open-gop=1"),
        ("libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "60"),
        ("mpeg4", "-bf", "2", "-g", "30"),
    ],
)
@pytest.mark.parametrize("ending", ["mp4", "ts", "mkv"])
def test_other_codecs_and_ways_to_refer_to_pictures(tmp_path: Path, ending: str, codec: tuple[str, ...]) -> None:
    if ending == "ts" and codec[0] == "libvpx-vp9":
        pytest.skip("MPEG-TS does not hold it")
    video = numbered_video(
        tmp_path / f"v.{ending}", seconds=21, fps=Fraction(25), size=(128, 128), sound=False, options=("-c:v", *codec)
    )
    for view in (View(Fraction(3), 64, "squeeze"), View(Fraction(1, 4), 64, "squeeze")):
        exact = expected(math.ceil(21 * view.fps), Fraction(25), view)
        for first in (0, len(exact) // 2):
            result = [read_number(p) for p in decode(video, view, first=first)][: len(exact) - first]
            assert all(
                a - b in ((0, 1) if ending == "mkv" else (0,)) for a, b in zip(exact[first:], result, strict=True)
            )


@pytest.mark.parametrize("ending", ["avi", "flv", "h264", "mov"])
def test_other_containers(tmp_path: Path, ending: str) -> None:
    made = numbered_video(tmp_path / "v.mp4", seconds=9, fps=Fraction(25), sound=False, options=("-bf", "0"))
    other = tmp_path / f"o.{ending}"
    subprocess.run(["ffmpeg", "-v", "error", "-i", made, "-c", "copy", other], check=True)
    result, exact = numbers(other), expected(27, Fraction(25))
    assert len(result) in (27, 28)
    assert all(a - b in (0, 1) for a, b in zip(exact, result, strict=False))


def test_a_stream_that_shows_up_on_the_way_costs_no_picture(tmp_path: Path) -> None:
    """The head of a .flv tells that it has no sound, which comes all the same after twenty seconds."""
    pictures = numbered_video(tmp_path / "v.mp4", seconds=30, fps=Fraction(15), sound=False, options=("-bf", "0"))
    video = tmp_path / "v.flv"
    inputs = ["-i", str(pictures), "-itsoffset", "20", "-f", "lavfi", "-i", "sine=sample_rate=44100:duration=5"]
    subprocess.run(["ffmpeg", "-v", "error", *inputs, "-c:v", "copy", "-c:a", "libmp3lame", video], check=True)
    data = bytearray(video.read_bytes())
    assert data[4] == 0b101  # pictures and sound
    data[4] = 0b001
    video.write_bytes(data)
    assert all(a - b in (0, 1) for a, b in zip(expected(90, Fraction(15)), numbers(video), strict=True))  # in ms
    assert len(list(scan(video, THREE))) == len(list(scan(pictures, THREE)))
    assert probe(video).duration == pytest.approx(30, abs=0.1)


@pytest.mark.parametrize("ending", ["mp4", "ts", "mkv"])
def test_a_scan_gives_the_key_frames(tmp_path: Path, ending: str) -> None:
    video = numbered_video(tmp_path / f"v.{ending}", seconds=25, fps=Fraction(60), size=(128, 128), gop=2)
    pictures = list(scan(video, THREE))
    assert [time for time, _ in pictures] == pytest.approx(list(range(0, 25, 2)), abs=0.03)  # sound may begin earlier
    assert [read_number(picture) for _, picture in pictures] == list(range(0, 1500, 120))
    assert [time for time, _ in scan(video, THREE, begin=9)] == [time for time, _ in pictures if time >= 9]
    with closing(cpu.Reader(video, THREE)) as reader:
        key_times = reader.key_times(quick=False)
    assert key_times
    assert key_times.gap() == pytest.approx(2, abs=0.05)


def test_a_session_of_ffmpeg_shows_the_same_pictures(tmp_path: Path) -> None:
    """Sessions run on a GPU; but for where they decode, they are the same without."""
    video = numbered_video(tmp_path / "v.ts", seconds=30, fps=Fraction(60000, 1001), size=(426, 240))
    whole = list(decode(video, THREE))
    session = cuda.Session(cpu.Reader(video, THREE), THREE, on_card=False)
    for first, stop in ((0, 20), (20, 60), (60, 200), (90, None)):
        pictures = list(session.grid(first, stop))
        assert session.ended == (stop != 60 and stop != 20)
        assert [read_number(p) for p in pictures] == [read_number(p) for p in whole[first:stop]]
        differences = [np.abs(a.astype(int) - b).mean() for a, b in zip(pictures, whole[first:stop], strict=True)]
        assert max(differences) < 2


def test_odd_sizes_and_rotation(tmp_path: Path) -> None:
    odd = numbered_video(tmp_path / "odd.mp4", seconds=3, size=(321, 201), options=("-pix_fmt", "yuv444p"))
    assert numbers(odd) == expected(9, Fraction(30))
    turned = tmp_path / "turned.mp4"
    upright = numbered_video(tmp_path / "upright.mp4", seconds=3, size=(320, 240))
    subprocess.run(
        ["ffmpeg", "-v", "error", "-display_rotation", "90", "-i", upright, "-c", "copy", turned], check=False
    )
    if not turned.exists():  # ffmpeg 5 writes the flag as metadata
        subprocess.run(
            ["ffmpeg", "-v", "error", "-i", upright, "-c", "copy", "-metadata:s:v", "rotate=90", turned], check=True
        )
    info = probe(turned)
    assert (info.width, info.height) == (240, 320)
    pictures = list(decode(turned, THREE))
    as_ffmpeg = list(cuda.Session(cpu.Reader(turned, THREE), THREE, on_card=False).grid(0, None))
    assert [read_number(p) for p in pictures] != expected(9, Fraction(30))
    assert len(pictures) == len(as_ffmpeg)
    assert max(np.abs(a.astype(int) - b).mean() for a, b in zip(pictures, as_ffmpeg, strict=True)) < 2


@pytest.mark.parametrize("ending", ["mp4", "ts"])
def test_stills_show_what_frames_show_in_their_own_shape(tmp_path: Path, ending: str) -> None:
    video = numbered_video(tmp_path / f"v.{ending}", seconds=20, size=(320, 180), sound=False)
    result = list(stills(video, Fraction(3), [50, 3, 59, 0, 100], 160))
    assert result[4] is None  # after the end
    pictures = [picture for picture in result if picture is not None]
    assert [picture.shape for picture in pictures] == [(90, 160, 3)] * 4
    assert [read_number(picture) for picture in pictures] == [500, 30, 590, 0]


def test_stills_are_upright_and_as_wide_as_shown(tmp_path: Path) -> None:
    upright = numbered_video(tmp_path / "upright.mp4", seconds=1, size=(320, 240))
    turned, oblong = tmp_path / "turned.mp4", tmp_path / "oblong.mp4"
    for options, made in ((("-metadata:s:v", "rotate=90"), turned), (("-aspect", "8:3"), oblong)):
        subprocess.run(["ffmpeg", "-v", "error", "-i", upright, "-c", "copy", *options, made], check=True)
    tall, wide = (next(stills(video, Fraction(3), [1], 120)) for video in (turned, oblong))
    assert tall is not None
    assert wide is not None
    assert (tall.shape, wide.shape) == ((160, 120, 3), (45, 120, 3))
    view = View(Fraction(3), 120, "squeeze")
    frame = next(cuda.Session(cpu.Reader(turned, view), view, on_card=False).grid(1, None))
    assert np.abs(tall[::4, ::3].astype(int) - frame[::3, ::3]).mean() < 12  # turned as ffmpeg turns it


def test_squeeze_keeps_the_borders_and_crop_does_not(tmp_path: Path) -> None:
    video = tmp_path / "bars.mp4"
    draw = "color=black:s=320x180:r=30:d=2,drawbox=x=0:w=40:h=180:color=red:t=fill"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", draw, "-c:v", "libx264", video], check=True)
    squeezed = next(iter(decode(video, View(Fraction(3), 64, "squeeze"))))
    cropped = next(iter(decode(video, View(Fraction(3), 64, "crop"))))
    assert squeezed.shape == cropped.shape == (64, 64, 3)
    assert squeezed[32, 2, 0] > 150
    assert cropped[..., 0].max() < 60


def test_oblong_pixels_keep_their_proportions_when_cropped(tmp_path: Path) -> None:
    video = tmp_path / "anamorphic.mp4"  # 160 × 180 pixels shown as 320 × 180
    draw = "color=black:s=160x180:r=30:d=1,drawbox=x=35:y=0:w=90:h=180:color=white:t=fill,setsar=2"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", draw, "-c:v", "libx264", video], check=True)
    picture = next(iter(decode(video, View(Fraction(3), 90, "crop"))))
    assert picture.min() > 150  # the white square fills the middle


def test_a_file_that_was_cut_off_gives_what_is_readable(tmp_path: Path) -> None:
    whole = numbered_video(tmp_path / "whole.mp4", seconds=20, sound=False, options=("-movflags", "faststart"))
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    result = numbers(cut)
    assert 15 < len(result) < 50
    assert result[:-3] == expected(len(result) - 3, Fraction(30))


def test_no_picture_at_all_is_an_error(tmp_path: Path) -> None:
    sound = tmp_path / "sound.mp4"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=d=1", sound], check=True)
    with pytest.raises(VideoError, match=r"sound\.mp4"):
        next(iter(decode(sound, THREE)))
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    with pytest.raises(VideoError, match=r"text\.mp4"):
        next(iter(decode(text, THREE)))
    with pytest.raises(VideoError, match="is no video"):
        probe(text)


def test_the_reader_may_stop_early(tmp_path: Path) -> None:
    video = numbered_video(tmp_path / "v.mp4", seconds=8)
    pictures = decode(video, THREE, ending=Ending())
    next(pictures)
    pictures.close()  # type: ignore[attr-defined]
    assert subprocess.run(["pgrep", "-f", str(video)], check=False, capture_output=True).stdout == b""


def test_a_playlist_cannot_reach_other_files_over_the_network(tmp_path: Path) -> None:
    playlist = tmp_path / "evil.mp4"
    playlist.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(VideoError):
        next(iter(decode(playlist, THREE)))


def test_names_are_no_options(tmp_path: Path) -> None:
    made = numbered_video(tmp_path / "v.mp4", seconds=2)
    for name in ("-i.mp4", "a:b.mp4", "concat:x.mp4", "50%.mp4"):
        odd = tmp_path / name
        shutil.copy(made, odd)
        assert numbers(odd) == [0, 10, 20, 30, 40, 50]
        assert probe(odd).width == 320


def test_without_a_gpu_the_decoder_is_the_cpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = numbered_video(tmp_path / "v.mp4", seconds=1)
    cuda.problem.cache_clear()
    if cuda.problem(video, THREE) is None:
        pytest.skip("there is a GPU here")
    with pytest.raises(UsageError, match="--decoder cpu"):
        choose_decoder(video, "cuda", THREE)
    tried = cuda.problem.cache_info().misses
    monkeypatch.setattr(cuda, "_DEVICES", (str(tmp_path / "no-driver"),))
    assert choose_decoder(numbered_video(tmp_path / "w.mp4", seconds=1), "auto", THREE) == "cpu"
    assert cuda.problem.cache_info().misses == tried  # no process was started
    monkeypatch.setattr(cuda, "_DEVICES", (str(tmp_path),))
    assert choose_decoder(numbered_video(tmp_path / "x.mp4", seconds=1), "auto", THREE) == "cpu"
    assert cuda.problem.cache_info().misses == tried + 1


@pytest.mark.parametrize(
    "fps", [Fraction(25), Fraction(30), Fraction(30000, 1001), Fraction(60000, 1001), Fraction(60)]
)
def test_probe_gives_the_exact_rate(tmp_path: Path, fps: Fraction) -> None:
    info = probe(numbered_video(tmp_path / "v.mp4", seconds=4, fps=fps, size=(426, 240)))
    assert info.fps == fps
    assert (info.width, info.height, info.codec, info.has_audio, info.rotation) == (426, 240, "h264", True, 0)
    assert abs(info.duration - 4) < 0.1
    assert not probe(numbered_video(tmp_path / "s.mp4", seconds=1, sound=False)).has_audio
