"""retrain: new or changed labels → dataset → train → judged on held-out VODs → champion, if better → a report.

retrain/retrain.json is the manifest of the last retraining, written last of all; retrain/<digest>/report.md says
what changed, one folder a retraining; retrain/scores/<model>/<vod>/ holds the scores that models are judged by,
apart from those in highlights/ that reports are made of. What was learnt lies in datasets/ and models/ under a
name of its own, retrain-<digest>: the same labels, frames and settings to learn from give the same name.

What is held out: whole VODs, which take no part in training nor in choosing the threshold, and which stay held
out: those of the last retraining, and of the VODs that are new since then each whose name's hash lies in the
lowest fifth. If that is none, the VOD with the lowest hash; if it is all, the one with the highest is learnt from.
VODs without a labelled highlight are not chosen. `--judge` names others, and these stay then.

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
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from lolhl import grid, manifest, metrics
from lolhl.config import Config, option, restored
from lolhl.errors import DatasetError, MissingInput, StorageError, UsageError
from lolhl.figures import Comparison, EventFigures, FrameFigures, Gain, shown
from lolhl.frames.spec import FrameSpec, among, stored, view_name
from lolhl.highlights.cut import Limits, find
from lolhl.highlights.intensity import centred_mean
from lolhl.labels.spans import Span, on_grid
from lolhl.labels.store import labels_key, load_labels
from lolhl.manifest import Manifest, Output
from lolhl.models import champion
from lolhl.models.champion import Champion
from lolhl.results import Dataset, Frames, LabelChange, Model, Retraining, Verdict, VodVerdict
from lolhl.stages.dataset import DatasetConfig, dataset
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.storage import Root, check_name, each
from lolhl.tables import read_scores
from lolhl.vod.view import View

log = logging.getLogger(__name__)

KEY = "retrain/retrain.json"
HELD_OUT = 0.2  # share of VODs that are held out
VODS_ENOUGH = 10  # held-out VODs from which on the bootstrap draws whole VODs: of fewer, too few combinations
CHUNK_SECONDS = 30

Labels = Mapping[str, Sequence[Span]]  # VOD → its labelled spans


@dataclass(frozen=True, kw_only=True)
class RetrainConfig(Config):
    """What is learnt like, what is judged by, and how much better is better."""

    # What the first two mean in this root is among the inputs.
    like: str | None = option(
        None,
        "learn with the settings of this model and its dataset, or of `champion` (default: the defaults)",
        neutral=True,
    )
    judge: str | None = option(
        None,
        "the VODs to hold out and to judge on, with commas between (default: those held out the last time, and by "
        "a hash of their names about a fifth of those that are new)",
        neutral=True,
    )
    tolerance: float = option(
        0.05,
        "the challenger becomes champion if its average precision is higher and the 95 % interval of the difference "
        "lies above minus this",
    )

    def __post_init__(self) -> None:
        if not 0 <= self.tolerance <= 1:
            raise UsageError(f"--tolerance {self.tolerance:g}: give 0 to 1")


def retrain(root: Root, config: RetrainConfig = RetrainConfig(), *, force: bool = False) -> Manifest[Retraining]:
    """Learns from all labelled VODs but those held out, and makes the model champion if it is better there.

    A stage that fails leaves the champion as it was; a kill at any moment too, or it is fully the new one.

    Args:
        root: where the data lies. A labelled VOD counts if it has a video or frames; frames that are missing or
            older than their video are extracted.
        config: see `RetrainConfig`.
        force: judge again where nothing is new. No model is trained again from the same labels and frames.

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
    last = manifest.find(root, KEY, Retraining)
    labels = _labelled(root)
    judge = held_out(labels, config.judge, *((last.result.judge, last.result.learn) if last else ()))
    like = None if config.like is None else champion.resolve(root, config.like)
    settings, view = _settings(root, like)
    frames = _frames(root, labels, view, last)
    files = each(root.read, map(labels_key, labels))
    read = {labels_key(vod): hashlib.sha256(file).hexdigest() for vod, file in zip(labels, files, strict=True)}
    read |= {of.spec.manifest_key(vod): of.made.content_digest() for vod, of in frames.items()}
    inputs = {**read, "settings": _digest(settings), "held out": ",".join(judge)}
    todo, earlier = manifest.plan(root, KEY, Retraining, config, inputs, force=force)
    # A list of champions that was damaged and removed is made anew, by judging again.
    if earlier and (earlier.result.champion is None or champion.champions(root).model):
        return replace(earlier, result=replace(earlier.result, nothing_new=True), stored=None)

    learnt = {vod: frames[vod] for vod in labels if vod not in judge}
    model = _learn(root, learnt, read, settings, like)
    unseen = {vod: labels[vod] for vod in judge}
    challenger = _judged(root, model, unseen, force)
    # A run that was killed after it had promoted finds its own work: compared is with the champion before.
    there = champion.champions(root)
    before = there.listed[:-1] if there.listed and there.listed[-1].by == todo.digest else there.listed
    if gone := [one.model for one in before if root.stat(champion.manifest_key(one.model)) is None]:
        log.warning("retrain: champions whose models are gone are passed over: %s", ", ".join(gone))
        before = tuple(one for one in before if one.model not in gone)
    rival = _judged(root, before[-1].model, unseen, force) if before else None
    promoted, reason, gain = _decide(challenger, rival, config.tolerance)

    report = f"retrain/{todo.digest[:12]}/report.md"
    old = rival.model if rival else None
    result = Retraining(
        model=model,
        champion=model if promoted else old,
        before=old,
        promoted=promoted,
        reason=reason,
        gain=gain,
        tolerance=config.tolerance,
        judge=judge,
        learn=[vod for vod in labels if vod not in judge],
        flattered=sorted(_learnt_by(root, old) & {*judge}) if old else [],
        challenger=challenger.verdict(),
        rival=rival.verdict() if rival else None,
        labels=_listed(labels),
        changes=_changes(last.result if last else None, labels),
        report=report,
        nothing_new=False,
    )
    text = describe(result).encode()
    root.write(report, text)
    if promoted:
        champion.point(root, (*before, Champion(model, todo.digest)), there.etag)
    return todo.finish(result, [Output.of(report, text)])


def _labelled(root: Root) -> dict[str, Sequence[Span]]:
    """The labels of all VODs that have a video or frames, in order of names."""
    vods = [stat.key.removeprefix("labels/").removesuffix(".tsv") for stat in root.list("labels/")]
    labels = {
        vod: spans
        for vod, spans in zip(vods, each(lambda vod: _labels(root, vod), vods), strict=True)
        if spans is not None
    }
    if len(labels) < 2:
        raise MissingInput(
            f"{root.url} has {len(labels)} labelled VODs with a video, and retraining needs two, to learn from one and "
            "to judge on the other: get more with `lolhl download` and `lolhl labels`"
        )
    return labels


def _labels(root: Root, vod: str) -> Sequence[Span] | None:
    """None where there is nothing to look at."""
    if root.stat(f"vods/{vod}/vod.json") or stored(root, vod):
        return load_labels(root, vod)
    log.warning("retrain: VOD %s has labels and no video: get it with `lolhl download … --name %s`", vod, vod)
    return None


def held_out(labels: Labels, named: str | None, judged: Sequence[str] = (), learnt: Sequence[str] = ()) -> list[str]:
    """The VODs to judge on, by the rule above: at least one, and never all.

    Args:
        labels: of all VODs.
        named: the VODs, with commas between; None to choose.
        judged, learnt: the VODs that the last retraining held out, and those that it learnt from.

    Raises:
        UsageError: a VOD that is named has no labels, or all are named.
        DatasetError: none of them has a labelled highlight.
    """
    if named is None:
        held = _chosen(labels, judged, learnt)
    else:
        held = {check_name(vod.strip(), "VOD") for vod in named.split(",")}
        if unknown := sorted(held - labels.keys()):
            raise UsageError(f"--judge {named}: {unknown[0]} is no labelled VOD with a video: name another")
        if held == labels.keys():
            raise UsageError(f"--judge {named}: no VOD is left to learn from: name fewer, or label more")
    if not any(labels[vod] for vod in held):
        raise DatasetError(
            f"no highlight is labelled in the VODs to judge on ({', '.join(sorted(held)) or 'none'}): label more, or "
            "name others with --judge"
        )
    return sorted(held)


def _chosen(labels: Labels, judged: Sequence[str], learnt: Sequence[str]) -> set[str]:
    candidates = sorted((vod for vod in labels if labels[vod] and vod not in judged), key=_hash)
    held = {vod for vod in judged if vod in labels}
    held |= {vod for vod in candidates if vod not in learnt and _hash(vod) < HELD_OUT}
    if not held:  # rather one that no champion has learnt from
        held = {*sorted(candidates, key=lambda vod: vod in learnt)[:1]}
    if held == labels.keys():
        held.remove(max(held, key=_hash))
    return held


def _hash(vod: str) -> float:
    """A number from 0 to 1 that depends on the name alone."""
    return int(hashlib.sha256(vod.encode()).hexdigest()[:8], 16) / 16**8


@dataclass(frozen=True)
class _Frames:
    """One VOD's frame set, and which it is."""

    spec: FrameSpec
    made: Manifest[Frames]


def _frames(root: Root, labels: Labels, view: View | None, last: Manifest[Retraining] | None) -> dict[str, _Frames]:
    """The frame sets of all VODs, of one view: those that are missing or too old are extracted, as they or others were.

    Args:
        view: that of the model to learn like; None for that of the last retraining, or else the one most VODs have.
    """
    there = dict(zip(labels, each(lambda vod: stored(root, vod), labels), strict=True))
    specs = [spec for some in there.values() for spec in some]
    if view is None and last:
        view = next((spec.view for spec in among(last.inputs).values() if spec in specs), None)
    if view is None:
        views = [spec.view for some in there.values() for spec in {spec.view: spec for spec in some}.values()]
        default = ExtractConfig().view
        view = max(views, key=lambda one: (views.count(one), one == default, view_name(one)), default=default)
    best = {vod: next((spec for spec in some if spec.view == view), None) for vod, some in there.items()}
    made = dict(zip(best, each(lambda vod: _fresh(root, vod, best[vod]), best), strict=True))
    others = next((one.config for one in made.values() if one), {})
    frames = {}
    for vod, spec in best.items():
        fresh = made[vod]
        if fresh is None:
            key = spec.manifest_key(vod) if spec else ""
            old = manifest.find(root, key, Frames) if spec else None
            like = restored(ExtractConfig, old.config if old else others, f"{root.url}/{key}")
            config = replace(like, fps=view.fps, size=view.size, fit=view.fit)
            spec, fresh = config.spec, extract(root, vod, config)
        assert spec
        frames[vod] = _Frames(spec, fresh)
    return frames


def _fresh(root: Root, vod: str, spec: FrameSpec | None) -> Manifest[Frames] | None:
    with suppress(MissingInput):
        return manifest.load(root, spec.manifest_key(vod), Frames, spec.command(vod), fresh=True) if spec else None
    return None


def _settings(root: Root, like: str | None) -> tuple[dict[str, dict[str, Any]], View | None]:
    """What a model and its dataset were made with, but for names; and what its frames look like."""
    if like is None:
        return {"dataset": {}, "train": {}}, None
    key = champion.manifest_key(like)
    made = manifest.load(root, key, Model, f"lolhl train {like}")
    source = next((source for source in made.inputs if source.startswith("datasets/")), None)
    if source is None:
        raise StorageError(f"{root.url}/{key} is damaged: it names no dataset: run `lolhl train {like} --force`")
    described = manifest.load(root, source, Dataset, "lolhl dataset")
    splitting, result = dict(described.config), described.result
    if splitting.get("holdout") not in ("auto", "chunks", "vods"):  # names of VODs
        splitting["holdout"] = "auto"
    restored(DatasetConfig, splitting, f"{root.url}/{source}")  # checked here, where its file is known
    training = {key: value for key, value in made.config.items() if key not in ("dataset", "alias")}
    return {"dataset": splitting, "train": training}, View(result.fps, result.size, result.fit)


def _learn(
    root: Root,
    frames: Mapping[str, _Frames],
    read: Mapping[str, str],
    settings: Mapping[str, Mapping[str, Any]],
    like: str | None,
) -> str:
    """Trains a model on these VODs, under a name that depends on all that it learns from. Returns the name."""
    from lolhl.stages.train import TrainConfig, train  # takes seconds, which a run with nothing to do saves

    view = next(iter(frames.values())).spec.view
    splitting = restored(DatasetConfig, settings["dataset"], f"the dataset of {like}")
    splitting = replace(splitting, fps=view.fps, size=view.size, fit=view.fit)
    training = restored(TrainConfig, settings["train"], f"{root.url}/{champion.manifest_key(like or '')}")
    own = [read[key] for vod, used in frames.items() for key in (labels_key(vod), used.spec.manifest_key(vod))]
    name = f"retrain-{_digest([list(frames), own, splitting.recorded(), training.recorded()])[:8]}"
    log.info("retrain: learning %s from %s", name, ", ".join(frames))
    dataset(root, name, list(frames), splitting)
    train(root, name, replace(training, dataset=name))
    return name


@dataclass(frozen=True)
class _Judged:
    """One model on the held-out VODs: its smoothed probabilities, and the spans that are cut from them."""

    model: str
    threshold: float
    labels: Labels
    rankings: Mapping[str, metrics.Ranking]
    predicted: Labels

    @property
    def ranking(self) -> metrics.Ranking:
        """That of all VODs together."""
        parts = self.rankings.values()
        return metrics.Ranking(
            np.concatenate([of.labels for of in parts]),
            np.concatenate([of.scores for of in parts]),
            np.concatenate([of.groups for of in parts]),
        )

    @property
    def frames(self) -> Comparison:
        of = self.ranking
        return metrics.compare(of.labels, of.scores, self.threshold, of.groups)

    def verdict(self) -> Verdict:
        return Verdict(
            model=self.model,
            frames=self.frames,
            events=self._events(self.labels),
            per_vod={
                vod: VodVerdict(
                    average_precision=metrics.average_precision(ranking.labels, ranking.scores),
                    events=self._events({vod: self.labels[vod]}),
                )
                for vod, ranking in self.rankings.items()
            },
        )

    def _events(self, labels: Labels) -> list[EventFigures]:
        predicted = {vod: self.predicted[vod] for vod in labels}
        return [metrics.event_figures(labels, predicted, tiou) for tiou in metrics.TIOUS]


def _judged(root: Root, model: str, labels: Labels, force: bool) -> _Judged:
    """Scores every frame of these VODs: from frame sets that fit the model, else from the videos."""
    from lolhl.stages.infer import InferConfig, infer, scores_key

    rankings, predicted, threshold = {}, {}, 0.0
    for vod, spans in labels.items():
        place = f"retrain/scores/{model}"
        scored = infer(root, model, vod, InferConfig(mode="grid"), force=force, place=place)
        key, redo = scores_key(vod, place), "lolhl retrain --force"
        fps, threshold = scored.result.fps, scored.result.threshold
        scores = read_scores(scored.read(root, key, redo), f"{root.url}/{key}", redo, scored.result.frames)
        smoothed, count = centred_mean(scores, fps, scored.result.smooth_seconds), len(scores)
        whole = np.full(count, vod)
        groups = whole if len(labels) >= VODS_ENOUGH else np.char.add(f"{vod}/", chunks(spans, count, fps).astype(str))
        rankings[vod] = metrics.Ranking(on_grid(spans, count, fps), smoothed, groups)
        predicted[vod] = [one.span for one in find(smoothed, fps, float(count / fps), Limits(threshold=threshold))]
    return _Judged(model, threshold, labels, rankings, predicted)


def chunks(spans: Sequence[Span], count: int, fps: Fraction) -> npt.NDArray[np.int64]:
    """The number of each instant's 30 s chunk, of those that share an event the same: int64 [count].

    It depends on times alone, so that models with other frame rates are judged by the same chunks.
    """
    plain = (grid.times(count, fps) // CHUNK_SECONDS).astype(np.int64)
    begins = np.ones(plain.max(initial=0) + 1, dtype=np.int64)
    for span in spans:  # the chunks after the one that it begins in, up to the one that it ends in
        first, last = int(span.start // CHUNK_SECONDS), math.ceil(span.stop / CHUNK_SECONDS)
        begins[first + 1 : last] = 0
    joined: npt.NDArray[np.int64] = (np.cumsum(begins) - 1)[plain]
    return joined


def _decide(challenger: _Judged, rival: _Judged | None, tolerance: float) -> tuple[bool, str, Gain | None]:
    """Whether the challenger becomes champion, why, and by how much it is better."""
    of = challenger.frames
    if of.model.average_precision is None:
        raise DatasetError("no frame of the VODs to judge on lies in a highlight: label more, or name others: --judge")
    if rival is None:
        own, random = of.model.average_precision_interval, of.random.average_precision_interval
        if own and random and own.low > random.high:
            return True, "it is the first, and better than random ranking", None
        return False, "there is no champion yet, and it is not surely better than random ranking", None
    if rival.model == challenger.model:
        return False, "nothing is new to learn from: the champion is this very model", None
    gain = metrics.gain(rival.ranking, challenger.ranking)
    if gain.value is None or gain.value <= 0:
        return False, "its average precision is not higher than the champion's", gain
    if gain.interval is None:
        return False, "all is one chunk: too little to judge by", gain
    if gain.interval.low <= -tolerance:
        return False, f"its average precision is higher, but it may be worse by more than {tolerance:g}", gain
    return True, f"its average precision is higher, and surely not lower by more than {tolerance:g}", gain


def _learnt_by(root: Root, model: str) -> set[str]:
    """The VODs that a model learnt from, as far as its dataset lies here."""
    made = manifest.load(root, f"models/{model}/model.json", Model, f"lolhl train {model}")
    found = [manifest.find(root, key, Dataset) for key in made.inputs if key.startswith("datasets/")]
    return {vod for one in found if one for vod in one.result.vods}


def _told(span: Span) -> str:
    return f"{grid.format_time(span.start)}-{grid.format_time(span.stop)}"


def _span(told: str) -> Span:
    start, stop = told.split("-")
    return Span(grid.parse_time(start), grid.parse_time(stop))


def _listed(labels: Labels) -> dict[str, Sequence[str]]:
    """The labels as a manifest holds them."""
    return {vod: [_told(span) for span in spans] for vod, spans in labels.items()}


def _changes(last: Retraining | None, labels: Labels) -> dict[str, LabelChange]:
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
        gone, new = ([_span(told) for told in sorted(some)] for some in (then - now, now - then))
        moved = metrics.event_figures({vod: gone}, {vod: new}, 0.01).matched  # they overlap
        changes[vod] = LabelChange(labels=len(now), added=len(new) - moved, removed=len(gone) - moved, moved=moved)
    return changes


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def describe(result: Retraining) -> str:
    """A retraining's result as Markdown: the verdict, the figures, and what changed in each VOD."""
    challenger, rival, gain = result.challenger, result.rival, result.gain
    trained = f"`{result.model}`"
    if result.promoted:
        headline = f"{trained} is champion now" + (f", in place of `{result.before}`" if rival else "")
    else:
        headline = f"`{result.champion}` stays champion" if rival else "There is no champion yet"
    lines = [f"# {headline}", "", f"{trained} was trained: {result.reason}.", ""]
    if result.flattered:
        lines += [f"The champion before learnt from {', '.join(result.flattered)}: its figures flatter it.", ""]

    vods = f"on {', '.join(result.judge)}"
    lines += _row(vods, "average precision (95 %)", "F1 (95 %)", *(f"events at tIoU {tiou}" for tiou in metrics.TIOUS))
    lines += _row(*["---"] * (3 + len(metrics.TIOUS)))
    models = {"challenger": challenger, "champion before": rival} if rival else {"challenger": challenger}
    for name, verdict in models.items():
        events = (f"{at.matched} of {at.labelled}, by {at.predicted}" for at in verdict.events)
        lines += _row(f"{name} `{verdict.model}`", *_frame_figures(verdict.frames.model), *events)
    for name, figures in {"constant": challenger.frames.constant, "random": challenger.frames.random}.items():
        lines += _row(name, *_frame_figures(figures), *[""] * len(metrics.TIOUS))
    if gain:
        units = "VODs" if len(result.judge) >= VODS_ENOUGH else "chunks"
        difference = shown(gain.value, gain.interval)
        lines += ["", f"Challenger minus champion: {difference}, by {gain.groups} {units} drawn in pairs."]

    lines += ["", *_row("VOD", "", "labels", "added", "removed", "moved", *(f"{name}: AP, events" for name in models))]
    lines += _row(*["---"] * (6 + len(models)))
    for vod, change in result.changes.items():
        side = "held out" if vod in result.judge else "learnt from" if vod in result.learn else "gone"
        cells = [_on_vod(verdict.per_vod[vod]) if vod in result.judge else "" for verdict in models.values()]
        counts = (change.labels, change.added, change.removed, change.moved)
        lines += _row(vod, side, *map(str, counts), *cells)
    return "\n".join(lines) + "\n"


def _row(*cells: str) -> list[str]:
    return [f"| {' | '.join(cells)} |"]


def _frame_figures(figures: FrameFigures) -> list[str]:
    return [
        shown(figures.average_precision, figures.average_precision_interval),
        shown(figures.f1, figures.f1_interval),
    ]


def _on_vod(verdict: VodVerdict) -> str:
    events = verdict.events[0]
    return f"{shown(verdict.average_precision)}, {events.matched} of {events.labelled}"
