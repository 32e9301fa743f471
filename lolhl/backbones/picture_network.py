"""A backbone with the normalisation of its pictures: from uint8 pixels to features."""

import torch
from torch import Tensor, nn

from lolhl.backbones import catalogue


class PictureNetwork(nn.Module):
    """A backbone. Its pictures are pixels as they were decoded; it normalises them itself.

    Attributes:
        name: the backbone's name.
        width: numbers in the features of one picture.
        side: the only picture size that the backbone takes; None where it takes any.
        normalisation: mean and standard deviation per colour, for values from 0 to 1.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, backbone: str, *, pretrained: bool = False) -> None:
        super().__init__()
        self.name = backbone
        parts = catalogue.build(backbone, pretrained=pretrained)
        self.backbone = parts.net
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
