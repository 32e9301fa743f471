"""infer: a model and a VOD → scores, one probability per instant of the grid.

From the frame set if there is one that fits the model, else straight from the video, with no JPEG in between. How much
of the video is looked at is told in `lolhl.stages.picture_scores`.
"""

import logging
from dataclasses import dataclass
from typing import Literal

import torch

from lolhl import layout, manifest
from lolhl.config import Config, setting
from lolhl.manifest import Manifest
from lolhl.models import champion, unsupervised
from lolhl.models.bundle import load_bundle
from lolhl.models.network import PICTURES
from lolhl.models.vod_scorer import VodScorer
from lolhl.results import Scoring
from lolhl.signals import Signal, inputs_of, make_track, stored_track
from lolhl.signals.pictures import PictureSignal
from lolhl.signals.source import FrameSource, Source, VideoSource, choose_source, layout_of, source_beside
from lolhl.stages import builtin_scores, by_events, picture_scores
from lolhl.stages.between_games import LookedAt, looked_at
from lolhl.stages.picture_scores import KeyFrames, WantedMode
from lolhl.storage import Root, check_name
from lolhl.tables import Scored, write_scored
from lolhl.tracks.track import Track
from lolhl.vod import decode

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class InferConfig(Config):
    """Where the pictures come from."""

    source: Literal["auto", "frames", "video"] = setting(
        "auto", "frames: the frame set; video: decode it; auto: frames where there are any"
    )
    mode: WantedMode = setting(
        "auto",
        "grid: every frame; scan: key frames only; refine: a scan, then every frame where its scores are highest; "
        "auto: grid where the track of every frame is stored, else refine on a CPU, where key frames come often",
    )
    closer: float = setting(0.4, "share of the instants that --mode refine takes a closer look at", above=0, at_most=1)
    between_games: Literal["skip", "look"] = setting(
        "skip",
        "skip: where `lolhl clock` has found games, --mode refine, and auto on a CPU, look at key frames alone outside "
        "of them; look: they look everywhere",
    )
    decoder: Literal["auto", "cpu", "cuda"] = setting(
        "auto", "where to decode video; auto probes for a GPU", neutral=True
    )


def infer(
    root: Root,
    model: str,
    vod: str,
    config: InferConfig = InferConfig(),
    *,
    force: bool = False,
    key_frames: KeyFrames | None = None,
    place: str = layout.HIGHLIGHTS,
) -> Manifest[Scoring]:
    """Makes <place>/<vod>/scores-<digest>.parquet and scores.json.

    The columns are frame, time in seconds, score as probability and, where the model joins several signals, what each
    of them adds to the log-odds.

    Args:
        root: where the data lies.
        model: name of a trained model, `champion`, or `unsupervised` or `events` for scores without one.
        vod: name of a VOD that was downloaded.
        config: see `InferConfig`.
        force: redo what is done.
        key_frames: the video's key frames, where they were looked at already, as `look` does.
        place: where the scores go, see `layout.scores`. Reports are made of those in highlights/.

    Returns:
        The scores' manifest. Its result names the model and the threshold that goes with it.

    Raises:
        MissingInput: the model, or the VOD's video or frames, do not exist.
        ModelError: the frames are not those that the model was made for.
    """
    check_name(vod, "VOD")
    built_in = {unsupervised.NAME: builtin_scores.by_signals, by_events.NAME: builtin_scores.by_games}
    if model in built_in:
        champion.check_built_in(root, model)
        return built_in[model](root, vod, config, config.decoder, force=force, place=place)
    used = load_bundle(root, model)
    model = used.name
    signals = {name: used.open(name) for name in used.signals}
    sees = any(signal.view for signal in signals.values())
    source = choose_source(
        root,
        vod,
        used.view,
        config.source if sees else "video",
        mode=config.mode,
        decoder=config.decoder,
        needed_by=f"model {model}",
    )
    sources = {name: source_beside(source, signal.view) for name, signal in signals.items()}
    inputs = {f"models/{model}": used.digest, **source.inputs}
    for name, measured_source in sources.items():
        inputs |= inputs_of(signals[name], measured_source) if measured_source else {}
    may_skip = sees and config.mode in ("auto", "refine") and config.between_games == "skip"
    games = looked_at(source) if may_skip else LookedAt()
    inputs |= games.inputs
    key = layout.scoring(vod, place)
    todo, earlier = manifest.plan(root, key, Scoring, config, inputs, force=force)
    if earlier and earlier.result.mode != "grid" and _may_take_all(config, source, signals.get(PICTURES)):
        log.info("infer %s: the track of every frame is stored by now, and takes the place of a closer look", vod)
        todo, earlier = manifest.plan(root, key, Scoring, config, inputs, force=True)
    if earlier:
        return earlier

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    used.model.to(device)
    signal = signals.pop(PICTURES, None)
    tracks = {name: track_from(sources[name], other) for name, other in signals.items()}
    mode, scored = _scored(VodScorer.open(used, tracks, device), signal, source, config, games, key_frames)

    data = write_scored(scored, used.view.fps)
    result = Scoring(
        vod=vod,
        fps=used.view.fps,
        frames=len(scored.probabilities),
        source=source.kind,
        frame_set=source.frames.spec.name if isinstance(source, FrameSource) else None,
        mode=mode,
        model=model,
        model_digest=used.digest,
        threshold=used.threshold,
        smooth_seconds=used.smooth_seconds,
        habits=used.habits,
        model_metrics=used.metrics,
        explained_by=list(scored.parts),
    )
    return todo.store(result, {layout.scores(vod, place): data})


def _may_take_all(config: InferConfig, source: Source, pictures: Signal | None) -> bool:
    """Whether scores of every frame cost no decoding."""
    if config.mode != "auto" or pictures is None or not isinstance(source, VideoSource):
        return False
    return stored_track(pictures, source, "grid") is not None


def track_from(source: Source | None, signal: Signal) -> Track | None:
    """The track of a signal other than pictures. None where there is nothing to measure it from."""
    if source is None:
        return None
    return make_track(signal, source, layout_of(source))


def _scored(
    scorer: VodScorer,
    signal: Signal | None,
    source: Source,
    config: InferConfig,
    games: LookedAt,
    key_frames: KeyFrames | None,
) -> tuple[decode.Mode, Scored]:
    """The mode in which pictures were looked at, and the scores.

    Args:
        scorer: the model.
        signal: its pictures; None where it sees none.
        source: the frames, or the video.
        config, key_frames: as of `infer`.
        games: what a closer look passes over.
    """
    if not isinstance(signal, PictureSignal):
        return _without_pictures(scorer, source)
    if isinstance(source, FrameSource):
        return picture_scores.from_frames(scorer, signal, source)
    mode, scored, end = picture_scores.from_video(scorer, signal, source, config.mode, config.closer, games, key_frames)
    if end.problem:
        log.warning("infer %s: what follows cannot be read, and has no scores: %s", source.vod, end.problem)
    return mode, scored


def _without_pictures(scorer: VodScorer, source: Source) -> tuple[decode.Mode, Scored]:
    """The scores of a model that sees no pictures."""
    if isinstance(source, FrameSource):
        return source.layout, scorer.scores_without_pictures(len(source.frames))
    return "grid", scorer.scores_without_pictures(min(len(track) for track in scorer.tracks.values() if track))
