"""train: a dataset → a model bundle.

The features of a frozen backbone are computed once. For a backbone that learns too, the frames that samples need are
decoded once. Training gathers its batches from these. Under torchrun (`torchx run components/train.py:train -j 1x2 …`)
several processes train together. After a kill the next run goes on from an epoch that was finished a second or two
before, with the same result. On SIGTERM training finishes its step, saves its state and exits with code 143. The next
run goes on from that step.
"""

import logging
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import lightning
import numpy as np
import numpy.typing as npt
import sklearn
import torch

import lolhl
from lolhl import layout, manifest
from lolhl.config import Config, setting
from lolhl.data import cache, stretches
from lolhl.data.samples import ClipDataset, Clips, Contents, rows, wanted
from lolhl.data.stretches import Samples, SplitVod
from lolhl.errors import Damaged, DatasetError, LolhlError, MissingInput, UsageError
from lolhl.evaluate.calibration import Calibration, calibrate, rebalancing_offset, reliability
from lolhl.evaluate.judge import Judge, Predictions, ScoredVod, judge, raw_figures
from lolhl.frames.frameset import FrameSet
from lolhl.frames.spec import among
from lolhl.labels.habits import Habits, habits
from lolhl.manifest import Manifest
from lolhl.models import bundle, champion, publication, scoring, tracking
from lolhl.models.encoder import Encoder
from lolhl.models.feature_runtime import open_runtime
from lolhl.models.network import Architecture, Classifier, Kind, Network
from lolhl.models.process_group import ProcessGroup, join_process_group
from lolhl.models.publication import Publication
from lolhl.models.training import CheckpointPlace, Epoch, FitSettings, Fitted, batch_of_head, fit, probabilities
from lolhl.results import Dataset, Model, ModelFigures
from lolhl.signals import make_track
from lolhl.signals.pictures import PictureSignal
from lolhl.signals.source import FrameSource
from lolhl.storage import Root, check_name, each
from lolhl.text import first_few

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Config):
    """What is learnt, and how."""

    dataset: str = setting("default", "name of the dataset to learn from")
    kind: Kind = setting("video", "image: one frame; video: a clip through an LSTM")
    backbone: str = setting("tf_efficientnet_lite0", "resnet18, resnet34, resnet50, or any name of timm")
    weights: Literal["pretrained", "none"] = setting("pretrained", "the backbone's first weights")
    tune: Literal["head", "all"] = setting("head", "learn the head over a frozen backbone, or all")
    clip_frames: int = setting(
        5, "frames in a clip (video only); the scored one in the middle", at_least=1, at_most=10_000
    )
    clip_stride: int = setting(3, "grid steps between two frames of a clip", at_least=1, at_most=10_000)
    hidden: int = setting(64, "width of the LSTM and of what it is given", at_least=1, at_most=8192)
    dropout: float = setting(0.5, "share of features hidden from the head in training", at_least=0, below=1)
    epochs: int = setting(
        20,
        "epochs at most: passes over the training samples, or over so many of them as follows",
        at_least=1,
        at_most=10**6,
    )
    epoch_samples: int = setting(
        16384,
        "samples of an epoch at most, others each time; then the model is judged",
        at_least=1,
        at_most=10**9,
    )
    batch: int | None = setting(
        None,
        "samples in a step, over all processes (default: 64; for a head up to 256, the more samples there are)",
        at_least=1,
        at_most=10**6,
    )
    learning_rate: float = setting(5e-4, "of AdamW; 1e-4 suits --tune all", above=0, below=10)
    weight_decay: float = setting(0.01, "of AdamW", at_least=0)
    patience: int = setting(
        5,
        "epochs without a better validation average precision before stopping early",
        at_least=1,
        at_most=10**6,
    )
    augment: bool = setting(True, "with --tune all: shift pictures a little and change their brightness and contrast")
    precision: Literal["auto", "bf16", "float32"] = setting(
        "auto",
        "of products: bf16, float32, or auto: bf16 for --tune all where the GPU or the processor has it",
    )
    compile: Literal["auto", "yes", "no"] = setting(
        "auto",
        "compile the network before training: yes, no, or auto: for --tune all on a GPU with a C compiler beside",
    )
    seed: int = setting(0, "of first weights, order, dropout and changes of pictures", at_least=0, at_most=2**32 - 1)
    smooth_seconds: float | None = setting(
        None,
        "seconds over which probabilities are averaged before the threshold (default: a quarter of the median label)",
        at_least=0,
        at_most=3600,
        unrecorded=5.0,
    )
    register: str = setting("lolhl", "name of the model in MLflow's registry", neutral=True)
    alias: str = setting("challenger", "alias that the registry points to this model", neutral=True)
    cache_gb: float | None = setting(
        None,
        "memory for what is learnt from, on the GPU or off it, in GB: decoded frames beyond go to a file in "
        "$LOLHL_CACHE (default: half of what is free)",
        at_least=0,
        at_most=1e6,
        neutral=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.compile == "yes" and not _has_compiler():
            raise UsageError("--compile yes needs a C compiler: install gcc or clang, or leave it out")
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
        batch = self.batch or (64 if deep else batch_of_head(shown))
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
    process_group = join_process_group()
    todo, earlier = manifest.plan(root, bundle.manifest_key(name), Model, config, inputs, force=force)
    process_group.wait()  # all have looked before the first changes anything
    checkpoint = CheckpointPlace(root, f"models/{name}/unfinished.ckpt", todo.digest)
    if earlier:
        if process_group.first:
            root.delete(checkpoint.key)
            publication.publish(root, name, earlier, config.register, config.alias)
        return earlier
    if process_group.first:
        tracking.check(root)
        if force:
            root.delete(checkpoint.key)
    process_group.wait()

    split_vods = _split_vods(root, config.dataset, described)
    sides = _sides(root, config.dataset, described, split_vods)
    vods = sides["train"].vods
    specs = among(described.inputs)
    frames = dict(zip(vods, each(lambda vod: FrameSet.load(root, vod, specs[vod]), vods), strict=True))
    _check(config, described, sides, frames)
    lightning.seed_everything(config.seed, verbose=False)
    network = Network(config.architecture, pretrained=config.weights == "pretrained")
    _check_size(config, network, frames)
    local = process_group.rank % process_group.local_world
    device = torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")

    frozen = config.tune == "head"
    if frozen:
        network.backbone.requires_grad_(False)
    network.eval().to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    learner: Classifier = network.head if frozen else network
    clips = {
        side: _clips(config.architecture, side_samples, frames, frozen=frozen) for side, side_samples in sides.items()
    }
    needed = wanted([(sides[side], clips[side]) for side in sides])
    parts = _parts(network, frames, needed, device, process_group, frozen=frozen)
    limit = None if config.cache_gb is None else int(config.cache_gb * 1e9)
    held = cache.hold(f"train {name}", parts, cache.Place(device, limit, alone=process_group.local_world == 1))
    contents = Contents(held, device)
    batches = {
        side: ClipDataset(side_samples.label, rows(side_samples, clips[side], needed))
        for side, side_samples in sides.items()
    }
    run = tracking.start(root, name, todo.digest, todo.config) if process_group.first else None

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
    process_group.wait()  # from here on no process is long behind another: see `lolhl.models.process_group`
    settings = config.fit(len(batches["train"]), device)
    fitted = fit(learner, contents, batches["train"], batches["validation"], settings, checkpoint, process_group, show)
    if run:
        learner.load_state_dict(fitted.weights)
        network.eval().to(device)
        raw = probabilities(learner, contents, batches["validation"].rows)
        fps = next(iter(frames.values())).view.fps
        marks = habits((vod.spans, float(vod.end / fps)) for vod in split_vods)
        assert marks  # both sides have highlights
        trained = float(np.mean(sides["train"].label))
        judged = _judge(sides["validation"], raw, fps, config.smooth_seconds, marks, trained, described.result.holdout)
        result = _describe(network, config, described, frames, fitted, judged)
        publication.announce(root, name, Publication(todo.digest, config.register, config.alias))
        made = todo.store(result, {layout.weights(name): bundle.weights_bytes(network)})
        root.delete(checkpoint.key)
        publication.publish(root, name, made, config.register, config.alias)
    process_group.wait()
    return manifest.load(root, bundle.manifest_key(name), Model, f"lolhl train {name}")


def _split_vods(root: Root, dataset: str, described: Manifest[Dataset]) -> list[SplitVod]:
    """The VODs of the dataset, with their labels and the two sides of each."""
    keys, result, redo = stretches.keys(dataset), described.result, _remake(dataset, described)
    if not {*keys} <= {layout.without_digest(output.key) for output in described.outputs}:
        raise MissingInput(f"datasets/{dataset} was made by an earlier lolhl, which stored each frame: run `{redo}`")
    files = [described.read(root, key, redo) for key in keys]
    return stretches.from_files(files, result.vods, result.fps, [f"{root.url}/{key}" for key in keys], redo)


def _sides(
    root: Root, dataset: str, described: Manifest[Dataset], split_vods: Sequence[SplitVod]
) -> dict[str, Samples]:
    """The samples of the dataset's two sides. Both sides count VODs in the same order."""
    result = described.result
    sides = {
        "train": stretches.training_samples(split_vods, result.positives, result.seed),
        "validation": stretches.validation_samples(split_vods),
    }
    for side, samples in sides.items():
        if not samples.label.any() or samples.label.all():
            raise Damaged(
                f"{root.url}/{stretches.keys(dataset)[0]} is wrong (its {side} side lacks frames inside or outside of "
                f"highlights): run `{_remake(dataset, described)}`"
            )
    return sides


def _remake(dataset: str, described: Manifest[Dataset]) -> str:
    return f"lolhl dataset {dataset} {first_few(described.result.vods, ' ')} --force"


def _check(
    config: TrainConfig, described: Manifest[Dataset], sides: Mapping[str, Samples], frames: Mapping[str, FrameSet]
) -> None:
    """Clips must not reach across the guard between the sides, and frames must be those that were labelled."""
    fps = next(iter(frames.values())).view.fps
    guard = described.result.guard_seconds
    # Features between two pictures are made of both: a clip sees as far as the picture beyond its end.
    between = max(
        0.0 if frame_set.is_whole else float(np.diff(frame_set.times).max(initial=0.0)) for frame_set in frames.values()
    )
    reach = float(config.architecture.reach() / fps) + between
    if reach > guard:
        raise DatasetError(
            f"clips reach {reach:g} s but the dataset's sides lie {guard:g} s apart: "
            f"run `lolhl dataset {config.dataset} … --context-seconds {reach:g}`, or use shorter clips"
        )
    for side in sides.values():
        for vod, in_vod in side.by_vod().items():
            if side.frame[in_vod].max(initial=0) >= len(frames[vod]):
                raise DatasetError(
                    f"{vod} was extracted again since the dataset was made: run `lolhl dataset {config.dataset} "
                    f"{' '.join(described.result.vods)} --force`"
                )


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
    process_group: ProcessGroup,
    *,
    frozen: bool,
) -> list[cache.Part]:
    """What is learnt from. A head learns from tracks, which are computed where they are not stored; else pictures.

    Of several processes the first one computes tracks, and the others read what it stored.
    """
    if not frozen:
        return [cache.Part(frame_set.digest, needed[vod], frame_set.pictures) for vod, frame_set in frames.items()]
    if not process_group.first:
        process_group.wait()
    view = next(iter(frames.values())).view
    signal = PictureSignal(open_runtime(Encoder.from_network(network), device), view)
    sources = [FrameSource(frame_set) for frame_set in frames.values()]
    tracks = [make_track(signal, source, source.layout) for source in sources]
    if process_group.first:
        process_group.wait()
    return [cache.Part(track.digest, needed[vod], track.__getitem__) for vod, track in zip(frames, tracks, strict=True)]


def _clips(architecture: Architecture, side: Samples, frames: Mapping[str, FrameSet], *, frozen: bool) -> Clips:
    """Frame numbers of each sample's clip: int64 [n, T]. Where the backbone learns too, the nearest picture to each.

    Every instant has features, but a stream that was scanned has fewer pictures than instants.
    """
    clips = np.empty((len(side), architecture.clip_frames), dtype=np.int64)
    for vod, in_vod in side.by_vod().items():
        numbers = scoring.clip_frames(architecture, side.frame[in_vod], len(frames[vod]))
        clips[in_vod] = numbers if frozen else frames[vod].nearest[numbers]
    return clips


@dataclass(frozen=True)
class _Judged:
    """What the validation side says of a model."""

    threshold: float
    smooth_seconds: float
    calibration: Calibration
    habits: Habits
    figures: ModelFigures


def _judge(
    side: Samples,
    raw: npt.NDArray[np.float32],
    fps: Fraction,
    smooth_seconds: float | None,
    marks: Habits,
    trained: float,
    holdout: Literal["chunks", "vods"],
) -> _Judged:
    """Calibrates on the validation side, chooses the threshold there, and takes the figures.

    Args:
        side: the samples of the validation side.
        raw: float32 [n], the probability of each sample.
        fps: of the grid.
        smooth_seconds: over which probabilities are averaged; None for what suits the labels.
        marks: how highlights are labelled in the whole dataset.
        trained: share of positives among the samples that were learnt from.
        holdout: what the validation side is.
    """
    offset = rebalancing_offset(marks.share, trained)
    smooth_seconds = marks.smooth_seconds if smooth_seconds is None else smooth_seconds

    def scored(scores: npt.NDArray[np.float32]) -> list[ScoredVod]:
        return [
            ScoredVod.from_samples(vod, fps, side.frame[at], scores[at], side.label[at])
            for vod, at in side.by_vod().items()
            if at.start < at.stop
        ]

    ranking = Predictions(0.0, [vod.uncut() for vod in scored(raw)]).ranking
    calibration = calibrate(ranking.labels, ranking.scores, float(fps), offset)
    vods = scored(calibration.apply(raw))
    chosen = Judge.choose(vods, smooth_seconds, marks)
    judgement, threshold = judge(chosen.predict(vods)), chosen.limits.threshold
    figures = ModelFigures(
        smoothed=judgement.frames,
        raw=raw_figures(vods, threshold),
        events=judgement.events,
        holdout=holdout,
        reliability=reliability(ranking.labels, ranking.scores, ranking.groups, float(fps), offset),
    )
    return _Judged(threshold, smooth_seconds, calibration, marks, figures)


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
        smooth_seconds=judged.smooth_seconds,
        calibration=judged.calibration,
        habits=judged.habits,
        dataset_digest=described.content_digest(),
        dataset_holdout=described.result.holdout,
        metrics=judged.figures,
        best_epoch=fitted.best,
        epochs=[(e.train_loss, e.val_loss, e.val_ap) for e in fitted.history],
        versions={
            "lolhl": lolhl.__version__,
            "torch": torch.__version__,
            "lightning": lightning.__version__,
            "scikit-learn": sklearn.__version__,
        },
    )
