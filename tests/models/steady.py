"""A model from outside of the library: how much a signal differs from what it was before and will be after."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lolhl.config import setting
from lolhl.models.model import Known, ModelSettings, TrackModel, Tracks


@dataclass(frozen=True, kw_only=True)
class SteadySettings(ModelSettings):
    """What is compared."""

    steady_signals: str = setting("brightness", "signals to compare, with commas between")
    reach: int = setting(15, "instants before and after that an instant is compared with", at_least=1, at_most=999)

    @property
    def wanted(self) -> tuple[str, ...]:
        return tuple(self.steady_signals.split(","))

    @property
    def context(self) -> int:
        return self.reach


class SteadyModel(TrackModel):
    """A linear layer over what differs, for each signal. A signal that is not known adds nothing."""

    Settings = SteadySettings
    summary = "what differs from what is around it"

    def __init__(self, settings: SteadySettings, widths: Mapping[str, int]) -> None:
        super().__init__(settings, widths)
        self.reach = settings.reach
        self.layers = nn.ModuleDict({name: nn.Linear(width, 1) for name, width in widths.items()})

    def forward(self, tracks: Tracks, known: Known) -> Tensor:
        logits = []
        for name, layer in self.layers.items():
            values = tracks[name].transpose(1, 2)
            around = nn.functional.avg_pool1d(values, 2 * self.reach + 1, 1, self.reach, count_include_pad=False)
            logits.append(known[name] * layer(20 * (values - around).transpose(1, 2))[..., 0])
        return torch.stack(logits).sum(0)
