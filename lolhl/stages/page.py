"""page: highlights, their clips and the labels of a VOD → its page, and how well highlights and labels agree."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import PurePosixPath
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from lolhl import layout, manifest
from lolhl.config import Config, setting
from lolhl.evaluate.events import TIOUS, match_spans
from lolhl.evaluate.judge import Prediction, Predictions, judge
from lolhl.highlights.cut import Highlight
from lolhl.highlights.intensity import centred_mean
from lolhl.highlights.outside_games import marked_down
from lolhl.labels.spans import Span
from lolhl.labels.store import VodLabels, has_a_person_s, read_labels
from lolhl.manifest import Manifest, Output
from lolhl.models import unsupervised
from lolhl.report.page import Link, PageCut, PageHighlight, Table, render
from lolhl.report.page import Report as Page
from lolhl.report.pictures import thumbnails
from lolhl.report.tables import (
    agreement_summary,
    agreement_table,
    events_table,
    model_table,
    reliability_table,
    unsupervised_table,
)
from lolhl.results import (
    Agreement,
    Clips,
    Clock,
    Highlights,
    Report,
    ReportedHighlight,
    Scoring,
    Shorts,
    Vod,
)
from lolhl.stages.curves import signal_curves
from lolhl.stages.highlights import load_input, other_cuts
from lolhl.stages.known_games import stored_clock
from lolhl.stages.scores import learnt_from, load_scored
from lolhl.stages.twitch_clips import stored_twitch_clips
from lolhl.storage import Root
from lolhl.vod.viewer_clip import ViewerClip

_PLAYED_BY_BROWSERS = (".mp4", ".m4v", ".mov", ".webm")


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
    stored = load_input(root, spans, layout.vod(vod), Vod)
    scoring = load_input(root, spans, layout.scoring(vod), Scoring)
    datasets = learnt_from(root, scoring.result.model)
    inputs = {
        **spans.inputs,
        **{key: dataset.content_digest() for key, dataset in datasets.items()},
        layout.highlights(vod): spans.content_digest(),
        layout.clips(vod): cut.content_digest(),
    }
    if upright:
        inputs[layout.shorts(vod)] = upright.content_digest()
    clock = stored_clock(root, stored)
    if clock:
        inputs[layout.clock(vod)] = clock.content_digest()
    twitch_clips = stored_twitch_clips(root, stored)
    if twitch_clips:
        inputs[layout.twitch_clips(vod)] = twitch_clips.content_digest()
    if root.stat(layout.labels(vod)):
        inputs[layout.labels(vod)] = hashlib.sha256(root.read(layout.labels(vod))).hexdigest()
    todo, earlier = manifest.plan(root, layout.report(vod), Report, config, inputs, force=force, opened=True)
    if earlier:
        return earlier

    scored = load_scored(root, vod, scoring)
    scores = marked_down(scored.probabilities, scoring.result.fps, spans.result.outside_games)
    labels = read_labels(root, vod, spans.result.duration)[0] if layout.labels(vod) in inputs else None
    learnt = any(vod in dataset.result.vods for dataset in datasets.values())
    agreement = None if labels is None else _agreement(vod, labels, spans.result, scores, scoring.result.fps, learnt)
    videos = _Videos.of(cut.result, upright.result if upright else None)
    pictures = _pictures(root, stored, scoring.result.fps, spans.result.highlights)
    content = _content(stored.result, scoring.result, spans.result, scores, config)
    content = replace(
        content,
        signals=signal_curves(root, stored, scoring.result, scored),
        cuts=[
            PageCut(cut, _matches(labels.spans if labels else [], cut.highlights))
            for cut in other_cuts(spans, scoring.result, content.smoothed, f"{root.url}/{layout.highlights(vod)}")
        ],
        highlights=_shown(vod, spans.result.highlights, pictures, labels.spans if labels else None, videos),
        labels=labels.spans if labels else None,
        looked_at=labels.looked_at if labels else None,
        games=_games(clock.result) if clock else (),
        viewer_clips=_within(twitch_clips.result.clips, stored.result) if twitch_clips else (),
        agreement=agreement_summary(agreement) if agreement else None,
        tables=[
            *([agreement_table(agreement)] if agreement else []),
            *_model_tables(scoring.result),
            *([unsupervised_table()] if scoring.result.model == unsupervised.NAME else []),
            *([events_table()] if scoring.result.model == unsupervised.EVENTS else []),
        ],
        files=_files(vod, spans, cut),
    )
    result = _result(vod, stored.result, spans.result, cut.result, videos, agreement)
    html = render(content).encode()
    with todo.begin() as begun:
        root.write(result.page, html)
        return begun.finish(result, [Output.from_bytes(result.page, html)])


@dataclass(frozen=True)
class _Videos:
    """The keys of clips and of vertical videos, by the ranks of their highlights."""

    clips: dict[int, str]
    shorts: dict[int, str]

    @classmethod
    def of(cls, cut: Clips, upright: Shorts | None) -> "_Videos":
        shorts = {short.rank: short.key for short in upright.shorts} if upright else {}
        return cls({clip.rank: clip.key for clip in cut.clips}, shorts)


def _games(clock: Clock) -> list[Span]:
    """The games, each named by what its clock shows at its end."""
    return [
        Span(game.start, game.stop, f"game {number}, to {round(game.clock) // 60}:{round(game.clock) % 60:02}")
        for number, game in enumerate(clock.games, start=1)
        if game.start < game.stop
    ]


def _within(clips: Sequence[ViewerClip], vod: Vod) -> list[ViewerClip]:
    """The clips that lie in the stored video, in its seconds."""
    shifted = [
        replace(
            clip,
            start=round(max(0.0, clip.start - vod.offset), 3),
            stop=round(min(vod.duration, clip.stop - vod.offset), 3),
        )
        for clip in clips
        if clip.stop > vod.offset and clip.start - vod.offset < vod.duration
    ]
    return [clip for clip in shifted if clip.start < clip.stop]


def _model_tables(scoring: Scoring) -> Iterator[Table]:
    figures = scoring.model_metrics
    if figures:
        yield model_table(scoring.model, figures)
        if figures.reliability:
            yield reliability_table(figures.reliability)


def _agreement(
    vod: str, labels: VodLabels, cut: Highlights, scores: npt.NDArray[np.float32], fps: Fraction, learnt: bool
) -> Agreement:
    """How well the highlights agree with the labels, where somebody has looked.

    Args:
        learnt: the model was trained on this VOD.
    """
    spans = [highlight.span for highlight in cut.highlights]
    smoothed = centred_mean(scores, fps, cut.smooth_seconds)
    prediction = Prediction(vod=vod, fps=fps, scores=smoothed, spans=spans, labels=labels.spans)
    judgement = judge(Predictions(cut.threshold, [prediction]).looked_at({vod: labels.looked_at}))
    return Agreement(
        events=judgement.events,
        frames=judgement.frames,
        model_learnt_from_this=learnt,
        labels_of_games=not has_a_person_s(labels.spans),
    )


def _pictures(root: Root, vod: Manifest[Vod], fps: Fraction, spans: Sequence[Highlight]) -> list[bytes | None]:
    """What is on screen at the peak of each highlight."""
    if not spans:
        return []
    video = vod.local(root, vod.result.video, f"lolhl download … --name {vod.result.vod} --force")
    return thumbnails(video, fps, [round(highlight.peak_time * fps) for highlight in spans])


def _shown(
    vod: str,
    spans: Sequence[Highlight],
    pictures: Sequence[bytes | None],
    labels: Sequence[Span] | None,
    videos: "_Videos",
) -> list[PageHighlight]:
    """The highlights with their pictures, their videos, and the labels that they match."""
    clips, shorts = ({rank: _address(vod, key) for rank, key in keys.items()} for keys in (videos.clips, videos.shorts))
    matches = _matches(labels or [], spans)
    return [
        PageHighlight(highlight, picture, clips.get(highlight.rank), label, short=shorts.get(highlight.rank))
        for highlight, picture, label in zip(spans, pictures, matches, strict=True)
    ]


def _matches(labels: Sequence[Span], highlights: Sequence[Highlight]) -> list[int | None]:
    """For each highlight the place, among the labels, of the one that it matches; None where it matches none."""
    pairs = match_spans(labels, [highlight.span for highlight in highlights], TIOUS[0])
    matches = {place: label for label, place in pairs}
    return [matches.get(place) for place in range(len(highlights))]


def _files(vod: str, spans: Manifest[Highlights], cut: Manifest[Clips]) -> list[Link]:
    """The files beside the page, but for the clips, which stand with their highlights."""
    clip_keys = {clip.key for clip in cut.result.clips}
    keys = [output.key for output in (*spans.outputs, *cut.outputs) if output.key not in clip_keys]
    return [Link(PurePosixPath(key).name, _address(vod, key)) for key in keys]


def _address(vod: str, key: str) -> str:
    """Relative to the page."""
    return quote(key.removeprefix(layout.highlights_folder(vod)))


def _content(
    stored: Vod, scoring: Scoring, cut: Highlights, scores: npt.NDArray[np.float32], config: PageConfig
) -> Page:
    """The page of the stream itself: its names, its curves, and the rule that spans were cut by."""
    video = PurePosixPath(stored.video)
    return Page(
        vod=stored.vod,
        title=stored.title or stored.vod,
        model=cut.model,
        twitch_id=stored.twitch_id,
        offset=stored.offset,
        duration=cut.duration,
        video=quote(f"../../{video}") if video.suffix in _PLAYED_BY_BROWSERS else None,
        picture_rate=stored.fps,
        fps=scoring.fps,
        smoothed=centred_mean(scores, scoring.fps, cut.smooth_seconds),
        smooth_seconds=cut.smooth_seconds,
        intensity=centred_mean(scores, scoring.fps, config.intensity_seconds),
        intensity_seconds=config.intensity_seconds,
        threshold=cut.threshold,
        low=cut.low,
        reason=cut.reason,
        chapters=stored.chapters,
        settings=f"How much: {cut.amount}. {cut.rule}",
    )


def _result(
    vod: str, stored: Vod, spans: Highlights, cut: Clips, videos: "_Videos", agreement: Agreement | None
) -> Report:
    return Report(
        vod=vod,
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
        page=layout.page(vod),
        reel=cut.reel,
        clips_from=cut.clips_from,
        source_may_come=cut.source_may_come,
    )
