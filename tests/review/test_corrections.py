"""Which corrections the labels do not say."""

from collections.abc import Sequence
from typing import Literal

import pytest

from lolhl.errors import Conflict, LabelError
from lolhl.labels.spans import Span
from lolhl.labels.store import VodLabels, read_labels, save_labels
from lolhl.review.corrections import (
    ROUND,
    Correction,
    Corrections,
    labels_of,
    looked_at,
    parse_corrections,
    save_as_labels,
    save_corrections,
    unlabelled,
)
from lolhl.storage import Root


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
    assert unlabelled(Corrections(spans=tuple(corrections)), VodLabels(labels), 60) == count


@pytest.mark.parametrize("verdict", ["accepted", "rejected"])
def test_a_span_behind_the_end_says_nothing(verdict: Literal["accepted", "rejected"]) -> None:
    behind = Corrections(spans=(Correction(60.2, 60.8, verdict),))
    assert unlabelled(behind, VodLabels([Span(0, 60)]), 60) == 0


def test_what_was_rejected_or_marked_is_to_be_labelled_too() -> None:
    corrections = Corrections(spans=(rejected(10, 20),), looked_at=((30, 40),))
    assert unlabelled(corrections, None, 60) == 2
    assert unlabelled(corrections, VodLabels([], [Span(5, 25)]), 60) == 1
    assert unlabelled(corrections, VodLabels([], [Span(5, 25), Span(29, 41)]), 60) == 0
    assert unlabelled(corrections, VodLabels([]), 60) == 0


def borders(spans: Sequence[Span] | None) -> list[tuple[float, float]] | None:
    return None if spans is None else [(span.start, span.stop) for span in spans]


def test_corrections_are_labels_of_what_was_looked_at() -> None:
    corrections = Corrections(spans=(accepted(100, 110), rejected(200, 210)), looked_at=((300, 400),))
    labels = labels_of("v", corrections, None, 1000)
    assert borders(labels.spans) == [(100, 110)]
    assert borders(labels.looked_at) == [(100 - ROUND, 110 + ROUND), (200 - ROUND, 210 + ROUND), (300, 400)]
    again = labels_of("v", Corrections(spans=(accepted(500, 510),)), labels, 1000)  # what was taken back is gone
    assert borders(again.spans) == [(500, 510)]
    assert borders(again.looked_at) == [(500 - ROUND, 510 + ROUND)]


def test_a_highlight_without_a_verdict_is_not_cut_into() -> None:
    corrections = Corrections(spans=(rejected(100, 110),))
    highlights = [Span(90, 98), Span(100, 110), Span(112, 130)]
    assert borders(looked_at(corrections, 1000, highlights)) == [(98, 112)]
    moved = Corrections(spans=(Correction(102, 104, "accepted", was=(100, 110)),))
    assert borders(looked_at(moved, 1000, highlights)) == [(98, 112)]  # what it was cut from was looked at too


def test_who_has_looked_at_all_labels_the_whole_stream() -> None:
    corrections = Corrections(spans=(accepted(100, 110),), looked_at=((0, 999.8),))
    assert labels_of("v", corrections, None, 1000) == VodLabels([Span(100, 110)])


def test_labels_of_a_whole_stream_stay_where_corrections_say_nothing() -> None:
    before = VodLabels([Span(20, 30), Span(100, 112), Span(200, 210), Span(300, 320), Span(400, 440), Span(700, 710)])
    corrections = Corrections(
        spans=(
            accepted(98, 108),  # in place of 100 to 112
            rejected(201, 211),  # most of 200 to 210
            rejected(315, 330),  # the end of 300 to 320
            accepted(600, 610),
        ),
        looked_at=((430, 500),),
    )
    labels = labels_of("v", corrections, before, 1000)
    assert borders(labels.spans) == [(20, 30), (98, 108), (300, 315), (400, 430), (600, 610), (700, 710)]
    assert labels.looked_at is None


def test_labels_of_games_are_no_person_s() -> None:
    before = VodLabels([Span(20, 30, source="riot EUW1_1")])
    labels = labels_of("v", Corrections(spans=(accepted(100, 110),)), before, 1000)
    assert (borders(labels.spans), borders(labels.looked_at)) == ([(100, 110)], [(95, 115)])


def test_nothing_that_was_looked_at_is_no_label(root: Root) -> None:
    with pytest.raises(LabelError, match="nothing was looked at yet: accept or reject a highlight first"):
        save_as_labels(root, "stream", Corrections(), 60)
    assert root.stat("labels/stream.tsv") is None  # which would say that there is no highlight
    save_as_labels(root, "stream", Corrections(spans=(rejected(10, 20),)), 60)
    assert read_labels(root, "stream")[0] == VodLabels([], [Span(5, 25)])
    save_labels(root, "stream", [Span(1, 2)])
    save_as_labels(root, "stream", Corrections(), 60)
    assert read_labels(root, "stream")[0] == VodLabels([Span(1, 2)])


def test_corrections_of_before_say_nothing_of_what_was_looked_at() -> None:
    assert parse_corrections(b'{"revision": 3, "spans": []}') == Corrections(3)
    with pytest.raises(LabelError, match="a span that starts at 5 s stops at 5 s"):
        parse_corrections(b'{"revision": 3, "looked_at": [[5, 5]]}')


def test_labels_that_touch_an_accepted_span_stay_when_it_becomes_a_label_again(root: Root) -> None:
    save_labels(root, "stream", [Span(5, 10), Span(10.001, 20), Span(30, 40)])
    corrections = Corrections(spans=(accepted(20, 25), accepted(26, 30.0004)))
    for _ in range(3):
        save_as_labels(root, "stream", corrections, 60)
        labels = read_labels(root, "stream")[0]
        spans = [(5, 10), (10.001, 19.999), (20, 25), (26, 30), (30.001, 40)]
        assert [(span.start, span.stop) for span in labels.spans] == spans
        assert unlabelled(corrections, labels, 60) == 0


def test_corrections_that_were_saved_over_become_no_labels(root: Root) -> None:
    seen = Corrections(spans=(accepted(10, 20),))
    save_corrections(root, "stream", Corrections(spans=(rejected(10, 20),)), 60)
    with pytest.raises(
        Conflict, match=r"were saved elsewhere in the meantime \(revision 1, not 0\): load the page again"
    ):
        save_as_labels(root, "stream", seen, 60)
    assert root.stat("labels/stream.tsv") is None
