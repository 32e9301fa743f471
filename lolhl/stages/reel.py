"""reel: the highlights of a VOD as they were corrected on the review page → one video of them.

`report` makes a reel of what the model found. This one follows the editor: without what he rejected, with the borders
that he moved, and with what he added.
"""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lolhl import layout, manifest
from lolhl.config import setting
from lolhl.highlights.cut import Highlight
from lolhl.manifest import Manifest, Output
from lolhl.results import Highlights, Reel, Vod
from lolhl.review.corrected import corrected
from lolhl.review.corrections import load_corrections
from lolhl.stages.export import none_left
from lolhl.stages.footage import FootageConfig, find_footage
from lolhl.stages.highlights import load_input
from lolhl.stages.joined_clips import Order, cut_clips, join_clips
from lolhl.storage import Root


@dataclass(frozen=True, kw_only=True)
class ReelConfig(FootageConfig):
    """What the reel holds, and in which order."""

    minutes: float | None = setting(
        None, "the best highlights that are together at most so long (default: all)", above=0
    )
    order: Order = setting("time", "whether it goes by time, or begins with the best")
    fade: float = setting(
        0.0, "seconds of black between highlights, half of them a fade; encodes them anew", at_least=0, at_most=10
    )
    loudness: float | None = setting(
        None,
        "loudness in LUFS, evened from highlight to highlight (EBU R128); YouTube plays -14 (default: as it is)",
        at_least=-70,
        at_most=-5,
    )
    cut: Literal["exact", "copy"] = setting(
        "exact",
        "exact encodes anew, and begins and ends where you say; copy is fast, and begins at the key frame before",
    )


def reel(root: Root, vod: str, config: ReelConfig = ReelConfig(), *, force: bool = False) -> Manifest[Reel]:
    """Makes highlights/<vod>/corrected/reel.mp4. May use the network.

    Args:
        root: where the data lies.
        vod: name of a VOD that was reported.
        config: see `ReelConfig`.
        force: redo what is done.

    Returns:
        The manifest. Where it says that the source may still come, the next run asks Twitch again.

    Raises:
        MissingInput: the VOD has no highlights yet, or those are older than its scores.
        ExportError: there is no highlight, or all were rejected.
        StorageError: the video is gone or changed, or what is kept of the corrections is damaged.
        VideoError: the reel cannot be cut from the video.
        Conflict: the VOD was downloaded anew since its highlights were cut.
    """
    spans = manifest.load(root, layout.highlights(vod), Highlights, fresh=True)
    stored = load_input(root, spans, layout.vod(vod), Vod)
    kept = corrected(spans.result.highlights, load_corrections(root, vod)[0], spans.result.duration)
    if not kept:
        raise none_left(vod, spans.result)
    inputs = {
        layout.highlights(vod): spans.content_digest(),
        layout.vod(vod): stored.content_digest(),
        "corrected highlights": _digest(kept),
    }
    todo, earlier = manifest.plan(root, layout.reel(vod), Reel, config, inputs, force=force, opened=True)
    if earlier and not earlier.result.source_may_come:
        return earlier
    footage = find_footage(root, stored, kept, config, "the clips of its reel")
    if earlier and footage.source_may_come:  # this reel is there
        return earlier
    with tempfile.TemporaryDirectory(prefix="lolhl-") as folder:
        clips = cut_clips(footage, Path(folder), f"reel {vod}", "--cut exact", exact=config.cut == "exact")
        file = Path(folder) / "reel.mp4"
        ranks = join_clips(
            clips, file, minutes=config.minutes, order=config.order, fade=config.fade, loudness=config.loudness
        )
        shown = {highlight.rank: highlight.span for highlight in kept}
        result = Reel(
            vod=vod,
            reel=layout.reel_video(vod),
            spans=[(shown[rank].start, shown[rank].stop) for rank in ranks],
            corrected=kept != spans.result.highlights,
            reel_from=footage.quality,
            source_may_come=footage.source_may_come,
        )
        load_input(root, spans, layout.vod(vod), Vod)  # none is cut from a video that took the place of this one
        with todo.begin() as begun:
            return begun.finish(result, [Output.upload(root, file, result.reel)])


def _digest(highlights: Sequence[Highlight]) -> str:
    """The digest of where these lie, and of their ranks."""
    places = [(highlight.rank, highlight.span.start, highlight.span.stop) for highlight in highlights]
    return hashlib.sha256(repr(places).encode()).hexdigest()
