"""A track that is stored whole, read by windows."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lolhl import grid, layout, results
from lolhl.errors import StorageError
from lolhl.manifest import Manifest
from lolhl.storage import Root, each
from lolhl.tracks.recipe import Recipe, finished
from lolhl.tracks.rows import BATCH, PART, Part, Rows, Times, Values, between, load_part, mix

log = logging.getLogger(__name__)


class Window(NamedTuple):
    """Some instants of a track.

    Attributes:
        values: float16 [n, D]. Where nothing was measured they are linear in time between the rows around. They are 0
            where there is nothing to measure, as where there is no sound.
        known: bool [n], which instants were measured themselves, and have values.
    """

    values: Values
    known: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Track:
    """The values of one signal of one VOD. They are read from files when they are needed, and not kept.

    Attributes:
        made: its manifest.
        parts: its files. Each but the last has `PART` rows.
        times: the times of its rows, in seconds: float64 [m]. They are those of the grid, unless it was scanned.
    """

    made: Manifest[results.Track]
    parts: tuple[Part, ...]
    times: Times

    @classmethod
    def open(cls, root: Root, recipe: Recipe) -> "Track | None":
        """Opens the track of this recipe by its own engine, or else by another one that has finished it.

        Each part's bytes are compared with their digest once, and not again for each window.

        Returns:
            None where there is no such track, or where its manifest or a part of it is damaged.
        """
        for candidate in finished(root, recipe):
            made, _ = find_made(root, candidate.manifest_key)
            if made and (track := cls.load(root, candidate, made)):
                return track
        return None

    @classmethod
    def load(cls, root: Root, recipe: Recipe, made: Manifest[results.Track]) -> "Track | None":
        """Opens the track of this manifest. None where a part of it is gone or damaged."""
        keys = [(output.key, output.sha256) for output in made.outputs]
        parts = [part for part in each(lambda key: load_part(root, *key), keys) if part]
        counts = [part.count for part in parts]
        if len(parts) < len(keys) or counts != part_counts(made.result.rows):
            return None
        if made.result.layout == "grid":
            return cls(made, tuple(parts), grid.times(made.result.rows, recipe.fps))
        return cls(made, tuple(parts), np.concatenate([part.times() for part in parts]))

    def __len__(self) -> int:
        """The number of instants of its grid."""
        return self.made.result.frames

    @property
    def digest(self) -> str:
        """The digest of what made the track and of its values."""
        return self.made.content_digest()

    @property
    def is_whole(self) -> bool:
        """Whether every instant was measured."""
        return self.made.result.layout == "grid"

    def read(self, first: int, stop: int) -> Window:
        """Reads the instants with the numbers first, first + 1 … stop - 1. Several threads may call it.

        Raises:
            IndexError: the track has no such instants.
        """
        if not 0 <= first <= stop <= len(self):
            raise IndexError(f"instants {first} to {stop} of a track that has {len(self)}")
        values = self[np.arange(first, stop)]
        if not self.is_whole:
            return Window(values, self.known[first:stop])
        known = ~np.isnan(values[:, 0])
        values[~known] = 0
        return Window(values, known)

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Which instants were measured, and have values: bool [len(track)]."""
        if self.is_whole:
            if not self.made.result.unknown:
                return np.ones(len(self), dtype=bool)
            return np.concatenate([rows.known for rows in self.rows()])
        return np.asarray(np.isin(grid.times(len(self), self.made.result.fps), self.times))

    def __getitem__(self, numbers: npt.NDArray[np.int64]) -> Values:
        """The values at the instants with these numbers, in any order: float16 [len(numbers), D].

        They are NaN where there is nothing to measure.
        """
        if self.is_whole:
            return self._rows(numbers)
        fps = self.made.result.fps
        before, after, share = between(self.times, numbers * fps.denominator / fps.numerator)
        return mix(self._rows(before), self._rows(after), share)

    def at(self, numbers: npt.NDArray[np.int64]) -> Values:
        """Like `track[numbers]`, but NaN at instants that it does not have: its VOD may go on when it has ended."""
        exists = (numbers >= 0) & (numbers < len(self))
        if exists.all():
            return self[numbers]
        values = np.full((len(numbers), self.made.result.width), np.nan, dtype=np.float16)
        values[exists] = self[numbers[exists]]
        return values

    def batches(self) -> Iterator[Values]:
        """Yields the values at all instants in order, some hundreds at a time."""
        for first in range(0, len(self), BATCH):
            yield self[np.arange(first, min(first + BATCH, len(self)))]

    def rows(self) -> Iterator[Rows]:
        """Yields all rows as they were measured, some hundreds at a time."""
        for part in self.parts:
            yield from part.rows()

    def _rows(self, numbers: npt.NDArray[np.int64]) -> Values:
        holders = numbers // PART
        values: Values | None = None
        for holder in np.unique(holders):
            in_part = holders == holder
            rows: Values = self.parts[int(holder)].read(numbers[in_part] - holder * PART)
            if len(rows) == len(numbers):
                return rows
            if values is None:
                values = np.empty((len(numbers), rows.shape[1]), dtype=np.float16)
            values[in_part] = rows
        return np.empty((0, self.made.result.width), dtype=np.float16) if values is None else values


def find_made(root: Root, key: str) -> tuple[Manifest[results.Track] | None, str | None]:
    """A track's manifest, and the etag of the stored file. A damaged manifest counts as none, as it is made anew."""
    standing = root.find(key)
    if standing is None:
        return None, None
    name = f"{root.url}/{key}"
    try:
        return Manifest.from_bytes(standing[0], results.Track, name, layout.remake(key)), standing[1]
    except StorageError:
        log.warning("%s is damaged, and is made anew", name)
        return None, standing[1]


def part_counts(rows: int) -> list[int]:
    """How many rows each part of a whole track has."""
    return [min(PART, rows - first) for first in range(0, rows, PART)]
