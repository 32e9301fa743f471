"""What labels have in common."""

from pathlib import Path

import pytest

from lolhl.labels.habits import habits
from lolhl.labels.spans import Span
from lolhl.labels.tables import read_table


def test_share_lengths_and_gaps() -> None:
    marks = habits([([Span(0, 10), Span(30, 50)], 100), ([Span(5, 10), Span(8, 35)], 60)])
    assert marks
    assert (marks.share, marks.highlights) == (60 / 160, 3)  # the two that overlap are one, of 30 s
    assert marks.short == pytest.approx(12)
    assert (marks.median, marks.longest) == (20, 30)
    assert marks.gap == 20
    assert (marks.smooth_seconds, marks.lull) == (5, 2.5)


def test_nothing_labelled_is_no_habit() -> None:
    assert habits([([], 100)]) is None
    assert habits([]) is None


def test_labels_that_reach_beyond_the_end_are_no_more_than_all() -> None:
    marks = habits([([Span(0, 100)], 60)])
    assert marks
    assert (marks.share, marks.gap) == (1, None)


def test_real_labels(request: pytest.FixtureRequest) -> None:
    labels: Path = request.config.rootpath / "../shared/data/highlights.tsv"
    if not labels.exists():
        pytest.skip("the real labels are not here")
    spans = read_table(labels.read_bytes(), "highlights.tsv")
    marks = habits((vod, max(span.stop for span in vod)) for vod in spans.values())
    assert marks
    assert 0.1 < marks.share < 0.2
    assert marks.short < 10 < marks.median < 20 < marks.long < 40
    assert 2 < marks.smooth_seconds < 5
