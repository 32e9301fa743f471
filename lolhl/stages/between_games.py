"""What infer need not look at closely: where `lolhl clock` has found games, what lies outside of them.

Key frames are looked at there too, as a scan looks at them. So what is usual in the stream stays what it was in
training, and every instant has a score.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from lolhl import grid, layout
from lolhl.labels.spans import Span, on_grid
from lolhl.signals.source import Source, VideoSource
from lolhl.stages.known_games import playing, stored_clock

log = logging.getLogger(__name__)

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class LookedAt:
    """When games are on, with room around them, and key → digest of what says so. Without games all is looked at."""

    games: Sequence[Span] = ()
    inputs: Mapping[str, str] = field(default_factory=dict)

    def masks(
        self, vod: str, times: npt.NDArray[np.float64], instants: npt.NDArray[np.float64], fps: Fraction
    ) -> "Masks":
        """What of a grid is looked at. Says how much is not.

        Args:
            vod: whose grid it is.
            times: of the key frames, in seconds.
            instants: of the grid, in seconds: [n].
            fps: of the grid.
        """
        if not self.games:
            everything = np.ones(len(instants), dtype=bool)
            return Masks(everything, everything)
        played = on_grid(self.games, len(instants), fps)
        group = np.searchsorted(times, instants, side="right")
        groups = np.isin(group, group[played])
        log.info(
            "infer %s: %s of it (%.0f %%) lie outside of games, where it looks at key frames alone: "
            "--between-games look is for a closer look there too",
            vod,
            grid.format_time(round((~groups).sum() / float(fps))),
            100 * (~groups).mean(),
        )
        return Masks(played, groups)


@dataclass(frozen=True)
class Masks:
    """Instants of a grid: bool [n] each.

    Attributes:
        played: when a game is on, with room.
        groups: the same, with all that lies between the same two key frames.
    """

    played: Mask
    groups: Mask


def looked_at(source: Source) -> LookedAt:
    """What of a video is looked at: where games are known, these; else all of it. All frames of a frame set are."""
    clock = stored_clock(source.root, source.made) if isinstance(source, VideoSource) else None
    games = playing(clock.result) if clock else []
    if clock is None or not games:
        return LookedAt()
    return LookedAt(games, {layout.clock(source.vod): clock.content_digest()})
