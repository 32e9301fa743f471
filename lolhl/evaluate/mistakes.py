"""What a method gets wrong, worst first: labelled events that it misses, and highlights that nobody labelled.

A miss is a labelled event without a highlight, a false alarm a highlight without a labelled event, by the one-to-one
matching at the lowest overlap of `events.TIOUS`. What overlaps nothing at all comes before what is merely cut
otherwise. A miss is the worse, the lower its highest smoothed score; a false alarm, the higher that is.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from lolhl import grid
from lolhl.evaluate.events import TIOUS, best_overlaps, match_spans
from lolhl.evaluate.figures import Mistake
from lolhl.evaluate.judge import Prediction
from lolhl.labels.spans import Span


def misses(vods: Sequence[Prediction]) -> list[Mistake]:
    """All labelled events of these VODs that no highlight matches, worst first."""
    mistakes = [mistake for vod in vods for mistake in _unmatched(vod, vod.labels, vod.spans)]
    return sorted(mistakes, key=lambda mistake: (mistake.overlap > 0, mistake.score))


def false_alarms(vods: Sequence[Prediction]) -> list[Mistake]:
    """All highlights of these VODs that match no labelled event, worst first."""
    mistakes = [mistake for vod in vods for mistake in _unmatched(vod, vod.spans, vod.labels)]
    return sorted(mistakes, key=lambda mistake: (mistake.overlap > 0, -mistake.score))


def _unmatched(vod: Prediction, spans: Sequence[Span], others: Sequence[Span]) -> Iterator[Mistake]:
    matched = {place for place, _ in match_spans(spans, others, TIOUS[0])}
    overlaps = best_overlaps(spans, others)
    for place, span in enumerate(spans):
        if place not in matched:
            peak, score = _peak(vod, span)
            yield Mistake(
                vod=vod.vod, start=span.start, stop=span.stop, peak=peak, score=score, overlap=float(overlaps[place])
            )


def _peak(vod: Prediction, span: Span) -> tuple[float, float]:
    """The second of the highest score within, and that score; of a span without an instant those of its middle."""
    first, end = (grid.first_frame_at(time, vod.fps) for time in (span.start, span.stop))
    scores = vod.scores[first:end]
    if not len(scores):
        last = len(vod.scores) - 1
        score = float(vod.scores[min(first, last)]) if last >= 0 else 0.0
        return (span.start + span.stop) / 2, score
    best = int(np.argmax(scores))
    return grid.time_of(first + best, vod.fps), float(scores[best])
