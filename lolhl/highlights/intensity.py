"""Scores over a centred window: what the timeline draws, and, over a short one, what spans are cut from."""

from fractions import Fraction

import numpy as np
import numpy.typing as npt


def centred_mean(scores: npt.NDArray[np.floating], fps: Fraction, seconds: float) -> npt.NDArray[np.float64]:
    """The mean of the scores at most `seconds` / 2 away, at each instant of the grid.

    Near the two ends it is the mean over the part of the window that exists. A window shorter than
    two steps of the grid leaves the scores as they are.

    Args:
        scores: [n], one value per instant of the grid.
        fps: of the grid.
        seconds: the width of the window.

    Returns:
        float64 [n], between the least and the greatest score.
    """
    values = np.asarray(scores, dtype=np.float64)
    half = int(Fraction(seconds) * fps / 2)
    if half < 1:
        return values.copy()
    at = np.arange(len(values))
    before = np.maximum(at - half, 0)
    after = np.minimum(at + half + 1, len(values))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    means: npt.NDArray[np.float64] = (sums[after] - sums[before]) / (after - before)
    return means
