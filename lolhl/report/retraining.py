"""A retraining in words and tables, as Markdown."""

from lolhl.evaluate.figures import FrameFigures, VodFigures, format_figure
from lolhl.evaluate.judge import draws_vods
from lolhl.evaluate.metrics import TIOUS
from lolhl.results import Retraining


def describe(result: Retraining) -> str:
    """A retraining's result as Markdown: the verdict, the figures, and what changed in each VOD."""
    challenger, rival, gain = result.challenger, result.rival, result.gain
    trained = f"`{result.model}`"
    if result.promoted:
        headline = f"{trained} is champion now" + (f", in place of `{result.before}`" if rival else "")
    else:
        headline = f"`{result.champion}` stays champion" if rival else "There is no champion yet"
    lines = [f"# {headline}", "", f"{trained} was trained: {result.reason}.", ""]
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
