"""infer: a model and a VOD → scores, one probability per instant of the grid.

From the frame set if there is one that fits the model, else straight from the video, with no JPEG
in between. A scan looks at key frames only; features between them are interpolated. Refining then
decodes all that lies between two key frames where the scan's scores are highest. It does not make up for
all that a scan misses: see tests/benchmarks/infer.py. Where the VOD's games are known, it passes over what lies
outside of them.

Features of a frozen backbone are stored as tracks while they are scored. What is stored already, by whichever
stage, is not looked at again.
"""

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

from lolhl import grid, layout, manifest, progress
from lolhl.config import Config, setting
from lolhl.manifest import Manifest
from lolhl.models import champion, unsupervised
from lolhl.models.bundle import Bundle, load_bundle
from lolhl.models.network import PICTURES
from lolhl.models.vod_scorer import Numbers, Scores, VodScorer
from lolhl.results import Scoring
from lolhl.signals import Signal, fill_track, inputs_of, make_track, measured, stored_track
from lolhl.signals.pictures import PictureSignal
from lolhl.signals.source import (
    FrameSource,
    Source,
    TimedPictures,
    VideoSource,
    choose_source,
    layout_of,
    source_beside,
    stacked,
    stacked_keys,
    video_source,
)
from lolhl.stages import by_events
from lolhl.stages import unsupervised as without_model
from lolhl.stages.between_games import LookedAt, looked_at
from lolhl.storage import Root, check_name
from lolhl.tables import Scored, write_scored
from lolhl.tracks.filling import End, Gap, Measured, Taken
from lolhl.tracks.rows import BATCH, Rows, Values, spread, spread_batches
from lolhl.tracks.scattered import Scattered
from lolhl.tracks.track import Track
from lolhl.vod import decode
from lolhl.vod.decode import Ending, Picture

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class InferConfig(Config):
    """Where the pictures come from."""

    source: Literal["auto", "frames", "video"] = setting(
        "auto", "frames: the frame set; video: decode it; auto: frames where there are any"
    )
    mode: Literal["auto", "scan", "refine", "grid"] = setting(
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


Times = npt.NDArray[np.float64]  # in seconds


@dataclass(frozen=True)
class KeyFrames:
    """The result of a scan: times and features of key frames, and how the video ends."""

    rows: Rows
    end: End

    def within(self, gap: Gap) -> Measured:
        """The rows of a gap."""
        yield self.rows[gap.first : gap.stop]
        return self.end


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
    built_in = {unsupervised.NAME: _unsupervised, by_events.NAME: _by_events}
    if model in built_in:
        champion.check_built_in(root, model)
        return built_in[model](root, vod, config, force=force, place=place)
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
    todo, earlier = manifest.plan(root, layout.scoring(vod, place), Scoring, config, inputs, force=force)
    if earlier:
        return earlier

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    used.model.to(device)
    signal = signals.pop(PICTURES, None)
    tracks = {name: track_from(sources[name], other) for name, other in signals.items()}
    scorer = VodScorer.open(used, tracks, device)
    if not isinstance(signal, PictureSignal):
        mode, scored = _without_pictures(scorer, source)
    elif isinstance(source, FrameSource):
        mode, scored = _from_frames(scorer, signal, source)
    else:
        mode, scored, end = _from_video(scorer, signal, source, config, games, key_frames)
        if end.problem:
            log.warning("infer %s: what follows cannot be read, and has no scores: %s", vod, end.problem)

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


def _unsupervised(root: Root, vod: str, config: InferConfig, *, force: bool, place: str) -> Manifest[Scoring]:
    """Scores by loudness and chat, see `lolhl.stages.unsupervised`."""
    source = video_source(root, vod, config.decoder)
    inputs = {**source.inputs, f"models/{unsupervised.NAME}": without_model.DIGEST}

    def score() -> tuple[decode.Mode, Scores]:
        log.warning("infer %s: %s", vod, unsupervised.ADVICE)
        signals = without_model.measure(source)
        mode: decode.Mode = "scan" if "motion" in signals else "grid"
        return mode, unsupervised.scores(unsupervised.join(signals, without_model.FPS))

    return _without_model(root, vod, config, unsupervised.NAME, inputs, score, force=force, place=place)


def _by_events(root: Root, vod: str, config: InferConfig, *, force: bool, place: str) -> Manifest[Scoring]:
    """Scores by what happened in the games, see `lolhl.stages.by_events`."""
    games, source = by_events.load_games(root, vod), video_source(root, vod, config.decoder)
    inputs = {**source.inputs, layout.games(vod): games.content_digest(), f"models/{by_events.NAME}": by_events.DIGEST}

    def score() -> tuple[decode.Mode, Scores]:
        count = grid.instants_in(source.seconds, without_model.FPS)
        return "grid", by_events.scores(games.result, count, without_model.FPS)

    return _without_model(root, vod, config, by_events.NAME, inputs, score, force=force, place=place)


def _without_model(
    root: Root,
    vod: str,
    config: InferConfig,
    method: str,
    inputs: Mapping[str, str],
    score: Callable[[], tuple[decode.Mode, Scores]],
    *,
    force: bool,
    place: str,
) -> Manifest[Scoring]:
    """Stores the scores of a method that is built in, on the usual grid. It is called where they are not there."""
    todo, earlier = manifest.plan(root, layout.scoring(vod, place), Scoring, config, inputs, force=force)
    if earlier:
        return earlier
    mode, scores = score()
    result = Scoring(
        vod=vod,
        fps=without_model.FPS,
        frames=len(scores),
        source="video",
        mode=mode,
        model=method,
        model_digest=inputs[f"models/{method}"],
        threshold=0.5,
        smooth_seconds=0.0,
        model_metrics=None,
    )
    return todo.store(result, {layout.scores(vod, place): write_scored(Scored(scores), without_model.FPS)})


def track_from(source: Source | None, signal: Signal) -> Track | None:
    """The track of a signal other than pictures. None where there is nothing to measure it from."""
    if source is None:
        return None
    return make_track(signal, source, layout_of(source))


def _without_pictures(scorer: VodScorer, source: Source) -> tuple[decode.Mode, Scored]:
    """The scores of a model that sees no pictures."""
    if isinstance(source, FrameSource):
        return source.layout, scorer.scores_without_pictures(len(source.frames))
    return "grid", scorer.scores_without_pictures(min(len(track) for track in scorer.tracks.values() if track))


def _from_frames(scorer: VodScorer, signal: PictureSignal, source: FrameSource) -> tuple[decode.Mode, Scored]:
    """The mode that the frames allow, and the scores."""
    if scorer.asks_first:
        track: Track | None = make_track(signal, source, source.layout)
    else:
        track = stored_track(signal, source, source.layout)
    taken = Taken(measured(signal, source, source.layout, track, store=scorer.used.frozen))
    if source.layout == "grid":
        scorer = scorer.with_baseline(PICTURES, track.at, len(track)) if track else scorer
        return "grid", scorer.scores(rows.values for rows in taken)
    keys = Rows.join(taken)
    scorer = scorer.with_baseline(PICTURES, keys.values.__getitem__, len(keys))
    instants = grid.times(len(source.frames), scorer.used.view.fps)
    return "scan", scorer.scores(spread_batches(keys.times, keys.values, instants))


def _from_video(
    scorer: VodScorer,
    signal: PictureSignal,
    video: VideoSource,
    config: InferConfig,
    games: LookedAt,
    key_frames: KeyFrames | None,
) -> tuple[decode.Mode, Scored, End]:
    """The mode that is chosen, the scores, and how the video ends. The video is fetched only where it is decoded."""
    used = scorer.used
    whole = None if config.mode == "scan" else stored_track(signal, video, "grid")
    if config.mode == "grid" or (config.mode == "auto" and whole):
        if scorer.asks_first and not whole:
            whole = make_track(signal, video, "grid")
        taken = Taken(measured(signal, video, "grid", whole, store=used.frozen))
        scorer = scorer.with_baseline(PICTURES, whole.at, len(whole)) if whole else scorer
        scored = scorer.scores(rows.values for rows in taken)
        return "grid", scored, taken.end
    scanned = stored_track(signal, video, "scan")
    mode: decode.Mode
    if scanned and config.mode != "auto":  # it was looked at when the scan was made
        mode = config.mode
    else:
        mode = decode.choose_mode(video.path, config.mode, video.decoder("grid", used.view))
    closer = config.closer if mode == "refine" else 0.0
    if mode == "grid" and games.games and video.decoder("grid", used.view) == "cpu":
        mode, closer = "refine", 1.0  # every frame of the games
    if mode == "grid":
        config = replace(config, mode="grid")
        return _from_video(scorer, signal, video, config, games, key_frames)
    key_frames = _key_frames(used, signal, video, scanned, key_frames)
    scored = _scan(scorer, signal, video, key_frames, whole, closer, games)
    return mode, scored, key_frames.end


def _key_frames(
    used: Bundle, signal: PictureSignal, video: VideoSource, scanned: Track | None, key_frames: KeyFrames | None
) -> KeyFrames:
    """All key frames of the video: the stored ones, else those that were encoded ahead, else those decoded now.

    Key frames that were encoded ahead are stored.
    """
    if scanned is None and key_frames is not None:
        if used.frozen:
            fill_track(signal, video, "scan", key_frames.within).track()
        return key_frames
    taken = Taken(measured(signal, video, "scan", scanned, store=used.frozen))
    rows = Rows.join(taken)
    return KeyFrames(rows, taken.end)


def _scan(
    scorer: VodScorer,
    signal: PictureSignal,
    video: VideoSource,
    keys: KeyFrames,
    whole: Track | None,
    closer: float,
    games: LookedAt,
) -> Scored:
    """Scores from key frames.

    With a closer look, also from every picture between those where one of these scores is highest, and
    wherever key frames come too seldom to show what happens. That is in games alone, where these are known.
    """
    used = scorer.used
    instants = grid.times(keys.end.frames, used.view.fps)
    times = keys.rows.times
    scorer = scorer.with_baseline(PICTURES, keys.rows.values.__getitem__, len(keys.rows))
    scored = scorer.scores(spread_batches(times, keys.rows.values, instants))
    unseen = _unseen(times, keys.end.seconds, instants)
    if not closer:
        if unseen.any():
            log.warning(
                "infer %s: %.0f %% of it have no key frame within %g s, and so no scores of their own: use --mode grid",
                video.vod,
                100 * unseen.mean(),
                decode.AS_ON_TWITCH,
            )
        return scored
    near = games.masks(video.vod, times, instants, used.view.fps)
    candidates = np.where(near.groups & ~unseen, scored.probabilities, -np.inf)
    wanted = _between(times, instants, candidates, closer * float(near.groups.mean())) & near.groups
    wanted |= unseen & near.played
    if whole:
        looked = _spread_with(keys.rows, instants, wanted, lambda numbers: (numbers, whole[numbers]))
    else:
        looked = _looked_at(signal, video, keys.rows, instants, wanted, store=used.frozen)
    return scorer.scores(looked)


def _unseen(times: Times, end: float, instants: Times) -> npt.NDArray[np.bool_]:
    """The instants that no key frame shows, in stretches without one that are longer than is usual: bool [n].

    Args:
        times: of the key frames.
        end: of the video.
        instants: of the grid: [n].
    """
    edges = np.concatenate([[0.0], times, [max(end, times[-1])]])
    is_long = np.diff(edges) > decode.AS_ON_TWITCH
    return np.asarray(is_long[np.searchsorted(times, instants, side="right")] & ~np.isin(instants, times))


def _between(times: Times, instants: Times, scores: Scores, share: float) -> npt.NDArray[np.bool_]:
    """The instants to look closer at: those that no key frame shows, where the scan's scores are highest.

    All that lie between two key frames go together: to decode one takes most of what all of them take,
    and so what the closer look gives is nowhere mixed with what is interpolated.

    Args:
        times: of the key frames.
        instants: of the grid: [n].
        scores: of the scan, at the instants: [n].
        share: of the instants, with those that key frames show.

    Returns:
        bool [n].
    """
    group = np.searchsorted(times, instants, side="right")
    highest = np.full(len(times) + 1, -np.inf)
    np.maximum.at(highest, group, scores)
    order = np.argsort(-highest, kind="stable")
    sizes = np.bincount(group, minlength=len(order))[order]
    taken = order[np.cumsum(sizes) - sizes < share * len(instants)]
    return np.isin(group, taken) & ~np.isin(instants, times)


def _spread_with(
    keys: Rows,
    instants: Times,
    wanted: npt.NDArray[np.bool_],
    look: Callable[[Numbers], tuple[Numbers, Values]],
) -> Iterator[Values]:
    """Yields features of all instants, in order. They are spread from key frames, except at wanted instants.

    Args:
        keys: the key frames.
        instants: of the grid, in seconds: [n].
        wanted: bool [n].
        look: numbers of wanted instants, ascending → those of them that the video has, and their features.
    """
    for first in range(0, len(instants), BATCH):
        batch = spread(keys.times, keys.values, instants[first : first + BATCH])
        numbers = first + np.flatnonzero(wanted[first : first + BATCH])
        if len(numbers):
            measured_numbers, values = look(numbers)
            batch[measured_numbers - first] = values
        yield batch


def _looked_at(
    signal: PictureSignal,
    video: VideoSource,
    keys: Rows,
    instants: Times,
    wanted: npt.NDArray[np.bool_],
    *,
    store: bool,
) -> Iterator[Values]:
    """Yields features of all instants, in order: of their pictures where wanted, else spread from key frames.

    What is stored is not decoded again, and what is decoded is stored.
    """
    scattered = Scattered.open(video.root, fill_track(signal, video, "grid").recipe) if store else None
    stored = scattered.known(len(instants)) if scattered else np.zeros(len(instants), dtype=bool)
    missing = np.flatnonzero(wanted & ~stored)
    decoded = itertools.chain.from_iterable(
        rows.values for rows in signal.look(_decoded(signal, video, missing), video.vod)
    )

    with progress.bar(f"refine {video.vod}", int(wanted.sum()), "frames") as advance:

        def look(numbers: Numbers) -> tuple[Numbers, Values]:
            advance(len(numbers))
            known = numbers[stored[numbers]]
            values = scattered[known] if scattered and len(known) else keys.values[:0]
            new = numbers[~stored[numbers]]
            rows = list(itertools.islice(decoded, len(new)))
            if not rows:  # nothing is new, or the video ended before
                return known, values
            new = new[: len(rows)]
            if scattered:
                scattered.add(new, np.stack(rows))
            return np.concatenate([known, new]), np.concatenate([values, np.stack(rows)])

        yield from _spread_with(keys, instants, wanted, look)
    if scattered:
        scattered.flush()


def _decoded(signal: PictureSignal, video: VideoSource, numbers: Numbers) -> TimedPictures:
    """The pictures at these instants, ascending; fewer where the video ends before."""
    edges = np.flatnonzero(np.diff(numbers) != 1) + 1
    stretches = [range(int(run[0]), int(run[-1]) + 1) for run in np.split(numbers, edges) if len(run)]
    if stretches:
        decoder = video.decoder("grid", signal.view)
        pictures = decode.decode_stretches(video.path, signal.view, stretches, decoder=decoder)
        first = 0
        for batch in stacked(pictures, signal.runtime.batch):
            yield numbers[first : first + len(batch)] / float(signal.fps), batch
            first += len(batch)
    return End(0, 0.0)


def look(signal: PictureSignal, vod: str, keys: Callable[[Ending], Iterable[tuple[float, Picture]]]) -> KeyFrames:
    """Times and features of key frames, as `decode.scan` yields them.

    Args:
        vod: what they are of, for errors.
        keys: yields them, and fills the ending as `decode.scan` does.
    """

    def pictures() -> TimedPictures:
        ending = Ending()
        yield from stacked_keys(keys(ending), signal.runtime.batch)
        return End(ending.count(signal.fps), float(ending.end or 0), ending.problem)

    taken = Taken(signal.look(pictures(), vod))
    rows = Rows.join(taken)
    return KeyFrames(rows, taken.end)
