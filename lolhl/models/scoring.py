"""From tracks on the whole grid to one probability per instant."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lolhl.models.joined import JoinedModel
from lolhl.models.model import ClipModel, Known, TrackModel, Tracks

Probabilities = npt.NDArray[np.float32]
Floats = npt.NDArray[np.floating]
Logits = npt.NDArray[np.float64]

_BATCH = 512
_VALUES = 8_000_000  # numbers of a signal that a model is given at once


class Instants(NamedTuple):
    """Some instants of all signals that a model wants, in order.

    Attributes:
        values: signal → floating [n, D], 0 where they are not known.
        known: signal → which instants are known: bool [n].
    """

    values: Mapping[str, Floats]
    known: Mapping[str, npt.NDArray[np.bool_]]

    @classmethod
    def from_values(cls, values: Mapping[str, Floats]) -> "Instants":
        """Signal → floating [n, D], with NaN in the rows of instants that are not known."""
        known: dict[str, npt.NDArray[np.bool_]]
        known = {name: np.asarray(np.isfinite(rows).all(1)) for name, rows in values.items()}
        filled = {
            name: rows if known[name].all() else np.where(known[name][:, None], rows, rows.dtype.type(0))
            for name, rows in values.items()
        }
        return cls(filled, known)

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))


def clip_frames(offsets: tuple[int, ...], frames: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """Frame numbers of the clips of these frames: int64 [len(frames), T].

    At the ends of the video the first or last of its `count` frames is repeated.
    """
    numbers = frames[:, None] + np.asarray(offsets, dtype=np.int64)[None]
    clipped: npt.NDArray[np.int64] = np.clip(numbers, 0, count - 1)
    return clipped


@torch.no_grad()
def probabilities(model: TrackModel, batches: Iterable[Instants], device: torch.device) -> Iterator[Probabilities]:
    """The probability of a highlight at each instant, in order, while the instants come.

    Memory is bounded by what the model sees at once: of a clip model each instant is encoded once, and held while a
    clip needs it; a model that wants the whole VOD has it.

    Args:
        model: in evaluation mode, on `device`.
        batches: every instant of one VOD, in order, some at a time, as many as it comes.

    Yields:
        float32 [m], some hundreds at a time; in all as many as there are instants.
    """
    if isinstance(model, ClipModel):
        scored = _of_clips(model, batches, device)
    else:
        scored = _of_windows(model.settings.context, batches, lambda instants: model(*_tensors(instants, device))[0])
    for logits in scored:
        yield np.asarray(torch.sigmoid(logits).float().cpu().numpy())


@torch.no_grad()
def explained(
    model: JoinedModel, batches: Iterable[Instants], device: torch.device
) -> Iterator[tuple[Probabilities, dict[str, Probabilities]]]:
    """As `probabilities`, and what each signal adds to the log-odds.

    Yields:
        The probabilities float32 [m]; and signal → its part of the log-odds float32 [m], 0 where it is not known.
    """

    def look(instants: Instants) -> Tensor:
        tracks, known = _tensors(instants, device)
        logits = torch.stack(list(model.signal_logits(tracks, known).values()), -1)
        return model.parts(logits, torch.stack([known[name] for name in model.heads], -1))[0]

    for parts in _of_windows(model.settings.context, batches, look):
        probabilities = torch.sigmoid(parts.sum(-1) + model.bias).float().cpu().numpy()
        columns = parts.float().cpu().numpy()
        yield np.asarray(probabilities), {name: columns[:, number] for number, name in enumerate(model.heads)}


@torch.no_grad()
def replaced_logits(
    model: TrackModel, instants: Instants, place: int, signal: str, rows: Floats, device: torch.device
) -> Logits:
    """The logit at one instant, with each of other rows of a signal in place of its own.

    Args:
        model: in evaluation mode, on `device`.
        instants: of a stretch, as far as the logit depends on them.
        place: of the instant within.
        signal: whose row is another one.
        rows: floating [n, D].

    Returns:
        float64 [n].
    """
    tracks, known = _tensors(instants, device)
    at_once = max(1, _VALUES // tracks[signal].numel())
    logits = []
    for piece in torch.from_numpy(rows).to(device).float().split(at_once):  # type: ignore[no-untyped-call]
        batch = {name: values.expand(len(piece), -1, -1) for name, values in tracks.items()}
        batch[signal] = batch[signal].clone()
        batch[signal][:, place] = piece
        logits.append(model(batch, {name: flags.expand(len(piece), -1) for name, flags in known.items()})[:, place])
    return np.asarray(torch.cat(logits).double().cpu().numpy())


def _of_windows(
    context: int | None, batches: Iterable[Instants], look: Callable[[Instants], Tensor]
) -> Iterator[Tensor]:
    """What a function gives for each instant of a window [n] → [n, …], in order, of all instants."""
    held: Instants | None = None
    behind = 0  # instants at the beginning of `held` that are scored already
    for batch in _gathered(batches) if context is not None else _whole(batches):
        held = batch if held is None else _joined([held, batch])
        if context is None:
            break
        ready = len(held) - behind - context
        if ready >= _BATCH:
            yield look(held)[behind : behind + ready]
            forgotten = max(0, behind + ready - context)
            held = _slice(held, forgotten)
            behind = behind + ready - forgotten
    if held is not None and len(held) > behind:
        yield look(held)[behind:]


def _whole(batches: Iterable[Instants]) -> Iterator[Instants]:
    """All instants at once, if there are any."""
    if listed := list(batches):
        yield _joined(listed)


def _tensors(instants: Instants, device: torch.device) -> tuple[Tracks, Known]:
    """The values float32 [1, n, D] and which are known bool [1, n]."""
    known = {name: torch.from_numpy(flags)[None].to(device) for name, flags in instants.known.items()}
    tracks = {name: torch.from_numpy(values)[None].to(device).float() for name, values in instants.values.items()}
    return tracks, known


def _slice(instants: Instants, first: int) -> Instants:
    return Instants(
        {name: values[first:] for name, values in instants.values.items()},
        {name: flags[first:] for name, flags in instants.known.items()},
    )


def _joined(batches: list[Instants]) -> Instants:
    return Instants(
        {name: np.concatenate([batch.values[name] for batch in batches]) for name in batches[0].values},
        {name: np.concatenate([batch.known[name] for batch in batches]) for name in batches[0].known},
    )


def _of_clips(model: ClipModel, batches: Iterable[Instants], device: torch.device) -> Iterator[Tensor]:
    offsets = torch.tensor(model.offsets, device=device)
    before, after = max(0, -int(offsets.min())), max(0, int(offsets.max()))
    held: Tensor | None = None  # begins `before` frames before the next that is scored
    for encoded in _encoded(model, batches, device, before, after):
        held = encoded if held is None else torch.cat([held, encoded])
        count = len(held) - before - after
        if count > 0:
            clips = held[torch.arange(before, before + count, device=device)[:, None] + offsets]
            yield model.decide(clips)
            held = held[count:]


def _encoded(
    model: ClipModel, batches: Iterable[Instants], device: torch.device, before: int, after: int
) -> Iterator[Tensor]:
    """Encoded frames [n, E], with the first repeated in front and the last at the end, as `clip_frames` does."""
    encoded: Tensor | None = None
    for instants in _gathered(batches):
        is_first = encoded is None
        encoded = model.encode(torch.from_numpy(instants.values[model.signal]).to(device))
        if is_first:
            yield encoded[:1].expand(before, -1)
        yield encoded
    if encoded is not None:
        yield encoded[-1:].expand(after, -1)


def _gathered(batches: Iterable[Instants]) -> Iterator[Instants]:
    """The same instants, at least `_BATCH` at a time but for the last: small steps cost as much as large ones."""
    waiting: list[Instants] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= _BATCH:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)
