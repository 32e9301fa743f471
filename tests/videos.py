"""Small real videos for tests, made by ffmpeg: pictures that carry their own number."""

import subprocess
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.made_once import made_once

BITS = 16
_COLUMNS = 4  # the number stands as 4 × 4 black or white squares in the middle of the picture


def numbered_picture(number: int, width: int, height: int) -> npt.NDArray[np.uint8]:
    """A picture that `read_number` reads back after scaling and compression: uint8 [height, width, 3]."""
    picture = np.full((height, width, 3), 96, dtype=np.uint8)
    side = min(width, height) * 3 // 4 // _COLUMNS
    top, left = (height - side * _COLUMNS) // 2, (width - side * _COLUMNS) // 2
    for bit in range(BITS):
        row, column = divmod(bit, _COLUMNS)
        y, x = top + row * side, left + column * side
        picture[y : y + side, x : x + side] = 255 if number >> bit & 1 else 0
    return picture


def read_number(picture: npt.NDArray[np.uint8]) -> int:
    """The number in a picture that was scaled with its proportions kept, or cropped to its middle."""
    height, width = picture.shape[:2]
    side = min(width, height) * 3 / 4 / _COLUMNS
    top, left = (height - side * _COLUMNS) / 2, (width - side * _COLUMNS) / 2
    number = 0
    for bit in range(BITS):
        row, column = divmod(bit, _COLUMNS)
        number |= int(picture[int(top + (row + 0.5) * side), int(left + (column + 0.5) * side)].mean() > 127) << bit
    return number


def numbered_video(
    path: Path,
    *,
    seconds: float = 10,
    fps: Fraction = Fraction(30),
    size: tuple[int, int] = (320, 240),
    gop: float = 2.0,
    sound: bool = True,
    options: tuple[str, ...] = (),
    painted: Mapping[tuple[int, int, int, int], tuple[int, int, int]] = {},
) -> Path:
    """H.264 with B-frames and a key frame every `gop` seconds; picture n carries the number n.

    Args:
        options: more output options for ffmpeg, placed last.
        painted: left, top, width and height of parts of the picture → their colour.
    """
    count = round(seconds * fps)
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", str(fps), "-i", "pipe:0"]
    if sound:
        command += ["-f", "lavfi", "-i", f"sine=frequency=440:duration={float(count / fps):.6f}", "-c:a", "aac"]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-pix_fmt", "yuv420p"]
    command += ["-g", str(round(gop * fps)), "-sc_threshold", "0", *options]

    def make(path: Path) -> None:
        with subprocess.Popen([*command, str(path)], stdin=subprocess.PIPE) as process:
            assert process.stdin is not None
            for number in range(count):
                picture = numbered_picture(number, *size)
                for (left, top, width, height), colour in painted.items():
                    picture[top : top + height, left : left + width] = colour
                process.stdin.write(picture.tobytes())
            process.stdin.close()
            assert process.wait() == 0

    return made_once(path, make, command, count, painted)
