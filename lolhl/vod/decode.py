"""Video in, pictures at exact times out. Every picture that a model ever sees comes from here.

Frame k is the picture on screen at k / fps seconds, counted from the start of the video. Parts of a
video are decoded side by side, on all cores or on all engines of a card; the pictures are the same
whatever their number.
"""

import logging
import os
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, repeat
from pathlib import Path
from typing import Literal, TypeVar

from lolhl import grid
from lolhl.errors import UsageError, VideoError
from lolhl.vod import cuda
from lolhl.vod.clock import KeyTimes
from lolhl.vod.cpu import KeyPacket, Reader
from lolhl.vod.ordered_workers import in_order
from lolhl.vod.view import Fit as Fit
from lolhl.vod.view import Picture as Picture
from lolhl.vod.view import View as View

log = logging.getLogger(__name__)

Decoder = Literal["cpu", "cuda"]
Mode = Literal["grid", "scan", "refine"]
Item = TypeVar("Item")
Made = TypeVar("Made")

# Seconds of a part: many GOPs, since it begins at a key frame that may lie before it. On a card each
# part is a process, which takes its time to start.
_PART = {"cpu": 60, "cuda": 300}
_OFTEN = 10.0  # seconds between key frames, up to which parts of a video are decoded on their own
AS_ON_TWITCH = 2.5  # seconds between key frames at most for them to show what happens: Twitch has 2
_KEYS = 8  # key frames that a thread of a scan decodes at a time
_MOSTLY = 0.5  # share of a video in which key frames come as on Twitch, for its key frames to be looked at first
_NEAR_END = 1.0  # seconds before the last picture's time, in which there is a picture on screen
_WAITING = {"cpu": 48_000_000, "cuda": 160_000_000}  # bytes of pictures that wait, per worker


def choose_decoder(video: Path, choice: str, view: View) -> Decoder:
    """ "cuda" where this file can be decoded and scaled on a GPU, else "cpu".

    Args:
        choice: "auto", "cpu" or "cuda".

    Raises:
        UsageError: "cuda" was chosen and does not work here.
    """
    if choice == "cpu" or (choice == "auto" and not cuda.has_driver()):
        return "cpu"
    problem = cuda.problem(video, view)
    if problem is None:
        return "cuda"
    if choice == "cuda":
        raise UsageError(f"{video} cannot be decoded on a GPU here ({problem}): use --decoder cpu")
    return "cpu"


@dataclass
class Ending:
    """How decoding ended; filled when `decode` has yielded its last picture.

    `problem` says why the file could not be read to its end, else None. `end` is when its last picture leaves
    the screen, in seconds; None if it cannot be known. `scan` fills it, and says with it how long the grid is.
    """

    problem: str | None = None
    end: Fraction | None = None

    def count(self, fps: Fraction) -> int:
        """How many instants of the grid have a picture on screen."""
        return 0 if self.end is None else grid.first_frame_at(self.end, fps)


def decode(
    video: Path,
    view: View,
    *,
    decoder: Decoder = "cpu",
    first: int = 0,
    stop: int | None = None,
    workers: int | None = None,
    ending: Ending | None = None,
) -> Iterator[Picture]:
    """The pictures at first / fps, (first + 1) / fps … to the end: uint8 [size, size, 3], RGB.

    A file that is damaged or cut off gives what is readable; `ending` then says why it ended.

    Args:
        stop: the number after the last one; None for the end of the video.
        workers: threads on the CPU, sessions on a GPU; None for as many as the machine has use for.

    Raises:
        VideoError: nothing at all could be decoded, or ffmpeg was killed.
    """
    with closing(Reader(video, view)) as opened:
        frames = max(1, round(_PART[decoder] * view.fps))
        decoder = _decoder_for(opened, decoder)
        if decoder == "cuda":
            parts = _parts(first, stop, frames)
        else:
            key_times = opened.key_times(quick=False) if opened.can_seek() else None
            parts = _parts_at_keys(first, stop, frames, key_times, view.fps)
        over = yield from _all(_filled(_in_parts(opened, view, parts, decoder, workers)), ending)
    if not over.yielded and first == 0 and stop != 0:
        raise VideoError(f"{video} holds no picture that can be decoded ({over.why}): download it again")


def decode_stretches(
    video: Path, view: View, stretches: Sequence[range], *, decoder: Decoder = "cpu", workers: int | None = None
) -> Iterator[Picture]:
    """The pictures of some stretches of the grid, one after the other; fewer where the video ends before.

    Args:
        stretches: of frame numbers, ascending.
        decoder, workers: as of `decode`.
    """
    parts = ((stretch.start, stretch.stop) for stretch in stretches)
    with closing(Reader(video, view)) as opened:
        decoder = _decoder_for(opened, decoder)
        yield from _all(_filled(_in_parts(opened, view, parts, decoder, workers)), None)


def choose_mode(video: Path, choice: Mode | Literal["auto"], decoder: Decoder) -> Mode:
    """ "refine" or "grid", or the mode that was chosen.

    Key frames show where to look where they come as often as on Twitch; what is between them is most
    of the work (see tests/benchmarks/).

    Args:
        choice: the mode; "auto" for a refined scan on a CPU where key frames come often in most of the video,
            else the grid. A video that does not say when its key frames appear has no other mode.
    """
    if choice == "grid" or (choice == "auto" and decoder != "cpu"):
        return "grid"
    with closing(Reader(video, View(Fraction(1), 16, "squeeze"))) as reader:
        if choice == "auto":
            key_times = reader.key_times(quick=True)
            return "refine" if key_times and key_times.share_beyond(AS_ON_TWITCH) <= 1 - _MOSTLY else "grid"
        if reader.has_times():
            return choice
    log.warning("%s does not say when its key frames appear: --mode %s gives way to --mode grid", video.name, choice)
    return "grid"


def length(video: Path, fps: Fraction) -> Ending:
    """How the video ends, by the times of its packets. No picture is decoded.

    In a file that can be searched only its end is read. `end` is the end of the grid, a whole number of instants.

    Raises:
        VideoError: it cannot be opened, or holds no pictures.
    """
    with closing(Reader(video, View(fps, 16, "squeeze"))) as reader:
        key_times = reader.key_times(quick=False) if reader.can_seek() else None
        first = max(0, int((key_times.until - _NEAR_END) * fps)) if key_times else 0
        count = reader.count(first, None)
        if not count and first:
            first, count = 0, reader.count(0, None)
        return Ending(reader.problem, (first + count) / fps)


def scan(
    video: Path, view: View, *, begin: int = 0, workers: int | None = None, ending: Ending | None = None
) -> Iterator[tuple[float, Picture]]:
    """The key frames, which decode alone, and their times in seconds: pictures as `decode` gives them.

    On Twitch there is one every 2 s; `view.fps` plays no part. Packets are read once, in order, and decoded by
    several threads.

    Args:
        begin: seconds; key frames before are left out.
        workers, ending: as of `decode`.

    Raises:
        VideoError: there is none.
    """
    with closing(Reader(video, view)) as opened:
        pictures = in_order(
            lambda: closing(Reader(opened, view)),
            _batches(opened.key_packets(begin)),
            _keys,
            workers=workers or cores(),
            waiting=_waiting(view, "cpu"),
        )
        over = yield from _all(pictures, ending)
        if ending is not None:
            ending.problem, ending.end = opened.problem, opened.end
        why = opened.problem or over.why
    if not over.yielded and begin == 0:
        raise VideoError(f"{video} holds no key frame that can be decoded ({why}): download it again")


Look = Callable[[float], tuple[float, Picture] | None]
"""Takes seconds. Returns the last key frame at or before: its time, and uint8 [height, width], grey."""


def look_at_keys(video: Path, parts: Iterable[Item], work: Callable[[Look, Item], Made]) -> Iterator[Made]:
    """Yields what `work` makes of each part, in order. Several threads call it, with what gives it key frames.

    Only what it asks for is read and decoded, in the size that it has. Nothing is yielded of a file that cannot be
    searched, or does not say when its key frames appear.

    Raises:
        VideoError: the file cannot be opened, or holds no pictures.
    """
    view = View(Fraction(1), 16, "squeeze")

    def made(reader: Reader, part: Item) -> Generator[Made, None, None]:
        yield work(reader.key_at, part)

    with closing(Reader(video, view)) as opened:
        if opened.key_times(quick=True) is not None and opened.can_seek() and opened.has_times():
            yield from in_order(lambda: closing(Reader(opened, view)), parts, made, workers=cores(), waiting=1)


def stills(video: Path, fps: Fraction, numbers: Sequence[int], width: int) -> Iterator[Picture | None]:
    """The pictures on screen at number / fps: uint8 [height, width, 3], RGB, in the shape in which they are shown.

    They are decoded on the CPU. One that is more than twice as high as wide has less than that width. None where the
    video has ended.

    Raises:
        VideoError: it cannot be opened, or holds no pictures.
    """
    view = View(fps, width, "squeeze")

    def still(reader: Reader, number: int) -> Generator[Picture | None, None, None]:
        yield reader.still(number)

    with closing(Reader(video, view)) as opened:
        yield from in_order(
            lambda: closing(Reader(opened, view)), numbers, still, workers=min(len(numbers), cores()), waiting=1
        )


def _decoder_for(opened: Reader, decoder: Decoder) -> Decoder:
    """The decoder for this file. "cuda" needs a file in which a part is found by seeking and packets have times."""
    return decoder if opened.can_seek() and opened.has_times() else "cpu"


def _in_parts(
    opened: Reader, view: View, parts: Iterable[tuple[int, int | None]], decoder: Decoder, workers: int | None
) -> Generator[Picture | None, None, "_Over | None"]:
    def worker() -> AbstractContextManager[Reader | cuda.Session]:
        reader = Reader(opened, view)
        return closing(reader if decoder == "cpu" else cuda.Session(reader, view))

    most = cores() if decoder == "cpu" else cuda.SESSIONS
    return in_order(worker, parts, _pictures, workers=workers or most, waiting=_waiting(view, decoder))


def _filled(
    pictures: Generator[Picture | None, None, "_Over | None"],
) -> Generator[Picture, None, "_Over | None"]:
    """Fills gaps: without a picture, the one before is still on screen; the first one stands in for those before it."""
    missing, last = 0, None
    with closing(pictures):
        while True:
            try:
                picture = next(pictures)
            except StopIteration as stopped:
                over: _Over | None = stopped.value
                return over
            if picture is None and last is None:
                missing += 1
                continue
            last = last if picture is None else picture
            assert last is not None
            for _ in range(1 + missing):
                yield last
            missing = 0


def _waiting(view: View, decoder: Decoder) -> int:
    return max(4, _WAITING[decoder] // (view.size * view.size * 3))


def cores() -> int:
    """Processor cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1  # Linux only


def _parts(first: int, stop: int | None, frames: int) -> Iterator[tuple[int, int | None]]:
    """[first, stop) in parts that end at multiples of this many frames."""
    while stop is None or first < stop:
        end = (first // frames + 1) * frames
        yield first, end if stop is None else min(end, stop)
        first = end


def _parts_at_keys(
    first: int, stop: int | None, frames: int, key_times: KeyTimes | None, fps: Fraction
) -> Iterator[tuple[int, int | None]]:
    """As `_parts`, but a border needs a key frame shortly before it, else both parts would decode what lies between."""
    begin = first
    for _, border in _parts(first, stop, frames):
        if key_times is None or border is None or border == stop or border / fps > key_times.until:
            break
        if key_times.has_one_in(float(border / fps) - _OFTEN, float(border / fps)):
            yield begin, border
            begin = border
    if begin != stop:
        yield begin, stop


@dataclass(frozen=True)
class _Over:
    """States that the video has ended; `problem` is as in `Ending`."""

    problem: str | None


@dataclass(frozen=True)
class _All:
    """Whether anything was yielded, and why there was no more."""

    yielded: bool
    why: str


def _all(items: Generator[Item, None, _Over | None], ending: Ending | None) -> Generator[Item, None, _All]:
    """Yields all items, and fills `ending`. Closes `items` whenever the reader stops, so that its threads end."""
    yielded, problem = False, None
    with closing(items):
        while True:
            try:
                item = next(items)
            except StopIteration as stopped:
                over: _Over | None = stopped.value
                problem = over.problem if over else None
                break
            yielded = True
            yield item
    if ending is not None:
        ending.problem = problem
    return _All(yielded, problem or "nothing in it is a picture")


def _pictures(
    reader: Reader | cuda.Session, part: tuple[int, int | None]
) -> Generator[Picture | None, None, _Over | None]:
    """The pictures of a part; None for each instant that has one on screen, where nothing can be decoded."""
    first, stop = part
    is_empty = True
    for picture in reader.grid(first, stop):
        is_empty = False
        yield picture
    ended, problem = reader.ended, reader.problem
    if is_empty and ended:
        count = reader.count(first, stop)
        ended = first + count != stop
        yield from repeat(None, count)
    return _Over(problem) if ended else None


def _batches(keys: Iterator[KeyPacket]) -> Iterator[list[KeyPacket]]:
    while batch := list(islice(keys, _KEYS)):
        yield batch


def _keys(reader: Reader, packets: list[KeyPacket]) -> Generator[tuple[float, Picture], None, _Over | None]:
    yield from reader.key_pictures(packets)
    return None
