"""Tracks of a signal that costs nothing: row k has the values k and k²/1000, rounded."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from lolhl.storage import Root
from lolhl.tracks.filling import End, Filling, Gap, Measured
from lolhl.tracks.recipe import Layout, Recipe
from lolhl.tracks.rows import PART, Rows

FPS = Fraction(30000, 1001)
WHOLE = 2 * PART + 700  # rows


def recipe(engine: str = "", layout: Layout = "grid", digest: str = "1", source: str = "vods/v/vod.json") -> Recipe:
    return Recipe(
        vod="v", signal="counter", version=1, settings={"step": 1}, inputs={source: digest}, fps=FPS, layout=layout,
        engine=engine,
    )  # fmt: skip


def row(numbers: np.ndarray) -> np.ndarray:
    return np.stack([numbers % 2000, numbers % 97 / 8], axis=1).astype(np.float16)


@dataclass
class Counter:
    """Measures rows, notes how many, and dies once there were `most`.

    Attributes:
        step: seconds between two rows; None for those of the grid.
        shift: is added to all values, as by another engine.
    """

    rows: int = WHOLE
    step: float | None = None
    most: int = 10**9
    shift: float = 0.0
    batch: int = 100
    seen: list[int] = field(default_factory=list)
    on_batch: Callable[[], None] = lambda: None

    def times(self, numbers: np.ndarray) -> np.ndarray:
        return numbers * FPS.denominator / FPS.numerator if self.step is None else 0.1 + numbers * self.step

    @property
    def end(self) -> End:
        seconds = float(self.times(np.array([self.rows]))[0])
        return End(int(seconds * FPS) if self.step else self.rows, seconds, "broken off" if self.step else None)

    def measure(self, gap: Gap) -> Measured:
        stop = self.rows if gap.stop is None else gap.stop
        numbers = np.arange(gap.first, stop)
        times = self.times(numbers)
        assert (times > gap.after).all()
        assert gap.before is None or (times < gap.before).all()
        for first in range(0, len(numbers), self.batch):
            some = slice(first, first + self.batch)
            if sum(self.seen) >= self.most:
                raise KeyboardInterrupt
            self.on_batch()
            self.seen.append(len(numbers[some]))
            yield Rows(times[some], row(numbers[some]) + np.float16(self.shift))
        return self.end


def filling(root: Root, counter: Counter, track_recipe: Recipe) -> Filling:
    return Filling(root, track_recipe, "video", 100.0, counter.measure)


def contents(root: Root) -> dict[str, str]:
    """Key → sha256 of all that is stored of tracks."""
    return {stat.key: hashlib.sha256(root.read(stat.key)).hexdigest() for stat in root.list("tracks/")}
