"""Samples for torch: clips of frames or of features, a batch at a time, in an order that can be repeated."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from lolhl.frames.frameset import FrameSet

Clips = npt.NDArray[np.int64]
Batch = tuple[Tensor, Tensor, Tensor]


@dataclass(frozen=True)
class Samples:
    """Labelled instants of some VODs.

    Attributes:
        vods: the VODs' names.
        vod: int64 [n], the place of each sample's VOD in `vods`.
        frame: int64 [n], on that VOD's grid.
        label: bool [n].
        chunk: [n], the chunk of each sample: the groups of a bootstrap.
    """

    vods: tuple[str, ...]
    vod: npt.NDArray[np.int64]
    frame: npt.NDArray[np.int64]
    label: npt.NDArray[np.bool_]
    chunk: npt.NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.frame)


class Source(Protocol):
    """Where the contents of clips come from."""

    def take(self, vod: str, frames: npt.NDArray[np.int64]) -> Tensor:
        """What lies at these frames of the VOD: one row per frame."""


@dataclass(frozen=True)
class FrameSource:
    """Pixels: uint8 [n, S, S, 3]."""

    sets: Mapping[str, FrameSet]

    def take(self, vod: str, frames: npt.NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(self.sets[vod].read(frames))


@dataclass(frozen=True)
class FeatureSource:
    """Stored features: float32 [n, D]."""

    features: Mapping[str, npt.NDArray[np.float16]]

    def take(self, vod: str, frames: npt.NDArray[np.int64]) -> Tensor:
        return torch.from_numpy(self.features[vod][frames]).float()


class ClipDataset(Dataset[Batch]):
    """Batches by lists of sample numbers: clips [B, T, …], labels float32 [B], numbers int64 [B].

    Args:
        samples: what to learn or to judge.
        clips: frame numbers of each sample's clip: int64 [n, T].
        source: where their contents come from.
    """

    def __init__(self, samples: Samples, clips: Clips, source: Source) -> None:
        self.samples, self.clips, self.source = samples, clips, source

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, numbers: list[int]) -> Batch:
        chosen = np.asarray(numbers)
        wanted = self.clips[chosen]
        vods = self.samples.vod[chosen]
        rows: list[Tensor | None] = [None] * len(chosen)
        for vod in np.unique(vods):
            of_vod = np.flatnonzero(vods == vod)
            # Clips overlap: each frame is fetched once.
            frames, places = np.unique(wanted[of_vod], return_inverse=True)
            found = self.source.take(self.samples.vods[vod], frames)
            for place, clip in zip(of_vod, torch.from_numpy(places.reshape(len(of_vod), -1)), strict=True):
                rows[place] = found[clip]
        labels = torch.from_numpy(self.samples.label[chosen]).float()
        return torch.stack([row for row in rows if row is not None]), labels, torch.from_numpy(chosen)


class BatchOrder(Sampler[list[int]]):
    """Lists of sample numbers for one of `world` processes.

    The order of an epoch depends on the seed and the epoch alone, so that a run that goes on after a
    kill sees the same batches. All processes get equally many: the last ones may repeat samples.
    """

    def __init__(self, count: int, batch: int, *, shuffle_seed: int | None, rank: int, world: int) -> None:
        self.count, self.batch, self.shuffle_seed, self.rank, self.world = count, batch, shuffle_seed, rank, world
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[list[int]]:
        order = np.arange(self.count)
        if self.shuffle_seed is not None:
            order = np.random.default_rng([self.shuffle_seed, self.epoch]).permutation(order)
        padded = np.resize(order, math.ceil(self.count / self.world) * self.world)
        mine = padded[self.rank :: self.world]
        for first in range(0, len(mine), self.batch):
            yield mine[first : first + self.batch].tolist()

    def __len__(self) -> int:
        return math.ceil(math.ceil(self.count / self.world) / self.batch)


def loader(dataset: ClipDataset, order: BatchOrder, workers: int) -> "DataLoader[Batch]":
    """A DataLoader that takes whole batches in this order."""
    return DataLoader(
        dataset,
        batch_size=None,
        sampler=order,
        num_workers=workers,
        persistent_workers=workers > 0,
        multiprocessing_context="spawn" if workers else None,
        pin_memory=torch.cuda.is_available(),
    )
