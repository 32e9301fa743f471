"""Names of highlights for people: what happened in the game there, where that is known."""

from collections.abc import Sequence
from dataclasses import replace

from lolhl.highlights.cut import Highlight
from lolhl.labels.spans import Span

_MOST = 3  # stretches of a game that give a highlight its name
_TOUCH = 1.0  # seconds that a stretch and a highlight must share


def named(highlights: Sequence[Highlight], happened: Sequence[Span]) -> list[Highlight]:
    """The highlights with names such as "triple kill, baron" where something happened; others keep theirs.

    Args:
        highlights: of a video.
        happened: stretches of the same video, named by what happened in them, with its weight as score.
    """
    return [_named(highlight, _name(highlight.span, happened)) for highlight in highlights]


def _name(span: Span, happened: Sequence[Span]) -> str:
    """What happened in a span, the weightiest first; "" where nothing did."""
    shared = [
        stretch for stretch in happened if min(stretch.stop, span.stop) - max(stretch.start, span.start) >= _TOUCH
    ]
    weightiest = sorted(shared, key=lambda stretch: (-(stretch.score or 0.0), stretch.start))[:_MOST]
    return ", ".join(dict.fromkeys(word for stretch in weightiest for word in stretch.name.split(", ")))


def _named(highlight: Highlight, name: str) -> Highlight:
    if not name:
        return highlight
    return replace(highlight, span=replace(highlight.span, name=name), reason=f"{name}: {highlight.reason}")
