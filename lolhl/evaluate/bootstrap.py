"""Intervals by bootstrap: a figure again and again, of groups that are drawn at random from those that there are."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lolhl.evaluate.figures import Gain, Interval

RESAMPLES = 1000


@dataclass(frozen=True)
class Resampled:
    """A figure and its values in the resamples.

    Attributes:
        value: of all frames or events; None where it is not defined.
        figures: float64 [resamples], NaN where it is not defined. Empty where there are fewer than two groups.
        groups: how many are drawn from.
    """

    value: float | None
    figures: npt.NDArray[np.float64]
    groups: int

    def interval(self) -> Interval | None:
        """The interval; None where the figure is not defined, or there are fewer than two groups."""
        return None if self.value is None else interval_of(self.figures)

    def gain(self, before: "Resampled") -> Gain:
        """This figure minus the one before, of the same resamples of the same groups.

        Each resample draws the same groups for both, so what makes a group hard for both does not widen the
        interval (paired bootstrap; Efron and Tibshirani 1993, chapter 8).
        """
        if self.value is None or before.value is None:
            return Gain(None, None, self.groups)
        return Gain(self.value - before.value, interval_of(self.figures - before.figures), self.groups)


def draw(groups: int, seed: int, resamples: int) -> npt.NDArray[np.int64]:
    """How often each group is drawn in each resample: int64 [resamples, groups]. The same for the same arguments.

    Of fewer than two groups there is nothing to draw, and there are no resamples.
    """
    if groups < 2:
        return np.empty((0, groups), dtype=np.int64)
    return np.random.default_rng(seed).multinomial(groups, [1 / groups] * groups, resamples)


def ratios(parts: npt.NDArray[np.number], wholes: npt.NDArray[np.number]) -> npt.NDArray[np.float64]:
    """NaN for 0 / 0."""
    figures = np.full(len(wholes), np.nan)
    np.divide(parts, wholes, out=figures, where=wholes > 0)
    return figures


def interval_of(figures: npt.NDArray[np.float64]) -> Interval | None:
    """The middle 95 % of the figures that are defined."""
    defined = figures[~np.isnan(figures)]
    if not defined.size:
        return None
    low, high = np.percentile(defined, [2.5, 97.5])
    return Interval(float(low), float(high))
