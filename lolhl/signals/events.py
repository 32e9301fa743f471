"""events: what happened in the game round each instant, as Riot records it, float16 [T, 7].

Counted over 10 s: of the player who streams kills, assists and deaths; kills of the player's team and of the enemy's;
multi-kills and aces of anybody; monsters and buildings of anybody. Outside of games nothing happens.

A VOD whose games nobody has asked for (`lolhl riot`) has no known instants. A model that learns from these counts and
from labels that come of the same events learns the rules for events, and nothing else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from lolhl import grid, layout, manifest
from lolhl.manifest import Manifest
from lolhl.matches.game import MULTI_KILLS
from lolhl.results import GameEvent, Games
from lolhl.signals.source import Source, VideoSource, video_of
from lolhl.tracks.filling import End, Gap, Measured
from lolhl.tracks.recipe import Layout
from lolhl.tracks.rows import BATCH, Rows
from lolhl.vod import decode
from lolhl.vod.view import View

COLUMNS = ("kills", "assists", "deaths", "team_kills", "enemy_kills", "multi_kills", "objectives")

_OWN = {"kill": "kills", "assist": "assists", "death": "deaths"}
_MULTI = (*MULTI_KILLS, "ace")
_OBJECTIVES = ("dragon", "elder_dragon", "grubs", "herald", "baron", "atakhan", "tower", "inhibitor")


@dataclass(frozen=True)
class EventsSettings:
    """How events are counted. `window`: seconds round an instant that are counted."""

    window: float = 10.0


@dataclass(frozen=True)
class EventsSignal:
    """See `lolhl.signals.Signal`."""

    fps: Fraction
    events: EventsSettings = EventsSettings()
    name = "events"
    version = 1
    engine = ""
    view: View | None = None

    @property
    def settings(self) -> Mapping[str, Any]:
        return asdict(self.events)

    def inputs(self, source: Source) -> Mapping[str, str]:
        """The games of the VOD, where they are known: when they change, so do the counts."""
        games = _games(source) if isinstance(source, VideoSource) else None
        return {layout.games(source.vod): games.content_digest()} if games else {}

    def measure(self, source: Source, layout: Layout, gap: Gap) -> Measured:  # noqa: ARG002
        """Yields the rows of a gap. No video is fetched where its length is known.

        Raises:
            MissingInput: the VOD has been stored anew since its games were looked for.
            StorageError: what is known of the games is damaged.
        """
        video = video_of(source, self.name)
        seconds = video.seconds or float(decode.length(video.path, self.fps).end or 0)
        frames = grid.instants_in(seconds, self.fps)
        games = _games(video)
        moments = None if games is None else times_by_column(games.result.events)
        for first in range(gap.first, frames if gap.stop is None else gap.stop, BATCH):
            numbers = np.arange(first, min(first + BATCH, frames if gap.stop is None else gap.stop))
            times = numbers * self.fps.denominator / self.fps.numerator
            yield Rows(times, counts(moments, times, self.events.window))
        return End(frames, seconds)


def _games(video: VideoSource) -> Manifest[Games] | None:
    """The games of a VOD. None where nobody has asked for them."""
    key = layout.games(video.vod)
    return manifest.load(video.root, key, Games, fresh=True) if video.root.stat(key) else None


def times_by_column(events: Sequence[GameEvent]) -> list[npt.NDArray[np.float64]]:
    """When the events of each of `COLUMNS` happened, ascending, in seconds."""
    times: dict[str, list[float]] = {column: [] for column in COLUMNS}
    for event in events:
        if event.whose == "player" and event.kind in _OWN:
            times[_OWN[event.kind]].append(event.time)
        elif event.kind == "kill":
            times["team_kills" if event.whose == "team" else "enemy_kills"].append(event.time)
        elif event.kind in _MULTI:
            times["multi_kills"].append(event.time)
        elif event.kind in _OBJECTIVES:
            times["objectives"].append(event.time)
    return [np.sort(np.array(of_column, dtype=np.float64)) for of_column in times.values()]


def counts(
    moments: Sequence[npt.NDArray[np.float64]] | None, times: npt.NDArray[np.float64], window: float
) -> npt.NDArray[np.float16]:
    """How many events of each column lie in a window round these times: float16 [n, 7]. NaN where nobody knows."""
    if moments is None:
        return np.full((len(times), len(COLUMNS)), np.nan, dtype=np.float16)
    low, high = times - window / 2, times + window / 2
    columns = [np.searchsorted(of_column, high) - np.searchsorted(of_column, low) for of_column in moments]
    return np.column_stack(columns).astype(np.float16)
