"""The classifiers: image (one frame) and video (a clip of frames), from uint8 pixels to a logit.

Each works in two steps: `encode` looks at single frames, `decide` at the clip of encoded frames. So
where clips overlap, as they do when whole streams are scored, each frame is encoded once.
"""

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import torch
from msgspec import Meta
from torch import Tensor, nn

from lolhl.errors import ModelError
from lolhl.models import backbones

_PIECE = 256  # frames

Kind = Literal["image", "video"]


@dataclass(frozen=True)
class Architecture:
    """All that is needed to build a network again, apart from its weights.

    Attributes:
        kind: "image" sees one frame, "video" a clip through an LSTM.
        backbone: a name that `backbones.build` knows.
        clip_frames: frames in a clip; 1 for an image classifier. The frame that the score is for
            lies in the middle, at clip_frames // 2: a stream is scored when it is over.
        clip_stride: grid steps between two frames of a clip.
        hidden: width of the LSTM and of what it is given.
        dropout: share of the features that training hides from the head.
    """

    kind: Kind
    backbone: str
    clip_frames: Annotated[int, Meta(ge=1, le=10_000)]
    clip_stride: Annotated[int, Meta(ge=1, le=10_000)]
    hidden: Annotated[int, Meta(ge=1, le=8192)]
    dropout: Annotated[float, Meta(ge=0, lt=1)]

    def offsets(self) -> list[int]:
        """Where the clip's frames lie, in grid steps from the frame that is scored."""
        return [(i - self.clip_frames // 2) * self.clip_stride for i in range(self.clip_frames)]

    def reach(self) -> int:
        """The longest way from the scored frame to a frame of its clip, in grid steps."""
        return max(abs(offset) for offset in self.offsets())

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Classifier(nn.Module, ABC):
    """What a head and a whole network have in common."""

    @abstractmethod
    def encode(self, frames: Tensor) -> Tensor:
        """Single frames [N, …] → encoded [N, E]."""

    @abstractmethod
    def decide(self, encoded: Tensor) -> Tensor:
        """Encoded frames of clips [B, T, E] → logits [B]."""

    def forward(self, clips: Tensor) -> Tensor:
        """Frames of clips [B, T, …] → logits [B]. The clips' frames are folded into the batch."""
        return self.decide(self.encode(clips.flatten(0, 1)).view(*clips.shape[:2], -1))


class Head(Classifier):
    """Its frames are features [N, D], of any floating type."""

    def __init__(self, architecture: Architecture, width: int) -> None:
        super().__init__()
        self.architecture = architecture
        self.width = width
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.dropout = architecture.dropout
        self.project: nn.Linear | None = None
        self.lstm: nn.LSTM | None = None
        if architecture.kind == "video":
            # Narrow before the LSTM: its products cost a quarter, and it learns better from little.
            self.project = nn.Linear(width, architecture.hidden)
            self.lstm = nn.LSTM(architecture.hidden, architecture.hidden, batch_first=True)
            width = architecture.hidden
        self.linear = nn.Linear(width, 1)

    def encode(self, frames: Tensor) -> Tensor:
        if frames.device.type == "cpu":  # in pieces that stay in its cache: twice as fast
            return torch.cat([self._encode(piece) for piece in torch.split(frames, _PIECE)])
        return self._encode(frames)

    def _encode(self, frames: Tensor) -> Tensor:
        features: Tensor = self.norm(frames.float())
        if self.training and self.dropout:
            features = features * _kept(features.shape, 1 - self.dropout, features.device)
        return features if self.project is None else self.project(features)

    def decide(self, encoded: Tensor) -> Tensor:
        if self.lstm is not None:
            encoded, _ = self.lstm(encoded)
        logits: Tensor = self.linear(encoded[:, -1])
        return logits[:, 0]


def _kept(shape: torch.Size, share: float, device: torch.device) -> Tensor:
    """Zero where dropout hides, else 1 / share: float32 of that shape.

    Of random bytes, and so with the share rounded to 1/256: on a CPU five times as fast as nn.Dropout,
    which would take more than half of a head's training time.
    """
    words = torch.empty(-(-shape.numel() // 8), dtype=torch.int64, device=device).random_(-(2**63), 2**63 - 1)
    kept = max(1, round(256 * share))
    chosen = words.view(torch.uint8)[: shape.numel()].view(shape) < kept
    return chosen.float().mul_(256 / kept)


class Network(Classifier):
    """Backbone and head. Its frames are pixels as they were decoded: uint8 [N, S, S, 3]; it normalises them itself."""

    mean: Tensor
    std: Tensor

    def __init__(self, architecture: Architecture, *, pretrained: bool = False) -> None:
        super().__init__()
        self.architecture = architecture
        made = backbones.build(architecture.backbone, pretrained=pretrained)
        self.backbone = made.net
        self.head = Head(architecture, made.width)
        self.width = made.width
        self.side = made.side
        self.register_buffer("mean", torch.tensor(made.mean).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(made.std).view(1, 3, 1, 1) * 255, persistent=False)
        self.normalisation = {"mean": list(made.mean), "std": list(made.std)}

    def features(self, pictures: Tensor) -> Tensor:
        """uint8 [N, S, S, 3] → float32 [N, D]."""
        pixels = pictures.permute(0, 3, 1, 2).float()
        features: Tensor = self.backbone((pixels - self.mean) / self.std)
        return features

    def encode(self, frames: Tensor) -> Tensor:
        return self.head.encode(self.features(frames))

    def decide(self, encoded: Tensor) -> Tensor:
        return self.head.decide(encoded)


def outline(architecture: Architecture) -> Network:
    """The network without memory for its weights: their names, shapes and types, and what it must be given.

    Raises:
        UsageError: there is no such backbone.
    """
    try:
        with torch.device("meta"):
            return Network(architecture)
    except ModelError:  # some of timm's backbones compute while they are built
        return Network(architecture)
