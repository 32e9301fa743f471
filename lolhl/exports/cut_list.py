"""What all export formats are written from: the highlights of a VOD, and the videos that they are cut from."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from lolhl.labels.spans import Span
from lolhl.text import printable
from lolhl.timecode import Rate, format_timecode

_NO_XML = re.compile("[\ufffe\uffff]")


@dataclass(frozen=True)
class Media:
    """A video file, as programs for editing see it.

    Attributes:
        name: its file name.
        address: where they find it, as a percent-encoded file URL; relative where nobody knows its folder.
        rate: of its frames.
        frames: how many it has.
        width, height: pixels.
        channels, sample_rate: of its sound; 0 where it has none.
        first_frame: the number of its first frame by the timecode that is embedded in it; 0 where it has none.
        drop: whether its timecode is drop-frame.
    """

    name: str
    address: str
    rate: Rate
    frames: int
    width: int
    height: int
    channels: int = 0
    sample_rate: int = 0
    first_frame: int = 0
    drop: bool = False

    def timecode(self, frame: int) -> str:
        """The timecode of a frame that is counted from the file's begin."""
        return format_timecode(self.first_frame + frame, self.rate, drop=self.drop)


@dataclass(frozen=True)
class Cut:
    """A highlight, and the piece of a video that shows it.

    Attributes:
        span: in seconds of the stored video, with name and score.
        rank: 1 for the best.
        reason: why it was picked.
        media: the video that it is cut from; None for formats that name none.
        begin: time 0 of that video, in seconds of the stored one.
    """

    span: Span
    rank: int
    reason: str
    media: Media | None = None
    begin: float = 0.0

    @property
    def name(self) -> str:
        return one_line(self.span.name)

    @property
    def source(self) -> Media:
        """The video, in formats that need one."""
        assert self.media is not None
        return self.media

    @property
    def first(self) -> int:
        """The first frame of the piece, counted from the begin of its video."""
        first = self.source.rate.frame_at(Fraction(self.span.start) - Fraction(self.begin))
        return min(max(0, first), max(0, self.source.frames - 1))

    @property
    def end(self) -> int:
        """The frame after the last one of the piece, which has at least one."""
        end = self.source.rate.frame_at(Fraction(self.span.stop) - Fraction(self.begin))
        return max(self.first + 1, min(end, self.source.frames))

    @property
    def frames(self) -> int:
        return self.end - self.first


@dataclass(frozen=True)
class CutList:
    """The highlights of a VOD.

    Attributes:
        vod, title: its name, and what people call it.
        duration: seconds of the stored video.
        video: file name of the stored video.
        rate: of the stored video; None where nobody knows it.
        cuts: in order of time.
        reel: name and seconds of each clip of the reel, in its order; empty where there is none.
    """

    vod: str
    title: str
    duration: float
    video: str
    rate: Rate | None
    cuts: tuple[Cut, ...]
    reel: tuple[tuple[str, float], ...] = ()

    @property
    def pieces(self) -> list[Cut]:
        """The cuts whose video is there."""
        return [cut for cut in self.cuts if cut.media]

    @property
    def spans(self) -> list[Span]:
        """The highlights in seconds of the stored video."""
        return [cut.span for cut in self.cuts]


def with_handles(cuts: Iterable[Cut], seconds: float, duration: float) -> tuple[Cut, ...]:
    """The cuts, so much longer on both sides, as far as the VOD reaches."""
    return tuple(
        replace(
            cut,
            span=replace(
                cut.span, start=max(0.0, cut.span.start - seconds), stop=min(duration, cut.span.stop + seconds)
            ),
        )
        for cut in cuts
    )


@dataclass(frozen=True)
class Record:
    """A cut in a sequence.

    Attributes:
        first, end: the first frame that it takes there, and the one after its last. They are frames of the sequence,
            whose rate may be another one than that of the cut's video.
        cut: what is shown.
    """

    first: int
    end: int
    cut: Cut

    @property
    def frames(self) -> int:
        return self.end - self.first


def records(cuts: Iterable[Cut], begin: int, rate: Rate) -> list[Record]:
    """The cuts one after the other in a sequence of this rate, the first at frame `begin`."""
    placed: list[Record] = []
    for cut in cuts:
        end = begin + max(1, rate.frame_at(cut.source.rate.seconds(cut.frames)))
        placed.append(Record(begin, end, cut))
        begin = end
    return placed


def one_line(text: str) -> str:
    """The text on one line, without characters that XML and terminals cannot bear: names come from strangers."""
    return _NO_XML.sub("\ufffd", printable(" ".join(text.split())))
