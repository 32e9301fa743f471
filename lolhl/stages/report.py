"""report: the scores of a VOD → its highlights: a table, a page, clips, a reel, exports.

Spans are cut from scores smoothed over some seconds; the intensity over a longer window is drawn
beside them, for looking only.
"""

import hashlib
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Literal
from urllib.parse import quote

import numpy as np
import numpy.typing as npt

from lolhl import grid, manifest, progress
from lolhl.config import Config, option
from lolhl.errors import TwitchError, UsageError, VideoError, VodNotFound
from lolhl.evaluate.figures import FrameFigures
from lolhl.evaluate.judge import Prediction, Predictions, judge
from lolhl.highlights import export
from lolhl.highlights.cut import Highlight, Limits, find, reason_for_none
from lolhl.highlights.intensity import centred_mean
from lolhl.labels.spans import Span
from lolhl.labels.store import labels_key, load_labels
from lolhl.labels.tables import write_table
from lolhl.manifest import Manifest, Output
from lolhl.report import page
from lolhl.report.pictures import thumbnails
from lolhl.results import Agreement, Dataset, Model, ModelFigures, Report, ReportedHighlight, Scoring, Vod
from lolhl.stages.source import has_source, stretches
from lolhl.storage import Root, check_name
from lolhl.tables import read_scores
from lolhl.vod import cut

log = logging.getLogger(__name__)

_ROUNDING = 0.0005  # seconds
_PLAYED_BY_BROWSERS = (".mp4", ".m4v", ".mov", ".webm")


@dataclass(frozen=True, kw_only=True)
class ReportConfig(Config):
    """How highlights are cut from scores."""

    threshold: float | None = option(
        None, "a highlight begins where the smoothed probability reaches this (default: the model's)"
    )
    smooth_seconds: float | None = option(
        None, "seconds over which probabilities are averaged before cutting (default: the model's)"
    )
    low_ratio: float = option(Limits.low_ratio, "a highlight ends below the threshold times this, 0 to 1")
    pad_before: float = option(Limits.pad_before, "seconds added before each highlight")
    pad_after: float = option(Limits.pad_after, "seconds added after each highlight")
    merge_gap: float = option(Limits.merge_gap, "highlights at most so many seconds apart become one")
    min_length: float = option(Limits.min_length, "shorter highlights are dropped, in seconds")
    max_length: float = option(Limits.max_length, "longer highlights are split, in seconds")
    clips: str = option(
        "copy",
        "how to cut clips: copy is fast and starts at the key frame before, exact encodes anew, as copy does where "
        "the video's codec fits into no .mp4",
        choices=("copy", "exact", "none"),
    )
    clips_from: str = option(
        "source",
        "source: clips of a Twitch VOD that is stored in a smaller rendition are cut from stretches that are fetched "
        "in source quality; stored: nothing is fetched",
        choices=("source", "stored"),
    )
    top: int | None = option(None, "cut clips of so many of the best highlights only (default: of all)")
    reel: bool = option(True, "join the clips, in order of time, to one video")
    intensity_seconds: float = option(30.0, "seconds over which the timeline's intensity is averaged")

    def __post_init__(self) -> None:
        self.limits(0.5 if self.threshold is None else self.threshold)
        for name, seconds in (
            ("--smooth-seconds", self.smooth_seconds),
            ("--intensity-seconds", self.intensity_seconds),
        ):
            if seconds is not None and not 0 <= seconds <= 3600:
                raise UsageError(f"{name} {seconds}: give 0 to 3600 seconds")
        if self.clips not in ("copy", "exact", "none"):
            raise UsageError(f"--clips {self.clips}: give copy, exact or none")
        if self.clips_from not in ("source", "stored"):
            raise UsageError(f"--clips-from {self.clips_from}: give source or stored")
        if self.top is not None and self.top < 0:
            raise UsageError(f"--top {self.top}: give a number of highlights, 0 or more")

    def limits(self, threshold: float) -> Limits:
        return Limits(
            threshold=threshold,
            low_ratio=self.low_ratio,
            pad_before=self.pad_before,
            pad_after=self.pad_after,
            merge_gap=self.merge_gap,
            min_length=self.min_length,
            max_length=self.max_length,
        )


def manifest_key(vod: str) -> str:
    return f"highlights/{vod}/highlights.json"


def report(root: Root, vod: str, config: ReportConfig = ReportConfig(), *, force: bool = False) -> Manifest[Report]:
    """Makes highlights/<vod>/: highlights.tsv, report.html, clips/, reel.mp4 and exports/.

    Args:
        root: where the data lies.
        vod: name of a VOD that was scored.
        config: see `ReportConfig`.
        force: redo what is done.

    Returns:
        The report's manifest. Its result holds the highlights, best first, each with its reason; why
        there are none, when there are none; and, where the VOD is labelled, how well they agree.

    Raises:
        MissingInput: the VOD has no scores, or was not downloaded.
        LabelError: its label file is wrong.
        VideoError: clips cannot be cut from its video.
    """
    scores = f"highlights/{check_name(vod, 'VOD')}/scores.json"
    source = manifest.load(root, f"vods/{vod}/vod.json", Vod, f"lolhl download … --name {vod}")
    scored = manifest.load(root, scores, Scoring, f"lolhl infer … {vod}", fresh=True)
    learnt_from = _learnt_from(root, scored)
    inputs = {
        f"highlights/{vod}/scores.json": scored.content_digest(),
        f"vods/{vod}/vod.json": source.content_digest(),
        **{key: made.content_digest() for key, made in learnt_from.items()},
    }
    if root.stat(labels_key(vod)):
        inputs[labels_key(vod)] = hashlib.sha256(root.read(labels_key(vod))).hexdigest()
    todo, earlier = manifest.plan(root, manifest_key(vod), Report, config, inputs, force=force)
    if earlier and not earlier.result.source_may_come:
        return earlier

    found = _find(root, vod, scored, source, config)
    labels = load_labels(root, vod, found.duration) if labels_key(vod) in inputs else None
    agreement = None if labels is None else _agreement(vod, labels, found, learnt=vod in _vods(learnt_from))
    video = source.local(root, source.result.video, f"lolhl download … --name {vod} --force")
    instants = [round(highlight.peak_time * found.fps) for highlight in found.highlights]
    pictures = thumbnails(video, found.fps, instants) if instants else []
    chosen = sorted(found.highlights[: config.top], key=lambda highlight: highlight.span)
    media = _media(root, source, video, chosen if config.clips != "none" else [], config)
    with tempfile.TemporaryDirectory(prefix="lolhl-") as scratch:
        clips, files = _cut(vod, media, config, Path(scratch))
        texts = _tables(vod, found, source, media)
        beside = [*texts, *(name for name in files if name not in clips.values())]
        shown = [
            page.Shown(highlight, picture, quote(clips[highlight.rank]) if highlight.rank in clips else None)
            for highlight, picture in zip(found.highlights, pictures, strict=True)
        ]
        texts["report.html"] = page.render(_page(found, shown, scored, source, labels, agreement, beside, config))
        result = Report(
            vod=vod,
            title=source.result.title,
            model=scored.result.model,
            threshold=found.limits.threshold,
            smooth_seconds=found.smooth_seconds,
            highest=float(found.smoothed.max(initial=0.0)),
            duration=found.duration,
            highlights=[_described(highlight, vod, clips) for highlight in found.highlights],
            reason=found.reason,
            labelled=agreement,
            page=f"highlights/{vod}/report.html",
            reel=f"highlights/{vod}/reel.mp4" if "reel.mp4" in files else None,
            clips_from=media.quality if clips else None,
            source_may_come=media.may_come,
        )
        with todo.begin() as begun:
            _clear(root, vod)
            outputs = [Output.upload(root, path, f"highlights/{vod}/{name}") for name, path in files.items()]
            for name, text in texts.items():
                root.write(f"highlights/{vod}/{name}", text.encode())
                outputs.append(Output.of(f"highlights/{vod}/{name}", text.encode()))
            return begun.finish(result, outputs)


@dataclass(frozen=True)
class _Found:
    """The highlights of one VOD, best first, and what they were cut from; why there are none, if there are none."""

    fps: Fraction
    duration: float
    scores: npt.NDArray[np.float32]
    smoothed: npt.NDArray[np.float64]
    smooth_seconds: float
    limits: Limits
    highlights: list[Highlight]
    reason: str | None


def _find(root: Root, vod: str, scored: Manifest[Scoring], source: Manifest[Vod], config: ReportConfig) -> _Found:
    fps, scores = scored.result.fps, _scores(root, vod, scored)
    # A video that broke off is shorter than it says; the grid may reach up to one step beyond the end.
    duration = min(source.result.duration or float("inf"), float(len(scores) / fps))
    smooth_seconds = scored.result.smooth_seconds if config.smooth_seconds is None else config.smooth_seconds
    limits = config.limits(scored.result.threshold if config.threshold is None else config.threshold)
    smoothed = centred_mean(scores, fps, smooth_seconds)
    highlights = find(smoothed, fps, duration, limits)
    reason = None if highlights else reason_for_none(smoothed, limits)
    return _Found(fps, duration, scores, smoothed, smooth_seconds, limits, highlights, reason)


def _scores(root: Root, vod: str, scored: Manifest[Scoring]) -> npt.NDArray[np.float32]:
    """The probabilities on the grid: float32 [n]."""
    key = f"highlights/{vod}/scores.parquet"
    redo = f"lolhl infer {scored.result.model} {vod} --force"
    return read_scores(scored.read(root, key, redo), f"{root.url}/{key}", redo, scored.result.frames)


def _learnt_from(root: Root, scored: Manifest[Scoring]) -> dict[str, Manifest[Dataset]]:
    """The manifests of the data sets that the model was trained on, as far as they lie under this root."""
    model = f"models/{scored.result.model}/model.json"
    if root.stat(model) is None:
        return {}
    keys = [key for key in manifest.load(root, model, Model, "lolhl train").inputs if key.startswith("datasets/")]
    return {key: manifest.load(root, key, Dataset, "lolhl dataset") for key in keys if root.stat(key)}


def _vods(datasets: Mapping[str, Manifest[Dataset]]) -> set[str]:
    return {vod for made in datasets.values() for vod in made.result.vods}


@dataclass(frozen=True)
class _Medium:
    """A video that a highlight is cut from. `start` is its time 0, in seconds of the stored video."""

    video: Path
    name: str
    start: float

    def span(self, highlight: Highlight) -> Span:
        """The highlight in seconds of this video. Times that were told to the microsecond are off by as much."""
        slack = _ROUNDING if self.start else 0.0
        start, stop = (max(0.0, at - self.start - slack) for at in (highlight.span.start, highlight.span.stop))
        return Span(start, stop, highlight.span.name, highlight.span.score)


@dataclass(frozen=True)
class _Media:
    """What clips are cut from.

    Attributes:
        cuts: the highlights to cut, in order of time, each with its video.
        quality: "source" or "stored".
        fps: of those videos.
        may_come: the source was wanted, could not be had, and another run may get it.
    """

    cuts: list[tuple[Highlight, _Medium]]
    quality: Literal["source", "stored"]
    fps: Fraction
    may_come: bool = False


def _media(root: Root, vod: Manifest[Vod], video: Path, chosen: Sequence[Highlight], config: ReportConfig) -> _Media:
    """The source for all chosen highlights, or the stored video for all: a reel cannot mix them."""
    stored = _Medium(video, PurePosixPath(vod.result.video).name, 0.0)
    as_stored = _Media([(highlight, stored) for highlight in chosen], "stored", vod.result.fps)
    if config.clips_from == "stored" or not chosen or not has_source(vod):
        return as_stored
    try:
        found = stretches(root, vod, [highlight.span for highlight in chosen])
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
        return replace(as_stored, may_come=may_come)
    files = {one.key: root.local(one.key) for one in found}
    media = [_Medium(files[one.key], PurePosixPath(one.key).name, one.start) for one in found]
    return _Media(list(zip(chosen, media, strict=True)), "source", found[0].fps)


def _cut(vod: str, media: _Media, config: ReportConfig, scratch: Path) -> tuple[dict[int, str], dict[str, Path]]:
    """Cuts clips and reel. Returns rank → name of the clip, and name → file of all that was cut.

    Where one clip cannot be a copy, all are encoded anew: a reel cannot mix them.
    """
    if not media.cuts:
        return {}, {}
    if config.clips == "exact":
        clips, files = _cut_clips(media, scratch, exact=True)
    else:
        try:
            clips, files = _cut_clips(media, scratch, exact=False)
        except VideoError:
            clips, files = _cut_clips(media, scratch, exact=True)
            what = media.cuts[0][1].name
            log.warning(
                "report %s: %s cannot be copied into .mp4, so clips were encoded anew (--clips exact)", vod, what
            )
    if config.reel:
        cut.reel(list(files.values()), scratch / "reel.mp4")
        files["reel.mp4"] = scratch / "reel.mp4"
    return clips, files


def _cut_clips(media: _Media, scratch: Path, *, exact: bool) -> tuple[dict[int, str], dict[str, Path]]:
    clips: dict[int, str] = {}
    files: dict[str, Path] = {}
    with progress.bar("clips", sum(highlight.span.duration for highlight, _ in media.cuts), "s") as advance:
        for highlight, medium in media.cuts:
            clips[highlight.rank] = name = f"clips/{_clip_name(highlight)}"
            files[name] = scratch / PurePosixPath(name).name
            cut.clip(medium.video, medium.span(highlight), files[name], exact=exact)
            advance(highlight.span.duration)
    return clips, files


def _clip_name(highlight: Highlight) -> str:
    hours, minutes, seconds = grid.format_time(int(highlight.span.start)).split(":")
    return f"highlight-{highlight.rank:03}_{hours}h{minutes}m{seconds}s.mp4"


def _clear(root: Root, vod: str) -> None:
    """Takes away what an earlier report left: with other settings there may be fewer clips."""
    for prefix in ("clips/", "exports/", "reel.mp4"):
        for left_over in list(root.list(f"highlights/{vod}/{prefix}")):
            root.delete(left_over.key)


def _tables(vod: str, found: _Found, source: Manifest[Vod], media: _Media) -> dict[str, str]:
    """The highlights for other programs: name of the file → text."""
    spans = [highlight.span for highlight in found.highlights]
    tables = {"highlights.tsv": write_table(vod, sorted(spans)).decode()}
    if not spans:
        return tables
    tables["exports/chapters.vtt"] = export.webvtt(spans)
    if chapters := export.youtube_chapters(spans, found.duration):
        tables["exports/youtube-chapters.txt"] = chapters
    title, name = source.result.title or vod, PurePosixPath(source.result.video).name
    stored = [export.Event(name, span.start, span.stop, span.name) for span in sorted(spans)]
    lists = {"highlights.edl": (stored, source.result.fps)}
    if media.quality == "source":
        cuts = [(medium.name, medium.span(highlight)) for highlight, medium in media.cuts]
        events = [export.Event(name, span.start, span.stop, span.name) for name, span in cuts]
        lists = {"highlights.edl": (events, media.fps), "highlights-stored.edl": lists["highlights.edl"]}
    for file, (events, fps) in lists.items():
        if round(fps) >= 1:  # a timecode counts whole pictures a second
            tables[f"exports/{file}"] = export.edl(events, fps, title)
    return tables


def _page(
    found: _Found,
    shown: Sequence[page.Shown],
    scored: Manifest[Scoring],
    source: Manifest[Vod],
    labels: Sequence[Span] | None,
    agreement: Agreement | None,
    beside: Sequence[str],
    config: ReportConfig,
) -> page.Report:
    stored, video = source.result, PurePosixPath(source.result.video)
    return page.Report(
        vod=stored.vod,
        title=stored.title or stored.vod,
        model=scored.result.model,
        twitch_id=stored.twitch_id,
        offset=stored.offset,
        duration=found.duration,
        video=quote(f"../../{video}") if video.suffix in _PLAYED_BY_BROWSERS else None,
        fps=found.fps,
        smoothed=found.smoothed,
        smooth_seconds=found.smooth_seconds,
        intensity=centred_mean(found.scores, found.fps, config.intensity_seconds),
        intensity_seconds=config.intensity_seconds,
        threshold=found.limits.threshold,
        low=found.limits.threshold * found.limits.low_ratio,
        highlights=shown,
        reason=found.reason,
        labels=labels,
        chapters=stored.chapters,
        agreement=_summary(agreement) if agreement else None,
        tables=[*([_agreement_table(agreement)] if agreement else []), *_model_table(scored.result.model_metrics)],
        files=[page.Link(PurePosixPath(name).name, quote(name)) for name in beside],
        settings=_sentence(found.limits, found.smooth_seconds),
    )


def _described(highlight: Highlight, vod: str, clips: Mapping[int, str]) -> ReportedHighlight:
    clip = clips.get(highlight.rank)
    return ReportedHighlight(
        rank=highlight.rank,
        start=highlight.span.start,
        stop=highlight.span.stop,
        score=highlight.peak,
        mean=highlight.mean,
        peak=highlight.peak_time,
        clip=clip and f"highlights/{vod}/{clip}",
        reason=highlight.reason,
    )


def _sentence(limits: Limits, smooth_seconds: float) -> str:
    return (
        f"Cut from probabilities averaged over {smooth_seconds:g} s: from {limits.threshold:.2f} until below "
        f"{limits.threshold * limits.low_ratio:.2f}, {limits.pad_before:g} s added before and {limits.pad_after:g} s "
        f"after, joined when at most {limits.merge_gap:g} s apart, {limits.min_length:g} to "
        f"{limits.max_length:g} s long."
    )


def _agreement(vod: str, labels: Sequence[Span], cut: _Found, *, learnt: bool) -> Agreement:
    """How well the highlights agree with the labels; `learnt`: the model was trained on this VOD."""
    spans = [highlight.span for highlight in cut.highlights]
    prediction = Prediction(vod=vod, fps=cut.fps, scores=cut.smoothed, spans=spans, labels=labels)
    judgement = judge(Predictions(cut.limits.threshold, [prediction]))
    return Agreement(events=judgement.events, frames=judgement.frames, model_learnt_from_this=learnt)


def _summary(agreement: Agreement) -> tuple[str, str]:
    events = agreement.events[0]
    return _number(events.f1), f"F1 of events at tIoU {events.tiou:g}"


def _agreement_table(agreement: Agreement) -> page.Table:
    rows = [
        (
            f"overlap (tIoU) of at least {events.tiou:g}",
            f"{events.matched} of {events.labelled}",
            _number(events.precision),
            _number(events.recall),
            _number(events.f1),
        )
        for events in agreement.events
    ]
    frames = agreement.frames
    note = (
        f"Average precision of the smoothed probabilities: {_number(frames.model.average_precision)}; "
        f"random ranking would have {_number(frames.random.average_precision)}."
    )
    if agreement.model_learnt_from_this:
        note += " The model learnt from this stream, so these figures flatter it."
    return page.Table(
        "This stream against its labels",
        ("Events matched by", "Found", "Precision", "Recall", "F1"),
        tuple(rows),
        note,
    )


def _model_table(figures: ModelFigures | None) -> Iterator[page.Table]:
    """What `train` recorded of the model beside answers that know nothing, if it did."""
    if figures is None:
        return
    rows = tuple((name, *_row(answer)) for name, answer in figures.smoothed.named().items())
    model = figures.smoothed.model
    note = (
        f"On {model.frames} validation frames, {100 * (model.base_rate or 0):.0f} % of them in highlights. "
        "In brackets: 95 % of resamples."
    )
    yield page.Table("The model", ("", "Average precision", "F1", "Precision", "Recall"), rows, note)


def _row(figures: FrameFigures) -> Iterator[str]:
    with_intervals = (
        (figures.average_precision, figures.average_precision_interval),
        (figures.f1, figures.f1_interval),
    )
    for figure, interval in with_intervals:
        yield _number(figure) + (f" ({interval.low:.2f}–{interval.high:.2f})" if interval else "")
    yield _number(figures.precision)
    yield _number(figures.recall)


def _number(figure: float | None) -> str:
    return "–" if figure is None else f"{figure:.2f}"
