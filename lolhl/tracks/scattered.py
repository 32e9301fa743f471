"""Some instants of a track that is not stored whole: what a refined scan has looked at, kept for the next one."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lolhl.manifest import Output
from lolhl.storage import Root, each
from lolhl.tracks.recipe import Recipe
from lolhl.tracks.rows import PART, Part, Rows, Values, load_part

Numbers = npt.NDArray[np.int64]

_PREFIX = "some-"  # of the files' names


@dataclass
class Scattered:
    """The rows of some instants of a grid, in files of their own beside the parts of the whole track.

    Several runs may add rows at the same time: each file is whole and right, and all that are there are read.

    Attributes:
        root: where the track lies.
        recipe: which track.
        parts: what is stored, by the number of the part of the whole track that it is of.
    """

    root: Root
    recipe: Recipe
    parts: dict[int, list[Part]]
    _numbers: dict[str, Numbers] = field(default_factory=dict)  # key of a file → its instants
    _new: list[Rows] = field(default_factory=list)
    _new_part: int = 0

    @classmethod
    def open(cls, root: Root, recipe: Recipe) -> "Scattered":
        """What earlier runs stored. A file that is damaged counts as none."""
        keys = [stat.key for stat in root.list(f"{recipe.folder}/{_PREFIX}")]
        parts: dict[int, list[Part]] = {}
        scattered = cls(root, recipe, parts)
        for part in each(lambda key: load_part(root, key, key[-20:-4]), keys):
            if part and part.count:
                numbers = np.rint(part.times() * recipe.fps.numerator / recipe.fps.denominator).astype(np.int64)
                parts.setdefault(int(numbers[0]) // PART, []).append(part)
                scattered._numbers[part.output.key] = numbers
        return scattered

    def known(self, frames: int) -> npt.NDArray[np.bool_]:
        """Which of the first so many instants are stored: bool [frames]."""
        known = np.zeros(frames, dtype=bool)
        for numbers in self._numbers.values():
            known[numbers[numbers < frames]] = True
        return known

    def __getitem__(self, numbers: Numbers) -> Values:
        """The values at these instants, ascending and all stored: float16 [len(numbers), D]."""
        values: Values | None = None
        for part in {*(numbers // PART).tolist()}:
            for stored in self.parts[part]:
                there = self._numbers[stored.output.key]
                here = np.flatnonzero(np.isin(numbers, there))
                rows = stored.read(np.searchsorted(there, numbers[here]))
                values = np.empty((len(numbers), rows.shape[1]), dtype=np.float16) if values is None else values
                values[here] = rows
        assert values is not None
        return values

    def add(self, numbers: Numbers, values: Values) -> None:
        """Keeps more rows, which come in order; stored when a part is over."""
        for part in np.unique(numbers // PART):
            here = numbers // PART == part
            if self._new and part != self._new_part:
                self.flush()
            self._new_part = int(part)
            times = numbers[here] * self.recipe.fps.denominator / self.recipe.fps.numerator
            self._new.append(Rows(times, values[here]))

    def flush(self) -> None:
        """Stores what is left."""
        if not self._new:
            return
        earlier = self.parts.get(self._new_part, [])
        rows = Rows.join([*(rows for part in earlier for rows in part.rows()), *self._new])
        times, order = np.unique(rows.times, return_index=True)
        data = Rows(times, rows.values[order]).to_bytes()
        sha256 = Output.of("", data).sha256
        key = f"{self.recipe.folder}/{_PREFIX}{self._new_part:08}-{sha256[:16]}.npy"
        self.root.write(key, data)
        for part in earlier:
            if part.output.key != key:
                self.root.delete(part.output.key)
        self._new = []
