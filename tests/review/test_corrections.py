"""Which corrections the labels do not say."""

from typing import Literal

import pytest

from lolhl.labels.spans import Span
from lolhl.review.corrections import Correction, Corrections, unlabelled


def accepted(start: float, stop: float) -> Correction:
    return Correction(start, stop, "accepted")


def rejected(start: float, stop: float) -> Correction:
    return Correction(start, stop, "rejected", was=(start, stop))


@pytest.mark.parametrize(
    ("corrections", "labels", "count"),
    [
        ([], [], 0),
        ([], [Span(1, 5)], 0),
        ([accepted(10, 20)], [], 1),
        ([accepted(10, 20)], [Span(10, 20)], 0),
        ([accepted(10, 20.0005)], [Span(5, 20)], 0),  # labels are whole milliseconds
        ([accepted(10, 20)], [Span(12, 20)], 1),
        ([accepted(10, 20)], [Span(0, 15), Span(16, 30)], 1),
        ([accepted(50, 60.6)], [Span(50, 60)], 0),  # labels end with the video
        ([rejected(10, 20)], [], 0),
        ([rejected(10, 20)], [Span(10, 20)], 1),
        ([rejected(10, 20)], [Span(16, 40)], 0),
        ([rejected(10, 20), accepted(5, 20)], [Span(5, 20)], 0),  # joined
        ([accepted(10, 20), accepted(30, 40), rejected(50, 55)], [Span(50, 56)], 3),
    ],
)
def test_corrections_that_the_labels_do_not_say(corrections: list[Correction], labels: list[Span], count: int) -> None:
    assert unlabelled(Corrections(spans=tuple(corrections)), labels, 60) == count


@pytest.mark.parametrize("verdict", ["accepted", "rejected"])
def test_a_span_behind_the_end_says_nothing(verdict: Literal["accepted", "rejected"]) -> None:
    assert unlabelled(Corrections(spans=(Correction(60.2, 60.8, verdict),)), [Span(0, 60)], 60) == 0
