"""Decoding on an NVIDIA card: ffmpeg sessions, each on one of the card's decoding engines."""

import functools
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import numpy as np

from lolhl.errors import MachineError, ToolMissing, VideoError
from lolhl.vod import ffmpeg, process
from lolhl.vod.cpu import Reader
from lolhl.vod.view import LONGEST, Picture, View

# NVIDIA's cards have up to 7 engines (A100: 5, L4: 4, T4: 2), and a session uses one. Two more than
# there are hide the starting of sessions.
SESSIONS = 9

# A filter's expression: the shape as shown, so that pictures with oblong pixels keep their proportions.
_SHAPE = f"clip(dar,1/{LONGEST},{LONGEST})"
_DEVICES = ("/dev/nvidiactl", "/dev/dxg")  # of NVIDIA's driver on Linux, and on Linux under Windows
_SEEK_MARGIN = 4.0  # seconds; more than a usual GOP, so that the picture before the first instant is decoded too


def has_driver() -> bool:
    """Whether a GPU may be here. It costs nothing, where `problem` starts a process."""
    return sys.platform != "linux" or any(Path(device).exists() for device in _DEVICES)


@functools.lru_cache(maxsize=64)
def problem(video: Path, view: View) -> str | None:
    """Why this file cannot be decoded on a GPU, or None when it can: seen by decoding one picture."""
    try:
        command = [ffmpeg.path(), *ffmpeg.QUIET, *_arguments(video, view, 0, Fraction(0), on_card=True)]
        done = process.run([*command, "-frames:v", "1", "-f", "null", "-"], *process.GPU)
    except (VideoError, ToolMissing, MachineError) as error:
        return str(error)
    return None if done.returncode == 0 else ffmpeg.reason(done.stderr)


class Session:
    """Decodes one part after the other, each by a process of its own.

    Attributes:
        ended: whether the last call reached the end of the video.
        problem: what ffmpeg said when it gave up before the end of the file, else None.
    """

    def __init__(self, reader: Reader, view: View, *, on_card: bool = True) -> None:
        self.ended = False
        self.problem: str | None = None
        self._reader, self._video, self._view, self._on_card = reader, reader.video, view, on_card

    def close(self) -> None:
        self._reader.close()

    def count(self, first: int, stop: int | None) -> int:
        """As `Reader.count`: how many pictures `grid` yields, if ffmpeg can decode any."""
        return self._reader.count(first, stop)

    def grid(self, first: int, stop: int | None) -> Iterator[Picture]:
        """The pictures on screen at first / fps … (stop - 1) / fps; fewer where the video ends before.

        Raises:
            VideoError: ffmpeg was killed.
        """
        view = self._view
        self.ended, self.problem = True, None
        # ffmpeg's own end of a video is up to an instant off, as it goes by the last picture's usual duration.
        end = first + self.count(first, stop)
        if end == first:
            return
        command = _arguments(self._video, view, first, self._reader.start, on_card=self._on_card)
        command += ["-frames:v", str(end - first)]
        command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]
        shape, size = (view.size, view.size, 3), view.size * view.size * 3
        number, picture = first, None
        with ExitStack() as stack:
            errors = stack.enter_context(tempfile.TemporaryFile())
            running = stack.enter_context(ffmpeg.start(command, stdout=subprocess.PIPE, stderr=errors))
            stack.callback(running.kill)  # the reader may stop early
            assert running.stdout is not None
            while len(data := running.stdout.read(size)) == size:
                picture = np.frombuffer(data, dtype=np.uint8).reshape(shape)
                yield picture
                number += 1
            code = running.wait()
            errors.seek(0)
            stderr = errors.read()
        if code < 0:
            raise VideoError(f"{self._video}: ffmpeg was killed by signal {-code} at frame {number}: run again")
        while picture is not None and number < end:
            yield picture
            number += 1
        self.ended = number != stop
        self.problem = ffmpeg.reason(stderr) if code > 0 else None


def _arguments(video: Path, view: View, first: int, start: Fraction, *, on_card: bool) -> list[str]:
    """Input and filters. Times stay those of the file, counted from its start, also after a seek.

    ffmpeg's `fps` filter shows the picture on screen with `round=up`; its default is up to half a
    frame late.
    """
    begin = Fraction(first) / view.fps
    options = ["-copyts"]
    if begin > _SEEK_MARGIN:
        # From the key frame before, and nothing dropped: the first instant may show an old picture.
        options += ["-noaccurate_seek", "-ss", f"{float(begin) - _SEEK_MARGIN:.6f}"]
    if on_card:
        options += ["-hwaccel", "cuda", "-hwaccel_output_format", "cuda"]
    # Counted from where the first stream starts. (-start_at_zero counts .ts from the first of those that are read.)
    grid = f"setpts=PTS-{float(start):.6f}/TB,fps=fps={view.fps}:round=up:start_time={float(begin):.9f}"
    filters = ",".join([grid, *(_scale_on_card(view) if on_card else _scale(view))])
    return [*ffmpeg.source(video, *options), "-map", "0:V:0", "-vf", filters, "-fps_mode", "passthrough"]


def _scale(view: View) -> list[str]:
    side = view.size
    if view.fit == "squeeze":
        return [f"scale={side}:{side}", "setsar=1"]
    wide, high = f"trunc(max({side},{side}*{_SHAPE})+0.5)", f"trunc(max({side},{side}/{_SHAPE})+0.5)"
    return [f"scale='{wide}':'{high}'", f"crop={side}:{side}", "setsar=1"]


def _scale_on_card(view: View) -> list[str]:
    """scale_cuda looks at few pixels per output pixel and would alias, so the picture is halved
    (bilinear: the mean of 2 × 2) while it stays at least as large as wanted."""
    side = view.size
    halve = f"scale_cuda='if(gte(iw,{2 * side}),trunc(iw/4)*2,iw)':'if(gte(ih,{2 * side}),trunc(ih/4)*2,ih)'"
    if view.fit == "squeeze":
        last = f"scale_cuda={side}:{side}:format=nv12"
    else:
        last = (
            f"scale_cuda='trunc(max({side},{side}*{_SHAPE})/2+0.5)*2':"
            f"'trunc(max({side},{side}/{_SHAPE})/2+0.5)*2':format=nv12"
        )
    return [
        *[f"{halve}:interp_algo=bilinear"] * 3,
        f"{last}:interp_algo=bicubic",
        "hwdownload",
        "format=nv12",
        f"crop={side}:{side}",
        "setsar=1",
    ]
