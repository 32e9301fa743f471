"""Markers for DaVinci Resolve: an EDL for Timelines ▸ Import ▸ Timeline Markers from EDL.

They belong to a timeline that holds the whole stored video and begins at 01:00:00:00, as Resolve's do. The line below
each event has colour, name, and length in frames.
"""

from lolhl.exports.cut_list import CutList, one_line
from lolhl.timecode import format_timecode


def write(cuts: CutList) -> bytes:
    """A marker with its length for each highlight."""
    assert cuts.rate is not None
    rate = cuts.rate
    lines = [f"TITLE: {one_line(cuts.title)[:70]}", f"FCM: {'DROP FRAME' if rate.drops else 'NON-DROP FRAME'}"]
    for number, cut in enumerate(cuts.cuts, start=1):
        first, end = (rate.hour + rate.frame_at(at) for at in (cut.span.start, cut.span.stop))
        begin, after = (format_timecode(at, rate, drop=rate.drops) for at in (first, first + 1))
        lines += [
            "",
            f"{number:03}  001      V     C        {begin} {after} {begin} {after}",
            f" |C:ResolveColorBlue |M:{cut.name.replace('|', '/')} |D:{max(1, end - first)}",
        ]
    return "".join(f"{line}\n" for line in lines).encode()
