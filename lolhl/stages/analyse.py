"""analyse: a model and labelled VODs → one page about what the model finds, what it misses, and why.

analyses/<model>/analysis.html is the page, analysis.json holds its figures. The model is judged on the labelled VODs
that it has not learnt from. Where there are none, it is judged on its validation side, and the page says so. The scores
lie below scores/<model>/<vod>/, where `compare` and `retrain` find them too.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lolhl import grid, layout, manifest
from lolhl.config import Config, setting
from lolhl.errors import DatasetError, LolhlError, MissingInput, UsageError
from lolhl.evaluate.calibration import calibration_error, reliability_bins
from lolhl.evaluate.compare import compare, table
from lolhl.evaluate.judge import Predictions, ScoredVod
from lolhl.evaluate.metrics import Ranking, precision_recall
from lolhl.explain.moments import parse_moments
from lolhl.explain.regions import digest, parse_regions, shipped
from lolhl.explain.words import in_words
from lolhl.frames.spec import stored_of_all
from lolhl.labels.spans import Span
from lolhl.manifest import Manifest, Output
from lolhl.report.analysis import PARTS, AnalysisPage, Part, render
from lolhl.report.picture_parts import ExplainedPicture
from lolhl.results import Analysis, Dataset, Model
from lolhl.stages import by_events, methods
from lolhl.stages.dataset import split_vods_of
from lolhl.stages.gallery import Gallery
from lolhl.stages.labelled import labelled_vods, media_inputs
from lolhl.stages.labels import read_plain
from lolhl.stages.methods import BASELINES, BUILT_IN, LabelledVod
from lolhl.stages.scores import learnt_from
from lolhl.storage import MANY, Root, each
from lolhl.text import first_few

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class AnalyseConfig(Config):
    """What the page shows."""

    # Which VODs these are is among the inputs.
    vods: str | None = setting(
        None,
        "labelled VODs, with commas between (default: those that it has not learnt from, else its validation side)",
        neutral=True,
    )
    worst: int = setting(6, "misses, and false alarms, that are shown with a picture", at_least=0, at_most=100)
    around: float = setting(
        30.0,
        "seconds before and after a mistake in which the page shows what each signal said",
        at_least=1,
        at_most=600,
    )
    explain: int = setting(
        2,
        "misses, and false alarms, of which the page shows what in their picture drove the score",
        at_least=0,
        at_most=100,
    )
    tries: int = setting(
        128,
        "pictures with covered parts that are tried for it, by regions and as many by superpixels",
        at_least=16,
        at_most=100_000,
    )
    moments: str | None = setting(
        None, "other moments whose pictures are explained too: VOD@h:mm:ss, with commas between several"
    )
    # What the file holds is among the inputs.
    regions: str | None = setting(
        None,
        "file with the regions of the picture, such as minimap and kill feed, in TOML (default: "
        "lolhl/explain/regions.toml)",
        neutral=True,
    )


def analyse(
    root: Root, model: str, config: AnalyseConfig = AnalyseConfig(), *, force: bool = False
) -> Manifest[Analysis]:
    """Makes analyses/<model>/: analysis.html and analysis.json.

    Where runs are tracked, the run of the model in MLflow gets both.

    Args:
        root: where the data lies.
        model: name of a trained model, or `champion`.
        config: see `AnalyseConfig`.
        force: redo what is done, the model's scores too.

    Returns:
        The manifest. Its result holds the figures and all mistakes, worst first.

    Raises:
        MissingInput: the model does not exist, or there is nothing to judge it on.
        UsageError: the name is that of a method that is built in, or none; or the file of regions is none.
        DatasetError: no highlight is labelled there.
        LolhlError: as `infer` does; or MLflow fails. Then the page is finished, and the same call repeats the rest.
    """
    from lolhl.stages.picture_parts import explain_moments  # takes seconds

    regions = parse_regions(read_plain(Path(config.regions)), config.regions) if config.regions else shipped()
    chosen = parse_moments(config.moments) if config.moments else []
    name = methods.resolve(root, model)
    if name in BUILT_IN:
        raise UsageError(f"{name!r} is a method that is built in, and no model: `lolhl compare {name}` judges it")
    bundle = manifest.load(root, layout.model(name), Model)
    judged = _judged(root, name, bundle, config.vods)
    pages = _with_page(root, judged.labels)
    inputs = {layout.model(name): bundle.content_digest(), **judged.inputs}
    inputs |= methods.odds_outside_games(root, name, judged.labels)
    inputs |= {"pages": ",".join(pages), "part": judged.part}  # these the page shows, too
    inputs |= {} if regions == shipped() else {"regions": digest(regions)}
    todo, earlier = manifest.plan(root, layout.analysis(name), Analysis, config, inputs, force=force, opened=True)
    if earlier:
        _publish(root, name, bundle, earlier)
        return earlier
    if judged.part != "held-out":
        log.warning("analyse %s: %s", name, PARTS[judged.part])

    seen = _look(root, name, judged, force=force)
    own = seen.predictions[name]
    gallery = Gallery.open(root, name, own, config.worst, config.around)
    moments = [*gallery.moments(config.explain), *chosen]
    explained = explain_moments(root, name, list(dict.fromkeys(moments)), regions, config.tries)
    result = _result(name, judged, seen, gallery, list(explained.values()))
    shown = gallery.shown(pages, explained)
    html = render(
        AnalysisPage(
            model=name,
            kind=bundle.result.kind,
            signals=list(bundle.result.signals),
            part=judged.part,
            vods=gallery.titles(judged.labels),
            flattered=judged.flattered,
            methods=result.methods,
            curve=result.curve,
            bins=result.bins,
            calibration_error=result.calibration_error,
            misses=shown.misses,
            all_misses=len(result.misses),
            false_alarms=shown.false_alarms,
            all_false_alarms=len(result.false_alarms),
            chosen=[explained[moment] for moment in chosen if moment in explained],
            smooth_seconds=bundle.result.smooth_seconds,
            fps=seen.fps,
        )
    ).encode()
    with todo.begin() as begun:
        root.write(result.page, html)
        finished = begun.finish(result, [Output.from_bytes(result.page, html)])
    _publish(root, name, bundle, finished)
    return finished


def describe(result: Analysis) -> str:
    """The figures as a table in text, and the worst mistakes."""
    lines = [
        f"analyse {result.model}, on {first_few(result.vods)}: {PARTS[result.part]}",
        table(result.methods, {result.model: result.flattered}),
    ]
    lines += [f"{method} is left out: {why}" for method, why in result.left_out.items()]
    for name, mistakes in {"misses": result.misses, "false alarms": result.false_alarms}.items():
        shown = [
            f"{mistake.vod} at {grid.format_time(round(mistake.start))} ({mistake.score:.2f})"
            for mistake in mistakes[:3]
        ]
        lines.append(f"{len(mistakes)} {name}" + (f", the worst: {', '.join(shown)}" if shown else ""))
    lines += [
        f"{picture.vod} at {grid.format_time(round(picture.seconds))}: {in_words(picture.regions)}"
        for picture in result.pictures
    ]
    return "\n".join(lines)


@dataclass(frozen=True)
class _Judged:
    """What a model is judged on.

    Attributes:
        labels: VOD → its labelled spans.
        inputs: the digests of what is read of them.
        flattered: those that the model has learnt from.
        known: VOD → which of its instants are judged: bool [n]. None for all of each.
        looked_at: VOD → what somebody has looked at, on which alone it is judged; None for all of it.
    """

    part: Part
    labels: Mapping[str, Sequence[Span]]
    inputs: Mapping[str, str]
    flattered: Sequence[str] = ()
    known: Mapping[str, npt.NDArray[np.bool_]] | None = None
    looked_at: Mapping[str, Sequence[Span] | None] = field(default_factory=dict)


def _judged(root: Root, model: str, bundle: Manifest[Model], named: str | None) -> _Judged:
    """The labelled VODs that the model has not learnt from, those that were named, or its validation side."""
    learnt = learnt_from(root, model)
    datasets = {
        key: dataset for key in layout.datasets(bundle.inputs) if (dataset := manifest.intact(root, key, Dataset))
    }
    labelled = labelled_vods(root, named, learnt or frozenset())
    if labelled:
        flattered = sorted((learnt or frozenset()) & labelled.keys())
        part: Part = "named" if flattered else "unknown" if learnt is None else "held-out"
        labels = {vod: source.spans for vod, source in labelled.items()}
        inputs = {key: digest for source in labelled.values() for key, digest in source.inputs.items()}
        looked_at = {vod: source.looked_at for vod, source in labelled.items()}
        judged = _Judged(part, labels, inputs, flattered, looked_at=looked_at)
    elif datasets:
        judged = _validation(root, model, bundle, datasets)
    else:
        raise MissingInput(
            f"{root.url} has no labelled VOD with a video or frames: run `lolhl labels FILE`, and `lolhl download … "
            "--name VOD` for a VOD in it"
        )
    if not any(judged.labels.values()):
        raise DatasetError(
            f"no highlight is labelled in {first_few(list(judged.labels))}: label some, or name other VODs with --vods"
        )
    return judged


def _validation(root: Root, model: str, bundle: Manifest[Model], datasets: Mapping[str, Manifest[Dataset]]) -> _Judged:
    """The validation side of the dataset that the model learnt from."""
    ((key, described),) = datasets.items()
    if described.content_digest() != bundle.result.dataset_digest:
        raise MissingInput(
            f"{root.url} has no labelled VOD with a video or frames that {model} has not learnt from, and {key} was "
            f"made anew since: label more with `lolhl labels FILE`, or run `{layout.remake(layout.model(model))}`"
        )
    split = [vod for vod in split_vods_of(root, key.split("/")[1], described) if vod.sides["validation"]]
    known = {}
    for vod in split:
        known[vod.vod] = np.zeros(vod.end, dtype=bool)
        for first, end in vod.sides["validation"]:
            known[vod.vod][first:end] = True
    specs = stored_of_all(root, list(known))
    inputs = {key: described.content_digest()}
    for media in each(lambda vod: media_inputs(root, vod, specs[vod]), list(known), ahead=MANY):
        inputs |= media
    part: Part = "validation-vods" if described.result.holdout == "vods" else "validation-chunks"
    return _Judged(part, {vod.vod: vod.spans for vod in split}, inputs, known=known)


@dataclass(frozen=True)
class _Seen:
    """What methods say of the VODs.

    Attributes:
        predictions: of the model, and of each method that is built in.
        left_out: why there is none of the others.
        raw: the model's calibrated probabilities, as they are, of what is judged.
        fps: of the model's grid.
    """

    predictions: Mapping[str, Predictions]
    left_out: dict[str, str]
    raw: Ranking
    fps: Fraction


def _look(root: Root, model: str, judged: _Judged, *, force: bool) -> _Seen:
    """Scores the VODs by the model and by all methods that are built in."""
    judge, whole = methods.score_vods(root, model, judged.labels, force=force)
    known = judged.known
    vods = [vod.only(known[vod.vod]) for vod in whole] if known else whole
    looked_at = {vod.vod: judged.looked_at.get(vod.vod) for vod in whole}
    grids = [LabelledVod(vod.vod, vod.labels, vod.fps, len(vod.scores), looked_at[vod.vod]) for vod in whole]
    predictions, left_out = {model: judge.predict(vods).looked_at(looked_at)}, {}
    for name, method in BUILT_IN.items():
        if name == by_events.NAME and not any(root.stat(layout.games(vod.vod)) for vod in grids):
            continue  # nobody has to ask Riot for games, so that they are not missed
        try:
            predicted = method(root, grids)
        except MissingInput as error:  # loudness, chat and motion want the videos
            left_out[name] = str(error)
            log.warning("analyse %s: %s is left out: %s", model, name, error)
            continue
        predictions[name] = (_within(predicted, vods) if known else predicted).looked_at(looked_at)
    raw = Predictions(0.0, [vod.uncut() for vod in vods]).looked_at(looked_at)
    return _Seen(predictions, left_out, raw.ranking, vods[0].fps)


def _within(predicted: Predictions, vods: Sequence[ScoredVod]) -> Predictions:
    """The predictions of whole VODs, judged where these VODs are known."""
    return Predictions(
        predicted.threshold, [prediction.within(vod) for prediction, vod in zip(predicted.vods, vods, strict=True)]
    )


def _result(
    name: str, judged: _Judged, seen: _Seen, gallery: Gallery, explained: Sequence[ExplainedPicture]
) -> Analysis:
    own = seen.predictions[name]
    bins = reliability_bins(seen.raw.labels, seen.raw.scores)
    return Analysis(
        model=name,
        part=judged.part,
        vods=list(judged.labels),
        flattered=list(judged.flattered),
        methods=compare(seen.predictions, BASELINES),
        left_out=seen.left_out,
        curve=precision_recall(own.ranking.labels, own.ranking.scores),
        bins=bins,
        calibration_error=calibration_error(bins) if bins else None,
        misses=gallery.misses,
        false_alarms=gallery.false_alarms,
        pictures=[picture.figures for picture in explained],
        page=layout.analysis_page(name),
    )


def _with_page(root: Root, vods: Iterable[str]) -> list[str]:
    """The VODs that have a page of their own."""
    names = list(vods)
    stats = each(lambda vod: root.stat(layout.page(vod)), names, ahead=MANY)
    return [vod for vod, stat in zip(names, stats, strict=True) if stat]


def _publish(root: Root, name: str, bundle: Manifest[Model], finished: Manifest[Analysis]) -> None:
    """Gives MLflow the analysis, where runs are tracked. Figures only of VODs that the model has not learnt from."""
    from lolhl.models import tracking

    if not tracking.is_used(root):
        return
    result = finished.result
    files = {"analysis.html": root.read(result.page), "analysis.json": finished.to_bytes()}
    figures = _tracked_figures(result) if result.part == "held-out" else {}
    try:
        known = tracking.add_analysis(root, bundle, finished.content_digest(), files, figures)
    except LolhlError as error:
        raise LolhlError(
            f"the analysis of {name} is finished, but not published: {error}; the same command repeats it"
        ) from error
    if not known:
        log.info("analyse %s: MLflow has no run of this model, and gets no analysis", name)


def _tracked_figures(result: Analysis) -> dict[str, float]:
    """The figures by their names in MLflow."""
    own = result.methods[0]
    figures = {
        "average_precision": own.frames.model.average_precision,
        "calibration_error": result.calibration_error,
        "minutes_to_watch": own.editing.minutes.value if own.editing else None,
        **{f"event_f1_tiou_{at.tiou:g}": at.f1 for at in own.events},
    }
    return {f"held_out_{name}": value for name, value in figures.items() if value is not None}
