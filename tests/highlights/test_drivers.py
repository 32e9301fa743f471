"""Which signals are said to have driven a highlight."""

from fractions import Fraction

import numpy as np
import pytest

from lolhl.highlights.cut import Highlight
from lolhl.highlights.drivers import drivers, explain
from lolhl.labels.spans import Span

FPS = Fraction(2)
SPAN = Span(10, 20)


def part(usual: float, inside: float) -> np.ndarray:
    """What a signal adds to the log-odds of 100 instants, and within the span."""
    values = np.full(100, usual, dtype=float)
    values[20:40] = inside
    return values


@pytest.mark.parametrize(
    ("pictures", "sound", "chat", "named"),
    [
        ((0, 1), (0, 3), (0, 0), ["sound"]),
        ((0, 2), (0, 3), (0, 0), ["sound", "pictures"]),
        ((-5, -3), (4, 4), (0, 0), ["pictures"]),  # what it adds more than usual counts, not how much it adds
        ((0, 1), (0, 1.9), (0, 1.5), ["sound", "chat", "pictures"]),
        ((0, -1), (0, 0), (0, 0), []),
    ],
)
def test_signals_that_say_more_than_usual_drove_it_the_strongest_first(
    pictures: tuple[float, float], sound: tuple[float, float], chat: tuple[float, float], named: list[str]
) -> None:
    parts = {"pictures": part(*pictures), "sound": part(*sound), "chat": part(*chat)}
    usual = {name: float(np.median(values)) for name, values in parts.items()}
    assert drivers(parts, usual, SPAN, FPS) == named
    (highlight,) = explain([Highlight(SPAN, 1, 0.9, 12.0, 0.8, "reached 0.90")], parts, FPS)
    assert highlight.reason == f"reached 0.90, driven by {' and '.join(named)}" if named else "reached 0.90"


def test_one_signal_alone_needs_no_name() -> None:
    highlight = Highlight(SPAN, 1, 0.9, 12.0, 0.8, "reached 0.90")
    assert explain([highlight], {"pictures": part(0, 3)}, FPS) == [highlight]
    assert explain([highlight], {}, FPS) == [highlight]


def test_a_span_at_or_beyond_the_end_of_the_scores_is_no_matter() -> None:
    parts = {"pictures": part(0, 1)[:30], "sound": part(0, 2)[:30]}
    usual = dict.fromkeys(parts, 0.0)
    assert drivers(parts, usual, SPAN, FPS) == ["sound", "pictures"]
    assert drivers(parts, usual, Span(60, 70), FPS) == []
