"""The stage report, on a real video."""

import base64
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import simplejpeg

from lolhl.errors import LabelError, MissingInput, StorageError, UsageError, VideoError
from lolhl.labels.spans import Span
from lolhl.labels.tables import read_table
from lolhl.results import Agreement
from lolhl.stages.clips import ClipsConfig, clips
from lolhl.stages.highlights import HighlightsConfig, highlights
from lolhl.stages.report import ReportConfig, report
from lolhl.storage import Root
from lolhl.storage.folder import Folder
from lolhl.vod import probe
from tests.results import MODEL, store
from tests.stages.report_root import bumps, make_root
from tests.videos import numbered_video, read_number

SECONDS = 60
PEAKS = [(12, 0.9, 6), (32, 0.7, 6), (50, 0.8, 6)]
EXACT = ReportConfig(min_length=4, clips="exact")
COPY = ReportConfig(min_length=4)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return numbered_video(tmp_path_factory.mktemp("source") / "video.mp4", seconds=SECONDS)


Make = Callable[..., Folder]


@pytest.fixture
def make(tmp_path: Path, video: Path) -> Make:
    def made(peaks: Sequence[tuple[float, float, float]] = PEAKS, **changes: Any) -> Folder:
        root = Folder(tmp_path / "root")
        make_root(root, "v1", video, bumps(SECONDS, peaks), **changes)
        return root

    return made


def files(root: Folder) -> dict[str, bytes]:
    return {stat.key: root.read(stat.key) for stat in root.list("highlights/v1/")}


def agreement(root: Root) -> Agreement:
    labelled = report(root, "v1", COPY).result.labelled
    assert labelled is not None
    return labelled


def test_it_finds_cuts_and_tells(make: Make) -> None:
    root = make()
    result = report(root, "v1", EXACT).result
    assert [(h.rank, round(h.score, 2)) for h in result.highlights] == [(1, 0.9), (2, 0.8), (3, 0.7)]
    assert result.reason is None
    assert "reached 0.90" in result.highlights[0].reason
    for highlight in result.highlights:
        clip = probe.probe(root.local(str(highlight.clip)))
        assert clip.duration == pytest.approx(highlight.stop - highlight.start, abs=0.1)
        assert highlight.start <= highlight.peak < highlight.stop
    total = sum(h.stop - h.start for h in result.highlights)
    assert probe.probe(root.local(str(result.reel))).duration == pytest.approx(total, abs=0.3)
    page = root.read(result.page).decode()
    jpegs = [base64.b64decode(text) for text in re.findall(r"data:image/jpeg;base64,([\w+/=]+)", page)]
    shown = [read_number(simplejpeg.decode_jpeg(jpeg)) for jpeg in jpegs]
    assert shown == [round(highlight.peak * 30) for highlight in result.highlights]
    assert "clips/highlight-001_0h00m09s.mp4" in page
    edit_list = root.read("highlights/v1/exports/highlights.edl").decode()
    assert edit_list.count("* FROM CLIP NAME: video.mp4") == 3
    assert root.read("highlights/v1/exports/youtube-chapters.txt").decode().startswith("0:00:00 Start\n")
    assert root.read("highlights/v1/exports/chapters.vtt").count(b"-->") == 3


def test_the_table_reads_back_as_labels(make: Make) -> None:
    root = make()
    result = report(root, "v1", COPY).result
    table = root.read("highlights/v1/highlights.tsv")
    assert table.decode().splitlines()[0].split("\t")[:3] == ["vid_id", "start", "stop"]
    spans = read_table(table, "highlights.tsv")["v1"]
    wanted = sorted((h.start, h.stop, h.score) for h in result.highlights)
    for span, (start, stop, score) in zip(spans, wanted, strict=True):
        assert (span.start, span.stop) == (start, stop)
        assert span.score == pytest.approx(score, abs=1e-5)


def test_done_is_done_and_the_same_bytes_come_again(make: Make, caplog: pytest.LogCaptureFixture) -> None:
    root = make()
    first = report(root, "v1", COPY)
    before = files(root)
    caplog.set_level("INFO")
    assert report(root, "v1", COPY) == first
    assert "done already" in caplog.text
    report(root, "v1", COPY, force=True)
    assert files(root) == before


def test_other_settings_leave_no_old_clip_behind(make: Make) -> None:
    root = make()
    report(root, "v1", COPY)
    made = report(root, "v1", ReportConfig(min_length=3, threshold=0.85, clips="copy", reel=False))
    manifests = {f"highlights/v1/{name}.json" for name in ("highlights", "clips", "report")}
    spans = highlights(root, "v1", HighlightsConfig(min_length=3, threshold=0.85))
    cut = clips(root, spans, ClipsConfig(reel=False))
    kept = {output.key for output in (*spans.outputs, *cut.outputs, *made.outputs)}
    assert len([key for key in kept if "/clips/" in key]) == 1
    assert {key for key in files(root) if "scores." not in key} == kept | manifests


def test_only_the_best_are_cut_when_asked(make: Make) -> None:
    root = make()
    result = report(root, "v1", ReportConfig(min_length=4, clips_top=1)).result
    assert [bool(h.clip) for h in result.highlights] == [True, False, False]
    result = report(root, "v1", ReportConfig(min_length=4, top=1)).result
    assert [bool(h.clip) for h in result.highlights] == [True]
    assert report(root, "v1", ReportConfig(min_length=4, clips="none")).result.reel is None


def test_a_stream_without_highlights_says_why(make: Make) -> None:
    root = make([(12, 0.31, 6)])
    result = report(root, "v1").result
    assert result.highlights == []
    assert result.reason == "the highest smoothed probability was 0.31, below the threshold 0.50"
    assert result.reason in root.read("highlights/v1/report.html").decode()
    assert root.read("highlights/v1/highlights.tsv") == b"vid_id\tstart\tstop\n"


def test_labels_are_compared_and_new_ones_redo_it(make: Make) -> None:
    root = make(labels=[Span(8, 16), Span(20, 25)])
    at = agreement(root).events[0]
    assert (at.tiou, at.matched, at.labelled, at.predicted) == (0.3, 1, 2, 3)
    frames = agreement(root).frames
    assert (frames.model.average_precision or 0) > (frames.random.average_precision or 0) > 0.01
    assert (frames.random.average_precision or 0) > (frames.model.base_rate or 0) > 0
    assert frames.constant.average_precision == frames.model.base_rate
    corrected = root.read("highlights/v1/highlights.tsv")
    root.write("labels/v1.tsv", corrected)
    at = agreement(root).events[1]
    assert (at.tiou, at.f1) == (0.5, 1.0)


def test_figures_on_a_stream_that_was_learnt_from_say_so(make: Make) -> None:
    root = make(labels=[Span(8, 16)])
    assert not agreement(root).model_learnt_from_this
    store(root, "models/kills/model.json", MODEL, learnt_from=["v0", "v1"])
    assert agreement(root).model_learnt_from_this
    assert "these figures flatter it" in root.read("highlights/v1/report.html").decode()


def test_threshold_and_smoothing_are_the_models_unless_said(make: Make) -> None:
    root = make(threshold=0.75)
    assert len(report(root, "v1", ReportConfig(min_length=3, clips="none")).result.highlights) == 2
    one = ReportConfig(min_length=3, clips="none", threshold=0.6, smooth_seconds=0)
    result = report(root, "v1", one).result
    assert (result.threshold, result.smooth_seconds, len(result.highlights)) == (0.6, 0, 3)


def test_a_video_that_broke_off_ends_its_highlights(tmp_path: Path, video: Path) -> None:
    """It claims an hour, but scores go as far as it could be read."""
    root = Folder(tmp_path)
    make_root(root, "v1", video, bumps(SECONDS, [(57, 0.9, 6)]), duration=3600.0)
    result = report(root, "v1", COPY).result
    assert result.duration == SECONDS
    assert result.highlights[0].stop == SECONDS


def test_no_sound_is_no_matter(tmp_path: Path) -> None:
    silent = numbered_video(tmp_path / "silent.mp4", seconds=SECONDS, fps=Fraction(10), sound=False)
    root = Folder(tmp_path / "root")
    make_root(root, "v1", silent, bumps(SECONDS, PEAKS))
    result = report(root, "v1", COPY).result
    assert not probe.probe(root.local(str(result.reel))).has_audio


def drawn(target: Path, *options: str, size: str = "64x48") -> Path:
    source = f"testsrc2=size={size}:rate=5:duration=12"
    subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, *options, target], check=True)
    return target


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.gif", ()),
        ("a.flv", ()),
        ("a.y4m", ()),
        ("a.wmv", ()),
        ("a.mkv", ("-c:v", "ffv1")),
        ("b.mkv", ("-c:v", "libvpx")),
        ("c.mkv", ("-c:v", "prores_ks")),
        ("a.avi", ("-c:v", "rawvideo")),
        ("tiny.mkv", ("-c:v", "ffv1", "-vf", "scale=1:1", "-pix_fmt", "yuv444p")),
    ],
)
def test_clips_that_cannot_be_copies_are_encoded(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, options: tuple[str, ...]
) -> None:
    root = Folder(tmp_path / "root")
    make_root(root, "v1", drawn(tmp_path / name, *options), bumps(12, [(3, 0.9, 2), (9, 0.9, 2)]))
    result = report(root, "v1", ReportConfig(min_length=1, pad_before=0.5, pad_after=0.5)).result
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert "encoded anew (--clips exact)" in warning
    assert warning.startswith("report v1: video.")
    for highlight in result.highlights:
        clip = probe.probe(root.local(str(highlight.clip)))
        assert clip.codec == "h264"
        assert clip.duration == pytest.approx(highlight.stop - highlight.start, abs=0.25)
    assert probe.probe(root.local(str(result.reel))).duration > 2


@pytest.mark.parametrize(
    ("size", "options"),
    [
        ("16x4096", ()),
        ("4096x16", ()),
        ("2x2", ()),
        ("64x48", ("-vf", "setsar=1/1000")),
        ("64x48", ("-vf", "setsar=1000/1")),
        ("64x64", ("-vf", "scale=1:1", "-pix_fmt", "yuv444p")),
    ],
)
@pytest.mark.parametrize("degrees", [0, 90])
def test_pictures_of_any_shape(tmp_path: Path, size: str, options: tuple[str, ...], degrees: int) -> None:
    video, turned = drawn(tmp_path / "a.mp4", "-c:v", "libx264", *options, size=size), tmp_path / "turned.mp4"
    turn = ("-c", "copy", "-metadata:s:v", f"rotate={degrees}")
    subprocess.run(["ffmpeg", "-v", "error", "-i", video, *turn, turned], check=True)
    root = Folder(tmp_path / "root")
    make_root(root, "v1", turned, bumps(12, [(5, 0.9, 4)]))
    report(root, "v1", ReportConfig(min_length=1))
    page = root.read("highlights/v1/report.html").decode()
    (picture,) = re.findall(r"data:image/jpeg;base64,([^\"']+)", page)
    height, width, *_ = simplejpeg.decode_jpeg_header(base64.b64decode(picture))
    assert width <= 320
    assert height <= 640


def test_what_is_missing_is_named_with_its_command(make: Make, tmp_path: Path) -> None:
    with pytest.raises(MissingInput, match="lolhl download"):
        report(Folder(tmp_path / "empty"), "v1")
    root = make()
    root.delete("highlights/v1/scores.json")
    with pytest.raises(MissingInput, match="lolhl infer"):
        report(root, "v1")


def test_bad_inputs_leave_no_report(make: Make) -> None:
    root = make()
    root.write("labels/v1.tsv", b"vid_id\tstart\tstop\nv1\t0:00:10\t0:00:05\n")
    with pytest.raises(LabelError, match=r"labels/v1\.tsv:2"):
        report(root, "v1")
    root.delete("labels/v1.tsv")
    root.write("highlights/v1/scores.parquet", b"PAR1 no parquet PAR1")
    with pytest.raises(StorageError, match="damaged"):
        report(root, "v1")
    with pytest.raises(UsageError):
        report(root, "../v1")
    assert root.stat("highlights/v1/report.json") is None


def test_a_damaged_video_leaves_the_earlier_report(make: Make) -> None:
    root = make()
    report(root, "v1", COPY)
    before = files(root)
    root.write("vods/v1/video.mp4", b"x" * len(root.read("vods/v1/video.mp4")))
    with pytest.raises(VideoError):
        report(root, "v1", COPY, force=True)
    assert files(root) == before


@pytest.mark.parametrize(
    "changes",
    [
        {"threshold": 2.0},
        {"smooth_seconds": -1.0},
        {"intensity_seconds": float("nan")},
        {"top": -1},
        {"clips_top": -1},
        {"top": 3, "minutes": 5},
        {"min_length": 100.0, "max_length": 120.0},
        {"pad_before": float("nan")},
        {"clips": "some"},
    ],
)
def test_impossible_settings_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="--"):
        ReportConfig(**changes)


def starts(root: Folder, reel: str | None) -> list[float]:
    """The seconds of the VOD that the reel's clips begin at, by the number that each picture carries."""
    with av.open(str(root.local(str(reel)))) as container:
        numbers = [
            read_number(np.asarray(frame.to_ndarray(format="rgb24"), dtype=np.uint8))
            for frame in container.decode(video=0)
        ]
    jumps = [number for before, number in zip([-9, *numbers], numbers, strict=False) if not 0 <= number - before <= 2]
    return [number / 30 for number in jumps]


def test_a_reel_in_the_order_and_length_that_is_asked_for(make: Make) -> None:
    root = make()
    exact = ClipsConfig(clips="exact")
    spans = highlights(root, "v1", HighlightsConfig(min_length=4))
    by_rank = [highlight.span.start for highlight in spans.result.highlights]
    total = sum(highlight.span.duration for highlight in spans.result.highlights)
    for changes, wanted in (
        ({}, sorted(by_rank)),
        ({"reel_order": "rank"}, by_rank),
        ({"reel_minutes": total / 60 - 0.01}, sorted(by_rank[:2])),
        ({"reel_minutes": 0.01}, by_rank[:1]),
    ):
        made = clips(root, spans, replace(exact, **changes)).result
        assert starts(root, made.reel) == pytest.approx(wanted, abs=0.05)
        assert len(made.reel_ranks) == len(wanted)
        assert len(made.clips) == 3


def measured_loudness(video: Path) -> float:
    """LUFS, by ffmpeg's own meter."""
    call = ["ffmpeg", "-hide_banner", "-i", str(video), "-af", "ebur128", "-f", "null", "-"]
    stderr = subprocess.run(call, capture_output=True, text=True, check=True).stderr
    return float(re.findall(r"I: +(-?[\d.]+) LUFS", stderr)[-1])


def test_a_reel_with_fades_and_even_loudness(make: Make) -> None:
    root = make()
    spans = highlights(root, "v1", HighlightsConfig(min_length=4))
    plain = clips(root, spans, ClipsConfig(clips="exact")).result
    before = probe.probe(root.local(str(plain.reel)))
    loudness = measured_loudness(root.local(str(plain.reel)))
    made = clips(root, spans, ClipsConfig(clips="exact", reel_fade=1.0, reel_loudness=-30)).result
    reel = root.local(str(made.reel))
    assert measured_loudness(reel) == pytest.approx(-30, abs=2)
    assert abs(loudness + 30) > 4  # it was another one
    assert probe.probe(reel).duration == pytest.approx(before.duration, abs=0.3)
    with av.open(str(reel)) as container:
        light = [float(frame.to_ndarray(format="gray").mean()) for frame in container.decode(video=0)]
    assert light[0] < 20
    assert max(light) > 60
