"""The settings of `dataset`: how samples are split and rebalanced."""

from dataclasses import dataclass
from fractions import Fraction

from lolhl import grid
from lolhl.config import Config, setting
from lolhl.vod.view import USUAL, Fit, View

LEAST_GUARD = 10.0  # seconds between the two sides, however short the context: neighbouring frames look alike
VODS_ENOUGH = 5  # from here on whole VODs are held out: with fewer, one VOD is far from 15 % of the time
GAMES = "games"  # as `holdout`


@dataclass(frozen=True, kw_only=True)
class DatasetConfig(Config):
    """How samples are split and rebalanced."""

    chunk_seconds: float = setting(
        30.0, "length of a chunk, the unit of the split, in seconds", at_least=1, at_most=3600
    )
    validation: float = setting(0.15, "share of the time that is held out for validation", above=0, below=1)
    holdout: str = setting(
        "auto",
        "what to hold out: chunks of each VOD, whole vods, whole games (as `lolhl clock` has found them), auto (vods "
        f"from {VODS_ENOUGH} VODs on, else chunks), or the names of the VODs to hold out, with commas between",
    )
    context_seconds: float = setting(
        0.0,
        "longest stretch of time that a model will see around a frame, in seconds; training frames nearer than "
        f"this (and than {LEAST_GUARD:.0f} s) to a validation frame are dropped",
        at_least=0,
        at_most=3600,
    )
    positives: float = setting(
        0.30, "share of positive frames in training, reached by dropping negatives", above=0, below=1
    )
    seed: int = setting(0, "seed of the split and of the rebalancing", at_least=0)
    # What these mean in this root is among the inputs.
    fps: Fraction | None = setting(
        None,
        "where the VODs have frames of several views: those with so many per second; where they have none, so many "
        "pictures per second of the videos (default: 3)",
        at_least=grid.SLOWEST,
        at_most=grid.FASTEST,
        neutral=True,
    )
    size: int | None = setting(
        None,
        "as --fps: those of this width and height, in pixels (default: 224)",
        at_least=16,
        at_most=2048,
        neutral=True,
    )
    fit: Fit | None = setting(
        None, "as --fps: those with the whole picture, or its middle (default: squeeze)", neutral=True
    )

    @property
    def guard_seconds(self) -> float:
        return max(LEAST_GUARD, self.context_seconds)

    @property
    def usual_view(self) -> View:
        """The view of pictures where no VOD has frames."""
        return View(self.fps or USUAL.fps, self.size or USUAL.size, self.fit or USUAL.fit)
