"""Markers of Premiere Pro: a table, tab separated, in UTF-16, with a header in the program's language.

Its columns are name, description, in, out, duration and type, in this order; in and out are timecode of the sequence,
which has to hold the whole stored video from its begin. A marker without length is the end of a highlight.
"""

from lolhl.errors import LabelError
from lolhl.labels.file import LabelFile, Labels, frame, lines_of, name_of, seconds
from lolhl.labels.spans import Span
from lolhl.timecode import is_drop_frame, is_timecode

_NAME, _IN, _OUT = 0, 2, 3


def looks_like(text: str) -> bool:
    """Whether the row after the header has timecode where Premiere writes it."""
    rows = [line.split("\t") for line in lines_of(text)[:20] if line.strip()]
    return len(rows) > 1 and len(rows[1]) > _OUT and is_timecode(rows[1][_IN]) and is_timecode(rows[1][_OUT])


def read(file: LabelFile) -> Labels:
    """A highlight for each marker. Raises LabelError, which names file and line."""
    lines = list(file.lines())
    rate = file.rate()
    spans = []
    for place, line in lines[1:]:
        cells = [cell.strip().strip('"') for cell in line.split("\t")]
        if len(cells) <= _OUT:
            raise LabelError(f"{place}: the row has {len(cells)} columns: Premiere writes name, description, in, out")
        begin = file.first_frame(rate, "00:00:00:00", drop=is_drop_frame(cells[_IN]))
        first, end = (frame(cells[column], rate, place) for column in (_IN, _OUT))
        start, stop = (seconds(at, begin, rate, place) for at in (first, end))
        name = name_of(cells[_NAME])
        spans.append((place, Span(start, stop, name) if first != end else file.before(stop, name)))
    return file.labels(spans)
