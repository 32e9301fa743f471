"""motion: how much each picture differs from the one before, float16 [T, 2].

The first column is the mean absolute difference of grey pictures of 32 × 32 pixels, from 0 to 1: movement. The second
one is how much of their histograms differs, from 0 to 1: near 1 where the picture was cut to another scene.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from lolhl.signals.source import Pictures, Source
from lolhl.tracks.filling import Gap, Measured, Taken
from lolhl.tracks.recipe import Layout
from lolhl.tracks.rows import Rows
from lolhl.vod.view import View

_SIDE = 32  # pixels
_LEVELS = 32  # of grey, in a histogram
_BATCH = 64  # pictures


@dataclass(frozen=True)
class MotionSignal:
    """See `lolhl.signals.Signal`. Of a scan it compares each key frame with the one before."""

    view: View
    name = "motion"
    version = 1
    engine = ""

    @property
    def fps(self) -> Fraction:
        return self.view.fps

    @property
    def settings(self) -> Mapping[str, Any]:
        return {"size": self.view.size, "fit": self.view.fit}

    def measure(self, source: Source, layout: Layout, gap: Gap) -> Measured:
        """Yields the rows of a gap. Raises errors as `source.pictures` does."""
        # The picture before the gap is looked at too. It is the one at gap.after, which a scan then begins with.
        before = gap.first > 0
        from_before = replace(gap, first=gap.first - 1, after=np.nextafter(gap.after, -np.inf)) if before else gap
        taken = Taken(source.pictures(self.view, layout, from_before, _BATCH))
        last: npt.NDArray[np.int32] | None = None
        for times, pictures in taken:
            grey = small_grey(pictures)
            values = differences(grey[:1] if last is None else last, grey)
            skipped = 1 if last is None and before else 0
            last = grey[-1:]
            if len(times) > skipped:
                yield Rows(times[skipped:], values[skipped:])
        return taken.end


def small_grey(pictures: Pictures) -> npt.NDArray[np.int32]:
    """Grey pictures of at most 32 × 32 pixels, from 0 to 255: int32 [n, 32, 32].

    Args:
        pictures: uint8 [n, S, S, 3], RGB.
    """
    count, size = pictures.shape[:2]
    step = max(1, size // _SIDE)
    used = size // step * step
    blocks = pictures[:, :used, :used].reshape(count, used // step, step, used // step, step, 3)
    sums = blocks.sum(axis=(2, 4), dtype=np.int32)
    # Whole numbers, so that the same pictures have the same values on each machine. Weights as in ITU-R BT.601.
    weighted = sums @ np.array([77, 150, 29], dtype=np.int32)
    return np.asarray(weighted // (256 * step * step), dtype=np.int32)


def differences(before: npt.NDArray[np.int32], grey: npt.NDArray[np.int32]) -> npt.NDArray[np.float16]:
    """What pictures differ by from the one before: float16 [n, 2]. See the top of this file.

    Args:
        before: the picture before the first: int32 [1, H, W].
        grey: int32 [n, H, W].
    """
    count, pixels = len(grey), grey[0].size
    joined = np.concatenate([before, grey])
    moved = np.abs(np.diff(joined, axis=0)).sum(axis=(1, 2)) / (255 * pixels)
    numbers = np.arange(count + 1)[:, None] * _LEVELS + joined.reshape(count + 1, -1) * _LEVELS // 256
    histograms = np.bincount(numbers.ravel(), minlength=(count + 1) * _LEVELS).reshape(count + 1, _LEVELS)
    cut = np.abs(np.diff(histograms, axis=0)).sum(axis=1) / (2 * pixels)
    return np.stack([moved, cut], axis=1).astype(np.float16)
