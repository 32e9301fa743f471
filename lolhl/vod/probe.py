"""What a video file is: length, picture size, frame rate."""

from contextlib import closing, suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
from av.codec.context import CodecContext
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition, Stream
from av.video.stream import VideoStream

from lolhl import grid
from lolhl.errors import VideoError
from lolhl.vod import ffmpeg

_MAY_BE_STILL = {"gif", "apng", "mjpeg"}  # formats of videos in which still pictures come too
_TRIED = 100  # packets in which a picture is looked for
_HUNDREDTHS = 10_000  # of a second, in the container's microseconds
_LONGEST = 10**9 * av.time_base  # 30 years, in microseconds: damaged files claim more


@dataclass(frozen=True)
class VideoInfo:
    """Duration and start_time in seconds; width and height as shown, after rotation, in pixels.

    `fps` is the average rate, whatever the file claims, and 0 when nobody knows; `duration` is the container's in
    hundredths, 0 when it does not say or claims more than 30 years; `video_duration` is that of the pictures alone,
    exact, and 0 when the file does not say. `channels` and `sample_rate` (Hz) are those of the first sound, 0 without
    one. `timecode` is that of the first picture, as cameras and programs for editing embed it. `pixel_shape` is the
    width of a pixel over its height, as shown.
    """

    duration: float
    start_time: float
    width: int
    height: int
    fps: Fraction
    codec: str
    has_audio: bool
    rotation: int
    video_duration: Fraction = Fraction(0)
    channels: int = 0
    sample_rate: int = 0
    timecode: str | None = None
    pixel_shape: Fraction = Fraction(1)


def probe(video: Path) -> VideoInfo:
    """What the file says of itself; one picture is decoded.

    Raises:
        VideoError: it does not exist, or has no video that ffmpeg knows.
        MachineError: it may not be read, or there is too little memory.
    """
    if not video.is_file():
        raise VideoError(f"{video} does not exist: give the path of a video file")
    with closing(ffmpeg.open_video(video)) as container:
        pictures = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
        if not pictures or not _is_known(pictures[0]) or not pictures[0].codec_context.width:
            raise VideoError(f"{video} is no video that ffmpeg can read: give an .mp4, .ts, .mkv or other video file")
        stream = pictures[0]
        duration, start_time = container.duration or 0, container.start_time or 0
        width, height = stream.codec_context.width, stream.codec_context.height
        pixel_shape = stream.sample_aspect_ratio or Fraction(1)
        count, rotation = _look(container, stream)
        if count == 1 and container.format.name in _MAY_BE_STILL:
            raise VideoError(ffmpeg.still_picture(video))
        if rotation in (90, 270):
            width, height, pixel_shape = height, width, 1 / pixel_shape
        sound = next(filter(_is_known, container.streams.audio), None)
        return VideoInfo(
            duration=(duration + _HUNDREDTHS // 2) // _HUNDREDTHS / 100 if 0 < duration <= _LONGEST else 0.0,
            start_time=start_time / av.time_base,
            width=width,
            height=height,
            fps=_rate(stream, count),
            codec=stream.codec_context.codec.canonical_name,
            has_audio=sound is not None,
            rotation=rotation,
            video_duration=_exact_duration(stream),
            channels=sound.codec_context.channels if sound else 0,
            sample_rate=sound.codec_context.sample_rate if sound else 0,
            timecode=_timecode(container, stream),
            pixel_shape=pixel_shape,
        )


def _is_known(stream: Stream) -> bool:
    """Whether ffmpeg knows the stream's codec. PyAV gives no context where it does not, whatever its types say."""
    context: CodecContext | None = stream.codec_context
    return context is not None


def _exact_duration(stream: VideoStream) -> Fraction:
    seconds = Fraction(stream.duration or 0) * Fraction(stream.time_base or 0)
    return seconds if 0 < seconds <= _LONGEST // av.time_base else Fraction(0)


def _timecode(container: InputContainer, stream: VideoStream) -> str | None:
    """A .mov has timecode in a track of its own, an .mxf with the container, others with the picture."""
    tags = [stream.metadata, container.metadata, *(other.metadata for other in container.streams)]
    return next((tag["timecode"] for tag in tags if "timecode" in tag), None)


def _look(container: InputContainer, stream: VideoStream) -> tuple[int, int]:
    """How many packets there are, of the first two; and by how many degrees the first picture is to be turned."""
    count, rotation = 0, None
    with suppress(FFmpegError):  # a damaged video is what can be read of it
        for packet in islice(ffmpeg.packets(container, stream), _TRIED):
            count += packet.size > 0
            if rotation is None:
                with suppress(FFmpegError):
                    rotation = next((frame.rotation for frame in packet.decode()), None)
            if count > 1 and rotation is not None:
                break
    return count, (rotation or 0) % 360


def _rate(stream: VideoStream, count: int) -> Fraction:
    """The average rate, or the guessed one where the container has none; 0 where nobody knows.

    A usual rate stands in place of what times that were rounded to milliseconds make of it.

    Args:
        count: of packets, as of `_look`.
    """
    average = stream.average_rate
    if not average and count < 2:
        return Fraction(0)  # of one picture in a .wmv FFmpeg guesses that there is one a tick
    if not average or average * (stream.time_base or 0) == 1:  # a .dv tells its ticks
        average = stream.guessed_rate or Fraction(0)
    if average <= 0:
        return Fraction(0)
    usual = grid.exact_fps(Fraction(round(average * 100), 100))
    return usual if usual and usual.denominator in (1, 1001) else average
