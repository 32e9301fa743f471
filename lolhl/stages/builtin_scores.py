"""Scores of a VOD without a model that was learnt: by loudness and chat, or by what happened in its games."""

import logging
from collections.abc import Callable, Mapping

import numpy as np

from lolhl import grid, layout, manifest
from lolhl.config import Config
from lolhl.manifest import Manifest
from lolhl.models import unsupervised
from lolhl.results import Scoring
from lolhl.signals.source import video_source
from lolhl.stages import by_events
from lolhl.stages import unsupervised as without_model
from lolhl.storage import Root
from lolhl.tables import Scored, write_scored
from lolhl.vod import decode

log = logging.getLogger(__name__)


def by_signals(root: Root, vod: str, config: Config, decoder: str, *, force: bool, place: str) -> Manifest[Scoring]:
    """Scores by loudness and chat, see `lolhl.stages.unsupervised`. The arguments are those of `lolhl.stages.infer`."""
    source = video_source(root, vod, decoder)
    inputs = {**source.inputs, f"models/{unsupervised.NAME}": without_model.DIGEST}

    def score() -> tuple[decode.Mode, Scored]:
        signals = without_model.measure(source)
        log.warning("infer %s: %s", vod, unsupervised.advice(signals))
        mode: decode.Mode = "scan" if "motion" in signals else "grid"
        parts = {name: part.astype(np.float32) for name, part in unsupervised.parts(signals, without_model.FPS).items()}
        return mode, Scored(unsupervised.scores(unsupervised.join(signals, without_model.FPS)), parts)

    return _stored(root, vod, config, unsupervised.NAME, inputs, score, force=force, place=place)


def by_games(root: Root, vod: str, config: Config, decoder: str, *, force: bool, place: str) -> Manifest[Scoring]:
    """Scores by what happened in the games, see `lolhl.stages.by_events`."""
    games, source = by_events.load_games(root, vod), video_source(root, vod, decoder)
    inputs = {**source.inputs, layout.games(vod): games.content_digest(), f"models/{by_events.NAME}": by_events.DIGEST}

    def score() -> tuple[decode.Mode, Scored]:
        count = grid.instants_in(source.seconds, without_model.FPS)
        return "grid", Scored(by_events.scores(games.result, count, without_model.FPS))

    return _stored(root, vod, config, by_events.NAME, inputs, score, force=force, place=place)


def _stored(
    root: Root,
    vod: str,
    config: Config,
    method: str,
    inputs: Mapping[str, str],
    score: Callable[[], tuple[decode.Mode, Scored]],
    *,
    force: bool,
    place: str,
) -> Manifest[Scoring]:
    """Stores the scores of a method that is built in, on the usual grid. It is called where they are not there."""
    todo, earlier = manifest.plan(root, layout.scoring(vod, place), Scoring, config, inputs, force=force)
    if earlier:
        return earlier
    mode, scored = score()
    result = Scoring(
        vod=vod,
        fps=without_model.FPS,
        frames=len(scored.probabilities),
        source="video",
        mode=mode,
        model=method,
        model_digest=inputs[f"models/{method}"],
        threshold=0.5,
        smooth_seconds=0.0,
        model_metrics=None,
        explained_by=[*scored.parts],
    )
    return todo.store(result, {layout.scores(vod, place): write_scored(scored, without_model.FPS)})
