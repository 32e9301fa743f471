"""A retraining in words and tables: as Markdown, and as a table for the page."""

from collections.abc import Callable, Sequence

from lolhl.evaluate.events import TIOUS
from lolhl.evaluate.figures import FrameFigures, VodFigures, format_figure
from lolhl.evaluate.judge import draws_vods
from lolhl.report.page import Table
from lolhl.results import Retraining, Verdict


def describe(result: Retraining) -> str:
    """A retraining's result as Markdown: the verdict, the figures, and what changed in each VOD."""
    challenger, rival, gain = result.challenger, result.rival, result.gain
    lines = [f"# {_headline(result)}", "", f"`{result.model}` was trained: {result.reason}.", ""]
    if result.flattered:
        lines += [f"The champion before learnt from {', '.join(result.flattered)}: its figures flatter it.", ""]

    vods = f"on {', '.join(result.judge)}"
    lines += _row(vods, "average precision (95 %)", "F1 (95 %)", *(f"events at tIoU {tiou}" for tiou in TIOUS))
    lines += _row(*["---"] * (3 + len(TIOUS)))
    models = {"challenger": challenger, "champion before": rival} if rival else {"challenger": challenger}
    for name, verdict in models.items():
        events = (f"{at.matched} of {at.labelled}, by {at.predicted}" for at in verdict.events)
        lines += _row(f"{name} `{verdict.model}`", *_frame_figures(verdict.frames.model), *events)
    for name, figures in {"constant": challenger.frames.constant, "random": challenger.frames.random}.items():
        lines += _row(name, *_frame_figures(figures), *[""] * len(TIOUS))
    if gain:
        units = "VODs" if draws_vods(len(result.judge)) else "chunks"
        difference = format_figure(gain.value, gain.interval)
        lines += ["", f"Challenger minus champion: {difference}, by {gain.groups} {units} drawn in pairs."]

    lines += ["", *_row("VOD", "", "labels", "added", "removed", "moved", *(f"{name}: AP, events" for name in models))]
    lines += _row(*["---"] * (6 + len(models)))
    held, learnt = {*result.judge}, {*result.learn}
    for vod, change in result.changes.items():
        side = "held out" if vod in held else "learnt from" if vod in learnt else "gone"
        cells = [_on_vod(verdict.per_vod[vod]) if vod in held else "" for verdict in models.values()]
        counts = (change.labels, change.added, change.removed, change.moved)
        lines += _row(vod, side, *map(str, counts), *cells)
    return "\n".join(lines) + "\n"


def side_by_side(result: Retraining) -> Table:
    """The new model beside the champion before, and beside answers that know nothing, on the held-out VODs.

    The champion before has no column where there was none.
    """
    challenger, rival = result.challenger, result.rival
    verdicts = [challenger, *([rival] if rival else [])]
    nothing = ("", "")
    rows = [
        _page_row("Average precision (95 %)", verdicts, lambda figures: _frame_figures(figures)[0]),
        _page_row("F1 (95 %)", verdicts, lambda figures: _frame_figures(figures)[1]),
    ]
    for place, tiou in enumerate(TIOUS):
        events = [verdict.events[place] for verdict in verdicts]
        counts = (f"{at.matched} of {at.labelled}, by {at.predicted}" for at in events)
        rows.append((f"Events found at tIoU {tiou:g}", *counts, *nothing))
    rows += [
        (f"{vod}: AP, events", *(_on_vod(verdict.per_vod[vod]) for verdict in verdicts), *nothing)
        for vod in result.judge
    ]
    note = f"{result.reason[0].upper()}{result.reason[1:]}. Judged on {', '.join(result.judge)}, not learnt from."
    if result.gain:
        note += f" New minus before: {format_figure(result.gain.value, result.gain.interval)}."
    if result.flattered:
        note += f" The champion before learnt from {', '.join(result.flattered)}: its figures flatter it."
    return Table(
        "Nothing is new since the last time. Then: " * result.nothing_new + _headline(result).replace("`", ""),
        ("", "New model", *(["Champion before"] if rival else []), "Constant answer", "Random ranking"),
        tuple(rows),
        note,
    )


def _page_row(name: str, verdicts: Sequence[Verdict], cell: Callable[[FrameFigures], str]) -> tuple[str, ...]:
    """A figure of each model, and of answers that know nothing."""
    figures = [verdict.frames.model for verdict in verdicts]
    figures += [verdicts[0].frames.constant, verdicts[0].frames.random]
    return (name, *map(cell, figures))


def _headline(result: Retraining) -> str:
    if result.promoted:
        return f"`{result.model}` is champion now" + (f", in place of `{result.before}`" if result.rival else "")
    return f"`{result.champion}` stays champion" if result.rival else "There is no champion yet"


def _row(*cells: str) -> list[str]:
    return [f"| {' | '.join(cells)} |"]


def _frame_figures(figures: FrameFigures) -> list[str]:
    return [
        format_figure(figures.average_precision, figures.average_precision_interval),
        format_figure(figures.f1, figures.f1_interval),
    ]


def _on_vod(figures: VodFigures) -> str:
    events = figures.events[0]
    return f"{format_figure(figures.average_precision)}, {events.matched} of {events.labelled}"
