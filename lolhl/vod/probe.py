"""What a video file is: length, picture size, frame rate.

Read from what `ffmpeg -i` prints and not by ffprobe, because the imageio-ffmpeg package, which must
do where Debian's ffmpeg cannot be installed, carries no ffprobe.
"""

import re
import subprocess
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from lolhl import grid
from lolhl.errors import VideoError
from lolhl.vod import ffmpeg

_DURATION = re.compile(r"^  Duration: (?:(\d+):(\d\d):(\d\d\.\d+)|N/A)(?:, start: (-?[\d.]+))?", re.MULTILINE)
_VIDEO = re.compile(r"^  Stream #\d+:\d+.*?: Video: (?!.*\(attached pic\))(\w+).*?, (\d+)x(\d+)(.*)$", re.MULTILINE)
_RATE = re.compile(r", ([\d.]+)(k?) (fps|tbr)")
_ASPECT = re.compile(r"SAR (\d+):(\d+)")
_ROTATION = re.compile(r"displaymatrix: rotation of (-?[\d.]+) degrees")
_AUDIO = re.compile(r"^  Stream #\d+:\d+.*?: Audio: ", re.MULTILINE)


@dataclass(frozen=True)
class VideoInfo:
    """Duration and start_time in seconds; width and height as shown, after rotation, in pixels.

    `fps` is the average rate; `duration` is the container's, 0 when it does not say.
    """

    duration: float
    start_time: float
    width: int
    height: int
    fps: Fraction
    codec: str
    has_audio: bool
    rotation: int


def probe(video: Path) -> VideoInfo:
    """What the file says of itself; nothing is decoded.

    Raises:
        VideoError: it does not exist, or has no video that ffmpeg knows.
    """
    if not video.is_file():
        raise VideoError(f"{video} does not exist: give the path of a video file")
    command = [ffmpeg.path(), "-hide_banner", "-nostdin", *ffmpeg.source(video)]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    said = done.stderr.decode(errors="replace")
    found, duration = _VIDEO.search(said), _DURATION.search(said)
    if not found or not duration:
        raise VideoError(f"{video} is no video that ffmpeg can read: give an .mp4, .ts, .mkv or other video file")
    codec, width, height, rest = found[1], int(found[2]), int(found[3]), found[4]
    rotation = round(float(turned[1])) % 360 if (turned := _ROTATION.search(said)) else 0
    if rotation in (90, 270):
        width, height = height, width
    seconds = int(duration[1]) * 3600 + int(duration[2]) * 60 + float(duration[3]) if duration[1] else 0.0
    return VideoInfo(
        duration=seconds,
        start_time=float(duration[4] or 0),
        width=width,
        height=height,
        fps=_rate(rest),
        codec=codec,
        has_audio=bool(_AUDIO.search(said)),
        rotation=rotation,
    )


def _rate(text: str) -> Fraction:
    """The average rate, or the guessed one where the container has none; ffmpeg rounds to 2 digits."""
    rates = {kind: Fraction(number) * (1000 if kilo else 1) for number, kilo, kind in _RATE.findall(text)}
    return grid.exact_fps(rates.get("fps") or rates.get("tbr") or Fraction(0))
