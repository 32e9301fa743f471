"""Moments of VODs, and how a person names them."""

from dataclasses import dataclass

from lolhl import grid
from lolhl.errors import UsageError
from lolhl.storage import check_name


@dataclass(frozen=True)
class Moment:
    """A second of a VOD."""

    vod: str
    seconds: float


def parse_moments(text: str) -> list[Moment]:
    """Moments such as "1863051677@0:12:30,final@75.5".

    Raises:
        UsageError: it is none.
    """
    moments = []
    for part in text.split(","):
        vod, at, time = part.strip().rpartition("@")
        if not at or not vod:
            raise UsageError(f"--moments {part.strip()[:80]!r}: write VOD@h:mm:ss, and commas between several")
        check_name(vod, "VOD")
        moments.append(Moment(vod, grid.parse_time(time)))
    return moments
