"""Figures of how well scores and spans agree with labels: `metrics` and `events` compute them, manifests hold them.

A figure that is not defined (no positives, nothing predicted) is None, never 0 and never NaN.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Interval:
    """95 % of the resampled figures lie in [low, high]."""

    low: float
    high: float


@dataclass(frozen=True)
class FrameFigures:
    """How well scores tell the frames of highlights from the others.

    Attributes:
        frames, positives: how many were judged, and how many of them are labelled.
        base_rate: positives / frames.
        average_precision: area under the precision-recall curve, as a sum without interpolation.
        threshold: a frame is called positive where score >= threshold.
        precision, recall, f1: at the threshold.
        average_precision_interval, f1_interval: by bootstrap over groups of frames.
        groups: how many groups of frames (chunks or VODs) were resampled.
    """

    frames: int
    positives: int
    base_rate: float | None
    average_precision: float | None
    threshold: float | None
    precision: float | None
    recall: float | None
    f1: float | None
    average_precision_interval: Interval | None = None
    f1_interval: Interval | None = None
    groups: int | None = None


@dataclass(frozen=True)
class CurvePoint:
    """Precision and recall of frames, where those with a smoothed score of at least `threshold` are called."""

    threshold: float
    precision: float
    recall: float


@dataclass(frozen=True)
class Bin:
    """Instants whose probability lies in [low, high): how many, their mean probability, the share that is labelled."""

    low: float
    high: float
    instants: int
    probability: float
    labelled: float


@dataclass(frozen=True)
class Reliability:
    """How far probabilities mean what they say.

    Attributes:
        error: expected calibration error: |probability - labelled share|, averaged over the instants of all bins.
        raw_error: the same of the probabilities before they were calibrated.
        bins: those with instants, ascending.
    """

    error: float
    raw_error: float
    bins: list[Bin]


@dataclass(frozen=True)
class EventFigures:
    """How many labelled spans were found, by one-to-one matching at an overlap (tIoU) of at least `tiou`.

    Attributes:
        f1_interval: by bootstrap over the groups of the frames, where there are several.
    """

    tiou: float
    labelled: int
    predicted: int
    matched: int
    precision: float | None = field(init=False)
    recall: float | None = field(init=False)
    f1: float | None = field(init=False)
    f1_interval: Interval | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "precision", ratio(self.matched, self.predicted))
        object.__setattr__(self, "recall", ratio(self.matched, self.labelled))
        object.__setattr__(self, "f1", ratio(2 * self.matched, self.labelled + self.predicted))


@dataclass(frozen=True, kw_only=True)
class Mistake:
    """A labelled event that no highlight matches, or a highlight that matches no labelled event.

    Attributes:
        vod: its name.
        start, stop: in seconds.
        peak: the second of the highest smoothed score within.
        score: that score.
        overlap: the highest tIoU with a highlight, or with a labelled event: it is too low for a match.
        signals: signal → what it adds to the log-odds within, on average. None where it is not known.
    """

    vod: str
    start: float
    stop: float
    peak: float
    score: float
    overlap: float
    signals: dict[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PictureParts:
    """What the parts of one picture add to the log-odds of its instant, see `lolhl.explain`.

    Attributes:
        vod: its name.
        seconds: the time of the instant.
        log_odds: of the instant, before they are calibrated.
        covered: the same where the whole picture looks as the stream usually does.
        regions: named region → what it adds.
        superpixels: place in the picture, as "top left" → what the superpixels there add.
        regions_fit, superpixels_fit: the share of the differences between the tries that these numbers explain, see
            `lolhl.explain.lime`; None where nothing makes a difference.
        tries: pictures that were tried, of both kinds.
    """

    vod: str
    seconds: float
    log_odds: float
    covered: float
    regions: dict[str, float]
    superpixels: dict[str, float]
    regions_fit: float | None
    superpixels_fit: float | None
    tries: int


@dataclass(frozen=True)
class Estimate:
    """A figure and its interval, by bootstrap over the groups of the frames, where there are several."""

    value: float | None
    interval: Interval | None


@dataclass(frozen=True, kw_only=True)
class EditingFigures:
    """How much work a method spares somebody who cuts these VODs: see `lolhl.evaluate.editing`, which defines each.

    Attributes:
        start_error, stop_error: median distance of a highlight's borders from those of the label, in seconds.
        minutes: to watch, from the best moment on, until 80 % of the labelled events are seen.
        labelled_minutes: how long all labelled events are together, to compare `minutes` with.
        ten_best: share of the ten best highlights of each VOD that are labelled events.
        called: time in highlights / time labelled.
        called_in: VOD → the same of it alone.
    """

    start_error: Estimate
    stop_error: Estimate
    minutes: Estimate
    labelled_minutes: float
    ten_best: Estimate
    called: Estimate
    called_in: dict[str, float | None]


@dataclass(frozen=True)
class Gain:
    """How much higher a figure of one method is than that of another, by paired bootstrap over `groups` groups."""

    value: float | None
    interval: Interval | None
    groups: int


@dataclass(frozen=True)
class Comparison:
    """A model's figures beside those of answers that know nothing."""

    model: FrameFigures
    constant: FrameFigures
    random: FrameFigures

    def named(self) -> dict[str, FrameFigures]:
        """The three with their names for people."""
        return {"model": self.model, "constant answer": self.constant, "random ranking": self.random}

    def table(self) -> str:
        """The three in lines for people."""
        lines = [f"{'':18}{'average precision':27}{'F1':27}{'precision':11}{'recall':8}".rstrip()]
        for name, figures in self.named().items():
            average = format_figure(figures.average_precision, figures.average_precision_interval)
            f1 = format_figure(figures.f1, figures.f1_interval)
            at_threshold = f"{format_figure(figures.precision):11}{format_figure(figures.recall):8}"
            lines.append(f"{name:18}{average:27}{f1:27}{at_threshold}".rstrip())
        lines.append(f"{self.model.frames} frames, {format_figure(self.model.base_rate)} of them in highlights")
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class VodFigures:
    """Figures of one VOD."""

    average_precision: float | None
    events: list[EventFigures]


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """How good a method is on some VODs.

    Attributes:
        frames: of all VODs together, smoothed.
        events: of all VODs together, one for each overlap.
        per_vod: VOD → its own figures.
    """

    frames: Comparison
    events: list[EventFigures]
    per_vod: dict[str, VodFigures]


@dataclass(frozen=True, kw_only=True)
class Difference:
    """How much better a method is than another on the same VODs.

    Attributes:
        average_precision: of frames.
        events: of F1, one for each overlap.
    """

    average_precision: Gain
    events: list[Gain]


@dataclass(frozen=True, kw_only=True)
class MethodFigures(Judgement):
    """A method's figures, and how they differ from those of others: name of the other → difference.

    Attributes:
        editing: None in comparisons that were made before lolhl took these figures.
    """

    method: str
    differences: dict[str, Difference]
    editing: EditingFigures | None = None


def ratio(part: float, whole: float) -> float | None:
    """`part` divided by `whole`; None where `whole` is 0."""
    return part / whole if whole else None


def format_figure(figure: float | None, interval: Interval | None = None, decimals: int = 3) -> str:
    """Formats a figure for people, with its interval if there is one."""
    text = "–" if figure is None else f"{figure:.{decimals}f}"
    return text + (f" ({interval.low:.{decimals}f} to {interval.high:.{decimals}f})" if interval else "")
