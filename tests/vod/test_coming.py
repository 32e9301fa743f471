"""Key frames of segments as they come are those of the whole video, to the last bit."""

import shutil
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from lolhl.vod import decode
from lolhl.vod.coming import Coming
from lolhl.vod.trim import join
from lolhl.vod.view import View
from tests.servers.twitch import rendition
from tests.videos import numbered_video, read_number

VIEW = View(Fraction(3), 64, "crop")


@pytest.fixture(scope="module", params=["h264 at 60", "no sound, at 30000/1001", "timestamps that wrap"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Segments 0.ts to 5.ts, and what they are joined to."""
    folder = tmp_path_factory.mktemp("coming")
    fps, sound = (Fraction(30000, 1001), False) if "sound" in request.param else (Fraction(60), True)
    film = numbered_video(folder / "film.mp4", seconds=24, fps=fps, size=(96, 64), sound=sound)
    rendition(film, folder / "segments", first_stamp=95_430.0 if "wrap" in request.param else 60)
    join(folder / "segments" / "index-dvr.m3u8", folder / "whole.mp4")
    return folder


def segments(folder: Path) -> Iterator[tuple[Path, float]]:
    paths = sorted((folder / "segments").glob("*.ts"), key=lambda path: int(path.stem))
    return ((path, 4.0 * number) for number, path in enumerate(paths))


def check(coming: Coming, folder: Path) -> None:
    wanted = list(decode.scan(folder / "whole.mp4", VIEW))
    found = list(coming.keys(VIEW))
    assert len(wanted) == 12
    assert [time for time, _ in found] == [time for time, _ in wanted]
    for (_, ours), (_, theirs) in zip(found, wanted, strict=True):
        assert np.array_equal(ours, theirs)


def test_the_same_as_of_the_whole(folder: Path) -> None:
    coming = Coming()
    for segment, begin in segments(folder):
        coming.add(segment, begin)
    coming.finish(folder / "whole.mp4")
    check(coming, folder)


def test_they_come_before_the_whole_is_there(folder: Path) -> None:
    coming = Coming()
    for segment, begin in segments(folder):
        coming.add(segment, begin)
    found = list(islice(coming.keys(VIEW), 12))
    assert len({read_number(picture) for _, picture in found}) == 12


@pytest.mark.parametrize("gone", [0, 3])
def test_the_rest_is_taken_from_the_whole(folder: Path, tmp_path: Path, gone: int) -> None:
    coming = Coming()
    for number, (segment, begin) in enumerate(segments(folder)):
        there = Path(shutil.copy(segment, tmp_path))
        if number == gone:
            there.unlink()
        coming.add(there, begin)
    coming.finish(folder / "whole.mp4")
    check(coming, folder)


def test_times_that_are_not_plain_are_those_of_the_whole(folder: Path) -> None:
    coming = Coming()
    for segment, begin in segments(folder):
        coming.add(segment, begin if begin < 8 else begin + 1000)
    coming.finish(folder / "whole.mp4")
    check(coming, folder)


def test_a_whole_that_does_not_come_ends_it(folder: Path) -> None:
    coming = Coming()
    for segment, begin in segments(folder):
        coming.add(segment, begin)
    keys = coming.keys(VIEW)
    next(keys)
    coming.finish(None)
    assert len(list(keys)) == 1  # the other one of the first segment
