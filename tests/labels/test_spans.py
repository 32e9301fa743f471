"""Spans on the grid and back."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lolhl import grid
from lolhl.labels.spans import from_grid, on_grid

RATES = st.sampled_from([Fraction(3), Fraction(1, 2), Fraction(30000, 1001), Fraction(7), Fraction(1, 3)])


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 200_000), RATES)
def test_the_instants_of_spans_come_back(inside: list[bool], before: int, fps: Fraction) -> None:
    instants = np.concatenate([np.zeros(before, dtype=bool), np.array(inside, dtype=bool)])
    np.testing.assert_array_equal(on_grid(from_grid(instants, fps), len(instants), fps), instants)


@given(st.integers(0, 10**9), RATES)
def test_the_frame_of_an_instant_is_the_frame(frame: int, fps: Fraction) -> None:
    assert grid.first_frame_at(grid.time_of(frame, fps), fps) == frame
