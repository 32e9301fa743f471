"""The highlights of a VOD as their editor left them on the review page."""

from collections.abc import Sequence
from dataclasses import replace

from lolhl.highlights.cut import Highlight
from lolhl.labels.spans import Span
from lolhl.review.corrections import Corrections, borders


def corrected(highlights: Sequence[Highlight], corrections: Corrections, duration: float) -> list[Highlight]:
    """The highlights without those that were rejected, with the borders that were moved and those that were added.

    Args:
        highlights: as they were found, best first.
        corrections: of their VOD.
        duration: of the VOD's video, in seconds.

    Returns:
        They have the ranks that they had. Those that were added come last, in order of time, with the ranks after that.
    """
    verdicts = {borders(span.was): span for span in corrections.spans if span.was}
    kept = []
    for highlight in highlights:
        span = highlight.span
        verdict = verdicts.get(borders((span.start, span.stop)))
        if verdict is None:
            kept.append(highlight)
        elif verdict.verdict == "accepted":
            kept.append(replace(highlight, span=replace(span, start=verdict.start, stop=min(verdict.stop, duration))))
    added = sorted(
        (span.start, min(span.stop, duration))
        for span in corrections.spans
        if span.verdict == "accepted" and not span.was and span.start < duration
    )
    return [
        *kept,
        *(
            Highlight(Span(start, stop, f"highlight {rank}"), rank, 0.0, start, 0.0, "added by hand")
            for rank, (start, stop) in enumerate(added, start=len(highlights) + 1)
        ),
    ]
