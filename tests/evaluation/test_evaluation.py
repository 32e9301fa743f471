"""The harness itself: what it brings into a root, and what its tables say."""

import json
import subprocess
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lolhl import layout, manifest
from lolhl.evaluate.compare import compare
from lolhl.evaluate.figures import MethodFigures
from lolhl.evaluate.judge import Judge, ScoredVod
from lolhl.highlights.cut import Limits
from lolhl.labels import tables
from lolhl.labels.spans import Span, on_grid
from lolhl.results import Vod
from lolhl.vod import ffmpeg
from tests.evaluation import material, methods, report
from tests.evaluation.material import CURVE, FORTH, HELD, LEARN, Workshop
from tests.samples.chat import chat
from tests.samples.streams import EVALUATE, MORE

SPANS = [Span(2, 5), Span(8, 14)]
FPS = Fraction(3)


def figures(share: float) -> MethodFigures:
    """Those of a method that knows this share of the truth, on what `forth` is judged on."""
    labels = [Span(at, at + 12) for at in range(10, 590, 60)]
    vods = []
    for seed, vod in enumerate(HELD):
        noise = np.random.default_rng(seed).random(1800)
        scores = share * on_grid(labels, 1800, FPS) + (1 - share) * noise
        vods.append(ScoredVod(vod=vod, fps=FPS, scores=scores, labels=labels))
    (judged,) = compare({"m": Judge(3.0, Limits(threshold=0.5)).predict(vods)})
    return judged


def test_more_labels_are_more_of_the_streams_that_are_learnt_from() -> None:
    assert set(LEARN) | set(HELD) == set(EVALUATE)
    assert {minutes: sum(5 if vod.endswith("-half") else 10 for vod in d.learn) for minutes, d in CURVE.items()} == {
        15: 15,
        30: 30,
        60: 60,
        120: 120,
    }
    assert set(CURVE[120].learn) == {*LEARN, *MORE}
    assert all(direction.judge == HELD for direction in CURVE.values())


def test_only_the_signals_are_measured_that_models_want(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(methods.MODELS, "own", "--kind gru --signals sound,motion --seed 3")
    assert methods.signals_of(["constant", "default"]) == ["pictures", "sound"]
    assert methods.signals_of(["image", "blog"]) == ["pictures"]
    assert methods.signals_of(["own", "pictures-sound-chat"]) == ["sound", "motion", "pictures", "chat"]
    assert methods.signals_of(["loudness", "chat"]) == []


def test_tables_have_a_row_for_each_method_and_no_figure_without_a_name() -> None:
    judged = {"good": figures(0.8), "bad": figures(0.1), "old": replace(figures(0.1), editing=None)}
    quality, editing, vods = report.direction_tables(FORTH, judged)
    assert [row[0] for row in quality.rows] == [row[0] for row in vods.rows] == ["good", "bad", "old"]
    assert [row[0] for row in editing.rows] == ["good", "bad"]
    curve, spread = report.curve_table({15: judged, 60: judged}), report.variant_table({"muted": judged})
    assert [row[:2] for row in curve.rows] == [(m, name) for m in (15, 60) for name in judged]
    for table in (quality, editing, vods, curve, spread):
        assert all(len(row) == len(table.columns) for row in table.rows)
        assert "nan" not in table.text().lower()
        assert "None" not in table.text()
    assert "6.0 minutes" in quality.title


def test_scores_of_the_blog_are_read_where_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(methods, "SCORES", tmp_path)
    workshop = Workshop(str(tmp_path / "root"), tmp_path)
    monkeypatch.setattr(workshop, "labels", lambda vods: dict.fromkeys(vods, SPANS))
    assert methods.predict(workshop, "blog", FORTH, HELD) is None
    scores = {vod: np.full(60, 0.7, np.float16) for vod in HELD}
    scores |= {f"{vod}-lstm": np.full(60, 0.2, np.float16) for vod in HELD}
    np.savez_compressed(tmp_path / "blog-forth.npz", allow_pickle=False, **scores)
    predictions = methods.predict(workshop, "blog", FORTH, HELD)
    assert predictions is not None
    assert [vod.vod for vod in predictions.vods] == list(HELD)
    assert [(span.start, span.stop) for span in predictions.vods[0].spans] == [(0, 20)]
    assert methods.predict(workshop, "blog", FORTH, [f"{HELD[0]}-muted"]) is None
    recurrent = methods.predict(workshop, "blog with LSTM", FORTH, HELD)
    assert recurrent is not None
    assert [list(vod.spans) for vod in recurrent.vods] == [[], [], []]


@pytest.mark.slow
def test_a_stream_is_brought_with_labels_and_chat_and_costs_are_those_of_what_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(material, "HALF", 10)
    monkeypatch.setattr(material, "SIGNALS", {})
    command = [ffmpeg.path(), *ffmpeg.QUIET, "-f", "lavfi", "-i", "testsrc=s=320x240:r=30:d=20", "-g", "60"]
    subprocess.run([*command, str(tmp_path / "learn-b.mp4")], check=True)
    (tmp_path / "learn-b.tsv").write_bytes(tables.write_table("learn-b", SPANS))
    (tmp_path / "learn-b.chat.json").write_bytes(chat("learn-b", SPANS, 20, seed=1, a_minute=60))
    workshop = Workshop(str(tmp_path / "root"), tmp_path)
    vods = ["learn-b", "learn-b-half"]
    workshop.bring(vods)
    assert workshop.labels(vods) == {"learn-b": SPANS, "learn-b-half": [Span(2, 5), Span(8, 10)]}
    for vod, seconds in (("learn-b", 20), ("learn-b-half", 10)):
        made = manifest.load(workshop.root, layout.vod(vod), Vod, "")
        assert made.result.duration == pytest.approx(seconds, abs=0.1)
        assert made.result.chat is not None
        times = [line["time"] for line in json.loads(made.read(workshop.root, made.result.chat, ""))["comments"]]
        assert times
        assert max(times) < seconds
    costs = workshop.costs()
    assert {"download learn-b", "labels learn-b-half"} <= set(costs)
    capsys.readouterr()
    workshop.bring(vods)
    assert workshop.costs() == costs
    assert capsys.readouterr().out == ""
