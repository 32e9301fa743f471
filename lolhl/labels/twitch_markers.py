"""Markers of Twitch's own export: CSV without header, `H:MM:SS,Role,user,comment`.

A streamer presses the key after the event, so a marker is the end of a highlight; how long that is, a setting says.
"""

import csv
import re

from lolhl.errors import LabelError
from lolhl.labels.file import LabelFile, Labels, lines_of, name_of, time

_MARKER = re.compile(r'"?\d{1,3}:\d\d:\d\d"?,"?[^\d",][^,]*,[^,]*(,.*)?', re.ASCII)  # a segment has a second time


def looks_like(text: str) -> bool:
    """Whether the first line is a marker."""
    first = next((line for line in lines_of(text) if line.strip()), "")
    return _MARKER.fullmatch(first.strip()) is not None


def read(file: LabelFile) -> Labels:
    """A highlight before each marker, named by its comment. Raises LabelError, which names file and line."""
    spans = []
    for place, line in file.lines():
        try:
            (row,) = csv.reader([line], strict=True)
        except (csv.Error, ValueError) as error:
            raise LabelError(f"{place}: the row cannot be read: {error}") from None
        if len(row) < 3:
            raise LabelError(f"{place}: the row has {len(row)} columns: a marker is H:MM:SS,Role,user,comment")
        spans.append((place, file.before(time(row[0], place), name_of(",".join(row[3:])))))
    return file.labels(spans)
