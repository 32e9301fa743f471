"""Shorts of a report: made, kept, and with the channel's camera."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from lolhl import layout, manifest
from lolhl.cli import main
from lolhl.errors import Conflict, StorageError, UsageError, VideoError
from lolhl.results import Report, Shorts
from lolhl.review.places import Place, load_place, save_place
from lolhl.stages.report import ReportConfig, report, report_options
from lolhl.storage import Root, open_root
from lolhl.vod.probe import probe
from lolhl.vod.rendition import Rendition
from tests.stages.report_root import bumps, make_root
from tests.stages.test_report import measured_loudness
from tests.videos import numbered_video

SECONDS = 24
PEAKS = [(6, 0.9, 4), (16, 0.7, 4)]
RED = (210, 30, 40)
CAMERA = "0.8,0,0.2,0.25"
SHORTS = ReportConfig(min_length=2, clips="none", shorts=True, shorts_height=320)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "video.mp4"
    return numbered_video(path, seconds=SECONDS, size=(320, 180), painted={(256, 0, 64, 45): RED})


@pytest.fixture
def root(tmp_path: Path, video: Path) -> Root:
    made = open_root(str(tmp_path / "root"))
    make_root(made, "v1", video, bumps(SECONDS, PEAKS), height=180)
    return made


def load_shorts(root: Root, vod: str = "v1") -> Shorts:
    return manifest.load(root, layout.shorts(vod), Shorts).result


def files(root: Root) -> dict[str, bytes]:
    return {stat.key: root.read(stat.key) for stat in root.list("highlights/v1/")}


def first_picture(root: Root, key: str | None) -> npt.NDArray[np.uint8]:
    with av.open(str(root.local(str(key)))) as container:
        return np.asarray(next(container.decode(video=0)).to_ndarray(format="rgb24"), dtype=np.uint8)


def shows_the_camera(root: Root, key: str | None) -> bool:
    """Whether the upper part is red."""
    return bool((np.abs(first_picture(root, key)[8:56, 8:-8].astype(int) - RED) < 45).all())


def test_each_highlight_becomes_a_short(root: Root) -> None:
    made = report(root, "v1", replace(SHORTS, camera=CAMERA)).result
    assert [highlight.short for highlight in made.highlights] == [
        "highlights/v1/shorts/01.mp4",
        "highlights/v1/shorts/02.mp4",
    ]
    for highlight in made.highlights:
        info = probe(root.local(str(highlight.short)))
        assert (info.width, info.height, info.has_audio) == (180, 320, True)
        assert info.duration == pytest.approx(highlight.stop - highlight.start, abs=0.1)
        assert shows_the_camera(root, highlight.short)
    stored = manifest.load(root, layout.shorts("v1"), Shorts)
    assert {output.key for output in stored.outputs} == {short.key for short in stored.result.shorts}
    assert {short.video for short in stored.result.shorts} == {"vods/v1/video.mp4"}
    assert stored.result.camera == (0.8, 0, 0.2, 0.25)
    page = root.read(made.page).decode()
    assert '"short":"shorts/01.mp4"' in page
    assert "shorts/01.mp4" not in page.partition('"files":')[2]  # it stands with its highlight


def test_done_is_done_and_another_camera_makes_nothing_but_shorts_anew(
    root: Root, caplog: pytest.LogCaptureFixture
) -> None:
    config = replace(SHORTS, clips="copy", camera=CAMERA)
    first, before = report(root, "v1", config), files(root)
    caplog.set_level("INFO")
    assert report(root, "v1", replace(config, camera=None)) == first  # it is kept
    assert "shorts: done already" in caplog.text
    assert files(root) == before
    report(root, "v1", config, force=True)
    assert files(root) == before
    report(root, "v1", replace(config, camera="0,0,0.3,0.3"))
    changed = {key.removeprefix("highlights/v1/") for key, data in files(root).items() if before.get(key) != data}
    assert changed == {"shorts/01.mp4", "shorts/02.mp4", "shorts.json", "report.json"}


def test_shorts_that_are_not_asked_for_are_neither_made_nor_kept(root: Root) -> None:
    plain = replace(SHORTS, shorts=False)
    report(root, "v1", plain)
    without = files(root)
    assert not [key for key in without if "shorts" in key]
    report(root, "v1", SHORTS)
    assert len(load_shorts(root).shorts) == 2
    report(root, "v1", replace(SHORTS, shorts_top=1))
    assert [key for key in files(root) if key.endswith(".mp4")] == ["highlights/v1/shorts/01.mp4"]
    report(root, "v1", plain)
    assert files(root) == without


def test_shorts_are_made_later_with_the_options_of_the_report_and_change_nothing_else(root: Root) -> None:
    asked = ReportConfig(
        clips="none", share=0.35, min_length=2.5, pad_before=0, clips_from="stored", intensity_seconds=7, channel="LCK",
        shorts=True, shorts_top=1, shorts_height=640, shorts_title="Old",
    )  # fmt: skip
    report(root, "v1", asked)
    before = files(root)
    options = report_options(root, "v1", ("shorts", "shorts_top", "shorts_title"))
    assert main(["report", "--root", root.url, *options, "--shorts", "--shorts-top=2", "--", "v1"]) == 0
    after = files(root)
    for name in ("highlights.json", "highlights.tsv", "clips.json"):
        assert after[f"highlights/v1/{name}"] == before[f"highlights/v1/{name}"]
    assert manifest.load(root, layout.report("v1"), Report).config["intensity_seconds"] == 7
    shorts = manifest.load(root, layout.shorts("v1"), Shorts)
    assert [shorts.config[f"shorts_{name}"] for name in ("height", "title", "top")] == [640, None, 2]
    assert shorts.result.channel == "LCK"
    assert len(shorts.result.shorts) == 2


def test_a_camera_is_set_once_for_all_vods_of_a_channel(root: Root, video: Path) -> None:
    make_root(root, "v2", video, bumps(SECONDS, PEAKS), height=180, channel="lck")
    make_root(root, "v3", video, bumps(SECONDS, PEAKS), height=180, channel="lck")
    report(root, "v2", replace(SHORTS, shorts=False, camera="256,0,64,45"))
    assert load_place(root, "cameras/channel-lck.json")[0] == Place(1, (0.8, 0, 0.2, 0.25))
    for vod, channel, sees in (("v3", None, True), ("v1", None, False), ("v1", "LCK", True)):
        made = report(root, vod, replace(SHORTS, shorts_top=1, channel=channel)).result
        assert shows_the_camera(root, made.highlights[0].short) == sees
    report(root, "v2", replace(SHORTS, camera="none"))
    assert load_shorts(root, "v2").camera is None
    assert load_place(root, "cameras/channel-lck.json")[0] == Place(2, None)
    report(root, "v2", replace(SHORTS, camera="none"))
    assert load_place(root, "cameras/channel-lck.json")[0].revision == 2  # nothing new was said


def test_pixels_are_those_of_the_best_quality(root: Root, video: Path) -> None:
    qualities = [
        Rendition("1080p60", "chunked", 1920, 1080, 60, True),
        Rendition("160p", "160p30", 284, 160, 30, False),
    ]
    make_root(root, "v2", video, bumps(SECONDS, PEAKS), height=180, channel="lck", qualities=qualities)
    report(root, "v2", replace(SHORTS, shorts=False, camera="1536,0,384,270"))
    assert load_place(root, "cameras/channel-lck.json")[0].rectangle == (0.8, 0, 0.2, 0.25)
    with pytest.raises(UsageError, match="has 1920 x 1080 pixels"):
        report(root, "v2", replace(SHORTS, camera="1600,0,384,270"))


def test_loudness_and_a_title(root: Root) -> None:
    plain = report(root, "v1", replace(SHORTS, shorts_top=1)).result
    loudness = measured_loudness(root.local(str(plain.highlights[0].short)))
    length = probe(root.local(str(plain.highlights[0].short))).video_duration
    dark = first_picture(root, plain.highlights[0].short)[20:60]
    assert not (dark > 225).all(axis=-1).any()
    config = replace(SHORTS, shorts_top=1, shorts_loudness=-30, shorts_title="{title}: {rank} {none}")
    made = report(root, "v1", config).result
    short = root.local(str(made.highlights[0].short))
    assert abs(loudness + 30) > 4
    assert measured_loudness(short) == pytest.approx(-30, abs=2)
    assert probe(short).video_duration == pytest.approx(length, abs=0.01)
    assert (first_picture(root, made.highlights[0].short)[20:60] > 225).all(axis=-1).any()


def test_a_damaged_video_leaves_the_earlier_shorts(root: Root) -> None:
    report(root, "v1", SHORTS)
    before = files(root)
    root.write("vods/v1/video.mp4", b"x" * len(root.read("vods/v1/video.mp4")))
    with pytest.raises(VideoError):
        report(root, "v1", SHORTS, force=True)
    assert files(root) == before


def test_a_damaged_camera_is_said_and_stays(root: Root) -> None:
    key = layout.vod_camera("v1")
    for data in (b"{", b'{"revision": 1, "rectangle": [0, 0, 2, 1]}', b'{"revision": 1, "rectangle": [0, 0, 1]}'):
        root.write(key, data)
        with pytest.raises(StorageError, match=r"is damaged .* set the camera anew"):
            report(root, "v1", SHORTS)
        assert root.read(key) == data


def test_of_two_who_set_a_camera_the_second_is_told(root: Root) -> None:
    key = layout.vod_camera("v1")
    assert save_place(root, key, Place(0, (0, 0, 0.5, 0.5))).revision == 1
    with pytest.raises(Conflict, match="set elsewhere in the meantime"):
        save_place(root, key, Place(0, None))
    assert load_place(root, key)[0].rectangle == (0, 0, 0.5, 0.5)


@pytest.mark.parametrize(
    "changes",
    [
        {"camera": "0,0,1"},
        {"camera": "0.5,0,0.6,1"},
        {"camera": ""},
        {"channel": "../x"},
        {"channel": ""},
        {"shorts_height": 321},
        {"shorts_height": 10},
        {"shorts_share": 0.9},
        {"shorts_play": "some"},
        {"shorts_font": "/nowhere.ttf"},
        {"shorts_loudness": 3.0},
    ],
)
def test_impossible_settings_are_refused_in_one_line(root: Root, changes: dict[str, Any]) -> None:
    before = {stat.key for stat in root.list("cameras/")}
    with pytest.raises(UsageError) as caught:
        report(root, "v1", replace(SHORTS, **changes))
    assert "\n" not in str(caught.value)
    assert {stat.key for stat in root.list("cameras/")} == before
    assert root.stat(layout.shorts("v1")) is None


NO_DRAWTEXT = """#!/bin/sh
for word; do [ "$word" = -filters ] && { REAL "$@" | grep -v drawtext; exit; }; done
exec REAL "$@"
"""


def test_an_ffmpeg_that_draws_no_text_is_named(root: Root, tmp_path: Path) -> None:
    program = tmp_path / "bin/ffmpeg"
    program.parent.mkdir()
    program.write_text(NO_DRAWTEXT.replace("REAL", "/usr/bin/ffmpeg"))
    program.chmod(0o755)
    call = [sys.executable, "-m", "lolhl", "report", "v1", "--root", root.url, "--clips", "none", "--shorts", "--quiet"]
    environment = os.environ | {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    done = subprocess.run([*call, "--shorts-title", "x"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"{program} draws no titles" in done.stderr
    assert root.stat(layout.shorts("v1")) is None
