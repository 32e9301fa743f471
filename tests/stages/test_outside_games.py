"""Highlights outside of the games that `lolhl clock` has found, from stored scores to the served page."""

import base64
import json
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lolhl import layout
from lolhl.labels.spans import Span
from lolhl.labels.store import save_labels
from lolhl.results import Highlights
from lolhl.stages.clips import clips
from lolhl.stages.highlights import HighlightsConfig, highlights
from lolhl.stages.page import page
from lolhl.stages.review import MAKERS
from lolhl.storage import Root
from lolhl.storage.folder import Folder
from tests.clock_results import shown_games
from tests.results import DATASET, MODEL, VOD, store
from tests.stages.report_root import add_scores, bumps, make_root
from tests.videos import numbered_video

KEEP = HighlightsConfig(outside_games=1)
PEAKS = [(20, 0.9, 6), (120, 0.8, 6), (215, 0.8, 6), (290, 0.9, 6)]  # in a break, in a game, after its end, in a break


@pytest.fixture
def root(tmp_path: Path) -> Root:
    root = Folder(tmp_path / "root")
    store(root, "vods/v/vod.json", VOD, duration=300.0)
    add_scores(root, "v", bumps(300, PEAKS))
    return root


def middles(made: Highlights) -> list[float]:
    return sorted(round((one.span.start + one.span.stop) / 2) for one in made.highlights)


def learnt(root: Root, *labels: Span) -> None:
    """The model of the scores learnt from VOD `a`, whose game lasts from 1000 to 3000 s of an hour."""
    store(root, "vods/a/vod.json", VOD, vod="a", duration=3600.0)
    shown_games(root, "a", [(1000, 3000)])
    save_labels(root, "a", list(labels))
    dataset = store(root, "datasets/d/dataset.json", DATASET, vods=["a"])
    store(root, "models/kills/model.json", MODEL, inputs={"datasets/d/dataset.json": dataset.content_digest()})


def test_breaks_make_no_highlights_once_the_clock_was_read(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    before = highlights(root, "v")
    assert middles(before.result) == [20, 120, 215, 290]
    caplog.set_level("INFO")
    shown_games(root, "v", [(90, 200)])
    made = highlights(root, "v")
    assert middles(made.result) == [120, 215]
    sentence = "Outside of games the odds of a highlight are multiplied by 0.05."
    assert made.result.rule.endswith(sentence)
    assert f"{sentence} --outside-games 1 leaves them as they are." in caplog.text
    caplog.clear()
    assert highlights(root, "v") == made
    assert "done already" in caplog.text
    kept = highlights(root, "v", KEEP)
    assert (kept.result, kept.outputs) == (before.result, before.outputs)
    assert middles(highlights(root, "v", HighlightsConfig(outside_games=0.6)).result) == [20, 120, 215, 290]


def test_without_games_nothing_changes(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    before = highlights(root, "v")
    data = root.read(layout.highlights("v"))
    shown_games(root, "v", [])
    caplog.set_level("INFO")
    assert highlights(root, "v") == before
    shown_games(root, "v", [(90, 200)])
    store(root, "vods/v/vod.json", VOD, duration=300.0, title="another")  # whose clock nobody has read
    add_scores(root, "v", bumps(300, PEAKS))
    assert highlights(root, "v").result == before.result
    assert "stored anew since its clock was read: `lolhl clock v`" in caplog.text
    assert b'"odds' not in data


def test_labels_outside_of_games_say_otherwise(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    shown_games(root, "v", [(90, 200)])
    learnt(root, *(Span(at, at + 10) for at in range(1000, 3000, 100)))
    fewer = highlights(root, "v").result
    assert middles(fewer) == [120, 215]
    assert fewer.outside_games
    assert fewer.outside_games.odds < 0.05
    learnt(root, *(Span(at, at + 10) for at in range(0, 3590, 100)))
    assert middles(highlights(root, "v").result) == [20, 120, 215, 290]
    many = [Span(at, at + 30) for at in range(0, 3500, 100) if not 900 < at < 3050]
    learnt(root, *many, *(Span(at, at + 10) for at in range(1000, 3000, 100)))
    assert highlights(root, "v").result.outside_games is None
    learnt(root, *many, *(Span(at, at + 10) for at in range(1000, 3000, 101)))  # they say the same
    caplog.set_level("INFO")
    highlights(root, "v")
    assert "done already" in caplog.text


def test_labels_that_no_person_gave_say_nothing_of_breaks(root: Root) -> None:
    shown_games(root, "v", [(90, 200)])
    learnt(root, *(Span(at, at + 10, source="riot EUW1_1") for at in range(0, 3590, 100)))
    assert middles(highlights(root, "v").result) == [120, 215]


def test_the_page_and_its_lists_show_what_highlights_were_cut_from(tmp_path: Path) -> None:
    root = Folder(tmp_path / "root")
    video = numbered_video(tmp_path / "video.mp4", seconds=300, fps=Fraction(5))
    make_root(root, "v", video, bumps(300, PEAKS))
    shown_games(root, "v", [(90, 200)])
    spans = highlights(root, "v")
    page(root, spans, clips(root, spans))
    text = root.read(layout.page("v")).decode()
    match = re.search(r'id="data">(.*?)</script>', text, re.DOTALL)
    assert match
    data = json.loads(match[1])
    shown = np.frombuffer(base64.b64decode(data["smoothed"]), "<u2") / 65535
    at = [round(3 * time) for time, _, _ in PEAKS]
    assert [shown[number] > spans.result.threshold for number in at] == [False, True, True, False]
    assert data["highest"] == pytest.approx(spans.result.highest)
    assert "multiplied by 0.05" in data["settings"]
    moments = [moment for feed in MAKERS.feeds(root, "v", []) for moment in feed.moments if moment.rank is None]
    assert 0.2 < max(moment.peak for moment in moments) < spans.result.threshold
