"""The judge: what flows where, and by which groups intervals are drawn."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from lolhl.errors import DatasetError
from lolhl.evaluate import metrics
from lolhl.evaluate.judge import VODS_ENOUGH, Judge, Prediction, Predictions, ScoredVod, average_precision, judge
from lolhl.highlights.cut import Limits, find
from lolhl.highlights.intensity import centred_mean
from lolhl.labels.habits import Habits
from lolhl.labels.spans import Span, on_grid

FPS = Fraction(3)
SPANS = [Span(28, 33), Span(70, 80), Span(110, 118), Span(200, 210)]


def scored(vod: str, spans: Sequence[Span] = SPANS, seconds: int = 240, seed: int = 0) -> ScoredVod:
    """Noisy scores that know the labels."""
    labels = on_grid(spans, seconds * 3, FPS)
    noise = np.random.default_rng(seed).random(len(labels))
    return ScoredVod(vod=vod, fps=FPS, scores=(0.5 * labels + 0.5 * noise).astype(np.float32), labels=spans)


def test_the_chain_is_smoothing_threshold_spans_and_figures() -> None:
    vods = [scored("a"), scored("b", SPANS[1:], seed=1)]
    smoothed = [centred_mean(vod.scores, FPS, 5) for vod in vods]
    labels = [on_grid(vod.labels, 720, FPS) for vod in vods]
    chosen = Judge.choose(vods, 5)
    threshold = metrics.choose_threshold(np.concatenate(labels), np.concatenate(smoothed))
    assert chosen == Judge(5, Limits(threshold=threshold))
    predictions = chosen.predict(vods)
    for prediction, scores in zip(predictions.vods, smoothed, strict=True):
        cut = [highlight.span for highlight in find(scores, FPS, 240, chosen.limits)]
        assert [(span.start, span.stop) for span in prediction.spans] == [(span.start, span.stop) for span in cut]
    figures = judge(predictions)
    expected = metrics.frame_figures(np.concatenate(labels), np.concatenate(smoothed), threshold)
    assert figures.frames.model.average_precision == expected.average_precision == average_precision(vods, 5)
    assert figures.frames.model.f1 == expected.f1
    assert [at.labelled for at in figures.events] == [7, 7]
    assert figures.per_vod["b"].average_precision == metrics.average_precision(labels[1], smoothed[1])
    assert sum(vod.events[0].matched for vod in figures.per_vod.values()) == figures.events[0].matched


def test_each_vod_is_called_as_suits_it_where_habits_are_known() -> None:
    """The scores of the second VOD are half of what they should be, so that the threshold calls nothing there."""
    marks = Habits(share=0.15, highlights=4, short=4, median=8, long=12, longest=15, gap=40)
    loud, quiet = scored("a"), scored("b", seed=1)
    quiet = replace(quiet, scores=quiet.scores * 0.5)
    fixed = Judge(2, Limits(threshold=0.6)).predict([loud, quiet])
    assert [bool(vod.spans) for vod in fixed.vods] == [True, False]
    suited = Judge.of_model(0.6, marks.smooth_seconds, marks).predict([loud, quiet])
    for vod in suited.vods:
        assert 0.5 * 33 < sum(span.duration for span in vod.spans) < 2.5 * 33


def test_nothing_flows_in_from_what_is_not_known() -> None:
    whole = scored("a")
    known = np.zeros(720, dtype=bool)
    known[150:300] = known[500:700] = True  # with the events of 70 and 200 s
    elsewhere = np.where(known, whole.scores, 1.0)
    part = ScoredVod.from_samples("a", FPS, np.flatnonzero(known), whole.scores[known], on_grid(SPANS, 720, FPS)[known])
    masked = ScoredVod(vod="a", fps=FPS, scores=elsewhere, labels=part.labels, known=known)
    strict = Judge(5, Limits(threshold=0.6))
    figures = judge(strict.predict([masked]))
    assert judge(strict.predict([part])) == figures
    assert figures.frames.model.frames == 350
    assert figures.events[0].labelled == 2
    (prediction,) = strict.predict([masked]).vods
    assert all(
        50 <= span.start < span.stop <= 100 or 500 / 3 <= span.start < span.stop <= 234 for span in prediction.spans
    )
    alone = [
        find(centred_mean(whole.scores[a:b], FPS, 5), FPS, (b - a) / 3, strict.limits)
        for a, b in ((150, 300), (500, 700))
    ]
    assert [span.duration for span in prediction.spans] == pytest.approx(
        [h.span.duration for cut in alone for h in cut]
    )


def test_intervals_are_drawn_over_chunks_that_cut_no_event_or_over_vods_where_there_are_enough() -> None:
    vods = [scored(f"v{number}", seed=number) for number in range(VODS_ENOUGH)]
    whole, strict = judge(Judge(5, Limits(threshold=0.6)).predict(vods)), Judge(5, Limits(threshold=0.6))
    assert whole.frames.model.groups == VODS_ENOUGH
    few = judge(strict.predict(vods[1:]))
    assert few.frames.model.groups == 7 * (VODS_ENOUGH - 1)  # of 8 chunks of 30 s, an event joins two
    for figures in (whole, few):
        assert figures.frames.model.average_precision_interval
        assert all(
            at.f1_interval and at.f1_interval.low <= (at.f1 or 0) <= at.f1_interval.high for at in figures.events
        )


def test_an_event_counts_where_it_lies_and_a_match_where_its_label_does() -> None:
    prediction = Prediction(
        vod="a",
        fps=FPS,
        scores=np.zeros(360),
        spans=[Span(55, 63), Span(100, 104)],
        labels=[Span(50, 59), Span(61, 66)],
    )
    (loose, strict) = Predictions(0.5, [prediction]).events
    assert loose.groups.tolist() == ["a/0", "a/1", "a/2", "a/3"]
    assert (loose.labelled.tolist(), loose.predicted.tolist()) == ([0, 1, 1, 0], [0, 1, 0, 1])
    assert loose.matched.tolist() == [0, 1, 0, 0]
    assert strict.matched.tolist() == [0, 0, 0, 0]


def test_no_threshold_without_a_label() -> None:
    with pytest.raises(DatasetError, match="no validation frame lies in a highlight"):
        Judge.choose([scored("a", [])], 5)


def test_a_vod_without_frames_has_no_figures() -> None:
    empty = ScoredVod(vod="a", fps=FPS, scores=np.zeros(0), labels=[Span(1, 2)])
    figures = judge(Judge(5, Limits(threshold=0.5)).predict([empty]))
    assert (figures.frames.model.average_precision, figures.events[0].labelled, figures.events[0].f1) == (None, 1, 0.0)


def borders(spans: Sequence[Span]) -> list[float]:
    return [time for span in spans for time in (span.start, span.stop)]


def test_another_prediction_is_judged_where_a_vod_is_known() -> None:
    whole = scored("a")
    known = np.zeros(900, dtype=bool)  # longer than the scores
    known[60:95] = known[300:345] = True  # 20 to 31 2/3 s, 100 to 115 s: both cut a label
    part = whole.only(known)
    assert part.known is not None
    assert borders(part.labels) == pytest.approx([28, 31 + 2 / 3, 110, 115])
    everything = Prediction(
        vod="a", fps=FPS, scores=whole.scores.astype(np.float64), spans=[Span(0, 102), Span(110, 118), Span(150, 160)],
        labels=SPANS,
    )  # fmt: skip
    within = everything.within(part)
    assert borders(within.spans) == pytest.approx([20, 31 + 2 / 3, 100, 102, 110, 115])
    own, other = part.uncut().ranking(by_vod=False), within.ranking(by_vod=False)
    assert own.labels.tolist() == other.labels.tolist()
    assert own.groups.names.tolist() == other.groups.names.tolist()
    assert own.groups.members.tolist() == other.groups.members.tolist()
    assert own.scores.tolist() == pytest.approx(other.scores.tolist())


def test_where_nobody_has_looked_nothing_is_judged() -> None:
    prediction = Prediction(
        vod="a",
        fps=FPS,
        scores=scored("a").scores.astype(np.float64),
        spans=[Span(30, 40), Span(58, 66), Span(72, 79), Span(150, 159)],
        labels=[Span(70, 80)],
    )
    whole = Predictions(0.5, [prediction])
    assert whole.looked_at({"a": None}) is whole
    part = whole.looked_at({"a": [Span(60, 90), Span(155, 158)]})
    assert part.vods[0].spans == [Span(58, 66), Span(72, 79)]  # as they are, where their middle was looked at
    figures = judge(part)
    assert figures.frames.model.frames == (30 + 3) * 3
    assert (figures.events[0].labelled, figures.events[0].predicted, figures.events[0].matched) == (1, 2, 1)
    assert figures.per_vod["a"].average_precision == pytest.approx(
        metrics.average_precision(
            on_grid([Span(70, 80)], 720, FPS)[on_grid([Span(60, 90), Span(155, 158)], 720, FPS)],
            prediction.scores[on_grid([Span(60, 90), Span(155, 158)], 720, FPS)],
        )
    )
