"""A root with a video, its scores and perhaps labels: what `report` reads, made by hand."""

import io
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lolhl import grid
from lolhl.labels.habits import Habits
from lolhl.labels.spans import Span
from lolhl.labels.store import save_labels
from lolhl.manifest import Output
from lolhl.results import ModelFigures
from lolhl.storage import Root
from tests.results import SCORING, VOD, store

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
    metrics: ModelFigures | None = None,
    **changes: Any,
) -> None:
    """Writes what download, infer and labels would have left."""
    key = f"vods/{vod}/video{video.suffix}"
    root.write(key, video.read_bytes())
    duration = float(len(scores) / FPS)
    stored = replace(VOD, vod=vod, title="A stream", source=str(video), video=key, duration=duration, height=240)
    store(root, f"vods/{vod}/vod.json", stored, (Output.from_bytes(key, video.read_bytes()),), **changes)
    add_scores(root, vod, scores, threshold=threshold, metrics=metrics)
    if labels is not None:
        save_labels(root, vod, list(labels))


def add_scores(
    root: Root,
    vod: str,
    scores: npt.NDArray[np.float32],
    *,
    threshold: float = 0.5,
    metrics: ModelFigures | None = None,
    habits: Habits | None = None,
) -> None:
    """Writes what infer would have left."""
    buffer = io.BytesIO()
    pl.DataFrame(
        {"frame": np.arange(len(scores)), "time": grid.times(len(scores), FPS), "score": scores}
    ).write_parquet(buffer)
    root.write(f"highlights/{vod}/scores.parquet", buffer.getvalue())
    key = f"highlights/{vod}/scores.parquet"
    scored = replace(SCORING, vod=vod, frames=len(scores), threshold=threshold, habits=habits, model_metrics=metrics)
    store(root, f"highlights/{vod}/scores.json", scored, (Output.from_bytes(key, buffer.getvalue()),))
