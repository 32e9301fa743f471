"""Video in, pictures at exact times out. Every picture that a model ever sees comes from here.

Frame k is the picture on screen at k / fps seconds, counted from the start of the video. Parts of a
video are decoded side by side, on all cores or on all engines of a card; the pictures are the same
whatever their number.
"""

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Literal, TypeVar

from lolhl.errors import UsageError, VideoError
from lolhl.vod import cuda
from lolhl.vod.cpu import Reader
from lolhl.vod.side_by_side import in_order
from lolhl.vod.view import Fit as Fit
from lolhl.vod.view import Picture as Picture
from lolhl.vod.view import View as View

Decoder = Literal["cpu", "cuda"]
Mode = Literal["grid", "scan", "refine"]
Item = TypeVar("Item")

# Seconds of a part: many GOPs, since it begins at a key frame that may lie before it. On a card each
# part is a process, which takes its time to start.
_PART = {"cpu": 60, "cuda": 300}
_OFTEN = 10.0  # seconds between key frames, up to which parts of a video are decoded on their own
_AS_ON_TWITCH = 2.5  # seconds between key frames at most for scan mode to be chosen: Twitch has 2
_SCANNED = 600  # seconds of a part of which only key frames are decoded
_WAITING = {"cpu": 48_000_000, "cuda": 160_000_000}  # bytes of pictures that wait, per worker


def choose_decoder(video: Path, wanted: str, view: View) -> Decoder:
    """ "cuda" where this file can be decoded and scaled on a GPU, else "cpu".

    Args:
        wanted: "auto", "cpu" or "cuda".

    Raises:
        UsageError: "cuda" was wanted and does not work here.
    """
    if wanted == "cpu":
        return "cpu"
    problem = cuda.problem(video, view)
    if problem is None:
        return "cuda"
    if wanted == "cuda":
        raise UsageError(f"{video} cannot be decoded on a GPU here ({problem}): use --decoder cpu")
    return "cpu"


@dataclass
class Ending:
    """How decoding ended; filled when `decode` has yielded its last picture.

    `problem` says why the file could not be read to its end, else None.
    """

    problem: str | None = None


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
    with _opened(video, view, decoder) as opened:
        # Where key frames come seldom, each part would decode again what the one before did.
        whole = isinstance(opened, Reader) and opened.key_gap() > _OFTEN
        parts = [(first, stop)] if whole else _parts(first, stop, max(1, round(_PART[decoder] * view.fps)))
        over = yield from _all(_in_parts(opened, view, parts, 1 if whole else workers), ending)
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
    with _opened(video, view, decoder) as opened:
        yield from _all(_in_parts(opened, view, parts, workers), None)


def choose_mode(video: Path, wanted: Mode | Literal["auto"], decoder: Decoder) -> Mode:
    """ "refine" or "grid", or another that was wanted.

    Key frames show where to look where they come as often as on Twitch; what is between them is most
    of the work (see tests/benchmarks/).

    Args:
        wanted: the mode; "auto" for a refined scan on a CPU where key frames come often, else the grid.
    """
    if wanted != "auto":
        return wanted
    return "refine" if decoder == "cpu" and key_gap(video) <= _AS_ON_TWITCH else "grid"


def key_gap(video: Path) -> float:
    """The longest time without a key frame in the first half minute, in seconds; infinite if not known.

    Raises:
        VideoError: it cannot be opened, or holds no pictures.
    """
    with closing(Reader(video, View(Fraction(1), 16, "squeeze"))) as reader:
        return reader.key_gap()


def scan(
    video: Path, view: View, *, begin: int = 0, workers: int | None = None, ending: Ending | None = None
) -> Iterator[tuple[float, Picture]]:
    """The key frames, which decode alone, and their times in seconds: pictures as `decode` gives them.

    On Twitch there is one every 2 s; `view.fps` plays no part.

    Args:
        begin: seconds; key frames before are left out.
        workers, ending: as of `decode`.

    Raises:
        VideoError: there is none.
    """
    parts: Iterable[tuple[int, int | None]] = ((start, start + _SCANNED) for start in count(begin, _SCANNED))
    with closing(Reader(video, view)) as opened:
        whole = opened.key_gap() > _OFTEN
        found = in_order(
            lambda: closing(Reader(opened, view)),
            [(begin, None)] if whole else parts,
            _keys,
            workers=1 if whole else workers or _cores(),
            waiting=_waiting(view, "cpu"),
        )
        over = yield from _all(found, ending)
    if not over.yielded and begin == 0:
        raise VideoError(f"{video} holds no key frame that can be decoded ({over.why}): download it again")


@contextmanager
def _opened(video: Path, view: View, decoder: Decoder) -> Iterator[Reader | Path]:
    """What parts are decoded from: on the CPU a reader, which stays open beside those of all threads."""
    if decoder == "cuda":
        yield video
    else:
        with closing(Reader(video, view)) as reader:
            yield reader


def stills(video: Path, fps: Fraction, numbers: Sequence[int], width: int) -> Iterator[Picture | None]:
    """The pictures on screen at number / fps: uint8 [height, width, 3], RGB, in the shape in which they are shown.

    They are decoded on the CPU. One that is more than twice as high as wide has less than that width. None where the
    video has ended.

    Raises:
        VideoError: it cannot be opened, or holds no pictures.
    """
    view = View(fps, width, "squeeze")

    def found(reader: Reader, number: int) -> Generator[Picture | None, None, None]:
        yield reader.still(number)

    with closing(Reader(video, view)) as opened:
        yield from in_order(
            lambda: closing(Reader(opened, view)), numbers, found, workers=min(len(numbers), _cores()), waiting=1
        )


def _in_parts(
    opened: Reader | Path, view: View, parts: Iterable[tuple[int, int | None]], workers: int | None
) -> Generator[Picture, None, "_Over | None"]:
    def worker() -> AbstractContextManager[Reader | cuda.Session]:
        return closing(Reader(opened, view) if isinstance(opened, Reader) else cuda.Session(opened, view))

    decoder: Decoder = "cpu" if isinstance(opened, Reader) else "cuda"
    most = _cores() if decoder == "cpu" else cuda.SESSIONS
    return in_order(worker, parts, _pictures, workers=workers or most, waiting=_waiting(view, decoder))


def _waiting(view: View, decoder: Decoder) -> int:
    return max(4, _WAITING[decoder] // (view.size * view.size * 3))


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _parts(first: int, stop: int | None, frames: int) -> Iterator[tuple[int, int | None]]:
    """[first, stop) in parts that end at multiples of this many frames."""
    while stop is None or first < stop:
        end = (first // frames + 1) * frames
        yield first, end if stop is None else min(end, stop)
        first = end


@dataclass(frozen=True)
class _Over:
    """The video has ended. `problem` as in `Ending`."""

    problem: str | None


@dataclass(frozen=True)
class _All:
    """Whether anything was yielded, and why there was no more."""

    yielded: bool
    why: str


def _all(found: Generator[Item, None, _Over | None], ending: Ending | None) -> Generator[Item, None, _All]:
    """Yields it all, and tells `ending`; closes `found`, so that its threads end, also when the reader stops early."""
    yielded, problem = False, None
    with closing(found):
        while True:
            try:
                item = next(found)
            except StopIteration as stopped:
                over: _Over | None = stopped.value
                problem = over.problem if over else None
                break
            yielded = True
            yield item
    if ending is not None:
        ending.problem = problem
    return _All(yielded, problem or "nothing in it is a picture")


def _pictures(reader: Reader | cuda.Session, part: tuple[int, int | None]) -> Generator[Picture, None, _Over | None]:
    yield from reader.grid(*part)
    return _Over(reader.problem) if reader.ended else None


def _keys(reader: Reader, part: tuple[int, int | None]) -> Generator[tuple[float, Picture], None, _Over | None]:
    yield from reader.keys(*part)
    return _Over(reader.problem) if reader.ended else None
