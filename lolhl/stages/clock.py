"""clock: a VOD → clocks/<vod>.json, the games that the clock on its pictures tells: where they begin, pause and end.

What is read is a track, the signal `clock`, so that it is read once, and a run that was killed goes on. Of a VOD of
Twitch that is stored in a small rendition, the key frames that are looked at are fetched in a larger one. Where Twitch
fails, the stored one is read, and the next run tries again.
"""

import logging
import tempfile
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

from lolhl import layout, manifest
from lolhl.config import Config, setting
from lolhl.errors import TwitchError
from lolhl.manifest import Manifest
from lolhl.matches.clock import games_of
from lolhl.results import Clock, Vod
from lolhl.review.places import clock_key, load_place, set_place
from lolhl.signals import make_track
from lolhl.signals.clock import ClockSettings, ClockSignal, readings_of
from lolhl.signals.source import VideoSource, video_source
from lolhl.stages.source_clips import best_size
from lolhl.storage import Root
from lolhl.vod import twitch
from lolhl.vod.rectangle import Rectangle, check_rectangle, parse_rectangle
from lolhl.vod.twitch_key_frames import TwitchKeyFrames
from lolhl.vod.view import USUAL

log = logging.getLogger(__name__)

SEARCH = "search"  # in place of a box
_LINES = 480  # of a picture whose clock can be read well
_FPS = USUAL.fps  # as models have it, so that they read the same track
VERSION = 3  # of how games follow from readings: raise it whenever they change


@dataclass(frozen=True, kw_only=True)
class ClockConfig(Config):
    """Where the clock is, and what it is read from."""

    box: str | None = setting(
        None,
        "where the clock lies: x,y,w,h as fractions of the picture or in pixels of its best quality; kept for all VODs "
        "of the channel until --box search (default: as it was kept, else it is searched for)",
    )
    rendition: Literal["auto", "stored"] = setting(
        "auto",
        f"what the clock is read from: auto, where a VOD of Twitch is stored with less than {_LINES} lines, a few key "
        "frames of the smallest larger rendition; stored, the video that is stored",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.box is not None and self.box != SEARCH:
            check_rectangle("--box", self.box)


def clock(root: Root, vod: str, config: ClockConfig = ClockConfig(), *, force: bool = False) -> Manifest[Clock]:
    """Makes clocks/<vod>.json, and the track of the clock where it is not stored. May use the network.

    Args:
        root: where the data lies.
        vod: name of a downloaded VOD.
        config: see `ClockConfig`.
        force: read the clock anew.

    Returns:
        The manifest. Its result says where in the VOD games lie. There are none where no clock was read.

    Raises:
        MissingInput: the VOD was not downloaded.
        UsageError: the box is none, or lies outside of the picture.
        StorageError: what is kept of the clock's place is damaged.
        ToolMissing: what reads clocks is not installed.
        VideoError: the video cannot be opened.
    """
    source = video_source(root, vod)
    box = _place(root, source.made.result, config.box)
    with tempfile.TemporaryDirectory(prefix="lolhl-") as folder:
        keys = _larger(source.made.result, Path(folder)) if config.rendition == "auto" else None
        try:
            return _read(replace(source, rendition=keys), box, config, force=force)
        except TwitchError as error:
            log.warning("clock %s: %s; the smaller video that is stored is read instead", vod, error)
            return _read(source, box, config, force=force)


def _larger(vod: Vod, folder: Path) -> TwitchKeyFrames | None:
    """The key frames of a larger rendition of Twitch's. None where the stored one serves, or is the largest."""
    lines = min(vod.width, vod.height)
    if vod.twitch_id is None or vod.clock is None or not vod.qualities or lines >= _LINES:
        return None
    larger = twitch.smallest(vod.qualities, _LINES, Fraction(0))
    if larger.width and larger.height and min(larger.width, larger.height) <= lines:
        return None
    return TwitchKeyFrames(vod=vod.twitch_id, group=larger.group, clock=vod.clock, offset=vod.offset, folder=folder)


def _read(source: VideoSource, box: Rectangle | None, config: ClockConfig, *, force: bool) -> Manifest[Clock]:
    """Reads the clock from this source."""
    signal = ClockSignal(_FPS, ClockSettings(box))
    inputs = {**source.inputs, "reader": f"{signal.version}.{VERSION}"}
    if box and config.box is None:
        inputs["place"] = str(box)
    todo, earlier = manifest.plan(source.root, layout.clock(source.vod), Clock, config, inputs, force=force)
    if earlier:
        return earlier
    track = make_track(signal, source, "grid", force=force)
    readings = readings_of(track)
    games = games_of(readings, track.made.result.ended_at)
    known = sum(reading.clock is not None for reading in readings)
    return todo.finish(Clock(vod=source.vod, looks=len(readings), readings=known, games=list(games)), [])


def _place(root: Root, vod: Vod, given: str | None) -> Rectangle | None:
    """Where the clock lies, as it is given or was kept. None where it is to be searched for."""
    key = clock_key(vod.vod, vod.channel)
    if given is not None:
        set_place(root, key, None if given == SEARCH else parse_rectangle(given, *best_size(vod)))
    return load_place(root, key)[0].seen
