"""Some instants of a track that is not stored whole. A refined scan keeps what it measured for the next one."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from lolhl import layout
from lolhl.manifest import Output
from lolhl.storage import Root, each
from lolhl.tracks.recipe import Recipe
from lolhl.tracks.rows import PART, Part, Rows, Values, load_part

Numbers = npt.NDArray[np.int64]


@dataclass
class Scattered:
    """The rows of some instants of a grid, in files of their own beside the parts of the whole track.

    Several runs may add rows at the same time. Each file is whole and right, and all files are read.

    Attributes:
        root: where the track lies.
        recipe: which track.
        parts: the stored files: number of a part of the whole track → files with rows of that part.
    """

    root: Root
    recipe: Recipe
    parts: dict[int, list[Part]]
    _numbers: dict[str, Numbers] = field(default_factory=dict)  # key of a file → its instants
    _new: list[Rows] = field(default_factory=list)
    _new_part: int = 0

    @classmethod
    def open(cls, root: Root, recipe: Recipe) -> "Scattered":
        """Opens what earlier runs stored. A damaged file is left out."""
        keys = [stat.key for stat in root.list(layout.scattered_stem(recipe.folder))]
        parts: dict[int, list[Part]] = {}
        scattered = cls(root, recipe, parts)
        for part in each(lambda key: load_part(root, key, key[-20:-4]), keys):
            if part and part.count:
                numbers = np.rint(part.times() * recipe.fps.numerator / recipe.fps.denominator).astype(np.int64)
                parts.setdefault(int(numbers[0]) // PART, []).append(part)
                scattered._numbers[part.output.key] = numbers
        return scattered

    def known(self, frames: int) -> npt.NDArray[np.bool_]:
        """Which of the first `frames` instants are stored: bool [frames]."""
        known = np.zeros(frames, dtype=bool)
        for numbers in self._numbers.values():
            known[numbers[numbers < frames]] = True
        return known

    def __getitem__(self, numbers: Numbers) -> Values:
        """The values at these instants: float16 [len(numbers), D]. They must be ascending, and all stored."""
        values: Values | None = None
        for part in {*(numbers // PART).tolist()}:
            for stored in self.parts[part]:
                stored_numbers = self._numbers[stored.output.key]
                places = np.flatnonzero(np.isin(numbers, stored_numbers))
                rows = stored.read(np.searchsorted(stored_numbers, numbers[places]))
                values = np.empty((len(numbers), rows.shape[1]), dtype=np.float16) if values is None else values
                values[places] = rows
        assert values is not None
        return values

    def add(self, numbers: Numbers, values: Values) -> None:
        """Adds rows, which must come in order. They are stored when a part is complete."""
        for part in np.unique(numbers // PART):
            in_part = numbers // PART == part
            if self._new and part != self._new_part:
                self.flush()
            self._new_part = int(part)
            times = numbers[in_part] * self.recipe.fps.denominator / self.recipe.fps.numerator
            self._new.append(Rows(times, values[in_part]))

    def flush(self) -> None:
        """Stores the rows that are left."""
        if not self._new:
            return
        earlier = self.parts.get(self._new_part, [])
        rows = Rows.join([*(rows for part in earlier for rows in part.rows()), *self._new])
        times, order = np.unique(rows.times, return_index=True)
        data = Rows(times, rows.values[order]).to_bytes()
        key = Output.with_digest(layout.scattered_rows(self.recipe.folder, self._new_part), data).key
        self.root.write(key, data)
        for part in earlier:
            if part.output.key != key:
                self.root.delete(part.output.key)
        self._new = []
