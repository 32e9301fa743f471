"""clips: the highlights of a VOD → a video of each, a reel of all, and edit lists that name what they were cut from.

Of a Twitch VOD that is stored in a small rendition, the stretches around its highlights are fetched in source
quality. Where Twitch fails, clips are cut from the stored video, and the next run tries again.
"""

import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Literal

from lolhl import grid, manifest, progress
from lolhl.config import Config, setting
from lolhl.errors import TwitchError, VideoError, VodNotFound
from lolhl.highlights import export
from lolhl.highlights.cut import Highlight
from lolhl.labels.spans import Span
from lolhl.manifest import Manifest, Output
from lolhl.results import Clip, Clips, Highlights, Vod
from lolhl.stages import highlights
from lolhl.stages.source_clips import has_source, stretches
from lolhl.storage import Root, check_name
from lolhl.vod import cut

log = logging.getLogger(__name__)

_ROUNDING = 0.0005  # seconds
_REEL, _EDIT_LIST, _STORED_EDIT_LIST = "reel.mp4", "exports/highlights.edl", "exports/highlights-stored.edl"


@dataclass(frozen=True, kw_only=True)
class ClipsConfig(Config):
    """How clips are cut."""

    clips: Literal["copy", "exact", "none"] = setting(
        "copy",
        "how to cut clips: copy is fast and starts at the key frame before, exact encodes anew, as copy does where "
        "the video's codec fits into no .mp4",
    )
    clips_from: Literal["source", "stored"] = setting(
        "source",
        "source: clips of a Twitch VOD that is stored in a smaller rendition are cut from stretches that are fetched "
        "in source quality; stored: nothing is fetched",
    )
    clips_top: int | None = setting(
        None, "cut clips of so many of the best highlights only (default: of all)", at_least=0
    )
    reel: bool = setting(True, "join the clips, in order of time, to one video")


def manifest_key(vod: str) -> str:
    """Where the manifest of a VOD's clips lies. Raises UsageError for what cannot be a VOD's name."""
    return f"highlights/{check_name(vod, 'VOD')}/clips.json"


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
    stored = highlights.load_input(root, spans, f"vods/{vod}/vod.json", Vod)
    inputs = {highlights.manifest_key(vod): spans.content_digest(), f"vods/{vod}/vod.json": stored.content_digest()}
    todo, earlier = manifest.plan(root, manifest_key(vod), Clips, config, inputs, force=force)
    if earlier and not earlier.result.source_may_come:
        return earlier

    chosen = [] if config.clips == "none" else spans.result.highlights[: config.clips_top]
    media = _media(root, stored, sorted(chosen, key=lambda highlight: highlight.span), config)
    if earlier and media.source_may_come:  # these clips are there
        return earlier
    with tempfile.TemporaryDirectory(prefix="lolhl-") as folder:
        files = _cut(vod, media, config, Path(folder))
        lists = _edit_lists(stored.result, spans.result, media)
        names = {name: f"highlights/{vod}/{name}" for name in (*files, *lists)}
        result = Clips(
            vod=vod,
            clips=[
                Clip(rank=piece.highlight.rank, key=names[_clip_name(piece.highlight)], video=piece.key)
                for piece in media.pieces
            ],
            reel=names.get(_REEL),
            clips_from=media.quality if media.pieces else None,
            source_may_come=media.source_may_come,
        )
        with todo.begin() as begun:
            _clear(root, vod)
            outputs = [Output.upload(root, path, names[name]) for name, path in files.items()]
            for name, text in lists.items():
                root.write(names[name], text)
                outputs.append(Output.from_bytes(names[name], text))
            return begun.finish(result, outputs)


@dataclass(frozen=True)
class _Piece:
    """A highlight, and the video that it is cut from, whose time 0 is second `begin` of the stored video."""

    highlight: Highlight
    key: str
    video: Path
    begin: float = 0.0

    @property
    def name(self) -> str:
        """The video's name, as an editor shows it."""
        return PurePosixPath(self.key).name

    @property
    def span(self) -> Span:
        """The highlight in seconds of this video. Times from Twitch are exact only to the microsecond."""
        slack = _ROUNDING if self.begin else 0.0
        span = self.highlight.span
        start, stop = (max(0.0, seconds - self.begin - slack) for seconds in (span.start, span.stop))
        return Span(start, stop, span.name, span.score)


@dataclass(frozen=True)
class _Media:
    """What clips are cut from.

    Attributes:
        pieces: the pieces, in order of time.
        quality: the quality of their videos.
        fps: pictures per second of their videos.
        source_may_come: the source was wanted, could not be had, and another run may get it.
    """

    pieces: list[_Piece]
    quality: Literal["source", "stored"]
    fps: Fraction
    source_may_come: bool = False


def _media(root: Root, vod: Manifest[Vod], chosen: Sequence[Highlight], config: ClipsConfig) -> _Media:
    """The source for all chosen highlights, or the stored video for all, since a reel cannot mix them."""
    if config.clips_from == "stored" or not chosen or not has_source(vod):
        return _stored(root, vod, chosen)
    try:
        pieces = stretches(root, vod, [highlight.span for highlight in chosen])
    except TwitchError as error:
        may_come = not isinstance(error, VodNotFound)
        log.warning("%s", error)
        log.warning(
            "report %s: clips are cut from the stored %s, in %d x %d%s",
            vod.result.vod,
            "video" if vod.result.rendition is None else vod.result.rendition.name,
            vod.result.width,
            vod.result.height,
            "; the same command tries to get the source again" if may_come else "",
        )
        return replace(_stored(root, vod, chosen), source_may_come=may_come)
    files = {stretch.key: root.local(stretch.key) for stretch in pieces}
    return _Media(
        [
            _Piece(highlight, stretch.key, files[stretch.key], stretch.start)
            for highlight, stretch in zip(chosen, pieces, strict=True)
        ],
        "source",
        pieces[0].fps,
    )


def _stored(root: Root, vod: Manifest[Vod], chosen: Sequence[Highlight]) -> _Media:
    if not chosen:
        return _Media([], "stored", vod.result.fps)
    video = vod.local(root, vod.result.video, f"lolhl download … --name {vod.result.vod} --force")
    return _Media([_Piece(highlight, vod.result.video, video) for highlight in chosen], "stored", vod.result.fps)


def _cut(vod: str, media: _Media, config: ClipsConfig, folder: Path) -> dict[str, Path]:
    """Cuts clips and reel. Returns name → file.

    Where one clip cannot be a copy, all are encoded anew, since a reel cannot mix them.
    """
    if not media.pieces:
        return {}
    if config.clips == "exact":
        files = _cut_clips(media, folder, exact=True)
    else:
        try:
            files = _cut_clips(media, folder, exact=False)
        except VideoError:
            files = _cut_clips(media, folder, exact=True)
            log.warning(
                "report %s: %s cannot be copied into .mp4, so clips were encoded anew (--clips exact)",
                vod,
                media.pieces[0].name,
            )
    if config.reel:
        cut.reel(list(files.values()), folder / _REEL)
        files[_REEL] = folder / _REEL
    return files


def _cut_clips(media: _Media, folder: Path, *, exact: bool) -> dict[str, Path]:
    files: dict[str, Path] = {}
    with progress.bar("clips", sum(piece.highlight.span.duration for piece in media.pieces), "s") as advance:
        for piece in media.pieces:
            name = _clip_name(piece.highlight)
            files[name] = folder / PurePosixPath(name).name
            cut.clip(piece.video, piece.span, files[name], exact=exact)
            advance(piece.highlight.span.duration)
    return files


def _clip_name(highlight: Highlight) -> str:
    hours, minutes, seconds = grid.format_time(int(highlight.span.start)).split(":")
    return f"clips/highlight-{highlight.rank:03}_{hours}h{minutes}m{seconds}s.mp4"


def _edit_lists(stored: Vod, spans: Highlights, media: _Media) -> Mapping[str, bytes]:
    """Edit lists for video editors: name → bytes. A list of the source has a list of the stored video beside it."""
    name = PurePosixPath(stored.video).name
    of_stored = [_event(name, span) for span in sorted(highlight.span for highlight in spans.highlights)]
    lists = {_EDIT_LIST: (of_stored, stored.fps)}
    if media.quality == "source":
        of_source = [_event(piece.name, piece.span) for piece in media.pieces]
        lists = {_EDIT_LIST: (of_source, media.fps), _STORED_EDIT_LIST: lists[_EDIT_LIST]}
    return {
        file: export.edl(events, fps, stored.title or spans.vod).encode()
        for file, (events, fps) in lists.items()
        if events and 1 <= round(fps) <= 100  # a timecode counts whole pictures a second, with two digits
    }


def _event(name: str, span: Span) -> export.Event:
    return export.Event(name, span.start, span.stop, span.name)


def _clear(root: Root, vod: str) -> None:
    """Removes what an earlier run left. With other settings there may be fewer clips."""
    for left_over in list(root.list(f"highlights/{vod}/clips/")):
        root.delete(left_over.key)
    for name in (_REEL, _EDIT_LIST, _STORED_EDIT_LIST):
        root.delete(f"highlights/{vod}/{name}")
