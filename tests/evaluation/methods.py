"""What is compared: methods that are built in, the blog's recipe, and models, each by a name."""

import argparse
import shlex
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np

from lolhl import grid, layout, manifest
from lolhl.evaluate.judge import Judge, Predictions, ScoredVod
from lolhl.highlights.cut import Limits
from lolhl.labels.spans import Span
from lolhl.models.registry import settings_types
from lolhl.results import Vod
from lolhl.stages import by_events, methods
from lolhl.stages.methods import BUILT_IN, LabelledVod
from lolhl.stages.train import TrainConfig
from tests.evaluation.material import Direction, Workshop

SCORES = Path(__file__).parent / "scores"  # of recipes that take hours to run, kept as data
FPS = Fraction(3)

# Name → what `lolhl train` is called with. To compare another one, add a line, or say `NAME=ARGUMENTS` in the call.
MODELS: dict[str, str] = {
    "default": "",
    "pictures": "--signals pictures",
    "sound": "--signals sound",
    "pictures-sound-chat": "--signals pictures,sound,chat",
    "gru": "--kind gru",
    "image": "--kind image",
    "video": "--kind video",
}
# Name → which of the recipe's two networks, and seconds over which its scores are averaged.
BLOG = {"blog": ("", 0.0), "blog, smoothed": ("", 5.0), "blog with LSTM": ("-lstm", 0.0)}


def known() -> list[str]:
    """The names that can be compared."""
    built_in = [name for name in BUILT_IN if name != by_events.NAME]  # no game of Riot is shown
    return [*built_in, *BLOG, *MODELS]


def signals_of(names: Iterable[str]) -> list[str]:
    """The signals that these models want, in order. What other methods listen to, they measure themselves."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--kind", default=TrainConfig.kind)
    parser.add_argument("--signals")
    wanted: dict[str, None] = {}
    for name in names:
        if name in MODELS:
            words, _ = parser.parse_known_args(shlex.split(MODELS[name]))
            given = {"signals": words.signals} if words.signals else {}
            wanted |= dict.fromkeys(settings_types()[words.kind](**given).wanted)
    return list(wanted)


def scores_of_blog(direction: str) -> Path:
    """The file that keeps the scores of the blog's recipe, once it was run."""
    return SCORES / f"blog-{direction}.npz"


def predict(workshop: Workshop, name: str, direction: Direction, judge: Sequence[str]) -> Predictions | None:
    """What a method says of some VODs; None where the blog's scores of them are not there.

    Args:
        name: of a method; models learn first, if they have not yet.
        direction: what models have learnt from.
        judge: the VODs.
    """
    labels = workshop.labels(judge)
    if name in BLOG:
        return _blog(name, direction, labels)
    if name in BUILT_IN:
        vods = [LabelledVod(vod, spans, FPS, _frames(workshop, vod)) for vod, spans in labels.items()]
        return _timed(workshop, f"run {name} {','.join(judge)}", lambda: BUILT_IN[name](workshop.root, vods))
    model = learn(workshop, name, direction)
    return _timed(workshop, f"run {name} {','.join(judge)}", lambda: methods.predict(workshop.root, model, labels))


def learn(workshop: Workshop, name: str, direction: Direction) -> str:
    """Trains a model from stored tracks, unless it is there; returns its name in the root."""
    model = f"{name}-{direction.name}"
    workshop.run(f"dataset {direction.name}", "dataset", direction.name, *direction.learn)
    arguments = shlex.split(MODELS[name])
    workshop.run(f"train {model}", "train", model, "--dataset", direction.name, *arguments)
    return model


def _timed(workshop: Workshop, step: str, work: Callable[[], Predictions]) -> Predictions:
    begun = time.perf_counter()
    predictions = work()
    if step not in workshop.costs():  # a second time scores are only read
        workshop.note(step, time.perf_counter() - begun)
    return predictions


def _frames(workshop: Workshop, vod: str) -> int:
    made = manifest.load(workshop.root, layout.vod(vod), Vod, "lolhl download")
    return grid.first_frame_at(made.result.duration, FPS)


def _blog(name: str, direction: Direction, labels: Mapping[str, Sequence[Span]]) -> Predictions | None:
    """The recipe calls a picture a highlight where its network gives it more than one half."""
    file = scores_of_blog(direction.name)
    if not file.exists():
        return None
    network, seconds = BLOG[name]
    with np.load(file) as stored:
        if not {f"{vod}{network}" for vod in labels} <= set(stored.files):
            return None
        scores = {vod: stored[f"{vod}{network}"].astype(float) for vod in labels}
    vods = [ScoredVod(vod=vod, fps=FPS, scores=scores[vod], labels=spans) for vod, spans in labels.items()]
    return Judge(seconds, Limits(threshold=0.5)).predict(vods)
