"""The games of a VOD that `lolhl clock` has stored, as other stages read them."""

import logging

from lolhl import layout, manifest
from lolhl.labels.spans import Span, merge
from lolhl.manifest import Manifest
from lolhl.results import Clock, Vod
from lolhl.storage import Root

log = logging.getLogger(__name__)

_ROOM = 30.0  # seconds: a border may be off by some, and what follows the last fight belongs to it


def stored_clock(root: Root, vod: Manifest[Vod]) -> Manifest[Clock] | None:
    """The games that the clock on a VOD's pictures tells. None where it was not read since the VOD was stored."""
    key = layout.clock(vod.result.vod)
    stored = manifest.find(root, key, Clock)
    if stored and stored.inputs.get(layout.vod(vod.result.vod)) != vod.content_digest():
        log.warning(
            "VOD %s has been stored anew since its clock was read: `%s` reads it again",
            vod.result.vod,
            layout.command(key),
        )
        return None
    return stored


def playing(clock: Clock) -> list[Span]:
    """When a game is on, with 30 s before and after each, in order of time. Empty where no clock was read."""
    return merge(
        Span(max(0.0, game.start - _ROOM), game.stop + _ROOM, "game") for game in clock.games if game.start < game.stop
    )
