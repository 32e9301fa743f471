"""Figures for editors, on cases whose figures are counted by hand. One frame a second, so that a frame is a second."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from lolhl.evaluate.editing import editing_figures
from lolhl.evaluate.judge import VODS_ENOUGH, Prediction, Predictions
from lolhl.labels.spans import Span, on_grid

FPS = Fraction(1)


def prediction(
    labels: Sequence[Span], spans: Sequence[Span] = (), scores: Sequence[float] | None = None, vod: str = "a"
) -> Prediction:
    """Ten minutes of a VOD."""
    values = np.zeros(600) if scores is None else np.array(scores, dtype=np.float64)
    return Prediction(vod=vod, fps=FPS, scores=values, spans=spans, labels=labels)


def test_borders_are_off_by_the_median_of_the_matched_events() -> None:
    labels = [Span(at, at + 20) for at in (0, 100, 200, 300)]
    spans = [Span(1, 20), Span(102, 121), Span(205, 224), Span(400, 420)]  # the last shows nothing
    figures = editing_figures(Predictions(0.5, [prediction(labels, spans)]))
    assert figures.start_error.value == 2
    assert figures.stop_error.value == 1
    four = [*spans[:3], Span(304, 320)]
    assert editing_figures(Predictions(0.5, [prediction(labels, four)])).start_error.value == (2 + 4) / 2


def test_borders_of_nothing_matched_are_not_defined() -> None:
    figures = editing_figures(Predictions(0.5, [prediction([Span(0, 20)], [Span(50, 70)])]))
    assert (figures.start_error.value, figures.start_error.interval) == (None, None)
    assert figures.ten_best.value == 0


def test_minutes_are_watched_from_the_best_moment_on_until_four_of_five_events_are_half_seen() -> None:
    labels = [Span(at, at + 10) for at in (0, 100, 200, 300, 400)]
    scores = np.zeros(600)
    for rank, label in enumerate(labels):
        scores[int(label.start) : int(label.stop)] = 0.9 - 0.1 * rank
    scores[500:560] = 0.7  # a minute of nothing beside the third event
    figures = editing_figures(Predictions(0.5, [prediction(labels, scores=scores.tolist())]))
    assert figures.labelled_minutes == pytest.approx(50 / 60)
    assert figures.minutes.value == pytest.approx((40 + 60) / 60)
    # Of each event, the first half is better than the rest: no more is watched.
    for label in labels:
        scores[int(label.start) + 5 : int(label.stop)] = 0.1
    figures = editing_figures(Predictions(0.5, [prediction(labels, scores=scores.tolist())]))
    assert figures.minutes.value == pytest.approx((20 + 60) / 60)


def test_what_knows_nothing_has_to_be_watched_whole() -> None:
    assert editing_figures(Predictions(0.5, [prediction([Span(0, 10)])])).minutes.value == 10
    assert editing_figures(Predictions(0.5, [prediction([])])).minutes.value is None


def test_a_random_ranking_needs_about_half() -> None:
    labels = [Span(at, at + 20) for at in range(0, 600, 60)]
    scores = np.random.default_rng(0).random(600)
    figures = editing_figures(Predictions(0.5, [prediction(labels, scores=scores.tolist())]))
    assert 4 < (figures.minutes.value or 0) < 7
    assert figures.minutes.interval is not None
    assert figures.minutes.interval.low < (figures.minutes.value or 0) < figures.minutes.interval.high


def test_the_ten_best_are_those_of_each_vod() -> None:
    labels = [Span(at, at + 10) for at in range(0, 600, 50)]  # 12
    right = [Span(span.start, span.stop, score=0.5 + 0.01 * number) for number, span in enumerate(labels)]
    wrong = [Span(at + 20, at + 30, score=0.9) for at in range(0, 250, 50)]
    many = prediction(labels, [*right, *wrong])  # five wrong ones come first, and two right ones are not looked at
    few = prediction(labels, [right[0], *wrong[:1]], vod="b")
    assert editing_figures(Predictions(0.5, [many])).ten_best.value == 5 / 10
    assert editing_figures(Predictions(0.5, [few])).ten_best.value == 1 / 2
    assert editing_figures(Predictions(0.5, [many, few])).ten_best.value == 6 / 12


def test_two_highlights_of_one_event_are_one_that_is_right() -> None:
    spans = [Span(0, 10, score=0.9), Span(10, 20, score=0.8)]
    assert editing_figures(Predictions(0.5, [prediction([Span(0, 20)], spans)])).ten_best.value == 1 / 2


def test_time_called_beside_time_labelled() -> None:
    a = prediction([Span(0, 20)], [Span(10, 40)])
    b = prediction([Span(0, 60)], [Span(0, 30)], vod="b")
    figures = editing_figures(Predictions(0.5, [a, b]))
    assert figures.called_in == {"a": 30 / 20, "b": 30 / 60}
    assert figures.called.value == 60 / 80
    assert editing_figures(Predictions(0.5, [prediction([], [Span(0, 5)])])).called.value is None


def test_only_what_is_known_counts() -> None:
    known = np.zeros(600, dtype=bool)
    known[:300] = True
    scores = np.where(known, 0.1, 0.9)
    scores[:20] = 0.5
    part = Prediction(
        vod="a", fps=FPS, scores=scores, spans=[Span(0, 40), Span(400, 500)], labels=[Span(0, 20)], known=known
    )
    figures = editing_figures(Predictions(0.5, [part]))
    assert figures.called.value == 2
    assert figures.minutes.value == pytest.approx(20 / 60)


def test_intervals_are_drawn_over_vods_where_there_are_enough() -> None:
    vods = []
    for number in range(VODS_ENOUGH):
        labels = [Span(at, at + 20) for at in range(0, 600, 60)]
        scores = 0.5 * on_grid(labels, 600, FPS) + np.random.default_rng(number).random(600)
        spans = [Span(span.start + number, span.stop, score=1.0) for span in labels]
        vods.append(prediction(labels, spans, scores.tolist(), vod=f"v{number}"))
    figures = editing_figures(Predictions(0.5, vods))
    for estimate in (figures.start_error, figures.minutes, figures.called):
        assert estimate.interval is not None
        assert estimate.interval.low < (estimate.value or 0) < estimate.interval.high
    assert figures.stop_error.interval is not None
    assert figures.stop_error.interval.high == 0
    alike = editing_figures(Predictions(0.5, [prediction(vods[0].labels, vods[0].spans)] * 1))
    assert alike.start_error.interval is not None  # over chunks
    assert alike.start_error.interval.high == 0
