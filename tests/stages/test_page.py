"""The stages clips and page, each for itself: what makes which of them anew."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lolhl.errors import Conflict
from lolhl.labels.spans import Span
from lolhl.labels.store import save_labels
from lolhl.manifest import Manifest
from lolhl.results import Clips, Highlights, Report, TwitchClips
from lolhl.stages.clips import ClipsConfig, clips
from lolhl.stages.download import download
from lolhl.stages.highlights import HighlightsConfig, highlights
from lolhl.stages.page import page
from lolhl.stages.reel import reel
from lolhl.stages.report import ReportConfig, report
from lolhl.stages.shorts import ShortsConfig, shorts
from lolhl.storage import Root
from lolhl.storage.folder import Folder
from lolhl.vod import cut
from lolhl.vod.viewer_clip import ViewerClip
from tests.results import store
from tests.stages.report_root import add_scores, bumps, make_root
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


@pytest.mark.parametrize(
    ("file", "stage"),
    [
        ("highlights.tsv", "highlights"),
        ("exports/highlights.edl", "clips"),
        ("reel.mp4", "clips"),
        ("report.html", "report"),
    ],
)
def test_what_is_missing_is_made_anew_and_what_was_changed_stays(
    root: Root, caplog: pytest.LogCaptureFixture, file: str, stage: str
) -> None:
    made_anew(root, caplog)
    key = f"highlights/v1/{file}"
    before = root.read(key)
    root.delete(key)
    assert made_anew(root, caplog) == {stage}
    assert root.read(key) == before
    root.write(key, b"own")
    assert made_anew(root, caplog) == set()
    assert f"{key} was changed since it was made: `lolhl report v1 --force` makes it anew" in caplog.text
    assert root.read(key) == b"own"


@pytest.mark.parametrize("key", KEYS)
def test_killed_in_a_stage_it_goes_on_there(root: Root, caplog: pytest.LogCaptureFixture, key: str) -> None:
    """A stage that was killed has no manifest."""
    made_anew(root, caplog)
    before = {stat.key: root.read(stat.key) for stat in root.list("highlights/")}
    root.delete(key)
    assert made_anew(root, caplog) == {KEYS[key]}
    assert {stat.key: root.read(stat.key) for stat in root.list("highlights/")} == before


def test_what_was_made_anew_in_the_meantime_is_refused(root: Root) -> None:
    spans = highlights(root, "v1", HighlightsConfig(**SETTINGS))
    cut = clips(root, spans, ClipsConfig(clips="none"))
    add_scores(root, "v1", bumps(SECONDS, [(20, 0.9, 6)]))
    with pytest.raises(Conflict, match=r"scores\.json was made anew since highlights were cut from it: run again"):
        page(root, spans, cut)
    assert page(root, *both(root)).result.highlights[0].start == pytest.approx(16, abs=2)


@pytest.mark.parametrize(
    ("stage", "key"),
    [
        (clips, "highlights/v1/clips.json"),
        (lambda root, spans: shorts(root, spans, ShortsConfig(shorts=True)), "highlights/v1/shorts.json"),
        (lambda root, _: reel(root, "v1"), "highlights/v1/corrected/reel.json"),
    ],
)
def test_nothing_is_cut_from_a_video_that_took_the_place_of_its_own(
    root: Root,
    video: Path,
    monkeypatch: pytest.MonkeyPatch,
    stage: Callable[[Root, Manifest[Highlights]], object],
    key: str,
) -> None:
    """The VOD is downloaded anew after the first of three clips; the new video may have as many bytes as its own."""
    spans = highlights(root, "v1", HighlightsConfig(**SETTINGS))
    cut_clip = cut.clip

    def interrupted(*arguments: Any, **options: Any) -> None:
        cut_clip(*arguments, **options)
        download(root, str(video), name="v1", force=True)

    monkeypatch.setattr(cut, "clip", interrupted)
    with pytest.raises(Conflict, match=r"vod\.json was made anew since highlights were cut from it: run again"):
        stage(root, spans)
    assert root.stat(key) is None


def both(root: Root) -> tuple[Manifest[Highlights], Manifest[Clips]]:
    spans = highlights(root, "v1", HighlightsConfig(**SETTINGS))
    return spans, clips(root, spans, ClipsConfig(clips="none"))


def test_clips_tell_what_they_were_cut_from(root: Root) -> None:
    spans = highlights(root, "v1", HighlightsConfig(**SETTINGS))
    made = clips(root, spans, ClipsConfig(clips_top=2))
    assert sorted(clip.rank for clip in made.result.clips) == [1, 2]
    assert {clip.video for clip in made.result.clips} == {"vods/v1/video.mp4"}
    keys = {clip.rank: clip.key for clip in made.result.clips}
    shown = page(root, spans, made).result.highlights
    assert [highlight.clip for highlight in shown] == [keys[1], keys[2], None]
    times = [(cut.span.start, cut.span.stop) for cut in spans.result.highlights]
    assert [(highlight.start, highlight.stop) for highlight in shown] == times


def matches(root: Root, made: Report) -> list[int | None]:
    """The label of each highlight, best first, by the page's data."""
    html = root.read(made.page).decode()
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert data
    return [highlight["label"] for highlight in json.loads(data[1])["highlights"]]


def test_the_page_matches_labels_as_the_figures_do(root: Root) -> None:
    # The second label is no highlight. The last one overlaps two highlights and can match only one of them.
    add_scores(root, "v1", bumps(SECONDS, [(12, 0.9, 6), (40, 0.7, 6), (50, 0.8, 6)]))
    save_labels(root, "v1", [Span(8, 16), Span(20, 25), Span(41, 53)])
    made = report(root, "v1", ReportConfig(**SETTINGS, clips="none")).result
    assert made.labelled
    labels = matches(root, made)
    assert labels[0] == 0
    assert 1 not in labels
    assert len([label for label in labels if label is not None]) == made.labelled.events[0].matched == 2


def test_agreement_is_with_what_somebody_has_looked_at(root: Root) -> None:
    add_scores(root, "v1", bumps(SECONDS, [(12, 0.9, 6), (40, 0.7, 6), (50, 0.8, 6)]))
    save_labels(root, "v1", [Span(8, 16)], [Span(3, 21), Span(36, 44)])  # accepted, and rejected
    made = report(root, "v1", ReportConfig(**SETTINGS, clips="none")).result
    assert made.labelled
    assert made.labelled.frames.model.frames == (18 + 8) * 3
    at = made.labelled.events[0]
    assert (at.labelled, at.predicted, at.matched) == (1, 2, 1)  # of the highlight at 50 s nobody knows
    data = re.search(r'id="data">(.*?)</script>', root.read(made.page).decode(), re.DOTALL)
    assert data
    assert json.loads(data[1])["looked_at"] == [[3, 21], [36, 44]]


def test_clips_of_viewers_lie_where_the_stored_video_shows_them(
    root: Root, video: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_root(root, "v1", video, bumps(SECONDS, [(12, 0.9, 6)]), twitch_id="77", offset=100.0)
    made_anew(root, caplog)
    clips = [
        ViewerClip("before", 60, 90, "x", 1),
        ViewerClip("over-the-start", 90, 120, "x", 2),
        ViewerClip("within", 112.5, 140, "BARON", 1234),
        ViewerClip("over-the-end", 150, 180, "x", 3),
        ViewerClip("behind", 170, 190, "x", 4),
    ]
    store(root, "vods/v1/twitch-clips.json", TwitchClips(vod="v1", twitch_id="77", clips=clips))
    assert made_anew(root, caplog) == {"report"}
    shown = page_data(root)["viewer_clips"]
    assert [(clip["slug"], clip["start"], clip["stop"]) for clip in shown] == [
        ("over-the-start", 0, 20),
        ("within", 12.5, 40),
        ("over-the-end", 50, 60),
    ]
    assert made_anew(root, caplog) == set()
    store(root, "vods/v1/twitch-clips.json", TwitchClips(vod="v1", twitch_id="78", clips=clips))
    made_anew(root, caplog)
    assert page_data(root)["viewer_clips"] == []  # they are of a VOD that had this name


def page_data(root: Root) -> dict[str, Any]:
    html = root.read("highlights/v1/report.html").decode()
    data = re.search(r'id="data">(.*?)</script>', html)
    assert data
    return dict(json.loads(data[1]))
