"""What happens in the game, made into the spans that a person would mark as highlights."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lolhl.labels.spans import Span, merge

LEAD_IN = 2.0  # seconds shown before the first hit
LEAD_OUT = 1.0  # and after the last
PAUSE = 3.0  # hits further apart than this belong to two fights
LEAST_DAMAGE = 40.0  # health points; less than this, and nobody killed, is a skirmish and no highlight


@dataclass(frozen=True)
class Event:
    """Damage exchanged with enemies on the screen.

    `time` is in seconds of the video, that of the first picture that shows it; `damage` in health
    points, dealt and taken; `decisive` when somebody died.
    """

    time: float
    damage: float
    decisive: bool = False


def highlights(events: Sequence[Event], scenes: Iterable[Span], least_damage: float = LEAST_DAMAGE) -> list[Span]:
    """The fights that matter, each with its lead-in, in order of time.

    Args:
        events: in order of time.
        scenes: the parts of the video that are one map each; no highlight goes over their borders.
        least_damage: of a fight in which nobody dies.
    """
    result = []
    for scene in scenes:
        inside = [event for event in events if scene.start <= event.time < scene.stop]
        spans = [
            Span(max(scene.start, fight[0].time - LEAD_IN), min(scene.stop, fight[-1].time + LEAD_OUT))
            for fight in _fights(inside)
            if any(event.decisive for event in fight) or sum(event.damage for event in fight) >= least_damage
        ]
        result += merge(spans)
    return result


def _fights(events: Iterable[Event]) -> list[list[Event]]:
    fights: list[list[Event]] = []
    for event in events:
        if fights and event.time - fights[-1][-1].time <= PAUSE:
            fights[-1].append(event)
        else:
            fights.append([event])
    return fights
