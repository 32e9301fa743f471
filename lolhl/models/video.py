"""video: a clip of frames → a logit. An LSTM over the features of its pictures."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor, nn

from lolhl.config import setting
from lolhl.models.model import ClipSettings, FeatureClipModel


@dataclass(frozen=True, kw_only=True)
class VideoSettings(ClipSettings):
    """The clip classifier.

    The frame that the score is for lies in the middle, at clip_frames // 2: a stream is scored when it is over.
    """

    clip_frames: int = setting(5, "frames in a clip; the scored one in the middle", at_least=1, at_most=10_000)
    clip_stride: int = setting(3, "grid steps between two frames of a clip", at_least=1, at_most=10_000)
    hidden: int = setting(64, "width of the LSTM and of what it is given", at_least=1, at_most=8192)
    dropout: float = setting(0.5, "share of features hidden from the head in training", at_least=0, below=1)

    @property
    def wanted(self) -> tuple[str, ...]:
        return ("pictures",)

    @property
    def offsets(self) -> tuple[int, ...]:
        return tuple((i - self.clip_frames // 2) * self.clip_stride for i in range(self.clip_frames))


class VideoModel(FeatureClipModel):
    """A projection of each frame, an LSTM over the clip, and a linear layer."""

    Settings = VideoSettings
    summary = "a clip through an LSTM"

    def __init__(self, settings: VideoSettings, widths: Mapping[str, int]) -> None:
        super().__init__(settings, widths, settings.dropout)
        # Narrow before the LSTM: its products cost a quarter, and it learns better from little.
        self.project = nn.Linear(widths[self.signal], settings.hidden)
        self.lstm = nn.LSTM(settings.hidden, settings.hidden, batch_first=True)
        self.linear = nn.Linear(settings.hidden, 1)

    def project_features(self, features: Tensor) -> Tensor:
        projected: Tensor = self.project(features)
        return projected

    def decide(self, encoded: Tensor) -> Tensor:
        encoded, _ = self.lstm(encoded)
        logits: Tensor = self.linear(encoded[:, -1])
        return logits[:, 0]
