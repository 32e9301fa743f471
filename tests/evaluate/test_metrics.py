import itertools
import json
from dataclasses import asdict
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score

from lolhl.errors import DatasetError, ModelError
from lolhl.evaluate import metrics
from lolhl.evaluate.bootstrap import draw
from lolhl.evaluate.events import event_figures
from lolhl.evaluate.figures import Gain, Interval
from lolhl.evaluate.groups import Groups
from lolhl.labels.spans import Span, on_grid


def stream(frames: int = 9000, seed: int = 0) -> tuple[Any, Any, Any]:
    """Labels in runs, scores that know something of them, chunks of 90 frames."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.random(frames // 45) < 0.15, 45)
    scores = (0.3 * labels + rng.random(frames)).astype(np.float32)
    return labels, scores, np.arange(frames) // 90


def test_figures_are_those_of_scikit_learn() -> None:
    labels, scores, _ = stream()
    got = metrics.frame_figures(labels, scores, 0.9)
    assert got.average_precision == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
    assert got.f1 == pytest.approx(f1_score(labels, scores >= 0.9), abs=1e-12)
    assert (got.frames, got.positives) == (9000, labels.sum())
    assert got.base_rate == labels.mean()


def test_by_hand() -> None:
    got = metrics.frame_figures([1, 0, 1, 0, 0], [0.9, 0.8, 0.7, 0.6, 0.1], 0.65)
    assert got.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert [got.precision, got.recall, got.f1] == pytest.approx([2 / 3, 1.0, 0.8])
    assert metrics.frame_figures([1, 0], [0.65, 0.1], 0.65).recall == 1.0  # at the threshold counts


def test_what_is_not_defined_is_none() -> None:
    nothing = metrics.frame_figures([0, 0, 0], [0.1, 0.2, 0.3], 0.5, Groups.from_names([0, 1, 2]))
    assert (nothing.average_precision, nothing.precision, nothing.recall, nothing.f1) == (None, None, None, None)
    assert (nothing.average_precision_interval, nothing.f1_interval) == (None, None)
    wrong = metrics.frame_figures([0, 0], [0.9, 0.1], 0.5)
    assert (wrong.average_precision, wrong.precision, wrong.recall, wrong.f1) == (None, 0.0, None, 0.0)
    missed = metrics.frame_figures([1, 0], [0.2, 0.1], 0.5)
    assert (missed.average_precision, missed.precision, missed.recall, missed.f1) == (1.0, None, 0.0, 0.0)
    empty = metrics.compare([], [], 0.5, Groups.from_names([]))
    assert (empty.model.frames, empty.model.base_rate, empty.random.average_precision) == (0, None, None)
    for comparison in (
        empty,
        metrics.compare([0, 0], [0.1, 0.2], 0.5, Groups.from_names(["a", "b"])),
        metrics.compare([1], [0.5], 0.5, Groups.of_one("a", 1)),
    ):
        assert "NaN" not in json.dumps(asdict(comparison))
        assert "nan" not in comparison.table()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_no_numbers(bad: float) -> None:
    for judge in (
        lambda scores: metrics.frame_figures([0, 1, 1], scores, 0.5),
        lambda scores: metrics.choose_threshold([0, 1, 1], scores),
        lambda scores: metrics.average_precision([0, 1, 1], scores),
    ):
        with pytest.raises(ModelError, match="1 of 3 scores are no numbers"):
            judge([0.1, bad, 0.2])


def test_lists_of_other_lengths() -> None:
    with pytest.raises(ValueError, match="one length"):
        metrics.frame_figures([0, 1], [0.5], 0.5)
    with pytest.raises(ValueError, match="3 groups for 2 frames"):
        metrics.frame_figures([0, 1], [0.5, 0.4], 0.5, Groups.from_names([0, 1, 2]))


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_no_threshold_has_a_better_f1(data: st.DataObject) -> None:
    n = data.draw(st.integers(1, 25))
    labels = np.array(data.draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    scores = np.array(data.draw(st.lists(st.integers(0, 8), min_size=n, max_size=n))) / 8
    if not labels.any():
        with pytest.raises(DatasetError, match="no threshold can be chosen"):
            metrics.choose_threshold(labels, scores)
        return
    chosen = metrics.choose_threshold(labels, scores)
    f1 = {value: f1_score(labels, scores >= value) for value in {*scores.tolist(), chosen}}
    assert f1[chosen] == pytest.approx(max(f1.values()), abs=1e-12)
    higher = [
        value for value in scores.tolist() if value >= chosen and (scores >= chosen).sum() != (scores >= value).sum()
    ]
    assert all(f1[value] < f1[chosen] for value in higher)  # of equals, the highest
    assert metrics.choose_threshold(labels, scores) == chosen


def test_the_threshold_has_room_on_both_sides() -> None:
    labels, scores, _ = stream()
    chosen = metrics.choose_threshold(labels, scores)
    nearest = np.abs(np.unique(scores.astype(np.float64)) - chosen).min()
    assert nearest > 0
    moved = scores + np.float32(nearest / 4) * np.where(np.arange(9000) % 2, 1, -1)
    assert ((moved >= chosen) == (scores >= chosen)).all()


def test_resampled_figures_are_those_of_the_resampled_frames() -> None:
    labels, scores, chunks = stream(frames=900)
    scores = np.round(scores, 2)  # many are equal
    weights = np.random.default_rng(1).multinomial(10, [0.1] * 10, 20)
    fast = metrics._weighted_average_precision(labels, scores.astype(np.float64), weights, chunks)
    fast_f1 = metrics._weighted_f1(labels, scores >= 0.8, weights, chunks)
    for drawn, average, f1 in zip(weights, fast, fast_f1, strict=True):
        rows = np.repeat(np.arange(900), drawn[chunks])
        assert average == pytest.approx(average_precision_score(labels[rows], scores[rows]), abs=1e-9)
        assert f1 == pytest.approx(f1_score(labels[rows], scores[rows] >= 0.8), abs=1e-9)


@pytest.mark.parametrize("decimals", [9, 2])
def test_of_many_frames_resampled_figures_are_within_a_thousandth(decimals: int) -> None:
    """From so many on, scores of neighbouring ranks count as equal."""
    rng = np.random.default_rng(0)
    chunks = np.repeat(np.arange(70), 3_000)
    labels = rng.random(chunks.size) < rng.uniform(0.02, 0.4, 70)[chunks]
    scores = np.round(rng.normal(size=chunks.size) + 1.5 * labels, decimals).astype(np.float64)
    ranking = metrics.Ranking(labels, scores, Groups.from_names([f"v/{chunk:02}" for chunk in chunks]))
    figures = ranking.resample(ranking.groups.names, resamples=4).figures
    for figure, drawn in zip(figures, draw(70, 0, 4), strict=True):
        exact = average_precision_score(labels, scores, sample_weight=drawn[chunks])
        assert figure == pytest.approx(exact, abs=1e-3)
    assert figures.std() > 2e-3


def test_intervals() -> None:
    labels, scores, chunks = stream()
    got = metrics.frame_figures(labels, scores, 0.9, Groups.from_names(chunks), seed=3)
    for figure, interval in ((got.average_precision, got.average_precision_interval), (got.f1, got.f1_interval)):
        assert interval is not None
        assert figure is not None
        assert interval.low < figure < interval.high
    assert got.groups == 100
    assert got == metrics.frame_figures(
        labels, scores, 0.9, Groups.from_names([f"v/{chunk}" for chunk in chunks]), seed=3
    )
    assert got != metrics.frame_figures(labels, scores, 0.9, Groups.from_names(chunks), seed=4)
    alone = metrics.frame_figures(labels, scores, 0.9, Groups.from_names(np.arange(9000)))
    assert alone.average_precision_interval is not None
    assert got.average_precision_interval is not None
    # Frames of a chunk are alike: as if each were a witness of its own, the interval would be too short.
    assert _width(alone.average_precision_interval) < 0.8 * _width(got.average_precision_interval)
    one = metrics.frame_figures(labels, scores, 0.9, Groups.of_one("a", 9000))
    assert (one.groups, one.average_precision_interval, one.f1_interval) == (1, None, None)


def _width(interval: Interval) -> float:
    return interval.high - interval.low


@pytest.mark.slow
def test_intervals_hold_what_they_promise() -> None:
    """The figure of a long stream lies in about 95 % of the intervals that short streams like it give."""
    truth = metrics.average_precision(*stream(450_000, seed=10_000)[:2])
    assert truth is not None
    inside = 0
    for seed in range(200):
        interval = metrics.frame_figures(
            *stream(9000, seed)[:2], 0.9, Groups.from_names(stream(9000)[2]), resamples=200
        ).average_precision_interval
        assert interval is not None
        inside += interval.low <= truth <= interval.high
    assert 0.88 <= inside / 200 <= 0.99


@pytest.mark.parametrize(("n", "positives"), [(1, 1), (5, 1), (5, 2), (6, 5), (7, 3), (4, 4)])
def test_random_ranking_is_the_mean_over_all_orders(n: int, positives: int) -> None:
    orders = itertools.combinations(range(n), positives)
    averages = [average_precision_score(np.isin(np.arange(n), ranks), -np.arange(n)) for ranks in orders]
    labels = np.arange(n) < positives
    assert metrics.random_figures(labels, 0.5).average_precision == pytest.approx(np.mean(averages), abs=1e-12)


def test_answers_that_know_nothing() -> None:
    labels, scores, chunks = stream()
    got = metrics.compare(labels, scores, 0.9, Groups.from_names(chunks))
    base = labels.mean()
    assert got.constant.average_precision == pytest.approx(base)
    assert got.constant.f1 == pytest.approx(2 * base / (1 + base))
    assert got.constant.recall == 1
    called = (scores >= 0.9).mean()
    guesses = np.random.default_rng(0).random((300, 9000)) < called
    f1 = np.mean([f1_score(labels, guess) for guess in guesses])
    assert got.random.f1 == pytest.approx(f1, abs=0.002)
    assert got.random.average_precision == pytest.approx(base, abs=0.002)
    interval = got.random.average_precision_interval
    assert interval is not None
    assert interval.low < base < interval.high
    assert got.model.average_precision is not None
    assert got.model.average_precision > interval.high
    assert got == metrics.compare(labels, scores, 0.9, Groups.from_names(chunks))
    lines = got.table().splitlines()
    assert [line.split("  ")[0] for line in lines[1:4]] == ["model", "constant answer", "random ranking"]
    assert f"{got.model.average_precision:.3f} (" in lines[1]
    assert json.loads(json.dumps(asdict(got)))["model"]["average_precision_interval"].keys() == {"low", "high"}


def test_labels_judged_as_predictions() -> None:
    """Labels and predictions have one shape: a labelling judged by itself is without fault."""
    spans = {"a": [Span(1, 5), Span(9, 20)], "b": [Span(3, 4)]}
    assert event_figures(spans, spans, 1.0).f1 == 1.0
    frames = on_grid(spans["a"], 90, Fraction(3))
    assert metrics.frame_figures(frames, frames, 0.5).f1 == 1.0


def ranking(scores: Any, step: int = 1) -> metrics.Ranking:
    """Of `stream`, at every step-th frame: as a model with a lower frame rate sees it."""
    labels, _, chunks = stream()
    return metrics.Ranking(labels[::step], np.asarray(scores, dtype=float)[::step], Groups.from_names(chunks[::step]))


def test_the_gain_is_paired() -> None:
    labels, scores, chunks = stream()
    better = scores + 0.1 * labels
    gain = metrics.gain(ranking(scores), ranking(better))
    both = [metrics.frame_figures(labels, values, 0.5, Groups.from_names(chunks)) for values in (scores, better)]
    averages = [figures.average_precision for figures in both]
    assert gain.value == pytest.approx(averages[1] - averages[0])  # type: ignore[operator]
    assert gain.groups == 100
    assert gain.interval is not None
    assert 0 < gain.interval.low < gain.value < gain.interval.high  # type: ignore[operator]
    intervals = [figures.average_precision_interval for figures in both]
    assert intervals[0] is not None
    assert intervals[1] is not None
    assert intervals[1].low < intervals[0].high  # apart, the two could not be told from each other
    back = metrics.gain(ranking(better), ranking(scores))
    assert back.value == -gain.value  # type: ignore[operator]
    assert (back.interval.low, back.interval.high) == pytest.approx((-gain.interval.high, -gain.interval.low))  # type: ignore[union-attr]
    assert "NaN" not in json.dumps(asdict(gain))


def test_a_model_gains_nothing_on_itself_and_little_by_chance() -> None:
    _, scores, _ = stream()
    same = metrics.gain(ranking(scores), ranking(scores))
    assert (same.value, same.interval) == (0, Interval(0, 0))
    noise = np.random.default_rng(1).random(len(scores)) / 100
    other = metrics.gain(ranking(scores), ranking(scores + noise))
    assert other.interval is not None
    assert other.interval.low < 0 < other.interval.high


def test_models_with_other_frame_rates_are_compared_by_the_same_chunks() -> None:
    labels, scores, _ = stream()
    gain = metrics.gain(ranking(scores, 3), ranking(scores + labels))
    assert gain.groups == 100
    assert gain.interval is not None
    assert 0.35 < gain.interval.low < gain.interval.high < 0.55


def test_a_gain_that_is_not_defined_is_none() -> None:
    one = metrics.Ranking(np.array([True, False]), np.array([0.9, 0.1]), Groups.of_one("a", 2))
    assert metrics.gain(one, one) == Gain(0.0, None, 1)
    none = metrics.Ranking(np.array([False, False]), np.array([0.9, 0.1]), Groups.from_names(["a", "b"]))
    assert metrics.gain(none, none) == Gain(None, None, 2)
    bad = metrics.Ranking(np.array([True, False]), np.array([np.nan, 0.1]), Groups.from_names(["a", "b"]))
    with pytest.raises(ModelError):
        metrics.gain(one, bad)


def test_a_precision_recall_curve_has_the_precision_and_recall_that_its_thresholds_give() -> None:
    labels, scores, _ = stream()
    curve = metrics.precision_recall(labels, scores, points=50)
    assert len(curve) == 50
    for number, point in enumerate(curve, start=1):
        figures = metrics.frame_figures(labels, scores, point.threshold)
        assert (point.precision, point.recall) == (figures.precision, figures.recall)
        assert point.recall >= number / 50 - 1e-9
        higher = metrics.frame_figures(labels, scores, float(np.nextafter(point.threshold, 2)))
        assert higher.recall is not None
        assert higher.recall < number / 50  # no higher threshold reaches as much
    assert metrics.precision_recall(np.zeros(5, dtype=bool), np.ones(5)) == []
    assert [(p.precision, p.recall) for p in metrics.precision_recall([0, 1], [1.0, 1.0])] == [(0.5, 1.0)]
