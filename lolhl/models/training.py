"""Training: the Lightning module, and a fit that goes on after a kill from its last epoch, after SIGTERM from its step.

What happens in a step depends on the seed, the epoch, the step and the rank alone, so a checkpoint needs no state
of random generators: the weights, the optimizer's state and a position are enough for the same result.
"""

import copy
import logging
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import numpy.typing as npt
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping
from lightning.pytorch.core.optimizer import LightningOptimizer
from torch import Tensor, distributed, nn

from lolhl.data.augment import augmented
from lolhl.data.samples import Batch, BatchOrder, ClipDataset, Contents, loader
from lolhl.data.windows import WindowDataset
from lolhl.errors import LolhlError, ModelError
from lolhl.evaluate import metrics
from lolhl.models.joined import JoinedModel
from lolhl.models.learning import CHECKPOINT_STATE, CheckpointPlace, Epoch, FitSettings, Fitted, OnEpoch
from lolhl.models.model import Classifier, TrackModel
from lolhl.models.process_group import ProcessGroup, report_lost_process
from lolhl.storage.checkpoint_upload import CheckpointUpload

Learner = Classifier | TrackModel
Lessons = ClipDataset | WindowDataset

_JUDGED = 128  # clips at once
_INSTANTS = 2**15  # instants of windows at once
_STOPPED = "stopped by SIGTERM; the same command goes on from here"


class Stopped(LolhlError):
    """SIGTERM came: the state is saved, and the same call goes on from there."""

    exit_code = 128 + signal.SIGTERM  # what a shell says of a process that the signal ended


def fit(
    net: Learner,
    contents: Contents,
    train: Lessons,
    validation: Lessons,
    settings: FitSettings,
    place: CheckpointPlace | None,
    process_group: ProcessGroup,
    on_epoch: OnEpoch,
) -> Fitted:
    """Trains the network, on from where an earlier call with the same digest was killed or stopped.

    After a kill this is an epoch that was finished a second or two before it (see `CheckpointUpload`); after SIGTERM
    the step that was finished then. With equally many processes the result is the same bytes as that of an
    undisturbed call; another number of them goes on as well.

    Args:
        net: what learns: from clips, or from windows.
        contents: the rows of all clips or windows: values of tracks for a head, pixels for a whole network.
        place: where the state is kept on the way; None to keep none, and to begin anew each time.
        on_epoch: called by the first process after each epoch, with its number.

    Raises:
        ModelError: the loss is not a number any more, or another rank was lost.
        Stopped: SIGTERM came, to this process or to another rank.
        KeyboardInterrupt: Ctrl-C; it goes on as after a kill.
    """
    keeper = _Keeper(place, process_group, settings.epochs, on_epoch)
    earlier = place.load() if place else None
    if earlier:
        keeper.load_state_dict(earlier[1])
    if not keeper.finished:
        _quiet()
        trainer = lightning.Trainer(
            accelerator="gpu" if contents.device.type == "cuda" else "cpu",
            devices=process_group.local_world,
            num_nodes=process_group.world // process_group.local_world,
            strategy="ddp" if process_group.world > 1 else "auto",
            precision="bf16-mixed" if settings.bf16 else "32-true",
            max_epochs=settings.epochs,
            callbacks=[EarlyStopping("val_ap", mode="max", patience=settings.patience), keeper],
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            num_sanity_val_steps=0,
        )
        batch = max(1, settings.batch // process_group.world)
        learner = _Learner(net, contents, validation.truth, settings, batch, keeper)
        shuffled = BatchOrder(
            len(train),
            batch,
            shuffle_seed=settings.seed,
            rank=process_group.rank,
            world=process_group.world,
            most=settings.epoch_samples,
        )
        in_order = BatchOrder(
            len(validation), batch, shuffle_seed=None, rank=process_group.rank, world=process_group.world
        )
        with (
            _listening(keeper.request_stop),
            _interrupted_as_usual(),
            report_lost_process(),
            CheckpointUpload(place.root, place.key) if place else nullcontext() as keeper.latest,
        ):
            trainer.fit(
                learner,
                loader(train, shuffled),
                loader(validation, in_order),
                ckpt_path=earlier[0] if earlier else None,
                weights_only=True,
            )
    if keeper.best is None:
        raise ModelError("training ended before its first epoch was over: run again")
    return Fitted(keeper.weights, keeper.best, keeper.history)


@torch.no_grad()
def logits(net: Learner, contents: Contents, rows: Tensor) -> Tensor:
    """Logits of clips, float32 [n], or of windows, float32 [n, T]. Clips may overlap: each instant is encoded once.

    Args:
        net: what computes them.
        contents: the rows of all clips or windows.
        rows: int64 [n, T], where their instants lie in the contents.
    """
    if not isinstance(net, Classifier):
        window_logits: Tensor = net(*contents.window(rows))
        return window_logits.float()
    frames, places = torch.unique(rows, return_inverse=True)
    return net.decide(net.encode(contents.take(frames))[places]).float()


def probabilities(net: Learner, contents: Contents, lessons: Lessons) -> npt.NDArray[np.float32]:
    """Probabilities of a highlight at each instant that counts: float32 [n]. `net` is in evaluation mode."""
    probabilities = np.empty(len(lessons.truth), dtype=np.float32)
    at_once = max(1, _INSTANTS // lessons.length) if isinstance(lessons, WindowDataset) else _JUDGED
    for numbers in torch.split(torch.arange(len(lessons)), at_once):
        rows, _, instants = lessons[numbers]
        chances = torch.sigmoid(logits(net, contents, rows)).cpu()
        probabilities[instants[instants >= 0].numpy()] = chances[instants >= 0].numpy()
    return probabilities


@torch.no_grad()
def weigh(model: JoinedModel, contents: Contents, validation: Lessons) -> None:
    """Chooses how a model joins its signals, by the labelled instants of the validation side. It is in evaluation mode.

    It is no part of the loop: each signal's own logits are what was learnt.
    """
    logits, flags, truth = [], [], []
    for numbers in torch.split(torch.arange(len(validation)), 1):
        rows, labels, instants = validation[numbers]
        tracks, known = contents.window(rows)
        counts = instants >= 0
        logits.append(torch.stack(list(model.signal_logits(tracks, known).values()), -1).cpu()[counts])
        flags.append(torch.stack([known[name] for name in model.widths], -1).cpu()[counts])
        truth.append(labels[counts])
    model.weigh(torch.cat(logits), torch.cat(flags), torch.cat(truth))


class _Learner(lightning.LightningModule):
    """Binary cross entropy on the logits; average precision over all processes after each epoch."""

    def __init__(
        self,
        net: Learner,
        contents: Contents,
        truth: npt.NDArray[np.bool_],
        settings: FitSettings,
        batch: int,
        keeper: "_Keeper",
    ) -> None:
        super().__init__()
        self.net, self.contents, self.truth, self.settings, self.batch = net, contents, truth, settings, batch
        self.keeper = keeper
        self.loops: dict[str, Any] = {}  # how far Lightning was when the epoch began
        self.automatic_optimization = False  # steps that were done before a stop are passed over
        if isinstance(net, Classifier):
            self.compiled = torch.compile(net.clip_logits, dynamic=False) if settings.compiled else net.clip_logits
        self.train_losses: list[Tensor] = []
        self.seen: list[tuple[Tensor, Tensor]] = []

    def configure_optimizers(self) -> torch.optim.Optimizer:
        learnt = [p for p in self.net.parameters() if p.requires_grad]
        settings = self.settings
        return torch.optim.AdamW(learnt, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.loops = copy.deepcopy(checkpoint["loops"])

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        # Within an epoch Lightning does not go on with the same result (it leaves out a judgement that was begun).
        # So it begins the epoch again, and training_step passes over what was done.
        if self.keeper.done:
            checkpoint["loops"] = self.loops
        self.loops = copy.deepcopy(checkpoint["loops"])

    def on_train_start(self) -> None:
        # In place of Lightning's handler, which broadcasts from within (other ranks hang) and leaves with code 0.
        if self.trainer.received_sigterm:
            raise Stopped(_STOPPED)
        with suppress(ValueError):  # raised outside of the main thread, where nobody can listen
            signal.signal(signal.SIGTERM, self.keeper.request_stop)
        if not self.loops:
            self.loops = {"fit_loop": copy.deepcopy(self.trainer.fit_loop.state_dict())}

    def _stop_if_requested(self, done: int) -> None:
        if self.keeper.process_group.any(self.keeper.stop_requested):
            self.keeper.stop(self.trainer, done, [loss.item() for loss in self.train_losses])

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:  # noqa: ARG002
        rows, labels, numbers = batch
        # Rows are gathered on the device that holds the frames. A copy to the GPU and back would cost more.
        holder = next(iter(self.contents.held.values())).device
        return rows.to(holder), labels.to(device, non_blocking=True), numbers

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002
        # Not in on_train_epoch_start, which Lightning leaves out in the first epoch after a restart.
        if batch_idx == 0:
            self.train_losses = [
                torch.tensor(loss, device=self.device) for loss in self.keeper.losses(self.global_rank)
            ]
        # Dropout and changes of a step depend on its place alone, as its batch does.
        place = [self.settings.seed, self.current_epoch, batch_idx, self.global_rank]
        torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0]))

    def training_step(self, batch: Batch, batch_idx: int) -> None:
        if batch_idx < self.keeper.done:
            return
        rows, labels, numbers = batch
        if isinstance(self.net, Classifier):
            outcome = self._clip_logits(self.net, rows)
        else:
            counts = (numbers >= 0).to(labels.device)
            outcome, labels = self.net(*self.contents.window(rows))[counts], labels[counts]
        loss = nn.functional.binary_cross_entropy_with_logits(outcome, labels)
        self.train_losses.append(loss.detach())
        optimizer = self.optimizers()
        assert isinstance(optimizer, LightningOptimizer)
        optimizer.zero_grad()
        with torch.autocast(self.device.type, enabled=False):  # backward has the types of forward
            self.manual_backward(loss)
        optimizer.step()
        self._stop_if_requested(batch_idx + 1)

    def _clip_logits(self, net: Classifier, rows: Tensor) -> Tensor:
        clips = self.contents.take(rows)
        if self.settings.augment:
            clips = augmented(clips)
        # An epoch's last batch is smaller: not worth compiling for its size too.
        forward = self.compiled if len(rows) == self.batch else net.clip_logits
        return forward(clips)

    def on_validation_epoch_start(self) -> None:
        self.seen = []
        if distributed.is_initialized():
            for buffer in self.net.buffers():  # running means of a backbone: all judge what the first one saves
                distributed.broadcast(buffer, 0)

    def validation_step(self, batch: Batch) -> None:
        rows, _, numbers = batch
        counts = numbers >= 0
        outcome = logits(self.net, self.contents, rows)
        self.seen.append((outcome[counts.to(outcome.device)], numbers[counts]))
        self._stop_if_requested(int(self.trainer.num_training_batches))

    def on_validation_epoch_end(self) -> None:
        own_logits, numbers = (torch.cat(column).cpu().numpy() for column in zip(*self.seen, strict=True))
        means = [torch.stack(self.train_losses).mean().item()]
        gathered: list[Any] = [(own_logits, numbers, means)]
        if distributed.is_initialized():
            gathered = [None] * distributed.get_world_size()
            distributed.all_gather_object(gathered, (own_logits, numbers, means))
        all_logits = np.empty(len(self.truth), dtype=np.float32)
        for rank_logits, rank_numbers, _ in gathered:
            all_logits[rank_numbers] = rank_logits  # samples that two processes saw count once
        train_loss = float(np.mean([rank_means for *_, rank_means in gathered]))
        if not (np.isfinite(all_logits).all() and np.isfinite(train_loss)):
            rate = self.settings.learning_rate
            raise ModelError(
                f"the loss is not a number in epoch {self.current_epoch}: use a --learning-rate below {rate:g}"
            )
        losses = nn.functional.binary_cross_entropy_with_logits(
            torch.from_numpy(all_logits), torch.from_numpy(self.truth).float()
        )
        self.log("train_loss", train_loss)
        self.log("val_loss", losses.item())
        self.log("val_ap", metrics.average_precision(self.truth, all_logits) or 0.0)


class _Keeper(Callback):
    """Keeps the best weights and, after each epoch and on SIGTERM, a checkpoint that a later run goes on from.

    Lightning's own ModelCheckpoint writes to a path of one machine; this one goes to the root, whole
    or not at all, and says whether training is over.

    Attributes:
        latest: where the checkpoints go. It is None where none is kept.
        stop_requested: whether SIGTERM came.
        done: steps of the epoch that an earlier run did before it was stopped.
    """

    latest: CheckpointUpload | None

    def __init__(
        self,
        place: CheckpointPlace | None,
        process_group: ProcessGroup,
        epochs: int,
        on_epoch: OnEpoch,
    ) -> None:
        self.place, self.process_group, self.epochs, self.on_epoch = place, process_group, epochs, on_epoch
        self.weights: dict[str, Tensor] = {}
        self.best: int | None = None
        self.history: list[Epoch] = []
        self.finished = False
        self.stop_requested = False
        self.done = 0
        self._losses: list[list[float]] = []  # of the steps done, of each rank

    @property
    def state_key(self) -> str:
        return CHECKPOINT_STATE

    def losses(self, rank: int) -> list[float]:
        """Losses of the steps that are done. There may be more ranks now than there were."""
        return self._losses[rank % len(self._losses)] if self._losses else []

    def state_dict(self) -> dict[str, Any]:
        return {
            "digest": self.place.digest if self.place else None,
            "weights": self.weights,
            "best": self.best,
            "history": [(e.train_loss, e.val_loss, e.val_ap) for e in self.history],
            "finished": self.finished,
            "done": self.done,
            "losses": self._losses,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.weights, self.best = state_dict["weights"], state_dict["best"]
        self.history = [Epoch(*figures) for figures in state_dict["history"]]
        self.finished = state_dict["finished"]
        self.done, self._losses = state_dict["done"], state_dict["losses"]

    def request_stop(self, *_: object) -> None:
        self.stop_requested = True

    def stop(self, trainer: lightning.Trainer, done: int, losses: list[float]) -> None:
        """Saves the state and raises Stopped, in all processes at the same step."""
        self.done, self._losses = done, self.process_group.gather(losses)
        self._save(trainer)
        raise Stopped(_STOPPED if self.place else "stopped by SIGTERM")

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        figures = {name: float(value) for name, value in trainer.callback_metrics.items()}
        epoch = Epoch(figures["train_loss"], figures["val_loss"], figures["val_ap"])
        if self.best is None or epoch.val_ap > self.history[self.best].val_ap:
            net = pl_module.net
            assert isinstance(net, nn.Module)
            self.best = trainer.current_epoch
            self.weights = {name: t.detach().cpu().clone() for name, t in net.state_dict().items()}
        self.history.append(epoch)
        self.finished = trainer.should_stop or trainer.current_epoch + 1 == self.epochs
        self.done, self._losses = 0, []
        self._save(trainer)
        if self.process_group.first:
            self.on_epoch(trainer.current_epoch, epoch)

    def _save(self, trainer: lightning.Trainer) -> None:
        if self.latest is None:
            return
        with tempfile.TemporaryDirectory(prefix="lolhl-") as folder:
            path = Path(folder) / "last.ckpt"
            trainer.save_checkpoint(path)
            if self.process_group.first:
                self.latest.put(path)


@contextmanager
def _listening(on_sigterm: Callable[..., None]) -> Iterator[None]:
    """SIGTERM calls `on_sigterm` while the context lasts.

    Lightning restores the earlier handler as soon as it fails, so this is set outside of it. When one process is lost,
    torchrun sends the signal to the others. They must first store their checkpoint and report what happened.
    """
    try:
        earlier = signal.signal(signal.SIGTERM, on_sigterm)
    except ValueError:  # outside of the main thread, where nobody can listen
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, earlier)


@contextmanager
def _interrupted_as_usual() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt. Lightning would exit without a message instead, and then ignore the signal."""
    usual = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as left:
        if not isinstance(left.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, usual)
        raise KeyboardInterrupt from None


def _quiet() -> None:
    """Silences Lightning's advice. It is for those who write trainers, not for those who run this one."""
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module=r"lightning\..*")
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
