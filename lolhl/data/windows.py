"""Windows of unbroken stretches, for models that see more than a clip.

A window has some instants that count, and around them as many as the model's context. None of them lies beyond the
stretch, and what nobody has looked at beside it: the model takes what is there for the end of the VOD. So no side of a
dataset sees anything of the other one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

COUNTED = 64  # instants of a window that count, where the context is bounded
WHOLE = 2048  # instants of a window where the model sees all of a VOD
STEP = 8  # windows in a step


@dataclass(frozen=True)
class HeldStretch:
    """Consecutive labelled instants of one VOD, and where their values are held.

    Attributes:
        row: the row of the first instant. Those of the others follow it.
        labels: bool [n], whether each instant lies in a highlight.
        before, after: how many instants without a label are held before and after them, to be seen around them.
    """

    row: int
    labels: npt.NDArray[np.bool_]
    before: int = 0
    after: int = 0


class WindowDataset:
    """Batches by window numbers: rows int64 [B, T], labels float32 [B, T], instants int64 [B, T].

    Rows are -1 where the stretch has no instant. The instants that count are numbered, each in one window only; others
    are -1.

    Args:
        stretches: of one side of a dataset.
        context: instants that a model sees before and after each one. None for all of the VOD.

    Attributes:
        truth: bool [n], the label of each numbered instant.
        length: T, the instants of a window.
    """

    def __init__(self, stretches: Sequence[HeldStretch], context: int | None) -> None:
        counted, around = (WHOLE, 0) if context is None else (COUNTED, context)
        longest = max((len(stretch.labels) for stretch in stretches), default=1)
        outside = max((max(stretch.before, stretch.after) for stretch in stretches), default=0)
        counted, around = min(counted, longest), min(around, longest + outside)
        self.truth = np.concatenate([np.empty(0, np.bool_), *(stretch.labels for stretch in stretches)])
        self._labels = torch.from_numpy(self.truth).float()
        windows, number = [], 0
        for stretch in stretches:
            count = len(stretch.labels)
            windows += [
                (first, count, stretch.row, number, -stretch.before, count + stretch.after)
                for first in range(0, count, counted)
            ]
            number += count
        # First instant in the stretch, instants of the stretch, its first row and number, and the first instant and the
        # end of what is held: int64 [windows, 6].
        self._windows = torch.tensor(windows, dtype=torch.int64).view(-1, 6)
        self._places = torch.arange(-around, counted + around)  # from the first that counts
        self.length = len(self._places)
        self._counts = (self._places >= 0) & (self._places < counted)

    def __len__(self) -> int:
        return len(self._windows)

    def __getitem__(self, numbers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        first, count, row, number, begin, end = self._windows[numbers].unbind(1)
        places = first[:, None] + self._places
        exists = (places >= begin[:, None]) & (places < end[:, None])
        rows = torch.where(exists, row[:, None] + places, -1)
        counts = self._counts & (places >= 0) & (places < count[:, None])
        instants = torch.where(counts, number[:, None] + places, -1)
        return rows, self._labels[instants.clamp(min=0)], instants
