"""Chunks: pieces of 30 s of one VOD, which are split and resampled as wholes. No event is cut by their borders."""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from lolhl.labels.spans import Span, merge

CHUNK_SECONDS = 30.0


def chunks(spans: Sequence[Span], count: int, fps: Fraction, seconds: float = CHUNK_SECONDS) -> npt.NDArray[np.int64]:
    """The number of each instant's chunk. Chunks that share an event are one chunk, with the number of the first.

    Whether an event crosses a border depends on times alone, so the same VOD has the same chunks at any frame rate.

    Args:
        spans: the VOD's labels.
        count: how many instants of the grid there are.
        fps: of the grid.
        seconds: the length of a chunk.

    Returns:
        int64 [count], ascending.
    """
    length = Fraction(seconds)
    frames = length * fps  # of a chunk: no whole number at some rates
    begins = np.array(
        [-(-number * frames.numerator // frames.denominator) for number in range(math.ceil(count / frames))],
        dtype=np.int64,
    )
    is_crossed = np.zeros(len(begins), dtype=bool)
    for span in merge(spans):  # all chunks after the one it begins in, up to the one it ends in
        is_crossed[math.floor(span.start / length) + 1 : math.ceil(span.stop / length)] = True
    uncrossed = np.flatnonzero(~is_crossed)
    numbers: npt.NDArray[np.int64] = uncrossed[np.searchsorted(begins[uncrossed], np.arange(count), side="right") - 1]
    return numbers
