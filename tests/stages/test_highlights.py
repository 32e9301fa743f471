"""The stage highlights: scores in, spans out, with neither a video nor a network."""

import json
from pathlib import Path
from typing import Any

import pytest

from lolhl.errors import MissingInput, StorageError
from lolhl.evaluate.judge import Judge, ScoredVod
from lolhl.labels.habits import Habits
from lolhl.labels.tables import read_table
from lolhl.stages.highlights import HighlightsConfig, highlights
from lolhl.storage.folder import Folder
from tests.results import SCORING, VOD, store, unsealed
from tests.stages.report_root import FPS, add_scores, bumps

SHORT = HighlightsConfig(min_length=4)
KEY = "highlights/v1/highlights.json"


@pytest.fixture
def root(tmp_path: Path) -> Folder:
    """Scores of a VOD whose video is not there."""
    root = Folder(tmp_path / "root")
    store(root, "vods/v1/vod.json", VOD, vod="v1")
    add_scores(root, "v1", bumps(60, [(12, 0.9, 6), (32, 0.7, 6), (50, 0.8, 6)]))
    return root


def test_spans_are_data(root: Folder) -> None:
    made = highlights(root, "v1", SHORT)
    spans = [highlight.span for highlight in made.result.highlights]
    assert [round(span.score or 0, 2) for span in spans] == [0.9, 0.8, 0.7]
    recorded = json.loads(root.read(KEY))["result"]["highlights"]
    assert [(one["span"]["start"], one["span"]["stop"]) for one in recorded] == [(s.start, s.stop) for s in spans]
    table = read_table(root.read("highlights/v1/highlights.tsv"), "highlights.tsv")["v1"]
    assert [(span.start, span.stop) for span in table] == sorted((span.start, span.stop) for span in spans)
    names = {stat.key.removeprefix("highlights/v1/") for stat in root.list("highlights/v1/")}
    exports = {"exports/chapters.vtt", "exports/youtube-chapters.txt"}
    assert names == {"scores.json", "scores.parquet", "highlights.json", "highlights.tsv", *exports}


def test_done_is_done(root: Folder, caplog: pytest.LogCaptureFixture) -> None:
    made = highlights(root, "v1", SHORT)
    before = root.read(KEY)
    caplog.set_level("INFO")
    assert highlights(root, "v1", SHORT) == made
    assert "highlights: done already" in caplog.text
    highlights(root, "v1", SHORT, force=True)
    assert root.read(KEY) == before


def test_other_settings_leave_no_export_behind(root: Folder) -> None:
    highlights(root, "v1", SHORT)
    highlights(root, "v1", HighlightsConfig(threshold=0.95))
    assert [stat.key for stat in root.list("highlights/v1/exports/")] == []


@pytest.mark.parametrize(
    ("asked", "count"),
    [({"top": 2}, 2), ({"minutes": 0.15}, 1), ({"share": 0.25}, 2), ({"threshold": 0.75}, 2), ({}, 3)],
)
def test_so_many_as_are_asked_for(root: Folder, asked: dict[str, Any], count: int) -> None:
    made = highlights(root, "v1", HighlightsConfig(min_length=3, **asked))
    assert len(made.result.highlights) == count
    assert [highlight.rank for highlight in made.result.highlights] == list(range(1, count + 1))
    recorded = json.loads(root.read(KEY))
    assert {name: recorded["config"][name] for name in ("threshold", "minutes", "top", "share")} == {
        "threshold": None, "minutes": None, "top": None, "share": None, **asked,
    }  # fmt: skip
    words = " ".join(f"--{name}" for name in asked) or "the model's threshold"
    assert recorded["result"]["amount"].startswith(words)


def test_by_default_as_much_as_scores_and_labels_together_suggest(root: Folder) -> None:
    """The scores expect 16 s of 60, and people marked a tenth: the model's threshold plays no part."""
    marks = Habits(share=0.1, highlights=9, short=3, median=4, long=9, longest=20, gap=70)
    add_scores(root, "v1", bumps(60, [(12, 0.9, 6), (32, 0.7, 6), (50, 0.8, 6)]), threshold=0.01, habits=marks)
    made = highlights(root, "v1").result
    assert made.threshold > 0.5
    assert 5 < sum(highlight.span.duration for highlight in made.highlights) < 16
    assert made.amount == "the scores, and the 10 % of the time that was labelled where the model learnt"


def test_padding_lengthens_highlights_and_drops_none(root: Folder) -> None:
    marks = Habits(share=0.2, highlights=9, short=2, median=4, long=9, longest=20, gap=70)
    add_scores(root, "v1", bumps(60, [(12, 0.9, 6), (32, 0.7, 6), (50, 0.8, 6)]), habits=marks)
    bare = highlights(root, "v1").result
    padded = highlights(root, "v1", HighlightsConfig(pad_before=2, pad_after=1)).result
    assert bare.highlights
    assert padded.threshold == bare.threshold
    assert [(h.span.start + 2, h.span.stop - 1) for h in padded.highlights] == [
        pytest.approx((h.span.start, h.span.stop)) for h in bare.highlights
    ]


@pytest.mark.parametrize(
    ("asked", "words"), [({"minutes": 0.02}, "--minutes 0.02 allows"), ({"share": 0.01}, "--share 1% allows")]
)
def test_why_there_is_none_where_all_last_longer_than_what_is_asked_for(
    root: Folder, asked: dict[str, Any], words: str
) -> None:
    made = highlights(root, "v1", HighlightsConfig(min_length=3, **asked)).result
    assert made.highlights == []
    assert made.reason is not None
    assert made.reason.startswith("the shortest of 3 lasts ")
    assert made.reason.endswith(words)


@pytest.mark.parametrize(
    "marks", [None, Habits(share=0.1, highlights=9, short=2, median=4, long=9, longest=20, gap=70)]
)
def test_it_cuts_as_models_are_judged(root: Folder, marks: Habits | None) -> None:
    scores = bumps(60, [(12, 0.9, 6), (32, 0.7, 6), (50, 0.8, 6)])
    add_scores(root, "v1", scores, habits=marks)
    cut = sorted(highlight.span for highlight in highlights(root, "v1").result.highlights)
    judge = Judge.of_model(SCORING.threshold, SCORING.smooth_seconds, marks)
    (judged,) = judge.predict([ScoredVod(vod="v1", fps=FPS, scores=scores, labels=[])]).vods
    assert cut
    assert [(span.start, span.stop) for span in sorted(judged.spans)] == [(span.start, span.stop) for span in cut]


def test_highlights_of_a_version_without_amounts_are_read_and_made_anew(root: Folder) -> None:
    """Their settings were others, so they are not what is asked for now."""
    made = highlights(root, "v1", SHORT)
    older = json.loads(unsealed(root.read(KEY)))
    del older["result"]["amount"]
    older["config"] = {"low_ratio": 0.85, "pad_before": 1.0, "pad_after": 1.0, "merge_gap": 2.0, "min_length": 4.0,
                       "max_length": 120.0, "threshold": None, "smooth_seconds": None}  # fmt: skip
    root.write(KEY, json.dumps(older).encode())
    assert highlights(root, "v1", SHORT) == made
    assert json.loads(root.read(KEY))["config"]["pad_before"] == 0.0


def test_an_older_report_is_refused_in_a_line_and_made_anew_by_force(root: Folder) -> None:
    """Version 0.1 kept its whole report under this key."""
    highlights(root, "v1", SHORT)
    older = json.loads(root.read(KEY))
    older["stage"] = "report"
    root.write(KEY, json.dumps(older).encode())
    with pytest.raises(StorageError, match=r"highlights\.json .*'report'.* run"):
        highlights(root, "v1", SHORT)
    assert len(highlights(root, "v1", SHORT, force=True).result.highlights) == 3


@pytest.mark.parametrize("changes", [{"start": -1.0}, {"stop": 1e300}, {"stop": 0.5}])
def test_spans_that_are_none_are_refused(root: Folder, changes: dict[str, float]) -> None:
    highlights(root, "v1", SHORT)
    damaged = json.loads(root.read(KEY))
    damaged["result"]["highlights"][0]["span"].update(changes)
    root.write(KEY, json.dumps(damaged).encode())
    with pytest.raises(StorageError, match=r"highlights\.json .*spans within the video"):
        highlights(root, "v1", SHORT)


def test_scores_that_are_missing_are_named_with_their_command(root: Folder) -> None:
    root.delete("highlights/v1/scores.json")
    with pytest.raises(MissingInput, match="lolhl infer"):
        highlights(root, "v1")
