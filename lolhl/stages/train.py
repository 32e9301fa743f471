"""train: a dataset → a model bundle.

The features of a frozen backbone are computed once, from frames or, without these, from the video. For a backbone that
learns too, the frames that samples need are decoded once. Training gathers its batches from these.

Under torchrun (`torchx run components/train.py:train -j 1x2 …`) several processes train together. After a kill the next
run goes on from an epoch that was finished a second or two before, with the same result. On SIGTERM training finishes
its step, saves its state and exits with code 143. The next run goes on from that step.
"""

import logging
import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch

import lolhl
from lolhl import grid, layout, manifest
from lolhl.backbones.encoder import Encoder
from lolhl.config import setting
from lolhl.data import cache, stretches
from lolhl.data.samples import Contents
from lolhl.data.stretches import Samples, Side, SplitVod
from lolhl.errors import Damaged, DatasetError, LolhlError, MissingInput, UsageError
from lolhl.evaluate.calibration import Calibration
from lolhl.frames.frameset import FrameSet
from lolhl.labels.habits import Habits, habits
from lolhl.manifest import Manifest
from lolhl.models import bundle, champion, material, publication, tracking
from lolhl.models.joined import JoinedModel, JoinedSettings
from lolhl.models.learning import CheckpointPlace, Epoch, FitSettings, Fitted, LearnConfig
from lolhl.models.material import Lessons
from lolhl.models.model import ClipSettings, ModelSettings, TrackModel
from lolhl.models.network import PICTURES, Network
from lolhl.models.process_group import ProcessGroup, join_process_group
from lolhl.models.publication import Publication
from lolhl.models.registry import MODELS
from lolhl.results import BackboneRecipe, Dataset, Model, ModelFigures, SignalRecipe, Vod
from lolhl.signals import ReadsMore, Signal, open_signal
from lolhl.signals.source import FrameSource, VideoSource
from lolhl.stages.dataset import dataset_command, split_vods_of
from lolhl.stages.methods import BUILT_IN
from lolhl.storage import MANY, Root, each
from lolhl.vod.view import View

_LIBRARIES = ("torch", "lightning", "scikit-learn")  # whose versions a bundle names

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TrainConfig(LearnConfig):
    """What is learnt, and how."""

    dataset: str = setting("default", "name of the dataset to learn from")
    backbone: str = setting("tf_efficientnet_lite0", "resnet18, resnet34, resnet50, or any name of timm")
    weights: Literal["pretrained", "none"] = setting("pretrained", "the backbone's first weights")
    tune: Literal["head", "all"] = setting("head", "learn the head over a frozen backbone, or all")
    augment: bool = setting(True, "with --tune all: shift pictures a little and change their brightness and contrast")
    precision: Literal["auto", "bf16", "float32"] = setting(
        "auto",
        "of products: bf16, float32, or auto: bf16 for --tune all where the GPU or the processor has it",
    )
    compile: Literal["auto", "yes", "no"] = setting(
        "auto",
        "compile the network before training: yes, no, or auto: for --tune all on a GPU with a C compiler beside",
    )
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
        if self.tune == "all" and not (isinstance(self.model, ClipSettings) and self.model.wanted == (PICTURES,)):
            raise UsageError(
                f"--tune all is for clips of pictures, not for --kind {self.kind}: leave it out, or add --kind video"
            )

    def fit(self, samples: int, device: torch.device) -> FitSettings:
        """How to learn from so many samples on this device."""
        deep, gpu = self.tune == "all", device.type == "cuda"
        return self.fit_settings(
            samples,
            windows=not isinstance(self.model, ClipSettings),
            deep=deep,
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
        The bundle's manifest, model.json. Its result holds the kind and its settings, what makes each signal, the
        threshold and how it was chosen, the figures on validation, and versions.

    Raises:
        MissingInput: the dataset or its frames do not exist.
        DatasetError: the dataset has no positives, or a guard narrower than the clips.
        UsageError: the backbone is unknown, or the name is none for a model.
        LolhlError: MLflow does not answer: before the training, or after it, when the model is finished all the
            same. It is not only a warning, because others rely on the registry; the same call publishes the model.
    """
    champion.check_new(root, name)
    if name in BUILT_IN:
        raise UsageError(f"{name!r} is no name for a model: it is a method that `lolhl compare` has: choose another")
    source = layout.dataset(config.dataset)
    described = manifest.load(root, source, Dataset, fresh=True)
    inputs = {source: described.content_digest(), **_read_besides(root, config, described)}
    process_group = join_process_group()
    todo, earlier = manifest.plan(root, layout.model(name), Model, config, inputs, force=force)
    process_group.wait()  # all have looked before the first changes anything
    checkpoint = CheckpointPlace(root, layout.checkpoint(name), todo.digest)
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

    prepared = _prepare(root, name, config, described, process_group)
    from lolhl.models import training  # takes seconds

    run = tracking.start(root, name, todo.digest, todo.config) if process_group.first else None
    prepared.learner.train()  # fit keeps the mode that it finds
    process_group.wait()  # from here on no process is long behind another: see `lolhl.models.process_group`
    lessons, settings = prepared.lessons, config.fit(len(prepared.lessons["train"]), prepared.device)
    fitted = training.fit(
        prepared.learner,
        prepared.contents,
        lessons["train"],
        lessons["validation"],
        settings,
        checkpoint,
        process_group,
        _reporter(name, config.epochs, run),
    )
    if run:
        result = _result(config, described, prepared, fitted)
        publication.announce(root, name, Publication(todo.digest, config.register, config.alias))
        weights = bundle.weights_bytes(prepared.model, prepared.network)
        trained = todo.store(result, {layout.weights(name): weights})
        root.delete(checkpoint.key)
        publication.publish(root, name, trained, config.register, config.alias)
    process_group.wait()
    return manifest.load(root, layout.model(name), Model, f"lolhl train {name}")


def _read_besides(root: Root, config: TrainConfig, described: Manifest[Dataset]) -> dict[str, str]:
    """Key → digest of what the model's signals read besides videos and frames, such as the games of the VODs."""
    view = View(described.result.fps, described.result.size, described.result.fit)

    def encoder() -> Encoder:
        return Encoder.from_network(_network(config, view, torch.device("cpu")))

    def inputs(signal: ReadsMore, vod: str, *, sees: bool) -> Mapping[str, str]:
        if sees:
            return signal.inputs(material.open_sources(root, described.inputs, [vod])[vod])
        stored = manifest.find(root, layout.vod(vod), Vod)
        return signal.inputs(VideoSource(root, stored)) if stored else {}

    signals = [open_signal(name, view, encoder) for name in config.model.wanted if name != PICTURES]
    return {
        key: digest
        for signal in signals
        if isinstance(signal, ReadsMore)
        for read in each(partial(inputs, signal, sees=signal.view is not None), described.result.vods, ahead=MANY)
        for key, digest in read.items()
    }


@dataclass(frozen=True)
class _Prepared:
    """A model that is ready to learn, and what it learns from.

    Attributes:
        vods: those of the dataset.
        sides: their samples.
        view: what frames are like.
        device: where all of it lies.
        network: the backbone, with the model as its head; None for a model that sees no pictures.
        model: what scores are made by.
        learner: what learns: the model alone, or the network with it.
        signals: what the model wants.
        lessons: what is learnt and judged by, of each side.
        contents: the values, or the pictures, that lessons point to.
    """

    vods: Sequence[SplitVod]
    sides: Mapping[Side, Samples]
    view: View
    device: torch.device
    network: Network | None
    model: TrackModel
    learner: Network | TrackModel
    signals: Mapping[str, Signal]
    lessons: Lessons
    contents: Contents


def _prepare(
    root: Root, name: str, config: TrainConfig, described: Manifest[Dataset], process_group: ProcessGroup
) -> _Prepared:
    split_vods = split_vods_of(root, config.dataset, described)
    sides = _sides(split_vods, root, config.dataset, described)
    sources = material.open_sources(root, described.inputs, sides["train"].vods)
    frames = {vod: source.frames for vod, source in sources.items() if isinstance(source, FrameSource)}
    view = View(described.result.fps, described.result.size, described.result.fit)
    _check(config, described, sides, frames)

    torch.manual_seed(config.seed)
    local = process_group.rank % process_group.local_world
    device = torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")
    wanted = config.model.wanted
    network = _network(config, view, device) if PICTURES in wanted else None
    frozen = config.tune == "head"
    frames = {} if frozen else frames
    signals = {signal: material.open_wanted(signal, view, network, device) for signal in wanted}
    tracks = material.make_tracks(signals if frozen else {}, sources, process_group)
    settings = _with_known_signals(name, config.model, tracks)
    signals = {signal: signals[signal] for signal in settings.wanted}
    tracks = {signal: tracks[signal] for signal in signals if frozen}
    widths = {PICTURES: network.width} if network else {}
    widths |= {signal: material.width(signal, tracks[signal]) for signal in signals if signal != PICTURES}
    model = MODELS[config.kind](settings, widths).to(device)
    if network:
        network.head = model

    ends = {vod: material.end_of(source, view.fps, tracks) for vod, source in sources.items()}
    if any(vod.end > ends[vod.vod] for vod in split_vods):
        split_vods = [_until(vod, ends[vod.vod]) for vod in split_vods]
        sides = _sides(split_vods, root, config.dataset, described)
    lessons, instants = material.make_lessons(settings, split_vods, sides, ends, frames)
    limit = None if config.cache_gb is None else int(config.cache_gb * 1e9)
    place = cache.Place(device, limit, alone=process_group.local_world == 1)
    if frozen:
        contents = material.hold_tracks(f"train {name}", model, tracks, instants, place)
    else:
        contents = material.hold_pictures(f"train {name}", frames, instants, place)
    learner = network if network and not frozen else model
    return _Prepared(split_vods, sides, view, device, network, model, learner, signals, lessons, contents)


def _result(config: TrainConfig, described: Manifest[Dataset], prepared: _Prepared, fitted: Fitted) -> Model:
    """What the bundle says of the model with the best weights, which it then has."""
    from lolhl.models import training

    model, learner, validation = prepared.model, prepared.learner, prepared.lessons["validation"]
    learner.load_state_dict(fitted.weights)
    learner.eval().to(prepared.device)
    if isinstance(model, JoinedModel):
        training.weigh(model, prepared.contents, validation)
    raw = training.probabilities(learner, prepared.contents, validation)
    marks, share = _habits(prepared.vods, described.result)
    # Clip models learn from rebalanced samples, the others from whole stretches as they are.
    rebalanced = isinstance(config.model, ClipSettings)
    trained = float(np.mean(prepared.sides["train"].label)) if rebalanced else share
    holdout = described.result.holdout
    side, fps = prepared.sides["validation"], prepared.view.fps
    judged = _judge(side, raw, fps, config.smooth_seconds, marks, trained, holdout)
    return _describe(config, described, prepared, fitted, judged)


def _reporter(name: str, epochs: int, run: tracking.Run | None) -> Callable[[int, Epoch], None]:
    """What tells people and MLflow of each epoch. Training goes on where MLflow no longer answers."""
    follows = run is not None

    def show(number: int, epoch: Epoch) -> None:
        log.info(
            "train %s: epoch %d/%d, loss %.4f, validation loss %.4f, average precision %.4f",
            name, number + 1, epochs, epoch.train_loss, epoch.val_loss, epoch.val_ap,
        )  # fmt: skip
        nonlocal follows
        if run and follows:
            try:
                run.log(number, {"train_loss": epoch.train_loss, "val_loss": epoch.val_loss, "val_ap": epoch.val_ap})
            except LolhlError as error:  # what is missing is logged when the model is published
                follows = False
                log.warning("train %s: %s; training goes on", name, error)

    return show


def _sides(vods: Sequence[SplitVod], root: Root, dataset: str, described: Manifest[Dataset]) -> dict[Side, Samples]:
    """The samples of the dataset's two sides. Both sides count VODs in the same order."""
    result = described.result
    sides: dict[Side, Samples] = {
        "train": stretches.training_samples(vods, result.positives, result.seed),
        "validation": stretches.validation_samples(vods),
    }
    for side, samples in sides.items():
        if not samples.label.any() or samples.label.all():
            key, _ = stretches.keys(dataset)
            raise Damaged(
                f"{root.url}/{key} is wrong (its {side} side lacks frames inside or outside of highlights): "
                f"run `{dataset_command(dataset, described)}`"
            )
    return sides


def _until(vod: SplitVod, end: int) -> SplitVod:
    """What there is of a VOD that ends before its video claims to."""
    if vod.end > end:
        log.warning(
            "VOD %s ends at %s, and not at %s as its video claims: what is labelled after that is not learnt from",
            vod.vod,
            *(grid.format_time(grid.time_of(number, vod.fps)) for number in (end, vod.end)),
        )
    return vod.until(end)


def _check(
    config: TrainConfig,
    described: Manifest[Dataset],
    sides: Mapping[Side, Samples],
    frames: Mapping[str, FrameSet],
) -> None:
    """Clips must not reach across the guard between the sides, and frames must be those that were labelled."""
    fps = described.result.fps
    guard = described.result.guard_seconds
    if config.tune == "all" and (without := [vod for vod in sides["train"].vods if vod not in frames]):
        raise MissingInput(
            f"--tune all learns from pictures, and VOD {without[0]} has no frames: run `lolhl extract {without[0]}`, "
            f"then `{dataset_command(config.dataset, described)}`"
        )
    # Features between two pictures are made of both: a clip sees as far as the picture beyond its end.
    scanned = [frame_set.times for frame_set in frames.values() if not frame_set.is_whole]
    between = max((float(np.diff(times).max(initial=0.0)) for times in scanned), default=0.0)
    # A window ends where its stretch does, so it reaches no further than this.
    reach = between + (float(config.model.context / fps) if isinstance(config.model, ClipSettings) else 0.0)
    if reach > guard:
        raise DatasetError(
            f"clips reach {reach:g} s but the dataset's sides lie {guard:g} s apart: "
            f"run `lolhl dataset {config.dataset} … --context-seconds {reach:g}`, or use shorter clips"
        )
    for side in sides.values():
        for vod, in_vod in side.by_vod().items():
            if vod in frames and side.frame[in_vod].max(initial=0) >= len(frames[vod]):
                raise DatasetError(
                    f"{vod} was extracted again since the dataset was made: run "
                    f"`{dataset_command(config.dataset, described)}`"
                )


def _with_known_signals(name: str, settings: ModelSettings, tracks: Mapping[str, material.VodTracks]) -> ModelSettings:
    """The settings of a joined model without the signals that no VOD of the dataset has.

    A head that has heard nothing would have a say all the same where a VOD has its signal.
    """
    if not isinstance(settings, JoinedSettings):
        return settings
    known = [signal for signal in settings.wanted if material.is_known(tracks[signal])]
    missing = [signal for signal in settings.wanted if signal not in known]
    if not known:
        raise DatasetError(f"no VOD of the dataset has {' or '.join(missing)}: choose other --signals")
    if missing:
        log.info("train %s: no VOD of the dataset has %s: it learns from %s", name, *map(_listed, (missing, known)))
    return settings.listening_to(known)


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names)


def _network(config: TrainConfig, view: View, device: torch.device) -> Network:
    """The network with the backbone, on the device. Raises DatasetError where it takes no pictures of this size."""
    network = Network(config.backbone, pretrained=config.weights == "pretrained")
    if network.side not in (None, view.size):
        raise DatasetError(
            f"--backbone {config.backbone} takes pictures of {network.side} px only, and these frames have "
            f"{view.size}: run `lolhl extract … --size {network.side}`, or choose another backbone"
        )
    if config.tune == "head":
        network.backbone.requires_grad_(False)
    network.eval().to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network


def _habits(vods: Sequence[SplitVod], dataset: Dataset) -> tuple[Habits, float]:
    """How highlights are labelled in the whole dataset, and the share of highlights in the time that was looked at.

    People look first where they expect highlights. So how much of the time is labelled is told by VODs that were looked
    at as wholes, where these have highlights.
    """
    whole = [(vod.spans, float(vod.end / vod.fps)) for vod in vods if not vod.unseen]
    in_part = [(vod.spans, dataset.per_vod[vod.vod].natural.frames / float(vod.fps)) for vod in vods if vod.unseen]
    marks = habits([*whole, *in_part])
    assert marks  # both sides have highlights
    of_whole = habits(whole)
    return (replace(marks, share=of_whole.share) if of_whole else marks), marks.share


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
    holdout: Literal["chunks", "vods", "games"],
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
    from lolhl.evaluate.calibration import calibrate, rebalancing_offset, reliability  # these take seconds
    from lolhl.evaluate.judge import Judge, Predictions, ScoredVod, judge, raw_figures

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
    config: TrainConfig, described: Manifest[Dataset], prepared: _Prepared, fitted: Fitted, judged: _Judged
) -> Model:
    network, view = prepared.network, prepared.view
    backbone = None
    if network:
        mean, std = ((values[0], values[1], values[2]) for values in network.normalisation.values())
        backbone = BackboneRecipe(name=network.name, mean=mean, std=std)
    signals = {
        name: SignalRecipe(
            version=signal.version, settings=bundle.recorded_settings(signal), width=prepared.model.widths[name]
        )
        for name, signal in prepared.signals.items()
    }
    return Model(
        kind=config.kind,
        settings=prepared.model.settings.recorded(),
        signals=signals,
        backbone=backbone,
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
        versions={"lolhl": lolhl.__version__, **{name: version(name) for name in _LIBRARIES}},
    )
