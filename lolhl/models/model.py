"""What a model is: tracks, and which of their instants are known → a logit for each instant.

Each kind of model has a file with its settings and its network, and a line in `lolhl.models.registry`. There are two
ways of learning. A `ClipModel` looks at single instants and then at a clip of them, so it learns from clips, and where
clips overlap each instant is encoded once. Any other model learns from windows of unbroken stretches.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from lolhl.config import Config

Tracks = Mapping[str, Tensor]
"""Signal → its values: floating [B, T, D]. Where they are not known they are 0, or lie between those around them."""
Known = Mapping[str, Tensor]
"""Signal → which instants are known: bool [B, T]."""

_PIECE = 256  # instants


@dataclass(frozen=True, kw_only=True)
class ModelSettings(Config, ABC):
    """Base of the settings of a kind of model."""

    @property
    @abstractmethod
    def wanted(self) -> tuple[str, ...]:
        """The signals that the model wants, by their names in `lolhl.signals.SIGNALS`."""

    @property
    @abstractmethod
    def context(self) -> int | None:
        """How many instants before and after an instant its logit depends on. None for all of the VOD."""


@dataclass(frozen=True, kw_only=True)
class ClipSettings(ModelSettings):
    """Base of the settings of a clip model."""

    @property
    @abstractmethod
    def offsets(self) -> tuple[int, ...]:
        """Where the instants of a clip lie, as seen from the instant that is scored, in grid steps."""

    @property
    def context(self) -> int:
        return max(map(abs, self.offsets))


class TrackModel(nn.Module, ABC):
    """Base of all models.

    Args:
        settings: of the class `Settings`.
        widths: signal → D, the numbers in each of its rows: one for each signal that the settings want.
    """

    Settings: ClassVar[type[ModelSettings]]
    summary: ClassVar[str]
    """What it is, in a few words, for the help of the command line."""

    def __init__(self, settings: ModelSettings, widths: Mapping[str, int]) -> None:
        super().__init__()
        self.settings = settings
        self.widths = dict(widths)

    @abstractmethod
    def forward(self, tracks: Tracks, known: Known) -> Tensor:
        """Tracks of B stretches of T instants → logits: float [B, T]."""


class Classifier(nn.Module, ABC):
    """Scores clips in two steps: `encode` looks at single instants, `decide` at the clip of encoded ones."""

    @abstractmethod
    def encode(self, frames: Tensor) -> Tensor:
        """Single instants [N, …] → encoded [N, E]."""

    @abstractmethod
    def decide(self, encoded: Tensor) -> Tensor:
        """Encoded instants of clips [B, T, E] → logits [B]."""

    def clip_logits(self, clips: Tensor) -> Tensor:
        """Instants of clips [B, T, …] → logits [B]. The clips' instants are folded into the batch."""
        return self.decide(self.encode(clips.flatten(0, 1)).view(*clips.shape[:2], -1))


class ClipModel(Classifier, TrackModel):
    """Base of the models that score an instant by a clip of a few instants around it, of one signal.

    Attributes:
        signal: the signal's name.
        offsets: see `ClipSettings`.
    """

    def __init__(self, settings: ClipSettings, widths: Mapping[str, int]) -> None:
        super().__init__(settings, widths)
        (self.signal,) = widths
        self.offsets = settings.offsets

    def forward(self, tracks: Tracks, known: Known) -> Tensor:  # noqa: ARG002
        """Before the first instant and after the last one these are repeated. Instants are taken for known."""
        values = tracks[self.signal]
        batch, count = values.shape[:2]
        encoded = self.encode(values.flatten(0, 1)).view(batch, count, -1)
        instants = torch.arange(count, device=values.device)[:, None] + torch.tensor(self.offsets, device=values.device)
        clips = encoded[:, instants.clamp(0, count - 1)]
        return self.decide(clips.flatten(0, 1)).view(batch, count)


class FeatureClipModel(ClipModel):
    """Base of the clip models that normalise each row of values, and hide some of the values in training."""

    def __init__(self, settings: ClipSettings, widths: Mapping[str, int], dropout: float) -> None:
        super().__init__(settings, widths)
        (width,) = widths.values()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.drop = Dropout(dropout)

    def project_features(self, features: Tensor) -> Tensor:
        """Normalised values [N, D] → encoded [N, E]."""
        return features

    def encode(self, frames: Tensor) -> Tensor:
        if frames.device.type == "cpu":  # in pieces that stay in its cache: twice as fast
            return torch.cat([self._encode(piece) for piece in torch.split(frames, _PIECE)])
        return self._encode(frames)

    def _encode(self, frames: Tensor) -> Tensor:
        return self.project_features(self.drop(self.norm(frames.float())))


class Dropout(nn.Module):
    """As nn.Dropout, which on a CPU would take more than half of a head's training time, but five times as fast.

    Args:
        share: of the values that are hidden in training.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, values: Tensor) -> Tensor:
        """Values of any shape → the same, each hidden (0) or raised so that their mean stays what it is."""
        if not (self.training and self.share):
            return values
        return values * _kept(values.shape, 1 - self.share, values.device)


def _kept(shape: torch.Size, share: float, device: torch.device) -> Tensor:
    """Zero where dropout hides, else 1 / share: float32 of that shape.

    Of random bytes, and so with the share rounded to 1/256.
    """
    words = torch.empty(-(-shape.numel() // 8), dtype=torch.int64, device=device).random_(-(2**63), 2**63 - 1)
    kept_bytes = max(1, round(256 * share))
    chosen = words.view(torch.uint8)[: shape.numel()].view(shape) < kept_bytes
    return chosen.float().mul_(256 / kept_bytes)
