"""The simulated editor: what he looks at, what becomes of it, and that a model learns from it."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lolhl.highlights.cut import Limits, find
from lolhl.highlights.feeds import Moment
from lolhl.labels.spans import Span
from lolhl.labels.store import VodLabels, load_labels
from lolhl.review.corrections import ROUND, Correction, Corrections, looked_at
from tests.evaluation import material
from tests.evaluation.material import Direction, Workshop
from tests.evaluation.suggestions import ORDER, WAYS, Stream, by_lists, in_order, judged, run, spent, tables
from tests.samples.chat import chat
from tests.streams import write_stream

FPS = Fraction(3)
LABELS = [Span(at, at + 10) for at in range(30, 580, 60)]


def stream(vod: str, seed: int = 0) -> Stream:
    """Ten minutes with scores that know something of the labels."""
    rng, scores = np.random.default_rng(seed), np.full(1800, 0.1)
    for span in LABELS:
        scores[round(span.start * 3) : round(span.stop * 3)] = rng.uniform(0.2, 0.9)
    return Stream(vod, 600.0, LABELS, FPS, scores, 0.5, find(scores, FPS, 600.0, Limits(threshold=0.5)))


def test_in_order_of_time_the_first_minutes_are_looked_at() -> None:
    labels = in_order([stream("a"), stream("b"), stream("c")], 635)
    assert labels == {
        "a": VodLabels(LABELS, [Span(0, 600)]),
        "b": VodLabels([Span(30, 35)], [Span(0, 35)]),
    }


@pytest.mark.parametrize("way", [way for way in WAYS if way != ORDER])
def test_lists_are_gone_through_until_the_time_is_spent(way: str) -> None:
    streams = [stream("a", 1), stream("b", 2)]
    labels = by_lists(streams, WAYS[way], 180)
    seconds = sum(span.duration for known in labels.values() for span in known.looked_at or ())
    assert 180 <= seconds < 180 + 50 + 2 * ROUND or way in ("surest", "borderline", "least sure")
    for known in labels.values():
        inside = [span for span in LABELS if any(s.start <= span.start < s.stop for s in known.looked_at or ())]
        assert [(span.start, span.stop) for span in known.spans] == [(span.start, span.stop) for span in inside]


def test_the_editor_gives_a_highlight_its_borders_and_rejects_what_holds_none() -> None:
    one = stream("a")
    given = judged(Corrections(), Moment(Span(33, 50), 0.5, 0.5), one)
    assert given.spans == (Correction(30, 40, "accepted"),)
    given = judged(given, Moment(Span(42, 48), 0.5, 0.5), one)  # the highlight before it is known already
    assert given.spans[1:] == (Correction(42, 48, "rejected"),)
    assert spent({"a": given}, [one]) == sum(span.duration for span in looked_at(given, 600)) == (53 - 25) + 0


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_models_learn_what_was_looked_at_and_the_labels_are_whole_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(material, "SIGNALS", {})
    for seed, vod in enumerate(("learn-a", "learn-b", "learn-c", "held-a"), start=1):
        spans = write_stream(tmp_path, vod, seconds=120, seed=seed)
        (tmp_path / f"{vod}.chat.json").write_bytes(chat(vod, spans, 120, seed=1, a_minute=10))
    workshop = Workshop(str(tmp_path / "root"), tmp_path)
    direction = Direction("small", ("learn-a", "learn-b", "learn-c"), ("held-a",))
    workshop.bring([*direction.learn, *direction.judge])
    before = {vod: load_labels(workshop.root, vod) for vod in direction.learn}
    ways = (ORDER, "suggestions")
    rows = run(workshop, direction, [2, 60], 0, ways, ["--kind", "image", "--epochs", "3", "--learning-rate", "1e-3"])
    assert [(row.minutes, row.way) for row in rows] == [
        ("0", "first model"),
        *(("2", way) for way in ways),
        ("all", "all of it"),
    ]
    assert {vod: load_labels(workshop.root, vod) for vod in direction.learn} == before
    order, suggestions, everything = rows[1:]
    assert order.looked_at == pytest.approx(2, abs=0.01)
    assert 2 <= suggestions.looked_at < everything.looked_at == pytest.approx(4, abs=0.02)
    assert ORDER in suggestions.figures.differences
    for table in tables(direction, rows):
        assert all(len(row) == len(table.columns) for row in table.rows)
        assert "nan" not in table.text().lower()
