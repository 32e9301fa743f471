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
    ("start", "stop", "stays"),
    [(0, 14.9, True), (0, 15.1, False), (14, 18, False), (18, 22, True), (19, 20.9, False), (30, 40, True)],
)
def test_a_moment_that_was_judged_takes_the_place_of_the_highlight_that_shows_it(
    start: float, stop: float, stays: bool
) -> None:
    present = [(10, 20, 1)] if stays else []
    for was in (None, (start, stop), (start + 0.5, stop)):
        assert kept(Correction(start, stop, "rejected", was)) == present
        assert kept(Correction(start, stop, "accepted", was)) == [*present, (start, stop, 2)]


def test_a_highlight_that_was_judged_itself_stays_as_its_editor_left_it() -> None:
    assert kept(Correction(11, 25, "accepted", (10, 20))) == [(11, 25, 1)]
    assert kept(Correction(11, 25, "accepted", (10, 20)), Correction(12, 20, "accepted")) == [(11, 25, 1), (12, 20, 2)]
    assert kept(Correction(10, 20, "rejected", (10, 20))) == []
