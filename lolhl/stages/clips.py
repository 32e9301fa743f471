"""clips: the highlights of a VOD → a video of each, a reel of all, and edit lists that name what they were cut from.

Of a Twitch VOD that is stored in a small rendition, the stretches around its highlights are fetched in source
quality. Where Twitch fails, clips are cut from the stored video, and the next run tries again.
"""

import logging
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from lolhl import grid, layout, manifest
from lolhl.config import setting
from lolhl.errors import ExportError
from lolhl.exports import edl
from lolhl.exports.cut_list import Cut, CutList
from lolhl.exports.media import describe
from lolhl.highlights.cut import Highlight
from lolhl.manifest import Manifest, Output
from lolhl.results import Clip, Clips, Highlights, Vod
from lolhl.stages.footage import Footage, FootageConfig, Piece, find_footage
from lolhl.stages.highlights import load_input
from lolhl.stages.joined_clips import Order, cut_clips, join_clips
from lolhl.storage import Root

log = logging.getLogger(__name__)

_REEL, _EDIT_LIST, _STORED_EDIT_LIST = "reel.mp4", "exports/highlights.edl", "exports/highlights-stored.edl"


@dataclass(frozen=True, kw_only=True)
class ClipsConfig(FootageConfig):
    """How clips are cut."""

    clips: Literal["copy", "exact", "none"] = setting(
        "copy",
        "how to cut clips: copy is fast and starts at the key frame before, exact encodes anew, as copy does where "
        "the video's codec fits into no .mp4",
    )
    clips_top: int | None = setting(
        None, "cut clips of so many of the best highlights only (default: of all)", at_least=0
    )
    reel: bool = setting(True, "join the clips to one video")
    reel_minutes: float | None = setting(
        None, "the reel holds the best clips that are together at most so long (default: all clips)", above=0
    )
    reel_order: Order = setting("time", "whether the reel goes by time, or begins with the best")
    reel_fade: float = setting(
        0.0, "seconds of black between the reel's clips, half of them a fade; encodes it anew", at_least=0, at_most=10
    )
    reel_loudness: float | None = setting(
        None,
        "loudness of the reel in LUFS, evened from clip to clip (EBU R128); YouTube plays -14 (default: as it is)",
        at_least=-70,
        at_most=-5,
    )


def clips(
    root: Root, spans: Manifest[Highlights], config: ClipsConfig = ClipsConfig(), *, force: bool = False
) -> Manifest[Clips]:
    """Makes highlights/<vod>/clips/, reel.mp4 and the edit lists in exports/. May use the network.

    Args:
        root: where the data lies.
        spans: the highlights of a VOD.
        config: see `ClipsConfig`.
        force: redo what is done.

    Returns:
        The manifest. Where it says that the source may still come, the next run asks Twitch again.

    Raises:
        StorageError: the video is gone or changed.
        VideoError: clips cannot be cut from the video.
        Conflict: the VOD was downloaded anew since its highlights were cut.
    """
    vod = spans.result.vod
    stored = load_input(root, spans, layout.vod(vod), Vod)
    inputs = {layout.highlights(vod): spans.content_digest(), layout.vod(vod): stored.content_digest()}
    todo, earlier = manifest.plan(root, layout.clips(vod), Clips, config, inputs, force=force, opened=True)
    if earlier and not earlier.result.source_may_come:
        return earlier

    chosen = [] if config.clips == "none" else spans.result.highlights[: config.clips_top]
    media = find_footage(root, stored, chosen, config, "clips")
    if earlier and media.source_may_come:  # these clips are there
        return earlier
    with tempfile.TemporaryDirectory(prefix="lolhl-") as folder:
        by_rank = cut_clips(media, Path(folder), f"report {vod}", "--clips exact", exact=config.clips == "exact")
        files = {_clip_name(piece.highlight): by_rank[piece.highlight.rank] for piece in media.pieces}
        reel_ranks: list[int] = []
        if config.reel and by_rank:
            files[_REEL] = Path(folder) / _REEL
            reel_ranks = join_clips(
                by_rank,
                files[_REEL],
                minutes=config.reel_minutes,
                order=config.reel_order,
                fade=config.reel_fade,
                loudness=config.reel_loudness,
            )
        lists = _edit_lists(root, stored, spans.result, media)
        names = {name: layout.highlights_folder(vod) + name for name in (*files, *lists)}
        result = Clips(
            vod=vod,
            clips=[
                Clip(rank=piece.highlight.rank, key=names[_clip_name(piece.highlight)], video=piece.key)
                for piece in media.pieces
            ],
            reel=names.get(_REEL),
            reel_ranks=reel_ranks,
            clips_from=media.quality if media.pieces else None,
            source_may_come=media.source_may_come,
        )
        load_input(root, spans, layout.vod(vod), Vod)  # no clip is cut from a video that took the place of this one
        with todo.begin() as begun:
            _clear(root, vod)
            outputs = [Output.upload(root, path, names[name]) for name, path in files.items()]
            for name, text in lists.items():
                root.write(names[name], text)
                outputs.append(Output.from_bytes(names[name], text))
            return begun.finish(result, outputs)


def _clip_name(highlight: Highlight) -> str:
    hours, minutes, seconds = grid.format_time(int(highlight.span.start)).split(":")
    return f"clips/highlight-{highlight.rank:03}_{hours}h{minutes}m{seconds}s.mp4"


def _edit_lists(root: Root, stored: Manifest[Vod], spans: Highlights, media: Footage) -> dict[str, bytes]:
    """Edit lists for video editors: name → bytes. A list of the source has a list of the stored video beside it."""
    if not spans.highlights or not stored.result.fps:
        return {}
    video = stored.local(root, stored.result.video, f"lolhl download … --name {spans.vod} --force")
    whole = [Piece(highlight, stored.result.video, video) for highlight in spans.highlights]
    lists = {_EDIT_LIST: whole}
    if media.quality == "source":
        lists = {_EDIT_LIST: media.pieces, _STORED_EDIT_LIST: whole}
    texts = {}
    for file, pieces in lists.items():
        with suppress(ExportError):  # timecode cannot count so many pictures a second
            texts[file] = edl.write(_cut_list(stored.result, spans, pieces))
    return texts


def _cut_list(stored: Vod, spans: Highlights, pieces: Sequence[Piece]) -> CutList:
    videos = {piece.key: piece for piece in pieces}
    media = {key: describe(piece.video, piece.name, piece.name, spans.duration) for key, piece in videos.items()}
    cuts = [
        Cut(piece.highlight.span, piece.highlight.rank, piece.highlight.reason, media[piece.key], piece.begin)
        for piece in pieces
    ]
    return CutList(
        vod=spans.vod,
        title=stored.title or spans.vod,
        duration=spans.duration,
        video=PurePosixPath(stored.video).name,
        rate=None,
        cuts=tuple(sorted(cuts, key=lambda cut: cut.span)),
    )


def _clear(root: Root, vod: str) -> None:
    """Removes what an earlier run left. With other settings there may be fewer clips."""
    for left_over in list(root.list(f"{layout.highlights_folder(vod)}clips/")):
        root.delete(left_over.key)
    for name in (_REEL, _EDIT_LIST, _STORED_EDIT_LIST):
        root.delete(layout.highlights_folder(vod) + name)
