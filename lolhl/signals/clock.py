"""clock: what the game's clock on the picture shows, float16 [T, 3].

Minutes, seconds, and how many seconds ago the picture with this clock appeared. Key frames are looked at, one about
every 20 s, and some more where a clock begins, ends or jumps. An instant is known where the last picture that was
looked at shows a clock. So a misread one is known too: `lolhl.matches.clock` lets readings vote.

Where the clock lies on the picture is given, or found: where pairs of pictures show one that runs with the video.
"""

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from lolhl import grid
from lolhl.matches.clock import STEP, Reading, agree, may_agree
from lolhl.signals import clock_text
from lolhl.signals.clock_text import read_clock, text_boxes
from lolhl.signals.source import Source, video_of
from lolhl.tracks.filling import End, Gap, Measured
from lolhl.tracks.recipe import Layout
from lolhl.tracks.rows import Rows
from lolhl.tracks.track import Track
from lolhl.vod import decode
from lolhl.vod.decode import Look
from lolhl.vod.key_frames import KeyFrames
from lolhl.vod.rectangle import Rectangle
from lolhl.vod.view import Picture, View

COLUMNS = ("minutes", "seconds", "age")

_BLOCK = 32  # looks between which rows are handed on
_CLOSEST = 0.5  # seconds between looks at least where a clock begins or ends
_SEARCHED = (6, 24)  # moments at which a clock is searched for: at least, at most
_APART = 60.0  # seconds between them, up to the most
_PAIR = 10.0  # seconds between the two pictures of a moment
_ENOUGH = 1 / 4  # of the moments with a clock in its usual place, for few moments to be searched for others
_COMPARED = 6  # moments at which other places are searched all the same
_LEAST = 2  # moments with a clock, for there to be one
# Room round a clock, as a share of the box's height: which one suits the font is known by trying. In small pictures a
# tight one keeps the colon, and a wide one the edges of digits.
_ROOMS = (0.0, 0.25, 0.5, -0.2)
_HIGH_BY_WIDE = 9 / 16  # of a picture
_PADDING = 0.3  # of its height, round a clock that was found
_NEAR = 0.02  # of the picture: how far the right edges or the middles of one clock lie apart

# Of League of Legends' own display, which shrinks towards the top right corner: measured on pictures of 1920 × 1080.
_RIGHT, _WIDE, _TOP, _BOTTOM = 8 / 1920, 60 / 1920, 2 / 1080, 30 / 1080
_SCALES = (1.0, 0.85, 0.7, 1.2)
USUAL = tuple(
    Rectangle(1 - scale * (_RIGHT + _WIDE), scale * _TOP, scale * _WIDE, scale * (_BOTTOM - _TOP)) for scale in _SCALES
)
"""Where League of Legends has its clock, at several scales of its display."""


@dataclass(frozen=True)
class ClockSettings:
    """Where the clock is, None for it to be found, and `step`: seconds between looks."""

    box: Rectangle | None = None
    step: float = STEP


@dataclass(frozen=True)
class ClockSignal:
    """See `lolhl.signals.Signal`."""

    fps: Fraction
    clock: ClockSettings = ClockSettings()
    name = "clock"
    version = clock_text.VERSION
    engine = "onnxruntime"
    view: View | None = None

    @property
    def settings(self) -> dict[str, Any]:
        box = self.clock.box
        return {"box": box and [box.left, box.top, box.width, box.height], "step": self.clock.step}

    def measure(self, source: Source, layout: Layout, gap: Gap) -> Measured:  # noqa: ARG002
        """Yields the rows of a gap.

        Raises:
            ToolMissing: what reads clocks is not installed.
            VideoError: the video cannot be opened.
            TwitchError: Twitch does not give the rendition, where one is read.
        """
        video = video_of(source, self.name)
        seconds = video.seconds or float(decode.length(video.path, self.fps).end or 0)
        frames = grid.instants_in(seconds, self.fps)
        box = self.clock.box or find_box(video.key_frames, seconds)
        looks = _Looks(video.key_frames, box, self.clock.step, seconds)
        stop = frames if gap.stop is None else gap.stop
        size = max(1, int(_BLOCK * self.clock.step * self.fps))
        for first in range(gap.first, stop, size):
            numbers = np.arange(first, min(first + size, stop))
            times = numbers * self.fps.denominator / self.fps.numerator
            yield Rows(times, rows_of(looks.between(float(times[0]), float(times[-1])), times))
        return End(frames, seconds)


def rows_of(readings: Sequence[Reading], times: npt.NDArray[np.float64]) -> npt.NDArray[np.float16]:
    """What the last reading at or before each time says: float16 [n, 3]. NaN where it has no clock.

    Args:
        readings: in order of time.
        times: in seconds.
    """
    values = np.full((len(times), len(COLUMNS)), np.nan, dtype=np.float16)
    places = np.searchsorted([reading.time for reading in readings], times + 1e-6, side="right") - 1
    for row, place in enumerate(places):
        clock = readings[place].clock if place >= 0 else None
        if clock is not None:
            values[row] = (*divmod(clock, 60), max(0.0, times[row] - readings[place].time))
    return values


def readings_of(track: Track) -> list[Reading]:
    """What was read where, of a track: one reading for each picture, without a clock where nothing was read."""
    readings: list[Reading] = []
    for rows in track.rows():
        for time, (minutes, seconds, age) in zip(rows.times.tolist(), rows.values.tolist(), strict=True):
            clock = None if math.isnan(minutes) else int(minutes) * 60 + int(seconds)
            looked = Reading(round(time - (0.0 if clock is None else age), 2), clock)
            last = readings[-1] if readings else None
            same = last and last.clock == clock and (clock is None or abs(looked.time - last.time) < 1)
            if not same or (clock is None and looked.time - readings[-1].time >= STEP):
                readings.append(looked)
    return readings


class _Looks:
    """Reads the clock at multiples of a step, and closer where it begins, ends or jumps.

    What is read at and after a multiple depends on the video near it alone, so that any part of a track is the same
    whatever else is measured.
    """

    def __init__(self, keys: KeyFrames, box: Rectangle | None, step: float, seconds: float) -> None:
        self._keys, self._box, self._step, self._seconds = keys, box, step, seconds
        self._at: dict[int, Reading] = {}

    def between(self, first: float, last: float) -> list[Reading]:
        """What is read from the last multiple at or before the first time on, in order of time."""
        if self._box is None:
            return []
        box = self._box
        begin, end = int(first // self._step), int(last // self._step)
        ends = int(self._seconds // self._step)
        wanted = [number for number in range(max(0, begin - 1), min(ends, end + 2) + 1) if number not in self._at]

        def read(look: Look, number: int) -> Reading:
            return _read(look, box, number * self._step)

        read_ones = self._keys.look(wanted, read)
        self._at.update(zip(wanted, read_ones, strict=False))
        pairs = [(number, number + 1) for number in range(begin, end + 1) if self._is_border(number)]

        def close(look: Look, pair: tuple[int, int]) -> list[Reading]:
            return _closer(look, box, self._at[pair[0]], self._at[pair[1]])

        closer = self._keys.look(pairs, close, exact=True) if pairs else ()
        # A look at a time after the last one may show a key frame before it.
        kept = [self._at[number] for number in range(begin, end + 2) if number in self._at]
        kept += [reading for readings in closer for reading in readings]
        for number in [number for number in self._at if number < end - 1]:
            del self._at[number]
        return sorted(kept, key=lambda reading: reading.time)

    def _is_border(self, number: int) -> bool:
        """Whether a clock that runs begins, ends or jumps between this look and the next."""
        if number not in self._at or number + 1 not in self._at or agree(self._at[number], self._at[number + 1]):
            return False
        return self._runs_on(number - 1) or self._runs_on(number + 1)

    def _runs_on(self, number: int) -> bool:
        return number in self._at and number + 1 in self._at and may_agree(self._at[number], self._at[number + 1])


def _read(look: Look, box: Rectangle, time: float) -> Reading:
    """What is read on the last key frame at or before this time."""
    key = look(time)
    return Reading(time, None) if key is None else _reading(key, box)


def _closer(look: Look, box: Rectangle, low: Reading, high: Reading) -> list[Reading]:
    """What is read between two looks, by bisection, to where the clock begins, ends or jumps."""
    readings, nothing_until = [], low.time
    while high.time - nothing_until > _CLOSEST:
        middle = (nothing_until + high.time) / 2
        reading = _read(look, box, middle)
        if not nothing_until < reading.time < high.time:  # no key frame lies between
            nothing_until = middle
            continue
        readings.append(reading)
        if _is_like(reading, low, high):
            low, nothing_until = reading, reading.time
        else:
            high = reading
    return readings


def _is_like(reading: Reading, low: Reading, high: Reading) -> bool:
    """Whether a reading between two others shows what the first of them does, and not what the second does."""
    if agree(low, reading) or low.clock == reading.clock:
        return True
    return not agree(reading, high) and high.clock != reading.clock and may_agree(low, reading)


def find_box(keys: KeyFrames, seconds: float) -> Rectangle | None:
    """Where a clock lies on the pictures of a video that runs as it does. None where there is none.

    Raises:
        ToolMissing: what reads clocks is not installed.
        VideoError, TwitchError: the key frames cannot be had.
    """
    count = min(_SEARCHED[1], max(_SEARCHED[0], int(seconds / _APART)))
    moments = [(number + 0.5) * seconds / count for number in range(count)]
    by_moment = list(keys.look(moments, _usual))
    votes = Counter(box for boxes in by_moment for box in boxes)
    usual = max(USUAL, key=lambda box: votes[box])
    # Where a usual place is right, some moments say whether another piece of the picture would fit better.
    shown = [moment for moment, boxes in zip(moments, by_moment, strict=False) if usual in boxes]
    searched = shown[:_COMPARED] if len(shown) >= _ENOUGH * count else moments
    running = [box for boxes in keys.look(searched, _anywhere) for box in boxes]
    groups = [[other for other in running if _is_same_place(box, other)] for box in running]
    best = max(groups, key=len, default=[])
    places = [usual, *([_around(best)] if best else [])]
    crops = list(dict.fromkeys(_grown(place, share) for place in places for share in _ROOMS))
    by_crop: dict[Rectangle, list[tuple[Reading, Reading]]] = {crop: [] for crop in crops}
    for read in keys.look(moments, lambda look, moment: _pairs(look, moment, crops)):
        for crop, pair in read:
            by_crop[crop].append(pair)
    chosen = max(crops, key=lambda crop: _agreement([reading for pair in by_crop[crop] for reading in pair]))
    return chosen if sum(agree(*pair) for pair in by_crop[chosen]) >= _LEAST else None


def _pairs(look: Look, moment: float, crops: Sequence[Rectangle]) -> list[tuple[Rectangle, tuple[Reading, Reading]]]:
    """What two pictures of a moment show in each of these pieces."""
    first, second = look(moment), look(moment + _PAIR)
    if first is None or second is None or second[0] <= first[0]:
        return []
    return [(crop, (_reading(first, crop), _reading(second, crop))) for crop in crops]


def _agreement(readings: Sequence[Reading]) -> int:
    """How many pairs of readings, near to each other or not, are of one game that runs.

    A digit that is misread in the same way twice makes pairs of its own, but fewer than one that is read right.
    """
    return sum(agree(one, other) for one, other in itertools.combinations(readings, 2))


def _grown(box: Rectangle, share: float) -> Rectangle:
    """The box with so much of its height more on each side, as far as the picture reaches. Less, where negative."""
    x, y = share * box.height * _HIGH_BY_WIDE, share * box.height
    left, top = max(0.0, box.left - x), max(0.0, box.top - y)
    right, bottom = min(1.0, box.left + box.width + x), min(1.0, box.top + box.height + y)
    return Rectangle(round(left, 4), round(top, 4), round(right - left, 4), round(bottom - top, 4))


def _usual(look: Look, moment: float) -> list[Rectangle]:
    """The usual places at which a clock runs at this moment."""
    return _running(look, moment, lambda _: USUAL)


def _anywhere(look: Look, moment: float) -> list[Rectangle]:
    """All places at which a clock runs at this moment."""
    return _running(look, moment, text_boxes)


def _running(look: Look, moment: float, places: Callable[[Picture], Sequence[Rectangle]]) -> list[Rectangle]:
    first, second = look(moment), look(moment + _PAIR)
    if first is None or second is None or second[0] <= first[0]:
        return []
    return list(_agreeing(first, second, places(first[1])))


def _agreeing(
    first: tuple[float, Picture], second: tuple[float, Picture], boxes: Sequence[Rectangle]
) -> Iterator[Rectangle]:
    for box in boxes:
        reading = _reading(first, box)
        if reading.clock is not None and agree(reading, _reading(second, box)):
            yield box


def _reading(key: tuple[float, Picture], box: Rectangle) -> Reading:
    time, picture = key
    return Reading(time, read_clock(box.cut(picture)))


def _is_same_place(one: Rectangle, other: Rectangle) -> bool:
    """Whether two boxes are round one clock, which may have a digit more: its right edge or its middle stays."""
    right = abs((one.left + one.width) - (other.left + other.width))
    middle = abs((one.left + one.width / 2) - (other.left + other.width / 2))
    left = abs(one.left - other.left)
    return (
        min(right, middle, left) < _NEAR
        and abs((one.top + one.height / 2) - (other.top + other.height / 2)) < _NEAR / 2
    )


def _around(boxes: Sequence[Rectangle]) -> Rectangle:
    """A box with room for all of these."""
    padding = _PADDING * float(np.median([box.height for box in boxes])) / 2
    left = max(0.0, min(box.left for box in boxes) - padding / 2)
    top = max(0.0, min(box.top for box in boxes) - padding)
    right = min(1.0, max(box.left + box.width for box in boxes) + padding / 2)
    bottom = min(1.0, max(box.top + box.height for box in boxes) + padding)
    return Rectangle(round(left, 4), round(top, 4), round(right - left, 4), round(bottom - top, 4))
