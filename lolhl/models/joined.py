"""Models that see whole stretches of several signals, each by a head of its own, and join their logits late.

Concatenated features of several signals were worse than the best signal alone (FACTS of the project), so each signal
has a head that must do alone: in training whole signals are hidden at random. The logits are joined by a mean over
the signals that are known, with weights that are chosen on the validation side, where a head that has learnt its
training stretches by heart does not look better than it is.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor, nn

from lolhl.config import setting
from lolhl.errors import UsageError
from lolhl.models.baseline import StandardisedModel
from lolhl.models.model import Known, ModelSettings, Tracks

_PENALTY = 0.02  # on weights that differ from each other: a few chunks of validation say little
_STEPS = 50


@dataclass(frozen=True, kw_only=True)
class JoinedSettings(ModelSettings):
    """Base of the settings of such models."""

    signals: str = setting(
        "pictures,sound",
        "signals that the model listens to, with commas between; those that no VOD of the dataset has are left out",
    )
    hidden: int = setting(64, "width of the head of each signal", at_least=1, at_most=8192)
    dropout: float = setting(0.5, "share of features hidden from the head in training", at_least=0, below=1)
    hide: float = setting(0.5, "share of stretches from which a signal is hidden in training", at_least=0, below=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not all(self.wanted) or len({*self.wanted}) < len(self.wanted):
            raise UsageError(f"--signals {self.signals}: name each signal once, with commas between")

    @property
    def wanted(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.signals.split(","))

    def listening_to(self, names: Sequence[str]) -> Self:
        """The same settings for these signals."""
        return self if self.wanted == tuple(names) else replace(self, signals=",".join(names))


class JoinedModel(StandardisedModel):
    """Heads of signals, and the weights that join them.

    Attributes:
        weights: of the signals' logits, in the order of `widths`: they sum up to 1.
        scale, bias: of their weighted mean.
    """

    weights: Tensor
    scale: Tensor
    bias: Tensor

    def __init__(self, settings: JoinedSettings, widths: Mapping[str, int]) -> None:
        super().__init__(settings, widths)
        self.hide = settings.hide
        self.heads = nn.ModuleDict({name: self.make_head(settings, width) for name, width in widths.items()})
        self.register_buffer("weights", torch.full((len(widths),), 1 / len(widths)))
        self.register_buffer("scale", torch.ones(1))
        self.register_buffer("bias", torch.zeros(1))

    @abstractmethod
    def make_head(self, settings: JoinedSettings, width: int) -> nn.Module:
        """The head of a signal: values [B, T, D], 0 where they are not known, and known [B, T] → logits [B, T]."""

    def signal_logits(self, tracks: Tracks, known: Known) -> dict[str, Tensor]:
        """What each signal says by itself: signal → logits [B, T]. Where it is not known they mean nothing."""
        return {name: head(tracks[name], known[name]) for name, head in self.heads.items()}

    def forward(self, tracks: Tracks, known: Known) -> Tensor:
        if self.training and len(self.heads) > 1:
            known = self._some(known)
            tracks = {name: values * known[name][..., None] for name, values in tracks.items()}
        logits = torch.stack(list(self.signal_logits(tracks, known).values()), -1)
        return self.join(logits, torch.stack([known[name] for name in self.heads], -1))

    def join(self, logits: Tensor, known: Tensor) -> Tensor:
        """Logits of each signal and which are known, both [..., S] → joined logits [...]."""
        return self.parts(logits, known).sum(-1) + self.bias

    def parts(self, logits: Tensor, known: Tensor) -> Tensor:
        """What each signal adds to the joined logits: [..., S], 0 where it is not known. See `join`."""
        return self.scale * weighted(logits, known, self.weights)

    def weigh(self, logits: Tensor, known: Tensor, truth: Tensor) -> None:
        """Chooses the weights by labelled instants that were not learnt from.

        Args:
            logits: of each signal, see `signal_logits`: float [n, S].
            known: bool [n, S].
            truth: float [n], 1 in highlights.
        """
        if logits.shape[1] < 2:
            return
        logits, truth = logits.double(), truth.double()
        with torch.enable_grad():
            free = torch.zeros(logits.shape[1] + 2, dtype=torch.float64, requires_grad=True)
            search = torch.optim.LBFGS([free], max_iter=_STEPS, line_search_fn="strong_wolfe")

            def joined() -> Tensor:
                mean = weighted(logits, known, torch.softmax(free[2:], 0)).sum(-1)
                return free[0].exp() * mean + free[1]

            def loss() -> Tensor:
                search.zero_grad()
                apart = (free[2:] - free[2:].mean()).square().sum()
                value = nn.functional.binary_cross_entropy_with_logits(joined(), truth) + _PENALTY * apart
                value.backward()  # type: ignore[no-untyped-call]
                return value

            search.step(loss)  # type: ignore[no-untyped-call]
        best = free.detach().float()
        if torch.isfinite(best).all():
            self.scale.copy_(best[:1].exp())
            self.bias.copy_(best[1:2])
            self.weights.copy_(torch.softmax(best[2:], 0))

    def _some(self, known: Known) -> dict[str, Tensor]:
        """Hides whole signals of some windows, but never the last one that is known there."""
        flags = torch.stack([known[name].any(1) for name in self.heads], 1)  # [B, S]
        shown = (torch.rand(flags.shape) >= self.hide).to(flags.device) & flags
        order = torch.rand(flags.shape).to(flags.device) + flags
        kept = nn.functional.one_hot(order.argmax(1), flags.shape[1]).bool()
        shown |= kept & ~shown.any(1, keepdim=True)
        return {name: known[name] & shown[:, number, None] for number, name in enumerate(self.heads)}


def weighted(logits: Tensor, known: Tensor, weights: Tensor) -> Tensor:
    """Parts of the mean over known signals: [..., S], bool [..., S] and [S] → [..., S], 0 for one that is not known."""
    shares = weights * known
    return logits * shares / shares.sum(-1, keepdim=True).clamp(min=1e-6)
