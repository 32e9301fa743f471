"""image: one frame → a logit. A linear classifier of the features of its picture."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from lolhl.config import setting
from lolhl.models.model import ClipSettings, FeatureClipModel


@dataclass(frozen=True, kw_only=True)
class ImageSettings(ClipSettings):
    """The classifier of single frames."""

    dropout: float = setting(0.5, "share of features hidden from the head in training", at_least=0, below=1)

    @property
    def wanted(self) -> tuple[str, ...]:
        return ("pictures",)

    @property
    def offsets(self) -> tuple[int, ...]:
        return (0,)


class ImageModel(FeatureClipModel):
    """A linear layer."""

    Settings = ImageSettings
    summary = "one frame"

    def __init__(self, settings: ImageSettings, widths: Mapping[str, int]) -> None:
        super().__init__(settings, widths, settings.dropout)
        self.linear = nn.Linear(widths[self.signal], 1)

    def decide(self, encoded: Tensor) -> Tensor:
        logits: Tensor = self.linear(encoded[:, -1])
        return logits[:, 0]
