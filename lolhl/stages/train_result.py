"""What the bundle says of a model that has learnt: its threshold, its calibration, its figures, and how it is used."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib.metadata import version
from typing import Literal

import numpy as np
import numpy.typing as npt

import lolhl
from lolhl.data.stretches import Samples, SplitVod
from lolhl.evaluate.calibration import Calibration
from lolhl.labels.habits import Habits, habits
from lolhl.manifest import Manifest
from lolhl.models import bundle
from lolhl.models.joined import JoinedModel
from lolhl.models.learning import Fitted
from lolhl.models.model import ClipSettings
from lolhl.results import BackboneRecipe, Dataset, Model, ModelFigures, SignalRecipe
from lolhl.stages.train_material import Prepared
from lolhl.stages.train_settings import TrainConfig

_LIBRARIES = ("torch", "lightning", "scikit-learn")  # whose versions a bundle names


def describe(config: TrainConfig, described: Manifest[Dataset], prepared: Prepared, fitted: Fitted) -> Model:
    """What the bundle says of the model with the best weights, which it then has."""
    from lolhl.models import training

    model, learner, validation = prepared.model, prepared.learner, prepared.lessons["validation"]
    learner.load_state_dict(fitted.weights)
    learner.eval().to(prepared.device)
    if isinstance(model, JoinedModel):
        training.weigh(model, prepared.contents, validation)
    raw = training.probabilities(learner, prepared.contents, validation)
    marks, share = _habits(prepared.vods, described.result)
    # Clip models learn from rebalanced samples, the others from whole stretches as they are.
    rebalanced = isinstance(config.model, ClipSettings)
    trained = float(np.mean(prepared.sides["train"].label)) if rebalanced else share
    holdout = described.result.holdout
    side, fps = prepared.sides["validation"], prepared.view.fps
    judged = _judge(side, raw, fps, config.smooth_seconds, marks, trained, holdout)
    return _describe(config, described, prepared, fitted, judged)


def _habits(vods: Sequence[SplitVod], dataset: Dataset) -> tuple[Habits, float]:
    """How highlights are labelled in the whole dataset, and the share of highlights in the time that was looked at.

    People look first where they expect highlights. So how much of the time is labelled is told by VODs that were looked
    at as wholes, where these have highlights.
    """
    whole = [(vod.spans, float(vod.end / vod.fps)) for vod in vods if not vod.unseen]
    in_part = [(vod.spans, dataset.per_vod[vod.vod].natural.frames / float(vod.fps)) for vod in vods if vod.unseen]
    marks = habits([*whole, *in_part])
    assert marks  # both sides have highlights
    of_whole = habits(whole)
    return (replace(marks, share=of_whole.share) if of_whole else marks), marks.share


@dataclass(frozen=True)
class _Judged:
    """What the validation side says of a model."""

    threshold: float
    smooth_seconds: float
    calibration: Calibration
    habits: Habits
    figures: ModelFigures


def _judge(
    side: Samples,
    raw: npt.NDArray[np.float32],
    fps: Fraction,
    smooth_seconds: float | None,
    marks: Habits,
    trained: float,
    holdout: Literal["chunks", "vods", "games"],
) -> _Judged:
    """Calibrates on the validation side, chooses the threshold there, and takes the figures.

    Args:
        side: the samples of the validation side.
        raw: float32 [n], the probability of each sample.
        fps: of the grid.
        smooth_seconds: over which probabilities are averaged; None for what suits the labels.
        marks: how highlights are labelled in the whole dataset.
        trained: share of positives among the samples that were learnt from.
        holdout: what the validation side is.
    """
    from lolhl.evaluate.calibration import calibrate, rebalancing_offset, reliability  # these take seconds
    from lolhl.evaluate.judge import Judge, Predictions, ScoredVod, judge, raw_figures

    offset = rebalancing_offset(marks.share, trained)
    smooth_seconds = marks.smooth_seconds if smooth_seconds is None else smooth_seconds

    def scored(scores: npt.NDArray[np.float32]) -> list[ScoredVod]:
        return [
            ScoredVod.from_samples(vod, fps, side.frame[at], scores[at], side.label[at])
            for vod, at in side.by_vod().items()
            if at.start < at.stop
        ]

    ranking = Predictions(0.0, [vod.uncut() for vod in scored(raw)]).ranking
    calibration = calibrate(ranking.labels, ranking.scores, float(fps), offset)
    vods = scored(calibration.apply(raw))
    chosen = Judge.choose(vods, smooth_seconds, marks)
    judgement, threshold = judge(chosen.predict(vods)), chosen.limits.threshold
    figures = ModelFigures(
        smoothed=judgement.frames,
        raw=raw_figures(vods, threshold),
        events=judgement.events,
        holdout=holdout,
        reliability=reliability(ranking.labels, ranking.scores, ranking.groups, float(fps), offset),
    )
    return _Judged(threshold, smooth_seconds, calibration, marks, figures)


def _describe(
    config: TrainConfig, described: Manifest[Dataset], prepared: Prepared, fitted: Fitted, judged: _Judged
) -> Model:
    network, view = prepared.network, prepared.view
    backbone = None
    if network:
        mean, std = ((values[0], values[1], values[2]) for values in network.normalisation.values())
        backbone = BackboneRecipe(name=network.name, mean=mean, std=std)
    signals = {
        name: SignalRecipe(
            version=signal.version, settings=bundle.recorded_settings(signal), width=prepared.model.widths[name]
        )
        for name, signal in prepared.signals.items()
    }
    return Model(
        kind=config.kind,
        settings=prepared.model.settings.recorded(),
        signals=signals,
        backbone=backbone,
        view={"fps": str(view.fps), "size": view.size, "fit": view.fit},
        frozen=config.tune == "head",
        threshold=judged.threshold,
        threshold_chosen="best F1 of smoothed probabilities on the validation side",
        smooth_seconds=judged.smooth_seconds,
        calibration=judged.calibration,
        habits=judged.habits,
        dataset_digest=described.content_digest(),
        dataset_holdout=described.result.holdout,
        learnt_from=described.result.vods,
        metrics=judged.figures,
        best_epoch=fitted.best,
        epochs=[(e.train_loss, e.val_loss, e.val_ap) for e in fitted.history],
        versions={"lolhl": lolhl.__version__, **{name: version(name) for name in _LIBRARIES}},
    )
