"""What changed in the labels of each VOD since the last retraining."""

from collections.abc import Mapping, Sequence

from lolhl import grid
from lolhl.evaluate.events import event_figures
from lolhl.labels.spans import Span
from lolhl.results import LabelChange, Retraining


def listed(labels: Mapping[str, Sequence[Span]]) -> dict[str, Sequence[str]]:
    """The labels as a manifest holds them."""
    return {
        vod: [f"{grid.format_time(span.start)}-{grid.format_time(span.stop)}" for span in spans]
        for vod, spans in labels.items()
    }


def changes_since(last: Retraining | None, labels: Mapping[str, Sequence[Span]]) -> dict[str, LabelChange]:
    """Of each VOD how many labels there are, and how many were added, removed, or moved since the last retraining.

    Where the labels are those of the last one, so are the changes: to judge again tells the same of them.
    """
    after = listed(labels)
    if last and last.labels == after:
        return last.changes
    before = last.labels if last else {}
    changes = {}
    for vod in sorted({*before, *after}):
        then, now = {*before.get(vod, ())}, {*after.get(vod, ())}
        removed, added = ([_parse_span(text) for text in sorted(texts)] for texts in (then - now, now - then))
        moved = event_figures({vod: removed}, {vod: added}, 0.01).matched  # they overlap
        changes[vod] = LabelChange(labels=len(now), added=len(added) - moved, removed=len(removed) - moved, moved=moved)
    return changes


def _parse_span(text: str) -> Span:
    start, stop = text.split("-")
    return Span(grid.parse_time(start), grid.parse_time(stop))
