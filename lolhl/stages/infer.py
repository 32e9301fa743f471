"""infer: a model and a VOD → scores, one probability per instant of the grid.

From the frame set if there is one that fits the model, else straight from the video, with no JPEG
in between. A scan looks at key frames only; features between them are interpolated. Refining then
decodes all that lies between two key frames where the scan's scores are highest. It does not make up for
all that a scan misses: see tests/benchmarks/infer.py.

Features of a frozen backbone are stored as tracks while they are scored. What is stored already, by whichever
stage, is not looked at again.
"""

import io
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from lolhl import grid, layout, manifest, progress
from lolhl.config import Config, setting
from lolhl.manifest import Manifest
from lolhl.models import scoring
from lolhl.models.bundle import Bundle, load_bundle
from lolhl.results import Scoring
from lolhl.signals import fill_track, measured, stored_track
from lolhl.signals.pictures import PictureSignal
from lolhl.signals.source import FrameSource, TimedPictures, VideoSource, choose_source, stacked, stacked_keys
from lolhl.storage import Root, check_name
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
    decoder: Literal["auto", "cpu", "cuda"] = setting(
        "auto", "where to decode video; auto probes for a GPU", neutral=True
    )


Scores = npt.NDArray[np.float32]
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
    """Makes <place>/<vod>/scores-<digest>.parquet (frame, time in seconds, score as probability) and scores.json.

    Args:
        root: where the data lies.
        model: name of a trained model, or `champion`.
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
    used = load_bundle(root, model)
    model = used.name
    source = choose_source(
        root,
        vod,
        used.view,
        config.source,
        mode=config.mode,
        decoder=config.decoder,
        needed_by=f"model {model}",
    )
    inputs = {**source.inputs, f"models/{model}": used.digest}
    todo, earlier = manifest.plan(root, layout.scoring(vod, place), Scoring, config, inputs, force=force)
    if earlier:
        return earlier

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    used.head.to(device)
    signal = PictureSignal.open(used.encoder, used.view)
    if isinstance(source, FrameSource):
        mode, scores = _from_frames(used, signal, source, device)
    else:
        mode, scores, end = _from_video(used, signal, source, config, key_frames, device)
        if end.problem:
            log.warning("infer %s: what follows cannot be read, and has no scores: %s", vod, end.problem)

    data = _parquet(scores, used)
    result = Scoring(
        vod=vod,
        fps=used.view.fps,
        frames=len(scores),
        source=source.kind,
        frame_set=source.frames.spec.name if isinstance(source, FrameSource) else None,
        mode=mode,
        model=model,
        model_digest=used.digest,
        threshold=used.threshold,
        smooth_seconds=used.smooth_seconds,
        habits=used.habits,
        model_metrics=used.metrics,
    )
    return todo.store(result, {layout.scores(vod, place): data})


def _scores(used: Bundle, values: Iterable[Values], device: torch.device) -> Scores:
    """The calibrated probabilities."""
    return used.calibration.apply(np.concatenate(list(scoring.probabilities(used.head, values, device))))


def _from_frames(
    used: Bundle, signal: PictureSignal, source: FrameSource, device: torch.device
) -> tuple[decode.Mode, Scores]:
    """The mode that the frames allow, and the scores."""
    track = stored_track(signal, source, source.layout)
    taken = Taken(measured(signal, source, source.layout, track, store=used.frozen))
    if source.layout == "grid":
        return "grid", _scores(used, (rows.values for rows in taken), device)
    keys = Rows.join(taken)
    instants = grid.times(len(source.frames), used.view.fps)
    return "scan", _scores(used, spread_batches(keys.times, keys.values, instants), device)


def _from_video(
    used: Bundle,
    signal: PictureSignal,
    video: VideoSource,
    config: InferConfig,
    key_frames: KeyFrames | None,
    device: torch.device,
) -> tuple[decode.Mode, Scores, End]:
    """The mode that is chosen, the scores, and how the video ends. The video is fetched only where it is decoded."""
    whole = None if config.mode == "scan" else stored_track(signal, video, "grid")
    if config.mode == "grid" or (config.mode == "auto" and whole):
        taken = Taken(measured(signal, video, "grid", whole, store=used.frozen))
        scores = _scores(used, (rows.values for rows in taken), device)
        return "grid", scores, taken.end
    scanned = stored_track(signal, video, "scan")
    mode: decode.Mode
    if scanned and config.mode != "auto":  # it was looked at when the scan was made
        mode = config.mode
    else:
        mode = decode.choose_mode(video.path, config.mode, video.decoder("grid", used.view))
    if mode == "grid":
        config = replace(config, mode="grid")
        return _from_video(used, signal, video, config, key_frames, device)
    key_frames = _key_frames(used, signal, video, scanned, key_frames)
    scores = _scan(used, signal, video, key_frames, whole, device, config.closer if mode == "refine" else 0.0)
    return mode, scores, key_frames.end


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
    used: Bundle,
    signal: PictureSignal,
    video: VideoSource,
    keys: KeyFrames,
    whole: Track | None,
    device: torch.device,
    closer: float,
) -> Scores:
    """Scores from key frames.

    With a closer look, also from every picture between those where one of these scores is highest, and
    wherever key frames come too seldom to show what happens.
    """
    instants = grid.times(keys.end.frames, used.view.fps)
    times = keys.rows.times
    scores = _scores(used, spread_batches(times, keys.rows.values, instants), device)
    unseen = _unseen(times, keys.end.seconds, instants)
    if not closer:
        if unseen.any():
            log.warning(
                "infer %s: %.0f %% of it have no key frame within %g s, and so no scores of their own: use --mode grid",
                video.vod,
                100 * unseen.mean(),
                decode.AS_ON_TWITCH,
            )
        return scores
    wanted = _between(times, instants, np.where(unseen, -np.inf, scores), closer) | unseen
    if whole:
        looked = _spread_with(keys.rows, instants, wanted, lambda numbers: (numbers, whole[numbers]))
    else:
        looked = _looked_at(signal, video, keys.rows, instants, wanted, store=used.frozen)
    return _scores(used, looked, device)


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


Numbers = npt.NDArray[np.int64]


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


def _parquet(scores: Scores, used: Bundle) -> bytes:
    count = len(scores)
    table = pl.DataFrame({"frame": np.arange(count), "time": grid.times(count, used.view.fps), "score": scores})
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    return buffer.getvalue()
