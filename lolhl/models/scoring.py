"""From features on the whole grid to one probability per instant."""

import numpy as np
import numpy.typing as npt
import torch

from lolhl.models.features import Features
from lolhl.models.network import Architecture, Network

_BATCH = 512


def clip_frames(architecture: Architecture, frames: npt.NDArray[np.int64], count: int) -> npt.NDArray[np.int64]:
    """Frame numbers of the clips of these frames: int64 [len(frames), T].

    At the ends of the video the first or last of its `count` frames is repeated.
    """
    numbers = frames[:, None] + np.asarray(architecture.offsets(), dtype=np.int64)[None]
    clipped: npt.NDArray[np.int64] = np.clip(numbers, 0, count - 1)
    return clipped


@torch.no_grad()
def probabilities(network: Network, features: Features, device: torch.device) -> npt.NDArray[np.float32]:
    """The probability of a highlight at each instant.

    Args:
        network: in evaluation mode, on `device`.
        features: of every frame of one VOD: float16 [count, D].

    Returns:
        float32 [count].
    """
    count = len(features)
    found = []
    for first in range(0, count, _BATCH):
        frames = np.arange(first, min(first + _BATCH, count))
        clips = torch.from_numpy(features[clip_frames(network.architecture, frames, count)]).to(device).float()
        found.append(torch.sigmoid(network.head(clips)).cpu().numpy())
    return np.concatenate(found).astype(np.float32) if found else np.empty(0, dtype=np.float32)
