"""What each stage says of what it made: the `result` of its manifest, read and checked as a type.

A value of a wrong kind or outside of its range is an error that names file and field, see `lolhl.manifest`. What
was added after 0.1 has a default, so that manifests written before are still read. Times are seconds.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from lolhl.evaluate.calibration import Calibration
from lolhl.evaluate.figures import (
    Bin,
    Comparison,
    CurvePoint,
    EventFigures,
    FrameFigures,
    Gain,
    Judgement,
    MethodFigures,
    Mistake,
    PictureParts,
    Reliability,
)
from lolhl.grid import FASTEST, SLOWEST
from lolhl.highlights.cut import Highlight
from lolhl.highlights.outside_games import OutsideGames
from lolhl.labels.habits import Habits
from lolhl.labels.spans import Span
from lolhl.matches.clock import ClockGame
from lolhl.vod.rendition import Rendition
from lolhl.vod.view import Fit
from lolhl.vod.viewer_clip import ViewerClip

Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Window = Annotated[float, Meta(ge=0, le=3600)]  # seconds
Count = Annotated[int, Meta(ge=0, le=10**12)]
Pixels = Annotated[int, Meta(ge=1, lt=2**31)]  # as many as FFmpeg knows
FrameSize = Annotated[int, Meta(ge=16, le=2048)]
Probability = Annotated[float, Meta(ge=0, le=1)]
Quality = Annotated[int, Meta(ge=1, le=100)]


class Result:
    """Base of all results. `stage` is the name of the stage that makes it."""

    stage: ClassVar[str]

    @classmethod
    def current(cls, data: bytes) -> bytes:
        """A manifest's bytes as this version of lolhl would write them. Those of an earlier one may differ."""
        return data


class OnGrid:
    """What has a frame grid: unlike a video, which may claim any rate or know none, it has one from 0.001 to 240."""

    fps: Fraction

    def __post_init__(self) -> None:
        if not SLOWEST <= self.fps <= FASTEST:
            raise ValueError("Expected a frame rate from 0.001 to 240 as `fps`")


@dataclass(frozen=True, kw_only=True)
class Vod(Result):
    """A VOD that is stored.

    Attributes:
        source: address or path that it came from.
        twitch_id: None for a video that is not from Twitch.
        channel: whose stream it is, as in the address of the channel on Twitch; None where nobody says it.
        offset: of its time 0 in the whole video.
        recorded_at: when the recording of the whole video began, as Twitch says; None where nobody says it.
        clock: the timestamp of its time 0, by which other renditions are aligned with this one.
        rendition, qualities: the one that is stored and those that Twitch had; None and empty for other videos.
        video, chat: keys in the root.
        fps: average rate of the video's pictures, whatever the file claims; 0 when it is not known.
        chapters, muted: in seconds from time 0.
    """

    stage = "download"
    vod: str
    title: str | None = None
    source: str
    twitch_id: str | None
    channel: str | None = None
    offset: Seconds = 0.0
    recorded_at: Annotated[datetime, Meta(tz=True)] | None = None
    clock: float | None = None
    rendition: Rendition | None = None
    qualities: list[Rendition] = field(default_factory=list)
    video: str
    duration: Seconds
    width: Pixels
    height: Pixels
    fps: Fraction
    chapters: list[Span] = field(default_factory=list)
    muted: list[Span] = field(default_factory=list)
    chat: str | None = None

    @property
    def began(self) -> datetime | None:
        """When its time 0 was recorded."""
        return self.recorded_at + timedelta(seconds=self.offset) if self.recorded_at else None


@dataclass(frozen=True, kw_only=True)
class TwitchClips(Result):
    """The clips that viewers made of a VOD on Twitch.

    Attributes:
        twitch_id: of the VOD.
        clips: in order of time, in seconds of the whole VOD.
    """

    stage = "twitch-clips"
    vod: str
    twitch_id: str
    clips: list[ViewerClip]


@dataclass(frozen=True, kw_only=True)
class GameEvent:
    """Something that happened in a game: when in the VOD, its kind (see `lolhl.matches.game`), and whose it is."""

    time: Seconds
    kind: str
    whose: Literal["player", "team", "enemy"]


@dataclass(frozen=True, kw_only=True)
class ShownGame:
    """A game that a VOD shows.

    Attributes:
        match: its id.
        account: whose game it is, as NAME#TAG.
        start, stop: the seconds of the VOD at which it begins and ends. It may begin before the VOD, and end after it.
        labels: highlights that come from its events.
    """

    match: str
    account: str
    champion: str
    start: Annotated[float, Meta(ge=-1e9, le=1e9)]
    stop: Annotated[float, Meta(ge=-1e9, le=1e9)]
    labels: Count


@dataclass(frozen=True, kw_only=True)
class Games(Result):
    """The games that a VOD shows, as Riot records them.

    Attributes:
        games: in order of time.
        remakes: ids of games that were broken off.
        events: of all games, as far as the VOD shows them, in order of time.
        highlights: what the rules make of the events, in order of time: named by what happened, with its weight as
            score.
        placed: "roughly" by when VOD and games began, "by the clock" on the pictures, or "by hand".
        labelled: False where the VOD has labels of a person, which were left as they are.
    """

    stage = "riot"
    vod: str
    games: list[ShownGame]
    remakes: list[str]
    events: list[GameEvent]
    highlights: list[Span] = field(default_factory=list)
    placed: Literal["roughly", "by the clock", "by hand"]
    labelled: bool


@dataclass(frozen=True, kw_only=True)
class Clock(Result):
    """The games that the clock on a VOD's pictures tells.

    Attributes:
        looks: pictures that were looked at.
        readings: how many of them show a clock.
        games: in order of time.
    """

    stage = "clock"
    vod: str
    looks: Count
    readings: Count
    games: list[ClockGame]


@dataclass(frozen=True, kw_only=True)
class SourceStretch(Result):
    """A piece of a VOD in source quality.

    Attributes:
        video: key in the root.
        begin: of its time 0, in seconds of the whole VOD.
        holds: first and last second of the whole VOD that it holds.
        fps: as of `Vod`.
    """

    stage = "source"
    video: str
    begin: float
    holds: tuple[float, float]
    width: Pixels
    height: Pixels
    fps: Fraction


@dataclass(frozen=True, kw_only=True)
class Frames(OnGrid, Result):
    """The frame set of a VOD.

    Attributes:
        frames: instants of the grid.
        pictures: how many of them have a picture of their own.
        gap: the longest time between two pictures.
        ended_at: where the frames end.
        truncated: the video broke off before the length that it claims; `problem` says why, if that is known.
    """

    stage = "extract"
    vod: str
    fps: Fraction
    size: FrameSize
    fit: Fit
    quality: Quality
    mode: Literal["grid", "scan"]
    frames: Count
    pictures: Count
    gap: Seconds
    ended_at: Seconds
    truncated: bool
    problem: str | None
    decoder: str


@dataclass(frozen=True, kw_only=True)
class Track(OnGrid, Result):
    """What one signal says of a VOD.

    Attributes:
        version: of the signal's code.
        engine: the libraries and number formats by which it was computed.
        source: what was measured.
        layout: "grid" has a row at every instant, "scan" at times of its own, as those of key frames.
        frames: instants of the grid.
        rows: how many times were measured.
        width: values of a row.
        ended_at: where the VOD ends.
        problem: why its video could not be read any further, where it breaks off.
        unknown: how many rows have no values, as where there is no sound.
    """

    stage = "track"
    vod: str
    signal: str
    version: Count
    engine: str
    source: Literal["frames", "video"]
    fps: Fraction
    layout: Literal["grid", "scan"]
    frames: Count
    rows: Count
    width: Count
    ended_at: Seconds
    problem: str | None
    unknown: Count = 0


@dataclass(frozen=True)
class FrameCount:
    """Frames, those of them in highlights, and their share; None of no frames."""

    frames: Count
    positives: Count
    rate: Probability | None


@dataclass(frozen=True)
class Dropped:
    """Frames that are not learnt from, by the reason. Those that nobody has looked at are counted nowhere else."""

    guard: FrameCount
    rebalancing: FrameCount
    not_looked_at: Count = 0


@dataclass(frozen=True, kw_only=True)
class SideCounts:
    """Frames in all, of the training side before it was rebalanced, of the two sides as they are used, and dropped."""

    natural: FrameCount
    train_before: FrameCount
    train: FrameCount
    validation: FrameCount
    dropped: Dropped


@dataclass(frozen=True, kw_only=True)
class EventCount:
    """Labelled events on each side, and those that no frame shows."""

    train: Count
    validation: Count
    without_frame: Count


@dataclass(frozen=True, kw_only=True)
class VodCounts(SideCounts):
    """The counts of one VOD."""

    events: EventCount


@dataclass(frozen=True, kw_only=True)
class Dataset(SideCounts, OnGrid, Result):
    """What is learnt from, and what is judged on. `fps`, `size` and `fit` are those of all its frame sets.

    Attributes:
        positives, seed: by which the frames to train on are chosen when they are read.
    """

    stage = "dataset"
    fps: Fraction
    size: FrameSize
    fit: Fit
    vods: list[str]
    holdout: Literal["chunks", "vods", "games"]
    chunk_seconds: Seconds
    guard_seconds: Seconds
    positives: Probability = 0.3
    seed: Annotated[int, Meta(ge=0)] = 0
    per_vod: dict[str, VodCounts]


@dataclass(frozen=True, kw_only=True)
class ModelFigures:
    """Figures of a model on its validation side: of raw probabilities, of smoothed ones, and of the spans cut.

    Attributes:
        holdout: whether that side is whole VODs, or chunks or games of those that the model learnt from. Figures of
            these do not say how good it is on other VODs, and are not shown as that. None of models of lolhl 0.1.
        reliability: how far its probabilities mean what they say; None of models of lolhl 0.1, or of too little time.
    """

    smoothed: Comparison
    raw: FrameFigures
    events: list[EventFigures]
    holdout: Literal["chunks", "vods", "games"] | None = None
    reliability: Reliability | None = None


@dataclass(frozen=True, kw_only=True)
class SignalRecipe:
    """What makes the tracks of a signal, as `lolhl.signals.Signal` says it, and D, the numbers in each row.

    The weights of a bundle tell the width that is None.
    """

    version: Count
    settings: dict[str, Any]
    width: Annotated[int, Meta(ge=1, le=10**6)] | None


@dataclass(frozen=True, kw_only=True)
class BackboneRecipe:
    """The backbone that looks at pictures, and what these are normalised with, per colour, for values from 0 to 1."""

    name: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Model(Result):
    """A bundle. What its `settings` and `view` must be is checked where bundles are loaded.

    Attributes:
        format: the version of the fields that say what the model is.
        kind: a name in `lolhl.models.registry.MODELS`, whose class has these settings.
        signals: what the model is given, by name.
        backbone: None where it sees no pictures.
        view: the grid, and the pictures that signals are measured from.
        frozen: the backbone is as it was before training.
        threshold: on probabilities that are calibrated, and smoothed over `smooth_seconds`.
        calibration: from what the network says to probabilities that mean what they say.
        habits: how highlights are labelled where it learnt; None for models of lolhl 0.1.
        learnt_from: the VODs of its dataset, on which it learnt and was validated. None for models of before.
        metrics: on its validation side.
        epochs: training loss, validation loss and average precision of each.
    """

    stage = "train"
    format: Literal[2] = 2
    kind: str
    settings: dict[str, Any]
    signals: dict[str, SignalRecipe]
    backbone: BackboneRecipe | None
    view: dict[str, Any]
    frozen: bool
    threshold: Probability
    threshold_chosen: str
    smooth_seconds: Window
    calibration: Calibration = field(default_factory=Calibration)
    habits: Habits | None = None
    dataset_digest: str
    dataset_holdout: Literal["chunks", "vods", "games"]
    learnt_from: list[str] | None = None
    metrics: ModelFigures
    best_epoch: Count
    epochs: list[tuple[float, float, float]]
    versions: dict[str, str]

    @classmethod
    def current(cls, data: bytes) -> bytes:
        """Up to lolhl 0.2 a model was a backbone and a head, and `architecture` described both."""
        if b'"architecture"' not in data:
            return data
        with suppress(ValueError, KeyError, TypeError, AttributeError):  # it is described as damaged, as it stands
            values = json.loads(data)
            architecture, view = values["result"].pop("architecture"), values["result"]["view"]
            names = (
                ("dropout",) if architecture["kind"] == "image" else ("clip_frames", "clip_stride", "hidden", "dropout")
            )
            values["result"] |= {
                "kind": architecture["kind"],
                "settings": {name: architecture[name] for name in names},
                "signals": {
                    "pictures": {
                        "version": 1,
                        "settings": {name: view[name] for name in ("size", "fit")},
                        "width": None,
                    }
                },
                "backbone": {"name": architecture["backbone"], **values["result"].pop("normalisation")},
            }
            return json.dumps(values).encode()
        return data


@dataclass(frozen=True, kw_only=True)
class Scoring(OnGrid, Result):
    """The scores of a VOD: how many, by which model, and what goes with them. See `Model`."""

    stage = "infer"
    vod: str
    fps: Fraction
    frames: Count
    source: Literal["frames", "video"]
    frame_set: str | None = None
    mode: Literal["grid", "scan", "refine"]
    model: str
    model_digest: str
    threshold: Probability
    smooth_seconds: Window
    habits: Habits | None = None
    model_metrics: ModelFigures | None
    explained_by: list[str] = field(default_factory=list)  # signals whose parts of the log-odds are stored beside


@dataclass(frozen=True, kw_only=True)
class Highlights(Result):
    """The highlights of a VOD, best first.

    Attributes:
        threshold, low: smoothed probabilities at which highlights begin and end.
        smooth_seconds: over which probabilities were averaged before highlights were cut.
        highest: smoothed probability of the VOD.
        duration: of the video, as far as it has scores; all highlights lie in it.
        amount: what decided how many there are: an option, or the model.
        outside_games: by what probabilities were marked down before they were averaged; None where they were not.
        rule: how highlights were cut, in a sentence for people.
        reason: why there are no highlights, when there are none.
    """

    stage = "highlights"
    vod: str
    model: str
    threshold: Probability
    low: Probability
    smooth_seconds: Window
    highest: float
    duration: Seconds
    amount: str = "the model's threshold"
    outside_games: OutsideGames | None = None
    rule: str
    highlights: list[Highlight]
    reason: str | None

    def __post_init__(self) -> None:
        for highlight in self.highlights:
            span = highlight.span
            if not 0 <= span.start < span.stop <= self.duration or not span.start <= highlight.peak_time < span.stop:
                raise ValueError("Expected spans within the video, each with its peak, as `highlights`")


@dataclass(frozen=True, kw_only=True)
class Clip:
    """The clip of the highlight of this rank: its key in the root, and that of the video that it was cut from."""

    rank: Annotated[int, Meta(ge=1)]
    key: str
    video: str


@dataclass(frozen=True, kw_only=True)
class Clips(Result):
    """The clips of a VOD's highlights, in order of time.

    Attributes:
        reel: key in the root; None when there is none.
        reel_ranks: those of its clips, in its order; empty for reels of earlier versions, which hold all clips in order
            of time.
        clips_from: the quality that they were cut from; None when there are no clips.
        source_may_come: clips were to be cut from the source, which could not be had; another run may get it.
    """

    stage = "clips"
    vod: str
    clips: list[Clip]
    reel: str | None
    reel_ranks: list[Annotated[int, Meta(ge=1)]] = field(default_factory=list)
    clips_from: Literal["source", "stored"] | None
    source_may_come: bool = False


@dataclass(frozen=True, kw_only=True)
class Short:
    """The vertical video of the highlight of this rank: its key in the root, and that of the video it was cut from."""

    rank: Annotated[int, Meta(ge=1)]
    key: str
    video: str


@dataclass(frozen=True, kw_only=True)
class Shorts(Result):
    """The vertical videos of a VOD's highlights, in order of time.

    Attributes:
        channel: whose camera rectangle was used; None for that of the VOD itself.
        camera: the rectangle, as fractions x,y,w,h of the picture; None where none was set.
        shorts_from: the quality that they were cut from; None when there are none.
        source_may_come: see `Clips`.
    """

    stage = "shorts"
    vod: str
    shorts: list[Short]
    channel: str | None
    camera: tuple[float, float, float, float] | None
    shorts_from: Literal["source", "stored"] | None
    source_may_come: bool = False


@dataclass(frozen=True, kw_only=True)
class Reel(Result):
    """The reel of a VOD's highlights as they were corrected.

    Attributes:
        reel: key in the root.
        spans: start and stop of what it shows, in seconds of the VOD, in its order.
        corrected: whether the highlights are other than the model found them.
        reel_from: the quality that it was cut from.
        source_may_come: see `Clips`.
    """

    stage = "reel"
    vod: str
    reel: str
    spans: list[tuple[Seconds, Seconds]]
    corrected: bool
    reel_from: Literal["source", "stored"]
    source_may_come: bool = False


@dataclass(frozen=True, kw_only=True)
class ReportedHighlight:
    """A highlight: its span, the second of its peak, and the keys of its clip and of its short if there are such."""

    rank: Annotated[int, Meta(ge=1)]
    start: Seconds
    stop: Seconds
    score: float
    mean: float
    peak: Seconds
    clip: str | None
    short: str | None = None
    reason: str


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How well highlights agree with labels. The figures flatter a model that learnt from this very VOD.

    Attributes:
        labels_of_games: no person gave the labels: they come from the events of games.
    """

    events: list[EventFigures]
    frames: Comparison
    model_learnt_from_this: bool
    labels_of_games: bool = False


@dataclass(frozen=True, kw_only=True)
class Report(Result):
    """What the page of a VOD shows: its highlights, best first, with their clips, and the figures of a labelled VOD.

    Attributes:
        labelled: None when nobody labelled the VOD.
        page: key in the root.
        The others are those of `Highlights` and `Clips`.
    """

    stage = "report"
    vod: str
    title: str | None
    model: str
    threshold: float
    smooth_seconds: Window
    highest: float
    duration: Seconds
    highlights: list[ReportedHighlight]
    reason: str | None
    labelled: Agreement | None
    page: str
    reel: str | None
    clips_from: Literal["source", "stored"] | None
    source_may_come: bool = False


@dataclass(frozen=True, kw_only=True)
class MethodComparison(Result):
    """Methods that were judged on the same VODs. Each is compared with the first, and with two that know nothing.

    Attributes:
        flattered: method → those of the VODs that it has learnt from, where there are any.
    """

    stage = "compare"
    name: str
    vods: list[str]
    methods: list[MethodFigures]
    flattered: dict[str, list[str]]


@dataclass(frozen=True, kw_only=True)
class Analysis(Result):
    """What a model finds and misses, and what it gets most wrong.

    Attributes:
        part: what it was judged on: labelled VODs that it has not learnt from ("held-out"), or that were named and of
            which it has learnt from some; its validation side, of whole VODs or of chunks; or "unknown" where the
            model's dataset does not lie in the root.
        vods: their names.
        flattered: those of them that the model has learnt from, where VODs were named.
        methods: the figures of the model, and then of the methods that are built in.
        left_out: method that is built in → why there are no figures of it.
        curve: precision and recall of its smoothed scores.
        bins: of its calibrated probabilities, as they are.
        calibration_error: of these; None where nothing was judged.
        misses, false_alarms: all of them, worst first. The signals of the first ones are known, see `Mistake`.
        pictures: what drove the score of some of the first ones, part by part.
        page: key in the root.
    """

    stage = "analyse"
    model: str
    part: Literal["held-out", "named", "validation-vods", "validation-chunks", "unknown"]
    vods: list[str]
    flattered: list[str]
    methods: list[MethodFigures]
    left_out: dict[str, str]
    curve: list[CurvePoint]
    bins: list[Bin]
    calibration_error: float | None
    misses: list[Mistake]
    false_alarms: list[Mistake]
    pictures: list[PictureParts] = field(default_factory=list)
    page: str


@dataclass(frozen=True, kw_only=True)
class Verdict(Judgement):
    """One model on all held-out VODs."""

    model: str


@dataclass(frozen=True, kw_only=True)
class LabelChange:
    """Labels of a VOD now, and what changed since the last retraining."""

    labels: Count
    added: Count
    removed: Count
    moved: Count


@dataclass(frozen=True, kw_only=True)
class Retraining(Result):
    """What a retraining compared and decided.

    Attributes:
        model: that was trained.
        champion, before: the champion now and before; None when there is or was none.
        gain: in average precision, of the model over the champion before.
        judge, learn: the VODs that were held out, and those that were learnt from.
        flattered: the held-out VODs that the champion before had learnt from.
        labels: VOD → spans as "h:mm:ss-h:mm:ss".
        changes: VOD → what is other than in the last retraining whose labels were others.
        report: key in the root.
        nothing_new: this is the result of the last time, since nothing has changed.
    """

    stage = "retrain"
    model: str
    champion: str | None
    before: str | None
    promoted: bool
    reason: str
    gain: Gain | None
    tolerance: float
    judge: list[str]
    learn: list[str]
    flattered: list[str]
    challenger: Verdict
    rival: Verdict | None
    labels: dict[str, Sequence[str]]
    changes: dict[str, LabelChange]
    report: str
    nothing_new: bool
