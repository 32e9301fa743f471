"""Scores that count less outside of games, and how much less by what people label."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolhl.highlights.outside_games import USUAL, LabelledGames, OutsideGames, marked_down, odds_outside
from lolhl.labels.spans import Span

FPS = Fraction(3)
HOUR = 3600.0


def vod(*labels: Span, games: tuple[Span, ...] = (Span(HOUR, 2 * HOUR),), seconds: float = 3 * HOUR) -> LabelledGames:
    return LabelledGames(labels, [Span(0, seconds)], games)


def every(period: float, length: float, start: float, stop: float) -> list[Span]:
    return [Span(at, at + length) for at in np.arange(start, stop, period).tolist()]


def test_the_odds_are_multiplied_outside_and_stay_as_they_are_within() -> None:
    scores = np.full(12, 0.75, dtype=np.float32)
    lower = marked_down(scores, FPS, OutsideGames(odds=1 / 9, games=[(1.0, 2.0), (3.0, 9.0)]))
    assert lower.dtype == np.float32
    assert lower.tolist() == pytest.approx([0.25] * 3 + [0.75] * 3 + [0.25] * 3 + [0.75] * 3)
    assert marked_down(scores, FPS, None) is scores


@given(st.lists(st.floats(0, 1, width=32), min_size=1), st.floats(1e-3, 1))
def test_their_order_stays_and_none_rises(values: list[float], odds: float) -> None:
    scores = np.sort(np.array(values, dtype=np.float32))
    lower = marked_down(scores, FPS, OutsideGames(odds=odds, games=[]))
    assert np.all(np.diff(lower) >= 0)
    assert np.all(lower <= scores * (1 + 1e-6))
    assert np.all((lower >= 0) & (lower <= 1))


def test_without_labels_it_is_the_usual_number() -> None:
    assert odds_outside([]) == USUAL
    assert odds_outside([vod()]) == USUAL
    assert odds_outside([vod(*every(100, 10, 0, HOUR), games=())]) == USUAL


def test_labels_in_games_alone_make_it_smaller_the_more_was_looked_at() -> None:
    labels = every(100, 10, HOUR, 2 * HOUR)
    short, long = (odds_outside([vod(*labels, seconds=2 * HOUR + more)]) for more in (0.0, 20 * HOUR))
    assert 0 < long < short < USUAL
    only = LabelledGames(labels, [Span(HOUR, 2 * HOUR)], [Span(HOUR, 2 * HOUR)])
    assert odds_outside([only]) == pytest.approx(USUAL)


def test_labels_outside_of_games_say_otherwise() -> None:
    inside = every(100, 10, HOUR, 2 * HOUR)
    assert odds_outside([vod(*every(100, 10, 0, 3 * HOUR))]) == pytest.approx(1, abs=0.1)
    assert odds_outside([vod(*inside, *every(50, 20, 2 * HOUR, 3 * HOUR))]) == 1.0
    few = odds_outside([vod(*inside, *every(1000, 10, 0, HOUR), *every(1000, 10, 2 * HOUR, 3 * HOUR))])
    assert USUAL < few < 0.2


def test_what_nobody_has_looked_at_does_not_count() -> None:
    labels = [*every(100, 10, HOUR, 2 * HOUR), *every(50, 20, 2 * HOUR, 3 * HOUR)]
    seen = LabelledGames(labels, [Span(HOUR, 2 * HOUR)], [Span(HOUR, 2 * HOUR)])
    assert odds_outside([seen]) == pytest.approx(USUAL)
