"""Several methods over the same VODs: the figures of each, how they differ, and one table of it all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from lolhl.evaluate.bootstrap import Resampled
from lolhl.evaluate.editing import SEEN, editing_figures
from lolhl.evaluate.events import TIOUS
from lolhl.evaluate.figures import Difference, Estimate, FrameFigures, Gain, MethodFigures, format_figure
from lolhl.evaluate.judge import Predictions, judge

_WIDTH = 120  # of the table, in characters


def compare(methods: Mapping[str, Predictions], references: Sequence[str] = ()) -> list[MethodFigures]:
    """The figures of each method, and how they differ from those of some of them.

    All intervals of differences come from the same resamples of the same groups. Methods may have other
    frame rates.

    Args:
        methods: name → what it says, of the same VODs.
        references: the names of those that each method is compared with.

    Raises:
        ValueError: the methods have other VODs.
        ModelError: a score is NaN or infinite.
    """
    if len({tuple(vod.vod for vod in predictions.vods) for predictions in methods.values()}) > 1:
        raise ValueError("methods can only be compared on the same VODs")
    groups = [counts.groups for predictions in methods.values() for counts in predictions.events]
    names = np.unique(np.concatenate(groups)) if groups else np.array([], dtype=np.str_)
    resampled = {
        name: _Resamples(predictions.resampled(names), [counts.resample(names) for counts in predictions.events])
        for name, predictions in methods.items()
    }
    return [
        MethodFigures(
            **vars(judge(predictions)),
            method=name,
            differences={
                reference: resampled[name].minus(resampled[reference]) for reference in references if reference != name
            },
            editing=editing_figures(predictions),
        )
        for name, predictions in methods.items()
    ]


@dataclass(frozen=True)
class _Resamples:
    """The resampled figures of one method: average precision of frames, and F1 of events at each overlap."""

    average_precision: Resampled
    events: Sequence[Resampled]

    def minus(self, other: "_Resamples") -> Difference:
        pairs = zip(self.events, other.events, strict=True)
        return Difference(
            average_precision=self.average_precision.gain(other.average_precision),
            events=[after.gain(before) for after, before in pairs],
        )


def table(methods: Sequence[MethodFigures], learnt: Mapping[str, Sequence[str]]) -> str:
    """The comparison in lines for people: figures, differences, and the VODs one by one.

    Args:
        learnt: method → those of the VODs that it has learnt from.
    """
    events = [f"event F1 at tIoU {tiou:g}" for tiou in TIOUS]
    rows = [["", "average precision", "frame F1", *events]]
    for method in methods:
        counted = [format_figure(figures.f1, figures.f1_interval) for figures in method.events]
        rows.append([_name(method, learnt), *_frame_figures(method.frames.model), *counted])
    rows.append(["random, expected", *_frame_figures(methods[0].frames.random), *[""] * len(events)])
    lines = [*_aligned(rows), *_editing_lines(methods, learnt)]

    references = {reference for method in methods for reference in method.differences}
    for reference in [method.method for method in methods if method.method in references]:
        rows = [[f"minus {reference}", "average precision", *events]]
        for method in methods:
            if reference in method.differences:
                difference = method.differences[reference]
                rows.append([method.method, *map(_difference, [difference.average_precision, *difference.events])])
        lines += ["", *_aligned(rows)]

    lines += _vod_lines(methods, learnt)
    if any(learnt.values()):
        lines += ["", "* The method has learnt from this VOD: its figures flatter it."]
    frames = methods[0].frames.model
    lines += [
        "",
        f"{frames.frames} frames, {format_figure(frames.base_rate)} of them in highlights; in brackets: 95 % intervals",
    ]
    return "\n".join(lines)


def _editing_lines(methods: Sequence[MethodFigures], learnt: Mapping[str, Sequence[str]]) -> list[str]:
    """What matters to an editor; nothing where no method has these figures."""
    rows = [["", "start off by, s", "stop off by, s", f"minutes for {SEEN:.0%}", "ten best right", "called / labelled"]]
    minutes = ""
    for method in methods:
        if figures := method.editing:
            borders = [_estimate(figures.start_error, 1), _estimate(figures.stop_error, 1)]
            rest = [_estimate(figures.minutes, 1), _estimate(figures.ten_best, 2), _estimate(figures.called, 2)]
            rows.append([_name(method, learnt), *borders, *rest])
            minutes = f"minutes to watch for {SEEN:.0%} of the events; {figures.labelled_minutes:.1f} are labelled"
    return ["", *_aligned(rows), minutes] if minutes else []


def _vod_lines(methods: Sequence[MethodFigures], learnt: Mapping[str, Sequence[str]]) -> list[str]:
    """The VODs one by one. Methods stand side by side, as many as fit in a line."""
    head = ["VOD: AP, events matched", *methods[0].per_vod]
    columns = []
    for method in methods:
        cells = []
        for vod, figures in method.per_vod.items():
            mark = "*" if vod in learnt.get(method.method, ()) else ""
            at = figures.events[0]
            average = format_figure(figures.average_precision)
            cells.append(f"{average}, {at.matched} of {at.labelled} by {at.predicted}{mark}")
        columns.append([method.method, *cells])
    lines: list[str] = []
    while columns:
        fitting = 1
        while fitting < len(columns) and max(map(len, _table(head, columns[: fitting + 1]))) <= _WIDTH:
            fitting += 1
        lines += ["", *_table(head, columns[:fitting])]
        columns = columns[fitting:]
    return lines


def _table(head: Sequence[str], columns: Sequence[Sequence[str]]) -> list[str]:
    return _aligned(list(zip(head, *columns, strict=True)))


def _estimate(estimate: Estimate, decimals: int) -> str:
    return format_figure(estimate.value, estimate.interval, decimals)


def _name(method: MethodFigures, learnt: Mapping[str, Sequence[str]]) -> str:
    return method.method + ("*" if learnt.get(method.method) else "")


def _frame_figures(figures: FrameFigures) -> list[str]:
    return [
        format_figure(figures.average_precision, figures.average_precision_interval),
        format_figure(figures.f1, figures.f1_interval),
    ]


def _difference(gain: Gain) -> str:
    text = "–" if gain.value is None else f"{gain.value:+.3f}"
    return text + (f" ({gain.interval.low:+.3f} to {gain.interval.high:+.3f})" if gain.interval else "")


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
