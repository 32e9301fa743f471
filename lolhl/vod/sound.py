"""Sound at exact times. Every sample that a model ever hears comes from here.

Times are those of the pictures: 0 is where the file begins, of whatever stream. So a stream of sound that begins late
has no samples before, and one that has gaps has none in them.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.codec.context import CodecContext
from av.error import FFmpegError
from av.stream import Discard

from lolhl import grid
from lolhl.vod import clock, ffmpeg

_SEEKABLE = {"mp4", "matroska", "mpegts"}
_BEFORE = 0.5  # seconds that are decoded before those that are wanted, in which decoders find into the sound
_WARM = 0.25  # seconds of them that are enough: Opus, the slowest, asks for 0.08 (RFC 7845, 4.6)
_FURTHER = 4  # times so far back goes the next try, where a seek led too far
_OFF = 0.01  # seconds; containers round times to milliseconds, and a lost packet is 0.02 s of most codecs
_PLANES = 8  # that a frame can name without a list of its own: AV_NUM_DATA_POINTERS of FFmpeg
_GATHERED = 4.0  # seconds of samples that come at once, about


@dataclass(frozen=True)
class Samples:
    """Consecutive samples. Sample n is heard at n / rate seconds.

    Attributes:
        first: the number of the first of them.
        rate: samples a second.
        values: the mean of all channels, from -1 to 1: float32 [n].
    """

    first: int
    rate: int
    values: npt.NDArray[np.float32]

    @property
    def stop(self) -> int:
        """The number after the last sample."""
        return self.first + len(self.values)


class SoundReader:
    """The sound of one video, for one thread.

    Of several streams it reads the one that ffmpeg takes for the best.

    Attributes:
        has_sound: whether the video has a stream of sound. Without one there are no samples.

    Raises:
        VideoError: the file cannot be opened.
    """

    def __init__(self, video: Path) -> None:
        self._video = video
        self._open()

    def _open(self) -> None:
        self._container = ffmpeg.open_video(self._video)
        best = self._container.streams.best("audio")
        context: CodecContext | None = best.codec_context if isinstance(best, AudioStream) else None  # unknown codecs
        self._stream = best if isinstance(best, AudioStream) and best.time_base and context else None
        for stream in self._container.streams:
            stream.discard = Discard.none if stream is self._stream else Discard.all
        self._start = (self._container.start_time or 0) / av.time_base
        self._is_untouched = True

    @property
    def has_sound(self) -> bool:
        return self._stream is not None

    def close(self) -> None:
        self._container.close()

    def can_seek(self) -> bool:
        """Whether the sound at a time is found without reading all before."""
        formats = {*self._container.format.name.split(",")}
        return bool(_SEEKABLE & formats) and not (clock.BROKEN & formats and clock.clock(self._video).restarts)

    def samples(self, start: float, stop: float) -> Generator[Samples, None, str | None]:
        """Yields the samples from start to stop, in order. There are none where nothing can be decoded.

        The same call gives the same samples, whatever was read before: each begins with a new decoder.

        Args:
            start, stop: in seconds.

        Returns:
            Why the file could not be read any further. None where it could.
        """
        if self._stream is None:
            return None
        problem: str | None = None
        run = _Run(start, stop)
        decoder = self._decoder(self._stream)
        last: int | None = None
        base = float(self._stream.time_base or 0)
        try:
            for packet in self._packets(self._stream, start):
                if packet.dts is not None:
                    if last is not None and clock.is_restart((packet.dts - last) * base):
                        at = grid.format_time(max(0.0, last * base - self._start))
                        problem = f"its timestamps start again after {at}: download it again with --force"
                        break
                    last = packet.dts
                    if packet.dts * base - self._start > stop + _BEFORE:
                        break
                for frame in _decode(decoder, packet):
                    yield from run.add(frame, self._start)
        except FFmpegError as error:
            problem = error.strerror
        for frame in _decode(decoder, None):
            yield from run.add(frame, self._start)
        yield from run.rest()
        return problem

    def _time(self, packet: "av.Packet[AudioStream]") -> float:
        return (packet.pts or 0) * float(packet.time_base) - self._start

    def _decoder(self, stream: AudioStream) -> AudioCodecContext:
        """A decoder that has heard nothing yet. What PyAV makes of a stream for remuxing is one, but for the tag."""
        with av.open(BytesIO(), "w", format="null") as container:
            context: Any = container.add_stream_from_template(stream, opaque=True).codec_context
        context.codec_tag = stream.codec_context.codec_tag
        context.thread_count = 1
        decoder: AudioCodecContext = context
        return decoder

    def _packets(self, stream: AudioStream, start: float) -> "Iterator[av.Packet[AudioStream]]":
        """Yields packets in order, from some time before the start on, or else from the beginning of the file on."""
        back = _BEFORE
        while start - back > 0 and self.can_seek():
            self._is_untouched = False
            try:
                self._container.seek(round((self._start + start - back) * av.time_base))
                source = ffmpeg.packets(self._container, stream)
                first = next((packet for packet in source if packet.size and packet.pts is not None), None)
            except FFmpegError:  # there is nothing so early
                break
            if first is not None and self._time(first) <= start - _WARM:
                yield first
                yield from (packet for packet in source if packet.size)
                return
            back *= _FURTHER
        if not self._is_untouched:
            self.close()
            self._open()
            assert self._stream is not None
            stream = self._stream
        self._is_untouched = False
        yield from (packet for packet in ffmpeg.packets(self._container, stream) if packet.size)


class _Run:
    """Joins decoded frames to samples that follow each other without a gap."""

    def __init__(self, start: float, stop: float) -> None:
        self._start, self._stop = start, stop
        self._waiting: list[npt.NDArray[Any]] = []  # of decoded frames: [channels, n]
        self._rate = 0
        self._first = self._next = 0  # numbers of the first sample that waits, and of the one after the last
        self._end = 0.0  # of what was yielded, in seconds
        self._packing: tuple[tuple[str, str, int], AudioResampler] | None = None

    def add(self, frame: AudioFrame, origin: float) -> Iterator[Samples]:
        """Takes a frame, and yields what is complete."""
        rate = frame.sample_rate
        at = self._next if rate == self._rate else None
        if frame.pts is not None and frame.time_base is not None:
            exact = round((frame.pts * float(frame.time_base) - origin) * rate)
            at = exact if at is None or abs(exact - at) > _OFF * rate else at
        if at is None:  # nobody knows when it is heard
            return
        values = _channels(self._readable(frame))
        is_alike = self._waiting and (len(self._waiting[0]), self._waiting[0].dtype) == (len(values), values.dtype)
        if rate != self._rate or at != self._next or not is_alike:
            yield from self.rest()
            self._rate, self._first, self._next = rate, at, at
        self._waiting.append(values)
        self._next += values.shape[1]
        if self._next - self._first >= _GATHERED * rate:
            yield from self.rest()
            self._first = self._next

    def _readable(self, frame: AudioFrame) -> AudioFrame:
        """The frame with its channels in one plane, where PyAV 18 does not see where their list of planes ends.

        It reads beyond it, and the process ends by SIGSEGV.
        """
        if not frame.format.is_planar or frame.layout.nb_channels < _PLANES:
            return frame
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if self._packing is None or self._packing[0] != kind:
            self._packing = kind, AudioResampler(format=frame.format.packed.name)
        (packed,) = self._packing[1].resample(frame)
        return packed

    def rest(self) -> Iterator[Samples]:
        """Yields what waits, as far as it is wanted and later than all before."""
        if not self._waiting:
            return
        values = _mono(np.concatenate(self._waiting, axis=1))  # of all at once, which costs a fraction
        self._waiting = []
        low = max(0, round(max(self._start, self._end) * self._rate) - self._first)
        high = round(self._stop * self._rate) - self._first
        if low < min(high, len(values)):
            samples = Samples(self._first + low, self._rate, values[low : max(0, high)])
            self._end = samples.stop / self._rate
            yield samples


def _decode(decoder: AudioCodecContext, packet: "av.Packet[AudioStream] | None") -> list[AudioFrame]:
    """The frames of a packet. There are none of a damaged one."""
    try:
        return decoder.decode(packet)
    except FFmpegError:
        return []


def _channels(frame: AudioFrame) -> npt.NDArray[Any]:
    """The samples of a frame, as they were decoded: [channels, n]."""
    values: npt.NDArray[Any] = frame.to_ndarray()
    return values if frame.format.is_planar else values.reshape(-1, frame.layout.nb_channels).T


def _mono(values: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """The mean of all channels: float32 [n], from -1 to 1.

    Args:
        values: as decoders give them, [channels, n].
    """
    mono = values[0].astype(np.float32) if len(values) == 1 else values.mean(axis=0, dtype=np.float32)
    if values.dtype == np.uint8:
        return np.asarray((mono - 128) / 128, dtype=np.float32)
    if np.issubdtype(values.dtype, np.integer):
        return np.asarray(mono / -float(np.iinfo(values.dtype).min), dtype=np.float32)
    return np.asarray(mono, dtype=np.float32)
