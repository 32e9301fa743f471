"""A root with a video, its scores and perhaps labels: what `report` reads, made by hand."""

import io
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lolhl import grid, manifest
from lolhl.config import Config
from lolhl.labels.spans import Span
from lolhl.labels.store import save_labels
from lolhl.manifest import Output
from lolhl.storage import Root

FPS = Fraction(3)


def bumps(seconds: float, peaks: Sequence[tuple[float, float, float]]) -> npt.NDArray[np.float32]:
    """Scores on the grid: a floor of 0.05, and for each (time, height, width) a stretch of that height."""
    times = grid.times(int(seconds * FPS), FPS)
    scores = np.full(len(times), 0.05, dtype=np.float32)
    for time, height, width in peaks:
        scores[np.abs(times - time) <= width / 2] = height
    return scores


def make_root(
    root: Root,
    vod: str,
    video: Path,
    scores: npt.NDArray[np.float32],
    *,
    labels: Sequence[Span] | None = None,
    threshold: float = 0.5,
    metrics: dict[str, Any] | None = None,
    **changes: Any,
) -> None:
    """Writes what download, infer and labels would have left."""
    key = f"vods/{vod}/video{video.suffix}"
    root.write(key, video.read_bytes())
    downloaded: dict[str, Any] = {
        "vod": vod,
        "title": "A stream",
        "source": str(video),
        "twitch_id": None,
        "offset": 0.0,
        "video": key,
        "duration": float(len(scores) / FPS),
        "width": 320,
        "height": 240,
        "fps": "30",
        "chapters": [],
        "chat": None,
    }
    finish(root, f"vods/{vod}/vod.json", "download", {**downloaded, **changes})
    add_scores(root, vod, scores, threshold=threshold, metrics=metrics)
    if labels is not None:
        save_labels(root, vod, list(labels))


def add_scores(
    root: Root,
    vod: str,
    scores: npt.NDArray[np.float32],
    *,
    threshold: float = 0.5,
    metrics: dict[str, Any] | None = None,
) -> None:
    """Writes what infer would have left."""
    buffer = io.BytesIO()
    pl.DataFrame(
        {"frame": np.arange(len(scores)), "time": grid.times(len(scores), FPS), "score": scores}
    ).write_parquet(buffer)
    root.write(f"highlights/{vod}/scores.parquet", buffer.getvalue())
    scored: dict[str, Any] = {
        "vod": vod,
        "fps": str(FPS),
        "frames": len(scores),
        "model": "kills",
        "model_digest": "0" * 64,
        "threshold": threshold,
        "smooth_seconds": 3.0,
        "model_metrics": metrics or {},
    }
    outputs = [Output.of(f"highlights/{vod}/scores.parquet", buffer.getvalue())]
    finish(root, f"highlights/{vod}/scores.json", "infer", scored, outputs)


def finish(
    root: Root,
    key: str,
    stage: str,
    result: dict[str, Any],
    outputs: Sequence[Output] = (),
    inputs: Mapping[str, str] | None = None,
) -> None:
    """Writes a manifest as the stage itself would."""
    todo, _ = manifest.plan(root, key, stage, Config(), inputs or {}, force=True)
    todo.finish(result, list(outputs))
