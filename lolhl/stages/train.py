"""train: a dataset → a model bundle.

The backbone's features are computed once when it is frozen, else the frames are decoded as they are
needed. Under torchrun (`torchx run components/train.py:train -j 1x2 …`) several processes train
together. Killed and run again, training goes on from its last finished epoch, with the same result.
"""

import io
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import lightning
import numpy as np
import numpy.typing as npt
import polars as pl
import sklearn
import torch

import lolhl
from lolhl import manifest, metrics
from lolhl.config import Config, option
from lolhl.data.samples import ClipDataset, FeatureSource, FrameSource, Samples
from lolhl.errors import DatasetError, UsageError
from lolhl.frames.frameset import FrameSet
from lolhl.highlights.intensity import centred_mean
from lolhl.manifest import Manifest
from lolhl.models import bundle, features, ranks, scoring, tracking
from lolhl.models.network import Architecture, Kind, Network
from lolhl.models.training import CheckpointPlace, Epoch, FitSettings, Fitted, fit
from lolhl.storage import Root, check_name

log = logging.getLogger(__name__)

_MOST = {
    "clip_frames": 10_000,
    "clip_stride": 10_000,
    "hidden": 8192,
    "epochs": 10**6,
    "batch": 10**6,
    "patience": 10**6,
}


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Config):
    """What is learnt, and how."""

    dataset: str = option("default", "name of the dataset to learn from")
    kind: Kind = option("video", "image: one frame; video: a clip through an LSTM", choices=("image", "video"))
    backbone: str = option("tf_efficientnet_lite0", "resnet18, resnet34, resnet50, or any name of timm")
    weights: str = option("pretrained", "the backbone's first weights", choices=("pretrained", "none"))
    tune: str = option("head", "learn the head over a frozen backbone, or all", choices=("head", "all"))
    clip_frames: int = option(5, "frames in a clip (video only); the scored one in the middle")
    clip_stride: int = option(3, "grid steps between two frames of a clip")
    hidden: int = option(64, "width of the LSTM")
    dropout: float = option(0.5, "share of features hidden from the head in training, 0 to 1")
    epochs: int = option(20, "passes over the training samples at most")
    batch: int = option(64, "samples in a step, over all processes")
    learning_rate: float = option(5e-4, "of AdamW; 1e-4 suits --tune all")
    weight_decay: float = option(0.01, "of AdamW")
    patience: int = option(5, "epochs without a better validation average precision before stopping early")
    seed: int = option(0, "of first weights, order and dropout")
    smooth_seconds: float = option(5.0, "window over which probabilities are averaged before the threshold")
    register: str = option("lolhl", "name of the model in MLflow's registry")
    alias: str = option("challenger", "alias that the registry points to this model")
    workers: int = option(0, "processes that decode frames, with --tune all", neutral=True)

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            if not 1 <= getattr(self, name) <= most:
                raise UsageError(f"--{name.replace('_', '-')} {getattr(self, name)}: must be 1 or more, at most {most}")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"--dropout {self.dropout}: must be 0 or more and below 1")
        if not 0 < self.learning_rate < 10:
            raise UsageError(f"--learning-rate {self.learning_rate}: must be above 0 and below 10")
        if not 0 <= self.smooth_seconds <= 3600:
            raise UsageError(f"--smooth-seconds {self.smooth_seconds:g}: give 0 to 3600 seconds")
        if not 0 <= self.weight_decay < float("inf"):
            raise UsageError(f"--weight-decay {self.weight_decay:g}: must be 0 or more")
        if not 0 <= self.workers <= 256:
            raise UsageError(f"--workers {self.workers}: must be 0 or more, at most 256")
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"--seed {self.seed}: must be 0 to {2**32 - 1}")
        tracking.check_names(self.register, self.alias)
        if self.weights == "none" and self.tune == "head":
            raise UsageError(
                "--weights none with --tune head learns nothing: add --tune all, or use pretrained weights"
            )

    @property
    def architecture(self) -> Architecture:
        frames, stride = (self.clip_frames, self.clip_stride) if self.kind == "video" else (1, 1)
        return Architecture(self.kind, self.backbone, frames, stride, self.hidden, self.dropout)

    @property
    def fit(self) -> FitSettings:
        return FitSettings(
            self.epochs, self.batch, self.learning_rate, self.weight_decay, self.patience, self.seed, self.workers
        )


def train(root: Root, name: str, config: TrainConfig = TrainConfig(), *, force: bool = False) -> Manifest:
    """Makes models/<name>/ from datasets/<config.dataset>/.

    Args:
        root: where the data lies.
        name: of the model.
        config: see `TrainConfig`.
        force: redo what is done.

    Returns:
        The bundle's manifest, model.json. Its result holds the architecture, what the network must
        be given, the threshold and how it was chosen, the figures on validation, and versions.

    Raises:
        MissingInput: the dataset or its frames do not exist.
        DatasetError: the dataset has no positives, or a guard narrower than the clips.
        UsageError: the backbone is unknown.
    """
    check_name(name, "model")
    source = f"datasets/{check_name(config.dataset, 'dataset')}/dataset.json"
    described = manifest.load(root, source, f"lolhl dataset {config.dataset}", fresh=True)
    inputs = {source: described.content_digest()}
    ours = ranks.join()
    todo, earlier = manifest.plan(root, bundle.manifest_key(name), "train", config, inputs, force=force)
    ours.wait()  # all have looked before the first changes anything
    checkpoint = CheckpointPlace(root, f"models/{name}/unfinished.ckpt", todo.digest)
    if earlier:
        if ours.first:
            root.delete(checkpoint.key)
        return earlier
    if ours.first and force:
        root.delete(checkpoint.key)
    ours.wait()

    samples = _samples(root, config.dataset, described)
    frames = {vod: FrameSet.load(root, vod) for vod in samples["train"].vods}
    _check(config, described, samples, frames)
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    network = Network(config.architecture, pretrained=config.weights == "pretrained")
    _check_size(config, network, frames)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")

    frozen = config.tune == "head"
    known: dict[str, features.Features] = {}
    if frozen:
        network.backbone.requires_grad_(False)
        network.eval().to(device)
        known = _features(network, frames, device, ours)
    learner: torch.nn.Module = network.head if frozen else network
    contents = FeatureSource(known) if frozen else FrameSource(frames)
    sides = {side: ClipDataset(s, _clips(config.architecture, s, frames), contents) for side, s in samples.items()}
    run = tracking.start(root, name, todo.digest, todo.config) if ours.first else None

    def show(number: int, epoch: Epoch) -> None:
        log.info(
            "train %s: epoch %d/%d, loss %.4f, validation loss %.4f, average precision %.4f",
            name, number + 1, config.epochs, epoch.train_loss, epoch.val_loss, epoch.val_ap,
        )  # fmt: skip
        if run:
            run.log(number, {"train_loss": epoch.train_loss, "val_loss": epoch.val_loss, "val_ap": epoch.val_ap})

    learner.train()  # Lightning keeps the mode that it finds
    fitted = fit(learner, sides["train"], sides["validation"], config.fit, checkpoint, ours, show)
    if run:
        learner.load_state_dict(fitted.weights)
        network.eval().to(device)
        judged = _judge(network, samples["validation"], frames, known, config, device)
        todo = todo.begin()
        output = bundle.store_weights(root, name, network)
        result = _describe(network, config, described, frames, fitted, judged)
        _publish(root, run, todo.manifest(result, [output]), judged, config)
        todo.finish(result, [output])
        root.delete(checkpoint.key)
    ours.wait()
    return manifest.load(root, bundle.manifest_key(name), f"lolhl train {name}")


def _samples(root: Root, dataset: str, described: Manifest) -> dict[str, Samples]:
    """The dataset's two sides; both count VODs in the same order."""
    redo = f"lolhl dataset {dataset} {' '.join(described.result['vods'])} --force"
    table = pl.read_parquet(io.BytesIO(described.read(root, f"datasets/{dataset}/samples.parquet", redo)))
    vods = tuple(sorted(table["vod"].unique()))
    place = {vod: number for number, vod in enumerate(vods)}
    sides = {}
    for side in ("train", "validation"):
        rows = table.filter(pl.col("split") == side)
        if not rows.height or not rows["label"].any() or rows["label"].all():
            raise DatasetError(
                f"dataset {dataset}: its {side} side needs frames inside and outside of highlights: label more"
            )
        sides[side] = Samples(
            vods,
            np.array([place[vod] for vod in rows["vod"]], dtype=np.int64),
            rows["frame"].to_numpy(),
            rows["label"].to_numpy(),
            rows["chunk"].to_numpy().astype(str),
        )
    return sides


def _check(
    config: TrainConfig, described: Manifest, samples: Mapping[str, Samples], frames: Mapping[str, FrameSet]
) -> None:
    """Clips must not reach across the guard between the sides, and frames must be those that were labelled."""
    fps = next(iter(frames.values())).view.fps
    reach, guard = float(config.architecture.reach() / fps), float(described.result["guard_seconds"])
    if reach > guard:
        raise DatasetError(
            f"clips reach {reach:g} s but the dataset's sides lie {guard:g} s apart: "
            f"run `lolhl dataset {config.dataset} --context-seconds {reach:g}`, or use shorter clips"
        )
    for side in samples.values():
        for number, vod in enumerate(side.vods):
            if side.frame[side.vod == number].max(initial=0) >= len(frames[vod]):
                raise DatasetError(f"{vod} was extracted again since the dataset was made: run `lolhl dataset` again")


def _check_size(config: TrainConfig, network: Network, frames: Mapping[str, FrameSet]) -> None:
    size = next(iter(frames.values())).view.size
    if network.side not in (None, size):
        raise DatasetError(
            f"--backbone {config.backbone} takes pictures of {network.side} px only, and these frames have {size}: "
            f"run `lolhl extract … --size {network.side}`, or choose another backbone"
        )


def _features(
    network: Network, frames: Mapping[str, FrameSet], device: torch.device, ours: ranks.Ranks
) -> dict[str, features.Features]:
    """Each VOD's features; of several processes the first computes them and the others read what it stored."""
    if not ours.first:
        ours.wait()
    found = {vod: features.of_frames(network, s, device, stored=True) for vod, s in frames.items()}
    if ours.first:
        ours.wait()
    return found


def _clips(architecture: Architecture, side: Samples, frames: Mapping[str, FrameSet]) -> npt.NDArray[np.int64]:
    """Frame numbers of each sample's clip: int64 [n, T]."""
    clips = np.empty((len(side), architecture.clip_frames), dtype=np.int64)
    for number, vod in enumerate(side.vods):
        of_vod = side.vod == number
        clips[of_vod] = scoring.clip_frames(architecture, side.frame[of_vod], len(frames[vod]))
    return clips


@dataclass(frozen=True)
class _Judged:
    """Figures of the model on validation: of raw probabilities, and smoothed as they will be used."""

    threshold: float
    raw: metrics.FrameFigures
    smoothed: metrics.Comparison


def _judge(
    network: Network,
    side: Samples,
    frames: Mapping[str, FrameSet],
    known: Mapping[str, features.Features],
    config: TrainConfig,
    device: torch.device,
) -> _Judged:
    """Chooses the threshold on the validation side and takes the figures there."""
    raw = np.empty(len(side), dtype=np.float32)
    smoothed = np.empty(len(side), dtype=np.float64)
    for number, vod in enumerate(side.vods):
        of_vod = np.flatnonzero(side.vod == number)
        if not len(of_vod):
            continue
        whole = known[vod] if known else features.of_frames(network, frames[vod], device, stored=False)
        raw[of_vod] = scoring.probabilities(network, whole, device)[side.frame[of_vod]]
        # Smoothed within each unbroken stretch, so that no training frame's score flows in.
        breaks = np.flatnonzero(np.diff(side.frame[of_vod]) != 1) + 1
        for stretch in np.split(of_vod, breaks):
            smoothed[stretch] = centred_mean(raw[stretch], frames[vod].view.fps, config.smooth_seconds)
    threshold = metrics.choose_threshold(side.label, smoothed)
    return _Judged(
        threshold,
        metrics.frame_figures(side.label, raw, threshold, side.chunk),
        metrics.compare(side.label, smoothed, threshold, side.chunk),
    )


def _describe(
    network: Network,
    config: TrainConfig,
    described: Manifest,
    frames: Mapping[str, FrameSet],
    fitted: Fitted,
    judged: _Judged,
) -> dict[str, Any]:
    view = next(iter(frames.values())).view
    return {
        "architecture": network.architecture.to_json(),
        "normalisation": network.normalisation,
        "view": {"fps": str(view.fps), "size": view.size, "fit": view.fit},
        "frozen": config.tune == "head",
        "threshold": judged.threshold,
        "threshold_chosen": "best F1 of smoothed probabilities on the validation side",
        "smooth_seconds": config.smooth_seconds,
        "dataset_digest": described.content_digest(),
        "dataset_holdout": described.result["holdout"],
        "metrics": {"smoothed": judged.smoothed.to_json(), "raw": judged.raw.to_json()},
        "best_epoch": fitted.best,
        "epochs": [[e.train_loss, e.val_loss, e.val_ap] for e in fitted.history],
        "versions": {
            "lolhl": lolhl.__version__,
            "torch": torch.__version__,
            "lightning": lightning.__version__,
            "scikit-learn": sklearn.__version__,
        },
    }


def _publish(root: Root, run: tracking.Run, made: Manifest, judged: _Judged, config: TrainConfig) -> None:
    """Hands the bundle to MLflow; before the manifest is written, so that a kill in between repeats it."""
    figures = judged.smoothed.model
    named = {
        "average_precision": figures.average_precision,
        "f1": figures.f1,
        "precision": figures.precision,
        "recall": figures.recall,
        "average_precision_raw": judged.raw.average_precision,
        "average_precision_random": judged.smoothed.random.average_precision,
        "f1_constant": judged.smoothed.constant.f1,
        "threshold": judged.threshold,
    }
    weights = root.local(made.outputs[0].key)
    run.finish(
        {name: value for name, value in named.items() if value is not None},
        {weights.name: weights.read_bytes(), "model.json": made.to_bytes()},
        config.register,
        config.alias,
    )
