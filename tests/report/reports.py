"""Reports made up for tests of the page."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
from playwright.sync_api import Page

from lolhl.evaluate.events import TIOUS, match_spans
from lolhl.highlights.cut import Limits, find, reason_for_none
from lolhl.highlights.intensity import centred_mean
from lolhl.highlights.offers import Offer, offers
from lolhl.labels.spans import Span
from lolhl.report.page import Link, PageCut, PageHighlight, Report, Table

Open = Callable[[Report], Page]
"""Shows a report in a browser."""

FPS = Fraction(3)
HOSTILE = "</script><script>window.owned=1</script><img src=x onerror=window.owned=2>\"'&amp;$title ${data} \u2028<!--"


def made_up(
    peaks: Sequence[tuple[float, float]] = ((100, 0.9), (400, 0.7), (800, 0.8)), seconds: float = 1200, **changes: Any
) -> Report:
    """A stream whose scores rise for 10 s around each (time, height); the rest is at 0.1."""
    times = np.arange(int(seconds * FPS)) / 3
    scores = np.full(len(times), 0.1)
    for time, height in peaks:
        scores[np.abs(times - time) <= 5] = height
    smoothed, limits = centred_mean(scores, FPS, 1), Limits(threshold=0.5, low_ratio=0.85, pad_before=1, pad_after=1)
    highlights = find(smoothed, FPS, seconds, limits)
    spans = [highlight.span for highlight in highlights]
    pairs = match_spans(changes.get("labels") or [], spans, TIOUS[0])
    matches = {place: label for label, place in pairs}
    present = Offer(None, 0.5, highlights)
    cuts = offers(
        lambda level: find(smoothed, FPS, seconds, replace(limits, threshold=level)), smoothed, 3.0, present, present
    )
    report = Report(
        vod="my-stream",
        title="A stream",
        model="kills",
        twitch_id=None,
        offset=0,
        duration=seconds,
        video=None,
        fps=FPS,
        smoothed=smoothed,
        smooth_seconds=1,
        intensity=centred_mean(scores, FPS, 30),
        intensity_seconds=30,
        threshold=0.5,
        low=0.35,
        cuts=[PageCut(cut, [None] * len(cut.highlights)) for cut in cuts],
        highlights=[PageHighlight(highlight, label=matches.get(place)) for place, highlight in enumerate(highlights)],
        reason=None if highlights else reason_for_none(smoothed, limits),
        labels=None,
        chapters=[],
        agreement=None,
        tables=[],
        files=[],
        settings="Cut so and so.",
    )
    return replace(report, **changes)


def hostile() -> Report:
    """Everything that strangers may name is named to break out of the page."""
    return replace(
        named(HOSTILE),
        twitch_id='1"><script>window.owned=3</script>',
        chapters=[Span(0, 600, HOSTILE), Span(600, 1200, "javascript:window.owned=4")],
    )


def named(name: str) -> Report:
    """Everything that may have a name is called this."""
    return made_up(
        title=name,
        model=name,
        chapters=[Span(0, 1200, name)],
        games=[Span(50, 900, name)],
        labels=[Span(95, 110, name), Span(300, 310, name)],  # the second is no highlight
        agreement=(name, name),
        tables=[Table(name, (name, name), ((name, name),), name)],
        files=[Link(name, "clips/x.mp4")],
        settings=name,
    )
