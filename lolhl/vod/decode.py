"""Video in, pictures at exact times out. Every picture that a model ever sees comes from here.

Frame k is the picture on screen at k / fps seconds, counted from the start of the video. ffmpeg's
`fps` filter does that with `round=up` (its default shows each picture up to half a frame late).
"""

import functools
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from lolhl.errors import UsageError, VideoError
from lolhl.vod import ffmpeg

Fit = Literal["squeeze", "crop"]
Decoder = Literal["cpu", "cuda"]
Picture = npt.NDArray[np.uint8]

_SEEK_MARGIN = 4.0  # seconds; more than a usual GOP, so that the picture before the first instant is decoded too


@dataclass(frozen=True)
class View:
    """How the models see a video: part of a model's contract.

    Attributes:
        fps: of the frame grid.
        size: width and height of a frame, in pixels.
        fit: "squeeze" keeps the whole picture and changes its proportions; "crop" scales the short
            side and keeps the middle.
    """

    fps: Fraction
    size: int
    fit: Fit


def choose_decoder(video: Path, wanted: str, view: View) -> Decoder:
    """ "cuda" where this file can be decoded and scaled on a GPU, else "cpu".

    Args:
        wanted: "auto", "cpu" or "cuda".

    Raises:
        UsageError: "cuda" was wanted and does not work here.
    """
    if wanted == "cpu":
        return "cpu"
    problem = _try_cuda(video, view)
    if problem is None:
        return "cuda"
    if wanted == "cuda":
        raise UsageError(f"{video} cannot be decoded on a GPU here ({problem}): use --decoder cpu")
    return "cpu"


@functools.lru_cache(maxsize=64)
def _try_cuda(video: Path, view: View) -> str | None:
    """Why this file cannot be decoded on a GPU, or None when it can: seen by decoding one picture."""
    command = [ffmpeg.path(), *ffmpeg.QUIET, *_arguments(video, view, "cuda", 0), "-frames:v", "1", "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL, check=False)
    return None if done.returncode == 0 else ffmpeg.reason(done.stderr)


@dataclass
class Ending:
    """How decoding ended; filled when `decode` has yielded its last picture.

    `problem` is what ffmpeg said when it gave up before the end of the file, else None.
    """

    problem: str | None = None


def decode(
    video: Path,
    view: View,
    *,
    decoder: Decoder = "cpu",
    first: int = 0,
    ending: Ending | None = None,
) -> Iterator[Picture]:
    """The pictures at first / fps, (first + 1) / fps … to the end: uint8 [size, size, 3], RGB.

    A file that is damaged or cut off gives what is readable; `ending` then says why it ended.

    Raises:
        VideoError: nothing at all could be decoded, or ffmpeg was killed.
    """
    command = [ffmpeg.path(), *ffmpeg.QUIET, *_arguments(video, view, decoder, first)]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]
    shape, size = (view.size, view.size, 3), view.size * view.size * 3
    count = 0
    with ExitStack() as stack:
        errors = stack.enter_context(tempfile.TemporaryFile())
        process = stack.enter_context(
            subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors)
        )
        stack.callback(process.kill)  # the reader may stop early
        assert process.stdout is not None
        while True:
            data = process.stdout.read(size)
            if len(data) < size:
                break
            count += 1
            yield np.frombuffer(data, dtype=np.uint8).reshape(shape)
        code = process.wait()
        errors.seek(0)
        said = errors.read()
    if code < 0:
        raise VideoError(f"{video}: ffmpeg was killed by signal {-code} after {count} frames: run again")
    if count == 0 and first == 0:
        raise VideoError(f"{video} holds no picture that can be decoded ({ffmpeg.reason(said)}): download it again")
    if code > 0 and ending is not None:
        ending.problem = ffmpeg.reason(said)


def _arguments(video: Path, view: View, decoder: Decoder, first: int) -> list[str]:
    """Input and filters. Times stay those of the file, counted from its start, also after a seek."""
    begin = Fraction(first) / view.fps
    options = ["-copyts", "-start_at_zero"]
    if begin > _SEEK_MARGIN:
        # From the key frame before, and nothing dropped: the first instant may show an old picture.
        options += ["-noaccurate_seek", "-ss", f"{float(begin) - _SEEK_MARGIN:.6f}"]
    if decoder == "cuda":
        options += ["-hwaccel", "cuda", "-hwaccel_output_format", "cuda"]
    grid = f"fps=fps={view.fps}:round=up:start_time={float(begin):.9f}"
    filters = ",".join([grid, *(_scale_cuda(view) if decoder == "cuda" else _scale(view))])
    return [*ffmpeg.source(video, *options), "-map", "0:V:0", "-vf", filters, "-fps_mode", "passthrough"]


def _scale(view: View) -> list[str]:
    side = view.size
    if view.fit == "squeeze":
        return [f"scale={side}:{side}", "setsar=1"]
    # dar is the shape as shown, so that pictures with oblong pixels keep their proportions.
    wide, high = f"trunc(max({side},{side}*dar)+0.5)", f"trunc(max({side},{side}/dar)+0.5)"
    return [f"scale='{wide}':'{high}'", f"crop={side}:{side}", "setsar=1"]


def _scale_cuda(view: View) -> list[str]:
    """Scaling on the card. scale_cuda looks at few pixels per output pixel and would alias, so the
    picture is halved (bilinear: the mean of 2 × 2) while it stays at least as large as wanted."""
    side = view.size
    halve = f"scale_cuda='if(gte(iw,{2 * side}),trunc(iw/4)*2,iw)':'if(gte(ih,{2 * side}),trunc(ih/4)*2,ih)'"
    if view.fit == "squeeze":
        last = f"scale_cuda={side}:{side}:format=nv12"
    else:
        last = f"scale_cuda='trunc(max({side},{side}*dar)/2+0.5)*2':'trunc(max({side},{side}/dar)/2+0.5)*2':format=nv12"
    return [
        *[f"{halve}:interp_algo=bilinear"] * 3,
        f"{last}:interp_algo=bicubic",
        "hwdownload",
        "format=nv12",
        f"crop={side}:{side}",
        "setsar=1",
    ]
