"""What holds for one labelled span in any format: it lies in the video of a known VOD."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from lolhl.errors import LabelError, UsageError
from lolhl.grid import format_time
from lolhl.labels.spans import Span
from lolhl.storage import check_name
from lolhl.text import storable

LONGEST = 100 * 3600.0  # seconds; no stream is that long, so a later time is a slip of the pen
ROUNDING = 1.0  # seconds; labels are written in whole seconds, videos end between two


@dataclass(frozen=True)
class KnownVods:
    """What is known of the VODs that a label file may speak of.

    Attributes:
        durations: VOD → seconds of its video.
        rates: VOD → pictures per second of its video, where they are known.
        recorded: VOD → when its time 0 was recorded, in seconds of Unix time, where it is known.
        allows_unknown: whether VODs that are not among them may be labelled too.
    """

    durations: Mapping[str, float] = field(default_factory=dict)
    rates: Mapping[str, Fraction] = field(default_factory=dict)
    recorded: Mapping[str, float] = field(default_factory=dict)
    allows_unknown: bool = True


ANY = KnownVods()


def check_vod(vod: str, known: KnownVods, place: str) -> None:
    """Raises LabelError when this cannot be the name of a VOD, or is none of those that are known."""
    try:
        check_name(vod, "VOD")
    except UsageError as error:
        raise LabelError(f"{place}: {error}") from None
    if vod not in known.durations and not known.allows_unknown:
        raise LabelError(f"{place}: VOD {vod} is unknown here: download it first, or add --allow-unknown")


def checked(span: Span, vod: str, known: KnownVods, place: str) -> Span:
    """The span in whole milliseconds, cut at the end of the video where rounding took it over the edge.

    Its name holds no character that a file of labels cannot.

    Args:
        place: the file and line that it comes from, for the error's message.

    Raises:
        LabelError: it is empty, inverted, out of the video, or of an unknown VOD.
    """
    check_vod(vod, known, place)
    if max(span.start, span.stop) > LONGEST or span.start < 0:
        raise LabelError(f"{place}: {span.start:g} s to {span.stop:g} s can lie in no video")
    start, stop = _millis(span.start), _millis(span.stop)
    if start >= stop:
        problem = "empty" if start == stop else "inverted"
        raise LabelError(f"{place}: {_described(start, stop)} is {problem}: its stop must be later than its start")
    end = _millis(known.durations.get(vod, LONGEST))
    if start >= end or stop > end + ROUNDING:
        raise LabelError(
            f"{place}: {_described(start, stop)} is out of the video of VOD {vod}, which ends at {format_time(end)}: "
            "correct its times, or the VOD that it names"
        )
    return Span(start, min(stop, end), storable(span.name), span.score, span.source)


def _described(start: float, stop: float) -> str:
    return f"the span {format_time(start)} to {format_time(stop)}"


def _millis(seconds: float) -> float:
    """Rounded down to what a label file holds, so that instants like 2/3 s stay on their side of a border."""
    return math.floor(seconds * 1000 + 1e-6) / 1000
