"""Probabilities that mean what they say: Platt's scaling with a prior, and the figure of how far it holds.

A classifier that learnt from rebalanced samples says too high probabilities, and one that was trained long too sure
ones. Both are undone by a straight line in log-odds (J. Platt, Probabilistic outputs for support vector machines,
1999). With little to fit it to, the line stays near what is known beforehand: the slope near 1, and the offset near
the one that undoes the rebalancing (M. Saerens et al., Adjusting the outputs of a classifier to new a priori
probabilities, 2002).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import numpy.typing as npt
from msgspec import Meta

from lolhl.errors import ModelError
from lolhl.evaluate.figures import Bin, Reliability
from lolhl.evaluate.groups import Groups

FOLDS = 5  # of the cross-validation that reliability is measured by
BINS = 10
_ALIKE = 5.0  # seconds of neighbouring instants that count as one observation: about the length of a short highlight
_SLOPES = (math.log(0.05), math.log(20.0))  # a slope must not turn the ranking round
_SPREAD_OF_SLOPE, _SPREAD_OF_OFFSET = 0.5, 1.0  # standard deviations of what is known beforehand, in log-odds
_NEAREST = 1e-7  # to 0 and 1: float32 knows nothing nearer to 1

Slope = Annotated[float, Meta(ge=0.01, le=100)]
Offset = Annotated[float, Meta(ge=-100, le=100)]


@dataclass(frozen=True)
class Calibration:
    """A straight line in log-odds. Without arguments it changes nothing."""

    slope: Slope = 1.0
    offset: Offset = 0.0

    def apply(self, scores: npt.NDArray[np.floating]) -> npt.NDArray[np.float32]:
        """The calibrated probabilities: float32, in the same order as the scores, which are float from 0 to 1."""
        if self == Calibration():
            return np.asarray(scores, dtype=np.float32)
        return np.asarray(_probability(self.slope * _log_odds(scores) + self.offset), dtype=np.float32)


def rebalancing_offset(natural: float, trained: float) -> float:
    """What has to be added to log-odds that were learnt at another share of positives than is natural.

    Args:
        natural, trained: the shares, above 0 and below 1.
    """
    return math.log(natural / (1 - natural)) - math.log(trained / (1 - trained))


def calibrate(
    labels: npt.NDArray[np.bool_], scores: npt.NDArray[np.floating], fps: float, offset: float = 0.0
) -> Calibration:
    """The line that makes these scores most probable, near a slope of 1 and the offset where there is little of them.

    Args:
        labels: bool [n].
        scores: float [n], the probabilities of instants that the model did not learn from.
        fps: instants a second. Those of 5 s count as one observation, because neighbours are alike.
        offset: known beforehand, see `rebalancing_offset`.

    Raises:
        ModelError: a score is NaN or infinite.
    """
    from scipy.optimize import minimize  # takes half a second

    truth, odds = np.asarray(labels, dtype=np.float64), _log_odds(scores)
    weight = 1 / max(1.0, fps * _ALIKE)

    def loss(line: npt.NDArray[np.float64]) -> tuple[float, npt.NDArray[np.float64]]:
        slope = math.exp(line[0])
        calibrated = slope * odds + line[1]
        wrong = weight * (_probability(calibrated) - truth)
        known = np.array([line[0] / _SPREAD_OF_SLOPE, (line[1] - offset) / _SPREAD_OF_OFFSET])
        value = weight * float(np.sum(np.logaddexp(0, calibrated) - truth * calibrated)) + 0.5 * float(known @ known)
        gradient = [
            slope * float(wrong @ odds) + known[0] / _SPREAD_OF_SLOPE,
            float(wrong.sum()) + known[1] / _SPREAD_OF_OFFSET,
        ]
        return value, np.array(gradient)

    line = minimize(loss, [0.0, offset], jac=True, method="L-BFGS-B", bounds=[_SLOPES, (-50.0, 50.0)]).x
    return Calibration(float(math.exp(line[0])), float(line[1]))


def reliability(
    labels: npt.NDArray[np.bool_],
    scores: npt.NDArray[np.floating],
    groups: Groups,
    fps: float,
    offset: float = 0.0,
) -> Reliability | None:
    """How far calibrated probabilities hold where they were not calibrated: by cross-validation over groups.

    Args:
        groups: the chunk or VOD of each instant.
        The others are those of `calibrate`.

    Returns:
        None where there are fewer than two groups.
    """
    if len(groups.names) < 2:
        return None
    calibrated = np.empty(len(scores), dtype=np.float64)
    folds = groups.members % min(FOLDS, len(groups.names))
    for fold in range(int(folds.max()) + 1):
        held = folds == fold
        calibrated[held] = calibrate(labels[~held], scores[~held], fps, offset).apply(scores[held])
    bins = reliability_bins(labels, calibrated)
    return Reliability(calibration_error(bins), calibration_error(reliability_bins(labels, scores)), bins)


def reliability_bins(labels: npt.NDArray[np.bool_], probabilities: npt.NDArray[np.floating]) -> list[Bin]:
    """The instants by their probability, in tenths: those tenths that have instants, ascending.

    Args:
        labels: bool [n].
        probabilities: float [n], from 0 to 1.
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    place = np.minimum((probabilities * BINS).astype(np.int64), BINS - 1)
    bins = []
    for number in np.unique(place).tolist():
        inside = place == number
        bins.append(
            Bin(
                low=number / BINS,
                high=(number + 1) / BINS,
                instants=int(inside.sum()),
                probability=float(probabilities[inside].mean()),
                labelled=float(labels[inside].mean()),
            )
        )
    return bins


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error (M. P. Naeini et al., Obtaining well calibrated probabilities, 2015).

    Args:
        bins: at least one.
    """
    total = sum(part.instants for part in bins)
    return sum(part.instants * abs(part.probability - part.labelled) for part in bins) / total


def _log_odds(scores: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    values = np.asarray(scores, dtype=np.float64)
    if not np.isfinite(values).all():
        raise ModelError("scores are no numbers: train again with a lower learning rate")
    values = np.clip(values, _NEAREST, 1 - _NEAREST)
    return np.asarray(np.log(values) - np.log1p(-values), dtype=np.float64)


def _probability(odds: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The inverse of the log-odds."""
    return np.asarray(1 / (1 + np.exp(-np.clip(odds, -700, 700))), dtype=np.float64)
