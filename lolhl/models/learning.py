"""How a model learns: settings that `train` and `lolhl.models.arrays` share, and what comes out.

The loop itself is in `lolhl.models.training`, which takes seconds to import.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lolhl.config import Config, chosen_settings, setting
from lolhl.data.windows import STEP
from lolhl.errors import ModelError, NotFound
from lolhl.models.model import ModelSettings
from lolhl.models.registry import MODELS, settings_types
from lolhl.storage import Root


@dataclass(frozen=True, kw_only=True)
class LearnConfig(Config):
    """What learns, and how."""

    kind: str = setting("tcn", "; ".join(f"{name}: {model.summary}" for name, model in MODELS.items()), choices=MODELS)
    epochs: int = setting(
        20,
        "epochs at most: passes over the training samples, or over so many of them as follows",
        at_least=1,
        at_most=10**6,
    )
    epoch_samples: int = setting(
        16384,
        "samples of an epoch at most, others each time; then the model is judged",
        at_least=1,
        at_most=10**9,
    )
    batch: int | None = setting(
        None,
        "samples in a step, over all processes (default: 64; for a head up to 256, the more samples there are; or 8 "
        "windows of stretches)",
        at_least=1,
        at_most=10**6,
    )
    learning_rate: float = setting(5e-4, "of AdamW; 1e-4 suits --tune all", above=0, below=10)
    weight_decay: float = setting(0.01, "of AdamW", at_least=0)
    patience: int = setting(
        5,
        "epochs without a better validation average precision before stopping early",
        at_least=1,
        at_most=10**6,
    )
    seed: int = setting(0, "of first weights, order, dropout and changes of pictures", at_least=0, at_most=2**32 - 1)
    model: ModelSettings = chosen_settings("kind", settings_types)

    def fit_settings(
        self,
        samples: int,
        *,
        windows: bool = False,
        deep: bool = False,
        augment: bool = False,
        bf16: bool = False,
        compiled: bool = False,
    ) -> "FitSettings":
        """How to learn from so many samples.

        Args:
            samples: clips, or windows of stretches.
            windows: whether they are windows.
            deep: whether a backbone learns too.
            augment, bf16, compiled: see `FitSettings`.
        """
        usual = STEP if windows else 64 if deep else batch_of_head(min(samples, self.epoch_samples))
        return FitSettings(
            epochs=self.epochs,
            epoch_samples=self.epoch_samples,
            batch=self.batch or usual,
            learning_rate=self.learning_rate,
            weight_decay=self.weight_decay,
            patience=self.patience,
            seed=self.seed,
            augment=augment,
            bf16=bf16,
            compiled=compiled,
        )


@dataclass(frozen=True)
class FitSettings:
    """How a network learns. `lolhl.stages.train.TrainConfig` says what each setting means.

    `augment` is for pixels only. `bf16` runs products in bfloat16 (weights stay float32). `compiled`
    uses torch.compile, which needs a compiler on the machine.
    """

    epochs: int
    epoch_samples: int
    batch: int
    learning_rate: float
    weight_decay: float
    patience: int
    seed: int
    augment: bool = False
    bf16: bool = False
    compiled: bool = False


@dataclass(frozen=True)
class Epoch:
    """Figures of one epoch: mean training loss, validation loss, and average precision on validation."""

    train_loss: float
    val_loss: float
    val_ap: float


@dataclass(frozen=True)
class Fitted:
    """The best weights (by validation average precision), their epoch, and all epochs' figures."""

    weights: dict[str, Tensor]
    best: int
    history: list[Epoch]


@dataclass
class FitState:
    """How far training is: what a checkpoint holds.

    Attributes:
        weights, optimizer: as they are now. Both are empty where nothing was learnt yet.
        best_weights, best: of the best epoch so far, and its number.
        history: of the epochs that are over.
        done: steps of the next epoch that are done.
        losses: of these steps, of each process.
        finished: whether no epoch is to come.
    """

    weights: dict[str, Any] = field(default_factory=dict)
    optimizer: dict[str, Any] = field(default_factory=dict)
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    best: int | None = None
    history: list[Epoch] = field(default_factory=list)
    done: int = 0
    losses: list[list[float]] = field(default_factory=list)
    finished: bool = False

    def losses_of(self, rank: int) -> list[float]:
        """Losses of the steps that are done. There may be more processes now than there were."""
        return self.losses[rank % len(self.losses)] if self.losses else []


@dataclass(frozen=True)
class CheckpointPlace:
    """Where the state is kept until training is over. `digest` names the work it belongs to."""

    root: Root
    key: str
    digest: str

    def write(self, path: Path, state: FitState) -> None:
        """Writes the state to a file of this machine, which is uploaded from there."""
        history = [(epoch.train_loss, epoch.val_loss, epoch.val_ap) for epoch in state.history]
        torch.save({**vars(state), "history": history, "digest": self.digest}, path)

    def load(self) -> FitState | None:
        """The state that is kept. None when there is none of this work.

        Raises:
            ModelError: what lies there is no checkpoint.
        """
        try:
            path = self.root.local(self.key)
        except NotFound:
            return None
        try:
            stored = torch.load(path, weights_only=True, map_location="cpu")
            if "pytorch-lightning_version" in stored or stored.pop("digest") != self.digest:
                return None  # the first are of lolhl 0.1, which trained by Lightning's Trainer: it begins anew
            return FitState(**{**stored, "history": [Epoch(*figures) for figures in stored["history"]]})
        except Exception as error:  # the unpickler fails in many ways on what is no checkpoint
            raise ModelError(f"{path} is no checkpoint of lolhl: remove it and train again") from error


OnEpoch = Callable[[int, Epoch], None]
"""Called after each epoch, with its number from 0 and its figures."""


def batch_of_head(samples: int) -> int:
    """Samples in a step of a head: steps stay many, and each large enough that what surrounds it costs little."""
    return min(256, max(64, 1 << (samples // 64).bit_length() >> 1))
