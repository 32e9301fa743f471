"""How many highlights there are: by what a user asks for, and by what suits a VOD."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
import pytest

from lolhl.errors import UsageError
from lolhl.highlights.amount import ROOM, AmountConfig, choose, likely_seconds, parse_share, together
from lolhl.highlights.cut import Highlight, Limits, find
from tests.highlights.test_cut import ONE, curve

LIMITS = Limits(threshold=0.5, merge_gap=0, min_length=2, split_above=1000, max_length=1000)
DEFAULT = AmountConfig()
#              0         1         2         3         4
STREAM = curve("0009990000888888000077770000660000003330000")


def find_at(scores: npt.NDArray[np.float64], threshold: float) -> list[Highlight]:
    return find(scores, ONE, len(scores), replace(LIMITS, threshold=threshold))


def cut(
    amount: AmountConfig = DEFAULT, share: float | None = None, scores: npt.NDArray[np.float64] = STREAM
) -> tuple[float, Sequence[Highlight]]:
    return choose(partial(find_at, scores), scores, 1.0, LIMITS.threshold, share, amount)


def lengths(amount: AmountConfig) -> list[float]:
    highlights = cut(amount)[1]
    assert [highlight.rank for highlight in highlights] == list(range(1, len(highlights) + 1))
    return [highlight.span.duration for highlight in highlights]


def test_without_labels_the_models_threshold_is_used() -> None:
    threshold, highlights = cut()
    assert threshold == 0.5
    assert [highlight.peak for highlight in highlights] == [0.9, 0.8, 0.7, 0.6]


def test_the_best_are_kept_whole() -> None:
    assert lengths(AmountConfig(top=2)) == [3, 6]
    assert lengths(AmountConfig(minutes=13 / 60)) == [3, 6, 4]
    assert lengths(AmountConfig(minutes=8 / 60)) == [3, 4]  # the second best does not fit any more
    assert lengths(AmountConfig(share=9 / 43)) == [3, 6]


def test_the_threshold_falls_where_there_are_too_few() -> None:
    threshold, highlights = cut(AmountConfig(top=5))
    assert threshold == pytest.approx(0.3)
    assert len(highlights) == 5
    threshold, highlights = cut(AmountConfig(minutes=18 / 60))
    assert threshold == pytest.approx(0.3)
    assert len(highlights) == 5
    assert together(cut(AmountConfig(share=1.0))[1]) == 43


def test_a_threshold_that_is_asked_for_is_used_as_it_is() -> None:
    threshold, highlights = cut(AmountConfig(threshold=0.65), share=0.01)
    assert (threshold, len(highlights)) == (0.65, 3)


@pytest.mark.parametrize("share", [0.12, 0.2, 0.35])
def test_scores_decide_within_the_room_that_labels_leave(share: float) -> None:
    rng = np.random.default_rng(0)
    scores = np.repeat(rng.beta(0.4, 1.6, 400), 5)
    assert share / ROOM < scores.mean() < share * ROOM
    _, highlights = cut(share=share, scores=scores)
    assert together(highlights) == pytest.approx(float(scores.sum()), rel=0.1)


@pytest.mark.parametrize("share", [0.01, 0.05, 0.7, 0.9])
def test_beyond_this_room_both_count_alike(share: float) -> None:
    """Also where the scores of a whole stream are higher or lower than they should be."""
    rng = np.random.default_rng(0)
    scores = np.repeat(rng.beta(0.4, 1.6, 400), 5)
    expected, marked = float(scores.sum()), share * len(scores)
    nearest = marked * ROOM if expected > marked else marked / ROOM
    _, highlights = cut(share=share, scores=scores)
    low, high = sorted([expected, nearest])
    assert low < together(highlights) < high
    assert together(highlights) == pytest.approx((expected * nearest) ** 0.5, rel=0.1)


def test_what_is_likely_has_no_step() -> None:
    expected = np.geomspace(1, 10_000, 2000)
    likely = np.array([likely_seconds(seconds, 100.0) for seconds in expected.tolist()])
    steps = np.diff(np.log(likely)) / np.diff(np.log(expected))
    inside = (expected[1:] < 100 * ROOM) & (expected[:-1] > 100 / ROOM)
    np.testing.assert_allclose(steps[inside], 1)
    assert (steps > 0.49).all()
    assert likely_seconds(0.0, 100.0) == 0
    assert likely_seconds(30.0, 120.0, room=1.0) == pytest.approx(60.0)


def test_nothing_is_found_where_nothing_is_likely() -> None:
    threshold, highlights = cut(share=0.2, scores=np.zeros(50))
    assert highlights == []
    assert threshold > 0
    assert cut(share=0.2, scores=np.zeros(0))[1] == []
    assert cut(AmountConfig(top=3), share=0.2, scores=np.zeros(0))[1] == []


@pytest.mark.parametrize(("text", "share"), [("8%", 0.08), ("0.08", 0.08), (".5", 0.5), ("12.5%", 0.125), ("1", 1.0)])
def test_shares_are_written_as_percent_or_as_fractions(text: str, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize("text", ["8", "-8%", "1e-2", "0/4", "%", "", "eight", "²%"])
def test_other_words_are_no_share(text: str) -> None:
    with pytest.raises(UsageError, match="write it as 8%"):
        parse_share(text)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"threshold": 0.5, "top": 20}, "--threshold and --top exclude each other: give one of them"),
        ({"minutes": 10, "share": 0.08}, "--minutes and --share exclude each other: give one of them"),
        ({"minutes": 0}, "--minutes 0: must be above 0 and at most 1000000"),
        ({"top": 0}, "--top 0: must be 1 or more"),
        ({"share": 1.5}, "--share 1.5: must be above 0 and at most 1"),
    ],
)
def test_one_amount_is_asked_for(given: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        AmountConfig(**given)  # type: ignore[arg-type]
    assert str(caught.value) == message
