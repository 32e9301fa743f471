"""Chapters for a video's description on YouTube: of the whole VOD, and of the reel.

YouTube wants the first at 0:00, at least three, and each 10 s or longer.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate

from lolhl import grid
from lolhl.errors import ExportError
from lolhl.exports.cut_list import CutList, one_line
from lolhl.labels.spans import Span

_SHORTEST = 10.0  # seconds


def write(cuts: CutList) -> bytes:
    """Chapters of the VOD, see `of_vod`. Raises ExportError where fewer than three are left."""
    return _checked(of_vod(cuts.spans, cuts.duration), "the VOD")


def write_of_reel(cuts: CutList) -> bytes:
    """Chapters of the reel: one from each clip to the next.

    Clips that would make a shorter chapter than YouTube shows belong to the chapter before them.

    Raises:
        ExportError: there is no reel, or fewer than three chapters are left.
    """
    if not cuts.reel:
        raise ExportError(f"VOD {cuts.vod} has no reel: run `lolhl report {cuts.vod} --reel` first")
    names, lengths = zip(*cuts.reel, strict=True)
    *starts, duration = accumulate(lengths, initial=0.0)
    return _checked(_chapters(zip(starts, names, strict=True), duration), "the reel")


def of_vod(spans: Sequence[Span], duration: float) -> str:
    """One chapter from each highlight to the next.

    Highlights that would make a shorter chapter than YouTube shows are left out; "" when fewer than three are left.

    Args:
        duration: seconds of the video.
    """
    return _chapters([(0.0, "Start"), *((span.start, span.name) for span in sorted(spans))], duration)


def _chapters(begins: Iterable[tuple[float, str]], duration: float) -> str:
    chapters: list[tuple[float, str]] = []
    for start, name in begins:
        if not chapters or (start - chapters[-1][0] >= _SHORTEST and duration - start >= _SHORTEST):
            chapters.append((start, one_line(name)))
    lines = [f"{grid.format_time(int(start))} {name}\n" for start, name in chapters]
    return "".join(lines) if len(lines) >= 3 else ""


def _checked(chapters: str, video: str) -> bytes:
    if not chapters:
        raise ExportError(f"{video} has fewer than three chapters of 10 s or more, so YouTube would show none of them")
    return chapters.encode()
