"""The highlights of a VOD as their editor left them on the review page."""

from collections.abc import Sequence
from dataclasses import replace

from lolhl.highlights.cut import Highlight
from lolhl.labels.spans import Span
from lolhl.review.corrections import Correction, Corrections, borders


def corrected(highlights: Sequence[Highlight], corrections: Corrections, duration: float) -> list[Highlight]:
    """The highlights without those that were rejected, with the borders that were moved and those that were added.

    What was judged stays where the VOD is cut otherwise than it was then: an accepted span is there as if it had been
    added, and a highlight of the same moment is not.

    Args:
        highlights: as they were found, best first.
        corrections: of their VOD.
        duration: of the VOD's video, in seconds.

    Returns:
        They have the ranks that they had. Those that were added come last, in order of time, with the ranks after that.
    """
    present = {borders((highlight.span.start, highlight.span.stop)) for highlight in highlights}
    verdicts = {borders(span.was): span for span in corrections.spans if span.was and borders(span.was) in present}
    others = [span for span in corrections.spans if not span.was or borders(span.was) not in present]
    kept = []
    for highlight in highlights:
        span = highlight.span
        verdict = verdicts.get(borders((span.start, span.stop)))
        if verdict is None:
            if not any(_shows_the_same_moment(span, other) for other in others):
                kept.append(highlight)
        elif verdict.verdict == "accepted":
            kept.append(replace(highlight, span=replace(span, start=verdict.start, stop=min(verdict.stop, duration))))
    added = sorted(
        (span.start, min(span.stop, duration))
        for span in others
        if span.verdict == "accepted" and span.start < duration
    )
    return [
        *kept,
        *(
            Highlight(Span(start, stop, f"highlight {rank}"), rank, 0.0, start, 0.0, "added by hand")
            for rank, (start, stop) in enumerate(added, start=len(highlights) + 1)
        ),
    ]


def _shows_the_same_moment(span: Span, other: Correction) -> bool:
    """Whether they share more than half of the shorter one. The page's script decides it in the same way."""
    shared = min(span.stop, other.stop) - max(span.start, other.start)
    return shared > min(span.duration, other.stop - other.start) / 2
