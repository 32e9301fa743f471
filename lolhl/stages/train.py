"""train: a dataset → a model bundle.

The features of a frozen backbone are computed once, from frames or, without these, from the video. For a backbone that
learns too, the frames that samples need are decoded once. Training gathers its batches from these.

Under torchrun (`torchx run components/train.py:train -j 1x2 …`) several processes train together. After a kill the next
run goes on from an epoch that was finished a second or two before, with the same result. On SIGTERM training finishes
its step, saves its state and exits with code 143. The next run goes on from that step.
"""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch

from lolhl import layout, manifest
from lolhl.backbones.encoder import Encoder
from lolhl.errors import LolhlError, UsageError
from lolhl.manifest import Manifest
from lolhl.models import bundle, champion, material, publication, tracking
from lolhl.models.learning import CheckpointPlace, Epoch
from lolhl.models.network import PICTURES
from lolhl.models.process_group import join_process_group
from lolhl.models.publication import Publication
from lolhl.results import Dataset, Model, Vod
from lolhl.signals import ReadsMore, Signal, open_signal
from lolhl.signals.pictures import PictureSignal
from lolhl.signals.source import VideoSource
from lolhl.stages.dataset import dataset_command
from lolhl.stages.methods import BUILT_IN
from lolhl.stages.train_material import open_network, prepare
from lolhl.stages.train_result import describe
from lolhl.stages.train_settings import TrainConfig
from lolhl.storage import MANY, Root, each
from lolhl.text import first_few
from lolhl.vod.view import View

__all__ = ["TrainConfig", "train"]

log = logging.getLogger(__name__)


def train(root: Root, name: str, config: TrainConfig = TrainConfig(), *, force: bool = False) -> Manifest[Model]:
    """Makes models/<name>/ from datasets/<config.dataset>/.

    Args:
        root: where the data lies.
        name: of the model.
        config: see `TrainConfig`.
        force: redo what is done.

    Returns:
        The bundle's manifest, model.json. Its result holds the kind and its settings, what makes each signal, the
        threshold and how it was chosen, the figures on validation, and versions.

    Raises:
        MissingInput: the dataset or its frames do not exist.
        DatasetError: the dataset has no positives, or a guard narrower than the clips.
        UsageError: the backbone is unknown, or the name is none for a model.
        LolhlError: MLflow does not answer: before the training, or after it, when the model is finished all the
            same. It is not only a warning, because others rely on the registry; the same call publishes the model.
    """
    champion.check_new(root, name)
    if name in BUILT_IN:
        raise UsageError(f"{name!r} is no name for a model: it is a method that `lolhl compare` has: choose another")
    source = layout.dataset(config.dataset)
    described = manifest.load(root, source, Dataset, fresh=True)
    signals = _other_signals(config, described)
    inputs = {source: described.content_digest(), **_read_besides(root, signals, described)}
    process_group = join_process_group()
    todo, earlier = manifest.plan(root, layout.model(name), Model, config, inputs, force=force)
    if earlier and _is_outdated(earlier.result, signals):
        log.warning("train %s: it learnt from another version of its signals, and learns anew", name)
        force = True
        todo, earlier = manifest.plan(root, layout.model(name), Model, config, inputs, force=force)
    if process_group.first:
        _warn_of_new_labels(root, name, config.dataset, described)
    process_group.wait()  # all have looked before the first changes anything
    checkpoint = CheckpointPlace(root, layout.checkpoint(name), todo.digest)
    if earlier:
        if process_group.first:
            root.delete(checkpoint.key)
            publication.publish(root, name, earlier, config.register, config.alias)
        return earlier
    if process_group.first:
        tracking.check(root)
        if force:
            root.delete(checkpoint.key)
    process_group.wait()

    prepared = prepare(root, name, config, described, process_group)
    from lolhl.models import training  # takes seconds

    run = tracking.start(root, name, todo.digest, todo.config) if process_group.first else None
    prepared.learner.train()  # fit keeps the mode that it finds
    process_group.wait()  # from here on no process is long behind another: see `lolhl.models.process_group`
    lessons, settings = prepared.lessons, config.fit(len(prepared.lessons["train"]), prepared.device)
    fitted = training.fit(
        prepared.learner,
        prepared.contents,
        lessons["train"],
        lessons["validation"],
        settings,
        checkpoint,
        process_group,
        _reporter(name, config.epochs, run),
    )
    if run:
        result = describe(config, described, prepared, fitted)
        publication.announce(root, name, Publication(todo.digest, config.register, config.alias))
        weights = bundle.weights_bytes(prepared.model, prepared.network)
        trained = todo.store(result, {layout.weights(name): weights})
        root.delete(checkpoint.key)
        publication.publish(root, name, trained, config.register, config.alias)
    process_group.wait()
    return manifest.load(root, layout.model(name), Model, f"lolhl train {name}")


def _warn_of_new_labels(root: Root, name: str, dataset: str, described: Manifest[Dataset]) -> None:
    """Says so where labels were changed since the dataset was made: it is learnt from as it is."""
    keys = [layout.labels(vod) for vod in described.result.vods]
    stored = each(root.find, keys, ahead=MANY)
    changed = [
        key
        for key, labels in zip(keys, stored, strict=True)
        if labels and hashlib.sha256(labels[0]).hexdigest() != described.inputs.get(key)
    ]
    if changed:
        log.warning(
            "train %s: %s changed since the dataset was made, and what they say now is not learnt from: first run `%s`",
            name,
            first_few(changed),
            dataset_command(dataset, described),
        )


def _other_signals(config: TrainConfig, described: Manifest[Dataset]) -> list[Signal]:
    """The signals besides pictures that the model wants."""
    view = View(described.result.fps, described.result.size, described.result.fit)

    def encoder() -> Encoder:
        return Encoder.from_network(open_network(config, view, torch.device("cpu")))

    return [open_signal(name, view, encoder) for name in config.model.wanted if name != PICTURES]


def _is_outdated(earlier: Model, signals: Sequence[Signal]) -> bool:
    """Whether a finished model learnt from signals that this lolhl measures in another way, so that none can use it."""
    pictures = earlier.signals.get(PICTURES)
    if pictures and pictures.version != PictureSignal.version:
        return True
    return any(
        not bundle.gives_the_same(signal, earlier.signals[signal.name])
        for signal in signals
        if signal.name in earlier.signals
    )


def _read_besides(root: Root, signals: Sequence[Signal], described: Manifest[Dataset]) -> dict[str, str]:
    """Key → digest of what signals read besides videos and frames, such as the games of the VODs."""

    def inputs(signal: ReadsMore, vod: str, *, sees: bool) -> Mapping[str, str]:
        if sees:
            return signal.inputs(material.open_sources(root, described.inputs, [vod])[vod])
        stored = manifest.find(root, layout.vod(vod), Vod)
        return signal.inputs(VideoSource(root, stored)) if stored else {}

    return {
        key: digest
        for signal in signals
        if isinstance(signal, ReadsMore)
        for read in each(partial(inputs, signal, sees=signal.view is not None), described.result.vods, ahead=MANY)
        for key, digest in read.items()
    }


def _reporter(name: str, epochs: int, run: tracking.Run | None) -> Callable[[int, Epoch], None]:
    """What tells people and MLflow of each epoch. Training goes on where MLflow no longer answers."""
    follows = run is not None

    def show(number: int, epoch: Epoch) -> None:
        log.info(
            "train %s: epoch %d/%d, loss %.4f, validation loss %.4f, average precision %.4f",
            name, number + 1, epochs, epoch.train_loss, epoch.val_loss, epoch.val_ap,
        )  # fmt: skip
        nonlocal follows
        if run and follows:
            try:
                run.log(number, {"train_loss": epoch.train_loss, "val_loss": epoch.val_loss, "val_ap": epoch.val_ap})
            except LolhlError as error:  # what is missing is logged when the model is published
                follows = False
                log.warning("train %s: %s; training goes on", name, error)

    return show
