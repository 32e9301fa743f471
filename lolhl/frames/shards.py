"""Shards: plain USTAR archives of JPEGs, and the index that says where each picture lies in them.

Any tar program opens a shard; whoever has the index reads one frame with one pread.
"""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import simplejpeg

from lolhl.vod.decode import Picture

_BLOCK = tarfile.BLOCKSIZE
_END = b"\0" * (2 * _BLOCK)


@dataclass(frozen=True)
class Entry:
    """Where frame number `frame` lies: shard number, and offset and length of its JPEG in bytes."""

    frame: int
    shard: int
    offset: int
    length: int


def shard_key(vod: str, shard: int) -> str:
    return f"frames/{vod}/shard-{shard:06}.tar"


def encode(picture: Picture, quality: int) -> bytes:
    """The picture (uint8 [height, width, 3], RGB) as JPEG with 4:2:0 colours; the same bytes each time."""
    return bytes(simplejpeg.encode_jpeg(picture, quality=quality, colorspace="RGB", colorsubsampling="420"))


@dataclass
class ShardWriter:
    """One shard being written to a local file."""

    path: Path
    shard: int
    entries: list[Entry] = field(default_factory=list)
    size: int = 0

    def __post_init__(self) -> None:
        self._file = self.path.open("wb")

    def add(self, frame: int, jpeg: bytes) -> None:
        header = tarfile.TarInfo(f"{frame:08}.jpg")  # no owner and no clock time: the same bytes each time
        header.size = len(jpeg)
        block = header.tobuf(tarfile.USTAR_FORMAT) + jpeg + b"\0" * (-len(jpeg) % _BLOCK)
        self._file.write(block)
        self.entries.append(Entry(frame, self.shard, self.size + _BLOCK, len(jpeg)))
        self.size += len(block)

    def close(self) -> None:
        self._file.write(_END)
        self.size += len(_END)
        self._file.close()


def pack(jpegs: Iterator[tuple[int, bytes]], folder: Path, shard: int, shard_bytes: int) -> Iterator[ShardWriter]:
    """Fills one shard after the other; each comes out when it is closed.

    Args:
        jpegs: frame number and JPEG, in order.
        folder: where the shards' files are made.
        shard: number of the first.
        shard_bytes: a shard is closed once it is at least this large. Depends on the pictures
            alone, so that a run that goes on after a kill cuts at the same places.
    """
    writer: ShardWriter | None = None
    for frame, jpeg in jpegs:
        writer = writer or ShardWriter(folder / f"shard-{shard:06}.tar", shard)
        writer.add(frame, jpeg)
        if writer.size >= shard_bytes:
            writer.close()
            yield writer
            writer, shard = None, shard + 1
    if writer:
        writer.close()
        yield writer
