"""The highlights of a VOD as their editor left them on the review page."""

from collections.abc import Sequence
from dataclasses import replace

from msgspec import structs

from lolhl.highlights.cut import Highlight
from lolhl.labels.spans import Span
from lolhl.review.corrections import Correction, Corrections, borders


def corrected(highlights: Sequence[Highlight], corrections: Corrections, duration: float) -> list[Highlight]:
    """The highlights without those that were rejected, with the borders that were moved and those that were added.

    What was judged stays where the VOD is cut otherwise than it was then. An accepted span takes the place of the best
    highlight of the same moment, with its rank, and further highlights of that moment go; where there is none, it is
    there as if it had been added. What overlaps is made one, so that nothing is shown twice.

    Args:
        highlights: as they were found, best first.
        corrections: of their VOD.
        duration: of the VOD's video, in seconds.

    Returns:
        By rank. They have the ranks that they had. Those that were added come last, in order of time, with the ranks
        after that.
    """
    present = {borders((highlight.span.start, highlight.span.stop)) for highlight in highlights}
    within = [
        structs.replace(span, stop=min(span.stop, duration)) for span in corrections.spans if span.start < duration
    ]
    verdicts = {borders(span.was): span for span in within if span.was and borders(span.was) in present}
    others = [span for span in within if not span.was or borders(span.was) not in present]
    added = sorted((span for span in others if span.verdict == "accepted"), key=lambda span: (span.start, span.stop))
    kept = []
    for highlight in highlights:
        span = highlight.span
        verdict = verdicts.get(borders((span.start, span.stop)))
        if verdict is None and any(_shows_the_same_moment(span, other) for other in others):
            verdict = next((other for other in added if _shows_the_same_moment(span, other)), None)
            if verdict is None:  # it was rejected, or the place of a better highlight was taken
                continue
            added.remove(verdict)
        if verdict is None:
            kept.append(highlight)
        elif verdict.verdict == "accepted":
            kept.append(replace(highlight, span=replace(span, start=verdict.start, stop=verdict.stop)))
    return _without_overlaps([*kept, *(_added(span, rank) for rank, span in enumerate(added, len(highlights) + 1))])


def _added(span: Correction, rank: int) -> Highlight:
    reason = "accepted when the stream was cut otherwise" if span.was else "added by hand"
    return Highlight(Span(span.start, span.stop, f"highlight {rank}"), rank, 0.0, span.start, 0.0, reason)


def _without_overlaps(highlights: Sequence[Highlight]) -> list[Highlight]:
    """The highlights by rank. Those that overlap are one, which is as long as all and else as the best of them."""
    joined: list[Highlight] = []
    for highlight in sorted(highlights, key=lambda highlight: highlight.span.start):
        if joined and highlight.span.start < joined[-1].span.stop:
            last = joined.pop()
            best, stop = min(last, highlight, key=_rank), max(last.span.stop, highlight.span.stop)
            highlight = replace(best, span=replace(best.span, start=last.span.start, stop=stop))
        joined.append(highlight)
    return sorted(joined, key=_rank)


def _rank(highlight: Highlight) -> int:
    return highlight.rank


def _shows_the_same_moment(span: Span, other: Correction) -> bool:
    """Whether they share more than half of the shorter one. The page's script decides it in the same way."""
    shared = min(span.stop, other.stop) - max(span.start, other.start)
    return shared > min(span.duration, other.stop - other.start) / 2
