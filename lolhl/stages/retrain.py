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
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from lolhl import grid, layout, manifest
from lolhl.config import Config, restored, setting
from lolhl.errors import Damaged, DatasetError, MissingInput, ModelError, NotFound, StorageError
from lolhl.evaluate.compare import compare
from lolhl.evaluate.events import event_figures
from lolhl.evaluate.figures import Gain, MethodFigures
from lolhl.frames.spec import FrameSpec, among, stored_of_all, view_name
from lolhl.labels.spans import Span
from lolhl.labels.store import has_a_person_s, parse_labels, read_file
from lolhl.manifest import Manifest, Output
from lolhl.models import champion, publication
from lolhl.models.champion import Champion
from lolhl.report.retraining import describe
from lolhl.results import Dataset, Frames, LabelChange, Model, Retraining, Verdict, Vod
from lolhl.stages import methods
from lolhl.stages.dataset import DatasetConfig, dataset
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.stages.held_out import held_out
from lolhl.storage import MANY, Root, each
from lolhl.text import first_few
from lolhl.vod.view import USUAL, View

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
    labelled = _labelled(root, last)
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
    like = None if config.like is None else champion.resolve(root, config.like)
    settings, view = _settings(root, like)
    view, media = _media(
        root,
        {vod: source.frame_sets for vod, source in labelled.items()},
        view,
        last,
        pixels=settings["train"].get("tune") == "all",
    )
    read = {layout.labels(vod): source.digest for vod, source in labelled.items()}
    read |= {pictures.key: pictures.digest for pictures in media.values()}
    inputs = {**read, "settings": _digest(settings), "held out": ",".join(judge)}
    todo, earlier = manifest.plan(root, key, Retraining, config, inputs, force=force)
    # A list of champions that was damaged and removed is made anew, by judging again.
    if earlier and (earlier.result.champion is None or champion.champions(root).model):
        return replace(earlier, result=replace(earlier.result, nothing_new=True), stored=None)

    labels = {vod: parse_labels(root, vod, source.data) for vod, source in labelled.items()}
    unseen = {vod: labels[vod].spans for vod in judge}
    looked_at = {vod: labels[vod].looked_at for vod in judge}
    learnt = {vod: media[vod] for vod in labels if vod not in unseen}
    model = _learn(root, learnt, view, read, settings, like, force)
    # A run that was killed after it had promoted finds its own work: then the champion before is the rival.
    champions = champion.champions(root)
    listed = champions.listed
    before = listed[:-1] if listed and listed[-1].by == todo.digest else listed
    unusable = [former.model for former in before if _is_unusable(root, former.model, force)]
    if unusable:
        log.warning("retrain: champions whose models are gone or damaged are passed over: %s", ", ".join(unusable))
        before = tuple(former for former in before if former.model not in unusable)
    rival = before[-1].model if before else None
    names = dict.fromkeys([model, *([rival] if rival else [])])
    predictions = {name: methods.predict(root, name, unseen, force=force).looked_at(looked_at) for name in names}
    figures = {method.method: method for method in compare(predictions, [rival] if rival else [])}
    decision = _decide(figures[model], rival, config.tolerance)

    report = layout.retraining_report(todo.digest)
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
        flattered=sorted(methods.learnt_from(root, rival) & {*judge}) if rival else [],
        challenger=_verdict(figures[model]),
        rival=_verdict(figures[rival]) if rival else None,
        labels=_listed({vod: labels[vod].spans for vod in labels}),
        changes=_changes(last.result if last else None, {vod: labels[vod].spans for vod in labels}),
        report=report,
        nothing_new=False,
    )
    text = describe(result).encode()
    root.write(report, text)
    if decision.promoted:
        champion.point(root, (*before, Champion(model, todo.digest)), champions.etag)
    return todo.finish(result, [Output.from_bytes(report, text)])


@dataclass(frozen=True)
class _Labelled:
    """A labelled VOD.

    Attributes:
        data, digest: the file of its labels, and the sha256 of that.
        marked: the spans of it in any form.
        of_games: no person gave them.
        in_part: somebody has looked at a part of the VOD alone.
        frame_sets: those that there are, best first.
    """

    data: bytes
    digest: str
    marked: Sequence[object]
    of_games: bool
    in_part: bool
    frame_sets: Sequence[FrameSpec]


def _labelled(root: Root, last: Manifest[Retraining] | None) -> dict[str, _Labelled]:
    """All labelled VODs that have a video or frames, in order of names."""
    vods = layout.labelled(root)
    specs = stored_of_all(root, vods)
    sources = each(lambda vod: _read_labels(root, vod, specs[vod], last), vods, ahead=MANY)
    labelled = {vod: source for vod, source in zip(vods, sources, strict=True) if source}
    if len(labelled) < 2:
        raise MissingInput(
            f"{root.url} has {len(labelled)} labelled VODs with a video, and retraining needs two, to learn from one "
            "and to judge on the other: get more with `lolhl download` and `lolhl labels`"
        )
    return labelled


def _read_labels(
    root: Root, vod: str, frame_sets: Sequence[FrameSpec], last: Manifest[Retraining] | None
) -> _Labelled | None:
    """The labels of a VOD. None where it has neither a video nor frames."""
    if not frame_sets and not root.stat(layout.vod(vod)):
        log.warning("retrain: VOD %s has labels and no video: get it with `lolhl download … --name %s`", vod, vod)
        return None
    data = read_file(root, vod)
    digest = hashlib.sha256(data).hexdigest()
    # What the last retraining has read is not parsed again before it is clear that something else is new.
    known = last.result.labels.get(vod) if last and last.inputs.get(layout.labels(vod)) == digest else None
    # Most files name neither a source nor what was looked at, and are not parsed for this.
    head = data.partition(b"\n")[0].lower()
    if known is not None and b"source" not in head and b"looked_at" not in head:
        return _Labelled(data, digest, known, of_games=False, in_part=False, frame_sets=frame_sets)
    labels = parse_labels(root, vod, data)
    of_games, in_part = not has_a_person_s(labels.spans), labels.looked_at is not None
    return _Labelled(data, digest, labels.spans, of_games, in_part, frame_sets)


@dataclass(frozen=True)
class _Media:
    """What the pictures of a VOD are learnt from: its frame set, or its video.

    Attributes:
        key, digest: of its manifest.
        config: the settings that frames were extracted with; empty for a video.
    """

    key: str
    digest: str
    config: Mapping[str, Any]


def _media(
    root: Root,
    stored_specs: Mapping[str, Sequence[FrameSpec]],
    view: View | None,
    last: Manifest[Retraining] | None,
    *,
    pixels: bool,
) -> tuple[View, dict[str, _Media]]:
    """The view, and what all VODs are learnt from: frame sets in this view, or the videos of VODs without frames.

    Frames that are too old, or of another view, are extracted: with the settings that they had before, or with those of
    another VOD.

    Args:
        root: where the data lies.
        stored_specs: VOD → the frame sets that it has, best first.
        view: the view of the model to learn like. None stands for that of the last retraining, or else the one that
            most VODs have.
        last: the last retraining.
        pixels: whether frames are needed of all VODs.
    """
    if view is None and last:
        specs = {spec for vod_specs in stored_specs.values() for spec in vod_specs}
        view = next((spec.view for spec in among(last.inputs).values() if spec in specs), None)
    if view is None:
        views = Counter(view for vod_specs in stored_specs.values() for view in {spec.view for spec in vod_specs})
        default = USUAL
        view = max(views, key=lambda view: (views[view], view == default, view_name(view)), default=default)
    best = {
        vod: next((spec for spec in vod_specs if spec.view == view), None) for vod, vod_specs in stored_specs.items()
    }
    frame_sets = dict(zip(best, each(lambda vod: _fresh(root, vod, best[vod]), best, ahead=MANY), strict=True))
    others = next((frame_set.config for frame_set in frame_sets.values() if frame_set), {})
    media = {}
    for vod, spec in best.items():
        frame_set = frame_sets[vod]
        if frame_set is None and not stored_specs[vod] and not pixels:
            key = layout.vod(vod)
            frame_set = _Media(key, manifest.load(root, key, Vod).content_digest(), {})
        elif frame_set is None:
            key = spec.manifest_key(vod) if spec else ""
            old = manifest.find(root, key, Frames) if spec else None
            like = restored(ExtractConfig, old.config if old else others, f"{root.url}/{key}", layout.remake(key))
            config = replace(like, fps=view.fps, size=view.size, fit=view.fit)
            extracted = extract(root, vod, config)
            frame_set = _Media(config.spec.manifest_key(vod), extracted.content_digest(), extracted.config)
        media[vod] = frame_set
    return view, media


def _fresh(root: Root, vod: str, spec: FrameSpec | None) -> _Media | None:
    """The frame set, without the list of its files; None where it is missing or too old."""
    if spec is None:
        return None
    with suppress(MissingInput):
        key = spec.manifest_key(vod)
        stored = manifest.load(root, key, Frames, spec.command(vod), fresh=True)
        return _Media(key, stored.content_digest(), stored.config)
    return None


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
    media: Mapping[str, _Media],
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


def _is_unusable(root: Root, model: str, force: bool) -> bool:
    """Whether a champion is passed over: it is gone, or `--force` was given and it is damaged."""
    return root.stat(layout.model(model)) is None or (force and _is_damaged(root, model))


def _is_damaged(root: Root, model: str) -> bool:
    """Whether a model lies there that cannot be used."""
    from lolhl.models.bundle import load_bundle  # takes seconds, as `train` does

    try:
        load_bundle(root, model)
    except MissingInput:
        return False
    except (Damaged, NotFound, ModelError) as error:
        log.warning("retrain: %s", error)
        return True
    return False


@dataclass(frozen=True)
class _Decision:
    promoted: bool
    reason: str
    gain: Gain | None = None


def _decide(challenger: MethodFigures, rival: str | None, tolerance: float) -> _Decision:
    """Whether the challenger becomes champion in place of its rival, why, and by how much it is better."""
    frames = challenger.frames
    if frames.model.average_precision is None:
        raise DatasetError("no frame of the VODs to judge on lies in a highlight: label more, or name others: --judge")
    if rival is None:
        own, random = frames.model.average_precision_interval, frames.random.average_precision_interval
        if own and random and own.low > random.high:
            return _Decision(True, "it is the first, and better than random ranking")
        return _Decision(False, "there is no champion yet, and it is not surely better than random ranking")
    if rival == challenger.method:
        return _Decision(False, "nothing is new to learn from: the champion is this very model")
    gain = challenger.differences[rival].average_precision
    if gain.value is None or gain.value <= 0:
        return _Decision(False, "its average precision is not higher than the champion's", gain)
    if gain.interval is None:
        return _Decision(False, "all is one chunk: too little to judge by", gain)
    if gain.interval.low <= -tolerance:
        return _Decision(
            False, f"its average precision is higher, but it may be worse by more than {tolerance:g}", gain
        )
    return _Decision(True, f"its average precision is higher, and surely not lower by more than {tolerance:g}", gain)


def _verdict(figures: MethodFigures) -> Verdict:
    return Verdict(model=figures.method, frames=figures.frames, events=figures.events, per_vod=figures.per_vod)


def _listed(labels: Mapping[str, Sequence[Span]]) -> dict[str, Sequence[str]]:
    """The labels as a manifest holds them."""
    return {
        vod: [f"{grid.format_time(span.start)}-{grid.format_time(span.stop)}" for span in spans]
        for vod, spans in labels.items()
    }


def _span(text: str) -> Span:
    start, stop = text.split("-")
    return Span(grid.parse_time(start), grid.parse_time(stop))


def _changes(last: Retraining | None, labels: Mapping[str, Sequence[Span]]) -> dict[str, LabelChange]:
    """Of each VOD how many labels there are, and how many were added, removed, or moved since the last retraining.

    Where the labels are those of the last one, so are the changes: to judge again tells the same of them.
    """
    listed = _listed(labels)
    if last and last.labels == listed:
        return last.changes
    before = last.labels if last else {}
    changes = {}
    for vod in sorted({*before, *listed}):
        then, now = {*before.get(vod, ())}, {*listed.get(vod, ())}
        removed, added = ([_span(text) for text in sorted(texts)] for texts in (then - now, now - then))
        moved = event_figures({vod: removed}, {vod: added}, 0.01).matched  # they overlap
        changes[vod] = LabelChange(labels=len(now), added=len(added) - moved, removed=len(removed) - moved, moved=moved)
    return changes


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
