"""Chunks never cut an event, and are the same at any frame rate."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolhl import grid
from lolhl.labels.chunks import chunks
from lolhl.labels.spans import Span, on_grid

RATES = (Fraction(3), Fraction(2), Fraction(30000, 1001))


def test_chunks_hold_whole_events_at_any_rate() -> None:
    spans = [Span(10, 20), Span(28, 31), Span(55, 95), Span(120, 125), Span(140, 150)]
    at = {fps: chunks(spans, int(200 * fps), fps) for fps in RATES}
    for fps, numbers in at.items():
        times = grid.times(len(numbers), fps)
        assert [numbers[np.searchsorted(times, t)] for t in (0, 45, 100, 121, 149, 151, 181)] == [0, 0, 0, 4, 4, 5, 6]
        events = on_grid(spans, len(numbers), fps)
        changes = np.flatnonzero(np.diff(numbers))
        assert not (events[changes] & events[changes + 1]).any()
    assert all(set(a) == set(b) for a, b in itertools.pairwise(at.values()))


def test_a_border_that_no_frame_of_the_event_lies_before_is_crossed_all_the_same() -> None:
    assert set(chunks([Span(29.9, 35)], 180, Fraction(3))) == {0}
    assert set(chunks([Span(30, 35), Span(25, 30)], 180, Fraction(3))) == {0}  # two that touch are one event


def test_what_lies_beyond_the_last_frame_joins_nothing() -> None:
    assert chunks([Span(59, 300)], 180, Fraction(3)).tolist() == [0] * 90 + [1] * 90
    assert chunks([Span(1, 2)], 0, Fraction(3)).tolist() == []


@pytest.mark.parametrize("seconds", [1.0, 30.0, 12.5])
@given(
    spans=st.lists(st.tuples(st.integers(0, 3000), st.integers(1, 900)), max_size=8),
    count=st.integers(0, 900),
    fps=st.sampled_from([*RATES, Fraction(1, 7)]),
)
def test_no_event_is_cut(seconds: float, spans: list[tuple[int, int]], count: int, fps: Fraction) -> None:
    labels = [Span(start / 10, (start + length) / 10) for start, length in spans]
    numbers = chunks(labels, count, fps, seconds)
    assert len(numbers) == count
    assert (np.diff(numbers) >= 0).all()
    assert (numbers <= grid.times(count, fps) / seconds + 1e-9).all()
    for span in labels:
        inside = numbers[grid.first_frame_at(span.start, fps) : grid.first_frame_at(span.stop, fps)]
        assert len(set(inside.tolist())) <= 1
