"""Thumbnails of highlights."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lolhl import progress
from lolhl.vod import cut

WIDTH = 320  # pixels


def thumbnails(video: Path, times: Sequence[float]) -> list[bytes | None]:
    """For each time in seconds, the picture on screen as a small JPEG; None where the video has ended.

    Raises:
        VideoError: the video cannot be decoded.
    """
    with (
        ThreadPoolExecutor(max(1, (os.cpu_count() or 2) // 2)) as workers,
        progress.bar("thumbnails", len(times), "pictures") as advance,
    ):
        pictures = []
        for picture in workers.map(lambda seconds: cut.picture(video, seconds, WIDTH), times):
            pictures.append(picture)
            advance(1)
        return pictures
