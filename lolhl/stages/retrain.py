"""retrain: new or changed labels → dataset → train → judged on held-out VODs → champion, if better → a report.

retrain/retrain.json is the manifest of the last retraining, written last of all; retrain/<digest>/report.md says
what changed, one folder a retraining; scores/<model>/<vod>/ holds the scores that models are judged by, apart from
those in highlights/ that reports are made of. What was learnt lies in datasets/ and models/ under a
name of its own, retrain-<digest>: the same labels, frames and settings to learn from give the same name.

What is held out: whole VODs, chosen by the rule in `lolhl.stages.held_out`.

When the challenger becomes champion: when its average precision on the held-out VODs is higher than the champion's,
and the 95 % interval of the difference lies above -tolerance. So: better as far as can be seen, and surely not much
worse. The interval is a paired bootstrap over chunks of 30 s, or over VODs from 10 held-out ones on. With few VODs
it tells how sure we are of these streams, not of others, and it is wide: the champion stays until there is evidence.
Judging again and again by the same VODs favours models that suit these by chance: newly labelled VODs, of which
some are held out, keep the figures honest. The first champion has to beat random ranking: the interval of its
average precision must lie above that of random ranking.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from lolhl import layout, manifest
from lolhl.config import Config, restored, setting
from lolhl.errors import Damaged, MissingInput, ModelError, NotFound, StorageError
from lolhl.evaluate.compare import compare
from lolhl.evaluate.figures import MethodFigures
from lolhl.frames.spec import view_name
from lolhl.labels.store import VodLabels, parse_labels
from lolhl.manifest import Manifest, Output
from lolhl.models import champion, publication
from lolhl.models.champion import Champion, Champions
from lolhl.report.retraining import describe
from lolhl.results import Dataset, Model, Retraining, Verdict
from lolhl.stages import methods
from lolhl.stages.dataset import DatasetConfig, dataset
from lolhl.stages.held_out import held_out
from lolhl.stages.label_changes import changes_since, listed
from lolhl.stages.outside_games import clocks_with_games
from lolhl.stages.promotion import decide
from lolhl.stages.retrain_sources import LabelledSource, Media, labelled_sources, media_of
from lolhl.stages.scores import learnt_from
from lolhl.storage import Root
from lolhl.text import first_few
from lolhl.vod.view import View

if TYPE_CHECKING:
    from lolhl.models.bundle import Bundle

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class RetrainConfig(Config):
    """What is learnt like, what is judged by, and how much better is better."""

    # What the first two mean in this root is among the inputs.
    like: str | None = setting(
        None,
        "learn with the settings of this model and its dataset, or of `champion` (default: the defaults)",
        neutral=True,
    )
    judge: str | None = setting(
        None,
        "the VODs to hold out and to judge on, with commas between (default: those held out the last time, and by "
        "a hash of their names about a fifth of those that are new)",
        neutral=True,
    )
    tolerance: float = setting(
        0.05,
        "the challenger becomes champion if its average precision is higher and the 95 % interval of the difference "
        "lies above minus this",
        at_least=0,
        at_most=1,
    )


def retrain(root: Root, config: RetrainConfig = RetrainConfig(), *, force: bool = False) -> Manifest[Retraining]:
    """Learns from all labelled VODs but those held out, and makes the model champion if it is better there.

    A stage that fails leaves the champion as it was; a kill at any moment too, or it is fully the new one.

    Args:
        root: where the data lies. A labelled VOD counts if it has a video or frames. Frames that are older than their
            video are extracted again, and those that a model needs whose backbone learns too.
        config: see `RetrainConfig`.
        force: judge again where nothing is new. No model is trained again from the same labels and frames, unless
            it is damaged.

    Returns:
        The manifest of this retraining; of the last one, with `nothing_new` in its result, where labels, frames
        and settings are as they were then. The result says which model was trained, who is champion and was
        before, why, the figures of both, what changed in each VOD, and where the report lies.

    Raises:
        MissingInput: fewer than two VODs are labelled.
        UsageError: a VOD to judge on is none of them.
        DatasetError: their labels are not enough to learn from, or to judge by.
        LolhlError: as the stages do.
    """
    key = layout.RETRAINING
    last = manifest.intact(root, key, Retraining) if force else manifest.find(root, key, Retraining)
    labelled = labelled_sources(root, last)
    judge = _held_out(labelled, config, last)
    like = None if config.like is None else champion.resolve(root, config.like)
    settings, view = _settings(root, like)
    frame_sets = {vod: source.frame_sets for vod, source in labelled.items()}
    view, media = media_of(root, frame_sets, view, last, pixels=settings["train"].get("tune") == "all")
    read = {layout.labels(vod): source.digest for vod, source in labelled.items()}
    read |= {pictures.key: pictures.digest for pictures in media.values()}
    games = clocks_with_games(root, labelled)
    if games.keys() & {*judge}:  # scores are marked down outside of games, by what the labels say there
        read |= {layout.clock(vod): clock.content_digest() for vod, clock in games.items()}
    inputs = {**read, "settings": _digest(settings), "held out": ",".join(judge)}
    todo, earlier = manifest.plan(root, key, Retraining, config, inputs, force=force)
    # A list of champions that was damaged and removed is made anew, by judging again.
    if earlier and (earlier.result.champion is None or champion.champions(root).model):
        return replace(earlier, result=replace(earlier.result, nothing_new=True), stored=None)

    labels = {vod: parse_labels(root, vod, source.data) for vod, source in labelled.items()}
    judged = {vod: labels[vod] for vod in judge}
    learnt = {vod: media[vod] for vod in labels if vod not in judged}
    model = _learn(root, learnt, view, read, settings, like, force)
    champions = champion.champions(root)
    before = _champions_before(root, champions, todo.digest, force)
    rival = before[-1].model if before else None
    figures = _judge(root, model, rival, judged, force)
    decision = decide(figures[model], rival, config.tolerance)

    report = layout.retraining_report(todo.digest)
    spans = {vod: vod_labels.spans for vod, vod_labels in labels.items()}
    result = Retraining(
        model=model,
        champion=model if decision.promoted else rival,
        before=rival,
        promoted=decision.promoted,
        reason=decision.reason,
        gain=decision.gain,
        tolerance=config.tolerance,
        judge=judge,
        learn=list(learnt),
        flattered=sorted((learnt_from(root, rival) or frozenset()) & {*judge}) if rival else [],
        challenger=_verdict(figures[model]),
        rival=_verdict(figures[rival]) if rival else None,
        labels=listed(spans),
        changes=changes_since(last.result if last else None, spans),
        report=report,
        nothing_new=False,
    )
    text = describe(result).encode()
    root.write(report, text)
    if decision.promoted:
        champion.point(root, (*before, Champion(model, todo.digest)), champions.etag)
    return todo.finish(result, [Output.from_bytes(report, text)])


def _held_out(
    labelled: Mapping[str, LabelledSource], config: RetrainConfig, last: Manifest[Retraining] | None
) -> list[str]:
    """The VODs to judge on. Warns where no person has labelled them."""
    judge = held_out(
        {vod: source.marked for vod, source in labelled.items()},
        config.judge,
        judged=last.result.judge if last else (),
        learnt=last.result.learn if last else (),
        weak={vod for vod, source in labelled.items() if source.of_games or source.in_part},
    )
    if weak := [vod for vod in judge if labelled[vod].of_games]:
        log.warning(
            "retrain: models are judged on %s, whose labels come from the events of games: label one by hand, or name "
            "others with --judge",
            first_few(weak),
        )
    return judge


def _settings(root: Root, like: str | None) -> tuple[dict[str, dict[str, Any]], View | None]:
    """The settings that a model and its dataset were made with, except names, and the view of its frames."""
    if like is None:
        return {"dataset": {}, "train": {}}, None
    key = layout.model(like)
    model = manifest.load(root, key, Model)
    source = next(iter(layout.datasets(model.inputs)), None)
    if source is None:
        raise StorageError(f"{root.url}/{key} is damaged: it names no dataset: run `{layout.remake(key)}`")
    described = manifest.load(root, source, Dataset)
    splitting, result = dict(described.config), described.result
    if splitting.get("holdout") not in ("auto", "chunks", "vods"):  # names of VODs; games, which not all VODs show
        splitting["holdout"] = "auto"
    # Checked here, where its file is known.
    restored(DatasetConfig, splitting, f"{root.url}/{source}", layout.remake(source))
    training = {key: value for key, value in model.config.items() if key not in ("dataset", "alias")}
    return {"dataset": splitting, "train": training}, View(result.fps, result.size, result.fit)


def _learn(
    root: Root,
    media: Mapping[str, Media],
    view: View,
    read: Mapping[str, str],
    settings: Mapping[str, Mapping[str, Any]],
    like: str | None,
    force: bool,
) -> str:
    """Trains a model on these VODs. Its name depends on all that it learns from. Returns the name."""
    from lolhl.stages.train import TrainConfig, train  # takes seconds, which a run with nothing to do saves

    splitting, training = DatasetConfig(), TrainConfig()
    if like is not None:
        key = layout.model(like)
        splitting = restored(DatasetConfig, settings["dataset"], f"the dataset of {like}", layout.remake(key))
        training = restored(TrainConfig, settings["train"], f"{root.url}/{key}", layout.remake(key))
        register = publication.registered_name(root, like, manifest.load(root, key, Model))
        training = replace(training, register=register)
    splitting = replace(splitting, fps=view.fps, size=view.size, fit=view.fit)
    own = [read[key] for vod, used in media.items() for key in (layout.labels(vod), used.key)]
    if any(used.key == layout.vod(vod) for vod, used in media.items()):
        own.append(view_name(view))  # a frame set's key names it
    deciding = [config.deciding(config.recorded()) for config in (splitting, training)]
    name = f"{layout.RETRAINED}{_digest([list(media), own, *deciding])[:8]}"
    log.info("retrain: learning %s from %s", name, first_few(list(media)))
    dataset(root, name, list(media), splitting, force=force)
    train(root, name, replace(training, dataset=name), force=force and _is_damaged(root, name))
    return name


def _champions_before(root: Root, champions: Champions, digest: str, force: bool) -> tuple[Champion, ...]:
    """The champions before this retraining, the last one last, without those whose models cannot be used.

    The last one can be judged. Those before it are not opened.

    A run that was killed after it had promoted finds its own work: then the champion before is the rival.

    Args:
        root: where the data lies.
        champions: all of them.
        digest: of this retraining.
        force: pass over champions whose models are damaged, too.
    """
    before = champions.listed
    if before and before[-1].by == digest:
        before = before[:-1]
    unusable = [former.model for former in before if _is_unusable(root, former.model, force)]
    if unusable:
        log.warning("retrain: champions whose models are gone or damaged are passed over: %s", ", ".join(unusable))
    usable = tuple(former for former in before if former.model not in unusable)
    while usable and _has_other_signals(_load(root, usable[-1].model)):
        log.warning("retrain: champion %s is passed over", usable[-1].model)
        usable = usable[:-1]
    return usable


def _is_unusable(root: Root, model: str, force: bool) -> bool:
    """Whether a champion is passed over: it is gone, or `--force` was given and it is damaged."""
    return root.stat(layout.model(model)) is None or (force and _is_damaged(root, model))


def _is_damaged(root: Root, model: str) -> bool:
    """Whether a model lies there that cannot be used."""
    try:
        used = _load(root, model)
    except MissingInput:
        return False
    except (Damaged, NotFound, ModelError) as error:
        log.warning("retrain: %s", error)
        return True
    return _has_other_signals(used)


def _load(root: Root, model: str) -> "Bundle":
    from lolhl.models.bundle import load_bundle  # takes seconds, as `train` does

    return load_bundle(root, model)


def _has_other_signals(used: "Bundle") -> bool:
    """Whether a model learnt from signals that this lolhl measures in another way, so that it cannot be judged."""
    try:
        for signal in used.signals:
            used.open(signal)
    except ModelError as error:
        log.warning("retrain: %s", error)
        return True
    return False


def _judge(
    root: Root, model: str, rival: str | None, labels: Mapping[str, VodLabels], force: bool
) -> dict[str, MethodFigures]:
    """The figures of the model and of its rival on these VODs, as far as somebody has looked at them."""
    spans = {vod: vod_labels.spans for vod, vod_labels in labels.items()}
    looked_at = {vod: vod_labels.looked_at for vod, vod_labels in labels.items()}
    names = dict.fromkeys([model, *([rival] if rival else [])])
    predictions = {name: methods.predict(root, name, spans, force=force).looked_at(looked_at) for name in names}
    return {method.method: method for method in compare(predictions, [rival] if rival else [])}


def _verdict(figures: MethodFigures) -> Verdict:
    return Verdict(model=figures.method, frames=figures.frames, events=figures.events, per_vod=figures.per_vod)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
