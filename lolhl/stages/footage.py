"""What videos of highlights are cut from: the stored video, or stretches of the source that are fetched from Twitch."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from lolhl.config import Config, setting
from lolhl.errors import TwitchError, VodNotFound
from lolhl.highlights.cut import Highlight
from lolhl.labels.spans import Span
from lolhl.manifest import Manifest
from lolhl.results import Vod
from lolhl.stages.source_clips import has_source, stretches
from lolhl.storage import Root

log = logging.getLogger(__name__)

_ROUNDING = 0.0005  # seconds


@dataclass(frozen=True, kw_only=True)
class FootageConfig(Config):
    """What is cut from."""

    clips_from: Literal["source", "stored"] = setting(
        "source",
        "source: clips and shorts of a Twitch VOD that is stored in a smaller rendition are cut from stretches that "
        "are fetched in source quality; stored: nothing is fetched",
    )


@dataclass(frozen=True)
class Piece:
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
class Footage:
    """What highlights are cut from.

    Attributes:
        pieces: the pieces, in order of time.
        quality: the quality of their videos.
        source_may_come: the source was wanted, could not be had, and another run may get it.
    """

    pieces: list[Piece]
    quality: Literal["source", "stored"]
    source_may_come: bool = False


def find_footage(
    root: Root, vod: Manifest[Vod], highlights: Sequence[Highlight], config: FootageConfig, what: str
) -> Footage:
    """The source for all highlights, or the stored video for all, since a reel cannot mix them. May use the network.

    Args:
        highlights: in any order.
        what: is to be cut, for the warning where the source cannot be had.

    Raises:
        StorageError: the stored video is gone or changed.
    """
    chosen = sorted(highlights, key=lambda highlight: highlight.span)
    if config.clips_from == "stored" or not chosen or not has_source(vod):
        return _stored(root, vod, chosen)
    try:
        pieces = stretches(root, vod, [highlight.span for highlight in chosen])
    except TwitchError as error:
        may_come = not isinstance(error, VodNotFound)
        log.warning("%s", error)
        log.warning(
            "report %s: %s are cut from the stored %s, in %d x %d%s",
            vod.result.vod,
            what,
            "video" if vod.result.rendition is None else vod.result.rendition.name,
            vod.result.width,
            vod.result.height,
            "; the same command tries to get the source again" if may_come else "",
        )
        return replace(_stored(root, vod, chosen), source_may_come=may_come)
    files = {stretch.key: root.local(stretch.key) for stretch in pieces}
    return Footage(
        [
            Piece(highlight, stretch.key, files[stretch.key], stretch.start)
            for highlight, stretch in zip(chosen, pieces, strict=True)
        ],
        "source",
    )


def _stored(root: Root, vod: Manifest[Vod], chosen: Sequence[Highlight]) -> Footage:
    if not chosen:
        return Footage([], "stored")
    video = vod.local(root, vod.result.video, f"lolhl download … --name {vod.result.vod} --force")
    return Footage([Piece(highlight, vod.result.video, video) for highlight in chosen], "stored")
