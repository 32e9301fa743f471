"""Cuts a clip of each highlight, and joins clips to one video. Both are done on this machine's disk."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from lolhl import progress
from lolhl.errors import VideoError
from lolhl.stages.footage import Footage
from lolhl.vod import cut
from lolhl.vod.probe import probe

log = logging.getLogger(__name__)

Order = Literal["time", "rank"]


def cut_clips(footage: Footage, folder: Path, command: str, option: str, *, exact: bool) -> dict[int, Path]:
    """Cuts a clip of each piece. Returns rank → file, in order of time.

    Where one clip cannot be a copy, all are encoded anew, since a reel cannot mix them.

    Args:
        footage: what is cut.
        folder: where the files go.
        command, option: what asks for them, and what asks for exact ones, for the warning that they are encoded anew.
        exact: whether they are encoded anew in any case, and hold just the pictures of the highlights.

    Raises:
        VideoError: they cannot be cut from the video.
    """
    if not footage.pieces:
        return {}
    if not exact:
        try:
            return _cut(footage, folder, exact=False)
        except VideoError:
            files = _cut(footage, folder, exact=True)
            name = footage.pieces[0].name
            log.warning("%s: %s cannot be copied into .mp4, so clips were encoded anew (%s)", command, name, option)
            return files
    return _cut(footage, folder, exact=True)


def join_clips(
    clips: Mapping[int, Path], target: Path, *, minutes: float | None, order: Order, fade: float, loudness: float | None
) -> list[int]:
    """Joins clips to one video.

    Args:
        clips: rank → file, in order of time; at least one.
        target: the file that is written.
        minutes: the best clips are taken that are together at most so long, and the best one where none is; None for
            all.
        order: whether they go by time, or begin with the best.
        fade: seconds of black between two clips, half of them a fade.
        loudness: in LUFS, evened from clip to clip; None to leave it.

    Returns:
        The ranks of the clips that were taken, in their order.
    """
    ranks = sorted(clips)
    if minutes is not None:
        ranks = _fitting({rank: probe(clips[rank]).duration for rank in ranks}, 60 * minutes)
    if order == "time":
        ranks = [rank for rank in clips if rank in ranks]
    evened = loudness if probe(clips[ranks[0]]).has_audio else None
    cut.reel([clips[rank] for rank in ranks], target, fade=fade / 2, loudness=evened)
    return ranks


def _cut(footage: Footage, folder: Path, *, exact: bool) -> dict[int, Path]:
    files: dict[int, Path] = {}
    with progress.bar("clips", sum(piece.highlight.span.duration for piece in footage.pieces), "s") as advance:
        for piece in footage.pieces:
            file = files[piece.highlight.rank] = folder / f"{piece.highlight.rank}.mp4"
            cut.clip(piece.video, piece.span, file, exact=exact)
            advance(piece.highlight.span.duration)
    return files


def _fitting(lengths: Mapping[int, float], seconds: float) -> list[int]:
    """The ranks, best first, of clips that fit into so many seconds; the best one where none does.

    Args:
        lengths: rank → seconds, best first.
    """
    ranks: list[int] = []
    for rank, length in lengths.items():
        if length <= seconds:
            ranks.append(rank)
            seconds -= length
    return ranks or [next(iter(lengths))]
