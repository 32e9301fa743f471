"""What is learnt from, held whole where each step finds it at once: on the GPU, in memory, or in a mapped file.

Frames are decoded, and features read, once. The file is for what memory has no room for, and for the
processes of one machine that train together: the first makes it, the others wait for it and map it.
"""

import hashlib
import math
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lolhl import machine, progress
from lolhl.errors import StorageError
from lolhl.storage.lock import locked

_AT_ONCE = 64  # rows that a thread reads in one go
_UNFINISHED = ".unfinished"
_LOCK = ".lock"


@dataclass(frozen=True)
class Part:
    """Rows that come from one place, all of one shape and type.

    Attributes:
        digest: of all that lies there: the same digest means the same rows.
        numbers: int64 [n], which of them are wanted.
        read: int64 [n] → the rows with these numbers [n, …]. Called by several threads.
    """

    digest: str
    numbers: npt.NDArray[np.int64]
    read: Callable[[npt.NDArray[np.int64]], npt.NDArray[np.generic]]


@dataclass(frozen=True)
class Place:
    """Where rows may be held.

    Attributes:
        device: where they are needed.
        limit: bytes that they may take there or in memory; None for half of what is free.
        alone: False where several processes of this machine need the same rows.
    """

    device: torch.device
    limit: int | None = None
    alone: bool = True


def hold(label: str, parts: Sequence[Part], place: Place) -> Tensor:
    """All wanted rows, in the order of the parts and their numbers: [rows, …].

    On the device where they fit, else in memory, else mapped from a file in $LOLHL_CACHE; several
    processes always go by the file, which the page cache keeps in memory as far as it can.

    Args:
        label: what is held, for people.
        parts: at least one row in all.

    Raises:
        StorageError: the folder has no room for the file, or cannot be written.
    """
    like = torch.from_numpy(next(part.read(part.numbers[:1]) for part in parts if len(part.numbers)))
    shape, dtype = (sum(len(part.numbers) for part in parts), *like.shape[1:]), like.dtype
    size = math.prod(shape) * dtype.itemsize
    on_device = place.device.type != "cpu" and size <= _limit(place.limit, _free_on(place.device))
    if place.alone and (on_device or size <= _limit(place.limit, _free_memory())):
        held = torch.empty(shape, dtype=dtype, device=place.device if on_device else None)
        _fill(label, held, parts)
        return held
    mapped = _mapped(label, parts, shape, dtype)
    return mapped.to(place.device) if on_device else mapped


def _fill(label: str, held: Tensor, parts: Sequence[Part]) -> None:
    """Reads all rows, in one thread a core."""

    def one(of: tuple[int, Part, int]) -> int:
        first, part, at = of
        rows = torch.from_numpy(part.read(part.numbers[at : at + _AT_ONCE]))
        held[first : first + len(rows)] = rows
        return len(rows)

    def pieces() -> Iterator[tuple[int, Part, int]]:
        first = 0
        for part in parts:
            for at in range(0, len(part.numbers), _AT_ONCE):
                yield first + at, part, at
            first += len(part.numbers)

    pool = ThreadPoolExecutor(os.cpu_count() or 1)
    try:
        with progress.bar(label, len(held), "rows") as advance:
            for count in pool.map(one, pieces()):
                advance(count)
    finally:
        pool.shutdown(cancel_futures=True)


def _mapped(label: str, parts: Sequence[Part], shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """The rows in a file that bears their digest, made unless it is there."""
    size = math.prod(shape) * dtype.itemsize
    folder = machine.cache("rows")
    path = folder / _digest(parts, shape, dtype)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / _LOCK, str(folder)):  # those that come later find the file made
            if not path.exists() or path.stat().st_size != size:
                path.unlink(missing_ok=True)
                _make_room(folder, size)
                unfinished = folder / _UNFINISHED
                with unfinished.open("wb") as file:
                    os.posix_fallocate(file.fileno(), 0, size)  # to run out of disk in a mapped file is fatal
                held = _map(unfinished, shape, dtype)
                _fill(label, held, parts)
                with unfinished.open("rb+") as file:
                    os.fsync(file.fileno())
                unfinished.rename(path)
            os.utime(path)
            return _map(path, shape, dtype)
    except OSError as error:
        raise StorageError(f"{folder}: {error.strerror}: set LOLHL_CACHE to a folder with room") from error


def _map(path: Path, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    # Shared, since the kernel counts a private mapping as memory that it may have to give.
    return torch.from_file(str(path), shared=True, size=math.prod(shape), dtype=dtype).view(shape)


def _digest(parts: Sequence[Part], shape: tuple[int, ...], dtype: torch.dtype) -> str:
    seen = hashlib.sha256(f"{shape} {dtype}".encode())
    for part in parts:
        seen.update(f"{part.digest} {len(part.numbers)}\n".encode())
        seen.update(part.numbers.tobytes())
    return seen.hexdigest()[:40]


def _make_room(folder: Path, size: int) -> None:
    """Removes what a killed run left, and the files used longest ago until half of the disk's room suffices.

    A file that another process has mapped stays with it until it ends.

    Raises:
        StorageError: even then there is no room.
    """
    (folder / _UNFINISHED).unlink(missing_ok=True)
    kept = [(stat.st_mtime, stat.st_size, path) for path in folder.glob("[!.]*") if (stat := path.stat())]
    used = sum(entry[1] for entry in kept)
    bound = (shutil.disk_usage(folder).free + used) // 2
    for _, freed, path in sorted(kept):
        if used + size > bound:
            path.unlink()
            used -= freed
    if size > bound:
        raise StorageError(
            f"{folder}: {size / 1e9:.1f} GB are needed and {bound / 1e9:.1f} GB may be used: "
            "set LOLHL_CACHE to a folder with more room, or learn from fewer or smaller frames"
        )


def _limit(said: int | None, free: int) -> int:
    return free // 2 if said is None else said


def _free_on(device: torch.device) -> int:
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else 0


def _free_memory() -> int:
    """Bytes that this process can still get, in a container no more than that one may have."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    with suppress(OSError, StopIteration):  # Linux only
        lines = Path("/proc/meminfo").read_text().splitlines()
        found.append(1024 * int(next(line for line in lines if line.startswith("MemAvailable:")).split()[1]))
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # "max" where there is no limit
            found.append(int(Path(limit).read_text()))
    return min(found)
