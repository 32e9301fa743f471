"""Pictures cut into parts: superpixels, which follow what is drawn. `lolhl.explain.regions` makes those of names."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lolhl.vod.view import Picture

Places = npt.NDArray[np.int64]

_ACROSS = 6  # superpixels in a row, and in a column, before they follow the picture
_ROUNDS = 5
_COMPACT = 40.0  # differences of a colour that weigh as much as the distance to the next superpixel's middle


@dataclass(frozen=True)
class Segments:
    """A picture cut into parts.

    Attributes:
        names: of the parts.
        places: the part that each pixel belongs to: int64 [height, width], of 0 to len(names) - 1.
    """

    names: Sequence[str]
    places: Places

    @classmethod
    def numbered(cls, names: Sequence[str], places: Places) -> "Segments":
        """The same without the names of those that no pixel belongs to."""
        there, numbers = np.unique(places, return_inverse=True)
        return cls([names[number] for number in there], numbers.reshape(places.shape).astype(np.int64))


def superpixels(picture: Picture) -> Segments:
    """Some 36 parts of a picture, each of like colour and close together, named by where they lie.

    SLIC (Achanta et al. 2012) as in gSLIC (Ren and Reid 2011): the middles begin on a grid, a pixel chooses among those
    of its own square of the grid and of the eight around, and each middle moves to the mean of its pixels. Pixels of a
    part need not touch each other.

    Args:
        picture: uint8 [height, width, 3].
    """
    height, width = picture.shape[:2]
    rows, columns = min(_ACROSS, height), min(_ACROSS, width)
    y, x = np.mgrid[:height, :width]
    row, column = y * rows // height, x * columns // width
    scale = _COMPACT / max(1.0, (height * width / (rows * columns)) ** 0.5)
    values = np.concatenate([picture.astype(np.float64), scale * np.stack([y, x], -1)], -1)  # [H, W, 5]
    places: Places = (row * columns + column).astype(np.int64)
    around = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    choices = np.stack(
        [np.clip(row + down, 0, rows - 1) * columns + np.clip(column + right, 0, columns - 1) for down, right in around]
    )
    for _ in range(_ROUNDS):
        middles = _means(values.reshape(-1, 5), places.reshape(-1), rows * columns)
        distances = np.stack([((values - middles[choice]) ** 2).sum(-1) for choice in choices])
        places = np.take_along_axis(choices, distances.argmin(0)[None], 0)[0].astype(np.int64)
    middles = _means(np.stack([y, x], -1).reshape(-1, 2) / (height, width), places.reshape(-1), rows * columns)
    return Segments.numbered([_where(*middle) for middle in middles], places)


def _means(values: npt.NDArray[np.float64], places: Places, count: int) -> npt.NDArray[np.float64]:
    """The mean of the values [n, D] of each part: [count, D]. Infinity where a part has none."""
    sizes = np.bincount(places, minlength=count)
    sums = np.stack([np.bincount(places, column, minlength=count) for column in values.T], -1)
    return np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], np.inf)


def _where(down: float, right: float) -> str:
    """Words for a place, given as shares of height and width."""
    words = [name for name in (_third(down, "top", "bottom"), _third(right, "left", "right")) if name]
    return " ".join(words) or "middle"


def _third(share: float, first: str, last: str) -> str:
    return first if share < 1 / 3 else last if share > 2 / 3 else ""
