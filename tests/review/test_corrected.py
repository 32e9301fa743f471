"""Highlights as their editor left them, where the stream has been cut otherwise since."""

import pytest

from lolhl.highlights.cut import Highlight
from lolhl.labels.spans import Span
from lolhl.review.corrected import corrected
from lolhl.review.corrections import Correction, Corrections

HIGHLIGHTS = [Highlight(Span(10, 20, "highlight 1", 0.9), 1, 0.9, 15, 0.8, "loud")]


def kept(*spans: Correction) -> list[tuple[float, float, int]]:
    highlights = corrected(HIGHLIGHTS, Corrections(spans=spans), 100)
    return [(highlight.span.start, highlight.span.stop, highlight.rank) for highlight in highlights]


@pytest.mark.parametrize(
    ("start", "stop", "same"),
    [(0, 9.9, False), (0, 15.1, True), (14, 18, True), (19, 20.9, True), (30, 40, False)],
)
def test_a_moment_that_was_judged_takes_the_place_of_the_highlight_that_shows_it(
    start: float, stop: float, same: bool
) -> None:
    for was in (None, (start, stop), (start + 0.5, stop)):
        assert kept(Correction(start, stop, "rejected", was)) == ([] if same else [(10, 20, 1)])
        accepted = [(start, stop, 1)] if same else [(10, 20, 1), (start, stop, 2)]
        assert kept(Correction(start, stop, "accepted", was)) == accepted


def test_an_accepted_moment_has_rank_score_and_reason_of_the_best_highlight_that_shows_it() -> None:
    """So that the best of a new cut are not those that nobody has looked at."""
    found = [
        Highlight(Span(50, 60, "highlight 1", 0.9), 1, 0.9, 55, 0.8, "loud"),
        Highlight(Span(10, 15, "highlight 2", 0.8), 2, 0.8, 12, 0.7, "fight"),
        Highlight(Span(15, 21, "highlight 3", 0.7), 3, 0.7, 17, 0.6, "fight, too"),
    ]
    spans = (
        Correction(9, 20, "accepted", (8, 20)),
        Correction(70, 80, "accepted", (71, 80)),
        Correction(90, 95, "accepted"),
    )
    left = corrected(found, Corrections(spans=spans), 100)
    assert [(h.span.start, h.span.stop, h.rank, h.span.score, h.reason) for h in left] == [
        (50, 60, 1, 0.9, "loud"),
        (9, 20, 2, 0.8, "fight"),
        (70, 80, 4, None, "accepted when the stream was cut otherwise"),
        (90, 95, 5, None, "added by hand"),
    ]


def test_a_highlight_that_was_judged_itself_stays_as_its_editor_left_it() -> None:
    assert kept(Correction(11, 25, "accepted", (10, 20))) == [(11, 25, 1)]
    assert kept(Correction(11, 25, "accepted", (10, 20)), Correction(26, 30, "accepted")) == [(11, 25, 1), (26, 30, 2)]
    assert kept(Correction(10, 20, "rejected", (10, 20))) == []


def test_what_overlaps_is_one_highlight() -> None:
    assert kept(Correction(11, 25, "accepted", (10, 20)), Correction(12, 26, "accepted")) == [(11, 26, 1)]
    assert kept(Correction(4, 14, "accepted")) == [(4, 20, 1)]
    assert kept(Correction(20, 24, "accepted")) == [(10, 20, 1), (20, 24, 2)]  # they touch


def test_a_highlight_that_was_moved_behind_the_end_of_the_video_has_a_length() -> None:
    (highlight,) = corrected(HIGHLIGHTS, Corrections(spans=(Correction(100.2, 100.9, "accepted", (10, 20)),)), 100)
    assert highlight.span.duration > 0
