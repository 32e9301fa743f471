import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lolhl.data.balance import kept_negatives, rebalanced


@settings(deadline=None)
@given(st.integers(0, 300), st.integers(0, 300), st.floats(0.01, 1.0), st.integers(0, 5))
def test_only_negatives_go_and_only_as_many_as_needed(positives: int, negatives: int, share: float, seed: int) -> None:
    labels = np.random.default_rng(seed).permutation(np.arange(positives + negatives) < positives)
    [stay] = rebalanced([labels], share, seed)
    assert stay[labels].all()
    left = int((stay & ~labels).sum())
    if positives and positives / (positives + negatives) < share:
        assert abs(left - positives * (1 - share) / share) <= 0.5
    else:
        assert left == negatives
    assert (stay == rebalanced([labels], share, seed)[0]).all()


def test_thirty_percent() -> None:
    labels = np.arange(10_000) % 7 == 0
    [stay] = rebalanced([labels], 0.30, seed=0)
    assert labels[stay].mean() == pytest.approx(0.30, abs=1e-4)
    # Negatives go evenly, wherever they stand.
    halves = stay[:5000].sum(), stay[5000:].sum()
    assert abs(halves[0] / halves[1] - 1) < 0.05
    assert (stay != rebalanced([labels], 0.30, seed=1)[0]).any()


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=8), st.floats(0.01, 1.0))
def test_each_vod_keeps_the_same_share_of_its_negatives(counts: list[tuple[int, int]], share: float) -> None:
    labels = [np.arange(positive + negative) < positive for positive, negative in counts]
    stay = rebalanced(labels, share, seed=0)
    kept = [int((chosen & ~label).sum()) for chosen, label in zip(stay, labels, strict=True)]
    assert kept == kept_negatives([positive for positive, _ in counts], [negative for _, negative in counts], share)
    total, available = sum(positive for positive, _ in counts), sum(negative for _, negative in counts)
    wanted = round(total * (1 - share) / share)
    assert sum(kept) == (min(wanted, available) if total else available)
    for (_, negative), count in zip(counts, kept, strict=True):
        assert abs(count - negative * sum(kept) / max(1, available)) < 1


def test_vods_of_the_same_length_keep_other_negatives() -> None:
    labels = np.arange(1000) % 10 == 0
    first, second = rebalanced([labels, labels], 0.30, seed=0)
    assert (first != second).any()
