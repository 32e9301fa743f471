"""Frame sets: the frames of one VOD at one fps and size, read back as pictures."""

import hashlib
import io
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import simplejpeg

from lolhl import grid, layout, manifest
from lolhl.errors import NotFound, StorageError
from lolhl.frames.shards import Entry
from lolhl.frames.spec import FrameSpec
from lolhl.manifest import Output
from lolhl.results import Frames
from lolhl.storage import Root
from lolhl.tables import read_table
from lolhl.vod.view import View

_INDEX = {"frame": pl.Int64, "time": pl.Float64, "shard": pl.Int64, "offset": pl.Int64, "length": pl.Int64}


def index_bytes(entries: Sequence[Entry]) -> bytes:
    """The index as Parquet: frame, time (seconds), shard, offset, length (bytes)."""
    table = pl.DataFrame(entries, schema=_INDEX, orient="row")
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    return buffer.getvalue()


@dataclass(frozen=True)
class FrameSet:
    """The frames of one VOD.

    A set of the whole grid holds a picture of every instant; one that was scanned, of some.

    Attributes:
        count: instants of the grid; also `len()`.
        times: of the pictures that there are, in seconds: float64 [m], m ≤ count.
        shards, offsets, lengths: where these pictures lie: int64 [m].
        nearest: for each instant, the place of the picture that is nearest in time: int64 [count].
    """

    root: Root
    vod: str
    spec: FrameSpec
    digest: str
    count: int
    times: npt.NDArray[np.float64]
    nearest: npt.NDArray[np.int64]
    shards: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    _files: "_Files" = field(compare=False, repr=False)

    @classmethod
    def load(cls, root: Root, vod: str, spec: FrameSpec) -> "FrameSet":
        """The frame set of this name; see `lolhl.frames.spec.stored` for those that there are.

        Raises:
            MissingInput: it was not extracted, or comes from an earlier download.
            StorageError: its index is gone or damaged.
        """
        key, redo = spec.manifest_key(vod), f"{spec.command(vod)} --force"
        root_ahead = root.ahead([key, layout.vod(vod)])
        frames = manifest.load(root_ahead, key, Frames, spec.command(vod), fresh=True)
        shards = [output for output in frames.outputs if output.key.endswith(".tar")]
        if View(frames.result.fps, frames.result.size, frames.result.fit) != spec.view:
            raise StorageError(f"{root.url}/{key} is of other frames than its folder's name says: run `{redo}`")
        index_keys = [output.key for output in frames.outputs if output.key.endswith(".parquet")]
        if not index_keys:
            raise StorageError(f"{root.url}/{key} names no index: run `{redo}`")
        place, count = f"{root.url}/{index_keys[0]}", frames.result.frames
        index = read_table(frames.read(root, index_keys[0], redo), _INDEX, place, redo).sort("frame")
        _check_index(index, count, [shard.size for shard in shards], place, redo)
        if frames.result.mode == "grid" and len(index) != count:
            raise StorageError(f"{root.url}/{key} is of {count} frames and its index of {len(index)}: run `{redo}`")
        times, places, offsets, lengths = (index[name].to_numpy() for name in ("time", "shard", "offset", "length"))
        nearest = np.arange(count) if len(times) == count else _nearest(times, grid.times(count, spec.view.fps))
        files = _Files(root, tuple(shards), redo)
        return cls(root, vod, spec, frames.content_digest(), count, times, nearest, places, offsets, lengths, files)

    @property
    def view(self) -> View:
        return self.spec.view

    def __len__(self) -> int:
        return self.count

    @property
    def is_whole(self) -> bool:
        """Whether there is a picture of every instant."""
        return len(self.times) == self.count

    def read(self, frames: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """The pictures nearest to the instants with these numbers: uint8 [len(frames), size, size, 3], RGB.

        Raises:
            StorageError: a shard is missing or damaged.
        """
        return self.pictures(self.nearest[np.asarray(frames, dtype=np.int64)])

    def pictures(self, places: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """The pictures at these places of `times`; else as `read`."""
        side = self.view.size
        pictures = np.empty((len(places), side, side, 3), dtype=np.uint8)
        for row, place in enumerate(places):
            pictures[row] = self._picture(int(place))
        return pictures

    def _picture(self, place: int) -> npt.NDArray[np.uint8]:
        shard = int(self.shards[place])
        with self._files.path(shard).open("rb", buffering=0) as file:
            jpeg = os.pread(file.fileno(), int(self.lengths[place]), int(self.offsets[place]))
        try:
            picture = np.asarray(simplejpeg.decode_jpeg(jpeg, colorspace="RGB"))
        except ValueError as error:
            raise self._files.damaged(shard) from error
        side = self.view.size
        if picture.shape != (side, side, 3):
            raise self._files.damaged(shard)
        return picture


def _check_index(index: pl.DataFrame, count: int, sizes: Sequence[int], place: str, redo: str) -> None:
    """Raises StorageError unless each row, in order of frames, may say where a picture of the grid lies.

    Args:
        sizes: of the shards, in bytes.
    """
    shards = len(sizes)
    ends = pl.Series(sizes, dtype=pl.Int64).gather(index["shard"].clip(0, shards - 1)) if shards else index["shard"]
    checks = {
        "no picture": len(index) > 0,
        f"frames that are none of {count}": index["frame"].is_between(0, count - 1).all(),
        "a frame twice": index["frame"].is_unique().all(),
        "times that go back": index["time"].is_sorted(),
        f"shards that are none of {shards}": index["shard"].is_between(0, shards - 1).all(),
        "places before a file's beginning": all((index[name] >= 0).all() for name in ("offset", "length")),
        "places beyond a file's end": (index["length"] <= ends - index["offset"]).all(),
    }
    for problem, holds in checks.items():
        if not holds:
            raise StorageError(f"{place} is wrong (it has {problem}): run `{redo}`")


def _nearest(times: npt.NDArray[np.float64], instants: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    after = np.clip(np.searchsorted(times, instants), 1, max(1, len(times) - 1))
    nearer = instants - times[after - 1] <= times[np.minimum(after, len(times) - 1)] - instants
    return np.where(nearer, after - 1, np.minimum(after, len(times) - 1)).astype(np.int64)


class _Files:
    """The shards that are on this machine or on their way to it; threads may share them."""

    def __init__(self, root: Root, shards: tuple[Output, ...], redo: str) -> None:
        self._root, self._shards, self._redo = root, shards, redo
        self._lock = threading.Lock()
        self._files: dict[int, Future[Path]] = {}

    def __reduce__(self) -> "tuple[type[_Files], tuple[Root, tuple[Output, ...], str]]":
        return _Files, (self._root, self._shards, self._redo)  # threads do not travel to other processes

    def path(self, shard: int) -> Path:
        """A bucket's shard is fetched whole, once, not picture by picture; the next one while this one is read.

        Its bytes are compared with their digest then, and not again for each picture.

        Raises:
            StorageError: it is gone or damaged.
        """
        with self._lock:
            for number in range(shard, min(shard + 2, len(self._shards))):
                if number not in self._files:
                    self._files[number] = _in_background(partial(self._fetch, number))
        return self._files[shard].result()

    def damaged(self, shard: int) -> StorageError:
        return StorageError(f"{self._root.url}/{self._shards[shard].key} is damaged: run `{self._redo}`")

    def _fetch(self, shard: int) -> Path:
        output = self._shards[shard]
        try:
            path = self._root.local(output.key)
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except (NotFound, FileNotFoundError) as error:
            raise NotFound(f"{self._root.url}/{output.key} is gone: run `{self._redo}`") from error
        if digest != output.sha256:
            raise self.damaged(shard)
        return path


def _in_background(do: Callable[[], Path]) -> "Future[Path]":
    future: Future[Path] = Future()

    def fetch() -> None:
        try:
            future.set_result(do())
        except Exception as error:
            future.set_exception(error)  # comes out where the shard is read

    threading.Thread(target=fetch).start()
    return future
