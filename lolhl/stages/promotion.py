"""Decides whether a challenger becomes champion, by the rule that `lolhl.stages.retrain` tells."""

from dataclasses import dataclass

from lolhl.errors import DatasetError
from lolhl.evaluate.figures import Gain, MethodFigures


@dataclass(frozen=True)
class Decision:
    """Whether the challenger becomes champion, and why.

    Attributes:
        gain: the challenger's average precision minus the champion's; None where they were not compared.
    """

    promoted: bool
    reason: str
    gain: Gain | None = None


def decide(challenger: MethodFigures, rival: str | None, tolerance: float) -> Decision:
    """Whether the challenger becomes champion in place of its rival, why, and by how much it is better.

    Args:
        challenger: its figures, and how they differ from those of the rival.
        rival: the champion's model; None where there is none.
        tolerance: by how much the average precision may be lower at the lower end of the interval.

    Raises:
        DatasetError: no frame of the VODs to judge on lies in a highlight.
    """
    frames = challenger.frames
    if frames.model.average_precision is None:
        raise DatasetError("no frame of the VODs to judge on lies in a highlight: label more, or name others: --judge")
    if rival is None:
        own, random = frames.model.average_precision_interval, frames.random.average_precision_interval
        if own and random and own.low > random.high:
            return Decision(True, "it is the first, and better than random ranking")
        return Decision(False, "there is no champion yet, and it is not surely better than random ranking")
    if rival == challenger.method:
        return Decision(False, "nothing is new to learn from: the champion is this very model")
    gain = challenger.differences[rival].average_precision
    if gain.value is None or gain.value <= 0:
        return Decision(False, "its average precision is not higher than the champion's", gain)
    if gain.interval is None:
        return Decision(False, "all is one chunk: too little to judge by", gain)
    if gain.interval.low <= -tolerance:
        return Decision(False, f"its average precision is higher, but it may be worse by more than {tolerance:g}", gain)
    return Decision(True, f"its average precision is higher, and surely not lower by more than {tolerance:g}", gain)
