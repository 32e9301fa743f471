"""Shares VODs between processes that do not communicate.

Every process is given the number of its part and the number of parts. All compute the same parts from the same list,
so nothing coordinates them. A process that is started again takes its own part, whose finished work stays finished.
"""

import heapq
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass

from lolhl import layout, manifest
from lolhl.errors import UsageError
from lolhl.results import Vod
from lolhl.storage import MANY, Root, each
from lolhl.text import first_few

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Share:
    """Part `number`, counted from 0, of `parts` parts."""

    number: int
    parts: int


WHOLE = Share(0, 1)


def parse_share(text: str) -> Share:
    """ "0/4" is the first of four parts.

    Raises:
        UsageError: the text is not a part of a whole.
    """
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if not match or not int(match[1]) < int(match[2]):
        raise UsageError(f"{text!r}: give a part and how many there are, as 0/4, 1/4, 2/4 or 3/4")
    return Share(int(match[1]), int(match[2]))


def shared(root: Root, vods: Sequence[str], share: Share) -> list[str]:
    """The VODs of this part, longest first.

    VODs are dealt out from the longest on, each to the part that has least to do so far. So no part has more than
    4/3 of the best possible (R. L. Graham, Bounds on multiprocessing timing anomalies, 1969).
    """
    if share == WHOLE:
        return list(vods)
    length = dict(zip(vods, each(lambda vod: _seconds(root, vod), vods, ahead=MANY), strict=True))
    parts = [(0.0, part) for part in range(share.parts)]  # a heap: least load first, then the lower number
    own_vods = []
    for vod in sorted(length, key=lambda vod: (-length[vod], vod)):
        load, part = parts[0]
        heapq.heapreplace(parts, (load + length[vod], part))
        if part == share.number:
            own_vods.append(vod)
    log.info("share %d/%d: %s", share.number, share.parts, first_few(own_vods) or "nothing, as there are fewer VODs")
    return own_vods


def _seconds(root: Root, vod: str) -> float:
    """The length of a VOD. It is 1 for a VOD that does not exist, which its stage will report."""
    made = manifest.find(root, layout.vod(vod), Vod)
    return made.result.duration if made else 1.0
