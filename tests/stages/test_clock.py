"""How many instants a video has does not depend on the stage, the mode or the decoder."""

import io
import subprocess
from contextlib import closing
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl
import pytest
import torch

from lolhl.models.image import ImageModel, ImageSettings
from lolhl.models.network import Network
from lolhl.stages.download import download
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.stages.infer import InferConfig, infer
from lolhl.stages.report import ReportConfig, report
from lolhl.storage import Root, open_root
from lolhl.vod import cpu, cuda
from lolhl.vod.decode import Ending, Mode, View, decode, scan, stills
from tests.bundles import store_bundle
from tests.files import stored_bytes
from tests.videos import numbered_video, read_number

VIEW = View(Fraction(3), 64, "squeeze")
GAP = "select='lt(t,3)+gt(t,5)*lt(t,5.05)'"

# What a file is made with, by numbered_video, and how many instants it has at 3 a second.
PLAIN: dict[str, tuple[float, int | Fraction, tuple[str, ...], int | None]] = {
    "ends with B-frames.mp4": (7.0, 30, (), 21),
    "starts late.ts": (7.0, 30, ("-output_ts_offset", "3.7"), 21),
    "wraps.ts": (7.0, 30, ("-output_ts_offset", "95440"), 21),
    "gap.mp4": (6.0, 30, ("-vf", GAP, "-fps_mode", "vfr"), None),
    "gap.mkv": (6.0, 30, ("-vf", GAP, "-fps_mode", "vfr"), None),
    "one.mp4": (1 / 30, 30, (), 1),
    "one.ts": (1 / 30, 30, (), 1),
    "slow.mp4": (60.0, Fraction(1, 10), (), 180),
    "fragments.mp4": (7.0, 30, ("-movflags", "frag_keyframe+empty_moov"), 21),
    "one key frame.mp4": (2.4, 30, ("-g", "9999"), 8),
    "key frames stop.mp4": (9.0, 30, ("-g", "9999", "-force_key_frames", "0,2,4"), 27),
    "no times.avi": (7.0, 30, ("-bf", "2"), None),
    "flash.flv": (7.0, 30, ("-bf", "0"), 21),
    "all key frames.mov": (7.0, 30, ("-g", "1", "-bf", "0"), 21),
}
MADE = {
    "live.mkv": ("ends with B-frames.mp4", ("-live", "1")),
    "edited.mp4": ("ends with B-frames.mp4", ("-ss", "2.6")),
    "slow and edited.mp4": ("slow.mp4", ("-ss", "12")),
}
CUT = {
    "cut.ts": "starts late.ts",
    "cut.mkv": "live.mkv",
    "cut fragments.mp4": "fragments.mp4",
}
SPLICED = "spliced.ts"
SHOWN_LATE = "slow and edited.mp4"  # its edit list hides the first 8 s, which its length counts
ALL = [*PLAIN, *MADE, *CUT, SPLICED, "long sound.mp4", "short sound.ts"]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for name, (seconds, fps, options, _) in PLAIN.items():
        numbered_video(
            folder / name, seconds=seconds, fps=Fraction(fps), size=(64, 64), sound=False, options=tuple(options)
        )
    ffmpeg = ["ffmpeg", "-v", "error", "-nostdin", "-y"]
    for name, (source, options) in MADE.items():
        before = list(options) if options[0] == "-ss" else []
        after = [] if before else list(options)
        command = [*ffmpeg, *before, "-i", str(folder / source), "-c", "copy", *after, str(folder / name)]
        subprocess.run(command, check=True)
    for name, source in CUT.items():
        data = (folder / source).read_bytes()
        (folder / name).write_bytes(data[: len(data) * 2 // 3])
    for name, seconds in (("long sound.mp4", 15), ("short sound.ts", 2)):
        sound = ["-f", "lavfi", "-i", f"sine=duration={seconds}"]
        command = [*ffmpeg, "-i", str(folder / "ends with B-frames.mp4"), *sound, "-c:v", "copy", "-c:a", "aac"]
        subprocess.run([*command, str(folder / name)], check=True)
    parts = [numbered_video(folder / f"part-{part}.ts", seconds=3 + part, size=(64, 64)) for part in range(3)]
    (folder / SPLICED).write_bytes(b"".join(part.read_bytes() for part in parts))
    return folder


@pytest.mark.parametrize("name", ALL)
def test_the_grid_is_as_long_in_all_ways_to_decode(videos: Path, name: str) -> None:
    video = videos / name
    count = len(list(decode(video, VIEW)))
    if name in PLAIN and PLAIN[name][3] is not None:
        assert count == PLAIN[name][3]
    with closing(cuda.Session(cpu.Reader(video, VIEW), VIEW, on_card=False)) as session:
        if name != "no times.avi":
            assert len(list(session.grid(0, None))) == count
    last, after = stills(video, VIEW.fps, [count - 1, count], 64)
    assert last is not None
    assert after is None
    if name not in ("no times.avi", "slow and edited.mp4"):  # those have no key frame with a time
        ending = Ending()
        assert list(scan(video, VIEW, ending=ending))
        assert ending.count(VIEW.fps) == count


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Root:
    """A root with a model m that has learnt nothing."""
    root = open_root(str(tmp_path_factory.mktemp("model")))
    torch.manual_seed(0)
    network = Network("test_resnet")
    network.head = ImageModel(ImageSettings(), {"pictures": network.width})
    store_bundle(root, "m", network, {"fps": "3", "size": 64, "fit": "squeeze"})
    return root


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_the_grid_is_as_long_in_all_stages_and_modes(videos: Path, model: Root, name: str) -> None:
    vod = name.replace(" ", "-").replace(".", "-")
    made = download(model, str(videos / name), name=vod)
    stored: tuple[Literal["grid", "scan"], ...] = ("grid", "scan")
    counts = [extract(model, vod, ExtractConfig(size=64, mode=mode)).result.frames for mode in stored]
    modes: tuple[Literal["auto", "grid", "scan", "refine"], ...] = ("auto", "grid", "scan", "refine")
    counts += [infer(model, "m", vod, InferConfig(source="video", mode=mode)).result.frames for mode in modes]
    assert len(set(counts)) == 1
    end = report(model, vod, ReportConfig(clips="none", threshold=0.01)).result.duration
    assert end <= counts[0] / 3
    assert (
        made.result.duration == 0 or abs(end - made.result.duration) < 1 or name in (*CUT, "long sound.mp4", SHOWN_LATE)
    )


def test_a_spliced_video_is_stored_whole_and_the_user_s_file_stays(videos: Path, tmp_path: Path) -> None:
    root, before = open_root(str(tmp_path / "root")), (videos / SPLICED).read_bytes()
    made = download(root, str(videos / SPLICED))
    assert made.result.duration == pytest.approx(12, abs=0.2)
    pictures = list(decode(root.local(made.result.video), View(Fraction(3), 64, "squeeze")))
    shown = [read_number(picture) for picture in pictures]
    assert [shown[0], shown[-1]] == [0, max(shown)]
    assert sum(later < earlier for earlier, later in pairwise(shown)) == 2
    assert len(shown) in (36, 37)
    assert (videos / SPLICED).read_bytes() == before


def test_a_single_picture_that_starts_late_is_stored_from_its_start_on(tmp_path: Path) -> None:
    root, video = open_root(str(tmp_path / "root")), tmp_path / "single.mkv"
    drawn = ("-f", "lavfi", "-i", "testsrc2=size=64x48:rate=1/2:duration=2", "-output_ts_offset", "3600")
    subprocess.run(["ffmpeg", "-v", "error", *drawn, video], check=True)
    made = download(root, str(video))
    assert made.result.duration == 2
    assert len(list(decode(root.local(made.result.video), View(Fraction(3), 64, "squeeze")))) == 6


def test_a_spliced_video_that_was_stored_before_says_what_is_left_out(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    root = open_root(str(tmp_path / "root"))
    monkeypatch.setattr("lolhl.vod.clock.run_on", lambda *_: None)
    download(root, str(videos / SPLICED))
    modes: tuple[Literal["grid", "scan"], ...] = ("grid", "scan")
    for mode in modes:
        made = extract(root, "spliced", ExtractConfig(size=64, mode=mode)).result
        assert made.truncated
        assert made.frames in (9, 10)
        assert "its timestamps start again after 0:00:03" in caplog.text
        caplog.clear()


def test_refine_sees_what_follows_the_last_key_frame(videos: Path, model: Root) -> None:
    vod = "starved"
    download(model, str(videos / "key frames stop.mp4"), name=vod)
    tables = {}
    modes: tuple[Mode, ...] = ("grid", "refine")
    for mode in modes:
        infer(model, "m", vod, InferConfig(source="video", mode=mode, closer=0.01))
        tables[mode] = stored_bytes(model, f"highlights/{vod}/scores.parquet")
    scores = {mode: pl.read_parquet(io.BytesIO(table))["score"].to_numpy() for mode, table in tables.items()}
    assert np.allclose(scores["refine"][12:], scores["grid"][12:], atol=1e-5)
