"""Methods that can be compared: models by their names, and those that are built in.

To add one, write a function such as `constant` and give it a name in `BUILT_IN`.
"""

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from lolhl import layout, manifest
from lolhl.evaluate.judge import Judge, Predictions, ScoredVod
from lolhl.highlights.cut import Limits
from lolhl.highlights.intensity import centred_mean
from lolhl.highlights.outside_games import marked_down
from lolhl.labels.spans import Span, on_grid
from lolhl.models import champion, unsupervised
from lolhl.results import Model
from lolhl.signals.source import VideoSource, video_source
from lolhl.stages import by_events
from lolhl.stages import unsupervised as without_model
from lolhl.stages.outside_games import mark_downs
from lolhl.stages.scores import load_scored
from lolhl.storage import Root

_NOISE_SECONDS = 5.0  # window that random scores are averaged over: about the length of a highlight


@dataclass(frozen=True)
class LabelledVod:
    """A VOD to judge on, with its labels and the number of instants of its grid.

    Attributes:
        looked_at: what somebody has looked at, on which alone it is judged; None for all of it.
    """

    vod: str
    labels: Sequence[Span]
    fps: Fraction
    frames: int
    looked_at: Sequence[Span] | None = None

    @property
    def judged(self) -> int:
        """How many instants were looked at."""
        return self.frames if self.looked_at is None else int(on_grid(self.looked_at, self.frames, self.fps).sum())


Method = Callable[[Root, Sequence[LabelledVod]], Predictions]


def constant(_root: Root, vods: Sequence[LabelledVod]) -> Predictions:
    """The answer "yes" everywhere."""
    answers = [ScoredVod(vod=vod.vod, fps=vod.fps, scores=np.ones(vod.frames), labels=vod.labels) for vod in vods]
    return Judge(0.0, Limits(threshold=0.5)).predict(answers)


def random(_root: Root, vods: Sequence[LabelledVod]) -> Predictions:
    """Smoothed noise that predicts as much time as is labelled in these VODs. VODs of the same names get the same."""
    answers = []
    for vod in vods:
        noise = np.random.default_rng(zlib.crc32(vod.vod.encode())).random(vod.frames)
        ranks = np.argsort(np.argsort(centred_mean(noise, vod.fps, _NOISE_SECONDS), kind="stable"))
        scores = (ranks + 1) / max(1, vod.frames)  # even from 0 to 1
        answers.append(ScoredVod(vod=vod.vod, fps=vod.fps, scores=scores, labels=vod.labels))
    labelled = sum(int(on_grid(vod.labels, vod.frames, vod.fps).sum()) for vod in vods)
    share = labelled / max(1, sum(vod.judged for vod in vods))
    return Judge(0.0, Limits(threshold=1 - share)).predict(answers)


def joined(root: Root, vods: Sequence[LabelledVod]) -> Predictions:
    """Loudness and chat against each stream's own baseline, see `lolhl.models.unsupervised`."""
    return _above_baseline(root, vods, lambda source, fps: without_model.measure(source, fps))


def _alone(name: str) -> Method:
    """The method that goes by one signal."""

    def alone(root: Root, vods: Sequence[LabelledVod]) -> Predictions:
        return _above_baseline(root, vods, lambda source, fps: {name: without_model.signal_of(source, name, fps)})

    return alone


def _above_baseline(
    root: Root, vods: Sequence[LabelledVod], measure: Callable[[VideoSource, Fraction], unsupervised.Signals]
) -> Predictions:
    answers = []
    outside = mark_downs(root, [vod.vod for vod in vods], unsupervised.NAME)
    for vod in vods:
        signals = measure(video_source(root, vod.vod), vod.fps)
        same = {name: without_model.fitted(*signal, vod.frames) for name, signal in signals.items()}
        scores = marked_down(unsupervised.scores(unsupervised.join(same, vod.fps)), vod.fps, outside.get(vod.vod))
        answers.append(ScoredVod(vod=vod.vod, fps=vod.fps, scores=scores, labels=vod.labels))
    return Judge(0.0, Limits(threshold=0.5)).predict(answers)


def events(root: Root, vods: Sequence[LabelledVod]) -> Predictions:
    """What happened in the games, see `lolhl.stages.by_events`."""
    answers = []
    outside = mark_downs(root, [vod.vod for vod in vods], by_events.NAME)
    for vod in vods:
        games = by_events.load_games(root, vod.vod).result
        scores = marked_down(by_events.scores(games, vod.frames, vod.fps), vod.fps, outside.get(vod.vod))
        answers.append(ScoredVod(vod=vod.vod, fps=vod.fps, scores=scores, labels=vod.labels))
    return Judge(0.0, Limits(threshold=0.5)).predict(answers)


BUILT_IN: dict[str, Method] = {
    "constant": constant,
    "random": random,
    unsupervised.NAME: joined,
    "loudness": _alone("loudness"),
    "chat": _alone("chat"),
    "motion": _alone("motion"),
    by_events.NAME: events,
}


BASELINES = ("constant", "random")
"""The names of those that know nothing. They stand in every comparison."""


def resolve(root: Root, name: str) -> str:
    """The name of the method that is meant. `champion` means the champion's model; any other name means itself.

    Raises:
        MissingInput: there is no method of this name.
        UsageError: a model has the name of a method that is built in.
        StorageError: the model's manifest is damaged.
    """
    if name in BUILT_IN:
        champion.check_built_in(root, name)
        return name
    name = champion.resolve(root, name)
    manifest.load(root, layout.model(name), Model)
    return name


def predict(root: Root, model: str, labels: Mapping[str, Sequence[Span]], *, force: bool = False) -> Predictions:
    """The predictions of a model for every frame of these VODs, see `score_vods`."""
    judge, vods = score_vods(root, model, labels, force=force)
    return judge.predict(vods)


def score_vods(
    root: Root, model: str, labels: Mapping[str, Sequence[Span]], *, force: bool = False
) -> tuple[Judge, list[ScoredVod]]:
    """How a model's scores become highlights, and its scores of every frame of these VODs.

    Scores are kept below scores/<model>/, and reused. They come from frame sets that fit the model, else from the
    videos. Where the games of a VOD are known, those outside of them are marked down, as when highlights are cut.

    Args:
        labels: VOD → its labelled spans.
        force: score again.

    Raises:
        LolhlError: as `infer` does.
    """
    from lolhl.stages.infer import InferConfig, infer  # takes seconds

    vods, judge = [], Judge(0.0, Limits(threshold=0.0))
    outside = mark_downs(root, labels, model)
    for vod, spans in labels.items():
        place = layout.judged(model)
        stored = infer(root, model, vod, InferConfig(mode="grid"), force=force, place=place)
        scoring, scored = stored.result, load_scored(root, vod, stored, place)
        judge = Judge.of_model(scoring.threshold, scoring.smooth_seconds, scoring.habits)
        scores = marked_down(scored.probabilities, scoring.fps, outside.get(vod))
        vods.append(ScoredVod(vod=vod, fps=scoring.fps, scores=scores, labels=spans))
    return judge, vods


def odds_outside_games(root: Root, method: str, vods: Iterable[str]) -> dict[str, str]:
    """What a method's scores of these VODs are marked down by outside of games, as an input; none where they are not.

    The labels that a model learnt from decide it. The games of the VODs are inputs of their own.
    """
    outside = mark_downs(root, vods, method)
    return {f"odds outside of games, {method}": f"{one.odds:g}" for one in outside.values()}
