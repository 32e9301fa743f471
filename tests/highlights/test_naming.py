"""What highlights are called."""

import pytest

from lolhl.highlights.cut import Highlight
from lolhl.highlights.naming import named
from lolhl.labels.spans import Span

HAPPENED = [
    Span(10, 20, "kill", 1),
    Span(30, 50, "triple kill, baron", 8),
    Span(60, 70, "kill", 1),
    Span(80, 90, "ace, dragon", 3),
]


@pytest.mark.parametrize(
    ("start", "stop", "name"),
    [
        (0, 9, "highlight 1"),
        (0, 10.5, "highlight 1"),  # they hardly touch
        (0, 12, "kill"),
        (15, 35, "triple kill, baron, kill"),
        (10, 70, "triple kill, baron, kill"),  # once
        (0, 100, "triple kill, baron, ace, dragon, kill"),
        (55, 100, "ace, dragon, kill"),
    ],
)
def test_a_highlight_is_named_by_what_happened_in_it(start: float, stop: float, name: str) -> None:
    highlight = Highlight(Span(start, stop, "highlight 1", 0.9), 1, 0.9, start, 0.8, "reached 0.90")
    (shown,) = named([highlight], HAPPENED)
    assert (shown.span, shown.rank) == (Span(start, stop, name, 0.9), 1)
    assert shown.reason == ("reached 0.90" if name == "highlight 1" else f"{name}: reached 0.90")
