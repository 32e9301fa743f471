"""Decoding on the CPU: of a video's packets only those are decoded that a wanted picture needs.

PyAV (FFmpeg's libraries) hands out packets before they are decoded. A picture that no other refers
to and that no instant of the grid shows is left out, and so is the end of each group of pictures
(GOP) after the last one that is shown. What is left costs little more than decoding the reference
pictures alone, and is exact all the same.
"""

import math
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from av.error import FFmpegError
from av.stream import Discard, Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.reformatter import Interpolation, VideoReformatter
from av.video.stream import VideoStream

from lolhl import grid
from lolhl.errors import VideoError
from lolhl.vod import clock, ffmpeg
from lolhl.vod.clock import KeyTimes
from lolhl.vod.view import LONGEST, Picture, View

_RUN = 1200  # packets that are looked at together at most: a whole GOP of 20 s at 60 pictures a second
_AHEAD = 32  # packets beyond them, to know when the last of them leaves the screen; twice H.264's reorder depth
_MARGIN = 2.0  # seconds; seeking may land after the key frame that was meant, in MPEG-TS
_REFRESH = 4.0  # seconds; more than encoders take to refresh a picture bit by bit
_LOOKED_AT = 30  # seconds of a video in which a quick look sees key frames
_SEEKABLE = {"mp4", "matroska", "mpegts"}
_START_CODE = re.compile(rb"\x00\x00\x01(.)", re.DOTALL)
_START = -(2**40)  # a tick before all others
_TAKEN = 1 << 20  # bytes that a reader takes at a time from a file that others read too
_HIGHEST = 2  # times as high as wide is a still at most: no JPEG has more than 65,500 pixels on a side
KeyPacket = tuple[float, "av.Packet[VideoStream]"]  # with its time in seconds
_IDR = 5  # type of a NAL unit in H.264: no picture after it refers to one before it


@dataclass(frozen=True)
class _Packet:
    """A packet, and the tick at which its picture appears: None when unknown, or when it never does."""

    packet: "av.Packet[VideoStream]"
    tick: int | None


@dataclass(frozen=True)
class _Run:
    """Consecutive packets, in most cases a GOP.

    Attributes:
        ticks: at which a picture of these packets, or of some that follow, appears; and at the end
            of the video, the one at which the last picture leaves the screen. In order.
        closed: no picture after the run refers to one in it.
        end: that last tick, at the end of the video.
        last: the tick of the last picture, where what follows does not say how long it stays.
    """

    packets: list[_Packet]
    ticks: list[int]
    closed: bool
    end: int | None
    last: int | None


class _File:
    """An open video.

    FFmpeg holds an entry for each packet of an .mp4 in memory, of all its tracks: 110 MB for 6 h with
    sound (see tests/benchmarks/memory.py). So it is opened once, and readers on many threads take
    packets from it in turn.

    Attributes:
        video: where it lies.
        stream: its pictures.
        base: seconds of a tick.
        start: the tick of time 0.
        formats: names that FFmpeg has for the container.
        shared: whether several readers may use it.
        lock: to be held by who moves or reads the container.
        turn: whose place the container is at; None when it was never read.

    Raises:
        VideoError: it cannot be opened, or holds no pictures.
    """

    def __init__(self, video: Path) -> None:
        self.video = video
        self._container = ffmpeg.open_video(video)
        pictures = [s for s in self._container.streams.video if not s.disposition & Disposition.attached_pic]
        base = pictures[0].time_base if pictures else None
        if base is None:
            self.close()
            raise VideoError(f"{video} holds no picture that can be decoded: download it again")
        self.stream, self.base = pictures[0], base
        for stream in self._container.streams:
            stream.discard = Discard.none if stream is self.stream else Discard.all
        self.start = round(Fraction(self._container.start_time or 0, av.time_base) / base)
        self.formats = frozenset(self._container.format.name.split(","))
        # One in fragments has no index of the whole, by which a packet could be found again.
        self.shared = "mp4" in self.formats and self.stream.frames > 0
        self.lock = threading.Lock()
        self.turn: object = None
        self._source = ffmpeg.packets(self._container, self.stream)

    def close(self) -> None:
        self._container.close()

    def key_times(self) -> KeyTimes | None:
        """The key times by the index of an .mp4; None for other files.

        No packet is read. The index holds times of decoding, which are never later than the times of showing.
        """
        if not self.shared:
            return None
        times = [
            (float((entry.timestamp - self.start) * self.base), entry.is_keyframe)
            for entry in self.stream.index_entries
            if not entry.is_discard
        ]
        keys = [max(0.0, time) for time, is_key in times if is_key]
        return KeyTimes(keys, max((time for time, _ in times), default=0.0))

    def can_seek(self) -> bool:
        """Whether a seek by time leads to the right place."""
        return not (clock.BROKEN & self.formats and clock.clock(self.video).restarts)

    def again(self) -> "_File":
        """The file for another reader: itself where it is shared, else opened once more."""
        return self if self.shared else _File(self.video)

    def decoder(self) -> VideoCodecContext:
        """A decoder for one reader. It knows all that the container says of the stream."""
        if not self.shared:
            return self.stream.codec_context
        # What PyAV makes of a stream for remuxing is a decoder, but for the tag.
        with self.lock, av.open(BytesIO(), "w", format="null") as container:
            context = container.add_stream_from_template(self.stream, opaque=True).codec_context
        context.codec_tag = self.stream.codec_context.codec_tag
        return context

    def seek(self, tick: int, *, any_packet: bool = False) -> None:
        """Moves to the last key frame, or the last packet of any kind, at or before this tick.

        Raises:
            FFmpegError: it cannot be done; the demuxer stays where it was.
        """
        self._source = ffmpeg.packets(self._container, self.stream)
        self._container.seek(self.start + tick, stream=self.stream, any_frame=any_packet)

    def seek_behind(self, last: "av.Packet[VideoStream]") -> None:
        """Moves to the packet after the last one that a reader took, in a file that is shared.

        Raises:
            FFmpegError: that packet is not there any more.
        """
        self.seek((last.dts or 0) - 1 - self.start, any_packet=True)  # which leads to some packets before
        if not any((packet.dts, packet.pos) == (last.dts, last.pos) for packet in self._source):
            raise FFmpegError(0, "its packets are out of order")

    def take(self, packets: list["av.Packet[VideoStream]"]) -> bool:
        """Appends the next packets, in decoding order. Returns False at the end.

        Raises:
            FFmpegError: the file cannot be read on.
        """
        size = 0
        for packet in self._source:
            if packet.size:
                packets.append(packet)
                size += packet.size
                if not self.shared or size >= _TAKEN:
                    return True
        return False


class Reader:
    """One video, for one thread.

    Attributes:
        ended: whether the last call reached the end of the video.
        problem: why it could not be read to its end, else None.

    Args:
        video: a file, or a reader of it that stays open longer, on another thread: an .mp4 is then opened
            once for both.

    Raises:
        VideoError: it cannot be opened, or holds no pictures.
    """

    def __init__(self, video: "Path | Reader", view: View) -> None:
        self.ended = False
        self.problem: str | None = None
        self._view = view
        opened: _File | None = video._file if isinstance(video, Reader) else None
        self._file: _File = _File(video) if isinstance(video, Path) else video._file.again()
        self._owner = self._file is not opened
        self._stream, base = self._file.stream, self._file.base
        self._base, self._start = base, self._file.start
        self._context = self._file.decoder()
        # B-pictures without the deblocking filter: 3 % less work, and a difference of 58 dB or more at 224 pixels.
        self._context.options = {"skip_loop_filter": "bidir"}
        self._context.thread_count = 1  # parts of a video are decoded side by side: no thread waits for another
        self._reformatter = VideoReformatter()
        # Instant k of the grid lies at tick k · _up / _down: comparisons of whole numbers are exact.
        step = 1 / (view.fps * base)
        self._up, self._down = step.numerator, step.denominator
        self._end: int | None = None  # the tick at which the last picture leaves the screen, once known
        self._last: tuple[int, int] | None = (
            None  # tick and duration of the last to appear of the packets that were read
        )
        self._tick = 0  # of the last decoded picture

    def close(self) -> None:
        if self._owner:
            self._file.close()

    @property
    def video(self) -> Path:
        """Where the video lies."""
        return self._file.video

    @property
    def start(self) -> Fraction:
        """The timestamp of time 0, in seconds."""
        return self._start * self._base

    def key_times(self, *, quick: bool) -> KeyTimes | None:
        """Where key frames lie; None if that is not known, since the container cannot be searched or has no times.

        Args:
            quick: look at the first half minute only, where the container has no index.
        """
        if not _SEEKABLE & self._file.formats:
            return None
        if (indexed := self._file.key_times()) is not None:
            return indexed
        if not quick:
            return clock.clock(self._file.video).key_times
        tick = 0
        keys = []
        for entry in self._packets(0):
            if entry.tick is None:
                if entry.packet.is_discard:
                    continue
                return None
            tick = max(tick, entry.tick)
            if entry.packet.is_keyframe:
                keys.append(float(max(0, entry.tick) * self._base))
            if tick * self._base > _LOOKED_AT:
                break
        return KeyTimes(sorted(keys), float(tick * self._base))

    def has_times(self) -> bool:
        """Whether there is a key frame that is shown, and the container says when."""
        keys = (entry for entry in self._packets(0) if entry.packet.is_keyframe and not entry.packet.is_discard)
        first_key = next(keys, None)
        return first_key is not None and first_key.tick is not None

    def can_seek(self) -> bool:
        """Whether the pictures at a time are found without reading all before: not where timestamps start again."""
        return self._file.can_seek()

    def count(self, first: int, stop: int | None) -> int:
        """How many instants from first to stop have a picture on screen, by the times of packets: none is decoded."""
        end = None
        for run in self._runs(first * self._up // self._down):
            end = run.end
            if stop is not None and run.ticks and run.ticks[-1] * self._down >= stop * self._up:
                return stop - first
        if end is None:
            return 0
        last = -(-end * self._down // self._up)
        return max(0, (last if stop is None else min(stop, last)) - first)

    def grid(self, first: int, stop: int | None) -> Iterator[Picture]:
        """The pictures on screen at first / fps … (stop - 1) / fps; fewer where the video ends before."""
        last: VideoFrame | None = None
        picture = None
        for frame in self._on_screen(first, stop):
            if picture is None or frame is not last:
                last, picture = frame, self._picture(frame)
            yield picture

    def still(self, number: int) -> Picture | None:
        """The picture on screen at number / fps, as wide as the view's size, in the shape in which it is shown.

        One that would be more than twice as high as wide is made smaller.

        Returns:
            uint8 [height, width, 3], RGB; None where the video has ended.
        """
        frame = next(self._on_screen(number, number + 1), None)
        if frame is None:
            return None
        turns = round(frame.rotation / 90)
        shape = self._shape(frame)
        shape = 1 / shape if turns % 2 else shape
        side, high = self._view.size, min(Fraction(self._view.size) / shape, Fraction(_HIGHEST * self._view.size))
        width, height = max(1, min(side, round(high * shape))), max(1, round(high))
        scaled = self._scaled(frame, *((height, width) if turns % 2 else (width, height)))
        return np.ascontiguousarray(np.rot90(scaled, turns))

    def keys(self, begin: int) -> Iterator[tuple[float, Picture]]:
        """The key frames from this second on, and their times in seconds."""
        for time, packet in self.key_packets(begin):
            yield from self.key_pictures([(time, packet)])

    def key_packets(self, begin: int) -> Iterator[KeyPacket]:
        """The packets of the key frames from this second on, and their times in seconds; each decodes alone."""
        low = math.ceil(begin / self._base)
        self.ended = False
        parameters = None
        # Not with AVDISCARD_NONKEY: .mp4 then comes with wrong times.
        for entry in self._packets(low):
            # Parameters of the codec that change on the way are told once, but who decodes may not have heard it.
            if entry.packet.has_sidedata("new_extradata"):
                parameters = entry.packet.get_sidedata("new_extradata")
            if entry.tick is None or not entry.packet.is_keyframe or entry.tick < low:
                continue
            if parameters is not None and not entry.packet.has_sidedata("new_extradata"):
                entry.packet.set_sidedata(parameters)
            yield float(entry.tick * self._base), entry.packet
        self._end = None if self._last is None else sum(self._last)
        self.ended = True

    def key_pictures(self, packets: Iterable[KeyPacket]) -> Iterator[tuple[float, Picture]]:
        """Yields the pictures of these packets, of any reader of the same video; none for damaged packets."""
        for time, packet in packets:
            for frame in [*self._decode(packet), *self._decode(None)]:
                yield time, self._picture(frame)

    def key_at(self, seconds: float) -> tuple[float, Picture] | None:
        """The last key frame at or before a time, else the first one: its time, and its picture, grey, in its own size.

        Returns:
            Seconds, and uint8 [height, width]. None where there is no key frame, or it cannot be decoded.
        """
        tick = math.floor(seconds / self._base)
        key: _Packet | None = None
        self.ended = True
        for entry in self._packets(tick):  # they may begin some key frames before
            if key is not None and entry.tick is not None and entry.tick > tick:
                self.ended = False
                break
            if entry.packet.is_keyframe and entry.tick is not None:
                key = entry
        for frame in [*self._decode(key.packet), *self._decode(None)] if key else []:
            assert key is not None
            assert key.tick is not None
            grey = self._reformatter.reformat(frame, format="gray", threads=1).to_ndarray()
            return float(key.tick * self._base), np.rot90(grey, round(frame.rotation / 90))
        return None

    @property
    def end(self) -> Fraction | None:
        """When the last picture leaves the screen, in seconds; None before the end was reached, or if nobody knows."""
        return None if self._end is None else self._end * self._base

    def _is_over(self, number: int) -> bool:
        """Whether the video ends before this instant."""
        return self._end is not None and number * self._up >= self._end * self._down

    def _on_screen(self, first: int, stop: int | None) -> Iterator[VideoFrame]:
        """Yields the picture on screen at each instant from first to stop; fewer where the video ends before."""
        number = first
        on_screen: VideoFrame | None = None
        for frame, tick in self._frames(first, stop):
            before = tick if self._end is None else min(tick, self._end)
            while on_screen is not None and number != stop and number * self._up < before * self._down:
                yield on_screen
                number += 1
            on_screen = frame  # the first one also stands in for instants before it
        while on_screen is not None and number != stop and not self._is_over(number):
            yield on_screen
            number += 1
        self.ended = number != stop

    def _frames(self, first: int, stop: int | None) -> Iterator[tuple[VideoFrame, int]]:
        """Decoded pictures and their ticks, in order: all that the instants from first to stop show, and some more."""
        self._end = None
        self._tick = -self._mean_duration()
        at_start = True
        for run in self._runs(first * self._up // self._down):
            self._end = run.end
            last_instants = self._last_instants(run, first, stop, at_start)
            at_start = False
            needed = [
                entry.tick is None or entry.tick in last_instants or entry.tick == run.last for entry in run.packets
            ]
            over = stop is not None and stop - 1 in last_instants.values()
            count = len(needed)
            if run.closed or over:
                while count and not needed[count - 1]:
                    count -= 1
            for entry, is_needed in zip(run.packets[:count], needed, strict=False):
                self._context.skip_frame = "DEFAULT" if is_needed else "NONREF"
                yield from self._ticked(self._decode(entry.packet))
            if over:
                yield from self._ticked(self._decode(None))
                return
        yield from self._ticked(self._decode(None))
        if self._end is None:  # the container has no times
            self._end = self._tick + self._mean_duration()

    def _last_instants(self, run: _Run, first: int, stop: int | None, at_start: bool) -> dict[int, int]:
        """Maps the tick of each picture that is shown from first to stop to the last instant that shows it."""
        own_ticks = {entry.tick for entry in run.packets}
        last_instants = {}
        for tick, next_tick in pairwise(run.ticks):
            last = -(-next_tick * self._down // self._up) - 1  # the last instant before the next picture
            last = last if stop is None else min(last, stop - 1)
            is_shown = last * self._up >= tick * self._down or (at_start and tick == run.ticks[0])
            if is_shown and last >= first and tick in own_ticks:
                last_instants[tick] = last
        return last_instants

    def _runs(self, tick: int) -> Iterator[_Run]:
        """Yields all packets from the key frame at or before this tick on."""
        source = self._packets(tick)
        packets: list[_Packet] = []
        more = True
        while more or packets:
            cut = next((i for i, entry in enumerate(packets) if i and entry.packet.is_keyframe), None)
            while more and len(packets) < (_RUN if cut is None else cut) + _AHEAD:
                if (entry := next(source, None)) is None:
                    more = False
                else:
                    cut = len(packets) if cut is None and packets and entry.packet.is_keyframe else cut
                    packets.append(entry)
            if cut is None:
                cut = len(packets) - _AHEAD if more else len(packets)
            following = packets[cut:]
            ticks = sorted({entry.tick for entry in packets if entry.tick is not None})
            end = None
            if not more and self._last is not None and (ticks or all(entry.packet.is_discard for entry in packets)):
                end = sum(self._last)
                if ticks:
                    ticks.append(end)
            is_last = end is None and all(entry.packet.is_discard for entry in following)
            last = ticks[-1] if is_last and ticks else None
            yield _Run(packets[:cut], ticks, self._is_closed(following), end, last)
            packets = following

    def _is_closed(self, following: list[_Packet]) -> bool:
        """Whether these packets, and what comes after them, can be decoded without any before."""
        if not following:
            return True
        tick = following[0].tick
        if tick is None or not following[0].packet.is_keyframe:
            return False
        if any(entry.tick is None or entry.tick < tick for entry in following[1:]):
            return False
        return self._context.name != "h264" or self._is_idr(bytes(following[0].packet))

    def _is_idr(self, data: bytes) -> bool:
        """Whether a packet of H.264 holds an IDR picture: in .mp4 with lengths, elsewhere with start codes."""
        extra = self._context.extradata or b""
        if extra[:1] != b"\x01":
            return any(match[1][0] & 31 == _IDR for match in _START_CODE.finditer(data))
        width, place = (extra[4] & 3) + 1, 0
        while place + width < len(data):
            if data[place + width] & 31 == _IDR:
                return True
            place += width + int.from_bytes(data[place : place + width], "big")
        return False

    def _duration(self, packet: "av.Packet[VideoStream]") -> int:
        """The duration of a packet in ticks; by the mean rate where the container has none."""
        return max(0, packet.duration or 0) or self._mean_duration()

    def _mean_duration(self) -> int:
        rate = self._stream.average_rate or self._stream.guessed_rate
        return max(1, round(1 / (rate * self._base))) if rate else 1

    def _packets(self, tick: int) -> Iterator[_Packet]:
        """Yields packets in decoding order, from a key frame at or before this tick (or the start) on."""
        back = 0.0 if "mp4" in self._file.formats else _MARGIN
        can_seek = tick > 0 and self._file.can_seek()
        while True:
            target = tick - round(back / self._base) if can_seek else 0
            source = self._demux(target if target > 0 else _START)
            if target <= 0:
                break
            key = next((entry for entry in source if entry.packet.is_keyframe and entry.tick is not None), None)
            if key is not None and key.tick is not None and self._first_right_tick(key, key.tick) <= tick:
                yield key
                break
            back = max(2 * back, _MARGIN)
        yield from source

    def _first_right_tick(self, key: _Packet, tick: int) -> int:
        """The tick from which on pictures are right when decoding begins at this key frame.

        Where pictures are refreshed bit by bit instead of by IDR pictures, that takes a while.
        """
        if self._context.name != "h264" or self._is_idr(bytes(key.packet)):
            return tick
        return tick + round(_REFRESH / self._base)

    def _demux(self, tick: int) -> Iterator[_Packet]:
        """Yields packets in decoding order, from where seeking to this tick leads."""
        self._context.flush_buffers()
        file, turn = self._file, object()
        last: av.Packet[VideoStream] | None = None
        self._last = None
        more = True
        while more:
            packets: list[av.Packet[VideoStream]] = []
            with file.lock:
                untouched, moved = file.turn is None, file.turn is not turn
                file.turn = turn
                try:
                    if moved and last is not None:
                        file.seek_behind(last)
                    elif moved and not (untouched and tick == _START):
                        self._seek(tick)
                    more = file.take(packets)
                except FFmpegError as error:
                    self.problem, more = error.strerror, False
            for packet in packets:
                if self._is_restart(last, packet):
                    self.problem = f"its timestamps start again after {self._until()}: download it again with --force"
                    more = False
                    break
                last = packet
                is_hidden = packet.pts is None or packet.is_discard
                packet_tick = None if is_hidden or packet.pts is None else packet.pts - self._start
                if packet_tick is not None and (self._last is None or packet_tick >= self._last[0]):
                    self._last = packet_tick, self._duration(packet)
                yield _Packet(packet, packet_tick)

    def _is_restart(self, last: "av.Packet[VideoStream] | None", packet: "av.Packet[VideoStream]") -> bool:
        if "mp4" in self._file.formats or last is None or last.dts is None or packet.dts is None:
            return False
        return clock.is_restart(float((packet.dts - last.dts) * self._base))

    def _until(self) -> str:
        return grid.format_time(float(sum(self._last or ()) * self._base))

    def _seek(self, tick: int) -> None:
        try:
            self._file.seek(tick)
        except FFmpegError as error:  # the demuxer then stays where it was
            self.problem = error.strerror

    def _decode(self, packet: "av.Packet[VideoStream] | None") -> list[VideoFrame]:
        """Decodes a packet to its frames; none for a damaged packet. None gets those that are left in the decoder."""
        try:
            return self._context.decode(packet)
        except FFmpegError:
            return []
        finally:
            if packet is None:
                self._context.flush_buffers()

    def _ticked(self, frames: list[VideoFrame]) -> Iterator[tuple[VideoFrame, int]]:
        """Yields frames and their ticks. Frames without times follow each other at the mean rate."""
        for frame in frames:
            if frame.pts is None:
                self._tick += self._mean_duration()
            else:
                self._tick = frame.pts - self._start
            yield frame, self._tick

    def _picture(self, frame: VideoFrame) -> Picture:
        """Scales and crops a frame, and turns it upright."""
        side = self._view.size
        width = height = side
        if self._view.fit == "crop":
            shape = min(max(self._shape(frame), Fraction(1, LONGEST)), Fraction(LONGEST))
            half = Fraction(1, 2)
            width, height = int(max(Fraction(side), side * shape) + half), int(max(Fraction(side), side / shape) + half)
        scaled = self._scaled(frame, width, height)
        top, left = (height - side) // 2, (width - side) // 2
        upright = np.rot90(scaled[top : top + side, left : left + side], round(frame.rotation / 90))
        return np.ascontiguousarray(upright)

    def _shape(self, frame: VideoFrame) -> Fraction:
        """Width by height as shown, before it is turned: pictures with oblong pixels keep their proportions."""
        return Fraction(frame.width, frame.height) * (self._stream.sample_aspect_ratio or 1)

    def _scaled(self, frame: VideoFrame, width: int, height: int) -> Picture:
        scaled = self._reformatter.reformat(
            frame, width, height, "rgb24", interpolation=Interpolation.BICUBIC, threads=1
        )
        return np.asarray(scaled.to_ndarray(), dtype=np.uint8)
