"""Samples for torch, in batches and in an order that can be repeated. A sample says which rows make its clip.

A batch holds numbers only. The clips themselves are gathered at once, where they lie (see `lolhl.data.cache`).
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lolhl.data.stretches import Samples

_PIECE = 2**14  # rows that are looked at at once

Clips = npt.NDArray[np.int64]
Batch = tuple[Tensor, Tensor, Tensor]


def wanted(sides: Sequence[tuple[Samples, Clips]]) -> dict[str, npt.NDArray[np.int64]]:
    """The frames of each VOD that lie in a clip: VOD → int64 [n], ascending.

    Args:
        sides: samples, and the frame numbers of each sample's clip: int64 [n, T]. All have the same VODs.
    """
    parts = [(samples.by_vod(), clips) for samples, clips in sides]
    return {
        vod: np.unique(np.concatenate([clips[in_vod[vod]].ravel() for in_vod, clips in parts]))
        for vod in sides[0][0].vods
    }


def rows(samples: Samples, clips: Clips, held: Mapping[str, npt.NDArray[np.int64]]) -> Clips:
    """The rows of each sample's clip when the frames `held` lie one after the other: int64 [n, T]."""
    positions = np.empty_like(clips)
    first = 0
    for vod, in_vod in samples.by_vod().items():
        positions[in_vod] = first + np.searchsorted(held[vod], clips[in_vod])
        first += len(held[vod])
    return positions


@dataclass(frozen=True)
class Contents:
    """The rows that clips and windows are made of, of all VODs one after the other.

    Attributes:
        held: signal → its values [rows, …], on one device, in memory or in a mapped file. Rows that are not known have
            NaN, but for clip models.
        device: where they are needed.
    """

    held: Mapping[str, Tensor]
    device: torch.device

    def take(self, numbers: Tensor) -> Tensor:
        """The rows of the only signal with these numbers (int64, of any shape) on the device: [*numbers.shape, …]."""
        (held,) = self.held.values()
        return self._gather(held, numbers)

    def window(self, numbers: Tensor) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The rows with these numbers, of all signals, on the device.

        Args:
            numbers: int64 [B, T]; -1 where there is no such instant.

        Returns:
            Signal → values float32 [B, T, D], 0 where they are not known; and signal → known bool [B, T].
        """
        exists, rows = numbers >= 0, numbers.clamp(min=0)
        tracks, known = {}, {}
        for name, held in self.held.items():
            flags = self._known[name]
            known[name] = (exists.to(flags.device) & flags[rows.to(flags.device)]).to(self.device)
            tracks[name] = self._gather(held, rows).float().masked_fill_(~known[name][..., None], 0.0)
        return tracks, known

    @cached_property
    def _known(self) -> dict[str, Tensor]:
        """Signal → whether each row is known: bool [rows], where the rows are. Looked at once, not in each window."""
        return {
            name: torch.cat([piece.isfinite().all(-1) for piece in torch.split(held, _PIECE)])
            for name, held in self.held.items()
        }

    def _gather(self, held: Tensor, numbers: Tensor) -> Tensor:
        flat = numbers.to(held.device).flatten()
        shape = (*numbers.shape, *held.shape[1:])
        if self.device == held.device:
            return held.index_select(0, flat).view(shape)
        # Through pinned memory the copy runs while the device still works on the step before.
        pinned = torch.empty((flat.numel(), *shape[numbers.dim() :]), dtype=held.dtype, pin_memory=True)
        torch.index_select(held, 0, flat, out=pinned)
        return pinned.to(self.device, non_blocking=True).view(shape)


class ClipDataset:
    """Batches by sample numbers: rows int64 [B, T], labels float32 [B], numbers int64 [B].

    Args:
        labels: bool [n].
        rows: int64 [n, T], see `rows`.
    """

    def __init__(self, labels: npt.NDArray[np.bool_], rows: Clips) -> None:
        self.truth = labels
        self.labels, self.rows = torch.from_numpy(labels).float(), torch.from_numpy(rows)

    def __len__(self) -> int:
        return len(self.truth)

    def __getitem__(self, numbers: Tensor) -> Batch:
        return self.rows[numbers], self.labels[numbers], numbers


class BatchOrder:
    """Sample numbers, a batch at a time, for one of `world` processes: int64 [up to batch].

    The order of an epoch depends on the seed and the epoch alone, so that a run that goes on after a
    kill sees the same batches. All processes get equally many: the last ones may repeat samples.

    Args:
        count: of all samples.
        shuffle_seed: None for the samples in order.
        most: an epoch has at most so many of the samples, others each time.
    """

    def __init__(
        self, count: int, batch: int, *, shuffle_seed: int | None, rank: int, world: int, most: int | None = None
    ) -> None:
        self.count, self.batch, self.shuffle_seed, self.rank, self.world = count, batch, shuffle_seed, rank, world
        self.shown = min(count, most or count)
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __iter__(self) -> Iterator[Tensor]:
        order = np.arange(self.count)
        if self.shuffle_seed is not None:
            order = np.random.default_rng([self.shuffle_seed, self.epoch]).permutation(order)[: self.shown]
        padded = np.resize(order, math.ceil(self.shown / self.world) * self.world)
        yield from torch.split(torch.from_numpy(padded[self.rank :: self.world].copy()), self.batch)

    def __len__(self) -> int:
        return math.ceil(math.ceil(self.shown / self.world) / self.batch)
