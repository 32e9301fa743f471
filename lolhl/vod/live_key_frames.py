"""Key frames of a video while it is downloaded: read from its MPEG-TS segments, and in the end from the whole video."""

import queue
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from lolhl.errors import VideoError
from lolhl.vod import decode
from lolhl.vod.cpu import Reader
from lolhl.vod.view import Picture, View

_TICKS = 90_000  # a second, in MPEG-TS
_WRAP = Fraction(2**33, _TICKS)  # seconds until the timestamps of MPEG-TS begin anew
_JUMP = 10.0  # seconds; after a greater step of the timestamps, only the whole video knows its times


@dataclass(frozen=True)
class LiveKeyFrames:
    """The key frames of one download. One thread adds segments and ends with `finish`; another takes `keys`."""

    _parts: "queue.SimpleQueue[tuple[Path, float] | Path | None]" = field(default_factory=queue.SimpleQueue)

    def add(self, segment: Path, begin: float) -> None:
        """Hands over the next segment.

        Args:
            begin: where it begins by the lengths of those before it, in seconds.
        """
        self._parts.put((segment, begin))

    def finish(self, video: Path | None) -> None:
        """Ends the segments.

        Args:
            video: the whole video, made of these segments; None when the download failed. The segments that nobody
                has read yet are then dropped.
        """
        with suppress(queue.Empty):
            while video is None:
                self._parts.get_nowait()
        self._parts.put(video)

    def keys(self, view: View, ending: decode.Ending | None = None) -> Iterator[tuple[float, Picture]]:
        """Yields what `decode.scan` yields of the whole video, as soon as the segments are there.

        Where a segment cannot be read or its times are not plain, the rest is read from the whole video.

        Args:
            ending: as of `decode.scan`: filled from the end of the whole video.

        Raises:
            VideoError: as `decode.scan`.
        """
        last = -1.0
        clock: Fraction | None = None
        is_plain = True
        while isinstance(part := self._parts.get(), tuple):
            segment, begin = part
            if not is_plain:
                continue
            try:
                with closing(Reader(segment, view)) as reader:
                    clock = reader.start if clock is None else clock
                    start = (reader.start - clock + _WRAP / 2) % _WRAP - _WRAP / 2
                    is_plain = segment.suffix == ".ts" and abs(start - Fraction(begin)) < _JUMP
                    if not is_plain:
                        continue
                    for time, picture in reader.keys(0):
                        # To the tick, as the times of the whole are, so that they are the same floats.
                        last = round((start + Fraction(time)) * _TICKS) / _TICKS
                        yield last, picture
                    is_plain = reader.problem is None
            except VideoError:  # it may have gone, since the video is whole
                is_plain = False
        if part is not None:
            for time, picture in decode.scan(part, view, begin=max(0, int(last)), ending=ending):
                if time > last:
                    yield time, picture
