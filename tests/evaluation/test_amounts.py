"""How much of a VOD is called, by scores that are made up."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from lolhl.evaluate.judge import Judge, ScoredVod
from lolhl.highlights.cut import Limits
from lolhl.labels.habits import Habits
from lolhl.labels.spans import Span
from tests.evaluation.amounts import WAYS, across_vods, event_f1, tables
from tests.evaluation.valleys import Scored

HABITS = Habits(share=0.2, highlights=10, short=2, median=8, long=12, longest=30, gap=10)
GEOMETRIC = "geometric mean of this and of the mean probability"
ADAPTED = "the mean probability, adapted to each VOD"


def stream(fights: int, sure: float = 0.95) -> Scored:
    """Ten minutes, every 30 s a fight of 8 s or, once they are over, something that looks a little like one."""
    scores, middles = np.full(1800, 0.01), 30.0 * np.arange(20) + 10
    for number, middle in enumerate(middles):
        peak = (sure if number < fights else 0.35) * (1 - number / 200)
        scores += peak * np.clip(1.4 - np.abs(np.arange(1800) - 3 * middle) / 15, 0, 1)
    labels = [Span(middle - 4, middle + 4) for middle in middles[:fights].tolist()]
    vod = ScoredVod(vod=f"of {fights}", fps=Fraction(3), scores=scores, labels=labels)
    return Scored(vod, scores, Judge(0, Limits(threshold=0.5, min_length=2, split_above=30, max_length=40)), HABITS)


def test_scores_tell_a_quiet_stream_from_a_wild_one() -> None:
    streams = [stream(5), stream(19)]
    _, by_labels = event_f1(streams, WAYS["the share labelled where it was learnt"])
    _, by_both = event_f1(streams, WAYS[GEOMETRIC])
    _, by_scores = event_f1(streams, WAYS["within 2"])
    assert by_labels[0] > by_both[0] > by_scores[0] > 0.7
    assert by_labels[1] < by_both[1] < by_scores[1] < 1.5


def test_adapting_makes_a_quiet_stream_quieter_and_a_wild_one_wilder() -> None:
    for fights, further in ((3, -1), (19, 1)):
        scores = 0.1 + 0.6 * stream(fights).vod.scores  # as unsure as scores are that should tell streams apart
        moved = WAYS[ADAPTED](scores, HABITS.share) - scores.mean()
        assert np.sign(moved) == further


def test_folds_tell_how_far_scores_lie_too_high() -> None:
    streams = [stream(8, sure=0.95), stream(10, sure=0.95)]
    odds = [np.log(one.vod.scores.clip(0.02, 0.98) / (1 - one.vod.scores.clip(0.02, 0.98))) + 2 for one in streams]
    high = [
        replace(one, vod=replace(one.vod, scores=1 / (1 + np.exp(-value))))
        for one, value in zip(streams, odds, strict=True)
    ]
    labelled = np.mean([len(one.vod.labels) * 8 / 600 for one in streams])
    before, after = (np.mean([one.vod.scores.mean() for one in vods]) for vods in (high, across_vods(high, high)))
    assert before > 2 * labelled
    assert after == pytest.approx(labelled, rel=0.25)


def test_the_tables_have_all_ways_and_all_vods() -> None:
    first, second = tables("title", {"a": [stream(5)], "b": [stream(5), stream(12)]})
    assert [row[0] for row in first.rows] == [row[0] for row in second.rows] == list(WAYS)
    assert second.columns == ("how much is called", "of 5", "of 12")
    assert all(len(row) == len(shown.columns) for shown in (first, second) for row in shown.rows)
    assert all(str(row[-1]).endswith(" of 3") for row in first.rows)
