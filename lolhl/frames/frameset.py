"""Frame sets: the frames of one VOD at one fps and size, read back as pictures."""

import io
import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import simplejpeg

from lolhl import grid, manifest
from lolhl.errors import NotFound, StorageError
from lolhl.frames.shards import Entry, shard_key
from lolhl.results import Frames
from lolhl.storage import Root
from lolhl.tables import read_table
from lolhl.vod.decode import View

_INDEX = {"frame": pl.Int64, "time": pl.Float64, "shard": pl.Int64, "offset": pl.Int64, "length": pl.Int64}


def manifest_key(vod: str) -> str:
    return f"frames/{vod}/frameset.json"


def index_key(vod: str) -> str:
    return f"frames/{vod}/index.parquet"


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
    view: View
    digest: str
    count: int
    times: npt.NDArray[np.float64]
    nearest: npt.NDArray[np.int64]
    shards: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    _files: "_Files" = field(default_factory=lambda: _Files(), compare=False, repr=False)

    @classmethod
    def load(cls, root: Root, vod: str) -> "FrameSet":
        """Raises MissingInput when the VOD's frames were not extracted, or come from an earlier download.

        Raises StorageError when the index is gone or damaged.
        """
        asked = root.ahead([manifest_key(vod), index_key(vod), f"vods/{vod}/vod.json"])
        said = manifest.load(asked, manifest_key(vod), Frames, f"lolhl extract {vod}", fresh=True)
        redo, place = f"lolhl extract {vod} --force", f"{root.url}/{index_key(vod)}"
        index = read_table(said.read(asked, index_key(vod), redo), _INDEX, place, redo).sort("frame")
        view = View(said.result.fps, said.result.size, said.result.fit)
        count = said.result.frames
        _check_index(index, count, place, redo)
        times, shards, offsets, lengths = (index[name].to_numpy() for name in ("time", "shard", "offset", "length"))
        nearest = np.arange(count) if len(times) == count else _nearest(times, grid.times(count, view.fps))
        return cls(root, vod, view, said.content_digest(), count, times, nearest, shards, offsets, lengths)

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
        where, redo = f"{self.root.url}/{shard_key(self.vod, shard)}", f"run `lolhl extract {self.vod} --force`"
        try:
            path = self._files.path(self.root, self.vod, shard, int(self.shards[-1]))
        except NotFound as error:
            raise NotFound(f"{where} is gone: {redo}") from error
        with path.open("rb", buffering=0) as file:
            jpeg = os.pread(file.fileno(), int(self.lengths[place]), int(self.offsets[place]))
        try:
            picture = np.asarray(simplejpeg.decode_jpeg(jpeg, colorspace="RGB"))
        except ValueError as error:
            raise StorageError(f"{where} is damaged at picture {place}: {redo}") from error
        side = self.view.size
        if picture.shape != (side, side, 3):
            height, width = picture.shape[:2]
            raise StorageError(f"{where} has a picture of {width} × {height} in place of {side} × {side} px: {redo}")
        return picture


def _check_index(index: pl.DataFrame, count: int, place: str, redo: str) -> None:
    """Raises StorageError unless each row, in order of frames, may say where a picture of the grid lies."""
    checks = {
        "no picture": len(index) > 0,
        f"frames that are none of {count}": index["frame"].is_between(0, count - 1).all(),
        "a frame twice": index["frame"].is_unique().all(),
        "times that go back": index["time"].is_sorted(),
        "places before a file's beginning": all((index[name] >= 0).all() for name in ("shard", "offset", "length")),
    }
    for what, holds in checks.items():
        if not holds:
            raise StorageError(f"{place} is wrong (it has {what}): run `{redo}`")


def _nearest(times: npt.NDArray[np.float64], wanted: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    after = np.clip(np.searchsorted(times, wanted), 1, max(1, len(times) - 1))
    nearer = wanted - times[after - 1] <= times[np.minimum(after, len(times) - 1)] - wanted
    return np.where(nearer, after - 1, np.minimum(after, len(times) - 1)).astype(np.int64)


class _Files:
    """The shards that are on this machine or on their way to it; threads may share them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[int, Future[Path]] = {}

    def __reduce__(self) -> tuple[type["_Files"], tuple[()]]:
        return _Files, ()  # threads do not travel to other processes

    def path(self, root: Root, vod: str, shard: int, last: int) -> Path:
        """A bucket's shard is fetched whole, once, not picture by picture; the next one while this one is read."""
        with self._lock:
            for wanted in range(shard, min(shard + 1, last) + 1):
                if wanted not in self._files:
                    self._files[wanted] = _in_background(root, shard_key(vod, wanted))
        return self._files[shard].result()


def _in_background(root: Root, key: str) -> "Future[Path]":
    future: Future[Path] = Future()

    def fetch() -> None:
        try:
            future.set_result(root.local(key))
        except Exception as error:
            future.set_exception(error)  # comes out where the shard is read

    threading.Thread(target=fetch).start()
    return future
