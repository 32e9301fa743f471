"""clock: a VOD → clocks/<vod>.json, the games that the clock on its pictures tells: where they begin, pause and end.

What is read is a track, the signal `clock`, so that it is read once, and a run that was killed goes on.
"""

from dataclasses import dataclass

from lolhl import layout, manifest
from lolhl.config import Config, setting
from lolhl.manifest import Manifest
from lolhl.matches.clock import games_of
from lolhl.results import Clock, Vod
from lolhl.review.places import clock_key, load_place, set_place
from lolhl.signals import make_track
from lolhl.signals.clock import ClockSettings, ClockSignal, readings_of
from lolhl.signals.source import video_source
from lolhl.stages.source_clips import best_size
from lolhl.storage import Root
from lolhl.vod.rectangle import Rectangle, check_rectangle, parse_rectangle
from lolhl.vod.view import USUAL

SEARCH = "search"  # in place of a box
_FPS = USUAL.fps  # as models have it, so that they read the same track
VERSION = 2  # of how games follow from readings: raise it whenever they change


@dataclass(frozen=True, kw_only=True)
class ClockConfig(Config):
    """Where the clock is."""

    box: str | None = setting(
        None,
        "where the clock lies: x,y,w,h as fractions of the picture or in pixels of its best quality; kept for all VODs "
        "of the channel until --box search (default: as it was kept, else it is searched for)",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.box is not None and self.box != SEARCH:
            check_rectangle("--box", self.box)


def clock(root: Root, vod: str, config: ClockConfig = ClockConfig(), *, force: bool = False) -> Manifest[Clock]:
    """Makes clocks/<vod>.json, and the track of the clock where it is not stored.

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
    signal = ClockSignal(_FPS, ClockSettings(box))
    inputs = {**source.inputs, "reader": f"{signal.version}.{VERSION}"}
    if box and config.box is None:
        inputs["place"] = str(box)
    todo, earlier = manifest.plan(root, layout.clock(vod), Clock, config, inputs, force=force)
    if earlier:
        return earlier
    track = make_track(signal, source, "grid", force=force)
    readings = readings_of(track)
    games = games_of(readings, track.made.result.ended_at)
    known = sum(reading.clock is not None for reading in readings)
    return todo.finish(Clock(vod=vod, looks=len(readings), readings=known, games=list(games)), [])


def _place(root: Root, vod: Vod, given: str | None) -> Rectangle | None:
    """Where the clock lies, as it is given or was kept. None where it is to be searched for."""
    key = clock_key(vod.vod, vod.channel)
    if given is not None:
        set_place(root, key, None if given == SEARCH else parse_rectangle(given, *best_size(vod)))
    return load_place(root, key)[0].seen
