"""Learns and scores on plain arrays, without a root, files or video.

`train` and `infer` do the same with the tracks of a root. They use the same heads, the same split and the same loop.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import torch

from lolhl.data import split
from lolhl.data.balance import rebalanced
from lolhl.data.samples import ClipDataset, Contents
from lolhl.errors import DatasetError, UsageError
from lolhl.models import scoring, training
from lolhl.models.network import Architecture, Head, Kind
from lolhl.models.process_group import ProcessGroup
from lolhl.models.training import Epoch, FitSettings

Values = npt.NDArray[np.floating]  # float [T, D]
Labels = npt.NDArray[np.bool_]  # bool [T]
Probabilities = npt.NDArray[np.float32]  # float32 [T]

_BATCH = 512  # instants that are scored at once
_CHUNK = 30.0  # seconds
_LEAST_GUARD = 10.0  # seconds
_VODS_ENOUGH = 5  # VODs from which on whole ones are held out


@dataclass(frozen=True, kw_only=True)
class HeadSettings:
    """The head that learns, and how it learns. `lolhl train --help` explains each setting.

    Attributes:
        fps: instants of the grid in a second.
        validation: share of the time that is not learnt from. The best epoch is chosen by it.
        positives: share of positive instants in training. Negatives are left out to reach it.
    """

    fps: Fraction = Fraction(3)
    kind: Kind = "video"
    clip_frames: int = 5
    clip_stride: int = 3
    hidden: int = 64
    dropout: float = 0.5
    epochs: int = 20
    epoch_samples: int = 16384
    batch: int | None = None
    learning_rate: float = 5e-4
    weight_decay: float = 0.01
    patience: int = 5
    validation: float = 0.15
    positives: float = 0.30
    seed: int = 0

    @property
    def architecture(self) -> Architecture:
        frames, stride = (self.clip_frames, self.clip_stride) if self.kind == "video" else (1, 1)
        return Architecture(self.kind, "", frames, stride, self.hidden, self.dropout)


@dataclass(frozen=True)
class HeadModel:
    """A head that has learnt.

    Attributes:
        head: in evaluation mode, on the CPU.
        width: D, of the values that it takes.
        epochs: figures of each epoch, on the validation side.
        best: the epoch whose weights it has.
    """

    head: Head
    width: int
    epochs: list[Epoch]
    best: int


def fit(tracks: Sequence[Values], labels: Sequence[Labels], settings: HeadSettings = HeadSettings()) -> HeadModel:
    """Learns from tracks and labels which instants lie in highlights. The same call gives the same model.

    Args:
        tracks: one a VOD: float [T, D] (float16 or float32), D the same for all.
        labels: of the same instants: bool [T].
        settings: see `HeadSettings`.

    Raises:
        UsageError: the arrays do not fit together.
        DatasetError: a side of the split has no positives, or nothing else.
        ModelError: the values, or the loss on the way, are no numbers.
    """
    width = _check(tracks, labels)
    sides = _sides(labels, settings)
    architecture = settings.architecture
    firsts = np.cumsum([0, *map(len, tracks)])[:-1]
    datasets = {}
    for side, chosen in sides.items():
        rows = [
            first + scoring.clip_frames(architecture, instants, len(track))
            for first, instants, track in zip(firsts, chosen, tracks, strict=True)
        ]
        truth = np.concatenate([label[instants] for label, instants in zip(labels, chosen, strict=True)])
        if not truth.any() or truth.all():
            raise DatasetError(f"the {side} side needs instants inside and outside of highlights: label more")
        datasets[side] = ClipDataset(truth, np.concatenate(rows))
    shown = min(len(datasets["train"]), settings.epoch_samples)
    fit_settings = FitSettings(
        epochs=settings.epochs,
        epoch_samples=settings.epoch_samples,
        batch=settings.batch or training.batch_of_head(shown),
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        patience=settings.patience,
        seed=settings.seed,
    )
    contents = Contents(torch.from_numpy(np.concatenate(tracks)), torch.device("cpu"))
    with torch.random.fork_rng(devices=[]):  # the caller's own random numbers stay as they were
        torch.manual_seed(settings.seed)
        head = Head(architecture, width).train()
        fitted = training.fit(
            head,
            contents,
            datasets["train"],
            datasets["validation"],
            fit_settings,
            None,
            ProcessGroup(0, 1, 1),
            lambda *_: None,
        )
    head.load_state_dict(fitted.weights)
    return HeadModel(head.eval(), width, fitted.history, fitted.best)


def score(model: HeadModel, tracks: Sequence[Values]) -> list[Probabilities]:
    """The probability of a highlight at each instant of each track: float32 [T].

    Args:
        model: as `fit` gives it.
        tracks: one a VOD: float [T, D].

    Raises:
        UsageError: a track has another width than those that the model learnt from.
    """
    for number, track in enumerate(tracks):
        if track.ndim != 2 or track.shape[1] != model.width:
            raise UsageError(f"track {number} has the shape {list(track.shape)}: give [T, {model.width}]")
    device = torch.device("cpu")
    return [
        np.concatenate([np.empty(0, np.float32), *scoring.probabilities(model.head, _batches(track), device)])
        for track in tracks
    ]


def _batches(track: Values) -> Iterator[Values]:
    for first in range(0, len(track), _BATCH):
        yield track[first : first + _BATCH]


def _check(tracks: Sequence[Values], labels: Sequence[Labels]) -> int:
    """The width of all tracks. Raises UsageError where arrays do not fit together."""
    if not tracks or len(tracks) != len(labels):
        raise UsageError(
            f"{len(tracks)} tracks and labels of {len(labels)}: give labels for each track, and one at least"
        )
    width = int(tracks[0].shape[-1])
    for number, (track, label) in enumerate(zip(tracks, labels, strict=True)):
        if track.ndim != 2 or track.shape[1] != width or not np.issubdtype(track.dtype, np.floating):
            raise UsageError(
                f"track {number} is {track.dtype} {list(track.shape)}: give float16 or float32 [T, {width}]"
            )
        if label.shape != track.shape[:1] or label.dtype != np.bool_:
            raise UsageError(f"labels {number} are {label.dtype} {list(label.shape)}: give bool [{len(track)}]")
        if not np.isfinite(track).all():
            raise UsageError(f"track {number} has values that are no numbers: leave these instants out")
    return width


def _sides(labels: Sequence[Labels], settings: HeadSettings) -> dict[str, list[npt.NDArray[np.int64]]]:
    """The instants of each track on each side, split as a dataset is: nothing leaks from one to the other."""
    names = [f"{number:06}" for number in range(len(labels))]
    stretches = [
        split.labelled_stretch(name, label, settings.fps, _CHUNK) for name, label in zip(names, labels, strict=True)
    ]
    if len(labels) < _VODS_ENOUGH:
        guard = max(_LEAST_GUARD, float(settings.architecture.reach() / settings.fps))
        sides = split.by_chunks(
            stretches, settings.fps, validation=settings.validation, guard_seconds=guard, seed=settings.seed
        )
    else:
        sides = split.by_vods(stretches, validation=settings.validation, seed=settings.seed)
    learnt = [np.flatnonzero(sides[name] == split.TRAIN) for name in names]
    truth = [label[instants] for label, instants in zip(labels, learnt, strict=True)]
    kept = rebalanced(truth, settings.positives, settings.seed)
    return {
        "train": [instants[stay] for instants, stay in zip(learnt, kept, strict=True)],
        "validation": [np.flatnonzero(sides[name] == split.VALIDATION) for name in names],
    }
