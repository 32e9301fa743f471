"""What turns a picture into features: a backbone with its weights, as far as an engine has to know it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from lolhl.models import backbones
from lolhl.models.network import Network


@dataclass(frozen=True)
class Encoder:
    """A backbone. It is built only where no engine keeps it in a form of its own: importing timm alone takes seconds.

    Attributes:
        backbone: its name.
        digest: see `backbones.digest`.
        width: of its features.
        mean, std: what pictures are normalised with, per colour, for values from 0 to 1.
        network: the network that holds it, in evaluation mode.
    """

    backbone: str
    digest: str
    width: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    network: Callable[[], Network] = field(compare=False)

    @classmethod
    def of(cls, network: Network) -> "Encoder":
        """That of a network in evaluation mode, whose weights must not change while the encoder is used."""
        digest, normalisation = backbones.digest(network.backbone.state_dict()), network.normalisation
        mean, std = ((values[0], values[1], values[2]) for values in (normalisation["mean"], normalisation["std"]))
        return cls(network.architecture.backbone, digest, network.width, mean, std, lambda: network)
