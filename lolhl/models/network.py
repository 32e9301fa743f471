"""The classifiers: image (one frame) and video (a clip of frames), from uint8 pixels to a logit."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from lolhl.models import backbones

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
        hidden: width of the LSTM.
        dropout: share of the features that training hides from the head.
    """

    kind: Kind
    backbone: str
    clip_frames: int
    clip_stride: int
    hidden: int
    dropout: float

    def offsets(self) -> list[int]:
        """Where the clip's frames lie, in grid steps from the frame that is scored."""
        return [(i - self.clip_frames // 2) * self.clip_stride for i in range(self.clip_frames)]

    def reach(self) -> int:
        """The longest way from the scored frame to a frame of its clip, in grid steps."""
        return max(abs(offset) for offset in self.offsets())

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Head(nn.Module):
    """Features of a clip [B, T, D] → logits [B]."""

    def __init__(self, architecture: Architecture, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(architecture.dropout)
        self.lstm = nn.LSTM(width, architecture.hidden, batch_first=True) if architecture.kind == "video" else None
        self.linear = nn.Linear(architecture.hidden if self.lstm else width, 1)

    def forward(self, features: Tensor) -> Tensor:
        steps = self.dropout(self.norm(features))
        if self.lstm is not None:
            steps, _ = self.lstm(steps)
        logits: Tensor = self.linear(steps[:, -1])
        return logits[:, 0]


class Network(nn.Module):
    """Backbone and head. Pixels come in as they were decoded; normalisation is the network's own work."""

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

    def forward(self, clips: Tensor) -> Tensor:
        """uint8 [B, T, S, S, 3] → logits [B]. The clips' frames are folded into the batch."""
        batch, steps = clips.shape[:2]
        features = self.features(clips.flatten(0, 1))
        logits: Tensor = self.head(features.view(batch, steps, self.width))
        return logits
