"""Highlights in the forms that other programs read. Times are seconds from the start of the video."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from lolhl import grid
from lolhl.labels.spans import Span

_CHAPTER = 10.0  # seconds: YouTube shows no shorter chapter
_EDL_EVENTS = 999  # an event's number has three digits


def youtube_chapters(spans: Sequence[Span], duration: float) -> str:
    """Lines for a video's description on YouTube: one chapter from each highlight to the next.

    YouTube wants the first at 0:00, at least three, and each 10 s or longer. Highlights that would
    make a shorter chapter are left out; "" when fewer than three chapters are left.
    """
    chapters = [(0.0, "Start")]
    for span in sorted(spans):
        if span.start - chapters[-1][0] >= _CHAPTER and duration - span.start >= _CHAPTER:
            chapters.append((span.start, _line(span.name)))
    lines = [f"{grid.format_time(int(start))} {name}\n" for start, name in chapters]
    return "".join(lines) if len(lines) >= 3 else ""


def webvtt(spans: Sequence[Span]) -> str:
    """Chapters for <track kind="chapters"> (W3C WebVTT)."""
    cues = [
        f"\n{_vtt_time(span.start)} --> {_vtt_time(span.stop)}\n{html.escape(_line(span.name), quote=False)}\n"
        for span in sorted(spans)
    ]
    return "WEBVTT\n" + "".join(cues)


@dataclass(frozen=True)
class Event:
    """One cut of an edit list: [start, stop) of a file, in seconds of that file."""

    source: str
    start: float
    stop: float
    name: str


def edl(events: Sequence[Event], fps: Fraction, title: str) -> str:
    """An edit list (CMX 3600), as Premiere and Resolve open it.

    Each event refers to its whole source, so that cuts can be widened there. A source's timecode
    begins at 00:00:00:00, the sequence's at 01:00:00:00. The format does not hold the frame rate: the
    sequence must be given that of the sources. Timecode is non-drop: it counts frames, at 29.97 as at 30.

    Args:
        events: in the order of the sequence.
        fps: of the sources.
    """
    lines = [f"TITLE: {_line(title)[:70]}", "FCM: NON-DROP FRAME"]
    record = 3600 * round(fps)
    for number, event in enumerate(events[:_EDL_EVENTS], start=1):
        first, end = (round(Fraction(at) * fps) for at in (event.start, event.stop))
        at = [_timecode(frame, fps) for frame in (first, end, record, record + end - first)]
        lines += [
            "",
            f"{number:03}  AX       AA/V  C        {' '.join(at)}",
            f"* FROM CLIP NAME: {_line(event.source)}",
            f"* COMMENT: {_line(event.name)}",
        ]
        record += end - first
    return "\n".join(lines) + "\n"


def _timecode(frame: int, fps: Fraction) -> str:
    """hh:mm:ss:ff, counting as many frames to a second as the rate has when rounded."""
    seconds, frames = divmod(frame, round(fps))
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}:{frames:02}"


def _vtt_time(seconds: float) -> str:
    millis = round(seconds * 1000)
    return f"{millis // 3_600_000:02}:{millis // 60_000 % 60:02}:{millis // 1000 % 60:02}.{millis % 1000:03}"


def _line(text: str) -> str:
    """The text on one line: names come from strangers."""
    return " ".join(text.split())
