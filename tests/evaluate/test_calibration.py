"""Probabilities that mean what they say."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.special import expit

from lolhl.errors import ModelError
from lolhl.evaluate.calibration import Calibration, calibrate, rebalancing_offset, reliability
from lolhl.evaluate.groups import Groups

FPS = 3.0


def instants(
    n: int, slope: float, offset: float, seed: int = 0
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Labels, and scores whose log-odds would have to be multiplied and shifted so."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(0, 2, n)
    return rng.random(n) < expit(slope * odds + offset), expit(odds)


def test_much_to_go_by_gives_the_line_itself() -> None:
    labels, scores = instants(60_000, 0.6, -1.5)
    line = calibrate(labels, scores, FPS)
    assert line.slope == pytest.approx(0.6, rel=0.05)
    assert line.offset == pytest.approx(-1.5, abs=0.1)
    calibrated = line.apply(scores)
    assert calibrated.dtype == np.float32
    assert calibrated.mean() == pytest.approx(labels.mean(), abs=0.005)
    assert np.array_equal(np.argsort(calibrated[:500], kind="stable"), np.argsort(scores[:500], kind="stable"))


def test_little_to_go_by_undoes_the_rebalancing_alone() -> None:
    labels, scores = instants(15, 3.0, 2.0)
    offset = rebalancing_offset(0.1, 0.3)
    assert expit(np.log(0.3 / 0.7) + offset) == pytest.approx(0.1)
    line = calibrate(labels, scores, FPS, offset)
    assert line.slope == pytest.approx(1, abs=0.4)
    assert line.offset == pytest.approx(offset, abs=1)
    nothing = calibrate(labels[:0], scores[:0], FPS, offset)
    assert (nothing.slope, nothing.offset) == (1, offset)


def test_labels_all_on_one_side_give_a_line_all_the_same() -> None:
    _, scores = instants(3000, 1, 0)
    for label in (True, False):
        line = calibrate(np.full(3000, label), scores, FPS)
        assert 0.04 < line.slope < 21
        assert np.isfinite(line.apply(scores)).all()


def test_certainty_stays_a_probability() -> None:
    calibrated = Calibration(2.0, -3.0).apply(np.array([0.0, 0.5, 1.0]))
    assert (calibrated >= 0).all()
    assert (calibrated <= 1).all()
    assert np.array_equal(Calibration().apply(np.array([0.0, 0.25, 1.0])), np.array([0, 0.25, 1], dtype=np.float32))


def test_scores_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ModelError, match="train again"):
        calibrate(np.zeros(2, dtype=bool), np.array([0.5, np.nan]), FPS)


def test_reliability_is_taken_where_nothing_was_calibrated() -> None:
    labels, scores = instants(20_000, 0.5, -2.0)
    groups = Groups.from_names(np.repeat([f"v/{number}" for number in range(20)], 1000))
    figures = reliability(labels, scores, groups, FPS)
    assert figures
    assert figures.error < 0.02 < 0.2 < figures.raw_error
    assert sum(part.instants for part in figures.bins) == 20_000
    assert all(part.low <= part.probability < part.high for part in figures.bins)
    assert all(
        part.labelled == pytest.approx(part.probability, abs=0.1) for part in figures.bins if part.instants > 500
    )
    assert reliability(labels, scores, Groups.of_one("v/0", 20_000), FPS) is None


def test_chance_alone_is_not_called_reliable() -> None:
    """Each group says something else of the same scores: what one teaches fails on the next."""
    scores = np.tile([0.2, 0.8], 500)
    labels = np.concatenate([np.tile([False, True], 250), np.tile([True, False], 250)])
    figures = reliability(labels, scores, Groups.from_names(np.repeat(["a", "b"], 500)), FPS)
    assert figures
    assert figures.error > 0.4
