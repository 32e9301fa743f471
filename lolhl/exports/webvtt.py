"""Chapters for `<track kind="chapters">` (W3C WebVTT), which players show beside a video."""

import html
from collections.abc import Sequence

from lolhl.exports.cut_list import CutList, one_line
from lolhl.labels.spans import Span


def write(cuts: CutList) -> bytes:
    """A cue for each highlight."""
    return cues(cuts.spans).encode()


def cues(spans: Sequence[Span]) -> str:
    """The spans, in seconds, as cues in order of time."""
    texts = [
        f"\n{_time(span.start)} --> {_time(span.stop)}\n{html.escape(one_line(span.name), quote=False)}\n"
        for span in sorted(spans)
    ]
    return "WEBVTT\n" + "".join(texts)


def _time(seconds: float) -> str:
    millis = round(seconds * 1000)
    return f"{millis // 3_600_000:02}:{millis // 60_000 % 60:02}:{millis // 1000 % 60:02}.{millis % 1000:03}"
