"""Sound comes at exact times, whatever the container, the codec and the rate."""

from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from lolhl.vod.sound import Samples, SoundReader
from tests.sounds import sounding_video


def listen(video: Path, start: float = 0.0, stop: float = 1e6) -> list[Samples]:
    with closing(SoundReader(video)) as reader:
        return list(reader.samples(start, stop))


def pictures_begin(video: Path) -> float:
    """When the first picture is on screen: where sound begins earlier, time 0 is earlier too."""
    with av.open(str(video)) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        return float((stream.start_time or 0) * stream.time_base) - (container.start_time or 0) / av.time_base


def onsets(pieces: list[Samples]) -> list[float]:
    """When it gets loud, in seconds."""
    times = np.concatenate([np.arange(piece.first, piece.stop) / piece.rate for piece in pieces])
    loud = times[np.abs(np.concatenate([piece.values for piece in pieces])) > 0.1]
    return [float(time) for time in loud[np.diff(loud, prepend=-1) > 0.5]]


@pytest.mark.parametrize(
    ("name", "sound"),
    [
        ("v.mp4", {}),
        ("v.mp4", {"layout": "mono", "rate": 44_100}),
        ("v.mp4", {"layout": "5.1"}),
        ("v.mp4", {"rate": 8_000, "layout": "mono"}),
        ("v.mp4", {"rate": 96_000}),
        ("v.mp4", {"offset": 1.5}),
        # These name no priming of their encoders, so that players too play the sound that much later.
        ("v.mp4", {"options": ("-movflags", "frag_keyframe+empty_moov"), "late": 1024 / 48_000}),
        ("v.avi", {"codec": "libmp3lame", "rate": 44_100, "late": 1105 / 44_100}),
        ("v.ts", {}),
        ("v.ts", {"codec": "mp2"}),
        ("v.ts", {"offset": 2.0, "rate": 32_000}),
        ("v.mkv", {"codec": "libopus", "late": -0.0135}),  # FFmpeg's muxer and demuxer disagree by the priming
        ("v.mkv", {"codec": "flac", "rate": 96_000, "layout": "5.1"}),
        ("v.mkv", {"codec": "pcm_u8", "rate": 22_050}),
        ("v.mkv", {"codec": "pcm_s16le", "offset": -0.4}),
        ("v.mkv", {"codec": "pcm_s24le", "offset": 0.7}),
        ("v.mkv", {"codec": "libvorbis"}),
        ("v.flv", {"rate": 44_100}),
        ("v.flv", {"codec": "libmp3lame", "rate": 44_100}),
    ],
    ids=str,
)
def test_a_tone_is_heard_when_it_sounds(tmp_path: Path, name: str, sound: dict[str, Any]) -> None:
    late = sound.get("late", 0.0)
    video = sounding_video(tmp_path / name, **{key: value for key, value in sound.items() if key != "late"})
    begin = pictures_begin(video) + sound.get("offset", 0.0)
    pieces = listen(video)
    assert onsets(pieces) == pytest.approx([begin + 2 + late, begin + 6 + late], abs=0.006)
    assert {piece.rate for piece in pieces} == {sound.get("rate", 48_000)}
    assert all(piece.values.dtype == np.float32 for piece in pieces)
    assert max(float(np.abs(piece.values).max()) for piece in pieces) == pytest.approx(0.5, abs=0.07)
    assert all(before.stop == after.first for before, after in pairwise(pieces))
    assert pieces[0].first / pieces[0].rate == pytest.approx(max(0.0, begin), abs=0.035)


@pytest.mark.parametrize(("name", "codec"), [("v.mp4", "aac"), ("v.ts", "aac"), ("v.mkv", "libopus"), ("v.flv", "aac")])
def test_a_part_has_the_samples_of_the_whole(tmp_path: Path, name: str, codec: str) -> None:
    rate = 44_100 if name == "v.flv" else 48_000
    video = sounding_video(tmp_path / name, seconds=40, codec=codec, rate=rate)
    whole = listen(video)
    times = np.concatenate([np.arange(piece.first, piece.stop) for piece in whole])
    values = np.concatenate([piece.values for piece in whole])
    for start, stop in ((0.0, 3.0), (17.9, 18.7), (33.5, 100.0)):
        pieces = listen(video, start, stop)
        numbers = np.concatenate([np.arange(piece.first, piece.stop) for piece in pieces])
        inside = (times >= round(start * rate)) & (times < round(stop * rate))
        np.testing.assert_allclose(numbers[[0, -1]], times[inside][[0, -1]], atol=rate / 1000 if name == "v.mkv" else 0)
        assert onsets(pieces) == pytest.approx([time for time in onsets(whole) if start <= time < stop], abs=0.0015)
        if name != "v.mkv":  # which rounds to milliseconds, and so has other samples by a part of one
            np.testing.assert_allclose(np.concatenate([piece.values for piece in pieces]), values[inside], atol=2e-3)
        again = listen(video, start, stop)
        assert [piece.values.tobytes() for piece in again] == [piece.values.tobytes() for piece in pieces]


def test_a_gap_has_no_samples(tmp_path: Path) -> None:
    video = sounding_video(tmp_path / "v.mkv", codec="pcm_s16le", filters="aselect='not(between(t,4,6))'")
    before, after = (listen(video, 0, 5), listen(video, 5, 11))
    assert before[-1].stop / before[-1].rate == pytest.approx(4, abs=0.03)
    assert after[0].first / after[0].rate == pytest.approx(6, abs=0.03)
    assert onsets([*before, *after]) == pytest.approx([2, 6], abs=0.03)


def test_a_video_without_sound_has_no_samples(tmp_path: Path) -> None:
    video = sounding_video(tmp_path / "v.mp4", sound=None)
    with closing(SoundReader(video)) as reader:
        assert not reader.has_sound
        assert not list(reader.samples(0, 100))


def test_damaged_packets_are_left_out(tmp_path: Path) -> None:
    video = sounding_video(tmp_path / "v.ts", seconds=20)
    data = bytearray(video.read_bytes())
    middle = len(data) // 2 // 188 * 188
    data[middle : middle + 188 * 40] = bytes(188 * 40)
    video.write_bytes(data)
    pieces = listen(video)
    assert onsets(pieces)[0] == pytest.approx(pictures_begin(video) + 2, abs=0.01)
    assert onsets(pieces)[-1] == pytest.approx(pictures_begin(video) + 18, abs=0.01)
