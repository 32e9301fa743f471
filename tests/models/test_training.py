"""Fitting: goes on from its last epoch or from where SIGTERM stopped it, and says when it cannot."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from lolhl.data.samples import BatchOrder, ClipDataset, Contents
from lolhl.errors import ModelError
from lolhl.models import training
from lolhl.models.learning import CheckpointPlace, Epoch, FitSettings, Fitted
from lolhl.models.model import Classifier
from lolhl.models.process_group import ProcessGroup
from lolhl.models.training import Stopped, fit
from lolhl.storage import Root, open_root
from lolhl.storage.checkpoint_upload import CheckpointUpload

ALONE = ProcessGroup(0, 1, 1)
SETTINGS = FitSettings(epochs=6, epoch_samples=100, batch=8, learning_rate=0.1, weight_decay=0.0, patience=6, seed=3)


class Net(Classifier):
    def __init__(self, look: Callable[[], None] = lambda: None) -> None:
        super().__init__()
        self.look = look
        torch.manual_seed(0)
        self.dropout, self.linear = nn.Dropout(0.5), nn.Linear(4, 1)

    def encode(self, frames: Tensor) -> Tensor:
        self.look()
        encoded: Tensor = self.dropout(frames.float())
        return encoded

    def decide(self, encoded: Tensor) -> Tensor:
        logits: Tensor = self.linear(encoded[:, -1])
        return logits[:, 0]


def data(seed: int, broken: bool = False) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float16]]:
    rng = np.random.default_rng(seed)
    labels = rng.random(64) < 0.3
    features = (rng.normal(size=(64, 4)) + labels[:, None]).astype(np.float16)
    if broken:
        features[5] = np.inf
    return labels, features


def fitted(
    root: Root, on_epoch: object = None, *, broken: bool = False, look: Callable[[], None] = lambda: None
) -> Fitted:
    place = CheckpointPlace(root, "models/m/unfinished.ckpt", "digest")
    say = on_epoch if callable(on_epoch) else lambda *_: None
    (learnt, a), (judged, b) = data(1, broken), data(2)
    contents = Contents({"pictures": torch.from_numpy(np.concatenate([a, b]))}, torch.device("cpu"))
    train = ClipDataset(learnt, np.arange(64)[:, None])
    validation = ClipDataset(judged, np.arange(64, 128)[:, None])
    return fit(Net(look), contents, train, validation, SETTINGS, place, ALONE, say)


@pytest.mark.parametrize("last", [0, 2, 5])
def test_stopped_after_any_epoch_it_ends_with_the_same_weights(tmp_path: Path, last: int) -> None:
    whole = fitted(open_root(str(tmp_path / "whole")))
    assert len(whole.history) == 6
    root = open_root(str(tmp_path / "stopped"))

    class Broken(Exception):
        pass

    def stop(number: int, _: Epoch) -> None:
        if number == last:
            raise Broken

    with pytest.raises(Broken):
        fitted(root, stop)
    seen: list[int] = []
    again = fitted(root, lambda number, _: seen.append(number))
    assert seen == list(range(last + 1, 6))
    assert again.history == whole.history
    assert again.best == whole.best
    assert all(torch.equal(again.weights[name], tensor) for name, tensor in whole.weights.items())


# An epoch looks at 8 batches to learn from and then at 8 to judge by: stops in all parts of epochs 0, 1 and 2.
@pytest.mark.parametrize("stops", [[1], [8], [12], [16], [17], [35], [40], [41], [3, 4, 7, 1, 14, 20]])
def test_stopped_by_sigterm_at_any_step_it_ends_with_the_same_weights(tmp_path: Path, stops: list[int]) -> None:
    whole = fitted(open_root(str(tmp_path / "whole")))
    root = open_root(str(tmp_path / "stopped"))
    usual = signal.getsignal(signal.SIGTERM)
    seen: list[int] = []

    for stop in stops:
        looked = 0

        def look(stop: int = stop) -> None:
            nonlocal looked
            looked += 1
            if looked == stop:
                os.kill(os.getpid(), signal.SIGTERM)

        with pytest.raises(Stopped, match="the same command goes on") as stopped:
            fitted(root, lambda number, _: seen.append(number), look=look)
        assert stopped.value.exit_code == 143
        assert looked == stop
        assert signal.getsignal(signal.SIGTERM) == usual
    again = fitted(root, lambda number, _: seen.append(number))
    assert seen == list(range(6))
    assert again.history == whole.history
    assert again.best == whole.best
    assert all(torch.equal(again.weights[name], tensor) for name, tensor in whole.weights.items())


def test_interrupted_by_ctrl_c_it_goes_on_and_the_signal_works_as_before(tmp_path: Path) -> None:
    whole = fitted(open_root(str(tmp_path / "whole")))
    root = open_root(str(tmp_path / "root"))
    looked = 0

    def look() -> None:
        nonlocal looked
        looked += 1
        if looked == 35:  # in the third epoch
            os.kill(os.getpid(), signal.SIGINT)

    usual = signal.signal(signal.SIGINT, signal.default_int_handler)  # it is ignored where tests run in the background
    try:
        with pytest.raises(KeyboardInterrupt):
            fitted(root, look=look)
        assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, usual)
    seen: list[int] = []
    again = fitted(root, lambda number, _: seen.append(number))
    assert seen[-1] == 5
    assert len(seen) <= 5
    assert again.history == whole.history
    assert all(torch.equal(again.weights[name], tensor) for name, tensor in whole.weights.items())


def test_sigterm_does_not_end_a_fit_that_failed_before_it_has_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = signal.getsignal(signal.SIGTERM)
    at_end: list[object] = []

    class Watched(CheckpointUpload):
        def __exit__(self, *why: Any) -> None:
            at_end.append(signal.getsignal(signal.SIGTERM))
            if callable(at_end[-1]):
                os.kill(os.getpid(), signal.SIGTERM)
            super().__exit__(*why)

    def lose(*_: object) -> None:
        raise RuntimeError("[gloo] Connection closed by peer")

    monkeypatch.setattr(training, "CheckpointUpload", Watched)
    with pytest.raises(ModelError, match="another process of this training was lost"):
        fitted(open_root(str(tmp_path / "root")), lose)
    assert [callable(handler) for handler in at_end] == [True]
    assert signal.getsignal(signal.SIGTERM) == usual


def test_another_work_s_checkpoint_is_not_used(tmp_path: Path) -> None:
    root = open_root(str(tmp_path))
    fitted(root)
    assert CheckpointPlace(root, "models/m/unfinished.ckpt", "digest").load() is not None
    assert CheckpointPlace(root, "models/m/unfinished.ckpt", "other").load() is None
    root.write("models/m/unfinished.ckpt", b"rubbish")
    with pytest.raises(ModelError, match="is no checkpoint"):
        CheckpointPlace(root, "models/m/unfinished.ckpt", "digest").load()


def test_a_loss_that_is_no_number_is_said(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"--learning-rate below 0\.1"):
        fitted(open_root(str(tmp_path)), broken=True)


def test_an_epoch_may_show_a_part_of_the_samples_and_the_next_one_others() -> None:
    orders = [BatchOrder(100, 8, shuffle_seed=5, rank=rank, world=2, most=30) for rank in range(2)]
    epochs = []
    for epoch in range(30):
        for rank_order in orders:
            rank_order.set_epoch(epoch)
        epochs.append({number for rank_order in orders for batch in order(rank_order) for number in batch})
    assert all(len(shown) == 30 for shown in epochs)
    assert [len(order(rank_order)) for rank_order in orders] == [len(rank_order) for rank_order in orders] == [2, 2]
    assert set.union(*epochs) == set(range(100))


def order(batch_order: BatchOrder) -> list[list[int]]:
    return [batch.tolist() for batch in batch_order]


@pytest.mark.parametrize(("count", "world"), [(10, 1), (10, 2), (11, 2), (11, 3), (2, 4)])
def test_each_sample_is_in_an_epoch_and_ranks_get_equally_many_batches(count: int, world: int) -> None:
    orders = [BatchOrder(count, 2, shuffle_seed=5, rank=rank, world=world) for rank in range(world)]
    batches = [list(order) for order in orders]
    assert {len(rank_batches) for rank_batches in batches} == {len(orders[0])}
    seen = [number for rank_batches in batches for batch in rank_batches for number in batch.tolist()]
    assert set(seen) == set(range(count))
    assert len(seen) - count < world
    first = order(orders[0])
    orders[0].set_epoch(1)
    assert world > 2 or order(orders[0]) != first
    orders[0].set_epoch(0)
    assert order(orders[0]) == first
