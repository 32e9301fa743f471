"""tcn: whole stretches → logits, by dilated convolutions over time. A head for each signal, joined late.

The network is the one of three dilated layers that did best in a comparison on stored features of a real final, where
a reach of 35 s on each side was better than 5, 15 and 75 s.
"""

from dataclasses import dataclass

from torch import Tensor, nn

from lolhl.config import setting
from lolhl.models.joined import JoinedModel, JoinedSettings
from lolhl.models.model import Dropout

_SIDE = 3  # instants on each side that a convolution sees, a dilation apart


@dataclass(frozen=True, kw_only=True)
class TcnSettings(JoinedSettings):
    """Dilated convolutions."""

    layers: int = setting(3, "layers of convolutions", at_least=1, at_most=12)
    reach: int = setting(
        105, "instants before and after that are seen at most; 105 are 35 s at 3 a second", at_least=3, at_most=100_000
    )

    @property
    def dilations(self) -> list[int]:
        """Of each layer: 1, and then larger by the same factor, so that together they reach as far as they may."""
        factor = 1.0
        while sum(self._dilations(factor + 0.01)) * _SIDE <= self.reach and factor < 2 * _SIDE + 1:
            factor += 0.01
        return self._dilations(factor)

    def _dilations(self, factor: float) -> list[int]:
        return [int(factor**layer) for layer in range(self.layers)]

    @property
    def context(self) -> int:
        return _SIDE * sum(self.dilations)


class TcnHead(nn.Module):
    """The head of one signal."""

    def __init__(self, settings: TcnSettings, width: int) -> None:
        super().__init__()
        self.drop = Dropout(settings.dropout)
        self.project = nn.Linear(width, settings.hidden)
        self.layers = nn.ModuleList(
            nn.Conv1d(settings.hidden, settings.hidden, 2 * _SIDE + 1, padding=_SIDE * dilation, dilation=dilation)
            for dilation in settings.dilations
        )
        self.linear = nn.Linear(settings.hidden, 1)

    def forward(self, values: Tensor, known: Tensor) -> Tensor:
        exists = known[..., None].float()
        hidden = self.project(self.drop(values)) * exists
        for layer in self.layers:
            # Beyond the ends of a stretch, and where nothing is known, there is nothing: as zeros that a layer pads.
            hidden = (hidden + self.drop(_convolved(hidden, layer).relu())) * exists
        logits: Tensor = self.linear(hidden)
        return logits[..., 0]


def _convolved(values: Tensor, layer: nn.Module) -> Tensor:
    """A convolution over time: [B, T, D] → [B, T, D].

    It is computed as one over pictures of a single line, since torch has no convolution over lines for values that lie
    side by side for each instant, as these do: a third less time on a CPU.
    """
    assert isinstance(layer, nn.Conv1d)
    line = values.transpose(1, 2)[:, :, None]
    padding, dilation = (0, int(layer.padding[0])), (1, layer.dilation[0])
    convolved = nn.functional.conv2d(line, layer.weight[:, :, None], layer.bias, padding=padding, dilation=dilation)
    return convolved[:, :, 0].transpose(1, 2)


class TcnModel(JoinedModel):
    """Dilated convolutions over each signal."""

    Settings = TcnSettings
    summary = "whole stretches, by dilated convolutions"

    def make_head(self, settings: JoinedSettings, width: int) -> nn.Module:
        assert isinstance(settings, TcnSettings)
        return TcnHead(settings, width)
