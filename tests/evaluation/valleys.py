"""python -m tests.evaluation.valleys MODEL=VOD,VOD …: where long highlights are split, by the scores of trained models.

Each model's scores of its VODs, of which it has learnt nothing, are cut as `lolhl highlights` does, but with other
depths of valleys and other lengths from which highlights are split. Scores are kept in the root.

    python -m tests.evaluation.valleys --root ROOT forth=held-a,held-b,held-c back=learn-a,learn-b,learn-c
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import mean

import numpy as np
import numpy.typing as npt

from lolhl import layout, manifest
from lolhl.errors import LolhlError, UsageError
from lolhl.evaluate.events import TIOUS, match_spans
from lolhl.evaluate.judge import Judge, ScoredVod
from lolhl.highlights.amount import choose
from lolhl.highlights.cut import Highlight, Limits, find
from lolhl.labels.habits import Habits
from lolhl.labels.store import load_labels
from lolhl.results import Model
from lolhl.stages import methods
from lolhl.storage import Root, open_root
from tests.benchmarks import result
from tests.evaluation import report

VALLEYS = (0.5, 0.7, 0.8, 0.85, 0.9, 0.95)
ABOVE = {"nine in ten labels": "long", "half of the labels": "median", "no label": ""}
_NOTES = """\
Event F1 at tIoU 0.3 and 0.5, over all VODs of a model, and the mean of the models. A valley of 0.85 splits a highlight
where the smoothed probability falls to 0.85 of the lower of the two peaks around; only what is longer than so many
labels is split."""


@dataclass(frozen=True, eq=False)
class Scored:
    """What is cut: a VOD with the smoothed probabilities of a model, float64 [n], and how the model is used."""

    vod: ScoredVod
    smoothed: npt.NDArray[np.float64]
    judge: Judge
    habits: Habits


def read(root: Root, model: str, vods: Sequence[str]) -> list[Scored]:
    """The VODs with the scores of a model."""
    habits = manifest.load(root, layout.model(model), Model).result.habits
    if habits is None:
        raise UsageError(f"{model} was made by an earlier lolhl, which knew nothing of lengths: train it again")
    judge, scored = methods.score_vods(root, model, {vod: load_labels(root, vod) for vod in vods})
    return [Scored(vod, vod.smoothed(judge.smooth_seconds), judge, habits) for vod in scored]


def event_f1(vods: Sequence[Scored], valley: float, above: str) -> list[float]:
    """Event F1 at each overlap of `TIOUS`, over all VODs together.

    Args:
        vods: what is cut.
        valley: of the limits.
        above: the quantile of `Habits` from which highlights are split; empty for all.
    """
    matched, spans = [0] * len(TIOUS), 0
    for one in vods:
        length = getattr(one.habits, above) if above else 0.0
        limits = replace(one.judge.limits, valley=valley, split_above=length)
        find_at = partial(_find, one, limits)
        threshold, share = limits.threshold, one.judge.share
        _, highlights = choose(find_at, one.smoothed, float(one.vod.fps), threshold, share)
        predicted = [highlight.span for highlight in highlights]
        matched = [
            count + len(match_spans(one.vod.labels, predicted, tiou))
            for count, tiou in zip(matched, TIOUS, strict=True)
        ]
        spans += len(predicted) + len(one.vod.labels)
    return [2 * count / max(1, spans) for count in matched]


def _find(one: Scored, limits: Limits, threshold: float) -> list[Highlight]:
    seconds = float(len(one.smoothed) / one.vod.fps)
    return find(one.smoothed, one.vod.fps, seconds, replace(limits, threshold=threshold))


def table(models: dict[str, list[Scored]]) -> result.Table:
    """All ways, by model."""
    rows = []
    for valley in VALLEYS:
        for words, above in ABOVE.items():
            figures = [event_f1(vods, valley, above) for vods in models.values()]
            means = [mean(values) for values in zip(*figures, strict=True)]
            rows.append((valley, words, *(in_short(values) for values in [*figures, means])))
    return result.Table("Where long highlights are split", ("valley", "longer than", *models, "mean"), rows)


def read_models(root: Root, texts: Sequence[str]) -> dict[str, list[Scored]]:
    """What `read` gives of each model, from texts such as "MODEL=VOD,VOD"."""
    pairs = [text.partition("=") for text in texts]
    return {model: read(root, model, vods.split(",")) for model, _, vods in pairs}


def in_short(figures: Sequence[float]) -> str:
    """Figures in one cell of a table."""
    return " / ".join(f"{value:.3f}" for value in figures)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.evaluation.valleys",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("models", nargs="+", metavar="MODEL=VOD,VOD", help="a model and labelled VODs new to it")
    parser.add_argument("--root", default="lolhl-data/evaluation", help="where all of them lie")
    parser.add_argument("--name", default="valleys", help="of the result: results/DATE-NAME.md")
    given = parser.parse_args(arguments)
    try:
        models = read_models(open_root(given.root), given.models)
    except LolhlError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    called = " ".join(["python -m tests.evaluation.valleys", *given.models])
    result.write(given.name, [table(models)], called, _NOTES, folder=report.FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
