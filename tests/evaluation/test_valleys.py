"""Where long highlights are split, by scores that are made up."""

from fractions import Fraction

import numpy as np
import pytest

from lolhl.evaluate.judge import Judge, ScoredVod
from lolhl.highlights.cut import Limits
from lolhl.labels.habits import Habits
from lolhl.labels.spans import Span
from tests.evaluation.valleys import Scored, event_f1, table

HABITS = Habits(share=0.2, highlights=4, short=2, median=5, long=12, longest=30, gap=10)


def two_fights(floor: float) -> Scored:
    """Fights of 6 s, two at a time, with a lull of a second that the scores show as this floor."""
    scores, labels = np.full(900, 0.05), []
    for start in range(20, 280, 40):
        scores[start * 3 : (start + 13) * 3] = 0.9
        scores[(start + 6) * 3 : (start + 7) * 3] = floor
        labels += [Span(start, start + 6), Span(start + 7, start + 13)]
    vod = ScoredVod(vod="v", fps=Fraction(3), scores=scores, labels=labels)
    return Scored(vod, scores, Judge(0, Limits(threshold=0.5, min_length=2, max_length=30)), HABITS)


@pytest.mark.parametrize(("floor", "valley", "above", "right"), [
    (0.7, 0.85, "median", 1.0),
    (0.7, 0.5, "median", 0.0),  # it is shallower
    (0.7, 0.85, "long", 1.0),
    (0.7, 0.85, "longest", 0.0),  # nothing is as long
    (0.8, 0.85, "", 0.0),
])  # fmt: skip
def test_two_fights_are_two_highlights_where_the_valley_is_deep_enough(
    floor: float, valley: float, above: str, right: float
) -> None:
    assert event_f1([two_fights(floor)], valley, above)[1] == right


def test_the_table_has_all_ways_and_their_means() -> None:
    shown = table({"a": [two_fights(0.7)], "b": [two_fights(0.3)]})
    assert all(len(row) == len(shown.columns) for row in shown.rows)
    rows = {(row[0], row[1]): row[2:] for row in shown.rows}
    assert rows[0.5, "half of the labels"][1].endswith("/ 1.000")  # type: ignore[attr-defined]
    assert rows[0.85, "half of the labels"][2].endswith("/ 1.000")  # type: ignore[attr-defined]
