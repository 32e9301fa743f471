from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolhl.highlights.intensity import centred_mean

THREE = Fraction(3)


@given(
    st.lists(st.floats(0, 1, width=32), max_size=80),
    st.sampled_from([THREE, Fraction(1, 2), Fraction(30000, 1001)]),
    st.floats(0, 40),
)
def test_it_is_the_mean_of_the_instants_at_most_half_a_window_away(
    scores: list[float], fps: Fraction, seconds: float
) -> None:
    means = centred_mean(np.array(scores, dtype=np.float32), fps, seconds)
    assert means.dtype == np.float64
    assert len(means) == len(scores)
    for k in range(len(scores)):
        near = [s for j, s in enumerate(scores) if abs(Fraction(j - k) / fps) <= Fraction(seconds) / 2]
        assert means[k] == pytest.approx(np.mean(near), abs=1e-9)


def test_it_is_centred() -> None:
    impulse = np.zeros(181)
    impulse[90] = 1
    around = np.flatnonzero(centred_mean(impulse, THREE, 30) > 0.5 / 91)
    assert (around[0], around[-1]) == (90 - 45, 90 + 45)


def test_a_window_shorter_than_the_grid_changes_nothing() -> None:
    scores = np.array([0.1, 0.9, 0.3], dtype=np.float32)
    assert (centred_mean(scores, THREE, 0) == scores).all()
    assert (centred_mean(scores, THREE, 0.5) == scores).all()


def test_a_constant_stays_within_rounding_over_a_long_stream() -> None:
    assert np.abs(centred_mean(np.full(200_000, 0.3), THREE, 30) - 0.3).max() < 1e-9
