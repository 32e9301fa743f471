"""Figures of scores and of spans: each is defined here, once.

Frames are judged by average precision and F1 at the natural rate, events by one-to-one matching of
spans. What figures consist of stands in `lolhl.evaluate.figures`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from scipy.sparse.csgraph import maximum_bipartite_matching
from sklearn.metrics import average_precision_score, precision_recall_curve

from lolhl.errors import DatasetError, ModelError
from lolhl.evaluate.figures import Comparison, CurvePoint, EventFigures, FrameFigures, Gain, Interval, ratio
from lolhl.evaluate.groups import Groups
from lolhl.labels.spans import Span

TIOUS = (0.3, 0.5)  # overlaps at which events are matched
_RESAMPLES = 1000
_SHUFFLES = 200
_EXACT, _STEPS, _SLAB = 200_000, 4096, 256  # see `_weighted_average_precision`; 3 VODs of 6 h are exact


@dataclass(frozen=True)
class Ranking:
    """Frames with the scores that one method gives them.

    Attributes:
        labels: bool [n], whether the frame lies in a highlight.
        scores: float [n], higher where a highlight is more probable.
        groups: the chunk or VOD of each frame.
    """

    labels: npt.NDArray[np.bool_]
    scores: npt.NDArray[np.float64]
    groups: Groups

    def resample(self, names: npt.NDArray[np.str_], *, seed: int = 0, resamples: int = _RESAMPLES) -> "Resampled":
        """Average precision, with each of the groups drawn as often as chance will have it.

        Args:
            names: str [g], of all groups that are drawn from, ascending.

        Raises:
            ModelError: a score is NaN or infinite.
        """
        truth, values = _arrays(self.labels, self.scores)
        weights = draw(len(names), seed, resamples)
        figures = _weighted_average_precision(truth, values, weights, self.groups.among(names))
        return Resampled(average_precision(truth, values), figures, len(names))


@dataclass(frozen=True)
class EventCounts:
    """Events by group: where they are labelled, predicted and matched. See `event_figures`.

    Attributes:
        groups: str [g], ascending.
        labelled, predicted, matched: int64 [g]. A match counts where its labelled span lies.
    """

    tiou: float
    groups: npt.NDArray[np.str_]
    labelled: npt.NDArray[np.int64]
    predicted: npt.NDArray[np.int64]
    matched: npt.NDArray[np.int64]

    def figures(self, *, seed: int = 0, resamples: int = _RESAMPLES) -> EventFigures:
        """The counts of all groups together, with an interval where there are several groups."""
        resampled = self.resample(self.groups, seed=seed, resamples=resamples)
        return EventFigures(
            self.tiou,
            labelled=int(self.labelled.sum()),
            predicted=int(self.predicted.sum()),
            matched=int(self.matched.sum()),
            f1_interval=resampled.interval(),
        )

    def resample(self, names: npt.NDArray[np.str_], *, seed: int = 0, resamples: int = _RESAMPLES) -> "Resampled":
        """F1 of events, with the groups drawn as `Ranking.resample` does."""
        weights = draw(len(names), seed, resamples)[:, np.searchsorted(names, self.groups)]
        return Resampled(
            ratio(2 * int(self.matched.sum()), int(self.labelled.sum() + self.predicted.sum())),
            _ratios(2 * (weights @ self.matched), weights @ (self.labelled + self.predicted)),
            len(names),
        )


@dataclass(frozen=True)
class Resampled:
    """A figure and its values in the resamples.

    Attributes:
        value: of all frames or events; None where it is not defined.
        figures: float64 [resamples], NaN where it is not defined. Empty where there are fewer than two groups.
        groups: how many are drawn from.
    """

    value: float | None
    figures: npt.NDArray[np.float64]
    groups: int

    def interval(self) -> Interval | None:
        """The interval; None where the figure is not defined, or there are fewer than two groups."""
        return None if self.value is None else _interval(self.figures)

    def gain(self, before: "Resampled") -> Gain:
        """This figure minus the one before, of the same resamples of the same groups.

        Each resample draws the same groups for both, so what makes a group hard for both does not widen the
        interval (paired bootstrap; Efron and Tibshirani 1993, chapter 8).
        """
        if self.value is None or before.value is None:
            return Gain(None, None, self.groups)
        return Gain(self.value - before.value, _interval(self.figures - before.figures), self.groups)


def frame_figures(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    threshold: float,
    groups: Groups | None = None,
    *,
    seed: int = 0,
    resamples: int = _RESAMPLES,
    resampled: Resampled | None = None,
) -> FrameFigures:
    """The figures of scores, one per frame.

    Args:
        labels: bool [n], whether the frame lies in a highlight.
        scores: float [n], higher where a highlight is more probable.
        threshold: at or above it, a frame is called positive.
        groups: the chunk or VOD of each frame. Neighbouring frames are alike, so whole groups are
            resampled for the intervals; without groups, or with only one, there are no intervals.
        seed: of the resampling.
        resampled: what `Ranking.resample` of these groups gives, where that is known already.

    Raises:
        ModelError: a score is NaN or infinite.
    """
    truth, values = _arrays(labels, scores)
    called = values >= threshold
    counts = _Counts(int((truth & called).sum()), int(called.sum()), int(truth.sum()))
    precision, recall, f1 = counts.figures()
    average = average_precision(truth, values)
    average_interval = f1_interval = None
    group_count = None
    if groups is not None:
        group_count = len(groups.names)
        if len(groups) != truth.size:
            raise ValueError(f"{len(groups)} groups for {truth.size} frames")
        if group_count > 1:
            weights, members = draw(group_count, seed, resamples), groups.members
            averages = resampled.figures if resampled else _weighted_average_precision(truth, values, weights, members)
            average_interval = _interval(averages)
            f1_interval = _interval(_weighted_f1(truth, called, weights, members))
    return FrameFigures(
        frames=truth.size,
        positives=counts.positives,
        base_rate=ratio(counts.positives, truth.size),
        average_precision=average,
        threshold=float(threshold),
        precision=precision,
        recall=recall,
        f1=f1,
        average_precision_interval=average_interval,
        f1_interval=f1_interval,
        groups=group_count,
    )


def average_precision(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float | None:
    """Sum of (recall step × precision) over falling scores; None without positives. See `frame_figures`."""
    truth, values = _arrays(labels, scores)
    return float(average_precision_score(truth, values)) if truth.any() else None


def precision_recall(labels: npt.ArrayLike, scores: npt.ArrayLike, points: int = 200) -> list[CurvePoint]:
    """The precision-recall curve in order of rising recall; empty without positives.

    Each point is reached by a threshold: of all thresholds the highest ones whose recall is at least k / points, for k
    from 1 to `points`. Between them the curve is a step (see `average_precision`), so no straight line may be read off.

    Args:
        labels: bool [n], whether the frame lies in a highlight.
        scores: float [n], higher where a highlight is more probable.

    Raises:
        ModelError: a score is NaN or infinite.
    """
    truth, values = _arrays(labels, scores)
    if not truth.any():
        return []
    precision, recall, thresholds = precision_recall_curve(truth, values)
    precision, recall, thresholds = precision[-2::-1], recall[-2::-1], thresholds[::-1]  # recall rises
    wanted = np.arange(1, points + 1) / points - 1e-9
    places = np.unique(np.searchsorted(recall, wanted).clip(max=len(recall) - 1))
    return [CurvePoint(float(thresholds[at]), float(precision[at]), float(recall[at])) for at in places]


def gain(before: Ranking, after: Ranking, *, seed: int = 0, resamples: int = _RESAMPLES) -> Gain:
    """The difference of two methods' average precision on the same stretches of time, after minus before.

    The two may have other frame rates: only the groups must be the same. The value is None, and so is the
    interval, where no frame is labelled; with one group there is no interval. See `Resampled.gain`.

    Raises:
        ModelError: a score is NaN or infinite.
    """
    names = np.union1d(before.groups.names, after.groups.names)
    first, second = (ranking.resample(names, seed=seed, resamples=resamples) for ranking in (before, after))
    return second.gain(first)


def choose_threshold(labels: npt.ArrayLike, scores: npt.ArrayLike) -> float:
    """The threshold with the best F1, to be chosen on validation frames.

    It lies in the middle between the lowest score that is called positive and the next one below, so
    that rounding of scores elsewhere does not carry frames over it. Of several with the same F1, it is
    the highest: fewer highlights, and surer ones.

    Args:
        labels: bool [n].
        scores: float [n], as they will be compared with the threshold: smoothed, if those are.

    Raises:
        DatasetError: no frame is labelled, so that every threshold is as bad.
        ModelError: a score is NaN or infinite.
    """
    truth, values = _arrays(labels, scores)
    if not truth.any():
        raise DatasetError("no validation frame lies in a highlight: no threshold can be chosen; label more highlights")
    precision, recall, thresholds = precision_recall_curve(truth, values)
    total = precision[:-1] + recall[:-1]
    f1 = np.divide(2 * precision[:-1] * recall[:-1], total, out=np.zeros_like(total), where=total > 0)
    best = int(np.flatnonzero(f1 >= f1.max() - 1e-12)[-1])  # thresholds rise
    chosen = float(thresholds[best])
    below = values[values < chosen]
    return (chosen + float(below.max())) / 2 if below.size else chosen


def constant_figures(labels: npt.ArrayLike) -> FrameFigures:
    """The figures of the answer "yes" for each frame: the constant with the better F1 ("no" has 0)."""
    truth = np.asarray(labels, dtype=bool)
    return frame_figures(truth, np.ones(truth.size), 0.5)


def random_figures(labels: npt.ArrayLike, called: float, *, seed: int = 0) -> FrameFigures:
    """The figures that ranking at random has on average.

    The expected average precision is exact (the mean of precision at each positive's rank, over all
    orders; Bestgen 2015); its interval comes from shuffles.

    Args:
        labels: bool [n].
        called: the share of frames that is called positive, 0 to 1: what the model at its side does.
        seed: of the shuffles.
    """
    truth = np.asarray(labels, dtype=bool)
    n, positives = truth.size, int(truth.sum())
    rate = ratio(positives, n)
    expected = interval = None
    if positives:
        harmonic = float((1 / np.arange(1, n + 1)).sum())
        chance = (positives - 1) / (n - 1) if n > 1 else 0.0  # chance that another frame is positive
        expected = (harmonic + chance * (n - harmonic)) / n
        rng = np.random.default_rng(seed)
        interval = _interval(np.array([_ranked_average_precision(rng.permutation(truth)) for _ in range(_SHUFFLES)]))
    return FrameFigures(
        frames=n,
        positives=positives,
        base_rate=rate,
        average_precision=expected,
        threshold=None,
        precision=rate if called else None,
        recall=called if positives else None,
        f1=ratio(2 * (rate or 0.0) * called, (rate or 0.0) + called),
        average_precision_interval=interval,
    )


def compare(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    threshold: float,
    groups: Groups | None = None,
    *,
    seed: int = 0,
    resampled: Resampled | None = None,
) -> Comparison:
    """The model's figures beside a constant answer and random ranking. See `frame_figures`."""
    model = frame_figures(labels, scores, threshold, groups, seed=seed, resampled=resampled)
    called = float(np.mean(np.asarray(scores) >= threshold)) if model.frames else 0.0
    return Comparison(model, constant_figures(labels), random_figures(labels, called, seed=seed))


def event_figures(
    labelled: Mapping[str, Sequence[Span]], predicted: Mapping[str, Sequence[Span]], tiou: float
) -> EventFigures:
    """Counts of spans matched one to one, over all VODs.

    See `match_spans`, which matches those of one VOD.

    Args:
        labelled, predicted: VOD → spans.
        tiou: temporal intersection over union, above 0 and up to 1.
    """
    matched = sum(len(match_spans(spans, predicted.get(vod, ()), tiou)) for vod, spans in labelled.items())
    count, called = (sum(map(len, spans.values())) for spans in (labelled, predicted))
    return EventFigures(tiou, count, called, matched)


def count_events(
    labelled: Mapping[str, Sequence[Span]],
    predicted: Mapping[str, Sequence[Span]],
    tiou: float,
    groups: npt.NDArray[np.str_],
    group: Mapping[str, Callable[[Span], str]],
) -> EventCounts:
    """As `event_figures`, by group.

    Args:
        labelled, predicted: spans of the same VODs.
        groups: str [g], those that there are even if no event lies in them.
        group: VOD → what gives the group that a span of it counts in.
    """
    lies, called = (
        np.array([group[vod](span) for vod, spans in events.items() for span in spans], dtype=np.str_)
        for events in (labelled, predicted)
    )
    matched = [np.zeros(0, dtype=bool), *(_is_matched(spans, predicted[vod], tiou) for vod, spans in labelled.items())]
    names = np.unique(np.concatenate([groups, lies, called]))
    count = partial(_count, names)
    return EventCounts(tiou, names, count(lies), count(called), count(lies[np.concatenate(matched)]))


def _count(names: npt.NDArray[np.str_], places: npt.NDArray[np.str_]) -> npt.NDArray[np.int64]:
    """How often each name occurs among the places: int64 [names]."""
    return np.bincount(np.searchsorted(names, places), minlength=len(names))


def _is_matched(labelled: Sequence[Span], predicted: Sequence[Span], tiou: float) -> npt.NDArray[np.bool_]:
    """Which labelled spans are matched: bool [labelled]."""
    matched = np.zeros(len(labelled), dtype=bool)
    matched[[label for label, _ in match_spans(labelled, predicted, tiou)]] = True
    return matched


def match_spans(labelled: Sequence[Span], predicted: Sequence[Span], tiou: float) -> list[tuple[int, int]]:
    """The pairs of one labelled and one predicted span that show the same event, by their places in the lists.

    As many pairs as possible are made, each of two spans whose intersection is at least `tiou` of their union
    (Hopcroft and Karp's matching). No span is in two pairs. They are in order of the labelled spans.
    """
    if not labelled or not predicted:
        return []
    shared, union = _overlap(labelled, predicted)
    pairs = (shared > 0) & (shared >= tiou * union - 1e-9)  # times in milliseconds are no exact floats
    partners = maximum_bipartite_matching(csr_array(pairs), perm_type="column").tolist()  # -1 where there is none
    return [(label, partner) for label, partner in enumerate(partners) if partner >= 0]


def best_overlaps(spans: Sequence[Span], others: Sequence[Span]) -> npt.NDArray[np.float64]:
    """The highest tIoU of each span with one of the others, 0 where it overlaps none: float64 [spans]."""
    if not spans or not others:
        return np.zeros(len(spans))
    shared, union = _overlap(spans, others)
    return np.asarray((np.maximum(shared, 0) / union).max(axis=1))


def _overlap(spans: Sequence[Span], others: Sequence[Span]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Seconds that each two share, negative where they lie apart, and that of their union: [spans, others]."""
    a, b = (np.array([(span.start, span.stop) for span in part]) for part in (spans, others))
    shared = np.minimum(a[:, None, 1], b[None, :, 1]) - np.maximum(a[:, None, 0], b[None, :, 0])
    return shared, (a[:, 1] - a[:, 0])[:, None] + (b[:, 1] - b[:, 0])[None, :] - shared


@dataclass(frozen=True)
class _Counts:
    true_positives: int
    called: int
    positives: int

    def figures(self) -> tuple[float | None, float | None, float | None]:
        """Precision, recall, F1."""
        hits = self.true_positives
        f1 = ratio(2 * hits, self.called + self.positives)
        return ratio(hits, self.called), ratio(hits, self.positives), f1


def _weighted_average_precision(
    truth: npt.NDArray[np.bool_],
    scores: npt.NDArray[np.float64],
    weights: npt.NDArray[np.int64],
    members: npt.NDArray[np.int32],
) -> npt.NDArray[np.float64]:
    """Average precision with each group's frames counted as often as it was drawn: float64 [resamples].

    The same figure as `average_precision`, but sorted once for all resamples; NaN without positives. Of more than
    `_EXACT` frames, scores that are neighbours by rank count as equal, so that `_STEPS` different ones are left: this
    moves the ends of an interval by less than 0.001, and takes a small part of the time.
    """
    order = np.argsort(-scores, kind="stable")
    truth, scores, members = truth[order], scores[order], members[order]
    last = np.append(np.flatnonzero(np.diff(scores)), scores.size - 1)  # of each run of equal scores
    if scores.size > _EXACT and len(last) > _STEPS:
        last = last[np.arange(1, _STEPS + 1) * len(last) // _STEPS - 1]
    figures = np.full(len(weights), np.nan)
    if len(last) <= _STEPS:
        true, called = (_cumulated(weights, members, last, counted) for counted in (truth, np.ones_like(truth)))
        defined = true[:, -1] > 0
        steps = np.diff(true, prepend=0) * (true / np.maximum(called, 1))
        figures[defined] = steps.sum(axis=1)[defined] / true[defined, -1]
        return figures
    for index, drawn in enumerate(weights):
        weight = drawn[members]
        true = np.cumsum(weight * truth)[last]
        called = np.cumsum(weight)[last]
        if true[-1]:
            figures[index] = np.sum(np.diff(true, prepend=0) * (true / np.maximum(called, 1))) / true[-1]
    return figures


def _cumulated(
    weights: npt.NDArray[np.int64],
    members: npt.NDArray[np.int32],
    last: npt.NDArray[np.intp],
    counted: npt.NDArray[np.bool_],
) -> npt.NDArray[np.float64]:
    """How many frames are counted up to the last one of each step, in each resample: float64 [resamples, steps].

    Args:
        weights: how often each group is drawn: int64 [resamples, groups].
        members: the group of each frame, in order of scores: [n].
        last: of each step, a place in `members`.
        counted: bool [n].
    """
    groups = weights.shape[1]
    total, drawn = np.empty((len(weights), len(last))), weights.astype(np.float64)
    for begin in range(0, len(last), _SLAB):
        ends = last[begin : begin + _SLAB]
        first = int(last[begin - 1]) + 1 if begin else 0
        frames = slice(first, int(ends[-1]) + 1)
        step = np.searchsorted(ends, np.arange(first, frames.stop))
        places = (members[frames].astype(np.intp) * len(ends) + step)[counted[frames]]
        counts = np.bincount(places, minlength=groups * len(ends)).reshape(groups, len(ends))
        total[:, begin : begin + _SLAB] = drawn @ counts
    return np.cumsum(total, axis=1, out=total)


def _weighted_f1(
    truth: npt.NDArray[np.bool_],
    called: npt.NDArray[np.bool_],
    weights: npt.NDArray[np.int64],
    members: npt.NDArray[np.int32],
) -> npt.NDArray[np.float64]:
    """F1 with each group's frames counted as often as it was drawn: float64 [resamples]; NaN for 0 / 0."""
    matched = weights @ np.bincount(members, truth & called)
    total = weights @ (np.bincount(members, truth) + np.bincount(members, called))
    return _ratios(2 * matched, total)


def _ratios(parts: npt.NDArray[np.number], wholes: npt.NDArray[np.number]) -> npt.NDArray[np.float64]:
    """NaN for 0 / 0."""
    figures = np.full(len(wholes), np.nan)
    np.divide(parts, wholes, out=figures, where=wholes > 0)
    return figures


def draw(groups: int, seed: int, resamples: int) -> npt.NDArray[np.int64]:
    """How often each group is drawn in each resample: int64 [resamples, groups]. The same for the same arguments.

    Of fewer than two groups there is nothing to draw, and there are no resamples.
    """
    if groups < 2:
        return np.empty((0, groups), dtype=np.int64)
    return np.random.default_rng(seed).multinomial(groups, [1 / groups] * groups, resamples)


def _ranked_average_precision(ranked: npt.NDArray[np.bool_]) -> float:
    ranks = np.flatnonzero(ranked) + 1
    return float(np.mean(np.arange(1, ranks.size + 1) / ranks))


def _interval(figures: npt.NDArray[np.float64]) -> Interval | None:
    """The middle 95 % of the figures that are defined."""
    defined = figures[~np.isnan(figures)]
    if not defined.size:
        return None
    low, high = np.percentile(defined, [2.5, 97.5])
    return Interval(float(low), float(high))


def _arrays(labels: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    truth, values = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != values.shape:
        raise ValueError(f"labels {truth.shape} and scores {values.shape} must be two lists of one length")
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise ModelError(f"{bad} of {values.size} scores are no numbers: train again with a lower learning rate")
    return truth, values
