"""chat: what is written in the chat round each instant, float16 [T, 5].

Counted over 5 s, a second: messages, authors, emotes, messages in capitals, and messages that laugh. People write some
7 s after what they write of. That is left to who reads the track, as are the channel's own habits. Twitch gives whole
seconds, so each message is spread over its second.

A VOD without a stored chat (`lolhl download --chat`) has no known instants.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from lolhl import grid
from lolhl.errors import StorageError
from lolhl.signals.source import Source, VideoSource, video_of
from lolhl.tracks.filling import End, Gap, Measured
from lolhl.tracks.recipe import Layout
from lolhl.tracks.rows import BATCH, Rows
from lolhl.vod import decode
from lolhl.vod.view import View

COLUMNS = ("messages", "authors", "emotes", "capitals", "laughter")

_LAUGHTER = re.compile(
    r"\b(lo+l+|lul\w*|omegalul|kek\w*|(a?ha){2,}h?|h[eai]h[eai]\w*|lmf?ao+|rofl|xd+|(ja){2,}|k{3,}|w{3,})\b|ㅋㅋ|笑|😂|🤣",
    re.IGNORECASE,
)
# Names of emotes: a lower-case prefix and a capital (riotPog), or one of those that everybody has.
_EMOTE = re.compile(
    r"\b([a-z][a-z0-9]{2,}[A-Z]\w*|Pog\w*|Kappa\w*|KEKW?\w*|LUL\w*|OMEGALUL|monka\w+|pepe\w+|Pepe\w+|BibleThump|"
    r"NotLikeThis|ResidentSleeper|Jebaited|TriHard|CmonBruh|HeyGuys|WutFace|4Head|SwiftRage|DansGame|Kreygasm|"
    r"EZ|Sadge|Copium|Clap)\b|[\U0001F300-\U0001FAFF]"
)
_LETTERS = 4  # that a message in capitals has at least


class Line(msgspec.Struct):
    """A line of chat. `time` in seconds of the stored video."""

    time: float
    user: str
    text: str


class Chat(msgspec.Struct):
    """A stored chat.json."""

    comments: list[Line]


@dataclass(frozen=True)
class ChatSettings:
    """How chat is counted. `window`: seconds round an instant that are counted."""

    window: float = 5.0


@dataclass(frozen=True)
class ChatSignal:
    """See `lolhl.signals.Signal`."""

    fps: Fraction
    chat: ChatSettings = ChatSettings()
    name = "chat"
    version = 1
    engine = ""
    view: View | None = None

    @property
    def settings(self) -> Mapping[str, Any]:
        return asdict(self.chat)

    def measure(self, source: Source, layout: Layout, gap: Gap) -> Measured:  # noqa: ARG002
        """Yields the rows of a gap. No video is fetched where its length is known.

        Raises:
            StorageError: the chat is gone or damaged.
        """
        video = video_of(source, self.name)
        seconds = video.seconds or float(decode.length(video.path, self.fps).end or 0)
        frames = grid.instants_in(seconds, self.fps)
        counter = Counter(_lines(video), self.chat.window)
        for first in range(gap.first, frames if gap.stop is None else gap.stop, BATCH):
            numbers = np.arange(first, min(first + BATCH, frames if gap.stop is None else gap.stop))
            times = numbers * self.fps.denominator / self.fps.numerator
            yield Rows(times, counter.rates(times))
        return End(frames, seconds)


def _lines(video: VideoSource) -> Sequence[Line] | None:
    """The lines of a VOD's chat, in order of time. None where none is stored."""
    key = video.made.result.chat
    if key is None:
        return None
    redo = f"lolhl download … --name {video.vod} --chat --force"
    try:
        chat = msgspec.json.decode(video.made.read(video.root, key, redo), type=Chat)
    except msgspec.DecodeError as error:
        raise StorageError(f"{video.root.url}/{key} is no chat ({error}): run `{redo}`") from error
    return sorted(chat.comments, key=lambda line: line.time)


class Counter:
    """Counts lines of chat.

    Args:
        lines: in order of time. None where there is no chat.
        window: seconds round an instant that are counted.
    """

    def __init__(self, lines: Sequence[Line] | None, window: float) -> None:
        self._lines, self._window = lines, window
        lines = lines or ()
        self._times = np.array([line.time for line in lines], dtype=np.float64)
        self._users = np.unique([line.user for line in lines], return_inverse=True)[1] if lines else np.empty(0, int)
        counts = np.array([_count(line.text) for line in lines], dtype=np.float64).reshape(len(lines), 4)
        self._sums = np.concatenate([np.zeros((1, 4)), np.cumsum(counts, axis=0)])
        self._moments = np.concatenate([np.zeros((1, 4)), np.cumsum(counts * self._times[:, None], axis=0)])

    def rates(self, times: npt.NDArray[np.float64]) -> npt.NDArray[np.float16]:
        """How often each of `COLUMNS` came in a second, round these times: float16 [n, 5]. NaN without a chat."""
        if self._lines is None:
            return np.full((len(times), len(COLUMNS)), np.nan, dtype=np.float16)
        # A message of second s lies evenly in [s, s + 1): the window takes in the share of it that it covers.
        low, high = times - self._window / 2, times + self._window / 2
        sums = self._until(high) - self._until(low)
        first, last = (np.searchsorted(self._times, edge, side="left") for edge in (low, high))
        authors = [len(np.unique(self._users[a:b])) for a, b in zip(first, last, strict=True)]
        columns = np.column_stack([sums[:, 0], authors, sums[:, 1:]])
        return np.asarray(columns / self._window, dtype=np.float16)

    def _until(self, times: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """How much came before these times: float64 [n, 4]."""
        whole = np.searchsorted(self._times, times - 1, side="right")  # lines whose second is over
        begun = np.searchsorted(self._times, times, side="left")
        # Of each line whose second has begun, t - time is over.
        part = times[:, None] * (self._sums[begun] - self._sums[whole]) - (self._moments[begun] - self._moments[whole])
        return np.asarray(self._sums[whole] + part)


def _count(text: str) -> tuple[float, float, float, float]:
    """One message, its emotes, whether it is in capitals, and whether it laughs."""
    words = _EMOTE.sub(" ", text)
    letters = [letter for letter in words if letter.isalpha()]
    loud = len(letters) >= _LETTERS and sum(letter.isupper() for letter in letters) > len(letters) / 2
    return 1.0, float(len(_EMOTE.findall(text))), float(loud), float(bool(_LAUGHTER.search(text)))
