"""motion: what differs from picture to picture, from a video and from frames, whole and by parts."""

import subprocess
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from lolhl.frames.frameset import FrameSet
from lolhl.signals import make_track
from lolhl.signals.motion import MotionSignal, differences, small_grey
from lolhl.signals.source import FrameSource, Source, video_source
from lolhl.stages.download import download
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.storage import Root, open_root
from lolhl.tracks.filling import Gap, Taken
from lolhl.tracks.recipe import Layout

VIEW = ExtractConfig(size=64).view


@pytest.fixture
def root(tmp_path: Path) -> Root:
    """VOD v, 12 s: a still picture, from 4 s on another one, and noise from 8 s on."""
    root, video = open_root(str(tmp_path / "root")), tmp_path / "v.mkv"
    parts = ("color=black", "color=white", "nullsrc,geq=random(1)*255:128:128")
    command = ["ffmpeg", "-v", "error"]
    for part in parts:
        source, _, rest = part.partition(",")
        mark = "" if "=" not in source else ":"
        command += ["-f", "lavfi", "-i", f"{source}{mark or '='}s=64x64:r=15:d=4{',' + rest if rest else ''}"]
    command += ["-filter_complex", "[0][1][2]concat=n=3,format=yuv420p", "-c:v", "libx264", "-qp", "8", "-g", "15"]
    subprocess.run([*command, "-preset", "ultrafast", str(video)], check=True)
    download(root, str(video))
    return root


def source(root: Root, kind: str, layout: Layout) -> Source:
    if kind == "video":
        return video_source(root, "v", "cpu")
    mode: Literal["grid", "scan"] = layout
    extract(root, "v", ExtractConfig(size=64, mode=mode))
    return FrameSource(FrameSet.load(root, "v", ExtractConfig(size=64, mode=mode).spec))


@pytest.mark.parametrize("kind", ["video", "frames"])
def test_still_pictures_do_not_move_and_cuts_and_noise_do(root: Root, kind: str) -> None:
    made = make_track(MotionSignal(VIEW), source(root, kind, "grid"), "grid")
    moved, cut = made.read(0, len(made)).values.T.astype(float)
    assert len(made) == 36
    assert made.known.all()
    still = np.r_[0:12, 13:24]
    assert (moved[still] < 0.01).all()
    assert moved[12] > 0.8
    assert (moved[25:] > 0.05).all()
    assert (cut[12], cut[0]) == (1, 0)
    assert (cut[25:] < 0.5).all()


@pytest.mark.parametrize("kind", ["video", "frames"])
@pytest.mark.parametrize("layout", ["grid", "scan"])
def test_the_rows_of_gaps_are_those_of_the_whole(root: Root, kind: str, layout: Layout) -> None:
    signal, measured = MotionSignal(VIEW), source(root, kind, layout)
    rows = list(signal.measure(measured, layout, Gap(0, None)))
    times, values = (np.concatenate([getattr(some, name) for some in rows]) for name in ("times", "values"))
    for first, stop in ((0, 4), (1, 5), (5, None), (len(times), None)):
        before = None if stop is None else times[stop]
        gap = Gap(first, stop, times[first - 1] if first else -1.0, before)
        some = list(Taken(signal.measure(measured, layout, gap)))
        assert [time for part in some for time in part.times.tolist()] == times[first:stop].tolist()
        if some:
            np.testing.assert_array_equal(np.concatenate([part.values for part in some]), values[first:stop])


def test_the_range_of_values() -> None:
    black, white = np.zeros((1, 100, 100, 3), np.uint8), np.full((1, 100, 100, 3), 255, np.uint8)
    grey = small_grey(np.concatenate([black, white]))
    assert grey.shape == (2, 33, 33)
    assert (grey.min(), grey.max()) == (0, 255)
    assert differences(grey[:1], grey).tolist() == [[0, 0], [1, 1]]
