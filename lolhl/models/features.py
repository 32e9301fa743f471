"""Features of pictures and of a VOD's frames.

A frozen backbone gives the same features each time. They are stored beside the frames, in parts, so
that training, scoring and training again after a correction do not look at a picture twice, and a
run that was killed goes on where it stopped. They stay in files: no array grows with the VOD.
"""

import io
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lolhl import progress
from lolhl.frames.frameset import FrameSet
from lolhl.models.engine import Engine, Pictures
from lolhl.models.engine import Features as Features
from lolhl.storage import Root, each
from lolhl.vod.decode import Picture

_PART = 2048  # frames in a stored part: some seconds of work
_BATCH = 512  # frames that are read or interpolated at once


@dataclass(frozen=True)
class FrameFeatures:
    """The features of a VOD's frames, in files: what is asked for is read, and nothing is kept.

    Attributes:
        root: where they are stored.
        keys: of the parts, each of `_PART` frames but the last.
        paths: of the same parts, on this machine.
        count: of the frames.
    """

    root: Root
    keys: tuple[str, ...]
    paths: tuple[Path, ...]
    count: int

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, frames: npt.NDArray[np.int64]) -> Features:
        """The features of these frames: float16 [len(frames), D]. May be called by several threads."""
        parts = frames // _PART
        first = parts[0] if len(parts) else 0
        if (parts == first).all():
            return np.asarray(self._open(first)[frames - first * _PART])
        found: Features | None = None
        for part in np.unique(parts):
            here = parts == part
            rows = self._open(part)[frames[here] - part * _PART]
            if found is None:
                found = np.empty((len(frames), rows.shape[1]), dtype=np.float16)
            found[here] = rows
        assert found is not None
        return found

    def batches(self) -> Iterator[Features]:
        """All features in order, some hundreds at a time."""
        for first in range(0, self.count, _BATCH):
            yield self[np.arange(first, min(first + _BATCH, self.count))]

    def _open(self, part: int) -> Features:
        # Opened anew each time: what stays mapped counts as memory of this process.
        try:
            mapped: Features = np.load(self.paths[part], mmap_mode="r")
        except FileNotFoundError:  # the cache of a bucket needed the room
            mapped = np.load(self.root.local(self.keys[part]), mmap_mode="r")
        return mapped


def of_pictures(engine: Engine, pictures: Iterable[Picture]) -> Iterator[Features]:
    """Features of pictures (uint8 [S, S, 3]) as they come, a batch at a time: float16 [n, D]."""
    return engine.run(_stacked(pictures, engine.batch))


def of_frames(engine: Engine, frames: FrameSet) -> Iterator[Features]:
    """Features of a whole frame set as they come, in order, a batch at a time: float16 [n, D]. Stores nothing."""
    with progress.bar(f"features {frames.vod}", len(frames), "frames") as advance:
        for batch in _run(engine, frames, range(len(frames))):
            yield batch
            advance(len(batch))


def stored(engine: Engine, frames: FrameSet) -> FrameFeatures:
    """Features of a whole frame set: what earlier runs stored, and what is missing, which is stored now.

    Right for a frozen backbone, whose features are asked for again.

    Raises:
        StorageError: frames are missing or damaged.
    """
    folder = f"frames/{frames.vod}/features/{engine.key}"
    parts = {
        f"{folder}/{first:08}.npy": range(first, min(first + _PART, len(frames)))
        for first in range(0, len(frames), _PART)
    }
    with progress.bar(f"features {frames.vod}", len(frames), "frames") as advance:
        there = each(lambda key: _whole(frames.root, key, len(parts[key])), parts)
        for (key, numbers), is_there in zip(parts.items(), there, strict=True):
            if is_there:
                advance(len(numbers))
                continue
            found = []
            for batch in _run(engine, frames, numbers):
                found.append(batch)
                advance(len(batch))
            frames.root.write(key, _npy(np.concatenate(found)))
    return FrameFeatures(frames.root, tuple(parts), tuple(each(frames.root.local, parts)), len(frames))


def spread(times: npt.NDArray[np.float64], features: Features, grid_times: npt.NDArray[np.float64]) -> Features:
    """Features at other times than those of the pictures: in between linear in time, before and after held.

    Args:
        times: of the pictures, in seconds, ascending: float64 [m], m at least 1.
        features: float16 [m, D].
        grid_times: float64 [n], in any order.

    Returns:
        float16 [n, D].
    """
    after = np.searchsorted(times, grid_times, side="right").clip(1, max(1, len(times) - 1))
    before = after - 1
    after = after.clip(max=len(times) - 1)  # of a single picture
    gap = times[after] - times[before]
    share = ((grid_times - times[before]) / np.where(gap > 0, gap, 1)).clip(0, 1).astype(np.float32)[:, None]
    mixed = features[before].astype(np.float32) * (1 - share) + features[after].astype(np.float32) * share
    return np.asarray(mixed.astype(np.float16))


def spread_batches(
    times: npt.NDArray[np.float64], features: Features | FrameFeatures, grid_times: npt.NDArray[np.float64]
) -> Iterator[Features]:
    """As `spread`, for ascending `grid_times`, some hundreds at a time."""
    for first in range(0, len(grid_times), _BATCH):
        wanted = grid_times[first : first + _BATCH]
        low, high = np.searchsorted(times, [wanted[0], wanted[-1]], side="right")
        near = np.arange(max(low - 1, 0), min(high + 1, len(times)))
        yield spread(times[near], features[near], wanted)


def _run(engine: Engine, frames: FrameSet, numbers: range) -> Iterator[Features]:
    """Frames are read by threads while the engine works."""
    batches = (numbers[first : first + engine.batch] for first in range(0, len(numbers), engine.batch))
    return engine.run(each(frames.read, batches))


def _stacked(pictures: Iterable[Picture], size: int) -> Iterator[Pictures]:
    waiting: list[Picture] = []
    for picture in pictures:
        waiting.append(picture)
        if len(waiting) == size:
            yield np.stack(waiting)
            waiting = []
    if waiting:
        yield np.stack(waiting)


def _whole(root: Root, key: str, count: int) -> bool:
    """Whether an earlier run stored this part, and it is not damaged."""
    if not root.stat(key):
        return False
    with suppress(ValueError, EOFError):
        part = np.load(root.local(key), mmap_mode="r")
        return part.ndim == 2 and part.dtype == np.float16 and len(part) == count
    return False


def _npy(array: Features) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()
