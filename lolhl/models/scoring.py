"""From features on the whole grid to one probability per instant."""

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lolhl.models.engine import Features
from lolhl.models.network import Architecture, Head

Probabilities = npt.NDArray[np.float32]

_BATCH = 512


def clip_frames(architecture: Architecture, frames: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """Frame numbers of the clips of these frames: int64 [len(frames), T].

    At the ends of the video the first or last of its `count` frames is repeated.
    """
    numbers = frames[:, None] + np.asarray(architecture.offsets(), dtype=np.int64)[None]
    clipped: npt.NDArray[np.int64] = np.clip(numbers, 0, count - 1)
    return clipped


@torch.no_grad()
def probabilities(head: Head, batches: Iterable[Features], device: torch.device) -> Iterator[Probabilities]:
    """The probability of a highlight at each instant, in order, while the features come.

    Memory is bounded: each frame is encoded once, and held while a clip needs it.

    Args:
        head: of the model, in evaluation mode, on `device`.
        batches: features of every frame of one VOD, in order: float16 [n, D], n as it comes.

    Yields:
        float32 [m], some hundreds at a time; in all as many as there are frames.
    """
    offsets = torch.tensor(head.architecture.offsets(), device=device)
    before, after = -int(offsets.min()), int(offsets.max())
    held: Tensor | None = None  # begins `before` frames before the next that is scored
    for encoded in _encoded(head, batches, device, before, after):
        held = encoded if held is None else torch.cat([held, encoded])
        count = len(held) - before - after
        if count > 0:
            clips = held[torch.arange(before, before + count, device=device)[:, None] + offsets]
            yield np.asarray(torch.sigmoid(head.decide(clips)).cpu().numpy())
            held = held[count:]


def _encoded(
    head: Head, batches: Iterable[Features], device: torch.device, before: int, after: int
) -> Iterator[Tensor]:
    """Encoded frames [n, E], with the first repeated in front and the last at the end, as `clip_frames` does."""
    encoded: Tensor | None = None
    for features in _gathered(batches):
        is_first = encoded is None
        encoded = head.encode(torch.from_numpy(features).to(device))
        if is_first:
            yield encoded[:1].expand(before, -1)
        yield encoded
    if encoded is not None:
        yield encoded[-1:].expand(after, -1)


def _gathered(batches: Iterable[Features]) -> Iterator[Features]:
    """The same rows, at least `_BATCH` at a time but for the last: small steps cost as much as large ones."""
    waiting: list[Features] = []
    for batch in batches:
        waiting.append(batch)
        if sum(map(len, waiting)) >= _BATCH:
            yield np.concatenate(waiting)
            waiting = []
    if waiting:
        yield np.concatenate(waiting)
