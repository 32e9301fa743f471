"""Each VOD against its own baseline: values less their mean over the VOD, in units of their deviation.

One stream is louder, brighter or livelier than another. What a model learns from one fits another better when both are
seen like this, and a threshold carries over. A short VOD says little of what is usual for it, so its mean and deviation
are drawn towards those of the VODs that the model learnt from.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from lolhl.models.model import ModelSettings, TrackModel
from lolhl.tracks.track import Track

Values = npt.NDArray[np.floating]  # [n, D], NaN in rows that are not known

SAMPLE = 4096  # instants of a VOD, evenly spread, that its baseline is measured of
_DRAWN = 180.0  # known instants whose weight those of other VODs have: a minute at 3 a second
_FARTHEST = 8.0  # deviations, beyond which a value is an outlier
_LEAST = 1e-3  # of a deviation: a column that never changes says nothing


@dataclass(frozen=True)
class Baseline:
    """What is usual: mean and deviation of each column, float32 [D]; and the known instants that it was measured of."""

    mean: npt.NDArray[np.float32]
    deviation: npt.NDArray[np.float32]
    count: float

    @classmethod
    def measure(cls, values: Values, count: int) -> "Baseline":
        """The baseline of a VOD.

        Args:
            values: some of its rows, evenly spread.
            count: its instants.
        """
        known = values[np.isfinite(values).all(1)].astype(np.float64)
        if not len(known):  # also where there are no rows
            nothing = np.zeros(values.shape[1], np.float32)
            return cls(nothing, nothing, 0.0)
        mean, deviation = known.mean(0), known.std(0)
        return cls(mean.astype(np.float32), deviation.astype(np.float32), count * len(known) / len(values))

    @property
    def digest(self) -> str:
        """The digest of mean and deviation."""
        return hashlib.sha256(self.mean.tobytes() + self.deviation.tobytes()).hexdigest()

    def apply(self, values: Values) -> npt.NDArray[np.float16]:
        """Values as deviations from the mean: float16 [n, D]. NaN stays NaN."""
        apart = (values.astype(np.float32) - self.mean) / np.maximum(self.deviation, _LEAST)
        return np.asarray(np.clip(apart, -_FARTHEST, _FARTHEST).astype(np.float16))


def track_baseline(track: Track) -> Baseline:
    """The baseline of a stored track."""
    return measure(len(track), track.at)


def array_baseline(values: Values) -> Baseline:
    """The baseline of a VOD all of whose rows are here."""
    return measure(len(values), values.__getitem__)


def spread_numbers(count: int) -> npt.NDArray[np.int64]:
    """The numbers of some of so many instants, evenly spread: int64 [up to SAMPLE]."""
    return np.unique(np.linspace(0, max(0, count - 1), min(count, SAMPLE)).astype(np.int64))


def measure(count: int, read: Callable[[npt.NDArray[np.int64]], Values]) -> Baseline:
    """The baseline of a VOD of so many instants, whose rows are read by their numbers."""
    return Baseline.measure(read(spread_numbers(count)), count)


class StandardisedModel(TrackModel):
    """Base of the models that see each VOD against its own baseline.

    Its buffers keep what was usual in the VODs that it learnt from, of each signal.
    """

    def __init__(self, settings: ModelSettings, widths: Mapping[str, int]) -> None:
        super().__init__(settings, widths)
        for name, width in widths.items():
            self.register_buffer(f"usual_mean_{name}", torch.zeros(width))
            self.register_buffer(f"usual_deviation_{name}", torch.ones(width))

    def learn_usual(self, signal: str, baselines: Sequence[Baseline]) -> None:
        """Keeps the mean of the baselines of the VODs that it learns from, but of those without a known instant."""
        measured = [baseline for baseline in baselines if baseline.count]
        if measured:
            mean = np.mean([baseline.mean for baseline in measured], axis=0)
            deviation = np.mean([baseline.deviation for baseline in measured], axis=0)
            self.get_buffer(f"usual_mean_{signal}").copy_(torch.from_numpy(mean))
            self.get_buffer(f"usual_deviation_{signal}").copy_(torch.from_numpy(deviation))

    def drawn(self, signal: str, baseline: Baseline) -> Baseline:
        """The baseline of a VOD, drawn towards what was usual: the more, the less of the signal is known."""
        own = np.float32(baseline.count / (baseline.count + _DRAWN))
        mean = self.get_buffer(f"usual_mean_{signal}").cpu().numpy()
        deviation = self.get_buffer(f"usual_deviation_{signal}").cpu().numpy()
        mean = own * baseline.mean + (1 - own) * mean
        deviation = own * baseline.deviation + (1 - own) * deviation
        return Baseline(mean.astype(np.float32), deviation.astype(np.float32), baseline.count)
