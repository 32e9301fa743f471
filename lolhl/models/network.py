"""A backbone and the model over it, as one network from uint8 pixels to a logit."""

import torch
from torch import Tensor

from lolhl.backbones.picture_network import PictureNetwork
from lolhl.errors import ModelError
from lolhl.models.model import Classifier, ClipModel, TrackModel

PICTURES = "pictures"  # the signal that needs a backbone


class Network(PictureNetwork, Classifier):
    """A backbone, and what it stands under. Its frames are pixels as they were decoded: uint8 [N, S, S, 3].

    Attributes:
        head: the model that takes the features, once there is one. Clips are scored where it is a clip model.
    """

    head: TrackModel | None

    def __init__(self, backbone: str, *, pretrained: bool = False) -> None:
        super().__init__(backbone, pretrained=pretrained)
        self.head = None

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
