import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lolhl.data.balance import rebalanced


@settings(deadline=None)
@given(st.integers(0, 300), st.integers(0, 300), st.floats(0.01, 1.0), st.integers(0, 5))
def test_only_negatives_go_and_only_as_many_as_needed(positives: int, negatives: int, share: float, seed: int) -> None:
    labels = np.random.default_rng(seed).permutation(np.arange(positives + negatives) < positives)
    stay = rebalanced(labels, share, seed)
    assert stay[labels].all()
    left = int((stay & ~labels).sum())
    if positives and positives / (positives + negatives) < share:
        assert abs(left - positives * (1 - share) / share) <= 0.5
    else:
        assert left == negatives
    assert (stay == rebalanced(labels, share, seed)).all()


def test_thirty_percent() -> None:
    labels = np.arange(10_000) % 7 == 0
    stay = rebalanced(labels, 0.30, seed=0)
    assert labels[stay].mean() == pytest.approx(0.30, abs=1e-4)
    # Negatives go evenly, wherever they stand.
    halves = stay[:5000].sum(), stay[5000:].sum()
    assert abs(halves[0] / halves[1] - 1) < 0.05
    assert (stay != rebalanced(labels, 0.30, seed=1)).any()
