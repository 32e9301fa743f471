"""Scores without a label: what stands out of a stream's own baseline is high, and what is not known counts nothing."""

from fractions import Fraction

import numpy as np
import pytest

from lolhl.models.unsupervised import Known, Values, earlier, join, scores, standardised

FPS = Fraction(3)
T = 1800


def noise(seed: int = 0) -> Values:
    return np.random.default_rng(seed).normal(size=T)


def known(value: bool = True) -> Known:
    return np.full(T, value)


def event(at: int = 900, seconds: int = 10, height: float = 5.0) -> Values:
    values = np.zeros(T)
    values[at : at + 3 * seconds] = height
    return values


def test_level_and_unit_of_a_signal_do_not_matter() -> None:
    values = noise() + event()
    above, sure = standardised(values, known(), FPS)
    assert sure.all()
    assert 900 <= int(above.argmax()) < 930
    assert abs(np.median(above)) < 1e-9
    np.testing.assert_allclose(standardised(values * 7 - 40, known(), FPS)[0], above, atol=1e-9)


def test_a_signal_that_never_changes_says_nothing() -> None:
    above, sure = standardised(np.full(T, -100.0), known(), FPS)
    assert not above.any()
    assert not sure.any()


def test_a_signal_that_is_mostly_zero_has_a_spread() -> None:
    above, sure = standardised(event(seconds=4), known(), FPS)
    assert sure.all()
    assert above.max() > 1


def test_what_is_not_known_flows_into_nothing() -> None:
    sure = known()
    sure[600:900] = False
    values = noise()
    loud = values.copy()
    loud[600:900] = 1e6
    above, _ = standardised(loud, sure, FPS)
    np.testing.assert_array_equal(above, standardised(values, sure, FPS)[0])
    assert not above[600:900].any()


def test_a_signal_counts_where_it_is_known() -> None:
    half = known()
    half[900:] = False
    loudness = (noise(1) + event(300), half)
    chat = (noise(2) + event(1500), known())
    joined = join({"loudness": loudness, "chat": chat}, FPS)
    assert 300 <= int(joined[:900].argmax()) < 330
    assert 1500 <= 900 + int(joined[900:].argmax()) < 1530
    alone = join({"chat": chat}, FPS)
    np.testing.assert_allclose(joined[900:], alone[900:])


@pytest.mark.parametrize("share", [0.05, 0.15, 0.5])
def test_scores_keep_the_order_and_half_is_reached_by_the_share(share: float) -> None:
    joined = noise()
    probabilities = scores(joined, share)
    assert probabilities.dtype == np.float32
    assert ((probabilities > 0) & (probabilities < 1)).all()
    np.testing.assert_array_equal(np.argsort(probabilities, kind="stable"), np.argsort(joined, kind="stable"))
    assert (probabilities >= 0.5).mean() == pytest.approx(share, abs=0.01)


def test_nothing_known_is_nothing_called() -> None:
    nothing = {"loudness": (np.zeros(T), known(False)), "chat": (np.zeros(T), known(False))}
    assert not scores(join(nothing, FPS)).any()
    assert len(scores(np.zeros(0))) == 0


def test_people_write_later_than_they_see() -> None:
    values, sure = earlier(event(900), known(), FPS, 7.0)
    assert np.flatnonzero(values)[0] == 900 - 21
    assert sure[: T - 21].all()
    assert not sure[T - 21 :].any()
    assert not earlier(event(), known(), FPS, 1e6)[1].any()
