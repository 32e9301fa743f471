"""What the page of a VOD shows: from manifests and scores to `lolhl.report.page.Report`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import PurePosixPath
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from lolhl import layout
from lolhl.evaluate.events import TIOUS, match_spans
from lolhl.evaluate.judge import Prediction, Predictions, judge
from lolhl.highlights.cut import Highlight
from lolhl.highlights.intensity import centred_mean
from lolhl.highlights.outside_games import marked_down
from lolhl.labels.spans import Span
from lolhl.labels.store import VodLabels, has_a_person_s, read_labels
from lolhl.manifest import Manifest
from lolhl.models import unsupervised
from lolhl.report.page import Link, PageCut, PageHighlight, Report, Table
from lolhl.report.pictures import thumbnails
from lolhl.report.tables import (
    agreement_summary,
    agreement_table,
    events_table,
    model_table,
    reliability_table,
    unsupervised_table,
)
from lolhl.results import Agreement, Clips, Clock, Highlights, Scoring, Shorts, TwitchClips, Vod
from lolhl.stages.curves import signal_curves
from lolhl.stages.highlights import other_cuts
from lolhl.stages.scores import load_scored
from lolhl.storage import Root
from lolhl.vod.viewer_clip import ViewerClip

_PLAYED_BY_BROWSERS = (".mp4", ".m4v", ".mov", ".webm")


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of a VOD besides its highlights and their videos.

    Attributes:
        vod, scoring: what its highlights were cut from.
        learnt: whether the model is known to have learnt from this VOD.
        clock, twitch_clips: None where they are not stored.
        labels: the digest of its label file; None where it has none.
    """

    vod: Manifest[Vod]
    scoring: Manifest[Scoring]
    learnt: bool
    clock: Manifest[Clock] | None
    twitch_clips: Manifest[TwitchClips] | None
    labels: str | None

    @property
    def inputs(self) -> dict[str, str]:
        """Key → digest of all that the page is made of, but for what its highlights were made of too."""
        vod = self.vod.result.vod
        inputs = {"learnt from": "yes"} if self.learnt else {}
        if self.clock:
            inputs[layout.clock(vod)] = self.clock.content_digest()
        if self.twitch_clips:
            inputs[layout.twitch_clips(vod)] = self.twitch_clips.content_digest()
        if self.labels:
            inputs[layout.labels(vod)] = self.labels
        return inputs


@dataclass(frozen=True)
class Videos:
    """What was cut for highlights.

    Attributes:
        clips, shorts: the keys of clips and of vertical videos, by the ranks of their highlights.
        others: the keys of what was made beside the clips.
    """

    clips: Mapping[int, str]
    shorts: Mapping[int, str]
    others: Sequence[str]

    @classmethod
    def of(cls, cut: Manifest[Clips], upright: Manifest[Shorts] | None) -> "Videos":
        clips = {clip.rank: clip.key for clip in cut.result.clips}
        shorts = {short.rank: short.key for short in upright.result.shorts} if upright else {}
        return cls(clips, shorts, [output.key for output in cut.outputs if output.key not in clips.values()])


def content(
    root: Root, spans: Manifest[Highlights], videos: Videos, known: Known, intensity_seconds: float
) -> tuple[Report, Agreement | None]:
    """What the page shows, and how well the highlights agree with the labels where there are such.

    Args:
        root: where all of it lies.
        spans: the highlights.
        videos: that were cut for them.
        known: what is known besides.
        intensity_seconds: over which the intensity is averaged.

    Raises:
        LabelError: the VOD's label file is wrong.
        StorageError: its video or its scores are gone or changed.
        VideoError: its video cannot be opened.
    """
    vod, scoring = spans.result.vod, known.scoring.result
    scored = load_scored(root, vod, known.scoring)
    scores = marked_down(scored.probabilities, scoring.fps, spans.result.outside_games)
    labels = read_labels(root, vod, spans.result.duration)[0] if known.labels else None
    agreement = None if labels is None else _agreement(vod, labels, spans.result, scores, scoring.fps, known.learnt)
    pictures = _pictures(root, known.vod, scoring.fps, spans.result.highlights)
    plain = _plain(known.vod.result, scoring, spans.result, scores, intensity_seconds)
    place = f"{root.url}/{layout.highlights(vod)}"
    return replace(
        plain,
        signals=signal_curves(root, known.vod, scoring, scored),
        highlights=_shown(vod, spans.result.highlights, pictures, labels.spans if labels else (), videos),
        cuts=[
            PageCut(other, _matches(labels.spans if labels else (), other.highlights))
            for other in other_cuts(spans, scoring, plain.smoothed, place)
        ],
        labels=labels.spans if labels else None,
        looked_at=labels.looked_at if labels else None,
        games=_games(known.clock.result) if known.clock else (),
        viewer_clips=_within(known.twitch_clips.result.clips, known.vod.result) if known.twitch_clips else (),
        agreement=agreement_summary(agreement) if agreement else None,
        tables=[*_tables(scoring, agreement)],
        files=[
            Link(PurePosixPath(key).name, _address(vod, key))
            for key in (*(output.key for output in spans.outputs), *videos.others)
        ],
    ), agreement


def _plain(
    stored: Vod, scoring: Scoring, cut: Highlights, scores: npt.NDArray[np.float32], intensity_seconds: float
) -> Report:
    """The page of the stream itself: its names, its curves, and the rule that spans were cut by."""
    video = PurePosixPath(stored.video)
    return Report(
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
        intensity=centred_mean(scores, scoring.fps, intensity_seconds),
        intensity_seconds=intensity_seconds,
        threshold=cut.threshold,
        low=cut.low,
        reason=cut.reason,
        chapters=stored.chapters,
        settings=f"How much: {cut.amount}. {cut.rule}",
    )


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
    labels: Sequence[Span],
    videos: Videos,
) -> list[PageHighlight]:
    """The highlights with their pictures, their videos, and the labels that they match."""
    clips, shorts = ({rank: _address(vod, key) for rank, key in keys.items()} for keys in (videos.clips, videos.shorts))
    matches = _matches(labels, spans)
    return [
        PageHighlight(highlight, picture, clips.get(highlight.rank), label, short=shorts.get(highlight.rank))
        for highlight, picture, label in zip(spans, pictures, matches, strict=True)
    ]


def _matches(labels: Sequence[Span], highlights: Sequence[Highlight]) -> list[int | None]:
    """For each highlight the place, among the labels, of the one that it matches; None where it matches none."""
    pairs = match_spans(labels, [highlight.span for highlight in highlights], TIOUS[0])
    matches = {place: label for label, place in pairs}
    return [matches.get(place) for place in range(len(highlights))]


def _tables(scoring: Scoring, agreement: Agreement | None) -> Iterator[Table]:
    """The figures at the end of the page."""
    if agreement:
        yield agreement_table(agreement)
    if figures := scoring.model_metrics:
        yield model_table(scoring.model, figures)
        if figures.reliability:
            yield reliability_table(figures.reliability)
    if scoring.model == unsupervised.NAME:
        yield unsupervised_table(scoring.explained_by)
    if scoring.model == unsupervised.EVENTS:
        yield events_table()


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


def _address(vod: str, key: str) -> str:
    """Relative to the page."""
    return quote(key.removeprefix(layout.highlights_folder(vod)))
