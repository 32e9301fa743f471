"""python -m tests.evaluation.free_labels: what a game's own record teaches, against what people mark.

Labels of the sample streams follow from the game's own log, so they play those that `lolhl riot` gives for free. People
mark the same fights less exactly: their borders are moved at random until the time that both mark is 0.6 of the time
that either marks, about as far as two independent labellings of the same games of League of Legends agree (0.51 on 117
professional games, kappa 0.61). One model learns from each, as `lolhl train` does, and both are judged on the streams
of the other side: by the labels of the log, and by those of people.

    python -m tests.evaluation.free_labels --seeds 0 1 2
"""

import argparse
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np

from lolhl.errors import LolhlError
from lolhl.evaluate.compare import compare
from lolhl.evaluate.figures import MethodFigures, format_figure
from lolhl.labels.spans import Span, merge
from lolhl.stages import methods
from tests.benchmarks import result
from tests.evaluation import report
from tests.evaluation.material import BACK, FORTH, Direction, Workshop
from tests.evaluation.methods import signals_of
from tests.samples.__main__ import main as render

AGREEMENT = 0.6  # intersection over union of the time that both labellings mark
_LEAST = 1.0  # seconds of a label
_HALVINGS = 20
FREE, PEOPLE = "free", "people"
_NOTES = """\
Sample streams and directions are those of `python -m tests.evaluation`. "free" learnt from the labels of the game's
log, "people" from the same with borders moved at random (see `tests/evaluation/free_labels.py`). In brackets: 95 %
intervals, by bootstrap over chunks of 30 s; those of differences are paired."""

Labels = Mapping[str, Sequence[Span]]


def as_people(labels: Labels, agreement: float, seed: int) -> dict[str, list[Span]]:
    """The labels with borders moved as far as the agreement says.

    Args:
        labels: VOD → its labelled spans.
        agreement: intersection over union of the time that is marked before and after.
        seed: of the moves.
    """
    low, high = 0.0, 30.0  # seconds, standard deviations of the moves: the larger, the less both agree
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if agree(labels, _moved(labels, middle, seed)) > agreement:
            low = middle
        else:
            high = middle
    return _moved(labels, low, seed)


def _moved(labels: Labels, deviation: float, seed: int) -> dict[str, list[Span]]:
    """The labels with each border moved by a normal variable of this deviation, in seconds."""
    moved = {}
    for vod in sorted(labels):
        rng, spans = np.random.default_rng([seed, len(labels[vod])]), []
        for span in labels[vod]:
            start, stop = (np.array([span.start, span.stop]) + rng.normal(0, deviation, 2)).round(3).tolist()
            if stop - start < _LEAST:
                middle = (span.start + span.stop) / 2
                start, stop = middle - _LEAST / 2, middle + _LEAST / 2
            spans.append(Span(round(max(0.0, start), 3), round(stop, 3)))
        moved[vod] = merge(spans)
    return moved


def agree(labels: Labels, others: Labels) -> float:
    """Intersection over union of the time that two labellings of the same VODs mark."""
    both = either = 0.0
    for vod, spans in labels.items():
        first, second = merge(spans), merge(others[vod])
        union = sum(span.duration for span in merge([*first, *second]))
        either += union
        both += sum(span.duration for span in [*first, *second]) - union
    return both / either


def run(
    workshop: Workshop, direction: Direction, seed: int, arguments: Sequence[str] = ()
) -> dict[str, dict[str, MethodFigures]]:
    """Whose labels judge → whose labels were learnt from → its figures. The root has the log's labels afterwards."""
    free = workshop.labels([*direction.learn, *direction.judge])
    people = as_people(free, AGREEMENT, seed)
    names = {FREE: f"free-{direction.name}-{seed}", PEOPLE: f"people-{direction.name}-{seed}"}
    try:
        for source, labels in ((FREE, free), (PEOPLE, people)):
            workshop.save(labels)
            name = names[source]
            workshop.run(f"dataset {name}", "dataset", name, *direction.learn)
            workshop.run(f"train {name}", "train", name, "--dataset", name, "--seed", str(seed), *arguments)
    finally:
        workshop.save(free)
    judged = {}
    for source, labels in ((FREE, free), (PEOPLE, people)):
        unseen = {vod: labels[vod] for vod in direction.judge}
        predictions = {learnt: methods.predict(workshop.root, name, unseen) for learnt, name in names.items()}
        judged[source] = {figures.method: figures for figures in compare(predictions, [PEOPLE])}
    return judged


def tables(direction: Direction, runs: Mapping[int, Mapping[str, Mapping[str, MethodFigures]]]) -> list[result.Table]:
    """The mean difference of all seeds, and each run."""
    rows: list[tuple[object, ...]] = []
    gains: dict[str, list[float]] = {FREE: [], PEOPLE: []}
    for seed, judged in runs.items():
        for judge, figures in judged.items():
            for learnt in (FREE, PEOPLE):
                method = figures[learnt]
                frames, gain = method.frames.model, method.differences.get(PEOPLE)
                if learnt == FREE and gain is not None and gain.average_precision.value is not None:
                    gains[judge].append(gain.average_precision.value)
                rows.append(
                    (
                        seed,
                        judge,
                        learnt,
                        format_figure(frames.average_precision, frames.average_precision_interval),
                        *(format_figure(events.f1, events.f1_interval) for events in method.events),
                    )
                )
    heads = ("average precision", "event F1 at 0.3", "event F1 at 0.5")
    means = [
        (judge, f"{mean(values):+.3f}", f"{min(values):+.3f} to {max(values):+.3f}") for judge, values in gains.items()
    ]
    return [
        result.Table(
            f"{direction.name}: average precision of free minus people's labels, {len(runs)} seeds",
            ("judged by the labels of", "mean", "seeds"),
            means,
        ),
        result.Table(f"{direction.name}: each run", ("seed", "judged by", "learnt from", *heads), rows),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.evaluation.free_labels",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--streams", type=Path, default=Path("lolhl-data/evaluation-streams"), help="sample streams")
    parser.add_argument("--root", default="lolhl-data/evaluation", help="where everything else is kept")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="of training and of people's borders")
    parser.add_argument("--name", default="free-labels", help="of the result: results/DATE-NAME.md")
    given = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # the labels in the root are put back then too
    try:
        if render(["--set", "evaluate", "--out", str(given.streams)]):
            return 1
        workshop = Workshop(given.root, given.streams)
        shown: list[result.Table] = []
        for direction in (FORTH, BACK):
            workshop.bring([*direction.learn, *direction.judge], signals_of(["default"]))
            shown += tables(direction, {seed: run(workshop, direction, seed) for seed in given.seeds})
    except LolhlError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    called = " ".join(["python -m tests.evaluation.free_labels", *(sys.argv[1:] if arguments is None else arguments)])
    result.write(given.name, shown, called, _NOTES, folder=report.FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
