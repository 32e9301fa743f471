"""What `train` does before the first step: a model that is ready to learn, and what it learns from, in memory."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from lolhl import grid
from lolhl.data import cache, stretches
from lolhl.data.samples import Contents
from lolhl.data.stretches import Samples, Side, SplitVod
from lolhl.errors import Damaged, DatasetError, MissingInput
from lolhl.frames.frameset import FrameSet
from lolhl.manifest import Manifest
from lolhl.models import material
from lolhl.models.joined import JoinedSettings
from lolhl.models.material import Lessons
from lolhl.models.model import ClipSettings, ModelSettings, TrackModel
from lolhl.models.network import PICTURES, Network
from lolhl.models.process_group import ProcessGroup
from lolhl.models.registry import MODELS
from lolhl.results import Dataset
from lolhl.signals import Signal
from lolhl.signals.source import FrameSource
from lolhl.stages.dataset import dataset_command, split_vods_of
from lolhl.stages.train_settings import TrainConfig
from lolhl.storage import Root
from lolhl.vod.view import View

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
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


def prepare(
    root: Root, name: str, config: TrainConfig, described: Manifest[Dataset], process_group: ProcessGroup
) -> Prepared:
    """Makes the model, and holds what it learns from. Tracks that are not stored are measured.

    Args:
        root: where the data lies.
        name: of the model, for messages.
        config: see `TrainConfig`.
        described: the dataset.
        process_group: the processes that learn together. The first one measures tracks, and the others wait for it.

    Raises:
        MissingInput: the dataset's files, its frames or its videos are gone.
        DatasetError: clips reach further than the sides lie apart, frames were made anew, no VOD has a signal, or the
            backbone takes pictures of another size.
    """
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
    network = open_network(config, view, device) if PICTURES in wanted else None
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
    return Prepared(split_vods, sides, view, device, network, model, learner, signals, lessons, contents)


def open_network(config: TrainConfig, view: View, device: torch.device) -> Network:
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
