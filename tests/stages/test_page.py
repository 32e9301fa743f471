"""The stages clips and page, each for itself: what makes which of them anew."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from lolhl.errors import MissingInput
from lolhl.labels.spans import Span
from lolhl.labels.store import save_labels
from lolhl.results import Report
from lolhl.stages.clips import ClipsConfig, clips
from lolhl.stages.highlights import HighlightsConfig, highlights
from lolhl.stages.page import PageConfig, page
from lolhl.stages.report import ReportConfig, report
from lolhl.storage import Root
from lolhl.storage.folder import Folder
from tests.stages.report_root import bumps, make_root
from tests.videos import numbered_video

SECONDS = 60
SETTINGS: dict[str, Any] = {"min_length": 4.0}
KEYS = {f"highlights/v1/{name}.json": name for name in ("highlights", "clips", "report")}


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return numbered_video(tmp_path_factory.mktemp("source") / "video.mp4", seconds=SECONDS)


@pytest.fixture
def root(tmp_path: Path, video: Path) -> Root:
    root = Folder(tmp_path / "root")
    make_root(root, "v1", video, bumps(SECONDS, [(12, 0.9, 6), (32, 0.7, 6), (50, 0.8, 6)]))
    return root


def made_anew(root: Root, caplog: pytest.LogCaptureFixture, **changes: Any) -> set[str]:
    """The stages that a report with these settings does not find done."""
    caplog.clear()
    caplog.set_level("INFO")
    report(root, "v1", ReportConfig(**{**SETTINGS, **changes}))
    return {name for key, name in KEYS.items() if f"{key})" not in caplog.text}


def test_settings_make_anew_what_depends_on_them(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    assert made_anew(root, caplog) == {"highlights", "clips", "report"}
    assert made_anew(root, caplog) == set()
    assert made_anew(root, caplog, clips="none") == {"clips", "report"}
    assert made_anew(root, caplog, clips="none", intensity_seconds=10.0) == {"report"}
    assert made_anew(root, caplog, clips="none", threshold=0.75) == {"highlights", "clips", "report"}


def test_labels_make_the_page_anew_and_no_clip(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    made_anew(root, caplog)
    save_labels(root, "v1", [Span(8, 16)])
    assert made_anew(root, caplog) == {"report"}
    save_labels(root, "v1", [Span(8, 17)])
    assert made_anew(root, caplog) == {"report"}


@pytest.mark.parametrize("key", KEYS)
def test_killed_in_a_stage_it_goes_on_there(root: Root, caplog: pytest.LogCaptureFixture, key: str) -> None:
    """A stage that was killed has no manifest."""
    made_anew(root, caplog)
    before = {stat.key: root.read(stat.key) for stat in root.list("highlights/")}
    root.delete(key)
    assert made_anew(root, caplog) == {KEYS[key]}
    assert {stat.key: root.read(stat.key) for stat in root.list("highlights/")} == before


def test_each_stage_names_the_command_that_makes_what_it_reads(root: Root) -> None:
    with pytest.raises(MissingInput, match=r"highlights\.json does not exist: run `lolhl report v1`"):
        clips(root, "v1")
    highlights(root, "v1", HighlightsConfig(**SETTINGS))
    with pytest.raises(MissingInput, match=r"clips\.json does not exist: run `lolhl report v1`"):
        page(root, "v1")
    clips(root, "v1", ClipsConfig(clips="none"))
    highlights(root, "v1", HighlightsConfig(threshold=0.85))
    with pytest.raises(MissingInput, match=r"clips\.json is older than .*highlights\.json: run `lolhl report v1`"):
        page(root, "v1")


def test_clips_tell_what_they_were_cut_from(root: Root) -> None:
    spans = highlights(root, "v1", HighlightsConfig(**SETTINGS)).result.highlights
    made = clips(root, "v1", ClipsConfig(top=2)).result
    assert [clip.rank for clip in made.clips] == [1, 2]
    assert {clip.video for clip in made.clips} == {"vods/v1/video.mp4"}
    shown = page(root, "v1", PageConfig()).result.highlights
    assert [highlight.clip for highlight in shown] == [*(clip.key for clip in made.clips), None]
    assert [(shown.start, shown.stop) for shown in shown] == [(cut.span.start, cut.span.stop) for cut in spans]


def matches(root: Root, made: Report) -> list[int | None]:
    """The label of each highlight, best first, by the page's data."""
    html = root.read(made.page).decode()
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert data
    return [highlight["label"] for highlight in json.loads(data[1])["highlights"]]


def test_the_page_matches_labels_as_the_figures_do(root: Root) -> None:
    # The second label is no highlight. The last one overlaps two highlights and can match only one of them.
    save_labels(root, "v1", [Span(8, 16), Span(20, 25), Span(30, 54)])
    made = report(root, "v1", ReportConfig(**SETTINGS, clips="none")).result
    assert made.labelled
    labels = matches(root, made)
    assert labels[0] == 0
    assert 1 not in labels
    assert len([label for label in labels if label is not None]) == made.labelled.events[0].matched == 2
