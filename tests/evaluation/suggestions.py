"""python -m tests.evaluation.suggestions: what a model's suggestions teach, against looking in order of time.

A first model learns from one stream of ten minutes. Then an editor has some minutes for the other streams of its side.
He looks at them in order of time, or goes through the lists of the review page (`lolhl.highlights.feeds`) that the
first model fills: their first moments in each stream, then their second ones, and so on; the lists are made anew when
they are empty. All that he has looked at counts as his time, the seconds round a moment too. He is right: he gives what
lies in it the borders of the labels, and rejects the rest. From the first stream and what he has looked at a model
learns as `lolhl train` does, and it is judged on the other side's streams.

What is done already is kept in the root: the streams and tracks are those of `python -m tests.evaluation`.

    python -m tests.evaluation.suggestions --minutes 5 10 --seeds 0 1 2
"""

import argparse
import os
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from statistics import mean

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
import numpy.typing as npt
from msgspec import structs

from lolhl.errors import LolhlError
from lolhl.evaluate.compare import compare
from lolhl.evaluate.figures import MethodFigures, format_figure
from lolhl.highlights.amount import choose
from lolhl.highlights.cut import Highlight, find
from lolhl.highlights.feeds import Moment, feeds
from lolhl.labels.spans import Span
from lolhl.labels.store import VodLabels, save_labels
from lolhl.review.corrections import ROUND, Correction, Corrections, labels_of, looked_at
from lolhl.stages import methods
from tests.benchmarks import result
from tests.evaluation import report
from tests.evaluation.material import BACK, FORTH, Direction, Workshop
from tests.evaluation.methods import signals_of
from tests.samples.__main__ import main as render

ORDER = "in order"
# How the editor looks → the lists that he goes through; in order of time he needs none.
WAYS: dict[str, tuple[str, ...]] = {
    ORDER: (),
    "suggestions": ("Borderline", "Surest", "Least sure", "Random"),
    "random": ("Random",),
    "borderline": ("Borderline",),
    "surest": ("Surest",),
    "least sure": ("Least sure",),
}
USUAL = (ORDER, "suggestions", "random")
_NOTES = """\
An editor has some minutes for the streams of one side but the first, whose labels the first model has learnt from.
"looked at" is his time in minutes, "labels" what he accepted in it, "first model" what he began with, and "all of it"
what he would have with time for all. Sample streams, figures and directions are those of `python -m tests.evaluation`.
In brackets: 95 % intervals, by bootstrap over chunks of 30 s; those of differences are paired."""


@dataclass(frozen=True, eq=False)
class Stream:
    """What may be looked at, and what the first model says of it.

    Attributes:
        labels: the truth.
        smoothed: float64 [n], probabilities on the grid as highlights were cut from them.
    """

    vod: str
    duration: float
    labels: Sequence[Span]
    fps: Fraction
    smoothed: npt.NDArray[np.float64]
    threshold: float
    highlights: Sequence[Highlight]


@dataclass(frozen=True)
class Row:
    """What one way to look taught in one run."""

    seed: int
    minutes: str
    way: str
    looked_at: float
    labels: int
    figures: MethodFigures


def in_order(streams: Sequence[Stream], seconds: float) -> dict[str, VodLabels]:
    """The labels of the first seconds of these streams, one after the other."""
    labels = {}
    for stream in streams:
        stop = min(stream.duration, seconds)
        if stop <= 0:
            break
        seconds -= stop
        spans = [replace(span, stop=min(span.stop, stop)) for span in stream.labels if span.start < stop]
        labels[stream.vod] = VodLabels(spans, [Span(0.0, stop)])
    return labels


def by_lists(streams: Sequence[Stream], names: Sequence[str], seconds: float) -> dict[str, VodLabels]:
    """The labels of who goes through these lists for so many seconds, as the review page makes them."""
    given = {stream.vod: Corrections() for stream in streams}
    while spent(given, streams) < seconds:
        looked = 0
        for stream, moment in _turns(streams, names, given):
            known = looked_at(given[stream.vod], stream.duration)
            if any(span.start < moment.span.stop and moment.span.start < span.stop for span in known):
                continue  # he saw it round another one
            given[stream.vod] = judged(given[stream.vod], moment, stream)
            looked += 1
            if spent(given, streams) >= seconds:
                break
        if not looked:
            break
    return {
        stream.vod: labels_of(stream.vod, given[stream.vod], None, stream.duration)
        for stream in streams
        if given[stream.vod].spans
    }


def _turns(
    streams: Sequence[Stream], names: Sequence[str], given: Mapping[str, Corrections]
) -> Iterator[tuple[Stream, Moment]]:
    """The moments of all lists: the first one of each list and stream, then the second ones, and so on."""
    lists: list[tuple[Stream, Sequence[Moment]]] = []
    for stream in streams:
        known = looked_at(given[stream.vod], stream.duration)
        made = feeds(stream.vod, stream.smoothed, stream.fps, stream.threshold, stream.highlights, known)
        lists += [(stream, feed.moments) for feed in made if feed.name in names]
    for place in range(max((len(moments) for _, moments in lists), default=0)):
        for stream, moments in lists:
            if place < len(moments):
                yield stream, moments[place]


def judged(given: Corrections, moment: Moment, stream: Stream) -> Corrections:
    """The corrections with what an editor who is right says of a moment and of the seconds round it."""
    start, stop = moment.span.start, moment.span.stop
    spans = [span for span in stream.labels if span.start < stop + ROUND and start - ROUND < span.stop]
    known = {(span.start, span.stop) for span in given.spans}
    new = [Correction(span.start, span.stop, "accepted") for span in spans if (span.start, span.stop) not in known]
    if not any(span.start < stop and start < span.stop for span in spans):
        new.append(Correction(start, stop, "rejected"))
    return structs.replace(given, spans=(*given.spans, *new), looked_at=(*given.looked_at, (start, stop)))


def spent(given: Mapping[str, Corrections], streams: Sequence[Stream]) -> float:
    """How many seconds were looked at."""
    return sum(span.duration for stream in streams for span in looked_at(given[stream.vod], stream.duration))


def look(workshop: Workshop, model: str, vods: Sequence[str]) -> list[Stream]:
    """The streams as a model sees them."""
    labels = workshop.labels(vods)
    judge, scored = methods.score_vods(workshop.root, model, labels)
    streams = []
    for vod in scored:
        smoothed, duration = vod.smoothed(judge.smooth_seconds), float(len(vod.scores) / vod.fps)

        def find_at(
            threshold: float,
            smoothed: npt.NDArray[np.float64] = smoothed,
            fps: Fraction = vod.fps,
            duration: float = duration,
        ) -> list[Highlight]:
            return find(smoothed, fps, duration, replace(judge.limits, threshold=threshold))

        threshold, highlights = choose(find_at, smoothed, float(vod.fps), judge.limits.threshold, judge.share)
        streams.append(Stream(vod.vod, duration, labels[vod.vod], vod.fps, smoothed, threshold, highlights))
    return streams


def learn(
    workshop: Workshop, name: str, whole: Sequence[str], labels: Mapping[str, VodLabels], arguments: Sequence[str]
) -> None:
    """Trains a model on whole streams and on what was looked at of others, unless it is there."""
    for vod, looked in labels.items():
        save_labels(workshop.root, vod, looked.spans, looked.looked_at)
    workshop.run(f"dataset {name}", "dataset", name, *whole, *labels, "--holdout", "chunks")
    workshop.run(f"train {name}", "train", name, "--dataset", name, *arguments)


def run(
    workshop: Workshop,
    direction: Direction,
    minutes: Sequence[float],
    seed: int,
    ways: Sequence[str],
    arguments: Sequence[str] = (),
) -> list[Row]:
    """What each way to look teaches in each time. The labels in the root are the whole ones again afterwards."""
    first, *others = direction.learn
    truth, unseen = workshop.labels(others), workshop.labels(direction.judge)
    prefix, train = f"suggest-{direction.name}-{seed}", ["--seed", str(seed), *arguments]

    def figures(names: Mapping[str, str], references: Sequence[str]) -> dict[str, MethodFigures]:
        predicted = {way: methods.predict(workshop.root, name, unseen) for way, name in names.items()}
        return {method.method: method for method in compare(predicted, references)}

    def row(time: str, way: str, labels: Mapping[str, VodLabels], judged: MethodFigures) -> Row:
        seconds = sum(span.duration for known in labels.values() for span in known.looked_at or ())
        return Row(seed, time, way, seconds / 60, sum(len(known.spans) for known in labels.values()), judged)

    try:
        learn(workshop, f"{prefix}-first", [first], {}, train)
        learn(workshop, f"{prefix}-all", direction.learn, {}, train)
        streams = look(workshop, f"{prefix}-first", others)
        ends = figures({"first model": f"{prefix}-first", "all of it": f"{prefix}-all"}, [])
        whole = {
            stream.vod: VodLabels(truth[stream.vod], [Span(0.0, stream.duration)]) for stream in streams
        }  # as if it had been looked at from end to end
        rows = [row("0", "first model", {}, ends["first model"])]
        for budget in minutes:
            if budget * 60 >= sum(stream.duration for stream in streams):
                continue
            labels: dict[str, dict[str, VodLabels]] = {}
            names: dict[str, str] = {}
            for way in ways:
                labels[way] = by_lists(streams, WAYS[way], budget * 60) if WAYS[way] else in_order(streams, budget * 60)
                names[way] = f"{prefix}-{way.replace(' ', '-')}-{budget:g}"
                learn(workshop, names[way], [first], labels[way], train)
                workshop.save(truth)
            judged = figures(names, [ORDER] if ORDER in ways else [])
            rows += [row(f"{budget:g}", way, labels[way], judged[way]) for way in ways]
        return [*rows, row("all", "all of it", whole, ends["all of it"])]
    finally:
        workshop.save(truth)


def tables(direction: Direction, rows: Sequence[Row]) -> list[result.Table]:
    """Each run, and the means of all seeds."""
    heads = ("average precision", "event F1 at 0.3", "event F1 at 0.5", "called / labelled")
    runs = result.Table(
        f"{direction.name}: first learnt from {direction.learn[0]}; judged on {', '.join(direction.judge)}",
        ("seed", "minutes", "way", "looked at", "labels", *heads, f"average precision minus {ORDER}"),
        [
            (row.seed, row.minutes, row.way, f"{row.looked_at:.1f}", row.labels, *_shown(row), _difference(row))
            for row in rows
        ],
    )
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.minutes, row.way), []).append(row)
    means = result.Table(
        f"{direction.name}: means of {len({row.seed for row in rows})} seeds",
        ("minutes", "way", "labels", *heads[:3]),
        [(*group, f"{mean(row.labels for row in members):.0f}", *_means(members)) for group, members in groups.items()],
    )
    return [means, runs]


def _shown(row: Row) -> list[str]:
    frames, editing = row.figures.frames.model, row.figures.editing
    return [
        format_figure(frames.average_precision, frames.average_precision_interval),
        *(format_figure(events.f1, events.f1_interval) for events in row.figures.events),
        "–" if editing is None else format_figure(editing.called.value, None, 2),
    ]


def _difference(row: Row) -> str:
    gain = row.figures.differences.get(ORDER)
    if gain is None or gain.average_precision.value is None:
        return "–"
    interval = gain.average_precision.interval
    text = f"{gain.average_precision.value:+.3f}"
    return f"{text} ({interval.low:+.3f} to {interval.high:+.3f})" if interval else text


def _means(rows: Sequence[Row]) -> list[str]:
    precisions = [row.figures.frames.model.average_precision or 0.0 for row in rows]
    events = [[row.figures.events[place].f1 or 0.0 for row in rows] for place in (0, 1)]
    return [f"{mean(values):.3f}" for values in (precisions, *events)]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.evaluation.suggestions",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    directions = {direction.name: direction for direction in (FORTH, BACK)}
    parser.add_argument("--streams", type=Path, default=Path("lolhl-data/evaluation-streams"), help="sample streams")
    parser.add_argument("--root", default="lolhl-data/evaluation", help="where everything else is kept")
    parser.add_argument("--directions", nargs="+", choices=directions, default=[*directions], help="which way round")
    parser.add_argument("--minutes", nargs="+", type=float, default=[5.0, 10.0], help="that an editor has")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="of training")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=USUAL, help="how he looks")
    parser.add_argument("--name", default="suggestions", help="of the result: results/DATE-NAME.md")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the labels in the root are put back then too
    try:
        if render(["--set", "evaluate", "--out", str(given.streams)]):
            return 1
        workshop = Workshop(given.root, given.streams)
        shown: list[result.Table] = []
        for direction in (directions[name] for name in given.directions):
            workshop.bring([*direction.learn, *direction.judge], signals_of(["default"]))
            rows = [row for seed in given.seeds for row in run(workshop, direction, given.minutes, seed, given.ways)]
            shown += tables(direction, rows)
    except LolhlError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    words = sys.argv[1:] if arguments is None else arguments
    called = " ".join(["python -m tests.evaluation.suggestions", *(f'"{w}"' if " " in w else w for w in words)])
    result.write(given.name, shown, called, _NOTES, folder=report.FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
