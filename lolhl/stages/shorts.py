"""shorts: the highlights of a VOD → a vertical video of each, with the camera above the play.

Where the camera lies is kept with the channel, see `lolhl.review.places`, so it is set once. As clips, shorts of a
Twitch VOD are cut from its source.
"""

import hashlib
import logging
import re
import tempfile
from dataclasses import astuple, dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

from lolhl import layout, manifest, progress
from lolhl.config import setting
from lolhl.errors import UsageError
from lolhl.highlights.cut import Highlight
from lolhl.manifest import Manifest, Output
from lolhl.results import Highlights, Short, Shorts, Vod
from lolhl.review.places import camera_key, load_place, set_place
from lolhl.stages.footage import Footage, FootageConfig, find_footage
from lolhl.stages.highlights import load_input
from lolhl.stages.source_clips import best_size
from lolhl.storage import Root
from lolhl.vod import cut, vertical
from lolhl.vod.probe import probe
from lolhl.vod.rectangle import Rectangle, check_rectangle, parse_rectangle

log = logging.getLogger(__name__)

NO_CAMERA = "none"
_SHAPE = Fraction(9, 16)


@dataclass(frozen=True, kw_only=True)
class ShortsConfig(FootageConfig):
    """How vertical videos are made."""

    shorts: bool = setting(False, "make a vertical video of each highlight, with the camera above the play")
    shorts_top: int | None = setting(
        None, "make shorts of so many of the best highlights only (default: of all)", at_least=0
    )
    shorts_height: int = setting(1920, "their height in pixels; the width is 9/16 of it", at_least=320, at_most=3840)
    shorts_play: vertical.Play = setting(
        "auto",
        "crop fills the screen with the middle of the play, whole shows all of it in front of a blurred copy; auto is "
        "crop below a camera, else whole",
    )
    shorts_share: float | None = setting(
        None,
        "share of the height that the camera takes (default: what shows its whole rectangle, from 0.2 to 0.45)",
        at_least=0.1,
        at_most=0.6,
    )
    shorts_title: str | None = setting(
        None,
        "text over each short; {reason}, {rank} and {title} stand for why it was picked, its rank, the stream's title",
    )
    shorts_font: str | None = setting(None, "file of the font for that (default: a bold one that is installed)")
    shorts_loudness: float | None = setting(
        None, "loudness of each short in LUFS (EBU R128; default: as it is)", at_least=-70, at_most=-5
    )
    camera: str | None = setting(
        None,
        "where the camera lies: x,y,w,h as fractions of the picture or in pixels of its best quality, or none; kept "
        "for all VODs of the channel (default: as it was set before)",
        neutral=True,
    )
    channel: str | None = setting(
        None, "whose camera it is (default: the VOD's channel on Twitch; other videos have one of their own)"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.shorts_height % 2:
            raise UsageError(f"--shorts-height {self.shorts_height}: must be even")
        if self.camera is not None and self.camera != NO_CAMERA:
            check_rectangle("--camera", self.camera)
        if self.channel is not None:
            layout.channel_camera(self.channel)
        if self.shorts_font is not None:
            vertical.check_font(self.shorts_font)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of a short, in pixels."""
        return 2 * round(self.shorts_height * _SHAPE / 2), self.shorts_height


def shorts(
    root: Root, spans: Manifest[Highlights], config: ShortsConfig = ShortsConfig(), *, force: bool = False
) -> Manifest[Shorts] | None:
    """Makes highlights/<vod>/shorts/. May use the network.

    Args:
        root: where the data lies.
        spans: the highlights of a VOD.
        config: see `ShortsConfig`. A camera that it names is kept, also where no shorts are asked for.
        force: redo what is done.

    Returns:
        The manifest; None where no shorts are asked for, and those of an earlier run are removed then. Where it says
        that the source may still come, the next run asks Twitch again.

    Raises:
        UsageError: the camera's rectangle lies outside of the picture.
        StorageError: the video is gone or changed, or what is kept of the camera is damaged.
        VideoError: they cannot be cut from the video.
        ToolMissing: ffmpeg draws no text, or there is no font, and titles are asked for.
        Conflict: the VOD was downloaded anew since its highlights were cut.
    """
    vod = spans.result.vod
    stored = load_input(root, spans, layout.vod(vod), Vod)
    channel = config.channel or stored.result.channel
    key = camera_key(vod, channel)
    if config.camera is not None:
        named = config.camera != NO_CAMERA
        set_place(root, key, parse_rectangle(config.camera, *best_size(stored.result)) if named else None)
    if not config.shorts:
        _remove(root, vod)
        return None
    camera = load_place(root, key)[0].seen
    font = _font(config)
    inputs = {
        layout.highlights(vod): spans.content_digest(),
        layout.vod(vod): stored.content_digest(),
        "camera": hashlib.sha256(str(camera).encode()).hexdigest(),
    }
    todo, earlier = manifest.plan(root, layout.shorts(vod), Shorts, config, inputs, force=force, opened=True)
    if earlier and not earlier.result.source_may_come:
        return earlier
    footage = find_footage(root, stored, spans.result.highlights[: config.shorts_top], config, "shorts")
    if earlier and footage.source_may_come:  # these shorts are there
        return earlier
    if camera is None and footage.pieces:
        log.info("report %s: no camera is set for %s, so shorts show the whole picture", vod, channel or "this VOD")
    with tempfile.TemporaryDirectory(prefix="lolhl-") as folder:
        files = _cut(stored.result, footage, camera, font, config, Path(folder))
        names = {rank: f"{_folder(vod)}{rank:02}.mp4" for rank in files}
        result = Shorts(
            vod=vod,
            shorts=[
                Short(rank=piece.highlight.rank, key=names[piece.highlight.rank], video=piece.key)
                for piece in footage.pieces
            ],
            channel=channel,
            camera=astuple(camera) if camera else None,
            shorts_from=footage.quality if footage.pieces else None,
            source_may_come=footage.source_may_come,
        )
        load_input(root, spans, layout.vod(vod), Vod)  # none is cut from a video that took the place of this one
        with todo.begin() as begun:
            _clear(root, vod)
            return begun.finish(result, [Output.upload(root, path, names[rank]) for rank, path in files.items()])


def _font(config: ShortsConfig) -> Path | None:
    """The font of titles. None where there are none."""
    if not config.shorts_title:
        return None
    vertical.check_titles()
    return Path(config.shorts_font).resolve() if config.shorts_font else vertical.usual_font()


def _cut(
    vod: Vod,
    footage: Footage,
    camera: Rectangle | None,
    font: Path | None,
    config: ShortsConfig,
    folder: Path,
) -> dict[int, Path]:
    """Cuts shorts. Returns rank → file."""

    @cache
    def arrangement(video: Path) -> vertical.Arrangement:
        info = probe(video)
        return vertical.arrange(
            (info.width, info.height),
            camera,
            pixel_shape=info.pixel_shape,
            size=config.size,
            share=config.shorts_share,
            play=config.shorts_play,
        )

    files: dict[int, Path] = {}
    with progress.bar("shorts", sum(piece.highlight.span.duration for piece in footage.pieces), "s") as advance:
        for piece in footage.pieces:
            file = files[piece.highlight.rank] = folder / f"{piece.highlight.rank}.mp4"
            text = _text(config.shorts_title or "", vod, piece.highlight)
            title = vertical.title(text, config.size[0], font) if font else None
            vertical.short(piece.video, piece.span, file, arrangement(piece.video), title)
            if config.shorts_loudness is not None and probe(file).has_audio:
                cut.reel([file], file, loudness=config.shorts_loudness)
            advance(piece.highlight.span.duration)
    return files


def _text(template: str, vod: Vod, highlight: Highlight) -> str:
    """The title of a highlight."""
    values = {"reason": highlight.reason, "rank": str(highlight.rank), "title": vod.title or vod.vod}
    return re.sub(r"\{(reason|rank|title)\}", lambda match: values[match[1]], template)


def _folder(vod: str) -> str:
    return f"{layout.highlights_folder(vod)}shorts/"


def _remove(root: Root, vod: str) -> None:
    """Removes what an earlier run made, manifest first."""
    key = layout.shorts(vod)
    if root.stat(key):
        with root.lock(key):
            root.delete(key)
            _clear(root, vod)


def _clear(root: Root, vod: str) -> None:
    for left_over in list(root.list(_folder(vod))):
        root.delete(left_over.key)
