"""Key frames of segments as they come are those of the whole video, to the last bit."""

import shutil
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from lolhl.vod import decode
from lolhl.vod.live_key_frames import LiveKeyFrames
from lolhl.vod.trim import join
from lolhl.vod.view import View
from tests.servers.twitch import rendition
from tests.videos import numbered_video, read_number

VIEW = View(Fraction(3), 64, "crop")


@pytest.fixture(scope="module", params=["h264 at 60", "no sound, at 30000/1001", "timestamps that wrap"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Segments 0.ts to 5.ts, and what they are joined to."""
    folder = tmp_path_factory.mktemp("live")
    fps, sound = (Fraction(30000, 1001), False) if "sound" in request.param else (Fraction(60), True)
    film = numbered_video(folder / "film.mp4", seconds=24, fps=fps, size=(96, 64), sound=sound)
    rendition(film, folder / "segments", first_stamp=95_430.0 if "wrap" in request.param else 60)
    join(folder / "segments" / "index-dvr.m3u8", folder / "whole.mp4")
    return folder


def segments(folder: Path) -> Iterator[tuple[Path, float]]:
    paths = sorted((folder / "segments").glob("*.ts"), key=lambda path: int(path.stem))
    return ((path, 4.0 * number) for number, path in enumerate(paths))


def check(key_frames: LiveKeyFrames, folder: Path) -> None:
    whole_keys = list(decode.scan(folder / "whole.mp4", VIEW))
    live_keys = list(key_frames.keys(VIEW))
    assert len(whole_keys) == 12
    assert [time for time, _ in live_keys] == [time for time, _ in whole_keys]
    for (_, live_picture), (_, whole_picture) in zip(live_keys, whole_keys, strict=True):
        assert np.array_equal(live_picture, whole_picture)


def test_the_same_as_of_the_whole(folder: Path) -> None:
    key_frames = LiveKeyFrames()
    for segment, begin in segments(folder):
        key_frames.add(segment, begin)
    key_frames.finish(folder / "whole.mp4")
    check(key_frames, folder)


def test_they_come_before_the_whole_is_there(folder: Path) -> None:
    key_frames = LiveKeyFrames()
    for segment, begin in segments(folder):
        key_frames.add(segment, begin)
    keys = list(islice(key_frames.keys(VIEW), 12))
    assert len({read_number(picture) for _, picture in keys}) == 12


@pytest.mark.parametrize("missing", [0, 3])
def test_the_rest_is_taken_from_the_whole(folder: Path, tmp_path: Path, missing: int) -> None:
    key_frames = LiveKeyFrames()
    for number, (segment, begin) in enumerate(segments(folder)):
        copy = Path(shutil.copy(segment, tmp_path))
        if number == missing:
            copy.unlink()
        key_frames.add(copy, begin)
    key_frames.finish(folder / "whole.mp4")
    check(key_frames, folder)


def test_times_that_are_not_plain_are_those_of_the_whole(folder: Path) -> None:
    key_frames = LiveKeyFrames()
    for segment, begin in segments(folder):
        key_frames.add(segment, begin if begin < 8 else begin + 1000)
    key_frames.finish(folder / "whole.mp4")
    check(key_frames, folder)


def test_a_whole_that_does_not_come_ends_it(folder: Path) -> None:
    key_frames = LiveKeyFrames()
    for segment, begin in segments(folder):
        key_frames.add(segment, begin)
    keys = key_frames.keys(VIEW)
    next(keys)
    key_frames.finish(None)
    assert len(list(keys)) == 1  # the other one of the first segment
