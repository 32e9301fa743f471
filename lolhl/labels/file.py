"""A label file, and what is said of it: what every format's reader is given."""

import codecs
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from lolhl.errors import LabelError, UsageError
from lolhl.grid import parse_time
from lolhl.labels.rows import ANY, LONGEST, KnownVods, check_vod, checked
from lolhl.labels.spans import Span, merge
from lolhl.timecode import Rate, parse_timecode

Labels = dict[str, list[Span]]

_LONGEST_LINE = 10_000  # characters


@dataclass(frozen=True)
class GameOptions:
    """What is said of a game besides its timeline.

    Attributes:
        start: the second of the VOD at which the game's clock is 0; None to go by when both were recorded.
        player: the account whose game it is: its Riot ID, puuid, or number in the game; None for all players.
        match, rules: name and bytes of the file with the match, and of that with the rules for events.
    """

    start: float | None = None
    player: str | None = None
    match: tuple[str, bytes] | None = None
    rules: tuple[str, bytes] | None = None


@dataclass(frozen=True)
class LabelFile:
    """A label file.

    Attributes:
        data: its bytes.
        name: for messages.
        known: what is known of the VODs.
        vod: the VOD that all of it is about, for formats that name none.
        fps: frames per second that it counts in; None for those of the VOD's video, or of Label Studio for seconds.
        begin: the timecode of the video's first frame; None for that of the format.
        point_seconds: how long a highlight is whose end alone is marked.
        game: what is said of the game, where it is the timeline of one.
    """

    data: bytes
    name: str
    known: KnownVods = ANY
    vod: str | None = None
    fps: Fraction | None = None
    begin: str | None = None
    point_seconds: float = 20.0
    game: GameOptions = GameOptions()

    def text(self) -> str:
        """The file as text, see `decoded`."""
        return decoded(self.data, self.name)

    def lines(self) -> Iterator[tuple[str, str]]:
        """ "file:line" and text of each line that is not blank."""
        for number, line in enumerate(lines_of(self.text()), start=1):
            if len(line) > _LONGEST_LINE:
                raise LabelError(f"{self.name}:{number}: the line has {len(line)} characters, as none of labels has")
            if line.strip():
                yield f"{self.name}:{number}", line

    def rate(self) -> Rate:
        """The frames that the file counts. Raises UsageError where nobody knows them."""
        fps = self.fps or self.known.rates.get(self.vod or "")
        if fps is None:
            raise UsageError(
                f"{self.name}: it counts frames, and does not say how many a second has: give --fps, as 29.97 or 60"
            )
        return Rate.nearest(fps)

    def first_frame(self, rate: Rate, usual: str, *, drop: bool) -> int:
        """The number of the video's first frame, by `begin` or the format's usual timecode.

        Args:
            drop: whether the file's timecode is drop-frame. People may write `begin` with colons all the same.

        Raises:
            LabelError: `begin` is no timecode.
        """
        try:
            return parse_timecode(self.begin or usual, rate, drop=drop)
        except UsageError as error:
            raise LabelError(f"{self.name}: --start-timecode {error}") from None

    def labels(self, spans: Iterable[tuple[str, Span]]) -> Labels:
        """The labels of the file's one VOD: checked, in order of time, overlaps merged.

        Args:
            spans: each with its place, as "file:line".

        Raises:
            UsageError: nobody says which VOD the file is about.
            LabelError: a span is empty, inverted, or out of the video.
        """
        if self.vod is None:
            raise UsageError(f"{self.name}: it does not name its VOD: give --vod")
        check_vod(self.vod, self.known, self.name)
        return {self.vod: merge([checked(span, self.vod, self.known, place) for place, span in spans])}

    def before(self, end: float, name: str) -> Span:
        """The highlight that ends where somebody pressed a key."""
        return Span(max(0.0, end - self.point_seconds), end, name)

    def end(self, place: str) -> float:
        """The end of the VOD's video, for a span that is open. Raises LabelError where it is not known."""
        duration = self.known.durations.get(self.vod or "")
        if duration is None:
            raise LabelError(f"{place}: it has no end, and the length of the VOD is not known: download it first")
        return duration


def decoded(data: bytes, name: str) -> str:
    """The text of a file: UTF-8, or UTF-16 with its mark. Raises LabelError for what is no text."""
    encoding = "utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise LabelError(f"{name}:{line}: this is not {encoding[:6].upper()} text: save it as UTF-8") from None
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise LabelError(f"{name}:{line}: this is no text file: save it as UTF-8")
    return text


def lines_of(text: str) -> list[str]:
    """The lines of a text. Other than for `str.splitlines`, a name may hold U+2028 and its like."""
    return re.split(r"\r\n|\r|\n", text)


def time(text: str, place: str) -> float:
    """Seconds of a time as h:mm:ss[.fff] or seconds. Raises LabelError for what is none."""
    try:
        seconds = parse_time(text)
    except UsageError:
        raise LabelError(f"{place}: {text.strip()[:40]!r} is not a time: write h:mm:ss.fff or seconds") from None
    if seconds > LONGEST:
        raise LabelError(f"{place}: {text.strip()[:40]!r} is later than any video ends ({LONGEST / 3600:.0f} hours)")
    return seconds


def frame(text: str, rate: Rate, place: str) -> int:
    """The number of the frame that timecode names. Raises LabelError for what is no timecode of this rate."""
    try:
        return parse_timecode(text, rate)
    except UsageError as error:
        raise LabelError(f"{place}: {error}") from None


def seconds(number: int, first: int, rate: Rate, place: str) -> float:
    """When a frame begins, in seconds from the first one. Raises LabelError for one before that."""
    if number < first:
        raise LabelError(
            f"{place}: it lies before the video's begin: give --start-timecode, its first frame's timecode"
        )
    return float(rate.seconds(number - first))


def name_of(text: str) -> str:
    """A label's name on one line."""
    return " ".join(text.split()) or "highlight"
