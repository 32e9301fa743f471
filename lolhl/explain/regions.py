"""Named regions of the picture, such as minimap and kill feed. They lie in a small file that a person can change."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from lolhl.errors import UsageError
from lolhl.explain.segments import Segments
from lolhl.toml_file import TomlTable
from lolhl.vod.view import LONGEST, Fit

SHIPPED = Path(__file__).with_name("regions.toml")

REST = "rest of the picture"

_EDGES = ("left", "right", "top", "bottom")
_MOST = 30


@dataclass(frozen=True)
class Region:
    """A rectangle of the whole picture, in fractions of its width (left, right) and of its height (top, bottom)."""

    name: str
    left: float
    right: float
    top: float
    bottom: float


@cache
def shipped() -> tuple[Region, ...]:
    """The regions of the package: those of the game's own HUD, and a camera."""
    return parse_regions(SHIPPED.read_bytes(), SHIPPED.name)


def parse_regions(data: bytes, name: str) -> tuple[Region, ...]:
    """The regions in a file, in its order.

    Args:
        data: its bytes, which are TOML.
        name: of the file, for messages.

    Raises:
        UsageError: it is no TOML, or a region is none; the message names file and region.
    """
    file = TomlTable.parse(data, name, "regions")
    for key, value in file.values.items():
        if not isinstance(value, dict):
            raise UsageError(f"{name}: {key[:40]!r} is no region, which is a table: see {SHIPPED} for an example")
    if not 1 <= len(file.values) <= _MOST:
        raise UsageError(f"{name}: it has {len(file.values)} regions, and must have 1 to {_MOST}: see {SHIPPED}")
    regions = tuple(_region(key, file.table(key)) for key in file.values)
    named = {REST}
    for key, region in zip(file.values, regions, strict=True):
        if region.name in named:
            raise UsageError(f"{name}: [{key[:40]}]: there is a {region.name!r} already: give it another name")
        named.add(region.name)
    return regions


def digest(regions: Sequence[Region]) -> str:
    """The sha256 of names and places, in hex."""
    return hashlib.sha256(repr(tuple(regions)).encode()).hexdigest()


def cut(regions: Sequence[Region], size: int, fit: Fit, shape: float) -> Segments:
    """A picture as models see it, cut into those of these regions that it shows, and the rest.

    A pixel belongs to the region that its middle lies in, to the first of several.

    Args:
        size: width and height of the picture, in pixels.
        fit: how it was made of the whole picture, see `View`.
        shape: width / height of the whole picture.
    """
    shape = 1.0 if fit == "squeeze" else min(max(shape, 1 / LONGEST), LONGEST)
    share = (np.arange(size) + 0.5) / size - 0.5
    x, y = 0.5 + share * min(1.0, 1 / shape), 0.5 + share * min(1.0, shape)
    places = np.full((size, size), len(regions), dtype=np.int64)
    for number, region in reversed(list(enumerate(regions))):
        within = ((region.top <= y) & (y < region.bottom))[:, None] & ((region.left <= x) & (x < region.right))
        places[within] = number
    return Segments.numbered([*(region.name for region in regions), REST], places)


def _region(key: str, table: TomlTable) -> Region:
    table.check_keys((*_EDGES, "name"))
    left, right, top, bottom = (table.number(edge, 1) for edge in _EDGES)
    for first, last, low, high in (("left", "right", left, right), ("top", "bottom", top, bottom)):
        if low >= high:
            raise UsageError(f"{table.place}: {first} = {low:g} must be less than {last} = {high:g}")
    return Region(table.name(key), left, right, top, bottom)
