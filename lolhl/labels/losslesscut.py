"""Segments of LosslessCut: its projects (.llc, JSON5), and its CSV without header (start, stop, name).

A segment without start begins with the video, one without end goes on to its end. Segments that are not selected are
passed over.
"""

import csv
import math
import re
from typing import Any

import pyjson5

from lolhl.errors import LabelError
from lolhl.labels.file import LabelFile, Labels, lines_of, name_of, time
from lolhl.labels.spans import Span

_TIME = r"(\d{1,6}(\.\d{1,9})?|\d{1,4}:\d\d:\d\d(\.\d{1,9})?|)"
_ROW = re.compile(rf'"?{_TIME}"?,"?{_TIME}"?(,.*)?', re.ASCII)


def looks_like(text: str) -> bool:
    """Whether the first line is a segment: two times."""
    first = next((line for line in lines_of(text) if line.strip()), "").strip()
    return _ROW.fullmatch(first) is not None and any(character.isdigit() for character in first.rpartition(",")[0])


def read_project(file: LabelFile) -> Labels:
    """The selected segments of a project. Raises LabelError, which names file and segment."""
    try:
        project = pyjson5.decode(file.text())
    except (pyjson5.Json5Exception, ValueError, OverflowError, RecursionError) as error:
        why = error.args[0] if isinstance(error, pyjson5.Json5Exception) else "a number is too large"
        raise LabelError(f"{file.name}: this is no project of LosslessCut, which is JSON5 ({str(why)[:60]})") from None
    segments = project.get("cutSegments") if isinstance(project, dict) else None
    if not isinstance(segments, list) or not all(isinstance(segment, dict) for segment in segments):
        raise LabelError(f"{file.name}: this is no project of LosslessCut: it has no list cutSegments")
    spans = []
    for number, segment in enumerate(segments, start=1):
        place = f"{file.name}: segment {number}"
        if segment.get("selected") is False:
            continue
        start = _number(segment, "start", place)
        stop = _number(segment, "end", place)
        name = segment.get("name")
        span = Span(
            start or 0.0, file.end(place) if stop is None else stop, name_of(name if isinstance(name, str) else "")
        )
        spans.append((place, span))
    return file.labels(spans)


def read_csv(file: LabelFile) -> Labels:
    """A highlight a row. Raises LabelError, which names file and line."""
    spans = []
    for place, line in file.lines():
        try:
            (row,) = csv.reader([line], strict=True)
        except (csv.Error, ValueError) as error:
            raise LabelError(f"{place}: the row cannot be read: {error}") from None
        if len(row) < 2:
            raise LabelError(f"{place}: the row has {len(row)} columns: a segment is start,stop,name")
        start = time(row[0], place) if row[0].strip() else 0.0
        stop = time(row[1], place) if row[1].strip() else file.end(place)
        spans.append((place, Span(start, stop, name_of(",".join(row[2:])))))
    return file.labels(spans)


def _number(segment: dict[str, Any], key: str, place: str) -> float | None:
    """Seconds, or None where the segment is open on this side."""
    value = segment.get(key)
    if value is None:
        return None
    try:
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
            return float(value)
    except OverflowError:  # an integer of hundreds of digits
        pass
    raise LabelError(f"{place}: its {key} is no number of seconds")
