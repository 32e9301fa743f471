"""An encoder turns pictures into features. It is a backbone with its weights, as far as a runtime has to know it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from lolhl.backbones import catalogue
from lolhl.backbones.picture_network import PictureNetwork


@dataclass(frozen=True)
class Encoder:
    """A backbone. It is built only where no runtime keeps a form of its own, since importing timm takes seconds.

    Attributes:
        backbone: its name.
        digest: see `catalogue.digest`.
        width: numbers in the features of one picture.
        mean, std: what pictures are normalised with, per colour, for values from 0 to 1.
        network: the network that holds it, in evaluation mode.
    """

    backbone: str
    digest: str
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    network: Callable[[], PictureNetwork] = field(compare=False)

    @classmethod
    def from_network(cls, network: PictureNetwork) -> "Encoder":
        """The encoder of a network in evaluation mode. Its weights must not change while the encoder is used."""
        digest, normalisation = catalogue.digest(network.backbone.state_dict()), network.normalisation
        mean, std = ((values[0], values[1], values[2]) for values in (normalisation["mean"], normalisation["std"]))
        return cls(network.name, digest, network.width, mean, std, lambda: network)
