"""Tables of an evaluation, and its figures in MLflow."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from lolhl.evaluate.figures import Estimate, Interval, MethodFigures, format_figure
from lolhl.models import tracking
from lolhl.signals import SIGNALS
from lolhl.storage import Root
from tests.benchmarks.result import Table
from tests.evaluation.material import Direction, Workshop
from tests.evaluation.methods import BLOG, scores_of_blog

FOLDER = Path(__file__).parent / "results"
_NOTES = """\
Sample streams of Freedoom in ViZDoom (`python -m tests.samples --set evaluate`), with labels from the game's events.
The game's sound lies under music and shouts that are made by numbers, and the chat is made up: figures of chat say
how a method deals with lag and noise, not how people chat. "forth" learns on learn-a to learn-f and is judged on
held-a (other maps), held-b (alone against monsters) and held-c (other arenas); "back" learns on these three and is
judged on the six. In brackets: 95 % intervals, by bootstrap over chunks of 30 s that cut no event. Average precision
and F1 are of frames, 3 a second; events are matched at an overlap (tIoU); borders are those of matched events at 0.3.
Minutes: to watch from the best moment on, until 80 % of the events are half seen. Each figure is defined in
`editing.py`, `events.py` and `metrics.py` of `lolhl/evaluate/`.
"""


def notes(names: Sequence[str]) -> str:
    """What a reader must know of streams, figures, and of methods that were asked for and not run."""
    missing = [name for name in names if name in BLOG and not scores_of_blog("forth").exists()]
    command = "python -m tests.evaluation.blog forth"
    remark = f"\nNot run: {', '.join(missing)}; it takes half an hour (`{command}`)." if missing else ""
    return _NOTES + remark


def direction_tables(direction: Direction, figures: Mapping[str, MethodFigures]) -> list[Table]:
    """All figures of all methods, and how much of each VOD they call."""
    first = next(iter(figures.values()))
    labelled = first.editing.labelled_minutes if first.editing else 0.0
    frames = first.frames.model
    title = f"{direction.name}: learnt from {', '.join(direction.learn)}; judged on {', '.join(direction.judge)}"
    about = f" ({frames.frames} frames, {frames.base_rate or 0:.1%} of them labelled; {labelled:.1f} minutes)"
    quality = Table(
        title + about,
        ("method", "average precision", "frame F1", "event F1 at 0.3", "event F1 at 0.5"),
        [
            (
                name,
                _figure(method.frames.model.average_precision, method.frames.model.average_precision_interval),
                _figure(method.frames.model.f1, method.frames.model.f1_interval),
                *(_figure(events.f1, events.f1_interval) for events in method.events),
            )
            for name, method in figures.items()
        ],
    )
    editing = Table(
        f"{direction.name}: for an editor",
        ("method", "starts off by, s", "stops off by, s", "minutes for 80 %", "ten best right", "called / labelled"),
        [
            (
                name,
                _estimate(method.editing.start_error, 1),
                _estimate(method.editing.stop_error, 1),
                _estimate(method.editing.minutes, 1),
                _estimate(method.editing.ten_best),
                _estimate(method.editing.called),
            )
            for name, method in figures.items()
            if method.editing
        ],
    )
    vods = Table(
        f"{direction.name}: average precision, events matched at 0.3, and called / labelled, of each VOD",
        ("method", *direction.judge),
        [(name, *(_of_vod(method, vod) for vod in direction.judge)) for name, method in figures.items()],
    )
    return [quality, editing, vods]


def curve_table(curve: Mapping[int, Mapping[str, MethodFigures]]) -> Table:
    """Figures by minutes of labels that were learnt from, on the streams of `forth`."""
    return Table(
        "Learning curve, on the held-out streams",
        ("minutes of labels", "method", "average precision", "event F1 at 0.3", "event F1 at 0.5", "called / labelled"),
        [(minutes, *_short(name, method)) for minutes, figures in curve.items() for name, method in figures.items()],
    )


def variant_table(spread: Mapping[str, Mapping[str, MethodFigures]]) -> Table:
    """Figures by what was done to the held-out streams."""
    return Table(
        "The held-out streams muted in their middle third, with HUD and messages masked, as 160p, and with ten more "
        "shouts a minute; learnt from streams as they are",
        ("streams", "method", "average precision", "event F1 at 0.3", "event F1 at 0.5", "called / labelled"),
        [(variant, *_short(name, method)) for variant, figures in spread.items() for name, method in figures.items()],
    )


def cost_table(workshop: Workshop, names: Sequence[str], models: Sequence[str]) -> Table:
    """Seconds of this machine, when each was last really done: from stored tracks."""
    costs = workshop.costs()
    rows: list[tuple[object, ...]] = []
    for name in names:
        run = [seconds for step, seconds in costs.items() if step.startswith(f"run {name} ")]
        train = costs.get(f"train {name}-forth") if name in models else None
        rows.append((name, train, max(run, default=None)))
    for step in ("download", *SIGNALS):
        done = [seconds for name, seconds in costs.items() if name.split()[0] == step]
        rows.append((f"{step}, for each hour of stream", None, 6 * sum(done) / len(done) if done else None))
    return Table("Cost in seconds", ("", "train, 60 minutes of labels", "run"), rows)


def track(root: Root, name: str, figures: Mapping[str, MethodFigures]) -> None:
    """Logs the figures of each method to MLflow, a run for each that changed."""
    for method, judged in figures.items():
        values = json.dumps(asdict(judged), default=str, sort_keys=True)
        digest = hashlib.sha256(f"evaluate {name} {values}".encode()).hexdigest()
        run = tracking.start(root, f"evaluate-{name}-{method}", digest, {"method": method, "direction": name})
        logged = {"average_precision": judged.frames.model.average_precision, "frame_f1": judged.frames.model.f1}
        logged |= {f"event_f1_{events.tiou:g}": events.f1 for events in judged.events}
        if editing := judged.editing:
            logged |= {"start_error": editing.start_error.value, "stop_error": editing.stop_error.value}
            logged |= {"minutes": editing.minutes.value, "ten_best": editing.ten_best.value}
            logged["called"] = editing.called.value
        run.log(0, {key: value for key, value in logged.items() if value is not None})


def _of_vod(method: MethodFigures, vod: str) -> str:
    figures = method.per_vod[vod]
    at, called = figures.events[0], method.editing.called_in[vod] if method.editing else None
    average = format_figure(figures.average_precision, decimals=2)
    return f"{average}; {at.matched} of {at.labelled} by {at.predicted}; {format_figure(called, decimals=2)}"


def _short(name: str, method: MethodFigures) -> tuple[object, ...]:
    frames = method.frames.model
    events = (_figure(at.f1, at.f1_interval) for at in method.events)
    called = _estimate(method.editing.called) if method.editing else None
    return (name, _figure(frames.average_precision, frames.average_precision_interval), *events, called)


def _figure(value: float | None, interval: Interval | None) -> str:
    return format_figure(value, interval, 2)


def _estimate(estimate: Estimate, decimals: int = 2) -> str:
    return format_figure(estimate.value, estimate.interval, decimals)
