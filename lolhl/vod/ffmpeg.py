"""Finds ffmpeg and runs it: the one place where its path, its safe options and its errors are known.

ffmpeg opens files from strangers. So it may read files and pipes only, never asks a question, and
takes input names as `file:…`, so that no name is taken for an option or a protocol.
"""

import functools
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from lolhl.errors import ToolMissing, VideoError

QUIET = ("-hide_banner", "-nostdin", "-v", "error")


@functools.cache
def path() -> str:
    """The ffmpeg on PATH, else the one that the imageio-ffmpeg package carries (without ffprobe).

    Raises:
        ToolMissing: there is neither.
    """
    if found := shutil.which("ffmpeg"):
        return found
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise ToolMissing("ffmpeg is missing: install it (apt-get install ffmpeg)") from error


def source(video: Path, *options: str) -> list[str]:
    """Arguments that open this file for reading, and nothing but files.

    Args:
        options: input options, such as ("-ss", "10").
    """
    return ["-protocol_whitelist", "file,pipe,crypto,data", *options, "-i", f"file:{video}"]


def run(arguments: Sequence[str], video: Path) -> None:
    """Runs ffmpeg to its end.

    Args:
        arguments: all but the program's name.
        video: the file it is about, for the error's message.

    Raises:
        VideoError: ffmpeg failed; says why in one line.
    """
    done = subprocess.run([path(), *QUIET, *arguments], capture_output=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise VideoError(f"{video}: ffmpeg failed ({reason(done.stderr)}): if it does not play, download it again")


def reason(stderr: bytes) -> str:
    """What ffmpeg says of its failure, in one line."""
    lines = [line.strip() for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it gave no reason"
