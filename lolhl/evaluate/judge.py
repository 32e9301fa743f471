"""The judge: scores of VODs → smoothing → threshold → spans → figures. Everything that is judged is judged here.

Intervals come from a bootstrap over groups of frames: chunks of 30 s that no labelled event is cut by (see
`lolhl.labels.chunks`), or whole VODs where there are `VODS_ENOUGH`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property, partial

import numpy as np
import numpy.typing as npt

from lolhl import grid
from lolhl.evaluate import metrics
from lolhl.evaluate.bootstrap import Resampled
from lolhl.evaluate.events import TIOUS, EventCounts, count_events, event_figures
from lolhl.evaluate.figures import FrameFigures, Judgement, VodFigures
from lolhl.evaluate.groups import Groups
from lolhl.evaluate.metrics import Ranking
from lolhl.highlights.amount import choose
from lolhl.highlights.cut import CutConfig, Highlight, Limits, find, ranked
from lolhl.highlights.intensity import centred_mean
from lolhl.labels.chunks import chunks
from lolhl.labels.habits import Habits
from lolhl.labels.spans import Span, from_grid, on_grid

VODS_ENOUGH = 10  # VODs from which on the bootstrap draws whole VODs: fewer give too few combinations


@dataclass(frozen=True, kw_only=True)
class ScoredVod:
    """Scores and labels of one VOD.

    Attributes:
        vod: its name.
        fps: of the grid.
        scores: float [T], one per instant, higher where a highlight is more probable.
        labels: the labelled spans.
        known: bool [T], the instants that are judged; None for all. Nothing of the others flows into what is
            judged: each unbroken stretch of known instants is smoothed and cut as if it were a video of its own.
    """

    vod: str
    fps: Fraction
    scores: npt.NDArray[np.floating]
    labels: Sequence[Span]
    known: npt.NDArray[np.bool_] | None = None

    @classmethod
    def from_samples(
        cls,
        vod: str,
        fps: Fraction,
        frames: npt.NDArray[np.int64],
        scores: npt.NDArray[np.floating],
        labels: npt.NDArray[np.bool_],
    ) -> "ScoredVod":
        """A VOD of which some frames are known.

        Args:
            frames: int64 [n], their numbers on the grid.
            scores: float [n].
            labels: bool [n], whether the frame lies in a highlight.
        """
        count = int(frames.max(initial=-1)) + 1
        known, inside, values = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool), np.zeros(count)
        known[frames], inside[frames], values[frames] = True, labels, scores
        return cls(vod=vod, fps=fps, scores=values, labels=from_grid(inside, fps), known=known)

    def only(self, known: npt.NDArray[np.bool_]) -> "ScoredVod":
        """The same, judged on these instants alone: bool [m], which may be fewer than the VOD has, or more."""
        frames = np.flatnonzero(known[: len(self.scores)])
        inside = on_grid(self.labels, len(self.scores), self.fps)
        return self.from_samples(self.vod, self.fps, frames, self.scores[frames], inside[frames])

    def stretches(self) -> list[tuple[int, int]]:
        """First instant and end of each unbroken stretch of known instants."""
        if self.known is None:
            return [(0, len(self.scores))]
        edges = np.flatnonzero(np.diff(np.pad(self.known.astype(np.int8), 1))).reshape(-1, 2)
        return [(first, end) for first, end in edges.tolist()]

    def smoothed(self, seconds: float) -> npt.NDArray[np.float64]:
        """The scores averaged over a centred window, within each stretch: float64 [T]; as they are where not known."""
        values = np.array(self.scores, dtype=np.float64)
        for first, end in self.stretches():
            values[first:end] = centred_mean(self.scores[first:end], self.fps, seconds)
        return values

    def uncut(self, smooth_seconds: float = 0.0) -> "Prediction":
        """Its ranking alone: smoothed, and no highlight cut from it."""
        smoothed = self.smoothed(smooth_seconds)
        return Prediction(vod=self.vod, fps=self.fps, scores=smoothed, spans=(), labels=self.labels, known=self.known)


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One VOD as a method sees it, and its labels.

    Attributes:
        scores: float [T], smoothed as they are compared with the threshold.
        spans: the highlights.
        vod, fps, labels, known: as of `ScoredVod`.
    """

    vod: str
    fps: Fraction
    scores: npt.NDArray[np.float64]
    spans: Sequence[Span]
    labels: Sequence[Span]
    known: npt.NDArray[np.bool_] | None = None

    def within(self, vod: ScoredVod) -> "Prediction":
        """The same prediction, judged on the known instants and the labels of `vod`, which has the same grid.

        Highlights end where a stretch of known instants does.
        """
        borders = [(grid.time_of(first, vod.fps), grid.time_of(end, vod.fps)) for first, end in vod.stretches()]
        spans = [
            replace(span, start=max(span.start, begin), stop=min(span.stop, end))
            for begin, end in borders
            for span in self.spans
            if span.start < end and span.stop > begin
        ]
        scores = self.scores[: len(vod.scores)]
        return replace(self, scores=scores, spans=spans, labels=vod.labels, known=vod.known)

    def looked_at(self, stretches: Sequence[Span]) -> "Prediction":
        """The same prediction, judged on what somebody has looked at.

        A highlight counts where its middle was looked at, as it is: what lies round it was known to the method.
        """
        known = on_grid(stretches, len(self.scores), self.fps)
        middles = [(span.start + span.stop) / 2 for span in self.spans]
        spans = [
            span
            for span, middle in zip(self.spans, middles, strict=True)
            if any(stretch.start <= middle < stretch.stop for stretch in stretches)
        ]
        return replace(self, spans=spans, known=known)

    def ranking(self, *, by_vod: bool) -> Ranking:
        """The ranking of its known frames, in which each chunk is a group, or the whole VOD."""
        known = slice(None) if self.known is None else self.known
        labels = on_grid(self.labels, len(self.scores), self.fps)
        groups = self._groups(by_vod=by_vod)
        if self.known is not None:
            groups = groups.where(self.known)
        return Ranking(labels[known], self.scores[known], groups)

    def group(self, span: Span, *, by_vod: bool) -> str:
        """The group that a span counts in: that of its middle."""
        last = len(self.scores) - 1
        if by_vod or last < 0:
            return self.vod
        middle = grid.first_frame_at((span.start + span.stop) / 2, self.fps)
        return str(self._chunks.names[self._chunks.members[min(middle, last)]])

    def _groups(self, *, by_vod: bool) -> Groups:
        return Groups.of_one(self.vod, len(self.scores)) if by_vod else self._chunks

    @cached_property
    def _chunks(self) -> Groups:
        numbers, places = np.unique(chunks(self.labels, len(self.scores), self.fps), return_inverse=True)
        groups = Groups.from_names([f"{self.vod}/{number}" for number in numbers.tolist()])
        return Groups(groups.names, groups.members[places])


@dataclass(frozen=True)
class Predictions:
    """What one method says of several VODs.

    Attributes:
        threshold: by which frames are called positive. The spans of a VOD may come from another one that suits it.
    """

    threshold: float
    vods: Sequence[Prediction]
    _resampled: dict[tuple[str, ...], Resampled] = field(default_factory=dict, repr=False, compare=False)

    def looked_at(self, stretches: Mapping[str, Sequence[Span] | None]) -> "Predictions":
        """The same predictions, judged on what somebody has looked at of each VOD.

        Args:
            stretches: VOD → what was looked at; None for all of it.
        """
        if not any(known is not None for known in stretches.values()):
            return self
        vods = [vod if (known := stretches[vod.vod]) is None else vod.looked_at(known) for vod in self.vods]
        return Predictions(self.threshold, vods)

    def resampled(self, groups: npt.NDArray[np.str_]) -> Resampled:
        """The average precision of all frames in resamples of these groups, which are computed once."""
        key = tuple(groups.tolist())
        if key not in self._resampled:
            self._resampled[key] = self.ranking.resample(groups)
        return self._resampled[key]

    @cached_property
    def ranking(self) -> Ranking:
        """The frames of all VODs together."""
        parts = [vod.ranking(by_vod=draws_vods(len(self.vods))) for vod in self.vods]
        return Ranking(
            np.concatenate([part.labels for part in parts]),
            np.concatenate([part.scores for part in parts]),
            Groups.joined([part.groups for part in parts]),
        )

    @cached_property
    def events(self) -> list[EventCounts]:
        """The events of all VODs by group, one for each overlap of `TIOUS`."""
        by_vod = draws_vods(len(self.vods))
        labelled = {vod.vod: vod.labels for vod in self.vods}
        predicted = {vod.vod: vod.spans for vod in self.vods}
        group = {vod.vod: partial(vod.group, by_vod=by_vod) for vod in self.vods}
        groups = self.ranking.groups.names
        return [count_events(labelled, predicted, tiou, groups, group) for tiou in TIOUS]


@dataclass(frozen=True)
class Judge:
    """How scores become highlights: what a model is used with.

    Attributes:
        smooth_seconds: the window that scores are averaged over before they meet the threshold.
        limits: where highlights begin and end.
        share: of the time that was labelled where the model learnt. With it, each VOD gets the threshold that suits it
            (`lolhl.highlights.amount.likely_seconds`); without it, all have that of the limits.
    """

    smooth_seconds: float
    limits: Limits
    share: float | None = None

    @classmethod
    def of_model(cls, threshold: float, smooth_seconds: float, habits: Habits | None) -> "Judge":
        """How the scores of a model become highlights by default."""
        return cls(smooth_seconds, CutConfig().limits(threshold, habits), habits.share if habits else None)

    @classmethod
    def choose(cls, vods: Sequence[ScoredVod], smooth_seconds: float, habits: Habits | None = None) -> "Judge":
        """With the threshold that has the best F1 on the known frames of all these VODs together.

        Args:
            habits: how highlights are labelled where the model learnt.

        Raises:
            DatasetError: no frame is labelled.
            ModelError: a score is NaN or infinite.
        """
        ranking = Predictions(0.0, [vod.uncut(smooth_seconds) for vod in vods]).ranking
        threshold = metrics.choose_threshold(ranking.labels, ranking.scores)
        return cls.of_model(threshold, smooth_seconds, habits)

    def predict(self, vods: Sequence[ScoredVod]) -> Predictions:
        """Smooths the scores and cuts highlights from them."""
        return Predictions(self.limits.threshold, [self._predict(vod) for vod in vods])

    def _predict(self, vod: ScoredVod) -> Prediction:
        smoothed = vod.smoothed(self.smooth_seconds)

        def find_at(threshold: float) -> list[Highlight]:
            return ranked(
                [highlight for part in vod.stretches() for highlight in self._find(vod, smoothed, part, threshold)]
            )

        known = slice(None) if vod.known is None else vod.known
        _, highlights = choose(find_at, smoothed[known], float(vod.fps), self.limits.threshold, self.share)
        spans = [highlight.span for highlight in highlights]
        return Prediction(vod=vod.vod, fps=vod.fps, scores=smoothed, spans=spans, labels=vod.labels, known=vod.known)

    def _find(
        self, vod: ScoredVod, smoothed: npt.NDArray[np.float64], stretch: tuple[int, int], threshold: float
    ) -> Iterator[Highlight]:
        """The highlights of one stretch, at their times in the VOD."""
        first, end = stretch
        begin, duration = float(first / vod.fps), float((end - first) / vod.fps)
        for highlight in find(smoothed[first:end], vod.fps, duration, replace(self.limits, threshold=threshold)):
            span = Span(begin + highlight.span.start, begin + highlight.span.stop, score=highlight.peak)
            yield replace(highlight, span=span)


def draws_vods(vods: int) -> bool:
    """Whether the bootstrap over so many VODs draws whole VODs, and not chunks."""
    return vods >= VODS_ENOUGH


def judge(predictions: Predictions) -> Judgement:
    """All figures of a method: of frames beside those of a constant answer and of random ranking, and of events.

    Raises:
        ModelError: a score is NaN or infinite.
    """
    frames = predictions.ranking
    resampled = predictions.resampled(frames.groups.names)
    return Judgement(
        frames=metrics.compare(frames.labels, frames.scores, predictions.threshold, frames.groups, resampled=resampled),
        events=[counts.figures() for counts in predictions.events],
        per_vod={vod.vod: _vod_figures(vod) for vod in predictions.vods},
    )


def raw_figures(vods: Sequence[ScoredVod], threshold: float) -> FrameFigures:
    """The figures of scores that nobody smoothed, beside those of `judge`.

    Raises:
        ModelError: a score is NaN or infinite.
    """
    frames = Predictions(threshold, [vod.uncut() for vod in vods]).ranking
    return metrics.frame_figures(frames.labels, frames.scores, threshold, frames.groups)


def average_precision(vods: Sequence[ScoredVod], smooth_seconds: float = 0.0) -> float | None:
    """The average precision of the known frames of all VODs together; None where none is labelled."""
    frames = Predictions(0.0, [vod.uncut(smooth_seconds) for vod in vods]).ranking
    return metrics.average_precision(frames.labels, frames.scores)


def _vod_figures(prediction: Prediction) -> VodFigures:
    frames = prediction.ranking(by_vod=True)
    labelled, predicted = {prediction.vod: prediction.labels}, {prediction.vod: prediction.spans}
    return VodFigures(
        average_precision=metrics.average_precision(frames.labels, frames.scores),
        events=[event_figures(labelled, predicted, tiou) for tiou in TIOUS],
    )
