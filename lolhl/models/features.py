"""Features of a VOD's frames, computed once.

A frozen backbone gives the same features each time. They are stored beside the frames, in parts, so
that training, scoring and training again after a correction do not look at a picture twice, and a
run that was killed goes on where it stopped.
"""

import io
from collections.abc import Iterable, Iterator
from contextlib import suppress

import numpy as np
import numpy.typing as npt
import torch

from lolhl import progress
from lolhl.frames.frameset import FrameSet
from lolhl.models import backbones
from lolhl.models.network import Network
from lolhl.storage import Root
from lolhl.vod.decode import Picture

Features = npt.NDArray[np.float16]

_PART = 2048  # frames in a stored part: under a minute of work on two cores
_BATCH = 32


def of_pictures(network: Network, pictures: Iterable[Picture], device: torch.device) -> Iterator[Features]:
    """Features of pictures (uint8 [S, S, 3]) as they come, a batch at a time: float16 [up to 32, D]."""
    waiting: list[Picture] = []
    for picture in pictures:
        waiting.append(picture)
        if len(waiting) == _BATCH:
            yield _batch(network, np.stack(waiting), device)
            waiting = []
    if waiting:
        yield _batch(network, np.stack(waiting), device)


def of_frames(network: Network, frames: FrameSet, device: torch.device, *, stored: bool) -> Features:
    """Features of a whole frame set: float16 [len(frames), D].

    Args:
        network: in evaluation mode, on `device`.
        stored: True to read what an earlier run stored and to store what is missing: right for
            a frozen backbone only.
    """
    folder = f"frames/{frames.vod}/features/{backbones.digest(network.backbone)[:16]}"
    parts = []
    with progress.bar(f"features {frames.vod}", len(frames), "frames") as advance:
        for first in range(0, len(frames), _PART):
            numbers = range(first, min(first + _PART, len(frames)))
            key = f"{folder}/{first:08}.npy"
            part = _stored(frames.root, key, len(numbers)) if stored else None
            if part is not None:
                advance(len(numbers))
            else:
                part = _part(network, frames, numbers, device, advance)
                if stored:
                    frames.root.write(key, _npy(part))
            parts.append(part)
    return np.concatenate(parts)


def _stored(root: Root, key: str, count: int) -> Features | None:
    """What an earlier run stored, if it is whole."""
    if not root.stat(key):
        return None
    with suppress(ValueError, EOFError):
        part: Features = np.load(io.BytesIO(root.read(key)), allow_pickle=False)
        if len(part) == count:
            return part
    return None


def _part(
    network: Network, frames: FrameSet, numbers: range, device: torch.device, advance: progress.Advance
) -> Features:
    found = []
    for first in range(numbers.start, numbers.stop, _BATCH):
        batch = range(first, min(first + _BATCH, numbers.stop))
        found.append(_batch(network, frames.read(batch), device))
        advance(len(batch))
    return np.concatenate(found)


@torch.no_grad()
def _batch(network: Network, pictures: npt.NDArray[np.uint8], device: torch.device) -> Features:
    features = network.features(torch.from_numpy(pictures).to(device))
    return np.asarray(features.half().cpu().numpy())


def _npy(array: Features) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
