"""Mistakes: which they are, and which are the worst."""

from fractions import Fraction

import numpy as np
import pytest

from lolhl.evaluate.judge import Prediction
from lolhl.evaluate.mistakes import false_alarms, misses
from lolhl.labels.spans import Span

FPS = Fraction(3)


def prediction(vod: str, labels: list[Span], spans: list[Span], heights: dict[float, float]) -> Prediction:
    """Scores of 0.1, and of a height at some seconds."""
    scores = np.full(900, 0.1)
    for second, height in heights.items():
        scores[round(second * 3)] = height
    return Prediction(vod=vod, fps=FPS, scores=scores, spans=spans, labels=labels)


def test_misses_and_false_alarms_in_order_of_how_wrong_they_are() -> None:
    a = prediction(
        "a",
        labels=[Span(10, 20), Span(50, 60), Span(100, 110), Span(150, 160)],
        spans=[Span(11, 21), Span(58, 80), Span(200, 210)],
        heights={52: 0.9, 105: 0.4, 60: 0.95, 204: 0.6},
    )
    b = prediction("b", labels=[], spans=[Span(30, 40)], heights={33: 0.8})
    missed = misses([a, b])
    assert [(m.vod, m.start, m.score) for m in missed] == [("a", 150, 0.1), ("a", 100, 0.4), ("a", 50, 0.9)]
    assert missed[1].peak == pytest.approx(105)
    assert [m.overlap for m in missed] == pytest.approx([0, 0, 2 / 30])
    alarms = false_alarms([a, b])
    assert [(m.vod, m.start, m.score) for m in alarms] == [("b", 30, 0.8), ("a", 200, 0.6), ("a", 58, 0.95)]


def test_a_span_without_an_instant_and_a_vod_without_one() -> None:
    short = prediction("a", labels=[Span(10.01, 10.02)], spans=[], heights={10 + 1 / 3: 0.7})
    (missed,) = misses([short])
    assert [missed.score, missed.peak] == pytest.approx([0.7, 10.015])
    empty = Prediction(vod="a", fps=FPS, scores=np.empty(0), spans=[], labels=[Span(1, 2)])
    assert misses([empty])[0].score == 0.0
