"""Training: a plain loop that goes on after a kill from its last epoch, and after SIGTERM from its step.

What happens in a step depends on the seed, the epoch, the step and the rank alone, so a checkpoint needs no state
of random generators: the weights, the optimizer's state and a position are enough for the same result.

Lightning Fabric does what depends on the machine: devices, precision, and gradients that several processes share.
"""

import logging
import signal
import tempfile
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from lightning.fabric import Fabric
from torch import Tensor, distributed, nn

from lolhl.data.augment import augmented
from lolhl.data.samples import Batch, BatchOrder, ClipDataset, Contents
from lolhl.data.windows import WindowDataset
from lolhl.errors import LolhlError, ModelError
from lolhl.evaluate import metrics
from lolhl.models.joined import JoinedModel
from lolhl.models.learning import CheckpointPlace, Epoch, FitSettings, FitState, Fitted, OnEpoch
from lolhl.models.model import Classifier, TrackModel
from lolhl.models.process_group import ProcessGroup, report_lost_process
from lolhl.storage.checkpoint_upload import CheckpointUpload

Learner = Classifier | TrackModel
Lessons = ClipDataset | WindowDataset

_JUDGED = 128  # clips at once
_INSTANTS = 2**15  # instants of windows at once


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
    state = (place.load() if place else None) or FitState()
    if not state.finished:
        with (
            _sigterm() as stop,
            report_lost_process(),
            CheckpointUpload(place.root, place.key) if place else nullcontext() as upload,
        ):
            loop = _Loop(net, contents, train, validation, settings, process_group, state)
            while not state.finished:
                number = len(state.history)
                for _ in loop.epoch(number):
                    if process_group.any(stop.is_set()):
                        loop.save(place, upload)
                        raise Stopped("stopped by SIGTERM" + ("; the same command goes on from here" if place else ""))
                loop.end_epoch()
                loop.save(place, upload)
                if process_group.first:
                    on_epoch(number, state.history[number])
    assert state.best is not None
    return Fitted(state.best_weights, state.best, state.history)


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


class _Loss(nn.Module):
    """Binary cross entropy on the logits of a batch.

    Args:
        batch: clips in a step, but for the last one of an epoch.
    """

    def __init__(self, net: Learner, contents: Contents, settings: FitSettings, batch: int) -> None:
        super().__init__()
        self.net, self.contents, self.settings, self.batch = net, contents, settings, batch
        if isinstance(net, Classifier):
            self.compiled = torch.compile(net.clip_logits, dynamic=False) if settings.compiled else net.clip_logits

    def forward(self, rows: Tensor, labels: Tensor, numbers: Tensor) -> Tensor:
        if isinstance(self.net, Classifier):
            outcome = self._clip_logits(self.net, rows)
        else:
            counts = (numbers >= 0).to(labels.device)
            outcome, labels = self.net(*self.contents.window(rows))[counts], labels[counts]
        return nn.functional.binary_cross_entropy_with_logits(outcome, labels)

    def _clip_logits(self, net: Classifier, rows: Tensor) -> Tensor:
        clips = self.contents.take(rows)
        if self.settings.augment:
            clips = augmented(clips)
        # An epoch's last batch is smaller: not worth compiling for its size too.
        forward = self.compiled if len(rows) == self.batch else net.clip_logits
        return forward(clips)


class _Loop:
    """Epochs of learning and judging, one step at a time. How far they are is in `state`."""

    def __init__(
        self,
        net: Learner,
        contents: Contents,
        train: Lessons,
        validation: Lessons,
        settings: FitSettings,
        process_group: ProcessGroup,
        state: FitState,
    ) -> None:
        self.net, self.contents, self.train, self.validation = net, contents, train, validation
        self.settings, self.process_group, self.state = settings, process_group, state
        rank, world = process_group.rank, process_group.world
        batch = max(1, settings.batch // world)
        self.shuffled = BatchOrder(
            len(train), batch, shuffle_seed=settings.seed, rank=rank, world=world, most=settings.epoch_samples
        )
        self.in_order = BatchOrder(len(validation), batch, shuffle_seed=None, rank=rank, world=world)
        learnt = [parameter for parameter in net.parameters() if parameter.requires_grad]
        self.adamw = torch.optim.AdamW(learnt, settings.learning_rate, weight_decay=settings.weight_decay, fused=True)
        if state.optimizer:
            net.load_state_dict(state.weights)
            self.adamw.load_state_dict(state.optimizer)
        self.fabric = _fabric(contents.device, settings, process_group)
        self.loss, self.optimizer = self.fabric.setup(_Loss(net, contents, settings, batch), self.adamw)
        self.losses: list[Tensor] = []  # of this epoch's steps, in this process
        self.judged: list[tuple[Tensor, Tensor]] = []  # logits, and the numbers of their instants

    def epoch(self, number: int) -> Iterator[None]:
        """Learns from a part of the samples and judges the result, with a pause after each step."""
        self.losses = [torch.tensor(loss) for loss in self.state.losses_of(self.process_group.rank)]
        self.shuffled.set_epoch(number)
        for step, numbers in enumerate(self.shuffled):
            if step < self.state.done:
                continue
            # Dropout and changes of a step depend on its place alone, as its batch does.
            place = [self.settings.seed, number, step, self.process_group.rank]
            torch.manual_seed(int(np.random.SeedSequence(place).generate_state(1, np.uint64)[0]))
            self._learn(self.train[numbers])
            self.state.done = step + 1
            yield
        self.judged = []
        with _evaluation_mode(self.net):
            if distributed.is_initialized():
                for buffer in self.net.buffers():  # running means of a backbone: all judge what the first one saves
                    distributed.broadcast(buffer, 0)
            for numbers in self.in_order:
                self._judge(self.validation[numbers])
                yield

    def _learn(self, batch: Batch) -> None:
        rows, labels, numbers = batch
        # Rows are gathered on the device that holds the frames. A copy to the GPU and back would cost more.
        holder = next(iter(self.contents.held.values())).device
        loss = self.loss(rows.to(holder), labels.to(self.contents.device, non_blocking=True), numbers)
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        self.optimizer.step()
        self.losses.append(loss.detach())

    def _judge(self, batch: Batch) -> None:
        rows, _, numbers = batch
        counts = numbers >= 0
        with self.fabric.autocast():
            outcome = logits(self.net, self.contents, rows)
        self.judged.append((outcome[counts.to(outcome.device)], numbers[counts]))

    def end_epoch(self) -> None:
        """Takes down the figures of an epoch, and its weights if they are the best so far."""
        state, settings = self.state, self.settings
        epoch = self._figures(len(state.history))
        if state.best is None or epoch.val_ap > state.history[state.best].val_ap:
            state.best, state.best_weights = len(state.history), self._weights()
        state.history.append(epoch)
        over = len(state.history) == settings.epochs
        state.finished = over or len(state.history) - 1 - state.best >= settings.patience
        state.done, self.losses = 0, []

    def _figures(self, number: int) -> Epoch:
        """Losses and average precision over all processes."""
        own_logits, numbers = (torch.cat(column).cpu().numpy() for column in zip(*self.judged, strict=True))
        mean = torch.stack([loss.cpu() for loss in self.losses]).mean().item()
        gathered: list[Any] = [(own_logits, numbers, mean)]
        if distributed.is_initialized():
            gathered = [None] * distributed.get_world_size()
            distributed.all_gather_object(gathered, (own_logits, numbers, mean))
        truth = self.validation.truth
        all_logits = np.empty(len(truth), dtype=np.float32)
        for rank_logits, rank_numbers, _ in gathered:
            all_logits[rank_numbers] = rank_logits  # samples that two processes saw count once
        train_loss = float(np.mean([rank_mean for *_, rank_mean in gathered]))
        if not (np.isfinite(all_logits).all() and np.isfinite(train_loss)):
            rate = self.settings.learning_rate
            raise ModelError(
                f"the loss is not a number in epoch {number + 1}: use a --learning-rate below {rate:g}, or less "
                "--weight-decay"
            )
        loss = nn.functional.binary_cross_entropy_with_logits(
            torch.from_numpy(all_logits), torch.from_numpy(truth).float()
        )
        return Epoch(train_loss, loss.item(), metrics.average_precision(truth, all_logits) or 0.0)

    def save(self, place: CheckpointPlace | None, upload: CheckpointUpload | None) -> None:
        """Stores how far training is, where that is kept. All processes call it at the same step."""
        self.state.losses = self.process_group.gather([loss.item() for loss in self.losses])
        if place is None or upload is None or not self.process_group.first:
            return
        self.state.weights, self.state.optimizer = self.net.state_dict(), self.adamw.state_dict()
        with tempfile.TemporaryDirectory(prefix="lolhl-") as folder:
            path = Path(folder) / "last.ckpt"
            place.write(path, self.state)
            upload.put(path)

    def _weights(self) -> dict[str, Tensor]:
        """A copy of the weights as they are now."""
        return {name: weight.detach().cpu().clone() for name, weight in self.net.state_dict().items()}


def _fabric(device: torch.device, settings: FitSettings, process_group: ProcessGroup) -> Fabric:
    """The devices of all processes, and how numbers are computed on them."""
    logging.getLogger("lightning.fabric").setLevel(logging.WARNING)  # it greets each process
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The `srun` command is available")  # where a job runs without it
        fabric = Fabric(
            accelerator="gpu" if device.type == "cuda" else "cpu",
            devices=process_group.local_world,
            num_nodes=process_group.world // process_group.local_world,
            strategy="ddp" if process_group.world > 1 else "auto",
            precision="bf16-mixed" if settings.bf16 else "32-true",
        )
        fabric.launch()
    return fabric


@contextmanager
def _evaluation_mode(net: nn.Module) -> Iterator[None]:
    """The network judges while the context lasts. Each part is as it was then: a frozen one may never learn."""
    learning = [part for part in net.modules() if part.training]
    net.eval()
    try:
        yield
    finally:
        for part in learning:
            part.training = True


@contextmanager
def _sigterm() -> Iterator[threading.Event]:
    """An event that is set when SIGTERM comes, which ends nothing while the context lasts.

    When one process is lost, torchrun sends the signal to the others. They must first store their checkpoint and
    report what happened.
    """
    came = threading.Event()
    try:
        earlier = signal.signal(signal.SIGTERM, lambda *_: came.set())
    except ValueError:  # outside of the main thread, where nobody can listen
        yield came
        return
    try:
        yield came
    finally:
        signal.signal(signal.SIGTERM, earlier)
