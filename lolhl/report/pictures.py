"""Thumbnails of highlights."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

from lolhl import progress
from lolhl.frames.shards import encode
from lolhl.vod.decode import stills

WIDTH = 320  # pixels
_QUALITY = 70


def thumbnails(video: Path, fps: Fraction, numbers: Sequence[int]) -> list[bytes | None]:
    """For each instant number / fps, the picture on screen as a small JPEG; None where the video has ended.

    Raises:
        VideoError: the video cannot be opened.
    """
    jpegs: list[bytes | None] = []
    with progress.bar("thumbnails", len(numbers), "pictures") as advance:
        for picture in stills(video, fps, numbers, WIDTH):
            jpegs.append(None if picture is None else encode(picture, _QUALITY))
            advance(1)
    return jpegs
