"""CMX 3600 edit decision lists, as Premiere, Resolve and Avid open them.

The format holds no frame rate: the sequence must be given that of the sources, or of the first where they differ. Each
event refers to its whole source, so that cuts can be widened there. The sequence begins at 01:00:00:00, a source at its
own timecode, or at 0.
"""

from lolhl.errors import ExportError
from lolhl.exports.cut_list import CutList, one_line, records
from lolhl.timecode import format_timecode

_EVENTS = 999  # an event's number has three digits


def write(cuts: CutList) -> bytes:
    """The cuts one after the other: the best, where there are more than the format can hold.

    Raises:
        ExportError: its timecode cannot count the frames of a second.
    """
    best = {cut.rank for cut in sorted(cuts.pieces, key=lambda cut: cut.rank)[:_EVENTS]}
    chosen = [cut for cut in cuts.pieces if cut.rank in best]
    rate = chosen[0].source.rate
    fastest = max(cut.source.rate.frames for cut in chosen)
    if fastest > 100:
        raise ExportError(f"timecode of an EDL has two digits for frames, which are too few for {fastest} a second")
    lines = [f"TITLE: {one_line(cuts.title)[:70]}", f"FCM: {'DROP FRAME' if rate.drops else 'NON-DROP FRAME'}"]
    for number, placed in enumerate(records(chosen, rate.hour, rate), start=1):
        cut = placed.cut
        record = [format_timecode(at, rate, drop=rate.drops) for at in (placed.first, placed.end)]
        source = [cut.source.timecode(at) for at in (cut.first, cut.end)]
        lines += [
            "",
            f"{number:03}  AX       {'AA/V' if cut.source.channels else 'V   '}  C        {' '.join(source + record)}",
            f"* FROM CLIP NAME: {one_line(cut.source.name)}",
            f"* COMMENT: {cut.name}",
        ]
    return "".join(f"{line}\n" for line in lines).encode()
