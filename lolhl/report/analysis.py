"""The page about a model: how good it is on labelled streams, what it gets wrong, and what drove its mistakes.

One HTML file without any script. It needs nothing else; only the links lead away, to the pages of the streams.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from importlib import resources
from string import Template
from typing import Literal

import numpy as np
import numpy.typing as npt

from lolhl import grid
from lolhl.evaluate.editing import SEEN
from lolhl.evaluate.events import TIOUS
from lolhl.evaluate.figures import Bin, CurvePoint, Estimate, MethodFigures, Mistake, format_figure
from lolhl.report.element import Html, card, el, escaped, folded, join, table
from lolhl.report.page import policy_hash, style
from lolhl.report.picture_parts import ExplainedPicture, how_to_read, moments_asked_for, picture_parts
from lolhl.report.svg import Axis, Line, Mark, Plot, bars, plot, spread_axis, unit_axis

Part = Literal["held-out", "named", "validation-vods", "validation-chunks", "unknown"]

PARTS: dict[Part, str] = {
    "held-out": "The model has not learnt from any of these streams, and its threshold was not chosen on them.",
    "named": "The model has learnt from some of these streams, which were named: the figures flatter it.",
    "validation-vods": "No labelled stream with a video or frames in this root is new to the model. These are the "
    "streams of its validation side: it has not learnt from them, but its threshold and its calibration were chosen on "
    "them, so the figures flatter it a little.",
    "validation-chunks": "No labelled stream with a video or frames in this root is new to the model. These are the "
    "chunks or games of its validation side, of streams that it has learnt from: the figures do not say how good it is "
    "on other streams, and are there to look at its mistakes.",
    "unknown": "The dataset of the model is gone or was made anew, so it may have learnt from these streams.",
}
"""What a model is judged on, in words."""

_KINDS = ("first", "second", "third", "fourth", "fifth")  # of lines: colours and dashes
_MOST_BARS = 30
_STEPS = 10  # rows of the table of the curve


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A mistake on the page.

    Attributes:
        mistake: what was got wrong.
        picture: JPEG bytes of a frame of it; None where there is no video.
        pictured: the second that the frame shows.
        page: address of the page of its stream, relative to this one; None where there is none yet.
        times: float64 [n], seconds, of the instants around it.
        parts: signal → float [n], what it adds to the log-odds at these instants, NaN where it is not known.
        explained: what drove the score of the frame, where that was looked into.
    """

    mistake: Mistake
    picture: bytes | None = None
    pictured: float = 0.0
    page: str | None = None
    times: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    parts: Mapping[str, npt.NDArray[np.floating]] = field(default_factory=dict)
    explained: ExplainedPicture | None = None


@dataclass(frozen=True, kw_only=True)
class AnalysisPage:
    """All that the page shows.

    Attributes:
        model, kind: its name, and that of its kind.
        signals: those that it listens to.
        part: what it was judged on.
        vods: VOD → its title.
        flattered: the VODs that the model has learnt from, where such were named.
        methods: figures of the model, and then of each baseline.
        curve: of the model, on smoothed scores.
        bins: of its calibrated probabilities.
        calibration_error: of these; None without an instant.
        misses, false_alarms: the worst of each, and how many there are in all.
        chosen: pictures of moments that were asked for.
        smooth_seconds: over which scores were averaged.
        fps: of the grid.
    """

    model: str
    kind: str
    signals: Sequence[str]
    part: Part
    vods: Mapping[str, str]
    flattered: Sequence[str] = ()
    methods: Sequence[MethodFigures]
    curve: Sequence[CurvePoint]
    bins: Sequence[Bin]
    calibration_error: float | None
    misses: Sequence[Shown]
    all_misses: int
    false_alarms: Sequence[Shown]
    all_false_alarms: int
    chosen: Sequence[ExplainedPicture] = ()
    smooth_seconds: float
    fps: Fraction


def render(page: AnalysisPage) -> str:
    """The whole page as HTML."""
    sheet = style() + _sheet()
    return Template(resources.files("lolhl.report").joinpath("analysis.html").read_text(encoding="utf-8")).substitute(
        title=escaped(page.model), style=sheet, style_hash=policy_hash(sheet), body=join(_sections(page))
    )


def _sheet() -> str:
    return resources.files("lolhl.report").joinpath("analysis.css").read_text(encoding="utf-8")


def _sections(page: AnalysisPage) -> Iterator[Html]:
    signals = ", ".join(page.signals)
    yield el(
        "header",
        el("p", "lolhl ", el("span", "analysis of a model"), class_="brand"),
        el("h1", f"What {page.model} finds and misses"),
        el("p", el("span", f"kind {page.kind}"), el("span", f"listens to {signals}"), class_="meta"),
        class_="top",
    )
    yield el(
        "main",
        el(
            "section",
            el("h2", f"Judged on {_counted(len(page.vods), 'stream')}: {', '.join(page.vods)}"),
            el("p", PARTS[page.part]),
            class_="notice",
        ),
        _tiles(page),
        el("div", _curve(page), _reliability(page), class_="pair"),
        _events(page),
        _methods(page),
        _gallery(
            "misses",
            "The worst misses",
            f"Labelled events that no highlight matches: {page.all_misses} in all. First those that nothing was found "
            "in at all, the lowest score first.",
            page.misses,
            page,
        ),
        _gallery(
            "alarms",
            "The worst false alarms",
            f"Highlights that match no labelled event: {page.all_false_alarms} in all. First those that touch no label "
            "at all, the highest score first.",
            page.false_alarms,
            page,
        ),
        moments_asked_for(page.chosen) if page.chosen else None,
        how_to_read(explained[0].figures.tries) if (explained := _explained(page)) else None,
    )
    yield el(
        "footer",
        el(
            "span",
            f"Scores are averaged over {page.smooth_seconds:g} s at {page.fps} instants a second. Events are matched "
            "one to one by the overlap in time (tIoU). In brackets: 95 % of resamples.",
        ),
    )


def _tiles(page: AnalysisPage) -> Html:
    figures = page.methods[0]
    frames, events = figures.frames.model, figures.events[0]
    tiles = [
        (
            "Average precision",
            format_figure(frames.average_precision, decimals=2),
            f"{_percent(frames.base_rate)} labelled",
        ),
        (
            "Events found",
            f"{events.matched} of {events.labelled}",
            f"by {events.predicted} highlights, tIoU {events.tiou:g}",
        ),
    ]
    if figures.editing:
        labelled = figures.editing.labelled_minutes
        tiles.append(
            (
                f"To see {SEEN:.0%}",
                f"{_minutes(figures.editing.minutes)} min",
                f"of video; {labelled:.1f} min are labelled",
            )
        )
    if page.calibration_error is not None:
        off = 100 * page.calibration_error
        tiles.append(("Probabilities are off by", f"{off:.0f} points", "in a hundred, on average"))
    return el("dl", *(el("div", el("dt", a), el("dd", b, el("small", c))) for a, b, c in tiles), class_="tiles")


def _curve(page: AnalysisPage) -> Html:
    frames = page.methods[0].frames.model
    marks = []
    at_threshold = "At its threshold nothing is called."
    if frames.precision is not None and frames.recall is not None:
        marks = [Mark(f"threshold {frames.threshold:.2f}", (frames.recall, frames.precision))]
        at_threshold = (
            f"At the chosen threshold of {frames.threshold:.2f}, {frames.precision:.0%} of the called frames are "
            f"labelled (precision), and {frames.recall:.0%} of the labelled ones are called (recall)."
        )
    lines = [Line(page.model, "first", [(point.recall, point.precision) for point in page.curve])]
    if frames.base_rate is not None:
        lines.append(Line("a constant answer", "base", [(0, frames.base_rate), (1, frames.base_rate)]))
    figure = Plot(
        title="Precision-recall curve of frames",
        description=f"Average precision {format_figure(frames.average_precision, decimals=2)}. {at_threshold}",
        x=unit_axis("recall"),
        y=unit_axis("precision"),
        lines=lines,
        marks=marks,
    )
    rows = [(f"{share / _STEPS:g}", *_reached(page.curve, share / _STEPS)) for share in range(1, _STEPS + 1)]
    return card(
        "curve",
        "Which frames it calls",
        plot(figure),
        el("p", at_threshold, class_="quiet"),
        folded("The curve in numbers", ("Recall of at least", "Precision", "Threshold"), rows),
    )


def _reached(curve: Sequence[CurvePoint], recall: float) -> tuple[str, str]:
    """Precision and threshold where the curve reaches a recall."""
    point = next((point for point in curve if point.recall >= recall - 1e-9), None)
    return (f"{point.precision:.2f}", f"{point.threshold:.3f}") if point else ("–", "–")


def _reliability(page: AnalysisPage) -> Html:
    figure = Plot(
        title="Reliability of the probabilities",
        description="How often instants of a probability lie in labelled highlights. On the diagonal, probabilities "
        "mean what they say.",
        x=unit_axis("probability, mean of each tenth"),
        y=unit_axis("share in labelled highlights"),
        lines=[
            Line(page.model, "first", [(part.probability, part.labelled) for part in page.bins]),
            Line("probabilities that mean what they say", "base", [(0, 0), (1, 1)]),
        ],
        marks=[Mark("", (part.probability, part.labelled)) for part in page.bins],
    )
    rows = [
        (f"{part.low:.0%} to {part.high:.0%}", str(part.instants), f"{part.probability:.0%}", f"{part.labelled:.0%}")
        for part in page.bins
    ]
    return card(
        "reliability",
        "What its probabilities mean",
        plot(figure),
        el("p", "Of calibrated probabilities that were not smoothed.", class_="quiet"),
        folded("The figure in numbers", ("Probability", "Instants", "Mean", "In labelled highlights"), rows),
    )


def _events(page: AnalysisPage) -> Html:
    figures = page.methods[0]
    header = ["Stream", "Labelled", "Highlights"]
    for tiou in TIOUS:
        header += [f"Found, tIoU {tiou:g}", f"Missed, tIoU {tiou:g}"]
    rows = []
    for vod, own in figures.per_vod.items():
        title = page.vods.get(vod, vod)
        name = vod if title == vod else f"{vod} ({title})"
        name += ", learnt from" if vod in page.flattered else ""
        cells = [name, str(own.events[0].labelled), str(own.events[0].predicted)]
        for at in own.events:
            cells += [str(at.matched), str(at.labelled - at.matched)]
        rows.append((*cells, format_figure(own.average_precision, decimals=2)))
    header.append("Average precision")
    note = "Highlights of a stream may be cut at a threshold that suits it, and not at the one of the curve."
    return card("events", "Events found and missed", table(header, rows), el("p", note, class_="quiet"))


def _methods(page: AnalysisPage) -> Html:
    header = ["Method", "Average precision", *(f"Event F1, tIoU {tiou:g}" for tiou in TIOUS)]
    header += [f"Minutes for {SEEN:.0%}", "Ten best right", "Called / labelled"]
    rows, minutes = [], []
    for method in page.methods:
        frames = method.frames.model
        cells = [method.method, format_figure(frames.average_precision, frames.average_precision_interval, 2)]
        cells += [format_figure(at.f1, at.f1_interval, 2) for at in method.events]
        editing = method.editing
        estimates = [editing.minutes, editing.ten_best, editing.called] if editing else [Estimate(None, None)] * 3
        cells += [
            format_figure(estimate.value, estimate.interval, 1 if n == 0 else 2) for n, estimate in enumerate(estimates)
        ]
        rows.append(tuple(cells))
        minutes.append((method.method, estimates[0].value, _minutes(estimates[0])))
    own = page.methods[0]
    description = f"{page.model} needs {minutes[0][2]} minutes"
    description += "".join(f", {name} {text}" for name, _, text in minutes[1:]) + "."
    labelled = f" {own.editing.labelled_minutes:.1f} minutes are labelled." if own.editing else ""
    return card(
        "methods",
        "Beside methods that learn nothing",
        bars(f"Minutes to watch until {SEEN:.0%} of the labelled events are seen", description, minutes[:_MOST_BARS]),
        el(
            "p",
            f"Minutes to watch, from the best moment on, until {SEEN:.0%} of the labelled events are seen." + labelled,
            class_="quiet",
        ),
        table(header, rows),
    )


def _gallery(place: str, title: str, note: str, shown: Sequence[Shown], page: AnalysisPage) -> Html:
    cards = [_mistake(mistake, page, is_miss=place == "misses") for mistake in shown]
    content = el("ol", *cards, class_="mistakes") if cards else None
    return el("section", el("h2", title, id=place), el("p", note, class_="quiet"), content, aria_labelledby=place)


def _mistake(shown: Shown, page: AnalysisPage, *, is_miss: bool) -> Html:
    mistake = shown.mistake
    start, stop = (grid.format_time(round(time)) for time in (mistake.start, mistake.stop))
    if shown.picture:
        address = "data:image/jpeg;base64," + base64.b64encode(shown.picture).decode()
        picture = el("img", src=address, alt=f"{mistake.vod} at {grid.format_time(round(shown.pictured))}")
    else:
        picture = el("div", "no picture: the video is not stored", class_="nothing")
    return el(
        "li",
        picture,
        el(
            "div",
            el("h3", f"{mistake.vod}, {start} – {stop}"),
            el("p", _reason(mistake, page, is_miss=is_miss)),
            *_signals(shown),
            *(picture_parts(shown.explained) if shown.explained else ()),
            el("p", _link(shown), class_="quiet"),
            class_="text",
        ),
        class_="mistake",
    )


def _link(shown: Shown) -> Html:
    mistake = shown.mistake
    if shown.page is None:
        return join(["There is no page of it yet: ", el("code", f"lolhl report {mistake.vod}")])
    return el("a", "Show it in the stream", href=f"{shown.page}#t={mistake.start:.3f}")


def _reason(mistake: Mistake, page: AnalysisPage, *, is_miss: bool) -> str:
    peak = grid.format_time(round(mistake.peak))
    threshold = page.methods[0].frames.model.threshold or 0.0
    text = f"The smoothed probability reached {mistake.score:.2f} at {peak} (threshold {threshold:.2f})."
    if mistake.overlap > 0:
        other = "highlight" if is_miss else "labelled event"
        return f"{text} It overlaps a {other} by {mistake.overlap:.0%} of both together, which is too little."
    if not is_miss:
        return f"{text} No label touches it."
    if mistake.score < threshold:
        return f"{text} No highlight touches it."
    return (
        f"{text} No highlight touches it all the same: what lies above the threshold is too short, or the stream has a "
        "threshold of its own."
    )


def _signals(shown: Shown) -> Iterator[Html]:
    """What each signal adds, in a figure and in words."""
    if not shown.parts:
        return
    mistake = shown.mistake
    series = {name: list(map(float, values)) for name, values in shown.parts.items()}
    first, last = float(shown.times[0]), float(shown.times[-1])
    ticks = [(time, grid.format_time(round(time))) for time in np.linspace(first, last, 3).tolist()]
    words = [_sentence(name, value) for name, value in mistake.signals.items()]
    yield plot(
        Plot(
            title="What each signal adds to the log-odds",
            description=" ".join(f"{word}." for word in words),
            x=Axis("time in the stream", first, last, ticks),
            y=spread_axis("log-odds", [value for values in series.values() for value in values]),
            lines=[
                Line(name, _KINDS[place % len(_KINDS)], list(zip(shown.times.tolist(), values, strict=True)))
                for place, (name, values) in enumerate(series.items())
            ],
            bands=[(mistake.start, mistake.stop)],
            width=400,
            height=220,
        )
    )
    yield el("ul", *(el("li", word) for word in words), class_="said")


def _sentence(name: str, part: float | None) -> str:
    if part is None:
        return f"{name} is not known there"
    leaning = "for a highlight" if part > 0.5 else "against one" if part < -0.5 else "neither way"
    return f"{name} speaks {leaning}: {part:+.1f} on average"


def _explained(page: AnalysisPage) -> list[ExplainedPicture]:
    """All pictures of the page that are explained."""
    shown = [mistake.explained for mistake in (*page.misses, *page.false_alarms)]
    return [*(picture for picture in shown if picture), *page.chosen]


def _minutes(estimate: Estimate) -> str:
    return format_figure(estimate.value, decimals=1)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
