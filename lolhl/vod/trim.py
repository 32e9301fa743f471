"""Keeps a part of a video, exact to a picture, without encoding it anew.

A copy can only begin at a key frame. So the pictures from the key frame before the start on are
copied too, and an edit list (ISO 14496-12, 8.6.6) hides them: every player that follows edit lists,
and ffmpeg does, decodes them and shows only what lies between start and stop.
"""

import re
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from lolhl.errors import VideoError
from lolhl.vod import ffmpeg

_SEEK_MARGIN = 15.0  # seconds; a copy out of a .ts file begins at the first key frame after where it lands
_AHEAD = 2.0  # seconds copied beyond the stop: pictures that those before it are predicted from
_TIMESCALE = 90_000  # of the file as a whole: fine enough for every frame rate in use
_ROUNDING = Fraction(1, 2000)  # seconds; times are typed, and stored in .mkv, to the millisecond

_STREAMS = ["-map", "0:V:0", "-map", "0:a?"]
# Nothing of the source's metadata or of ffmpeg's version: the same work gives the same bytes.
_PLAIN = ["-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact"]
_MP4 = ["-c", "copy", *_PLAIN, "-movie_timescale", str(_TIMESCALE), "-f", "mp4"]
_ENCODE = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "17", "-vf", ffmpeg.EVEN, "-c:a", "aac"]

# Each packet follows the one before as in the source, or at once where the source leaps by over 10 s or goes back.
_STEP = "if(between(DTS-PREV_INDTS\\,0\\,10/TB)\\,DTS-PREV_INDTS\\,max(DURATION\\,1))"
_NEXT = f"if(eq(N\\,0)\\,DTS\\,PREV_OUTDTS+{_STEP})"
_RUN_ON = f"setts=dts={_NEXT}:pts=PTS-DTS+{_NEXT}"

# What a playlist may be read with: segments of these formats. (No .mp4 or .ts begins like a playlist.)
_SEGMENTS = ("hls", "mpegts", "mov")
_PLAIN_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.-]*")
_URI = re.compile(r'URI="([^"]*)"')
_TS_SYNC = b"\x47"
_MP4_BOXES = (b"ftyp", b"styp", b"moof", b"sidx", b"emsg", b"prft", b"free")


def join(playlist: Path, target: Path) -> None:
    """Copies the segments of a local HLS playlist into one .mp4.

    Raises:
        VideoError: ffmpeg cannot read them, or the playlist names anything but segments that lie beside it.
        ToolMissing, MachineError: as of `ffmpeg.run`.
    """
    ffmpeg.run([*_source(playlist, 0.0), *_STREAMS, *_MP4], playlist, target)


def remux(video: Path, target: Path) -> Path:
    """Copies a video whose timestamps start again or leap; in the copy they run on, picture and sound alike.

    Args:
        target: its suffix becomes .mp4, or .mkv where an .mp4 cannot hold the video.

    Returns:
        The copy.

    Raises:
        VideoError: ffmpeg cannot read it.
    """
    # ffmpeg's own mending of timestamps as it reads takes sound and picture for one clock, and counts a gap twice.
    arguments = [*ffmpeg.source(video, "-copyts"), *_STREAMS, "-bsf:v", _RUN_ON, "-bsf:a", _RUN_ON]
    arguments += ["-avoid_negative_ts", "make_zero"]
    try:
        copy = target.with_suffix(".mp4")
        ffmpeg.run([*arguments, *_MP4], video, copy)
    except VideoError:
        target.with_suffix(".mp4").unlink(missing_ok=True)
        copy = target.with_suffix(".mkv")
        ffmpeg.run([*arguments, "-c", "copy", *_PLAIN, "-f", "matroska"], video, copy)
    return copy


def trim(video: Path, target: Path, start: float, stop: float | None) -> float | None:
    """Writes the pictures shown in [start, stop) as an .mp4 whose time 0 is the first of them.

    Nothing is encoded anew, unless the codec does not fit into an .mp4.

    Args:
        video: a video file, or a local HLS playlist (.m3u8), which is always read from its beginning.
        start: seconds from the beginning of the video.
        stop: seconds, or None for all the rest.

    Returns:
        The first picture's time in the video, in seconds: `start`, or less than one picture later.
        None, with nothing written, when no picture begins in [start, stop).

    Raises:
        VideoError: ffmpeg cannot read it, or the playlist names anything but segments that lie beside it.
        ToolMissing, MachineError: as of `ffmpeg.run`.
    """
    begin = _first_picture(video, start)
    end = None if stop is None else Fraction(stop) - _ROUNDING
    if begin is None or (end is not None and begin.time >= end):
        return None
    length = None if end is None else end - begin.time
    try:
        _copy(video, target, begin, length)
    except VideoError:
        _encode(video, target, begin, length)
    return float(begin.time)


@dataclass(frozen=True)
class _PartBegin:
    """Where a part begins: the first picture's time, and where to seek so that its key frame is met."""

    time: Fraction
    seek: float


def _first_picture(video: Path, start: float) -> _PartBegin | None:
    """The first picture shown at or after `start`; None when the video ends before."""
    far = max(0.0, start - _SEEK_MARGIN)
    seeks = [0.0] if video.suffix == ".m3u8" or far == 0 else [far, 0.0]
    for seek in seeks:
        first_shown = key_shown = None
        for shown, decoded in _packets(video, seek):
            key_shown = shown if key_shown is None else key_shown  # a copy begins with a key frame
            if shown >= start - _ROUNDING and (first_shown is None or shown < first_shown):
                first_shown = shown
            if first_shown is not None and decoded >= first_shown:
                break  # all that follow are shown later still
        if key_shown is not None and first_shown is not None and (key_shown <= start or seek == 0):
            return _PartBegin(first_shown, seek)
    return None


def _packets(video: Path, seek: float) -> Iterator[tuple[Fraction, Fraction]]:
    """Yields when each picture that a copy would hold is shown, and when it is decoded, in seconds of the video."""
    # With the sound, as in the copy: ffmpeg counts a .ts from where the first of the chosen streams begins.
    command = [*_source(video, seek), *_STREAMS, "-c", "copy", "-f", "framecrc", "pipe:1"]
    with tempfile.TemporaryFile() as errors:
        process = ffmpeg.start(command, stdout=subprocess.PIPE, stderr=errors)
        with process:
            assert process.stdout is not None
            base = Fraction(0)
            try:
                for line in process.stdout:
                    if line.startswith(b"#tb 0:"):
                        base = Fraction(line.removeprefix(b"#tb 0:").strip().decode())
                    elif line.startswith(b"0,"):
                        _, decoded, shown, *_ = line.split(b",")
                        yield int(shown) * base + Fraction(seek), int(decoded) * base + Fraction(seek)
                code = process.wait()
                if not base:
                    ffmpeg.check()
            finally:
                process.kill()
        errors.seek(0)
        # A damaged video has the pictures that can be read; what is no fault of its own is an error.
        if code != 0 and not isinstance(error := ffmpeg.failure(code, errors.read(), video), VideoError):
            raise error


def _source(video: Path, seek: float) -> list[str]:
    options = ["-fflags", "+genpts", *(["-ss", f"{seek:.6f}"] if seek else [])]  # .avi has no times of showing
    if video.suffix != ".m3u8":
        return ffmpeg.source(video, *options)
    _check_segments(video)
    return ffmpeg.source(video, "-f", "hls", *options, formats=_SEGMENTS)


def _check_segments(playlist: Path) -> None:
    """Refuses a playlist that names more than the segments of video beside it: Twitch wrote most of it."""
    for line in playlist.read_text().splitlines():
        names = _URI.findall(line) if line.startswith("#") else [line.strip()] if line.strip() else []
        for name in names:
            segment = playlist.parent / name
            if not _PLAIN_NAME.fullmatch(name) or segment.is_symlink() or not segment.is_file():
                raise VideoError(f"{playlist} names {name[:100]!r}, which is no segment beside it: download it again")
            with segment.open("rb") as file:
                head = file.read(8)
            if not head.startswith(_TS_SYNC) and head[4:] not in _MP4_BOXES:
                raise VideoError(f"{segment} is no segment of a video: download it again")


def _copy(video: Path, target: Path, begin: _PartBegin, length: Fraction | None) -> None:
    lead = float(begin.time - Fraction(begin.seek))  # seconds copied to be hidden
    limit = [] if length is None else ["-t", f"{lead + float(length) + _AHEAD:.6f}"]
    arguments = [*_source(video, begin.seek), *_STREAMS, *limit, "-output_ts_offset", f"{-lead:.6f}"]
    ffmpeg.run([*arguments, *_MP4], video, target)
    if length is not None:
        with target.open("r+b") as file:
            _end_at(file, length)


def _encode(video: Path, target: Path, begin: _PartBegin, length: Fraction | None) -> None:
    lead = float(begin.time - Fraction(begin.seek))
    limit = [] if length is None else ["-t", f"{float(length):.6f}"]
    arguments = [*_source(video, begin.seek), *_STREAMS, "-ss", f"{lead:.6f}", *limit, *_ENCODE, *_PLAIN]
    ffmpeg.run([*arguments, "-f", "mp4"], video, target)


def _end_at(file: BinaryIO, length: Fraction) -> None:
    """Shortens what an .mp4 shows, in place: the edit lists of its tracks, and the lengths that its headers give."""
    ticks = round(length * _TIMESCALE)
    movie = next(_boxes(file, 0, file.seek(0, 2), b"moov"))
    for track in _boxes(file, *movie, b"trak"):
        for edits in _boxes(file, *track, b"edts"):
            for at, _ in _boxes(file, *edits, b"elst"):
                _shorten_edits(file, at, ticks)
        for at, _ in _boxes(file, *track, b"tkhd"):
            _shorten(file, at, (20, 28), ticks)
    for at, _ in _boxes(file, *movie, b"mvhd"):
        _shorten(file, at, (16, 24), ticks)


def _boxes(file: BinaryIO, start: int, stop: int, kind: bytes) -> Iterator[tuple[int, int]]:
    """Where the contents of the boxes of this kind begin and end, between two places of the file."""
    while start < stop:
        file.seek(start)
        size, name = struct.unpack(">I4s", file.read(8))
        head = 8
        if size == 1:
            size, head = struct.unpack(">Q", file.read(8))[0], 16
        if name == kind:
            yield start + head, start + size
        start += size


def _shorten_edits(file: BinaryIO, at: int, ticks: int) -> None:
    file.seek(at)
    version, count = struct.unpack(">B3xI", file.read(8))
    layout = ">qqI" if version else ">iiI"  # length, place in the track, speed
    size = struct.calcsize(layout)
    for number in range(count):
        file.seek(at + 8 + number * size)
        length, *fields = struct.unpack(layout, file.read(size))
        length = min(length, ticks)
        ticks -= length
        file.seek(at + 8 + number * size)
        file.write(struct.pack(layout, length, *fields))


def _shorten(file: BinaryIO, at: int, places: tuple[int, int], ticks: int) -> None:
    """Shortens the length that a header gives. It lies at one of two places: in the short form and in the long one."""
    file.seek(at)
    version = file.read(1)[0]
    layout = ">Q" if version else ">I"
    file.seek(at + places[version])
    length = struct.unpack(layout, file.read(struct.calcsize(layout)))[0]
    file.seek(at + places[version])
    file.write(struct.pack(layout, min(length, ticks)))
