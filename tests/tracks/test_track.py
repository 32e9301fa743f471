"""Tracks are read by windows: the values that were measured, and those in between."""

import tracemalloc
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lolhl import grid
from lolhl.storage import Root, open_root
from lolhl.tracks.rows import PART, Values, spread
from lolhl.tracks.scattered import Scattered
from tests.tracks.made import FPS, WHOLE, Counter, contents, filling, recipe, row


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return open_root(str(tmp_path / "root"))


def test_a_window_of_a_grid_is_what_was_measured(root: Root) -> None:
    track = filling(root, Counter(), recipe()).track()
    assert len(track) == WHOLE
    for first, stop in ((0, WHOLE), (PART - 3, PART + 2), (WHOLE - 1, WHOLE), (5, 5)):
        window = track.read(first, stop)
        np.testing.assert_array_equal(window.values, row(np.arange(first, stop)))
        assert window.values.dtype == np.float16
        assert window.known.tolist() == [True] * (stop - first)
    for numbers in ([WHOLE - 1, 0, PART, PART, 16], [5], []):
        chosen = np.array(numbers, dtype=np.int64)
        np.testing.assert_array_equal(track[chosen], row(chosen))
    np.testing.assert_array_equal(np.concatenate(list(track.batches())), row(np.arange(WHOLE)))
    for first, stop in ((-1, 3), (3, 2), (0, WHOLE + 1)):
        with pytest.raises(IndexError):
            track.read(first, stop)


def test_between_the_rows_of_a_scan_values_are_linear_and_not_known(root: Root) -> None:
    counter = Counter(step=2.002, rows=PART + 50)  # every 60th instant, and a tenth of a second
    track = filling(root, counter, recipe(layout="scan")).track()
    assert len(track) == counter.end.frames
    assert track.made.result.problem == "broken off"
    window = track.read(0, len(track))
    times = counter.times(np.arange(counter.rows))
    np.testing.assert_array_equal(
        window.values, spread(times, row(np.arange(counter.rows)), grid.times(len(track), FPS))
    )
    assert not window.known.any()
    np.testing.assert_array_equal(np.concatenate([rows.times for rows in track.rows()]), times)


def test_the_instants_of_a_scan_that_have_a_row_are_known(root: Root) -> None:
    class OnGrid(Counter):
        def times(self, numbers: np.ndarray) -> np.ndarray:
            return numbers * 60 * FPS.denominator / FPS.numerator

    track = filling(root, OnGrid(step=1.0, rows=5), recipe(layout="scan")).track()
    assert np.flatnonzero(track.read(0, len(track)).known).tolist() == [0, 60, 120, 180, 240]
    np.testing.assert_array_equal(track.read(60, 61).values, row(np.array([1])))


def test_reading_takes_memory_for_what_is_asked_alone(root: Root) -> None:
    track = filling(root, Counter(rows=2 * PART), recipe()).track()
    wide = np.zeros((PART, 1280), dtype=np.float16).nbytes
    tracemalloc.start()
    for first in range(0, len(track), 16):
        track.read(first, first + 16)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < wide / 10


def test_scattered_instants_are_kept_and_joined(root: Root) -> None:
    rng = np.random.default_rng(0)
    draws = [np.unique(rng.integers(0, WHOLE, 400)) for _ in range(3)]
    for numbers in draws:
        scattered = Scattered.open(root, recipe())
        new = numbers[~scattered.known(WHOLE)[numbers]]
        for some in np.array_split(new, 7):
            scattered.add(some, row(some))
        scattered.flush()
    scattered = Scattered.open(root, recipe())
    every = np.unique(np.concatenate(draws))
    assert np.flatnonzero(scattered.known(WHOLE)).tolist() == every.tolist()
    np.testing.assert_array_equal(scattered[every], row(every))
    assert len(contents(root)) == 3  # a file for each part of the whole track


def test_scattered_instants_of_two_runs_at_once_are_all_there_and_go_when_the_track_is_whole(root: Root) -> None:
    runs = [Scattered.open(root, recipe()) for _ in range(2)]
    for scattered, numbers in zip(runs, (np.arange(0, 50), np.arange(40, 90)), strict=True):
        scattered.add(numbers, row(numbers))
        scattered.flush()
    every = np.arange(90)
    np.testing.assert_array_equal(Scattered.open(root, recipe())[every], row(every))
    filling(root, Counter(), recipe()).track()
    assert not Scattered.open(root, recipe()).known(WHOLE).any()


rows = arrays.arrays(np.float16, st.tuples(st.integers(1, 12), st.just(3)), elements=st.floats(-60, 60, width=16))


@given(rows, st.data())
def test_spread_is_linear_between_rows_and_held_at_the_ends(values: Values, data: st.DataObject) -> None:
    steps = data.draw(st.lists(st.floats(0.01, 50), min_size=len(values), max_size=len(values)))
    times = np.cumsum(steps)
    wanted: npt.NDArray[np.float64] = np.array(data.draw(st.lists(st.floats(-10, 700), max_size=20)), dtype=np.float64)
    between = spread(times, values, wanted)
    assert between.dtype == np.float16
    each_column = [np.interp(wanted, times, values[:, column].astype(np.float64)) for column in range(3)]
    np.testing.assert_allclose(between, np.stack(each_column, axis=1), rtol=2e-3, atol=1e-3)
    np.testing.assert_array_equal(spread(times, values, times), values)
