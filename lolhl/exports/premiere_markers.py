"""A table of markers as Premiere Pro writes it, and as its plug-ins and other programs read it: UTF-16, tab separated.

Times are those of a sequence that holds the whole stored video and begins at 0.
"""

from lolhl.exports.cut_list import CutList, one_line
from lolhl.timecode import Rate, format_timecode

_COLUMNS = ("Marker Name", "Description", "In", "Out", "Duration", "Marker Type")


def write(cuts: CutList) -> bytes:
    """A comment marker with its length for each highlight."""
    assert cuts.rate is not None
    rows = [_COLUMNS]
    for cut in cuts.cuts:
        first, end = (cuts.rate.frame_at(at) for at in (cut.span.start, cut.span.stop))
        times = [_timecode(frame, cuts.rate) for frame in (first, end, end - first)]
        rows.append((cut.name, one_line(cut.reason), times[0], times[1], times[2], "Comment"))
    return "".join("\t".join(row) + "\n" for row in rows).encode("utf-16")


def _timecode(frame: int, rate: Rate) -> str:
    """Premiere writes drop-frame timecode with semicolons throughout."""
    return format_timecode(frame, rate, drop=rate.drops, separator=";" if rate.drops else ":")
