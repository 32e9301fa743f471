"""Sharing VODs between processes that know nothing of each other.

Every process is told which part of how many is its own, and works out from the same list the same parts.
So nobody coordinates; who is started again takes up its own part, and finds done what it had finished.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass

from lolhl import manifest
from lolhl.errors import UsageError
from lolhl.results import Vod
from lolhl.storage import Root, check_name

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Share:
    """Part `number`, from 0, of `of` parts."""

    number: int
    of: int


WHOLE = Share(0, 1)


def parse_share(text: str) -> Share:
    """ "0/4" is the first of four parts.

    Raises:
        UsageError: the text is not a part of a whole.
    """
    said = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if not said or not int(said[1]) < int(said[2]):
        raise UsageError(f"{text!r}: give a part and how many there are, as 0/4, 1/4, 2/4 or 3/4")
    return Share(int(said[1]), int(said[2]))


def shared(root: Root, vods: Sequence[str], share: Share) -> list[str]:
    """The VODs of this part, longest first.

    The longest VOD goes first, each to the part that has least to do so far: no part has more than 4/3 of
    the best possible (R. L. Graham, Bounds on multiprocessing timing anomalies, 1969).
    """
    if share == WHOLE:
        return list(vods)
    length = {vod: _seconds(root, vod) for vod in vods}
    load = [0.0] * share.of
    ours = []
    for vod in sorted(length, key=lambda vod: (-length[vod], vod)):
        part = load.index(min(load))
        load[part] += length[vod]
        if part == share.number:
            ours.append(vod)
    log.info("share %d/%d: %s", share.number, share.of, ", ".join(ours) or "nothing, as there are fewer VODs")
    return ours


def _seconds(root: Root, vod: str) -> float:
    """Its length; 1 for a VOD that is not there, whose stage will say so."""
    made = manifest.find(root, f"vods/{check_name(vod, 'VOD')}/vod.json", Vod)
    return made.result.duration if made else 1.0
