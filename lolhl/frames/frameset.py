"""Frame sets: the frames of one VOD at one fps and size, read back as pictures."""

import io
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import simplejpeg

from lolhl import grid, manifest
from lolhl.errors import NotFound, StorageError
from lolhl.frames.shards import Entry, shard_key
from lolhl.storage import Root
from lolhl.vod.decode import View


def manifest_key(vod: str) -> str:
    return f"frames/{vod}/frameset.json"


def index_key(vod: str) -> str:
    return f"frames/{vod}/index.parquet"


def index_bytes(entries: Sequence[Entry], fps: Fraction) -> bytes:
    """The index as Parquet: frame, time (seconds), shard, offset, length (bytes)."""
    columns = {name: [getattr(e, name) for e in entries] for name in ("frame", "shard", "offset", "length")}
    table = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.Int64)).with_columns(
        time=pl.Series(grid.times(len(entries), fps))
    )
    buffer = io.BytesIO()
    table.select("frame", "time", "shard", "offset", "length").write_parquet(buffer)
    return buffer.getvalue()


@dataclass(frozen=True)
class FrameSet:
    """All frames of one VOD; `shards`, `offsets` and `lengths` are int64 [count]."""

    root: Root
    vod: str
    view: View
    digest: str
    shards: npt.NDArray[np.int64]
    offsets: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    _files: dict[int, Path] = field(default_factory=dict, compare=False, repr=False)
    _coming: "_Coming" = field(default_factory=lambda: _Coming(), compare=False, repr=False)

    @classmethod
    def load(cls, root: Root, vod: str) -> "FrameSet":
        """Raises MissingInput when the VOD's frames were not extracted, or come from an earlier download.

        Raises StorageError when the index is gone or damaged.
        """
        said = manifest.load(root, manifest_key(vod), f"lolhl extract {vod}", fresh=True)
        index = pl.read_parquet(io.BytesIO(said.read(root, index_key(vod), f"lolhl extract {vod} --force")))
        index = index.sort("frame")
        view = View(Fraction(said.result["fps"]), said.result["size"], said.result["fit"])
        shards, offsets, lengths = (index[name].to_numpy() for name in ("shard", "offset", "length"))
        return cls(root, vod, view, said.content_digest(), shards, offsets, lengths)

    def __len__(self) -> int:
        return len(self.shards)

    def read(self, frames: Sequence[int] | npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
        """The pictures with these numbers: uint8 [len(frames), size, size, 3], RGB.

        Raises:
            StorageError: a shard is missing or damaged.
        """
        side = self.view.size
        pictures = np.empty((len(frames), side, side, 3), dtype=np.uint8)
        for place, frame in enumerate(frames):
            pictures[place] = self._picture(int(frame))
        return pictures

    def batches(self, size: int) -> Iterator[npt.NDArray[np.uint8]]:
        """All pictures in order, `size` at a time."""
        for first in range(0, len(self), size):
            yield self.read(range(first, min(first + size, len(self))))

    def _picture(self, frame: int) -> npt.NDArray[np.uint8]:
        shard = int(self.shards[frame])
        where, redo = f"{self.root.url}/{shard_key(self.vod, shard)}", f"run `lolhl extract {self.vod} --force`"
        try:
            path = self._file(shard)
        except NotFound as error:
            raise NotFound(f"{where} is gone: {redo}") from error
        with path.open("rb", buffering=0) as file:
            jpeg = os.pread(file.fileno(), int(self.lengths[frame]), int(self.offsets[frame]))
        try:
            return np.asarray(simplejpeg.decode_jpeg(jpeg, colorspace="RGB"))
        except ValueError as error:
            raise StorageError(f"{where} is damaged at frame {frame}: {redo}") from error

    def _file(self, shard: int) -> Path:
        """The shard on this machine: a bucket's is fetched whole, once, and the next one while this one is read."""
        if shard not in self._files:
            coming = self._coming.pop(shard, None)
            self._files[shard] = coming.result() if coming else self.root.local(shard_key(self.vod, shard))
            following = shard + 1
            if following <= self.shards[-1] and following not in self._files and following not in self._coming:
                self._coming[following] = _in_background(self.root, shard_key(self.vod, following))
        return self._files[shard]


class _Coming(dict[int, "Future[Path]"]):
    """Shards on their way."""

    def __reduce__(self) -> tuple[type["_Coming"], tuple[()]]:
        return _Coming, ()  # threads do not travel to other processes


def _in_background(root: Root, key: str) -> "Future[Path]":
    future: Future[Path] = Future()

    def fetch() -> None:
        try:
            future.set_result(root.local(key))
        except Exception as error:
            future.set_exception(error)  # comes out where the shard is read

    threading.Thread(target=fetch).start()
    return future
