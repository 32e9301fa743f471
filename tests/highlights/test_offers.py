"""Cuts into more and fewer highlights, that a page can change between."""

from functools import partial

import numpy as np
import numpy.typing as npt
import pytest

from lolhl.highlights.amount import AmountConfig, choose, together
from lolhl.highlights.cut import Highlight, Limits, find
from lolhl.highlights.offers import Offer, offers
from tests.highlights.test_cut import ONE

LIMITS = Limits(threshold=0.5, merge_gap=0, min_length=2, split_above=1000, max_length=1000)


def find_at(scores: npt.NDArray[np.float64], threshold: float) -> list[Highlight]:
    return find(scores, ONE, len(scores), Limits(**{**vars(LIMITS), "threshold": threshold}))


@pytest.fixture(scope="module")
def scores() -> npt.NDArray[np.float64]:
    rng = np.random.default_rng(3)
    return np.repeat(rng.beta(0.5, 2, 600), 4)


def cuts(scores: npt.NDArray[np.float64], share: float | None = 0.1) -> list[Offer]:
    present = Offer(None, 0.9, find_at(scores, 0.9))
    suggested = Offer(AmountConfig(), *choose(partial(find_at, scores), scores, 1.0, LIMITS.threshold, share))
    return offers(partial(find_at, scores), scores, 1.0, suggested, present)


def test_they_reach_from_a_few_highlights_to_a_large_part_of_the_stream(scores: npt.NDArray[np.float64]) -> None:
    lengths = [cut.seconds for cut in cuts(scores)]
    assert lengths == sorted(lengths)
    assert lengths[0] <= 12
    assert 0.3 * len(scores) < lengths[-1] < 0.6 * len(scores)
    longer = np.array(lengths[1:]) / np.array(lengths[:-1])
    assert longer[np.array(lengths[:-1]) > 30].max() < 1.6  # no wish is far from a cut


def test_the_present_cut_is_one_of_them_once(scores: npt.NDArray[np.float64]) -> None:
    choices = cuts(scores)
    assert [cut.threshold for cut in choices if cut.asked is None] == [0.9]
    spans = [
        tuple((h.span.start, h.span.stop) for h in sorted(cut.highlights, key=lambda h: h.span)) for cut in choices
    ]
    assert len({*spans}) == len(spans)


@pytest.mark.parametrize("share", [None, 0.1])
def test_each_can_be_asked_for_again(scores: npt.NDArray[np.float64], share: float | None) -> None:
    for cut in cuts(scores, share):
        if cut.asked is None:
            continue
        threshold, highlights = choose(partial(find_at, scores), scores, 1.0, LIMITS.threshold, share, cut.asked)
        assert threshold == cut.threshold
        assert [(h.rank, h.span) for h in highlights] == [(h.rank, h.span) for h in cut.highlights]


def test_those_by_minutes_last_no_longer(scores: npt.NDArray[np.float64]) -> None:
    by_minutes = [cut for cut in cuts(scores) if cut.asked and cut.asked.minutes is not None]
    assert len(by_minutes) > 3
    for cut in by_minutes:
        assert cut.asked is not None
        assert cut.asked.minutes is not None
        assert together(cut.highlights) <= 60 * cut.asked.minutes


@pytest.mark.parametrize("scores", [np.zeros(0), np.zeros(100), np.full(100, 0.3)])
def test_a_stream_in_which_nothing_stands_out_has_what_it_has(scores: npt.NDArray[np.float64]) -> None:
    choices = cuts(scores)
    assert choices[0].highlights == []
    assert not any(cut.asked and cut.asked.minutes for cut in choices)
