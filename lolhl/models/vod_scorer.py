"""Scores of one VOD: pictures as they come, and beside them the tracks of the model's other signals."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from lolhl.models import scoring
from lolhl.models.baseline import Baseline, StandardisedModel, measure
from lolhl.models.bundle import Bundle
from lolhl.models.joined import JoinedModel
from lolhl.models.model import ClipModel
from lolhl.models.network import PICTURES
from lolhl.models.scoring import Instants
from lolhl.tables import Scored
from lolhl.tracks.rows import BATCH, Values
from lolhl.tracks.track import Track

Scores = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]

_FARTHEST = 60.0  # seconds on each side


@dataclass(frozen=True)
class VodScorer:
    """A model, and the tracks of its signals of one VOD. Those of pictures may come by themselves, see `scores`.

    Attributes:
        tracks: None for a signal that the VOD does not have.
        baselines: what is usual in this VOD, for a model that wants that.
    """

    used: Bundle
    tracks: Mapping[str, Track | None]
    device: torch.device
    baselines: Mapping[str, Baseline]

    @classmethod
    def open(cls, used: Bundle, tracks: Mapping[str, Track | None], device: torch.device) -> "VodScorer":
        """A scorer that knows the baselines of these tracks, where the model wants them."""
        opened = cls(used, tracks, device, {})
        for name, track in tracks.items():
            if track:
                opened = opened.with_baseline(name, track.at, len(track))
        return opened

    def with_baseline(self, signal: str, read: Callable[[Numbers], Values], count: int) -> "VodScorer":
        """The same with the baseline of a signal, whose `count` rows are read by their numbers."""
        model = self.used.model
        if not isinstance(model, StandardisedModel):
            return self
        return replace(self, baselines={**self.baselines, signal: model.drawn(signal, measure(count, read))})

    @property
    def asks_first(self) -> bool:
        """Whether the model wants to know what is usual before it scores, so that tracks are made first."""
        return isinstance(self.used.model, StandardisedModel)

    def scores(self, pictures: Iterable[Values]) -> Scored:
        """The scores of all instants, from the features of their pictures: [n, D], some at a time."""
        return self._scores(self._beside(pictures))

    def scores_without_pictures(self, count: int) -> Scored:
        """The scores of so many instants, of a model that sees no pictures."""
        batches = (np.arange(first, min(first + BATCH, count)) for first in range(0, count, BATCH))
        return self._scores(self._instants(self._values(numbers)) for numbers in batches)

    def around(self, number: int, count: int) -> range:
        """The instants, of so many, that the score of one of them depends on.

        A model that wants the whole VOD is given the minutes around: what is farther away hardly counts.
        """
        context = self.used.model.settings.context
        context = round(_FARTHEST * self.used.view.fps) if context is None else context
        return range(max(0, number - context), min(count, number + context + 1))

    def log_odds(self, pictures: Values, first: int, number: int, others: Values) -> scoring.Logits:
        """The log-odds of an instant with each of other pictures in place of its own, before they are calibrated.

        Args:
            pictures: features of the stretch that `around` names: [n, D].
            first: number of its first instant.
            number: of the instant.
            others: features of the other pictures: [m, D].

        Returns:
            float64 [m].
        """
        (instants,) = self._beside([pictures], first)
        rows = self._instants({PICTURES: others}).values[PICTURES]
        return scoring.replaced_logits(self.used.model, instants, number - first, PICTURES, rows, self.device)

    def _scores(self, batches: Iterable[Instants]) -> Scored:
        model, calibration = self.used.model, self.used.calibration
        if not isinstance(model, JoinedModel):
            return Scored(calibration.apply(np.concatenate(list(scoring.probabilities(model, batches, self.device)))))
        raw, parts = zip(*scoring.explained(model, batches, self.device), strict=True)
        by_signal = {name: np.concatenate([part[name] for part in parts]) for name in model.heads}
        return Scored(calibration.apply(np.concatenate(raw)), by_signal)

    def _beside(self, pictures: Iterable[Values], first: int = 0) -> Iterator[Instants]:
        for values in pictures:
            numbers = np.arange(first, first + len(values))
            first += len(values)
            if isinstance(self.used.model, ClipModel):  # it takes pictures for known
                yield Instants({PICTURES: values}, {})
            else:
                yield self._instants({PICTURES: values, **self._values(numbers)})

    def _instants(self, values: Mapping[str, Values]) -> Instants:
        apart = {name: self.baselines[name].apply(rows) for name, rows in values.items() if name in self.baselines}
        return Instants.from_values({**values, **apart})

    def _values(self, numbers: Numbers) -> dict[str, Values]:
        """The values of the other signals at these instants, NaN where they are not known."""
        values = {name: track.at(numbers) for name, track in self.tracks.items() if track}
        for name in self.tracks.keys() - values.keys():
            values[name] = np.full((len(numbers), self.used.model.widths[name]), np.nan, np.float16)
        return values
