"""train: a dataset → a model bundle.

The backbone's features are computed once when it is frozen, else the frames that samples need are
decoded once; training gathers its batches from there. Under torchrun
(`torchx run components/train.py:train -j 1x2 …`) several processes train together. Killed and run
again, training goes on from an epoch finished a second or two before, with the same result. On SIGTERM it
finishes its step, saves, and leaves with code 143: run again, it goes on from that step.
"""

import logging
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import lightning
import numpy as np
import numpy.typing as npt
import sklearn
import torch

import lolhl
from lolhl import manifest, metrics
from lolhl.config import Config, option
from lolhl.data import cache
from lolhl.data.samples import ClipDataset, Clips, Contents, Samples, read_sides, rows, wanted
from lolhl.errors import DatasetError, LolhlError, UsageError
from lolhl.figures import Comparison, EventFigures, FrameFigures
from lolhl.frames.frameset import FrameSet
from lolhl.frames.spec import among
from lolhl.highlights.cut import Limits, find
from lolhl.highlights.intensity import centred_mean
from lolhl.labels.spans import Span
from lolhl.manifest import Manifest
from lolhl.models import bundle, champion, features, publication, ranks, scoring, tracking
from lolhl.models.encoder import Encoder
from lolhl.models.engine import open_engine
from lolhl.models.network import Architecture, Classifier, Kind, Network
from lolhl.models.publication import Publication
from lolhl.models.training import CheckpointPlace, Epoch, FitSettings, Fitted, fit, probabilities
from lolhl.results import Dataset, Model, ModelFigures
from lolhl.storage import Root, check_name, each

log = logging.getLogger(__name__)

_MOST = {
    "clip_frames": 10_000,
    "clip_stride": 10_000,
    "hidden": 8192,
    "epochs": 10**6,
    "epoch_samples": 10**9,
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
    hidden: int = option(64, "width of the LSTM and of what it is given")
    dropout: float = option(0.5, "share of features hidden from the head in training, 0 to 1")
    epochs: int = option(20, "epochs at most: passes over the training samples, or over so many of them as follows")
    epoch_samples: int = option(16384, "samples of an epoch at most, others each time; then the model is judged")
    batch: int | None = option(
        None, "samples in a step, over all processes (default: 64; for a head up to 256, the more samples there are)"
    )
    learning_rate: float = option(5e-4, "of AdamW; 1e-4 suits --tune all")
    weight_decay: float = option(0.01, "of AdamW")
    patience: int = option(5, "epochs without a better validation average precision before stopping early")
    augment: bool = option(True, "with --tune all: shift pictures a little and change their brightness and contrast")
    precision: str = option(
        "auto",
        "of products: bf16, float32, or auto: bf16 for --tune all where the GPU or the processor has it",
        choices=("auto", "bf16", "float32"),
    )
    compile: str = option(
        "auto",
        "compile the network before training: yes, no, or auto: for --tune all on a GPU with a C compiler beside",
        choices=("auto", "yes", "no"),
    )
    seed: int = option(0, "of first weights, order, dropout and changes of pictures")
    smooth_seconds: float = option(5.0, "window over which probabilities are averaged before the threshold")
    register: str = option("lolhl", "name of the model in MLflow's registry")
    alias: str = option("challenger", "alias that the registry points to this model")
    cache_gb: float | None = option(
        None,
        "memory for what is learnt from, on the GPU or off it, in GB: decoded frames beyond go to a file in "
        "$LOLHL_CACHE (default: half of what is free)",
        neutral=True,
    )

    def __post_init__(self) -> None:
        for name, most in _MOST.items():
            value = getattr(self, name)
            if value is not None and not 1 <= value <= most:
                raise UsageError(f"--{name.replace('_', '-')} {value}: must be 1 or more, at most {most}")
        if not 0 <= self.dropout < 1:
            raise UsageError(f"--dropout {self.dropout}: must be 0 or more and below 1")
        if not 0 < self.learning_rate < 10:
            raise UsageError(f"--learning-rate {self.learning_rate}: must be above 0 and below 10")
        if not 0 <= self.smooth_seconds <= 3600:
            raise UsageError(f"--smooth-seconds {self.smooth_seconds:g}: give 0 to 3600 seconds")
        if not 0 <= self.weight_decay < float("inf"):
            raise UsageError(f"--weight-decay {self.weight_decay:g}: must be 0 or more")
        if self.cache_gb is not None and not 0 <= self.cache_gb <= 1e6:
            raise UsageError(f"--cache-gb {self.cache_gb:g}: must be 0 or more, at most 1000000")
        if self.compile == "yes" and not _has_compiler():
            raise UsageError("--compile yes needs a C compiler: install gcc or clang, or leave it out")
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

    def fit(self, samples: int, device: torch.device) -> FitSettings:
        """How to learn from so many samples on this device."""
        deep, gpu, shown = self.tune == "all", device.type == "cuda", min(samples, self.epoch_samples)
        # Steps stay many, and each large enough that what surrounds it costs little.
        batch = self.batch or (64 if deep else min(256, max(64, 2 ** ((shown // 64).bit_length() - 1))))
        return FitSettings(
            epochs=self.epochs,
            epoch_samples=self.epoch_samples,
            batch=batch,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            patience=self.patience,
            seed=self.seed,
            augment=deep and self.augment,
            bf16=self.precision == "bf16" or (self.precision == "auto" and deep and _has_bf16(device)),
            compiled=self.compile == "yes" or (self.compile == "auto" and deep and gpu and _has_compiler()),
        )


def _has_bf16(device: torch.device) -> bool:
    """Whether the device itself computes in bfloat16: training is then about twice as fast, else slower."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    with suppress(OSError):  # Linux on x86 only
        return bool({"avx512_bf16", "amx_bf16"} & set(Path("/proc/cpuinfo").read_text().split()))
    return False


def _has_compiler() -> bool:
    return any(shutil.which(name) for name in (os.environ.get("CC", "gcc"), "gcc", "clang"))


def train(root: Root, name: str, config: TrainConfig = TrainConfig(), *, force: bool = False) -> Manifest[Model]:
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
        LolhlError: MLflow does not answer: before the training, or after it, when the model is finished all the
            same. It is not only a warning, because others rely on the registry; the same call publishes the model.
    """
    champion.check_new(root, name)
    source = f"datasets/{check_name(config.dataset, 'dataset')}/dataset.json"
    described = manifest.load(root, source, Dataset, f"lolhl dataset {config.dataset} …", fresh=True)
    inputs = {source: described.content_digest()}
    ours = ranks.join()
    todo, earlier = _plan(root, name, config, inputs, force=force)
    ours.wait()  # all have looked before the first changes anything
    checkpoint = CheckpointPlace(root, f"models/{name}/unfinished.ckpt", todo.digest)
    if earlier:
        if ours.first:
            root.delete(checkpoint.key)
            publication.publish(root, name, earlier, config.register, config.alias)
        return earlier
    if ours.first:
        tracking.check(root)
        if force:
            root.delete(checkpoint.key)
    ours.wait()

    samples = _samples(root, config.dataset, described)
    vods = samples["train"].vods
    specs = among(described.inputs)
    frames = dict(zip(vods, each(lambda vod: FrameSet.load(root, vod, specs[vod]), vods), strict=True))
    _check(config, described, samples, frames)
    lightning.seed_everything(config.seed, verbose=False)
    network = Network(config.architecture, pretrained=config.weights == "pretrained")
    _check_size(config, network, frames)
    local = ours.rank % ours.local_world
    device = torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")

    frozen = config.tune == "head"
    if frozen:
        network.backbone.requires_grad_(False)
    network.eval().to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learner: Classifier = network.head if frozen else network
    sides = {side: (of, _clips(config.architecture, of, frames, frozen=frozen)) for side, of in samples.items()}
    needed = wanted(list(sides.values()))
    parts = _parts(network, frames, needed, device, ours, frozen=frozen)
    limit = None if config.cache_gb is None else int(config.cache_gb * 1e9)
    held = cache.hold(f"train {name}", parts, cache.Place(device, limit, alone=ours.local_world == 1))
    contents = Contents(held, device)
    batches = {side: ClipDataset(of.label, rows(of, clips, needed)) for side, (of, clips) in sides.items()}
    run = tracking.start(root, name, todo.digest, todo.config) if ours.first else None

    follows = True  # whether MLflow answers

    def show(number: int, epoch: Epoch) -> None:
        log.info(
            "train %s: epoch %d/%d, loss %.4f, validation loss %.4f, average precision %.4f",
            name, number + 1, config.epochs, epoch.train_loss, epoch.val_loss, epoch.val_ap,
        )  # fmt: skip
        nonlocal follows
        if run and follows:
            try:
                run.log(number, {"train_loss": epoch.train_loss, "val_loss": epoch.val_loss, "val_ap": epoch.val_ap})
            except LolhlError as error:  # what is missing is logged when the model is published
                follows = False
                log.warning("train %s: %s; training goes on", name, error)

    learner.train()  # Lightning keeps the mode that it finds
    ours.wait()  # from here on no process is long behind another: see `ranks.join`
    settings = config.fit(len(batches["train"]), device)
    fitted = fit(learner, contents, batches["train"], batches["validation"], settings, checkpoint, ours, show)
    if run:
        learner.load_state_dict(fitted.weights)
        network.eval().to(device)
        raw = probabilities(learner, contents, batches["validation"].rows)
        judged = _judge(samples["validation"], raw, frames, config)
        with todo.begin() as begun:
            output = bundle.store_weights(root, name, network)
            result = _describe(network, config, described, frames, fitted, judged)
            publication.announce(root, name, Publication(todo.digest, config.register, config.alias))
            made = begun.finish(result, [output])
        root.delete(checkpoint.key)
        publication.publish(root, name, made, config.register, config.alias)
    ours.wait()
    return manifest.load(root, bundle.manifest_key(name), Model, f"lolhl train {name}")


def _plan(
    root: Root, name: str, config: TrainConfig, inputs: Mapping[str, str], *, force: bool
) -> tuple[manifest.Plan[Model], Manifest[Model] | None]:
    """As `manifest.plan`. What the model is called in the registry changes nothing that is learnt."""
    key = bundle.manifest_key(name)
    made = None if force else manifest.find(root, key, Model)
    if made:
        with suppress(UsageError, KeyError, TypeError):  # what is recorded may be no name
            as_before = replace(config, register=made.config["register"], alias=made.config["alias"])
            todo, earlier = manifest.plan(root, key, Model, as_before, inputs)
            if earlier:
                return todo, earlier
    return manifest.plan(root, key, Model, config, inputs, force=force)


def _samples(root: Root, dataset: str, described: Manifest[Dataset]) -> dict[str, Samples]:
    """The dataset's two sides; both count VODs in the same order."""
    key, vods = f"datasets/{dataset}/samples.parquet", described.result.vods
    redo = f"lolhl dataset {dataset} {' '.join(vods)} --force"
    sides = read_sides(described.read(root, key, redo), vods, f"{root.url}/{key}", redo)
    for side, samples in sides.items():
        if not samples.label.any() or samples.label.all():
            raise DatasetError(
                f"dataset {dataset}: its {side} side needs frames inside and outside of highlights: label more"
            )
    return sides


def _check(
    config: TrainConfig, described: Manifest[Dataset], samples: Mapping[str, Samples], frames: Mapping[str, FrameSet]
) -> None:
    """Clips must not reach across the guard between the sides, and frames must be those that were labelled."""
    fps = next(iter(frames.values())).view.fps
    guard = described.result.guard_seconds
    # Features between two pictures are made of both: a clip sees as far as the picture beyond its end.
    between = max(0.0 if of.is_whole else float(np.diff(of.times).max(initial=0.0)) for of in frames.values())
    reach = float(config.architecture.reach() / fps) + between
    if reach > guard:
        raise DatasetError(
            f"clips reach {reach:g} s but the dataset's sides lie {guard:g} s apart: "
            f"run `lolhl dataset {config.dataset} … --context-seconds {reach:g}`, or use shorter clips"
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


def _parts(
    network: Network,
    frames: Mapping[str, FrameSet],
    needed: Mapping[str, npt.NDArray[np.int64]],
    device: torch.device,
    ours: ranks.Ranks,
    *,
    frozen: bool,
) -> list[cache.Part]:
    """What is learnt from: features under a head, which are computed where they are not stored, else pictures.

    Of several processes the first computes features, and the others read what it stored.
    """
    if not frozen:
        return [cache.Part(of.digest, needed[vod], of.pictures) for vod, of in frames.items()]
    if not ours.first:
        ours.wait()
    engine = open_engine(Encoder.of(network), device)
    known = {vod: features.stored(engine, of) for vod, of in frames.items()}
    if ours.first:
        ours.wait()
    return [cache.Part(f"{of.digest} {engine.key}", needed[vod], known[vod].__getitem__) for vod, of in frames.items()]


def _clips(architecture: Architecture, side: Samples, frames: Mapping[str, FrameSet], *, frozen: bool) -> Clips:
    """Frame numbers of each sample's clip, int64 [n, T]; the nearest picture to each where the backbone learns too.

    There are features of every instant, but of a stream that was scanned not as many pictures.
    """
    clips = np.empty((len(side), architecture.clip_frames), dtype=np.int64)
    for number, vod in enumerate(side.vods):
        of_vod = side.vod == number
        numbers = scoring.clip_frames(architecture, side.frame[of_vod], len(frames[vod]))
        clips[of_vod] = numbers if frozen else frames[vod].nearest[numbers]
    return clips


@dataclass(frozen=True)
class _Judged:
    """Figures of the model on validation: of raw probabilities, smoothed as they will be used, and cut to spans."""

    threshold: float
    raw: FrameFigures
    smoothed: Comparison
    events: list[EventFigures]


def _judge(side: Samples, raw: npt.NDArray[np.float32], frames: Mapping[str, FrameSet], config: TrainConfig) -> _Judged:
    """Chooses the threshold on the validation side and takes the figures there.

    Smoothed, cut and matched within each unbroken stretch, so that nothing of a training frame flows in.
    """
    fps = next(iter(frames.values())).view.fps
    breaks = np.flatnonzero((np.diff(side.frame) != 1) | (np.diff(side.vod) != 0)) + 1
    stretches = [slice(*ends) for ends in pairwise([0, *breaks.tolist(), len(side)])]
    smoothed = np.concatenate([centred_mean(raw[of], fps, config.smooth_seconds) for of in stretches])
    threshold = metrics.choose_threshold(side.label, smoothed)
    limits = Limits(threshold=threshold)
    labelled, predicted = {}, {}
    for of in stretches:
        duration = float((of.stop - of.start) / fps)
        predicted[str(of)] = [highlight.span for highlight in find(smoothed[of], fps, duration, limits)]
        labelled[str(of)] = _spans(side.label[of], fps)
    return _Judged(
        threshold,
        metrics.frame_figures(side.label, raw, threshold, side.chunk),
        metrics.compare(side.label, smoothed, threshold, side.chunk),
        [metrics.event_figures(labelled, predicted, tiou) for tiou in metrics.TIOUS],
    )


def _spans(labels: npt.NDArray[np.bool_], fps: Fraction) -> list[Span]:
    """The events among the frames of a stretch, as exact as the grid."""
    edges = np.flatnonzero(np.diff(np.pad(labels.astype(np.int8), 1))).reshape(-1, 2)
    return [Span(float(first / fps), float(stop / fps)) for first, stop in edges.tolist()]


def _describe(
    network: Network,
    config: TrainConfig,
    described: Manifest[Dataset],
    frames: Mapping[str, FrameSet],
    fitted: Fitted,
    judged: _Judged,
) -> Model:
    view = next(iter(frames.values())).view
    return Model(
        architecture=network.architecture.to_json(),
        normalisation=network.normalisation,
        view={"fps": str(view.fps), "size": view.size, "fit": view.fit},
        frozen=config.tune == "head",
        threshold=judged.threshold,
        threshold_chosen="best F1 of smoothed probabilities on the validation side",
        smooth_seconds=config.smooth_seconds,
        dataset_digest=described.content_digest(),
        dataset_holdout=described.result.holdout,
        metrics=ModelFigures(smoothed=judged.smoothed, raw=judged.raw, events=judged.events),
        best_epoch=fitted.best,
        epochs=[(e.train_loss, e.val_loss, e.val_ap) for e in fitted.history],
        versions={
            "lolhl": lolhl.__version__,
            "torch": torch.__version__,
            "lightning": lightning.__version__,
            "scikit-learn": sklearn.__version__,
        },
    )
