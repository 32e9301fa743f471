"""Games by readings of their clock.

While a game runs, the time of a picture less what its clock shows is the same for all pictures: the game's offset. So
readings vote. Those with one offset are a stretch of a game; a misread one has an offset of its own, which no other
reading shares. A pause makes the offset greater, and the game goes on from the same clock. What is shown within a game
and has another offset, such as a replay, is no game, since the game's own offset comes again after it.
"""

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import median

STEP = 20.0  # seconds between pictures whose clock is read

_TOLERANCE = 1.5  # seconds by which offsets differ at most: a clock shows whole seconds, and a stream falters
_RECENT = 5  # readings of a stretch that a new one is compared with, since clocks drift apart in an hour
_VOTES = 3  # readings of a stretch at least
_MANY, _SPARSE = 8, 3  # readings that vote however seldom they come; else one of so many looks votes at least
_SHORTEST = 45.0  # seconds of a stretch at least: replays are shorter
_EARLY = 120.0  # seconds: a game whose clock shows no more when it is first read was shown from its beginning
_SHORTEST_LATE = 120.0  # seconds at least of what was not shown from its beginning: a longer replay, or another's game
_UNSEEN_PAUSE = 180.0  # seconds that a pause lasts at most in which no standing clock was read
_JUMP = 3 * STEP  # seconds between readings at most where the video lacks some of the game
_ENDING = 60.0  # seconds for which a clock that stands still when a game is over still belongs to it


@dataclass(frozen=True)
class Reading:
    """What a picture's clock shows.

    Attributes:
        time: of the picture, in seconds of the video.
        clock: in seconds; None where the picture shows no clock.
    """

    time: float
    clock: int | None


def agree(one: Reading, other: Reading) -> bool:
    """Whether the clocks of two readings, that may follow at any distance, are that of one game that runs."""
    if one.clock is None or other.clock is None:
        return False
    return abs((other.time - other.clock) - (one.time - one.clock)) <= _TOLERANCE


def may_agree(one: Reading, other: Reading) -> bool:
    """Whether the clocks of two readings are that of one game that runs, if one of them was misread in one place."""
    if one.clock is None or other.clock is None:
        return False
    seconds = other.time - one.time
    return (
        agree(one, other) or _may_show(other.clock, one.clock + seconds) or _may_show(one.clock, other.clock - seconds)
    )


def _may_show(read: int, clock: float) -> bool:
    """Whether what was read may be this clock, in seconds, misread in one place: a digit another, too many or lost."""
    text = "{}{:02}".format(*divmod(read, 60))
    near = range(max(0, math.floor(clock - _TOLERANCE / 2)), max(0, math.floor(clock + _TOLERANCE / 2)) + 1)
    return any(_differ_in_one_place(text, "{}{:02}".format(*divmod(second, 60))) for second in near)


def _differ_in_one_place(one: str, other: str) -> bool:
    short, long = sorted((one, other), key=len)
    same = next((at for at, (letter, another) in enumerate(zip(short, long, strict=False)) if letter != another), None)
    if same is None:
        return len(long) - len(short) <= 1
    return len(long) - len(short) <= 1 and short[same + (len(short) == len(long)) :] == long[same + 1 :]


@dataclass(frozen=True)
class Stretch:
    """A part of a game in which its clock runs.

    Attributes:
        offset: the time of the video at which the clock would have been 0, in seconds.
        first, last: the clock where it was first and last read, in seconds.
        votes: how many readings say so.
    """

    offset: float
    first: float
    last: float
    votes: int


@dataclass(frozen=True)
class Pause:
    """The clock stands still.

    Attributes:
        clock: what it shows, in seconds.
        start: in seconds of the video.
        seconds: how long it lasts.
    """

    clock: float
    start: float
    seconds: float


@dataclass(frozen=True)
class ClockGame:
    """A game that a video shows.

    Attributes:
        start: from when on it is shown, in seconds of the video.
        stop: until when, in seconds of the video.
        stretches: where its clock runs, in order of time. Their offsets grow by pauses.
        pauses: in order of time.
    """

    start: float
    stop: float
    stretches: tuple[Stretch, ...]
    pauses: tuple[Pause, ...] = ()

    @property
    def zero(self) -> float:
        """The time of the video at which its clock was 0, in seconds. It lies before the video where that came late."""
        return self.stretches[0].offset

    @property
    def clock(self) -> float:
        """The last that its clock showed, in seconds."""
        return self.stretches[-1].last

    def time_of(self, clock: float) -> float:
        """The time of the video at which the clock shows so many seconds."""
        begun = [stretch for stretch in self.stretches if stretch.first <= clock]
        return clock + (begun[-1] if begun else self.stretches[0]).offset


def games_of(readings: Iterable[Reading], seconds: float) -> tuple[ClockGame, ...]:
    """The games that readings of the clock tell, in order of time. They do not overlap.

    Args:
        readings: of pictures about every `STEP` seconds, in any order. More of them make borders more exact.
        seconds: the length of the video.
    """
    looks = sorted(set(readings), key=lambda reading: (reading.time, reading.clock or -1))
    lines = _without_enclosed(_lines(looks))
    games: list[list[_Line]] = []
    for line in lines:
        if games and _goes_on(games[-1][-1], line, looks):
            games[-1].append(line)
        else:
            games.append([line])
    shown: list[ClockGame] = []
    for game in games:
        if _is_shown(game):
            shown.append(_game(game, looks, shown[-1].stop if shown else 0.0, seconds))
    return tuple(shown)


@dataclass(frozen=True)
class _Line:
    """Readings with one offset, in order of time."""

    readings: tuple[tuple[float, int], ...]

    @property
    def begin(self) -> float:
        return self.readings[0][0]

    @property
    def end(self) -> float:
        return self.readings[-1][0]

    @property
    def first(self) -> int:
        return self.readings[0][1]

    @property
    def last(self) -> int:
        return self.readings[-1][1]

    @property
    def offset(self) -> float:
        # A clock shows the whole seconds that have gone: on average half a second less than it is.
        return median(time - clock for time, clock in self.readings) - 0.5

    def within(self, begin: float, end: float) -> int:
        """How many of its readings lie between these times, which count too."""
        return sum(begin <= time <= end for time, _ in self.readings)

    def without(self, begin: float, end: float) -> "_Line":
        """The line without its readings between these times."""
        return _Line(tuple(reading for reading in self.readings if not begin <= reading[0] <= end))

    @property
    def recent(self) -> float:
        return median(time - clock for time, clock in self.readings[-_RECENT:])


def _lines(looks: Sequence[Reading]) -> list[_Line]:
    """The stretches that readings vote for, in order of their beginning. They may overlap."""
    lines: list[_Line] = []
    for look in looks:
        for clock in _meanings(look.clock):
            offset = look.time - clock
            near = min(lines, key=lambda line: abs(line.recent - offset), default=None)
            if near and abs(near.recent - offset) <= _TOLERANCE and near.last <= clock:
                lines[lines.index(near)] = replace(near, readings=(*near.readings, (look.time, clock)))
            else:
                lines.append(_Line(((look.time, clock),)))
    voted = [line for line in lines if _is_voted(line)]
    stripped = [_without_strays(line, voted) for line in voted]
    return [line for line in stripped if _is_voted(line)]


def _meanings(clock: int | None) -> list[int]:
    """What a clock may show that was read so. In a small picture a colon looks like a 1: 31:23 may be 3:23."""
    if clock is None:
        return []
    minutes, seconds = divmod(clock, 60)
    return [clock, minutes // 10 * 60 + seconds] if minutes % 10 == 1 else [clock]


def _is_voted(line: _Line) -> bool:
    votes = len(line.readings)
    if votes < _VOTES or line.end - line.begin < _SHORTEST:
        return False
    return votes >= _MANY or votes * STEP * _SPARSE >= line.end - line.begin


def _without_strays(line: _Line, lines: Sequence[_Line]) -> _Line:
    """The line without readings at its ends that were misread and match it by chance, where another line is shown."""
    readings = line.readings
    for _ in range(2):  # from the end, and from the beginning
        for at in range(1, min(_VOTES, len(readings))):
            early, late = sorted((readings[-at][0], readings[-at - 1][0]))
            between = [sum(early < time < late for time, _ in other.readings) for other in lines if other is not line]
            if max(between, default=0) >= _VOTES:
                readings = readings[:-at]
                break
        readings = readings[::-1]
    return replace(line, readings=readings)


def _without_enclosed(lines: Sequence[_Line]) -> list[_Line]:
    """Those lines that do not lie within another one, in order of time.

    Where two overlap by a part, that belongs to the one with more readings in it.
    """
    kept: list[_Line] = []
    for wanted in sorted(lines, key=lambda line: (-len(line.readings), line.begin)):
        line = wanted
        for place, other in enumerate(kept):
            if not _is_voted(line) or line.end < other.begin or other.end < line.begin:
                continue
            begin, end = max(line.begin, other.begin), min(line.end, other.end)
            own, others = line.within(begin, end), other.within(begin, end)
            if own < others or (line.begin >= other.begin and line.end <= other.end):
                line = line.without(begin, end)
            elif _is_voted(shorter := other.without(begin, end)):
                kept[place] = shorter
        if _is_voted(line):
            kept.append(line)
    return sorted(kept, key=lambda line: line.begin)


def _goes_on(before: _Line, after: _Line, looks: Sequence[Reading]) -> bool:
    """Whether a line is the same game as the one before: after a pause, or after a part that the video lacks."""
    # The last reading may be of a clock that stood still, misread so that it matches by chance.
    if after.first < before.readings[-_VOTES][1]:
        return False
    longer = after.offset - before.offset
    if longer < 0:
        return after.begin - before.end <= _JUMP
    return longer <= _UNSEEN_PAUSE or bool(_standing(before, after, looks))


def _standing(before: _Line, after: _Line, looks: Sequence[Reading]) -> list[int]:
    """What a clock that stands still showed between two stretches."""
    low, high = sorted((before.last, after.first))  # the last reading before may be misread
    return [
        look.clock
        for look in looks
        if look.clock is not None
        and before.end < look.time < after.begin
        and low <= look.clock <= min(high, low + (look.time - before.end) + 1)
    ]


def _is_shown(game: Sequence[_Line]) -> bool:
    """Whether it is no replay: it was shown from its beginning, or from the video's, or for long."""
    begin, end = game[0].begin, game[-1].end
    return game[0].first <= _EARLY or begin <= _SHORTEST or end - begin >= _SHORTEST_LATE


def _game(game: Sequence[_Line], looks: Sequence[Reading], earliest: float, seconds: float) -> ClockGame:
    """The game of these lines.

    Args:
        game: its lines, in order of time.
        looks: all readings, in order of time.
        earliest: when the game before was over.
        seconds: the length of the video.
    """
    stretches = tuple(
        Stretch(round(line.offset, 3), float(line.first), float(line.last), len(line.readings)) for line in game
    )
    begin = game[0].offset if game[0].first <= _EARLY else _between_looks(looks, game[0].begin, -1)
    last = _last_shown(game[-1], looks)
    goes_on = last >= looks[-1].time and seconds - last <= 2 * STEP
    stop = seconds if goes_on else min(seconds, _between_looks(looks, last, 1))
    start = min(max(begin, earliest, 0.0), stop)
    pauses = []
    for before, after in itertools.pairwise(game):
        longer = after.offset - before.offset
        if longer > _TOLERANCE:
            standing = _standing(before, after, looks)
            clock = median(standing) + 0.5 if standing else (before.last + after.first) / 2
            pauses.append(Pause(round(clock, 3), round(before.offset + clock, 3), round(longer, 3)))
    return ClockGame(round(start, 3), round(stop, 3), stretches, tuple(pauses))


def _last_shown(line: _Line, looks: Sequence[Reading]) -> float:
    """When the clock was last seen. When a game is over it stands still for some seconds."""
    last = line.end
    for look in looks:
        if (
            look.clock is not None
            and line.end < look.time <= line.end + _ENDING
            and (
                line.last <= look.clock <= line.last + (look.time - line.end) + 1
                or _may_show(look.clock, look.time - line.offset)
            )
        ):
            last = look.time
    return last


def _between_looks(looks: Sequence[Reading], time: float, way: int) -> float:
    """The middle between this look and the next one before (-1) or after it (1), if it is as near as looks are."""
    others = [look.time for look in looks if (look.time - time) * way > 0]
    near = min(others, key=lambda other: abs(other - time), default=time)
    return (time + near) / 2 if abs(near - time) <= STEP * 1.25 else time
