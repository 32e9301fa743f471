"""Rebalancing: fewer negatives for training, so that a model sees highlights often enough."""

import numpy as np
import numpy.typing as npt


def rebalanced(labels: npt.NDArray[np.bool_], positives: float, seed: int) -> npt.NDArray[np.bool_]:
    """Which frames stay, so that this share of them is positive: bool [n].

    Negatives are dropped at random, positives never. Where positives have the share already, or where
    there are none, all stay.

    Args:
        labels: bool [n], of the training side only.
        positives: the share aimed at, above 0 and up to 1.
        seed: of the choice.
    """
    negatives = np.flatnonzero(~labels)
    count = labels.size - negatives.size
    wanted = round(count * (1 - positives) / positives)
    stay = np.ones(labels.size, dtype=bool)
    if count and wanted < negatives.size:
        stay[np.random.default_rng(seed).permutation(negatives)[wanted:]] = False
    return stay
