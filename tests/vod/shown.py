"""What ffmpeg shows of a numbered video."""

import re
import subprocess
from pathlib import Path

import av
import numpy as np

from tests.videos import read_number


def shown(video: Path, ffmpeg: str = "ffmpeg") -> list[tuple[float, int]]:
    """Time in seconds and number of every picture, in order."""
    with av.open(str(video)) as opened:  # a playlist too
        width, height = opened.streams.video[0].width, opened.streams.video[0].height
    command = [ffmpeg, "-v", "info", "-nostats", "-i", str(video), "-map", "0:V:0"]
    command += ["-vf", "showinfo", "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"]
    # The sound is opened too, since ffmpeg counts a .ts from the first of what is opened.
    command += ["-map", "0:V:0", "-map", "0:a?", "-c", "copy", "-f", "null", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    times = [float(time) for time in re.findall(rb"pts_time:(-?[\d.]+)", done.stderr)]
    pictures = np.frombuffer(done.stdout, np.uint8).reshape(-1, height, width)
    return [(time, read_number(picture)) for time, picture in zip(times, pictures, strict=True)]
