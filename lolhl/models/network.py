"""A backbone and the model over it, as one network from uint8 pixels to a logit."""

import torch
from torch import Tensor

from lolhl.errors import ModelError
from lolhl.models import backbones
from lolhl.models.model import Classifier, ClipModel, TrackModel

PICTURES = "pictures"  # the signal that needs a backbone


class Network(Classifier):
    """A backbone, and what it stands under. Its frames are pixels as they were decoded: uint8 [N, S, S, 3].

    It normalises them itself.

    Attributes:
        name: the backbone's name.
        width: numbers in the features of one picture.
        side: the only picture size that the backbone takes; None where it takes any.
        head: the model that takes the features, once there is one. Clips are scored where it is a clip model.
    """

    mean: Tensor
    std: Tensor
    head: TrackModel | None

    def __init__(self, backbone: str, *, pretrained: bool = False) -> None:
        super().__init__()
        self.name = backbone
        parts = backbones.build(backbone, pretrained=pretrained)
        self.backbone = parts.net
        self.head = None
        self.width = parts.width
        self.side = parts.side
        self.register_buffer("mean", torch.tensor(parts.mean).view(1, 3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(parts.std).view(1, 3, 1, 1) * 255, persistent=False)
        self.normalisation = {"mean": list(parts.mean), "std": list(parts.std)}

    def features(self, pictures: Tensor) -> Tensor:
        """uint8 [N, S, S, 3] → float32 [N, D]."""
        pixels = pictures.permute(0, 3, 1, 2).float()
        features: Tensor = self.backbone((pixels - self.mean) / self.std)
        return features

    def encode(self, frames: Tensor) -> Tensor:
        return self._clip_head.encode(self.features(frames))

    def decide(self, encoded: Tensor) -> Tensor:
        return self._clip_head.decide(encoded)

    @property
    def _clip_head(self) -> ClipModel:
        assert isinstance(self.head, ClipModel)
        return self.head


def outline(backbone: str) -> Network:
    """The network without memory for its weights: their names, shapes and types, and what it must be given.

    Raises:
        UsageError: there is no such backbone.
    """
    try:
        with torch.device("meta"):
            return Network(backbone)
    except ModelError:  # some of timm's backbones compute while they are built
        return Network(backbone)
