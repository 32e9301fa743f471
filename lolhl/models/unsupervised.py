"""Scores without a label: how far a stream's signals lie above the stream's own baseline. Nothing is learnt.

Each signal is smoothed over 5 s and compared with its own median and spread over the stream. Where it is high, more
happens than usual. Signals are joined by fixed weights. Such scores rank moments; they are no probabilities.
"""

from collections.abc import Iterable, Mapping
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from lolhl.highlights.intensity import centred_mean

NAME = "unsupervised"
EVENTS = "events"  # the other method without a model, see `lolhl.stages.by_events`
VERSION = 1  # of this file: raise it whenever scores change

SHARE = 0.15
"""The share of a stream that people usually mark: the labels of the real games mark 10 to 17 %."""

WEIGHTS = {"loudness": 1.0, "chat": 0.2, "motion": 0.05}
"""Signal → its weight. Sound alone ranks best on real games and on sample streams, chat helps a little, and motion
tells least: it counts where there is nothing else."""

CHAT_LAG = 7.0  # seconds after which people write of what they see

_SMOOTH = 5.0  # seconds, about the length of a highlight
_MAD = 1.4826  # times the median absolute deviation is the standard deviation of a normal distribution

Values = npt.NDArray[np.floating]
Known = npt.NDArray[np.bool_]
Signals = Mapping[str, tuple[Values, Known]]
"""Name → values [T], higher where more happens, and which instants are known: bool [T]."""


def advice(signals: Iterable[str]) -> str:
    """What people are told of such scores: how sure one can be, and how to teach what is wrong.

    Args:
        signals: what was measured.
    """
    heard = (
        "loudness and chat, against the stream's own baseline. That ranks moments well where fights are loud, misses "
        "quiet ones, and takes loud music for action"
    )
    seen = (
        "motion, against the stream's own baseline, since most of it has neither sound nor chat. Motion tells least: a "
        "cut to another scene counts as action"
    )
    return (
        f"no labels were learnt from: highlights are guessed from {seen if 'motion' in signals else heard}. To teach "
        "it: correct the highlights on the report's page, take the saved table in by `lolhl labels`, and run "
        "`lolhl retrain`"
    )


def standardised(values: Values, known: Known, fps: Fraction) -> tuple[npt.NDArray[np.float64], Known]:
    """How far a signal lies above its baseline, in spreads, and where that is known.

    Args:
        values: [T].
        known: bool [T].
        fps: instants a second.

    Returns:
        float64 [T], by the logarithm, so that ten spreads count 2.4 and one 0.7; and bool [T]. A signal that never
        changes says nothing: then nothing is known.
    """
    weight = centred_mean(known.astype(np.float64), fps, _SMOOTH)
    smoothed = centred_mean(np.where(known, values, 0.0), fps, _SMOOTH) / np.where(weight > 0, weight, 1)
    if not known.any():
        return np.zeros(len(values)), known
    median = np.median(smoothed[known])
    spread = _MAD * np.median(np.abs(smoothed[known] - median)) or smoothed[known].std()
    if spread < 1e-9:
        return np.zeros(len(values)), np.zeros_like(known)
    above = (smoothed - median) / spread
    return np.where(known, np.sign(above) * np.log1p(np.abs(above)), 0.0), known


def parts(signals: Signals, fps: Fraction) -> dict[str, npt.NDArray[np.float64]]:
    """What each signal says of how much more than usual happens: its name → float64 [T], 0 where it is not known.

    Args:
        signals: one or more of `WEIGHTS`.
        fps: instants a second.
    """
    compared = {name: standardised(values, known, fps) for name, (values, known) in signals.items()}
    weights = np.sum([WEIGHTS[name] * sure for name, (_, sure) in compared.items()], axis=0)
    return {name: WEIGHTS[name] * above / np.where(weights > 0, weights, 1) for name, (above, _) in compared.items()}


def join(signals: Signals, fps: Fraction) -> npt.NDArray[np.float64]:
    """How much more than usual happens, by all signals: float64 [T]. A signal counts where it is known.

    Args:
        signals, fps: as of `parts`.
    """
    return np.asarray(np.sum([*parts(signals, fps).values()], axis=0))


def scores(joined: Values, share: float = SHARE) -> npt.NDArray[np.float32]:
    """Values from 0 to 1 that keep the order, and reach 1/2 in this share of all instants: float32 [T].

    Args:
        joined: as of `join`.
        share: of the instants.
    """
    if not len(joined):
        return np.zeros(0, dtype=np.float32)
    middle = float(np.quantile(joined, 1 - share))
    if joined.max() <= joined.min():  # nothing is known, or nothing happens
        return np.zeros(len(joined), dtype=np.float32)
    return np.asarray(1 / (1 + np.exp(middle - joined)), dtype=np.float32)


def earlier(values: Values, known: Known, fps: Fraction, seconds: float) -> tuple[Values, Known]:
    """What is said of each instant so many seconds later, as people write of it in the chat."""
    steps = min(round(seconds * fps), len(values))
    moved, sure = np.zeros_like(values), np.zeros_like(known)
    moved[: len(values) - steps], sure[: len(values) - steps] = values[steps:], known[steps:]
    return moved, sure
