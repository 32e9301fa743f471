"""page: highlights, their clips and the labels of a VOD → its page, and how well highlights and labels agree."""

import hashlib
from dataclasses import dataclass

from lolhl import layout, manifest
from lolhl.config import Config, setting
from lolhl.manifest import Manifest, Output
from lolhl.report.page import render
from lolhl.results import (
    Agreement,
    Clips,
    Highlights,
    Report,
    ReportedHighlight,
    Scoring,
    Shorts,
    Vod,
)
from lolhl.stages.highlights import load_input
from lolhl.stages.known_games import stored_clock
from lolhl.stages.page_content import Known, Videos, content
from lolhl.stages.scores import learnt_from
from lolhl.stages.twitch_clips import stored_twitch_clips
from lolhl.storage import Root


@dataclass(frozen=True, kw_only=True)
class PageConfig(Config):
    """How the page is drawn."""

    intensity_seconds: float = setting(
        30.0, "seconds over which the timeline's intensity is averaged", at_least=0, at_most=3600
    )


def page(
    root: Root,
    spans: Manifest[Highlights],
    cut: Manifest[Clips],
    config: PageConfig = PageConfig(),
    *,
    upright: Manifest[Shorts] | None = None,
    force: bool = False,
) -> Manifest[Report]:
    """Makes highlights/<vod>/report.html.

    Args:
        root: where the data lies.
        spans: the highlights of a VOD.
        cut: their clips.
        upright: their vertical videos, where there are any.
        config: see `PageConfig`.
        force: redo what is done.

    Returns:
        The manifest. Its result holds what the page shows; where the VOD is labelled, how well its highlights
        agree with the labels too.

    Raises:
        LabelError: the VOD's label file is wrong.
        StorageError: its video or its scores are gone or changed.
        VideoError: its video cannot be opened.
        Conflict: the VOD was downloaded or scored anew since its highlights were cut.
    """
    vod = spans.result.vod
    known = _known(root, spans)
    inputs = {**spans.inputs, **known.inputs, layout.highlights(vod): spans.content_digest()}
    inputs[layout.clips(vod)] = cut.content_digest()
    if upright:
        inputs[layout.shorts(vod)] = upright.content_digest()
    todo, earlier = manifest.plan(root, layout.report(vod), Report, config, inputs, force=force, opened=True)
    if earlier:
        return earlier

    videos = Videos.of(cut, upright)
    shown, agreement = content(root, spans, videos, known, config.intensity_seconds)
    result = _result(known.vod.result, spans.result, cut.result, videos, agreement)
    html = render(shown).encode()
    with todo.begin() as begun:
        root.write(result.page, html)
        return begun.finish(result, [Output.from_bytes(result.page, html)])


def _known(root: Root, spans: Manifest[Highlights]) -> Known:
    """What a page shows besides highlights and their videos."""
    vod = spans.result.vod
    stored = load_input(root, spans, layout.vod(vod), Vod)
    scoring = load_input(root, spans, layout.scoring(vod), Scoring)
    labels = root.find(layout.labels(vod))
    return Known(
        vod=stored,
        scoring=scoring,
        learnt=vod in (learnt_from(root, scoring.result.model) or ()),
        clock=stored_clock(root, stored),
        twitch_clips=stored_twitch_clips(root, stored),
        labels=hashlib.sha256(labels[0]).hexdigest() if labels else None,
    )


def _result(stored: Vod, spans: Highlights, cut: Clips, videos: Videos, agreement: Agreement | None) -> Report:
    return Report(
        vod=stored.vod,
        title=stored.title,
        model=spans.model,
        threshold=spans.threshold,
        smooth_seconds=spans.smooth_seconds,
        highest=spans.highest,
        duration=spans.duration,
        highlights=[
            ReportedHighlight(
                rank=highlight.rank,
                start=highlight.span.start,
                stop=highlight.span.stop,
                score=highlight.peak,
                mean=highlight.mean,
                peak=highlight.peak_time,
                clip=videos.clips.get(highlight.rank),
                short=videos.shorts.get(highlight.rank),
                reason=highlight.reason,
            )
            for highlight in spans.highlights
        ],
        reason=spans.reason,
        labelled=agreement,
        page=layout.page(stored.vod),
        reel=cut.reel,
        clips_from=cut.clips_from,
        source_may_come=cut.source_may_come,
    )
