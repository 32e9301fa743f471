"""twitch-clips: the clips that viewers made of a Twitch VOD → vods/<vod>/twitch-clips.json.

They come after a VOD's video and are no part of it, so they have a manifest of their own: who has stored a VOD without
them gets them later, and who gets none keeps the VOD.
"""

import logging
from datetime import UTC, datetime

from lolhl import layout, manifest
from lolhl.config import Config
from lolhl.errors import TwitchError
from lolhl.manifest import Manifest
from lolhl.results import TwitchClips, Vod
from lolhl.storage import Root
from lolhl.vod.twitch_clips import period_since, viewer_clips

log = logging.getLogger(__name__)


def twitch_clips(root: Root, vod: Manifest[Vod]) -> Manifest[TwitchClips] | None:
    """Makes vods/<vod>/twitch-clips.json. Asks Twitch each time, since viewers go on making clips.

    Where Twitch does not give them, a warning says why, and those that were stored before stay.

    Returns:
        The manifest; None where there is none.
    """
    stored = vod.result
    if stored.twitch_id is None or stored.channel is None:
        why = "is no VOD of Twitch" if stored.twitch_id is None else "is stored without its channel: --force stores it"
        log.warning("download %s: it %s, so no clips of viewers are stored", stored.vod, why)
        return None
    period = period_since(stored.recorded_at, datetime.now(UTC))
    todo, _ = manifest.plan(root, layout.twitch_clips(stored.vod), TwitchClips, Config(), {}, force=True)
    try:
        clips = viewer_clips(stored.twitch_id, stored.channel, period)
    except TwitchError as error:
        log.warning("download %s: %s", stored.vod, error)
        return stored_twitch_clips(root, vod)
    log.info("download %s: %d clips of viewers", stored.vod, len(clips))
    return todo.finish(TwitchClips(vod=stored.vod, twitch_id=stored.twitch_id, clips=clips), [])


def stored_twitch_clips(root: Root, vod: Manifest[Vod]) -> Manifest[TwitchClips] | None:
    """The clips that were stored of this VOD. None where there are none, or those of a VOD that it replaced."""
    stored = manifest.find(root, layout.twitch_clips(vod.result.vod), TwitchClips)
    return stored if stored and stored.result.twitch_id == vod.result.twitch_id else None
