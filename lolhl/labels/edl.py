"""Edit decision lists: cuts (CMX 3600), and the markers that DaVinci Resolve exports in the same form.

Frames are counted by timecode, and the format does not say how many a second has. A cut's place in the video is its
source timecode; the video's first frame has 00:00:00:00 unless it is said. A marker's place is its timecode in a
timeline that holds the whole stored video and begins at 01:00:00:00, as Resolve's do; its length stands behind |D:.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lolhl.errors import LabelError
from lolhl.labels.file import LabelFile, Labels, frame, lines_of, name_of, seconds
from lolhl.labels.spans import Span
from lolhl.timecode import is_drop_frame

_TIMECODE = r"(\d\d?\d?[:;]\d\d?[:;]\d\d?[:;.]\d\d?\d?)"
_HEAD = r"\s*\d{1,6}\s+\S+\s+\S+\s+\S+(?:\s+\d{1,4})?"  # number, reel, track, transition and its length
_EVENT = re.compile(r"\s+".join([_HEAD, *[_TIMECODE] * 4]) + r"\s*", re.ASCII)
_LENGTH = re.compile(r"\d{1,9}", re.ASCII)
_CLIP = re.compile(r"\* ?FROM CLIP NAME:\s*(.*)", re.IGNORECASE)
_COMMENT = re.compile(r"\* ?COMMENT:\s*(.*)", re.IGNORECASE)
_STRETCH = re.compile(r".*_\d+h\d\dm\d\ds-\d+h\d\dm\d\ds\.\w+")  # as the stage `report` calls pieces of the source
_MARKER_BEGIN = "01:00:00:00"


@dataclass
class _Event:
    """An event: its place, its four timecodes, and the lines that belong to it."""

    place: str
    times: tuple[str, str, str, str]
    notes: list[str] = field(default_factory=list)


def has_markers(text: str) -> bool:
    """Whether the list holds Resolve's markers."""
    return "|M:" in text and "|D:" in text


def has_cuts(text: str) -> bool:
    """Whether the list holds events without markers."""
    return not has_markers(text) and any(map(_EVENT.fullmatch, lines_of(text)))


def read_cuts(file: LabelFile) -> Labels:
    """A highlight for each cut, named by its comment. Raises LabelError, which names file and line."""
    rate = file.rate()
    spans, videos = [], set()
    for event in _events(file):
        begin = file.first_frame(rate, "00:00:00:00", drop=is_drop_frame(event.times[0]))
        start, stop = (seconds(frame(time, rate, event.place), begin, rate, event.place) for time in event.times[:2])
        clip, comment = (next((m[1] for note in event.notes if (m := p.match(note))), "") for p in (_CLIP, _COMMENT))
        videos.add(clip.strip())
        if len(videos) > 1 or _STRETCH.fullmatch(clip.strip()):
            raise LabelError(
                f"{event.place}: the list refers to pieces of the video ({clip.strip()[:60]}), whose times say nothing "
                "of the whole: export it with `lolhl export --format edl --media stored`"
            )
        spans.append((event.place, Span(start, stop, name_of(comment))))
    return file.labels(spans)


def read_markers(file: LabelFile) -> Labels:
    """A highlight for each marker; one of a single frame is a highlight's end. Raises LabelError as above."""
    rate = file.rate()
    spans = []
    for event in _events(file):
        begin = file.first_frame(rate, _MARKER_BEGIN, drop=is_drop_frame(event.times[2]))
        text, _, marker = next((note.partition("|M:") for note in event.notes if "|M:" in note), ("", "", ""))
        name, _, frames = marker.rpartition("|D:")
        if not _LENGTH.fullmatch(frames.strip()):
            raise LabelError(f"{event.place}: the event has no marker (|C:… |M:… |D:…) in the line below")
        first, length = frame(event.times[2], rate, event.place), int(frames)
        name = name_of(name.strip() or text.partition("|C:")[0])
        start, stop = (seconds(at, begin, rate, event.place) for at in (first, first + length))
        spans.append((event.place, Span(start, stop, name) if length > 1 else file.before(stop, name)))
    return file.labels(spans)


def _events(file: LabelFile) -> Iterator[_Event]:
    """The events of the list. Raises LabelError where there are none."""
    event: _Event | None = None
    for place, line in file.lines():
        if match := _EVENT.fullmatch(line):
            if event:
                yield event
            event = _Event(place, (match[1], match[2], match[3], match[4]))
        elif event:
            event.notes.append(line.strip())
        elif line.strip()[:1].isdigit():
            raise LabelError(f"{place}: this is no event of an edit list: number, reel, track, cut and four timecodes")
    if event is None:
        raise LabelError(f"{file.name}: it has no events: is it an edit list (CMX 3600)?")
    yield event
