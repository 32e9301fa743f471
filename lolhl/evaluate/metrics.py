"""Figures of scores, one for each frame: average precision, F1 and the threshold, at the natural rate.

What figures consist of stands in `lolhl.evaluate.figures`; those of spans are in `lolhl.evaluate.events`.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from lolhl.errors import DatasetError, ModelError
from lolhl.evaluate.bootstrap import RESAMPLES, Resampled, draw, interval_of, ratios
from lolhl.evaluate.figures import Comparison, CurvePoint, FrameFigures, Gain, Interval, ratio
from lolhl.evaluate.groups import Groups

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

    def resample(self, names: npt.NDArray[np.str_], *, seed: int = 0, resamples: int = RESAMPLES) -> "Resampled":
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


def frame_figures(
    labels: npt.ArrayLike,
    scores: npt.ArrayLike,
    threshold: float,
    groups: Groups | None = None,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
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
            average_interval = interval_of(averages)
            f1_interval = interval_of(_weighted_f1(truth, called, weights, members))
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
    from sklearn.metrics import average_precision_score  # takes seconds, which who only names methods saves

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
    from sklearn.metrics import precision_recall_curve

    truth, values = _arrays(labels, scores)
    if not truth.any():
        return []
    precision, recall, thresholds = precision_recall_curve(truth, values)
    precision, recall, thresholds = precision[-2::-1], recall[-2::-1], thresholds[::-1]  # recall rises
    wanted = np.arange(1, points + 1) / points - 1e-9
    places = np.unique(np.searchsorted(recall, wanted).clip(max=len(recall) - 1))
    return [CurvePoint(float(thresholds[at]), float(precision[at]), float(recall[at])) for at in places]


def gain(before: Ranking, after: Ranking, *, seed: int = 0, resamples: int = RESAMPLES) -> Gain:
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
    from sklearn.metrics import precision_recall_curve

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
        interval = _shuffled_interval(np.packbits(truth).tobytes(), n, seed)
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
    return ratios(2 * matched, total)


@lru_cache(maxsize=2)
def _shuffled_interval(labels: bytes, frames: int, seed: int) -> Interval | None:
    """The interval of the average precision of shuffled frames.

    Without this memory, shuffling would take half of the time of comparing two methods, which have the same labels.

    Args:
        labels: whether each frame lies in a highlight, as packed bits, which serve as a key.
        frames: how many there are.
        seed: of the shuffles.
    """
    truth = np.unpackbits(np.frombuffer(labels, np.uint8), count=frames).astype(bool)
    rng = np.random.default_rng(seed)
    return interval_of(np.array([_ranked_average_precision(rng.permutation(truth)) for _ in range(_SHUFFLES)]))


def _ranked_average_precision(ranked: npt.NDArray[np.bool_]) -> float:
    ranks = np.flatnonzero(ranked) + 1
    return float(np.mean(np.arange(1, ranks.size + 1) / ranks))


def _arrays(labels: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    truth, values = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != values.shape:
        raise ValueError(f"labels {truth.shape} and scores {values.shape} must be two lists of one length")
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise ModelError(f"{bad} of {values.size} scores are no numbers: train again with a lower learning rate")
    return truth, values
