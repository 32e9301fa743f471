"""gru: whole stretches → logits, by a recurrent network in both directions. A head for each signal, joined late."""

from dataclasses import dataclass

from torch import Tensor, nn

from lolhl.models.joined import JoinedModel, JoinedSettings
from lolhl.models.model import Dropout


@dataclass(frozen=True, kw_only=True)
class GruSettings(JoinedSettings):
    """A recurrent network. It sees the whole VOD."""

    @property
    def context(self) -> None:
        return None


class GruHead(nn.Module):
    """The head of one signal."""

    def __init__(self, settings: GruSettings, width: int) -> None:
        super().__init__()
        self.drop = Dropout(settings.dropout)
        self.project = nn.Linear(width, settings.hidden)
        self.gru = nn.GRU(settings.hidden, settings.hidden, batch_first=True, bidirectional=True)
        self.linear = nn.Linear(2 * settings.hidden, 1)

    def forward(self, values: Tensor, known: Tensor) -> Tensor:
        hidden, _ = self.gru(self.project(self.drop(values)) * known[..., None])
        logits: Tensor = self.linear(self.drop(hidden))
        return logits[..., 0]


class GruModel(JoinedModel):
    """A GRU in both directions over each signal."""

    Settings = GruSettings
    summary = "whole stretches, by a GRU in both directions"

    def make_head(self, settings: JoinedSettings, width: int) -> nn.Module:
        assert isinstance(settings, GruSettings)
        return GruHead(settings, width)
