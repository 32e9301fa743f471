"""Shards: plain USTAR archives of JPEGs, and the index that says where each picture lies in them.

Any tar program opens a shard; whoever has the index reads one frame with one pread.
"""

import hashlib
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import simplejpeg

from lolhl.vod.decode import Picture

_BLOCK = tarfile.BLOCKSIZE
_END = b"\0" * (2 * _BLOCK)


@dataclass(frozen=True)
class Encoded:
    """A frame on its way into a shard: its number on the grid, the time of its picture in seconds, and its JPEG."""

    frame: int
    time: float
    jpeg: bytes


class Entry(NamedTuple):
    """A frame's number and time (seconds), and where it lies: shard number, offset and length of its JPEG in bytes."""

    frame: int
    time: float
    shard: int
    offset: int
    length: int


def encode(picture: Picture, quality: int) -> bytes:
    """The picture (uint8 [height, width, 3], RGB) as JPEG with 4:2:0 colours; the same bytes each time."""
    return bytes(simplejpeg.encode_jpeg(picture, quality=quality, colorspace="RGB", colorsubsampling="420"))


@dataclass
class ShardWriter:
    """One shard being written to a local file.

    Attributes:
        is_last: no frames came after its own.
    """

    path: Path
    shard: int
    entries: list[Entry] = field(default_factory=list)
    size: int = 0
    is_last: bool = False

    def __post_init__(self) -> None:
        self._file, self._digest = self.path.open("wb"), hashlib.sha256()

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def add(self, picture: Encoded) -> None:
        header = tarfile.TarInfo(f"{picture.frame:08}.jpg")  # no owner and no clock time: the same bytes each time
        header.size = len(picture.jpeg)
        block = header.tobuf(tarfile.USTAR_FORMAT) + picture.jpeg + b"\0" * (-len(picture.jpeg) % _BLOCK)
        self.entries.append(Entry(picture.frame, picture.time, self.shard, self.size + _BLOCK, len(picture.jpeg)))
        self._write(block)

    def close(self) -> None:
        self._write(_END)
        self._file.close()

    def _write(self, block: bytes) -> None:
        self._file.write(block)
        self._digest.update(block)
        self.size += len(block)


def pack(frames: Iterator[Encoded], folder: Path, shard: int, shard_bytes: int) -> Iterator[ShardWriter]:
    """Fills one shard after the other; each comes out when it is closed, the last one marked unless it is full.

    Args:
        frames: in order.
        folder: where the shards' files are made.
        shard: number of the first.
        shard_bytes: a shard is closed once it is at least this large. Depends on the pictures
            alone, so that a run that goes on after a kill cuts at the same places.
    """
    writer: ShardWriter | None = None
    for picture in frames:
        writer = writer or ShardWriter(folder / f"shard-{shard:06}.tar", shard)
        writer.add(picture)
        if writer.size >= shard_bytes:
            writer.close()
            yield writer
            writer, shard = None, shard + 1
    if writer:
        writer.close()
        writer.is_last = True
        yield writer
