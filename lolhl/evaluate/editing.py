"""How much work a method spares somebody who cuts VODs: its borders, what has to be watched, and how much it calls.

Events are those of the labels. As elsewhere, intervals come from a bootstrap over groups of frames: the first row of
`weights` counts each group once and gives the figure itself, each further row is a resample.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lolhl.evaluate.bootstrap import Resampled, draw
from lolhl.evaluate.events import TIOUS, match_spans
from lolhl.evaluate.figures import EditingFigures, Estimate, ratio
from lolhl.evaluate.groups import Groups
from lolhl.evaluate.judge import Prediction, Predictions, draws_vods
from lolhl.labels.spans import Span, on_grid

SEEN = 0.8  # share of the labelled events that somebody wants to see
BEST = 10  # highlights of each VOD that somebody looks at first

Weights = npt.NDArray[np.int64]  # [resamples, groups], how often each group is drawn
Figures = npt.NDArray[np.float64]  # [resamples], NaN where a figure is not defined


def editing_figures(predictions: Predictions) -> EditingFigures:
    """All figures of a method that matter to an editor; each is defined below."""
    vods = [_Judged.from_prediction(vod, by_vod=draws_vods(len(predictions.vods))) for vod in predictions.vods]
    names = np.unique(np.concatenate([np.array([], dtype=np.str_), *(vod.names for vod in vods)]))
    weights = np.vstack([np.ones((1, len(names)), dtype=np.int64), draw(len(names), 0, 1000)])
    starts, stops = border_errors(vods, names, weights)
    labelled = sum(span.duration for vod in vods for span in vod.labels)
    return EditingFigures(
        start_error=_estimate(starts),
        stop_error=_estimate(stops),
        minutes=_estimate(minutes_to_watch(vods, names, weights)),
        labelled_minutes=labelled / 60,
        ten_best=_estimate(best_precision(vods, names, weights)),
        called=_estimate(called_ratio(vods, names, weights)),
        called_in={vod.name: ratio(float(vod.called.sum()), float(vod.inside.sum())) for vod in vods},
    )


@dataclass(frozen=True)
class _Judged:
    """One VOD: its known frames, and its labelled and predicted spans, each with the group that it counts in.

    Attributes:
        seconds: from one frame to the next.
        scores, inside, called, groups: float, bool, bool [frames]: smoothed score, whether labelled and whether in a
            predicted span; then the group of each frame.
        labels, label_groups, spans, span_groups: of the events.
        levels: float [labels], the lowest score of the better half of each labelled event's frames; NaN without frames.
    """

    name: str
    seconds: float
    scores: npt.NDArray[np.float64]
    inside: npt.NDArray[np.bool_]
    called: npt.NDArray[np.bool_]
    groups: Groups
    labels: Sequence[Span]
    label_groups: npt.NDArray[np.str_]
    spans: Sequence[Span]
    span_groups: npt.NDArray[np.str_]
    levels: npt.NDArray[np.float64]

    @classmethod
    def from_prediction(cls, vod: Prediction, *, by_vod: bool) -> "_Judged":
        ranking = vod.ranking(by_vod=by_vod)
        count = len(vod.scores)
        known = np.ones(count, dtype=bool) if vod.known is None else vod.known

        def group(span: Span) -> str:
            return vod.group(span, by_vod=by_vod)

        return cls(
            name=vod.vod,
            seconds=float(1 / vod.fps),
            scores=ranking.scores,
            inside=ranking.labels,
            called=on_grid(vod.spans, count, vod.fps)[known],
            groups=ranking.groups,
            labels=vod.labels,
            label_groups=np.array([group(span) for span in vod.labels], dtype=np.str_),
            spans=vod.spans,
            span_groups=np.array([group(span) for span in vod.spans], dtype=np.str_),
            levels=np.array([_better_half(vod.scores[on_grid([span], count, vod.fps) & known]) for span in vod.labels]),
        )

    @property
    def names(self) -> npt.NDArray[np.str_]:
        """Of all groups that there are."""
        return np.concatenate([self.groups.names, self.label_groups, self.span_groups])


def border_errors(vods: Sequence[_Judged], names: npt.NDArray[np.str_], weights: Weights) -> tuple[Figures, Figures]:
    """The median distance in seconds of the starts, and of the stops, of highlights from those of their labels.

    Only events that are matched at the lowest overlap of `events.TIOUS` have such a distance: read it beside recall.
    """
    errors: list[tuple[float, float]] = []
    groups = []
    for vod in vods:
        for label, span in match_spans(vod.labels, vod.spans, TIOUS[0]):
            a, b = vod.labels[label], vod.spans[span]
            errors.append((abs(a.start - b.start), abs(a.stop - b.stop)))
            groups.append(vod.label_groups[label])
    drawn = weights[:, np.searchsorted(names, np.array(groups, dtype=np.str_))]
    starts, stops = np.array(errors).reshape(-1, 2).T
    return _medians(starts, drawn), _medians(stops, drawn)


def minutes_to_watch(vods: Sequence[_Judged], names: npt.NDArray[np.str_], weights: Weights) -> Figures:
    """Minutes to watch until 80 % of the labelled events are seen, from the moment with the best score on.

    Moments of all VODs are watched in order of their smoothed scores, those with the same score together. An event is
    seen once half of its frames are. Spans play no part, so the figure is the same for every threshold; what knows
    nothing needs about half of the time, and what knows all between 0.4 and 1 times the time labelled.
    """
    known = [vod for vod in vods if len(vod.scores)]
    levels = np.concatenate([np.empty(0), *(vod.levels for vod in known)])
    event_groups = np.searchsorted(names, np.concatenate([np.array([], np.str_), *(v.label_groups for v in known)]))
    order = np.argsort(-levels, kind="stable")[: int(np.isfinite(levels).sum())]  # NaN comes last
    if not len(order):
        return np.full(len(weights), np.nan)
    levels, event_groups = levels[order], event_groups[order]
    watched = np.zeros((len(order) + 1, len(names)))  # seconds of each group when the nth event is seen
    for vod in known:
        at = np.searchsorted(-levels, -vod.scores)  # the first event that is seen once the frame is watched
        np.add.at(watched, (at, vod.groups.among(names)), vod.seconds)
    watched = np.cumsum(watched[:-1], axis=0)
    seen = np.cumsum(weights[:, event_groups], axis=1)
    total = seen[:, -1]
    last = np.argmax(seen >= SEEN * total[:, None] - 1e-9, axis=1)
    minutes: Figures = (weights * watched[last]).sum(axis=1) / 60
    return np.where(total > 0, minutes, np.nan)


def best_precision(vods: Sequence[_Judged], names: npt.NDArray[np.str_], weights: Weights) -> Figures:
    """Of the ten highlights of each VOD with the highest scores, the share that are labelled events.

    They are matched one to one at the lowest overlap of `events.TIOUS`. A VOD with fewer counts with those it has.
    """
    hits, looked_at = np.zeros(len(names)), np.zeros(len(names))
    for vod in vods:
        scores = [-np.inf if span.score is None else span.score for span in vod.spans]
        best = np.argsort(-np.array(scores), kind="stable")[:BEST]
        groups = np.searchsorted(names, vod.span_groups[best])
        matched = [span for _, span in match_spans(vod.labels, [vod.spans[at] for at in best], TIOUS[0])]
        np.add.at(looked_at, groups, 1)
        np.add.at(hits, groups[matched], 1)
    return _ratios(weights @ hits, weights @ looked_at)


def called_ratio(vods: Sequence[_Judged], names: npt.NDArray[np.str_], weights: Weights) -> Figures:
    """The time in predicted highlights, divided by the time labelled: above 1 where too much is called."""
    called, labelled = np.zeros(len(names)), np.zeros(len(names))
    for vod in vods:
        groups = vod.groups.among(names)
        called += vod.seconds * np.bincount(groups[vod.called], minlength=len(names))
        labelled += vod.seconds * np.bincount(groups[vod.inside], minlength=len(names))
    return _ratios(weights @ called, weights @ labelled)


def _better_half(scores: npt.NDArray[np.float64]) -> float:
    """The lowest score of the better half."""
    return float(np.sort(scores)[len(scores) // 2]) if len(scores) else float("nan")


def _medians(values: npt.NDArray[np.float64], drawn: npt.NDArray[np.int64]) -> Figures:
    """The median of the values, each counted as often as it was drawn: float64 [resamples].

    Args:
        values: float64 [n].
        drawn: int64 [resamples, n].
    """
    if not len(values):
        return np.full(len(drawn), np.nan)
    order = np.argsort(values, kind="stable")
    counts = np.cumsum(drawn[:, order], axis=1)
    total = counts[:, -1:]
    low, high = np.argmax(2 * counts >= total, axis=1), np.argmax(2 * counts > total, axis=1)
    medians: Figures = (values[order][low] + values[order][high]) / 2
    return np.where(total[:, 0] > 0, medians, np.nan)


def _ratios(parts: npt.NDArray[np.float64], wholes: npt.NDArray[np.float64]) -> Figures:
    figures = np.full(len(wholes), np.nan)
    np.divide(parts, wholes, out=figures, where=wholes > 0)
    return figures


def _estimate(figures: Figures) -> Estimate:
    value = None if np.isnan(figures[0]) else float(figures[0])
    return Estimate(value, Resampled(value, figures[1:], 0).interval())
