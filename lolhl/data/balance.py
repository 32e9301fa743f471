"""Rebalancing: fewer negatives for training, so that a model sees highlights often enough."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def rebalanced(labels: Sequence[npt.NDArray[np.bool_]], positives: float, seed: int) -> list[npt.NDArray[np.bool_]]:
    """Which instants of each VOD stay, so that this share of all is positive: bool [n] each.

    Negatives are dropped at random, the same share of them in every VOD, positives never. Where positives have the
    share already, or where there are none, all stay.

    Args:
        labels: of each VOD's training side: bool [n].
        positives: the share aimed at, above 0 and up to 1.
        seed: of the choice.
    """
    rng = np.random.default_rng(seed)
    negatives = [np.flatnonzero(~label) for label in labels]
    counts = [len(label) - len(numbers) for label, numbers in zip(labels, negatives, strict=True)]
    kept = kept_negatives(counts, [len(numbers) for numbers in negatives], positives)
    stay = []
    for label, numbers, count in zip(labels, negatives, kept, strict=True):
        chosen = np.ones(len(label), dtype=bool)
        if count < len(numbers):
            chosen[rng.permutation(numbers)[count:]] = False
        stay.append(chosen)
    return stay


def kept_negatives(positive: Sequence[int], negative: Sequence[int], share: float) -> list[int]:
    """How many negatives of each VOD stay, so that this share of all instants is positive.

    Args:
        positive, negative: the counts of each VOD's training side.
        share: of the positives, above 0 and up to 1.
    """
    total, available = sum(positive), sum(negative)
    wanted = round(total * (1 - share) / share)
    if not total or wanted >= available:
        return list(negative)
    before, kept = 0, []
    for count in negative:
        kept.append((before + count) * wanted // available - before * wanted // available)
        before += count
    return kept
