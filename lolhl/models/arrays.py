"""Learns and scores on plain arrays, without a root, files or video.

`train` and `infer` do the same with the tracks of a root. They use the same models, the same split and the same loop.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import torch

from lolhl import grid
from lolhl.config import setting
from lolhl.data import split
from lolhl.data.balance import rebalanced
from lolhl.data.samples import ClipDataset, Contents
from lolhl.data.windows import HeldStretch, WindowDataset
from lolhl.errors import DatasetError, UsageError
from lolhl.models import scoring
from lolhl.models.baseline import StandardisedModel, array_baseline
from lolhl.models.joined import JoinedModel
from lolhl.models.learning import Epoch, LearnConfig
from lolhl.models.model import ClipSettings, ModelSettings, TrackModel
from lolhl.models.process_group import ProcessGroup
from lolhl.models.registry import MODELS
from lolhl.models.scoring import Instants

Values = npt.NDArray[np.floating]  # float [T, D]
Tracks = Values | Mapping[str, Values]  # of one signal, or of several by their names
Labels = npt.NDArray[np.bool_]  # bool [T]
Probabilities = npt.NDArray[np.float32]  # float32 [T]

_BATCH = 512  # instants that are scored at once
_CHUNK = 30.0  # seconds
_LEAST_GUARD = 10.0  # seconds
_VODS_ENOUGH = 5  # VODs from which on whole ones are held out


@dataclass(frozen=True, kw_only=True)
class HeadSettings(LearnConfig):
    """The model that learns, and how it learns. `lolhl train --help` explains each setting that it shares."""

    kind: str = setting("video", "kind of model: by default one of clips, which takes a single signal", choices=MODELS)
    fps: Fraction = setting(
        Fraction(3), "instants of the grid in a second", at_least=grid.SLOWEST, at_most=grid.FASTEST
    )
    validation: float = setting(
        0.15, "share of time that is not learnt from; the best epoch is chosen by it", above=0, below=1
    )
    positives: float = setting(
        0.30, "for clips: share of positive instants in training, reached by leaving out negatives", above=0, below=1
    )


@dataclass(frozen=True)
class HeadModel:
    """A model that has learnt.

    Attributes:
        head: in evaluation mode, on the CPU.
        epochs: figures of each epoch, on the validation side.
        best: the epoch whose weights it has.
    """

    head: TrackModel
    epochs: list[Epoch]
    best: int

    @property
    def widths(self) -> dict[str, int]:
        """Signal → D, of the values that it takes."""
        return self.head.widths


def fit(tracks: Sequence[Tracks], labels: Sequence[Labels], settings: HeadSettings = HeadSettings()) -> HeadModel:
    """Learns from tracks and labels which instants lie in highlights. The same call gives the same model.

    Args:
        tracks: one a VOD: float [T, D] (float16 or float32), D the same for all. For a model of several signals a
            mapping from each one's name to such an array. Rows with NaN are instants that are not known, and all are
            where a mapping lacks a signal that another VOD has; a clip model needs to know all.
        labels: of the same instants: bool [T].
        settings: see `HeadSettings`.

    Raises:
        UsageError: the arrays do not fit together, or are not of the signals that the model wants.
        DatasetError: a side of the split has no positives, or nothing else.
        ModelError: the loss on the way is no number.
    """
    from lolhl.models import training  # takes seconds

    wanted = settings.model.wanted
    named = [_named(track, wanted, number) for number, track in enumerate(tracks)]
    widths = _check(named, labels, settings)
    lengths = [len(label) for label in labels]
    filled = [_filled(values, widths, length) for values, length in zip(named, lengths, strict=True)]
    lessons = _lessons(labels, settings)
    for side, lesson in lessons.items():
        if not lesson.truth.any() or lesson.truth.all():
            raise DatasetError(f"the {side} side needs instants inside and outside of highlights: label more")
    windows = not isinstance(settings.model, ClipSettings)
    fit_settings = settings.fit_settings(len(lessons["train"]), windows=windows)
    with torch.random.fork_rng(devices=[]):  # the caller's own random numbers stay as they were
        torch.manual_seed(settings.seed)
        model = MODELS[settings.kind](settings.model, widths).train()
        if isinstance(model, StandardisedModel):
            for name in wanted:
                model.learn_usual(name, [array_baseline(values[name]) for values in filled])
            filled = [_apart(model, values) for values in filled]
        held = {name: torch.from_numpy(np.concatenate([values[name] for values in filled])) for name in wanted}
        contents = Contents(held, torch.device("cpu"))
        fitted = training.fit(
            model,
            contents,
            lessons["train"],
            lessons["validation"],
            fit_settings,
            None,
            ProcessGroup(0, 1, 1),
            lambda *_: None,
        )
    model.load_state_dict(fitted.weights)
    model.eval()
    if isinstance(model, JoinedModel):
        training.weigh(model, contents, lessons["validation"])
    return HeadModel(model, fitted.history, fitted.best)


def score(model: HeadModel, tracks: Sequence[Tracks]) -> list[Probabilities]:
    """The probability of a highlight at each instant of each track: float32 [T].

    Args:
        model: as `fit` gives it.
        tracks: one a VOD, as `fit` takes them.

    Raises:
        UsageError: a track has another width than those that the model learnt from, or another signal; or its signals
            do not have the same instants.
    """
    widths, scores = model.widths, []
    for number, track in enumerate(tracks):
        values = _named(track, tuple(widths), number)
        length = len(next(iter(values.values())))
        for name, rows in values.items():
            if rows.ndim != 2 or rows.shape[1] != widths[name]:
                raise UsageError(f"track {number} has the shape {list(rows.shape)}: give [T, {widths[name]}]")
            if len(rows) != length:
                raise UsageError(
                    f"track {number} has signals of {length} and of {len(rows)} instants: give as many of each"
                )
            _check_numbers(rows, model.head.settings, number)
        filled = _filled(values, widths, length)
        if isinstance(model.head, StandardisedModel):
            filled = _apart(model.head, filled)
        probabilities = scoring.probabilities(model.head, _batches(filled), torch.device("cpu"))
        scores.append(np.concatenate([np.empty(0, np.float32), *probabilities]))
    return scores


def _named(track: Tracks, wanted: tuple[str, ...], number: int) -> dict[str, Values]:
    """The arrays of a VOD by the names of their signals. Raises UsageError where the model wants others."""
    if not (isinstance(track, np.ndarray) or (isinstance(track, Mapping) and _are_arrays(track.values()))):
        raise UsageError(f"track {number} is a {type(track).__name__}: give an array of numpy, or a mapping with such")
    if isinstance(track, np.ndarray):
        if len(wanted) != 1:
            raise UsageError(f"track {number} is one array: give a mapping with {', '.join(wanted)}")
        return {wanted[0]: track}
    if not track or not {*track} <= {*wanted}:
        raise UsageError(f"track {number} has {', '.join(track) or 'no signal'}: give some of {', '.join(wanted)}")
    return dict(track)


def _are_arrays(values: Iterable[object]) -> bool:
    return all(isinstance(value, np.ndarray) for value in values)


def _check_numbers(rows: Values, settings: ModelSettings, number: int) -> None:
    """Raises UsageError where a model of clips would have to know what is not known."""
    if isinstance(settings, ClipSettings) and not np.isfinite(rows).all():
        raise UsageError(f"track {number} has values that are no numbers: leave these instants out")


def _filled(values: Mapping[str, Values], widths: Mapping[str, int], length: int) -> dict[str, Values]:
    """All signals, with NaN for those that the VOD lacks."""
    lacking = {name: np.full((length, width), np.nan, np.float16) for name, width in widths.items()}
    return {name: values.get(name, lacking[name]) for name in widths}


def _apart(model: StandardisedModel, values: Mapping[str, Values]) -> dict[str, Values]:
    """The values of a VOD against its own baseline."""
    return {name: model.drawn(name, array_baseline(rows)).apply(rows) for name, rows in values.items()}


def _batches(values: Mapping[str, Values]) -> Iterator[Instants]:
    length = len(next(iter(values.values())))
    for first in range(0, length, _BATCH):
        yield Instants.from_values({name: rows[first : first + _BATCH] for name, rows in values.items()})


def _check(tracks: Sequence[Mapping[str, Values]], labels: Sequence[Labels], settings: HeadSettings) -> dict[str, int]:
    """The width of each signal. Raises UsageError where arrays do not fit together."""
    if not tracks or len(tracks) != len(labels):
        raise UsageError(
            f"{len(tracks)} tracks and labels of {len(labels)}: give labels for each track, and one at least"
        )
    if not _are_arrays(labels):
        raise UsageError("labels are no arrays of numpy: give bool [T] for each track")
    widths: dict[str, int] = {}
    for number, (track, label) in enumerate(zip(tracks, labels, strict=True)):
        for name, values in track.items():
            width = widths.setdefault(name, int(values.shape[-1]))
            if values.ndim != 2 or values.shape[1] != width or not np.issubdtype(values.dtype, np.floating):
                raise UsageError(
                    f"track {number} is {values.dtype} {list(values.shape)}: give float16 or float32 [T, {width}]"
                )
            if label.shape != values.shape[:1] or label.dtype != np.bool_:
                raise UsageError(f"labels {number} are {label.dtype} {list(label.shape)}: give bool [{len(values)}]")
            _check_numbers(values, settings.model, number)
    for name in settings.model.wanted:
        if name not in widths:
            raise UsageError(f"no track has the signal {name}, which the model wants")
    return {name: widths[name] for name in settings.model.wanted}


def _lessons(labels: Sequence[Labels], settings: HeadSettings) -> dict[str, ClipDataset | WindowDataset]:
    """What is learnt and judged by, split as a dataset is: nothing leaks from one side to the other."""
    names = [f"{number:06}" for number in range(len(labels))]
    firsts = np.cumsum([0, *map(len, labels)])[:-1].tolist()
    sides = _sides(dict(zip(names, labels, strict=True)), settings)
    chosen = {"train": split.TRAIN, "validation": split.VALIDATION}
    if not isinstance(settings.model, ClipSettings):
        return {
            side: WindowDataset(
                [
                    HeldStretch(first + begin, label[begin:end])
                    for name, first, label in zip(names, firsts, labels, strict=True)
                    for begin, end in _runs(sides[name] == number)
                ],
                settings.model.context,
            )
            for side, number in chosen.items()
        }
    lessons: dict[str, ClipDataset | WindowDataset] = {}
    for side, number in chosen.items():
        instants = [np.flatnonzero(sides[name] == number) for name in names]
        if side == "train":
            learnt = [label[some] for label, some in zip(labels, instants, strict=True)]
            kept = rebalanced(learnt, settings.positives, settings.seed)
            instants = [some[stay] for some, stay in zip(instants, kept, strict=True)]
        clips = [
            first + scoring.clip_frames(settings.model.offsets, some, len(label))
            for first, some, label in zip(firsts, instants, labels, strict=True)
        ]
        truth = np.concatenate([label[some] for label, some in zip(labels, instants, strict=True)])
        lessons[side] = ClipDataset(truth, np.concatenate(clips))
    return lessons


def _runs(flags: npt.NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and end of each run of true flags."""
    edges = np.flatnonzero(np.diff(np.pad(flags.astype(np.int8), 1)))
    return [(int(first), int(end)) for first, end in edges.reshape(-1, 2)]


def _sides(labels: Mapping[str, Labels], settings: HeadSettings) -> dict[str, npt.NDArray[np.int8]]:
    """The side of each instant: VOD → int8 [T], see `lolhl.data.split`."""
    stretches = [split.labelled_stretch(name, label, settings.fps, _CHUNK) for name, label in labels.items()]
    if len(labels) >= _VODS_ENOUGH:
        return split.by_vods(stretches, validation=settings.validation, seed=settings.seed)
    reach = settings.model.context if isinstance(settings.model, ClipSettings) else 0  # windows end with stretches
    guard = max(_LEAST_GUARD, float(reach / settings.fps))
    return split.by_chunks(
        stretches, settings.fps, validation=settings.validation, guard_seconds=guard, seed=settings.seed
    )
