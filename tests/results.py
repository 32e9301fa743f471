"""Results as stages leave them, for tests that do without running the stages."""

import json
from dataclasses import replace
from fractions import Fraction
from typing import Any

from lolhl import manifest
from lolhl.config import Config
from lolhl.evaluate.figures import Comparison, EventFigures, FrameFigures, Interval
from lolhl.manifest import Manifest, Output, R
from lolhl.results import Dataset, Dropped, FrameCount, Frames, Model, ModelFigures, Scoring, Vod
from lolhl.storage import Root

VOD = Vod(
    vod="v", source="v.mp4", twitch_id=None, video="vods/v/video.mp4", duration=60, width=320, height=180,
    fps=Fraction(30),
)  # fmt: skip
FRAMES = Frames(
    vod="v", fps=Fraction(3), size=224, fit="squeeze", quality=90, mode="grid", frames=180, pictures=180, gap=1 / 3,
    ended_at=60, truncated=False, problem=None, decoder="cpu",
)  # fmt: skip
SCORING = Scoring(
    vod="v", fps=Fraction(3), frames=180, source="video", mode="grid", model="kills", model_digest="0" * 64,
    threshold=0.5, smooth_seconds=3, model_metrics=None,
)  # fmt: skip
_COUNT = FrameCount(180, 36, 0.2)
DATASET = Dataset(
    fps=Fraction(3), size=224, fit="squeeze", vods=["v"], holdout="chunks", chunk_seconds=30, guard_seconds=10,
    natural=_COUNT, train_before=_COUNT, train=_COUNT, validation=_COUNT, dropped=Dropped(_COUNT, _COUNT), per_vod={},
)  # fmt: skip
_FIGURES = FrameFigures(
    frames=900, positives=126, base_rate=0.14, average_precision=0.712, threshold=0.5, precision=0.7, recall=0.6,
    f1=0.65, average_precision_interval=Interval(0.6, 0.8), f1_interval=Interval(0.5, 0.7), groups=30,
)  # fmt: skip
MODEL_FIGURES = ModelFigures(
    smoothed=Comparison(_FIGURES, _FIGURES, _FIGURES), raw=_FIGURES, events=[EventFigures(0.3, 2, 2, 1)]
)
MODEL = Model(
    kind="image", settings={}, signals={}, backbone=None, view={}, frozen=True, threshold=0.5,
    threshold_chosen="by hand", smooth_seconds=3, dataset_digest="0" * 64, dataset_holdout="chunks",
    metrics=MODEL_FIGURES, best_epoch=0,
    epochs=[], versions={},
)  # fmt: skip


def store(
    root: Root, key: str, result: R, outputs: tuple[Output, ...] = (), inputs: dict[str, str] | None = None, **new: Any
) -> Manifest[R]:
    """Writes a manifest as the stage itself would, its result with other values."""
    todo, _ = manifest.plan(root, key, type(result), Config(), inputs or {}, force=True)
    return todo.finish(replace(result, **new), list(outputs))  # type: ignore[type-var]


def written(root: Root, key: str, data: bytes) -> Output:
    """Writes a file as a stage that goes on to its manifest."""
    root.write(key, data)
    return Output.from_bytes(key, data)


def unsealed(data: bytes) -> bytes:
    """A manifest as lolhl 0.1 wrote it, without the digest of its own content. Other JSON as it is."""
    values = json.loads(data)
    if isinstance(values, dict):
        values.pop("content_digest", None)
    return json.dumps(values).encode()
