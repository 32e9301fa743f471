"""compare: models and other methods over the same labelled VODs → one table.

comparisons/<name>/comparison.json holds all figures. The scores of models lie below scores/<model>/<vod>/, where
`retrain` finds them too. Where `lolhl clock` has found games, scores outside of them are marked down as they are when
highlights are cut, so that what is judged is what a user gets.
"""

import hashlib
import logging
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass

from lolhl import grid, layout, manifest, storage
from lolhl.config import Config, setting
from lolhl.errors import DatasetError, MissingInput
from lolhl.evaluate.compare import compare as compare_predictions
from lolhl.evaluate.compare import table
from lolhl.evaluate.judge import Predictions
from lolhl.manifest import Manifest
from lolhl.results import MethodComparison, Model, Vod
from lolhl.stages import methods
from lolhl.stages.extract import ExtractConfig
from lolhl.stages.labelled import Labelled, labelled_vods
from lolhl.stages.methods import BASELINES, BUILT_IN, LabelledVod
from lolhl.stages.scores import learnt_from
from lolhl.storage import MANY, Root, each
from lolhl.text import first_few

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class CompareConfig(Config):
    """What the methods are compared on."""

    # Which VODs these are is among the inputs.
    vods: str | None = setting(
        None,
        "labelled VODs, with commas between (default: all that none of the models has learnt from)",
        neutral=True,
    )


def compare(
    root: Root,
    names: Sequence[str],
    config: CompareConfig = CompareConfig(),
    *,
    name: str | None = None,
    force: bool = False,
) -> Manifest[MethodComparison]:
    """Makes comparisons/<name>/comparison.json: figures of each method, and how they differ.

    The constant answer and random ranking are always among the methods. Each method is compared with the first one
    and with these two.

    Args:
        root: where the data lies.
        names: of models, `champion`, or methods that are built in (`lolhl.stages.methods.BUILT_IN`).
        config: see `CompareConfig`.
        name: of the comparison; without one, a digest of what is compared.
        force: redo what is done, the models' scores too.

    Returns:
        The comparison's manifest. Its result says which methods have learnt from which of the VODs.

    Raises:
        MissingInput: a model, a VOD or its labels do not exist, or there is no VOD that no model has learnt from.
        UsageError: a name is none.
        DatasetError: no highlight is labelled in these VODs.
        LolhlError: as `infer` does.
    """
    if name is not None:
        storage.check_new(root, layout.comparison(name), name, "comparison")
    compared = list(dict.fromkeys([*(methods.resolve(root, method) for method in names), *BASELINES]))
    learnt = _learnt_from(root, compared)
    labelled = _labelled(root, config.vods, frozenset().union(*learnt.values()))
    labels = {vod: source.spans for vod, source in labelled.items()}
    name = name or hashlib.sha256("\n".join([*compared, "", *labels]).encode()).hexdigest()[:8]
    inputs = _models(root, compared, labels)
    for source in labelled.values():
        inputs |= source.inputs
    todo, earlier = manifest.plan(root, layout.comparison(name), MethodComparison, config, inputs, force=force)
    if earlier:
        return earlier

    flattered = {method: sorted(vods & labels.keys()) for method, vods in learnt.items() if vods & labels.keys()}
    for method, vods in flattered.items():
        log.warning("compare: %s has learnt from %s: its figures there flatter it", method, ", ".join(vods))
    predictions = _predictions(root, compared, labelled, force=force)
    references = list(dict.fromkeys([compared[0], *BASELINES]))
    result = MethodComparison(
        name=name,
        vods=list(labels),
        methods=compare_predictions({method: predictions[method] for method in compared}, references),
        flattered=flattered,
    )
    return todo.finish(result, [])


def _learnt_from(root: Root, compared: Sequence[str]) -> dict[str, frozenset[str]]:
    """Method → the VODs that it is known to have learnt from."""
    learnt = {}
    for method in compared:
        vods = learnt_from(root, method)
        if vods is None:
            log.warning(
                "compare: nobody knows what %s has learnt from, since its dataset is gone or was made anew: its "
                "figures flatter it on VODs that it has learnt from",
                method,
            )
        learnt[method] = vods or frozenset()
    return learnt


def describe(result: MethodComparison) -> str:
    """The comparison, as a table in text."""
    return f"compare, on {first_few(result.vods)}:\n{table(result.methods, result.flattered)}"


def _labelled(root: Root, named: str | None, learnt: Set[str]) -> dict[str, Labelled]:
    """The VODs to compare on, in order of names."""
    sources = labelled_vods(root, named, learnt)
    if not sources:
        raise MissingInput(
            f"{root.url} has no labelled VOD that no model has learnt from: label more with `lolhl labels FILE`, "
            "or name some with --vods, which flatters the models"
        )
    if not any(source.spans for source in sources.values()):
        raise DatasetError(
            f"no highlight is labelled in {first_few(list(sources))}: label some, or name other VODs with --vods"
        )
    return sources


def _models(root: Root, compared: Sequence[str], vods: Collection[str]) -> dict[str, str]:
    """The names of the methods, the digests of the models among them, and how these see what lies outside of games."""
    inputs = {"methods": ",".join(compared)}
    for method in compared:
        if method not in BUILT_IN:
            key = layout.model(method)
            inputs[key] = manifest.load(root, key, Model).content_digest()
            inputs |= methods.odds_outside_games(root, method, vods)
    return inputs


def _predictions(
    root: Root, compared: Sequence[str], labelled: Mapping[str, Labelled], *, force: bool
) -> dict[str, Predictions]:
    """The predictions of each method. Built-in methods use the grid of the first model, or else the usual one."""
    labels = {vod: source.spans for vod, source in labelled.items()}
    looked_at = {vod: source.looked_at for vod, source in labelled.items()}
    models = [method for method in compared if method not in BUILT_IN]
    predictions = {model: methods.predict(root, model, labels, force=force) for model in models}
    if models:
        vods = [
            LabelledVod(vod.vod, vod.labels, vod.fps, len(vod.scores), looked_at[vod.vod])
            for vod in predictions[models[0]].vods
        ]
    else:
        vods = list(each(lambda vod: _whole(root, vod, labelled[vod]), labels, ahead=MANY))
    predictions |= {method: BUILT_IN[method](root, vods) for method in compared if method in BUILT_IN}
    return {method: predicted.looked_at(looked_at) for method, predicted in predictions.items()}


def _whole(root: Root, vod: str, source: Labelled) -> LabelledVod:
    fps = ExtractConfig().fps
    stored = manifest.load(root, layout.vod(vod), Vod)
    frames = grid.first_frame_at(stored.result.duration, fps)
    return LabelledVod(vod, source.spans, fps, frames, source.looked_at)
