from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lolhl.errors import UsageError
from lolhl.highlights.cut import CutConfig, Limits, find, reason_for_none
from lolhl.highlights.intensity import centred_mean
from lolhl.labels.habits import Habits
from lolhl.labels.spans import merge, on_grid
from lolhl.labels.tables import read_table

ONE = Fraction(1)
THREE = Fraction(3)
BARE = Limits(threshold=0.5, low_ratio=0.6, valley=0.7, merge_gap=0, min_length=0, split_above=1000, max_length=1000)
HABITS = Habits(share=0.2, highlights=9, short=6, median=16, long=30, longest=50, gap=70)


def limits(**changes: float) -> Limits:
    return Limits(**{**vars(BARE), **changes})


def curve(text: str) -> npt.NDArray[np.float64]:
    """One digit per second, in tenths."""
    return np.array([int(c) / 10 for c in text], dtype=float)


def borders(text: str, limit: Limits, duration: float | None = None) -> list[tuple[float, float]]:
    scores = curve(text)
    highlights = find(scores, ONE, len(scores) if duration is None else duration, limit)
    return sorted((h.span.start, h.span.stop) for h in highlights)


def test_it_reaches_the_threshold_and_ends_below_the_lower_one() -> None:
    #                0123456789
    assert borders("0446444200", BARE) == [(1, 7)]
    assert borders("0444444400", BARE) == []
    assert borders("0006200600", BARE) == [(3, 4), (7, 8)]


def test_it_is_padded_within_the_video() -> None:
    assert borders("0006000000", limits(pad_before=2, pad_after=1)) == [(1, 5)]
    assert borders("6000000006", limits(pad_before=4, pad_after=3), 9.5) == [(0, 4), (5, 9.5)]


def test_near_ones_become_one() -> None:
    assert borders("0600600060", limits(merge_gap=2)) == [(1, 5), (8, 9)]
    assert borders("0600600060", limits(merge_gap=3)) == [(1, 9)]


def test_padding_joins_nothing() -> None:
    assert borders("0600060000", limits(pad_before=2, pad_after=3)) == [(0, 3.5), (3.5, 9)]


def test_a_long_one_is_split_at_its_valleys() -> None:
    deep = "0" + "9" * 5 + "6" + "9" * 5 + "0"
    assert borders(deep, limits(split_above=10)) == [(1, 6), (6, 12)]
    assert borders(deep, limits(split_above=11)) == [(1, 12)]  # not longer than is usual
    assert borders(deep, limits(split_above=10, valley=0.6)) == [(1, 12)]  # not deep enough
    assert borders("0" + "6" * 5 + "5" + "9" * 5 + "0", limits(split_above=10)) == [(1, 12)]  # beside the lower peak


def test_no_part_of_a_split_one_is_too_short() -> None:
    text = "0" + "9" * 9 + "5" + "7" * 2 + "6" + "8" * 9 + "0"
    assert borders(text, limits(split_above=10, valley=0.9)) == [(1, 10), (10, 13), (13, 23)]
    # It joins the neighbour beyond the shallower valley.
    assert borders(text, limits(split_above=10, valley=0.9, min_length=4)) == [(1, 10), (10, 23)]


def test_a_day_that_is_all_peaks_is_split_too() -> None:
    noise = np.random.default_rng(0).uniform(0.5, 1, 50_000)
    spans = find(noise, THREE, len(noise) / 3, limits(split_above=10, valley=0.9, min_length=5))
    assert all(highlight.span.duration >= 5 - 0.002 for highlight in spans)
    assert sum(highlight.span.duration for highlight in spans) == pytest.approx(len(noise) / 3)


def test_lengths_and_lulls_are_those_of_the_labels() -> None:
    limit = CutConfig().limits(0.3, HABITS)
    assert (limit.merge_gap, limit.min_length, limit.split_above, limit.max_length) == (2, 6, 16, 50)
    own = CutConfig(merge_gap=0, min_length=30).limits(0.3, HABITS)
    assert (own.merge_gap, own.min_length, own.split_above, own.max_length) == (0, 30, 16, 60)
    assert CutConfig(max_length=8).limits(0.3, HABITS).min_length == 4
    assert CutConfig().limits(0.3) == Limits(threshold=0.3)


def test_short_ones_are_dropped() -> None:
    assert borders("0600666000", limits(min_length=2)) == [(4, 7)]


def test_long_ones_are_split_where_it_was_least_likely() -> None:
    assert borders("0" + "9" * 10 + "5" + "9" * 8 + "0", limits(max_length=15)) == [(1, 11), (11, 20)]


def test_a_part_of_a_long_one_that_never_reaches_the_threshold_is_left_out() -> None:
    assert borders("0" + "9" * 5 + "4" * 15, limits(max_length=10)) == [(1, 6)]


def test_they_are_ranked_by_their_peak_and_say_why() -> None:
    highlights = find(curve("0600088800700077"), ONE, 16, BARE)
    assert [(h.rank, h.span.start, h.span.name, h.peak_time) for h in highlights] == [
        (1, 5, "highlight 1", 5),
        (2, 10, "highlight 2", 10),
        (3, 14, "highlight 3", 14),
        (4, 1, "highlight 4", 1),
    ]
    assert highlights[0].span.score == highlights[0].peak == 0.8
    assert highlights[0].reason == "reached 0.80 at 0:00:05 (threshold 0.50), mean 0.80 over 3 s"


@pytest.mark.parametrize(
    ("text", "changes", "reason"),
    [
        ("0130", {}, "the highest smoothed probability was 0.30, below the threshold 0.50"),
        ("", {}, "the video has no frames"),
        ("0060", {"min_length": 3}, "never for long enough"),
    ],
)
def test_it_says_why_there_is_none(text: str, changes: dict[str, float], reason: str) -> None:
    limit = limits(**changes)
    assert find(curve(text), ONE, len(text), limit) == []
    assert reason in reason_for_none(curve(text), limit)


def test_the_reason_never_says_that_a_number_is_below_itself() -> None:
    assert "was 0.4999, below the threshold 0.5000" in reason_for_none(np.array([0.4999]), BARE)


@pytest.mark.parametrize(
    "changes",
    [
        {"low_ratio": -0.1},
        {"valley": 1.5},
        {"pad_before": -1},
        {"merge_gap": float("inf")},
        {"min_length": 10, "max_length": 15},
        {"max_length": 0},
    ],
)
def test_impossible_limits_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="--" + next(reversed(changes)).replace("_", "-")):
        CutConfig(**changes)


@st.composite
def streams(draw: st.DrawFn) -> tuple[npt.NDArray[np.float64], Fraction, float, Limits]:
    fps = draw(st.sampled_from([ONE, THREE, Fraction(1, 2), Fraction(30000, 1001)]))
    parts = draw(st.lists(st.tuples(st.floats(0, 1), st.integers(1, 60)), min_size=1, max_size=12))
    scores = np.concatenate([np.full(count, value) for value, count in parts])
    duration = max(0.01, float(len(scores) / fps) - draw(st.floats(0, float(Fraction(9, 10) / fps))))
    shortest = draw(st.floats(0, 10))
    limit = Limits(
        threshold=draw(st.floats(0, 1)),
        low_ratio=draw(st.floats(0, 1)),
        pad_before=draw(st.floats(0, 10)),
        pad_after=draw(st.floats(0, 10)),
        merge_gap=draw(st.floats(0, 10)),
        min_length=shortest,
        max_length=draw(st.floats(max(2 * shortest, 0.1), 40)),
        split_above=draw(st.floats(0, 40)),
        valley=draw(st.floats(0, 1)),
    )
    return scores, fps, duration, limit


@settings(max_examples=200, deadline=None)
@given(streams())
def test_what_always_holds(stream: tuple[npt.NDArray[np.float64], Fraction, float, Limits]) -> None:
    scores, fps, duration, limit = stream
    highlights = find(scores, fps, duration, limit)
    in_time = sorted(h.span for h in highlights)
    assert [h.rank for h in highlights] == list(range(1, len(highlights) + 1))
    assert all(better.peak >= worse.peak for better, worse in pairwise(highlights))
    for highlight in highlights:
        span = highlight.span
        assert 0 <= span.start < span.stop <= duration + 1e-6  # borders are whole milliseconds
        assert limit.min_length - 0.002 <= span.duration <= limit.max_length + 0.002
        assert limit.threshold <= highlight.peak <= 1
        assert span.start - 0.001 <= highlight.peak_time < span.stop
    for earlier, later in pairwise(in_time):
        assert earlier.stop <= later.start
    # Whatever reaches the threshold is in a highlight, unless that was too short.
    if limit.min_length == 0:
        assert on_grid(in_time, len(scores), fps)[scores >= limit.threshold].all()


def test_perfect_scores_give_back_the_labels_of_a_real_stream(request: pytest.FixtureRequest) -> None:
    labels = request.config.rootpath / "../shared/data/highlights.tsv"
    if not labels.exists():
        pytest.skip("the real labels are not here")
    for spans in read_table(labels.read_bytes(), "highlights.tsv").values():
        spans = merge(spans, gap=2)
        duration = spans[-1].stop + 60
        scores = on_grid(spans, int(duration * THREE), THREE).astype(np.float32)
        smoothed = centred_mean(scores, THREE, 3)
        limit = Limits(threshold=0.5, low_ratio=1, pad_before=0, pad_after=0, merge_gap=0, min_length=1, max_length=600)
        result = sorted(h.span for h in find(smoothed, THREE, duration, limit))
        assert len(result) == len(spans)
        assert all(abs(a.start - b.start) < 1 and abs(a.stop - b.stop) < 1 for a, b in zip(result, spans, strict=True))
