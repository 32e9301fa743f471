"""python -m tests.evaluation [METHOD …]: all methods on the same sample streams, by the one judge.

Models learn on six streams of ten minutes and are judged on three others, of other maps, another kind of game and
other arenas; and the other way round. A learning curve and what is muted, masked, small or shouted over follow for
models. What is done already is kept in the root, so another method costs only its own training and scores:

    python -m tests.evaluation constant random video mine="--kind video --clip-frames 9"
"""

import argparse
import os
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

from lolhl.errors import LolhlError
from lolhl.evaluate.compare import compare, table
from lolhl.evaluate.figures import MethodFigures
from lolhl.evaluate.judge import Predictions
from lolhl.stages.methods import BUILT_IN
from tests.benchmarks import result
from tests.evaluation import report
from tests.evaluation.material import BACK, CURVE, FORTH, HELD, Direction, Workshop
from tests.evaluation.methods import BLOG, MODELS, known, predict, signals_of
from tests.samples.__main__ import main as render
from tests.samples.variants import VARIANTS

PARTS = ("directions", "curve", "variants")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.evaluation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "methods", nargs="*", metavar="METHOD", help=f"{', '.join(known())}, or NAME=ARGUMENTS of train"
    )
    parser.add_argument("--streams", type=Path, default=Path("lolhl-data/evaluation-streams"), help="sample streams")
    parser.add_argument("--root", default="lolhl-data/evaluation", help="where everything else is kept")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="what is judged")
    parser.add_argument("--name", default="evaluation", help="of the result: results/DATE-NAME.md")
    given = parser.parse_args(arguments)
    for definition in [method for method in given.methods if "=" in method]:
        name, MODELS[name] = definition.split("=", 1)
    names = [method.split("=", 1)[0] for method in given.methods] or known()
    if unknown := [name for name in names if name not in known()]:
        parser.error(f"{unknown[0]!r} is no method: choose among {', '.join(known())}, or say NAME=ARGUMENTS")
    try:
        sets = ["evaluate", *(["more"] if "curve" in given.parts else [])]
        if any(render(["--set", name, "--out", str(given.streams)]) for name in sets):
            return 1
        workshop = Workshop(given.root, given.streams)
        tables, texts = _judge(workshop, names, given.parts)
    except LolhlError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    notes = "\n\n".join([report.notes(names), *(f"```\n{text}\n```" for text in texts)])
    called = " ".join(["python -m tests.evaluation", *(f'"{m}"' if " " in m else m for m in given.methods)])
    result.write(given.name, tables, called, notes, folder=report.FOLDER)
    return 0


def _judge(workshop: Workshop, names: Sequence[str], parts: Sequence[str]) -> tuple[list[result.Table], list[str]]:
    """The tables, and the comparisons in full, as `lolhl compare` shows them."""
    tables, texts = [], []
    models, wanted = [name for name in names if name in MODELS], signals_of(names)
    if "directions" in parts:
        costs = {}
        for direction in (FORTH, BACK):
            figures = _figures(workshop, names, direction, direction.judge)
            costs[direction.name] = figures
            tables += report.direction_tables(direction, figures)
            texts.append(f"{direction.name}\n{table([*figures.values()], {})}")
            report.track(workshop.root, direction.name, figures)
        tables.append(report.cost_table(workshop, names, models))
    if "curve" in parts and models:
        learnt = [name for name in names if name in MODELS or name in BLOG]
        curve = {
            minutes: _figures(workshop, learnt, direction, direction.judge, wanted)
            for minutes, direction in CURVE.items()
        }
        tables.append(report.curve_table(curve))
    if "variants" in parts:
        spread = {"as it is": _figures(workshop, names, FORTH, HELD, wanted)}
        for variant in VARIANTS:
            spread[variant] = _figures(workshop, names, FORTH, [f"{vod}-{variant}" for vod in HELD], wanted)
        tables.append(report.variant_table(spread))
    return tables, texts


def _figures(
    workshop: Workshop,
    names: Sequence[str],
    direction: Direction,
    judge: Sequence[str],
    signals: Collection[str] | None = None,
) -> Mapping[str, MethodFigures]:
    """The figures of each method that has any on these VODs, for which these signals are measured, or all."""
    needs = [*judge, *(direction.learn if any(name in MODELS for name in names) else ())]
    workshop.bring(needs, signals)
    predictions: dict[str, Predictions] = {}
    for name in names:
        if (predicted := predict(workshop, name, direction, judge)) is not None:
            predictions[name] = predicted
    references = [name for name in ("blog", *BUILT_IN) if name in predictions][:1]
    return {figures.method: figures for figures in compare(predictions, references)}


if __name__ == "__main__":
    sys.exit(main())
