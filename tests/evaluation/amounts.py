"""python -m tests.evaluation.amounts MODEL=VOD,VOD …: how much of a VOD is called, by the scores of trained models.

Each model's scores of its VODs, of which it has learnt nothing, are cut as `lolhl highlights` does, but until other
amounts of time are reached. Scores are kept in the root.

Where models are named that learnt without some of the VODs of MODEL (`--folds MODEL:FOLD=VOD,VOD`), their scores of
these VODs tell how MODEL is calibrated over whole VODs, by cross-validation, and the ways are tried with that too.

    python -m tests.evaluation.amounts --root ROOT forth=held-a,held-b back=learn-a,learn-b --folds back:back-1=held-a
"""

import argparse
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt

from lolhl.errors import LolhlError
from lolhl.evaluate.calibration import calibrate
from lolhl.evaluate.events import TIOUS, match_spans
from lolhl.highlights.amount import likely_seconds, lowest_within, together
from lolhl.highlights.cut import Highlight, find
from lolhl.labels.spans import on_grid
from lolhl.storage import open_root
from tests.benchmarks import result
from tests.evaluation import report
from tests.evaluation.valleys import Scored, in_short, read, read_models

Probabilities = npt.NDArray[np.floating]  # [n], of one VOD
Way = Callable[[Probabilities, float], float]  # and the share that was labelled where the model learnt → share to call

FACTOR = 1.5  # between the time called and the time labelled: the goal
_ALIKE = 15  # instants that count as one observation, 5 s at 3 a second
_KNOWN = 120  # observations that the usual share counts as, ten minutes of them
_ROUNDS = 200
_NOTES = f"""\
Event F1 at tIoU 0.3 and 0.5, over all VODs of a model, and the mean of the models. Called / labelled: the least and the
greatest of any VOD and model, and how many of them lie within a factor of {FACTOR:g}."""


def _of_room(room: float) -> Way:
    return lambda probabilities, usual: likely_seconds(float(np.mean(probabilities)), usual, room)


def _adapted(probabilities: Probabilities, usual: float) -> float:
    """The share of highlights by which the probabilities explain themselves best, near the usual one.

    By expectation and maximisation (M. Saerens et al., Adjusting the outputs of a classifier to new a priori
    probabilities, 2002), with the usual share as a prior. Returns the mean of the probabilities at that share.
    """
    values = np.clip(np.asarray(probabilities, dtype=np.float64), 1e-6, 1 - 1e-6)
    odds, observations = values / (1 - values), len(values) / _ALIKE
    share, mean = usual, usual
    for _ in range(_ROUNDS):
        other = odds * (share / (1 - share)) / (usual / (1 - usual))
        mean = float(np.mean(other / (1 + other)))
        share = (_KNOWN * usual + observations * mean) / (_KNOWN + observations)
    return mean


WAYS: Mapping[str, Way] = {
    "the share labelled where it was learnt": lambda _, usual: usual,
    "geometric mean of this and of the mean probability": _of_room(1.0),
    "the mean probability within a factor of 1.25 of it, half way beyond": _of_room(1.25),
    "within 1.5": _of_room(1.5),
    "within 2": _of_room(2.0),
    "within 3": _of_room(3.0),
    "the mean probability": _of_room(math.inf),
    "the mean probability, adapted to each VOD": _adapted,
}


def across_vods(learnt: Sequence[Scored], folds: Sequence[Scored]) -> list[Scored]:
    """The same VODs, calibrated by what models of folds say of VODs that they did not learn from."""
    inside = [on_grid(one.vod.labels, len(one.vod.scores), one.vod.fps) for one in folds]
    scores = np.concatenate([one.vod.scores for one in folds])
    line = calibrate(np.concatenate(inside), scores, float(folds[0].vod.fps))
    print(f"calibrated over {len(folds)} VODs: slope {line.slope:.2f}, offset {line.offset:+.2f}")
    vods = [replace(one.vod, scores=line.apply(one.vod.scores)) for one in learnt]
    return [
        replace(one, vod=vod, smoothed=vod.smoothed(one.judge.smooth_seconds))
        for one, vod in zip(learnt, vods, strict=True)
    ]


def event_f1(vods: Sequence[Scored], way: Way) -> tuple[list[float], list[float]]:
    """Event F1 at each overlap of `TIOUS`, over all VODs together; and called / labelled of each VOD."""
    matched, spans, ratios = [0] * len(TIOUS), 0, []
    for one in vods:
        fps, count = float(one.vod.fps), len(one.smoothed)
        find_at, levels = partial(_find, one), np.unique(one.smoothed)
        seconds = way(one.vod.scores, one.habits.share) * count / fps
        highlights = find_at(lowest_within(find_at, levels, seconds, 1.0))
        predicted = [highlight.span for highlight in highlights]
        matched = [
            sofar + len(match_spans(one.vod.labels, predicted, tiou))
            for sofar, tiou in zip(matched, TIOUS, strict=True)
        ]
        spans += len(predicted) + len(one.vod.labels)
        labelled = float(on_grid(one.vod.labels, count, one.vod.fps).sum()) / fps
        ratios.append(together(highlights) / labelled)
    return [2 * sofar / max(1, spans) for sofar in matched], ratios


def _find(one: Scored, threshold: float) -> list[Highlight]:
    seconds = float(len(one.smoothed) / one.vod.fps)
    return find(one.smoothed, one.vod.fps, seconds, replace(one.judge.limits, threshold=threshold))


def tables(title: str, models: Mapping[str, Sequence[Scored]]) -> list[result.Table]:
    """All ways, by model; and what each calls of each VOD, as the mean of the models that were judged on it."""
    rows: list[tuple[object, ...]] = []
    by_vod: list[tuple[object, ...]] = []
    names = list(dict.fromkeys(one.vod.vod for vods in models.values() for one in vods))
    for words, way in WAYS.items():
        figures = [event_f1(vods, way) for vods in models.values()]
        means = np.mean([f1 for f1, _ in figures], axis=0).tolist()
        ratios = [ratio for _, of_model in figures for ratio in of_model]
        within = sum(1 / FACTOR <= ratio <= FACTOR for ratio in ratios)
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}; {within} of {len(ratios)}"
        rows.append((words, *(in_short(f1) for f1, _ in figures), in_short(means), spread))
        of_vod: dict[str, list[float]] = {name: [] for name in names}
        for vods, (_, of_model) in zip(models.values(), figures, strict=True):
            for one, ratio in zip(vods, of_model, strict=True):
                of_vod[one.vod.vod].append(ratio)
        by_vod.append((words, *(f"{np.mean(values):.2f}" for values in of_vod.values())))
    return [
        result.Table(title, ("how much is called", *models, "mean", "called / labelled"), rows),
        result.Table(f"{title}: called / labelled of each VOD", ("how much is called", *names), by_vod),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.evaluation.amounts",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("models", nargs="+", metavar="MODEL=VOD,VOD", help="a model and labelled VODs new to it")
    parser.add_argument("--folds", nargs="+", default=(), metavar="MODEL:FOLD=VOD,VOD", help="see above")
    parser.add_argument("--root", default="lolhl-data/evaluation", help="where all of them lie")
    parser.add_argument("--name", default="amounts", help="of the result: results/DATE-NAME.md")
    given = parser.parse_args(arguments)
    try:
        root = open_root(given.root)
        models = read_models(root, given.models)
        folds: dict[str, list[Scored]] = {}
        for text in given.folds:
            (model, _, fold), vods = text.partition("=")[0].partition(":"), text.partition("=")[2]
            folds.setdefault(model, []).extend(read(root, fold, vods.split(",")))
        written = tables("Calibrated on the validation side", models)
        if folds:
            of_folds = {model: across_vods(models[model], scored) for model, scored in folds.items()}
            same = {model: models[model] for model in folds}
            if len(same) < len(models):
                written += tables("The same, of models with folds", same)
            written += tables("Calibrated over whole VODs, by cross-validation", of_folds)
    except LolhlError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    called = " ".join(["python -m tests.evaluation.amounts", *given.models, *(["--folds", *given.folds] * bool(folds))])
    result.write(given.name, written, called, _NOTES, folder=report.FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
