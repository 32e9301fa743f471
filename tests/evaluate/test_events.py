"""Figures of spans: matched one to one, by hand and against all orders."""

import itertools
from dataclasses import asdict
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lolhl.evaluate.events import best_overlaps, event_figures
from lolhl.evaluate.figures import EventFigures
from lolhl.labels.spans import Span


def events(labelled: list[tuple[float, float]], predicted: list[tuple[float, float]], tiou: float) -> int:
    a, b = ({"v": [Span(*pair) for pair in pairs]} for pairs in (labelled, predicted))
    got = event_figures(a, b, tiou)
    assert (got.labelled, got.predicted) == (len(labelled), len(predicted))
    assert event_figures(b, a, tiou).matched == got.matched
    return got.matched


def test_events_by_hand() -> None:
    assert events([(0, 10)], [(5, 15)], 0.3) == 1  # 5 of 15
    assert events([(0, 10)], [(5, 15)], 0.5) == 0
    assert events([(0, 10)], [(0, 5)], 0.5) == 1  # just so much
    assert events([(0, 0.3)], [(0.1, 0.3)], 2 / 3) == 1  # times that no float holds
    assert events([(0, 10)], [(10, 20)], 0.3) == 0  # touching is no overlap
    assert events([(0, 10)], [(0, 10), (0, 10)], 0.3) == 1  # one to one
    assert events([(0, 4), (4, 8)], [(0, 8)], 0.3) == 1
    assert events([], [(0, 1)], 0.3) == 0
    assert events([(0, 1)], [], 0.3) == 0
    # The better overlap must not take the only partner of another: 10 with 10, 6 with 14 gives two pairs.
    assert events([(0, 10), (6, 16)], [(4, 14), (12, 24)], 0.2) == 2
    assert events([(0, 10), (4, 14)], [(3, 13), (-8, 6)], 0.3) == 2


def test_events_of_several_vods() -> None:
    labelled = {"a": [Span(0, 10)], "b": [Span(0, 10), Span(20, 30)], "c": []}
    predicted = {"b": [Span(0, 10)], "c": [Span(0, 10)], "d": [Span(0, 10)]}
    got = event_figures(labelled, predicted, 0.5)
    assert got == EventFigures(0.5, labelled=3, predicted=3, matched=1)
    assert asdict(got) == {
        "tiou": 0.5, "labelled": 3, "predicted": 3, "matched": 1,
        "precision": pytest.approx(1 / 3), "recall": pytest.approx(1 / 3), "f1": pytest.approx(1 / 3),
            "f1_interval": None,
    }  # fmt: skip
    nothing = event_figures({}, {}, 0.5)
    assert (nothing.precision, nothing.recall, nothing.f1) == (None, None, None)


some = st.lists(st.tuples(st.integers(0, 12), st.integers(1, 8)), max_size=5).map(
    lambda pairs: [(float(start), float(start + length)) for start, length in pairs]
)


@settings(deadline=None)
@given(some, some, st.sampled_from([0.1, 0.3, 0.5, 1.0]))
def test_as_many_events_are_matched_as_can_be(
    labelled: list[tuple[float, float]], predicted: list[tuple[float, float]], tiou: float
) -> None:
    def fits(a: tuple[float, float], b: tuple[float, float]) -> bool:
        shared = min(a[1], b[1]) - max(a[0], b[0])
        return shared > 0 and Fraction(shared) / Fraction(max(a[1], b[1]) - min(a[0], b[0])) >= Fraction(str(tiou))

    few, many = sorted((labelled, predicted), key=len)
    most = max(sum(itertools.starmap(fits, zip(few, order, strict=False))) for order in itertools.permutations(many))
    assert events(labelled, predicted, tiou) == most


def test_best_overlaps() -> None:
    labels = [Span(0, 10), Span(100, 110), Span(200, 210)]
    highlights = [Span(5, 15), Span(0, 5), Span(110, 120)]
    assert best_overlaps(labels, highlights) == pytest.approx([0.5, 0, 0])
    assert best_overlaps(highlights, labels) == pytest.approx([1 / 3, 0.5, 0])
    assert best_overlaps(labels, []) == pytest.approx([0, 0, 0])
