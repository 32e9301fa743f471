"""infer: a model and a VOD → scores, one probability per instant of the grid.

From the frame set if there is one that fits the model, else straight from the video, with no JPEG
in between. A scan looks at key frames only; features between them are interpolated. Refining then
decodes every frame where the scan's scores are highest.
"""

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import torch

from lolhl import grid, manifest, progress
from lolhl.config import Config, option
from lolhl.errors import MissingInput, ModelError, UsageError
from lolhl.frames import frameset
from lolhl.frames.frameset import FrameSet
from lolhl.highlights.intensity import centred_mean
from lolhl.manifest import Manifest, Output
from lolhl.models import features, scoring
from lolhl.models.bundle import Bundle, load_bundle
from lolhl.models.engine import Engine, open_engine
from lolhl.storage import Root, check_name
from lolhl.vod import decode
from lolhl.vod.decode import View


@dataclass(frozen=True, kw_only=True)
class InferConfig(Config):
    """Where the pictures come from."""

    source: str = option(
        "auto",
        "frames: the frame set; video: decode it; auto: frames where there are any",
        choices=("auto", "frames", "video"),
    )
    mode: str = option(
        "auto",
        "grid: every frame; scan: key frames only; refine: a scan, then every frame where its scores are highest; "
        "auto: refine on a CPU, where key frames come often",
        choices=("auto", "scan", "refine", "grid"),
    )
    closer: float = option(0.25, "share of the instants that --mode refine takes a closer look at, above 0 and up to 1")
    decoder: str = option("auto", "where to decode video; auto probes for a GPU", choices=("auto", "cpu", "cuda"))

    def __post_init__(self) -> None:
        if not 0 < self.closer <= 1:
            raise UsageError(f"--closer {self.closer:g}: give a share above 0, and 1 at most")


Scores = npt.NDArray[np.float32]


def scores_key(vod: str, place: str = "highlights") -> str:
    return f"{place}/{vod}/scores.parquet"


def manifest_key(vod: str, place: str = "highlights") -> str:
    return f"{place}/{vod}/scores.json"


@dataclass(frozen=True)
class KeyFrames:
    """What a scan sees: times in seconds, float64 [m], and features, float16 [m, D]."""

    times: npt.NDArray[np.float64]
    features: features.Features


def infer(
    root: Root,
    model: str,
    vod: str,
    config: InferConfig = InferConfig(),
    *,
    force: bool = False,
    seen: KeyFrames | None = None,
    place: str = "highlights",
) -> Manifest:
    """Makes <place>/<vod>/scores.parquet (frame, time in seconds, score as probability).

    Args:
        root: where the data lies.
        model: name of a trained model, or `champion`.
        vod: name of a VOD that was downloaded.
        config: see `InferConfig`.
        force: redo what is done.
        seen: the video's key frames, where they were looked at already, as `look` does.
        place: where the scores go. Reports are made of those in highlights/.

    Returns:
        The scores' manifest. Its result names the model and the threshold that goes with it.

    Raises:
        MissingInput: the model, or the VOD's video or frames, do not exist.
        ModelError: the frames are not those that the model was made for.
    """
    check_name(vod, "VOD")
    used = load_bundle(root, model)
    model = used.name
    frames = _frames(root, vod, config, used)
    if frames:
        inputs = {frameset.manifest_key(vod): frames.digest}
    else:
        downloaded = manifest.load(root, f"vods/{vod}/vod.json", f"lolhl download … --name {vod}")
        inputs = {f"vods/{vod}/vod.json": downloaded.content_digest()}
    inputs[f"models/{model}"] = used.digest
    todo, earlier = manifest.plan(root, manifest_key(vod, place), "infer", config, inputs, force=force)
    if earlier:
        return earlier

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    used.network.to(device)
    engine = open_engine(used.network, device)
    if frames:
        mode = "grid" if frames.is_whole else "scan"
        found = features.stored(engine, frames).batches() if used.frozen else features.of_frames(engine, frames)
        scores = _scores(used, found, device)
    else:
        video = downloaded.local(root, downloaded.result["video"], f"lolhl download … --name {vod} --force")
        decoder = decode.choose_decoder(video, config.decoder, used.view)
        mode = decode.choose_mode(video, config.mode, decoder)
        film = _Video(vod, video, float(downloaded.result["duration"]), decoder)
        if mode == "grid":
            scores = _scores(used, _of_grid(engine, used.view, film), device)
        else:
            seen = look(engine, _keys(used.view, film)) if seen is None else seen
            scores = _scan(engine, used, film, seen, device, config.closer if mode == "refine" else 0.0)

    data = _parquet(scores, used)
    todo = todo.begin()
    root.write(scores_key(vod, place), data)
    result = {
        "vod": vod,
        "fps": str(used.view.fps),
        "frames": len(scores),
        "source": "frames" if frames else "video",
        "mode": mode,
        "model": model,
        "model_digest": used.digest,
        "threshold": used.threshold,
        "smooth_seconds": used.smooth_seconds,
        "model_metrics": used.metrics,
    }
    return todo.finish(result, [Output.of(scores_key(vod, place), data)])


def _frames(root: Root, vod: str, config: InferConfig, used: Bundle) -> FrameSet | None:
    """The VOD's frame set, if it is to be used.

    Raises:
        ModelError: it was asked for, or is the only source, and is not what the model needs.
    """
    source = config.source
    if source == "video" or (source == "auto" and root.stat(frameset.manifest_key(vod)) is None):
        return None
    may_decode = source == "auto" and root.stat(f"vods/{vod}/vod.json") is not None
    try:
        frames = FrameSet.load(root, vod)
    except MissingInput:  # they are older than the video
        if may_decode:
            return None
        raise
    has_all = frames.is_whole or config.mode in ("auto", "scan")
    if frames.view == used.view and has_all:
        return frames
    if may_decode:
        return None
    if not has_all:
        raise ModelError(
            f"{vod} has the key frames only, which do not do for --mode {config.mode}: run "
            f"`lolhl extract {vod} --mode grid`, or use --source video"
        )
    has, needs = frames.view, used.view
    raise ModelError(
        f"model {used.name} needs frames at {needs.fps} fps, {needs.size} px, {needs.fit}, but {vod} has "
        f"{has.fps} fps, {has.size} px, {has.fit}: run `lolhl extract {vod} --fps {needs.fps} --size {needs.size} "
        f"--fit {needs.fit}`, or use --source video"
    )


@dataclass(frozen=True)
class _Video:
    """What is decoded: file, duration in seconds, and where."""

    vod: str
    path: Path
    duration: float
    decoder: decode.Decoder


def _scores(used: Bundle, found: Iterable[features.Features], device: torch.device) -> Scores:
    return np.concatenate(list(scoring.probabilities(used.network, found, device)))


def _of_grid(engine: Engine, view: View, video: _Video) -> Iterator[features.Features]:
    with progress.bar(f"infer {video.vod}", video.duration, "s") as advance:
        for batch in features.of_pictures(engine, decode.decode(video.path, view, decoder=video.decoder)):
            yield batch
            advance(float(len(batch) / view.fps))


def _scan(engine: Engine, used: Bundle, video: _Video, seen: KeyFrames, device: torch.device, closer: float) -> Scores:
    """Scores from key frames; and from every frame of the share of instants for which these are highest."""
    fps = used.view.fps
    times, known = seen.times, seen.features
    instants = grid.times(grid.count_shown(times.tolist(), video.duration, fps), fps)
    scores = _scores(used, features.spread_batches(times, known, instants), device)
    if not closer:
        return scores
    smoothed = centred_mean(scores, fps, used.smooth_seconds)
    highest = smoothed >= np.quantile(smoothed, 1 - closer)
    stretches = _near(highest, used.network.architecture.reach())
    found = _of_stretches(engine, used.view, video, stretches)
    frames = np.concatenate([np.arange(stretch.start, stretch.stop) for stretch in stretches])[: len(found)]
    merged_times = np.concatenate([times, instants[frames]])
    # Where there are both, the frame of the grid counts.
    order = np.unique(merged_times[::-1], return_index=True)[1]
    merged = np.concatenate([known, found])[::-1][order]
    return _scores(used, features.spread_batches(merged_times[::-1][order], merged, instants), device)


def _near(wanted: npt.NDArray[np.bool_], reach: int) -> list[range]:
    """The stretches of instants that are at most `reach` away from a wanted one."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wanted, [False]]).astype(np.int8)))
    stretches: list[range] = []
    for start, stop in edges.reshape(-1, 2):
        near = range(max(0, int(start) - reach), min(len(wanted), int(stop) + reach))
        if stretches and near.start <= stretches[-1].stop:
            near = range(stretches.pop().start, near.stop)
        stretches.append(near)
    return stretches


def look(engine: Engine, keys: Iterable[tuple[float, decode.Picture]]) -> KeyFrames:
    """Times and features of key frames, as `decode.scan` yields them."""
    times: list[float] = []

    def pictures() -> Iterator[decode.Picture]:
        for time, picture in keys:
            times.append(time)
            yield picture

    found = np.concatenate(list(features.of_pictures(engine, pictures())))
    return KeyFrames(np.array(times), found)


def _keys(view: View, video: _Video) -> Iterator[tuple[float, decode.Picture]]:
    last = 0.0
    with progress.bar(f"scan {video.vod}", video.duration, "s") as advance:
        for time, picture in decode.scan(video.path, view):
            advance(time - last)
            last = time
            yield time, picture


def _of_stretches(engine: Engine, view: View, video: _Video, stretches: list[range]) -> features.Features:
    found = []
    with progress.bar(f"refine {video.vod}", sum(map(len, stretches)), "frames") as advance:
        pictures = decode.decode_stretches(video.path, view, stretches, decoder=video.decoder)
        for batch in features.of_pictures(engine, pictures):
            found.append(batch)
            advance(len(batch))
    return np.concatenate(found)


def _parquet(scores: Scores, used: Bundle) -> bytes:
    count = len(scores)
    table = pl.DataFrame({"frame": np.arange(count), "time": grid.times(count, used.view.fps), "score": scores})
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    return buffer.getvalue()
