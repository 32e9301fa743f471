"""sound and loudness: what is heard at an instant stands in its row, and where nothing can be heard, none is known."""

import math
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lolhl.errors import ModelError, UsageError
from lolhl.signals import make_track, stored_track
from lolhl.signals.sound import LoudnessSignal, SoundSettings, SoundSignal
from lolhl.signals.source import Source, video_source
from lolhl.stages.download import download
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.stages.track import TrackConfig, track
from lolhl.storage import Root, open_root
from lolhl.tracks.rows import PART
from lolhl.tracks.track import Track
from tests.cli.process import outcome
from tests.servers import set_environ
from tests.servers.seaweedfs import seaweedfs
from tests.sounds import sounding_video
from tests.tracks.made import contents

FPS = Fraction(3)
SINE = "0.5*sin(2*PI*1000*t)"


def sound_of(root: Root, fps: Fraction = FPS, **video: Any) -> Track:
    name = video.pop("name", "v.mp4")
    folder = Path(root.url).parent
    download(root, str(sounding_video(folder / name, **video)))
    return make_track(SoundSignal(fps), video_source(root, "v"), "grid")


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return open_root(str(tmp_path / "root"))


def loud(track: Track) -> list[int]:
    """The instants at which it is loud."""
    window = track.read(0, len(track))
    return np.flatnonzero(window.known & (window.values[:, -2] > -20)).tolist()


@pytest.mark.parametrize("fps", [Fraction(3), Fraction(30000, 1001), Fraction(1, 2), Fraction(60)])
def test_a_tone_stands_at_its_instants(root: Root, fps: Fraction) -> None:
    made = sound_of(root, fps, name="v.mkv", codec="pcm_s16le", seconds=10)
    assert len(made) == -(-10 * fps.numerator // fps.denominator)
    edge = round(0.02 * fps)  # instants without the middle of a window
    assert made.known[edge : len(made) - edge].all()
    tone = [number for number in range(len(made)) if 2 <= number / fps < 3 or 6 <= number / fps < 7]
    if fps > 3:  # a window is longer than an instant, and hears the tone in those beside it
        assert {*tone} <= {*loud(made)} <= {number + step for number in tone for step in (-2, -1, 0, 1, 2)}
    else:
        assert loud(made) == tone


def test_the_band_of_a_sine_is_the_loudest_and_its_level_is_right(root: Root) -> None:
    made = sound_of(root, name="v.mkv", codec="pcm_s16le", sound=SINE)
    values = made.read(0, len(made)).values[5].astype(float)
    means, deviations, highest, loudness = values[:40], values[40:80], values[80:120], values[120:]
    edges = 700 * (
        10 ** (np.linspace(2595 * math.log10(1 + 50 / 700), 2595 * math.log10(1 + 8000 / 700), 42) / 2595) - 1
    )
    assert edges[means.argmax()] < 1000 < edges[means.argmax() + 2]
    assert abs(deviations[means.argmax()]) < 0.1
    np.testing.assert_allclose(highest[means.argmax()], means.max(), atol=0.2)
    # A sine of amplitude 0.5 has -9.03 dB. K-weighting adds some 0.7 dB at 1 kHz (which BS.1770 takes off again).
    np.testing.assert_allclose(loudness, -9.03 + 0.7, atol=0.2)


def test_loudness_is_what_ffmpeg_measures_but_for_a_constant(root: Root) -> None:
    """EBU R 128 of ffmpeg, over 400 ms, of noises that have a level and a colour each."""
    noises = "+".join(f"between(t,{at},{at + 2})*{level}*(random(0)-0.5)" for at, level in ((0, 1), (2, 0.1), (4, 0.4)))
    made = sound_of(root, name="v.mkv", codec="pcm_s16le", layout="mono", sound=noises, seconds=6)
    command = ["ffmpeg", "-v", "error", "-i", str(Path(root.url).parent / "v.mkv")]
    command += ["-af", "ebur128=metadata=1,ametadata=print:key=lavfi.r128.M:file=-", "-f", "null", "-"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    momentary = np.array([float(line.split("=")[1]) for line in lines if "r128.M" in line])  # one each 100 ms
    expected = momentary[[11, 31, 51]]  # from 0.8 to 1.2 s …
    loudness = made.read(0, len(made)).values[[3, 9, 15], -2].astype(float)
    np.testing.assert_allclose(loudness - 0.691, expected, atol=0.3)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000, 96_000])
@pytest.mark.parametrize("layout", ["mono", "5.1"])
def test_rates_and_channels_change_little(root: Root, rate: int, layout: str) -> None:
    made = sound_of(root, name="v.mkv", codec="flac", sound=SINE, rate=rate, layout=layout, seconds=4)
    values = made.read(0, len(made)).values[4].astype(float)
    np.testing.assert_allclose(values[120:], -9.03 + 0.7, atol=0.2)
    assert values[:40].max() == pytest.approx(-10.65, abs=0.1)  # some of it lies in the band beside it


def test_a_short_silence_is_known_and_quiet(root: Root) -> None:
    made = sound_of(root, sound="0", seconds=9.6)
    window = made.read(0, len(made))
    assert window.known.all()
    assert (window.values[:, :40] < -90).all()


@pytest.mark.parametrize(
    ("name", "codec"), [("v.mp4", "aac"), ("v.mkv", "libopus"), ("v.mkv", "libmp3lame"), ("v.mkv", "libvorbis")]
)
def test_a_long_silence_is_a_muted_one(root: Root, name: str, codec: str) -> None:
    """Of no length that a pause has. The other silences here last 4 s."""
    sound = "0.5*sin(2*PI*1000*t)*(between(t,4,5)+between(t,9,10)+between(t,25,26))"
    made = sound_of(root, name=name, codec=codec, sound=sound, seconds=30)
    muted = np.flatnonzero(~made.known[:90]) / 3
    assert muted.min() == pytest.approx(10, abs=0.7)  # until the codec has no echo of the tone
    assert muted.max() == pytest.approx(24.7, abs=0.7)
    assert len(muted) == pytest.approx(45, abs=3)


@pytest.mark.parametrize(("level", "known"), [(2**-12, True), (2**-15, False)], ids=["a quiet room", "dithered"])
def test_noise_is_no_silence(root: Root, level: float, known: bool) -> None:
    """The least step of 16 bits is 2 ** -15: that is how far dither moves a sample."""
    made = sound_of(root, name="v.mkv", codec="pcm_s16le", sound=f"{2 * level}*(random(0)-0.5)", seconds=20)
    assert made.known.tolist() == [known] * 60


def test_a_silence_over_the_borders_of_parts_is_one(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of 8.5 s at 240 fps lies within it, and less than 10 s of it in those beside. The other lasts 4 s."""
    fps = Fraction(240)
    length = PART / 240
    sound = f"0.5*random(0)*(1-between(t,{length - 1},{2 * length + 1.5})-between(t,{3 * length - 2},{3 * length + 2}))"
    made = sound_of(root, fps, name="v.mkv", codec="pcm_s16le", sound=sound, seconds=3.5 * length)
    assert len(made.parts) == 4
    known = made.known
    muted = np.flatnonzero(~known[10:-10]) / 240  # but for the edges, which hold no window
    assert (muted.min(), muted.max()) == pytest.approx((length - 1, 2 * length + 1.5), abs=0.1)
    assert len(muted) == pytest.approx(240 * (length + 2.5), abs=20)
    whole = contents(root)
    gone = [key for key in whole if key.endswith("track.json") or "part-00000001" in key]
    assert len(gone) == 2
    for key in gone:
        root.delete(key)
    make_track(SoundSignal(fps), video_source(root, "v"), "grid")
    assert contents(root) == whole
    monkeypatch.setattr("lolhl.vod.sound.SoundReader.can_seek", lambda _: False)  # all in one
    for key in whole:
        root.delete(key)
    again = make_track(SoundSignal(fps), video_source(root, "v"), "grid")
    np.testing.assert_array_equal(again.known, known)


@pytest.mark.parametrize(
    ("video", "known"),
    [
        ({"sound": None}, (0, 0)),
        ({"sound_seconds": 5.0}, (0, 15)),
        ({"sound_seconds": 14.0}, (0, 30)),
        ({"offset": 3.0, "name": "v.mkv", "codec": "pcm_s16le"}, (9, 30)),
        ({"offset": 3.0, "name": "v.ts"}, (9, 30)),
    ],
    ids=str,
)
def test_instants_without_sound_are_not_known(root: Root, video: dict[str, Any], known: tuple[int, int]) -> None:
    made = sound_of(root, **video)
    assert len(made) == 30
    numbers = np.arange(30)
    expected = (numbers >= known[0]) & (numbers < known[1])
    np.testing.assert_array_equal(made.known, expected)
    window = made.read(0, 30)
    np.testing.assert_array_equal(window.known, expected)
    assert (window.values[~expected] == 0).all()
    assert np.isnan(made[np.arange(30)][~expected]).all()
    assert made.made.result.unknown == (~expected).sum()


def test_gaps_are_not_known(root: Root) -> None:
    made = sound_of(root, name="v.mkv", codec="pcm_s16le", filters="aselect='not(between(t,4,6))'")
    assert np.flatnonzero(~made.known).tolist() == [12, 13, 14, 15, 16, 17]
    assert loud(made) == [6, 7, 8, 18, 19, 20]


def test_loudness_is_that_of_the_sound_whether_or_not_that_is_stored(root: Root) -> None:
    download(root, str(sounding_video(Path(root.url).parent / "v.mp4", sound_seconds=8)))
    source = video_source(root, "v")
    alone = make_track(LoudnessSignal(FPS), source, "grid").made.result
    stored = contents(root)
    sound = make_track(SoundSignal(FPS), source, "grid")
    for key in stored:
        root.delete(key)
    after = make_track(LoudnessSignal(FPS), source, "grid")
    assert after.made.result == alone
    assert {key: digest for key, digest in contents(root).items() if "loudness" in key} == stored
    numbers = np.arange(30)
    np.testing.assert_array_equal(after[numbers], sound[numbers][:, -2:])


@pytest.mark.parametrize("name", ["v.mp4", "v.flv"])
def test_what_was_killed_goes_on_to_the_same_bytes(root: Root, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three parts at 240 fps, of a noise that decoders themselves make a part of (AAC's noise substitution)."""
    fps = Fraction(240)
    seconds = 2.5 * PART / 240
    rate = {"v.mp4": 48_000, "v.flv": 44_100}[name]
    noise = "random(0)*(0.2+0.1*sin(t))"
    whole = sound_of(root, fps, name=name, sound=noise, rate=rate, seconds=seconds)
    assert len(whole.parts) == 3
    expected = contents(root)
    manifest_key = next(key for key in expected if key.endswith("track.json"))
    parts = sorted(key for key in expected if "/part-" in key)
    for gone in ([1, 2], [2], [0], [1]):
        root.delete(manifest_key)
        for number in gone:
            root.delete(parts[number])
        make_track(SoundSignal(fps), video_source(root, "v"), "grid")
        assert contents(root) == expected
    monkeypatch.setattr("lolhl.vod.decode.cores", lambda: 5)
    for key in expected:
        root.delete(key)
    make_track(SoundSignal(fps), video_source(root, "v"), "grid")
    assert contents(root) == expected


def test_a_killed_process_leaves_what_another_ends(root: Root) -> None:
    """It is killed as soon as it has stored a part."""
    video = sounding_video(Path(root.url).parent / "v.mp4", seconds=2.5 * PART / 240)
    download(root, str(video))
    shutil.copytree(root.url, Path(root.url).parent / "other")
    other = open_root(str(Path(root.url).parent / "other"))
    words = ["track", "v", "--signal", "sound", "--fps", "240"]
    killer = (
        "import os, signal, sys; from lolhl.tracks import filling; from lolhl.cli import main\n"
        "write = filling._Writer._write\n"
        "def killed(*args): write(*args); os.kill(os.getpid(), signal.SIGKILL)\n"
        "filling._Writer._write = killed; main(sys.argv[1:])"
    )
    done = subprocess.run([sys.executable, "-c", killer, *words, "--root", root.url], capture_output=True, check=False)
    assert done.returncode == -9
    left = contents(root)
    assert len(left) == 1
    config = TrackConfig(signal="sound", fps=Fraction(240))
    track(root, "v", config)
    track(other, "v", config)
    assert contents(root) == contents(other)
    assert left.items() <= contents(root).items()


@pytest.mark.slow
def test_a_bucket_holds_the_same(root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    video = sounding_video(tmp_path / "v.mp4", seconds=10)
    with seaweedfs(tmp_path / "weed") as server:
        set_environ(monkeypatch, server.environ)
        monkeypatch.setenv("LOLHL_CACHE", str(tmp_path / "cache"))
        bucket = open_root(f"s3://{server.bucket}/data")
        for place in (root, bucket):
            download(place, str(video))
            track(place, "v", TrackConfig(signal="sound"))
        assert contents(bucket) == contents(root)


def test_the_verb_lists_them_and_stores_them(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    download(root, str(sounding_video(Path(root.url).parent / "v.mp4")))
    for signal in ("sound", "loudness"):
        code, out, _ = outcome(capsys, ["track", "v", "--signal", signal, "--root", root.url])
        assert (code, f"signal {signal}, version 2" in out) == (0, True)
    with pytest.raises(UsageError, match=r"there are pictures, sound, loudness"):
        track(root, "v", TrackConfig(signal="smell"))


def test_frames_alone_have_no_sound(root: Root) -> None:
    download(root, str(sounding_video(Path(root.url).parent / "v.mp4")))
    extract(root, "v", ExtractConfig(size=32))
    assert track(root, "v", TrackConfig(signal="sound", size=32)).result.source == "video"
    with pytest.raises(UsageError, match="--source frames: signal sound is measured without pictures"):
        track(root, "v", TrackConfig(signal="sound", size=32, source="frames"))
    from lolhl.frames.frameset import FrameSet
    from lolhl.signals.source import FrameSource

    frames: Source = FrameSource(FrameSet.load(root, "v", ExtractConfig(size=32).spec))
    with pytest.raises(ModelError, match="frames hold pictures and no sound: use --source video"):
        make_track(SoundSignal(FPS), frames, "grid")


def test_other_settings_are_another_track(root: Root) -> None:
    made = sound_of(root)
    source = video_source(root, "v")
    other = SoundSignal(FPS, SoundSettings(bands=20))
    assert stored_track(other, source, "grid") is None
    assert make_track(other, source, "grid").made.result.width == 62
    assert stored_track(SoundSignal(FPS), source, "grid") is not None
    assert made.made.result.width == 122
