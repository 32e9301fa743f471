"""Where a VOD is cut between its games, and what goes to which side."""

from fractions import Fraction

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lolhl.data.split import DROPPED, TRAIN, VALIDATION
from lolhl.data.split_games import by_games, choose_games, game_parts
from lolhl.labels.spans import Span, merge, on_grid

FPS = Fraction(3)
GAMES = [Span(10, 50), Span(70, 120), Span(140, 190)]


def borders(*labels: Span) -> list[float]:
    return [border / 3 for border in game_parts(labels, GAMES, 600, FPS).borders]


def test_a_border_lies_half_way_and_beside_an_event() -> None:
    assert borders() == [0, 60, 130, 200]
    assert borders(Span(58, 66), Span(120, 131)) == [0, 58, 131, 200]
    assert borders(Span(55, 60), Span(130, 135)) == [0, 60, 130, 200]


def test_an_event_from_one_game_into_the_next_joins_neither_more() -> None:
    assert borders(Span(40, 160)) == [0, 40, 160, 200]


def test_games_after_the_frames_end_have_no_part() -> None:
    assert list(game_parts([], GAMES, 150, FPS).borders) == [0, 150]
    parts = game_parts([Span(20, 30)], GAMES, 600, FPS, np.arange(600) < 75)
    assert list(parts.counts) == [(75, 15), (0, 0), (0, 0)]


lengths = st.lists(st.floats(5, 60), min_size=4, max_size=12)


@given(lengths, st.lists(st.tuples(st.floats(0, 300), st.floats(0.5, 30)), max_size=8), st.integers(0, 99))
def test_no_event_is_cut_and_the_guard_holds(gaps: list[float], events: list[tuple[float, float]], seed: int) -> None:
    times = np.cumsum(gaps).tolist()
    games = [Span(start, stop) for start, stop in zip(times[::2], times[1::2], strict=False)]
    frames = int(times[-1] * FPS) + 20
    spans = merge(Span(start, start + length) for start, length in events)
    parts = game_parts(spans, games, frames, FPS)
    held = choose_games({"v": parts}, validation=0.3, seed=seed)["v"]
    side = by_games(parts, held, FPS, 10.0)
    assert len(side) == frames
    assert 0 < len(held) < len(parts.counts) or len(parts.counts) == 1
    for span in spans:
        within = side[on_grid([span], frames, FPS)]
        assert not ((within == TRAIN).any() and (within == VALIDATION).any())
        assert len(set(within.tolist()) - {DROPPED}) <= 1
    trained, judged = np.flatnonzero(side == TRAIN), np.flatnonzero(side == VALIDATION)
    if len(trained) and len(judged):
        assert np.abs(trained[:, None] - judged).min() >= 30
