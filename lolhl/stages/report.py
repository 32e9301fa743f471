"""report: the scores of a VOD → its highlights: a table, clips, a reel, vertical videos, exports, a page.

Four stages, one after the other: `highlights` cuts spans, `clips` and `shorts` cut videos and may use the network,
`page` shows them all. Each has a manifest and settings of its own, and does nothing where it is done already.
"""

import shlex
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, TypeVar

from lolhl import layout, manifest
from lolhl.config import Config, settings
from lolhl.errors import Conflict
from lolhl.manifest import Manifest, R
from lolhl.results import Clips, Highlights, Report, Result, Shorts
from lolhl.stages.clips import ClipsConfig, clips
from lolhl.stages.highlights import HighlightsConfig, highlights
from lolhl.stages.page import PageConfig, page
from lolhl.stages.shorts import ShortsConfig, shorts
from lolhl.storage import Root

C = TypeVar("C", bound=Config)


@dataclass(frozen=True, kw_only=True)
class ReportConfig(PageConfig, ShortsConfig, ClipsConfig, HighlightsConfig):
    """How highlights are cut from scores, clips and shorts from videos, and how the page is drawn."""


def report(root: Root, vod: str, config: ReportConfig = ReportConfig(), *, force: bool = False) -> Manifest[Report]:
    """Makes highlights/<vod>/: highlights.tsv, report.html, clips/, reel.mp4, shorts/ and exports/.

    Args:
        root: where the data lies.
        vod: name of a VOD that was scored.
        config: see `ReportConfig`.
        force: redo what is done.

    Returns:
        The page's manifest. Its result holds the highlights, best first, each with its reason; why
        there are none, when there are none; and, where the VOD is labelled, how well they agree.

    Raises:
        MissingInput: the VOD has no scores, or was not downloaded.
        LabelError: its label file is wrong.
        VideoError: clips cannot be cut from its video.
        Conflict: another run with other settings, or of an earlier stage, changed what this one shows.
    """
    spans = highlights(root, vod, _part(HighlightsConfig, config), force=force)
    cut = clips(root, spans, _part(ClipsConfig, config), force=force)
    upright = shorts(root, spans, _part(ShortsConfig, config), force=force)
    shown = page(root, spans, cut, _part(PageConfig, config), upright=upright, force=force)
    _check_unchanged(root, layout.highlights(vod), Highlights, spans)
    _check_unchanged(root, layout.clips(vod), Clips, cut)
    if upright:
        _check_unchanged(root, layout.shorts(vod), Shorts, upright)
    return shown


def report_options(root: Root, vod: str, without: Collection[str]) -> list[str]:
    """The options by which the report of a VOD was made, but for some, so that only what these say is made anew.

    Args:
        root: where it lies.
        vod: the VOD's name.
        without: the names of settings that are left out.
    """
    parts: list[tuple[str, type[Result]]] = [
        (layout.shorts(vod), Shorts),
        (layout.clips(vod), Clips),  # after the shorts, since it says what this report has cut them from
        (layout.highlights(vod), Highlights),
        (layout.report(vod), Report),
    ]
    recorded: dict[str, Any] = {}
    for key, kind in parts:
        if stored := manifest.find(root, key, kind):
            recorded |= stored.config
    kept = {name: value for name, value in recorded.items() if name not in without}
    return shlex.split(ReportConfig.options(kept))


def _check_unchanged(root: Root, key: str, kind: type[R], before: Manifest[R]) -> None:
    """Raises Conflict where another run has put another result in its place. One that is gone may come again."""
    now = manifest.find(root, key, kind)
    if now is not None and now.content_digest() != before.content_digest():
        raise Conflict(f"{root.url}/{key} was made anew by another run in the meantime: run again")


def _part(kind: type[C], config: ReportConfig) -> C:
    """The settings of one of the stages."""
    return kind(**{part.name: getattr(config, part.name) for part in settings(kind)})
