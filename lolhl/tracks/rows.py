"""A row of a track is a time and the values at that time. This stores rows, and spreads them to times in between."""

import hashlib
import io
import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lolhl.errors import NotFound
from lolhl.manifest import Output
from lolhl.storage import Root

log = logging.getLogger(__name__)

Times = npt.NDArray[np.float64]  # in seconds
Values = npt.NDArray[np.float16]

PART = 2048  # rows in a stored part: some seconds of work
BATCH = 512  # rows that are read or interpolated at once


@dataclass(frozen=True)
class Rows:
    """Some rows, in order of time.

    Attributes:
        times: float64 [n], in seconds.
        values: float16 [n, D]. Rows without values, as where there is no sound, are NaN.
    """

    times: Times
    values: Values

    @property
    def known(self) -> npt.NDArray[np.bool_]:
        """Which rows have values: bool [n]."""
        return ~np.isnan(self.values[:, 0])

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, part: slice) -> "Rows":
        return Rows(self.times[part], self.values[part])

    @classmethod
    def join(cls, batches: Iterable["Rows"]) -> "Rows":
        """Joins batches, in order. There must be at least one."""
        listed = list(batches)
        return cls(np.concatenate([rows.times for rows in listed]), np.concatenate([rows.values for rows in listed]))

    def to_bytes(self) -> bytes:
        """A .npy file of pairs (time, values), which can be read in part."""
        pairs = np.empty(len(self), dtype=[("time", "<f8"), ("values", "<f2", self.values.shape[1:])])
        pairs["time"], pairs["values"] = self.times, self.values
        buffer = io.BytesIO()
        np.save(buffer, pairs, allow_pickle=False)
        return buffer.getvalue()


@dataclass(frozen=True)
class Part:
    """A file of rows on this machine. It can be fetched again from the root.

    Attributes:
        root: where it is stored.
        output: its key, size and sha256.
        path: the file on this machine.
        count: the number of its rows.
        width: D, the numbers in each row's values.
    """

    root: Root
    output: Output
    path: Path
    count: int
    width: int

    def read(self, numbers: slice | npt.NDArray[np.int64]) -> Values:
        """The values of these rows: float16 [n, D]."""
        return np.ascontiguousarray(self._open()["values"][numbers])

    def times(self) -> Times:
        """The times of all rows, in seconds: float64 [count]."""
        return np.ascontiguousarray(self._open()["time"])

    def rows(self) -> Iterator[Rows]:
        """Yields all rows, some hundreds at a time."""
        for first in range(0, self.count, BATCH):
            pairs = self._open()[first : first + BATCH]
            yield Rows(np.ascontiguousarray(pairs["time"]), np.ascontiguousarray(pairs["values"]))

    def _open(self) -> npt.NDArray[Any]:
        # Opened anew each time: what stays mapped counts as memory of this process.
        try:
            mapped: npt.NDArray[Any] = np.load(self.path, mmap_mode="r")
        except FileNotFoundError:  # the cache of a bucket needed the room
            mapped = np.load(self.root.local(self.output.key), mmap_mode="r")
        return mapped


def load_part(root: Root, key: str, sha256: str) -> Part | None:
    """Loads a part that an earlier run stored.

    Args:
        root: where it is stored.
        key: its key.
        sha256: the beginning of the sha256 of its bytes.

    Returns:
        None where it is gone or damaged. It must be made anew then.
    """
    try:
        path = root.local(key)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except (NotFound, FileNotFoundError):
        return None
    if digest.startswith(sha256):
        with suppress(ValueError, EOFError, OSError, LookupError, TypeError):
            pairs = np.load(path, mmap_mode="r")
            if pairs.dtype["time"] == np.float64 and pairs.dtype["values"].base == np.float16:
                width = int(pairs.dtype["values"].shape[0])
                return Part(root, Output(key, path.stat().st_size, digest), path, len(pairs), width)
    log.warning("%s/%s is damaged, and is made anew", root.url, key)
    return None


def spread(times: Times, values: Values, wanted: Times) -> Values:
    """Values at other times than those of the rows: linear in time between rows, constant before and after them.

    Args:
        times: the times of the rows, in seconds, ascending: float64 [m], m at least 1.
        values: the values of the rows: float16 [m, D].
        wanted: the times that are asked for, in seconds, in any order: float64 [n].

    Returns:
        float16 [n, D].
    """
    before, after, share = between(times, wanted)
    return mix(values[before], values[after], share)


def between(times: Times, wanted: Times) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Times]:
    """The rows before and after each wanted time, int64 [n], and its place between them: float64 [n], from 0 to 1."""
    after = np.searchsorted(times, wanted, side="right").clip(1, max(1, len(times) - 1))
    before = after - 1
    after = after.clip(max=len(times) - 1)  # there may be one row only
    gap = times[after] - times[before]
    share = ((wanted - times[before]) / np.where(gap > 0, gap, 1)).clip(0, 1)
    return before, after, share


def mix(before: Values, after: Values, share: Times) -> Values:
    """Values between one row and the next: float16 [n, D]. See `between`."""
    part = share.astype(np.float32)[:, None]
    mixed = before.astype(np.float32) * (1 - part) + after.astype(np.float32) * part
    return np.asarray(mixed.astype(np.float16))


def spread_batches(times: Times, values: Values, wanted: Times) -> Iterator[Values]:
    """Like `spread`, but yields some hundreds of rows at a time."""
    for first in range(0, len(wanted), BATCH):
        yield spread(times, values, wanted[first : first + BATCH])
