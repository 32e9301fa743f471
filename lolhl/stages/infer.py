"""infer: a model and a VOD → scores, one probability per instant of the grid.

From the frame set if there is one that fits the model, else straight from the video, with no JPEG
in between.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch

from lolhl import grid, manifest, progress
from lolhl.config import Config, option
from lolhl.errors import MissingInput, ModelError
from lolhl.frames import frameset
from lolhl.frames.frameset import FrameSet
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
    decoder: str = option("auto", "where to decode video; auto probes for a GPU", choices=("auto", "cpu", "cuda"))


def scores_key(vod: str) -> str:
    return f"highlights/{vod}/scores.parquet"


def manifest_key(vod: str) -> str:
    return f"highlights/{vod}/scores.json"


def infer(root: Root, model: str, vod: str, config: InferConfig = InferConfig(), *, force: bool = False) -> Manifest:
    """Makes highlights/<vod>/scores.parquet (frame, time in seconds, score as probability).

    Args:
        root: where the data lies.
        model: name of a trained model.
        vod: name of a VOD that was downloaded.
        config: see `InferConfig`.
        force: redo what is done.

    Returns:
        The scores' manifest. Its result names the model and the threshold that goes with it.

    Raises:
        MissingInput: the model, or the VOD's video or frames, do not exist.
        ModelError: the frames are not those that the model was made for.
    """
    check_name(vod, "VOD")
    used = load_bundle(root, model)
    frames = _frames(root, vod, config.source, used)
    if frames:
        inputs = {frameset.manifest_key(vod): frames.digest}
    else:
        downloaded = manifest.load(root, f"vods/{vod}/vod.json", f"lolhl download … --name {vod}")
        inputs = {f"vods/{vod}/vod.json": downloaded.content_digest()}
    inputs[f"models/{model}"] = used.digest
    todo, earlier = manifest.plan(root, manifest_key(vod), "infer", config, inputs, force=force)
    if earlier:
        return earlier

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    used.network.to(device)
    engine = open_engine(used.network, device)
    if frames:
        found = features.stored(engine, frames).batches() if used.frozen else features.of_frames(engine, frames)
    else:
        video = downloaded.local(root, downloaded.result["video"], f"lolhl download … --name {vod} --force")
        found = _features_of_video(engine, used.view, video, config.decoder, float(downloaded.result["duration"]))
    scores = np.concatenate(list(scoring.probabilities(used.network, found, device)))

    data = _parquet(scores, used)
    todo = todo.begin()
    root.write(scores_key(vod), data)
    result = {
        "vod": vod,
        "fps": str(used.view.fps),
        "frames": len(scores),
        "source": "frames" if frames else "video",
        "model": model,
        "model_digest": used.digest,
        "threshold": used.threshold,
        "smooth_seconds": used.smooth_seconds,
        "model_metrics": used.metrics,
    }
    return todo.finish(result, [Output.of(scores_key(vod), data)])


def _frames(root: Root, vod: str, source: str, used: Bundle) -> FrameSet | None:
    """The VOD's frame set, if it is to be used.

    Raises:
        ModelError: it was asked for, or is the only source, and is not what the model needs.
    """
    if source == "video" or (source == "auto" and root.stat(frameset.manifest_key(vod)) is None):
        return None
    may_decode = source == "auto" and root.stat(f"vods/{vod}/vod.json") is not None
    try:
        frames = FrameSet.load(root, vod)
    except MissingInput:  # they are older than the video
        if may_decode:
            return None
        raise
    if frames.view == used.view:
        return frames
    if may_decode:
        return None
    has, needs = frames.view, used.view
    raise ModelError(
        f"model {used.name} needs frames at {needs.fps} fps, {needs.size} px, {needs.fit}, but {vod} has "
        f"{has.fps} fps, {has.size} px, {has.fit}: run `lolhl extract {vod} --fps {needs.fps} --size {needs.size} "
        f"--fit {needs.fit}`, or use --source video"
    )


def _features_of_video(
    engine: Engine, view: View, video: Path, wanted: str, duration: float
) -> Iterator[features.Features]:
    decoder = decode.choose_decoder(video, wanted, view)
    with progress.bar(f"infer {video.parent.name}", duration, "s") as advance:
        for batch in features.of_pictures(engine, decode.decode(video, view, decoder=decoder)):
            yield batch
            advance(float(len(batch) / view.fps))


def _parquet(scores: np.ndarray[tuple[int], np.dtype[np.float32]], used: Bundle) -> bytes:
    count = len(scores)
    table = pl.DataFrame({"frame": np.arange(count), "time": grid.times(count, used.view.fps), "score": scores})
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    return buffer.getvalue()
