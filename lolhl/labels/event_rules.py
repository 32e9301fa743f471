"""Rules by which the events of a game become labels. They lie in a small file that a person can read and change."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from lolhl.errors import LabelError
from lolhl.labels.spans import Span
from lolhl.matches.game import KINDS, MULTI_KILLS, Event, Player
from lolhl.toml_file import TomlTable

SHIPPED = Path(__file__).with_name("event_rules.toml")

_WHOSE = ("player", "team", "game")
_LONGEST = 600.0  # seconds before or after an event
_HEAVIEST = 1000.0
_SHORTEST = 0.1  # seconds that are left of a highlight at the video's end
_NAMED = 4  # kinds of event that a name lists
_FOR_A_PLAYER = ("assist", "death")  # kinds that each kill has, so that they tell nothing where all players count


@dataclass(frozen=True)
class Rule:
    """How one kind of event counts.

    Attributes:
        before, after: seconds of the video round it.
        weight: above 0.
        whose: "player", "team" or "game".
        name: for people.
    """

    before: float
    after: float
    weight: float
    whose: str
    name: str


@dataclass(frozen=True)
class Rules:
    """How events count, and how they are joined.

    Attributes:
        kinds: kind of event → its rule; kinds that do not count are left out.
        join: stretches at most so many seconds apart become one.
        least: what the events of a highlight weigh at least.
    """

    kinds: Mapping[str, Rule]
    join: float
    least: float


@cache
def shipped() -> Rules:
    """The rules of the package."""
    return parse_rules(SHIPPED.read_bytes(), SHIPPED.name)


def parse_rules(data: bytes, name: str) -> Rules:
    """The rules in a file.

    Args:
        data: its bytes, which are TOML.
        name: of the file, for messages.

    Raises:
        LabelError: it is no TOML, or a rule is none; the message names file and rule.
    """
    file = TomlTable.parse(data, name, "rules", LabelError)
    kinds = [key for key, value in file.values.items() if isinstance(value, dict)]
    plain = replace(file, values={key: value for key, value in file.values.items() if key not in kinds})
    plain.check_keys(("join", "least"))
    for kind in kinds:
        if kind not in KINDS:
            raise LabelError(f"{name}: [{kind[:40]}] is no kind of event: choose of {', '.join(KINDS)}")
    if not kinds:
        raise LabelError(f"{name}: it has no rules: see {SHIPPED} for an example")
    rules = {kind: _rule(kind, file.table(kind)) for kind in kinds}
    return Rules(
        {kind: rule for kind, rule in rules.items() if rule.weight > 0},
        plain.number("join", _LONGEST, 6.0),
        plain.number("least", _HEAVIEST, 0.0),
    )


def spans_of(
    events: Iterable[Event],
    rules: Rules,
    time_of: Callable[[float], float],
    *,
    player: Player | None,
    duration: float,
    source: str,
) -> list[Span]:
    """The highlights of a game, in order of time.

    Args:
        events: of the game.
        rules: by which they count.
        time_of: seconds of the game's clock → seconds of the video.
        player: whose game it is; None to count the events of all players.
        duration: of the video, in seconds. What lies out of it is left out.
        source: where the labels come from.

    Returns:
        Spans whose scores are the weights of their events, and whose names say what these are.
    """
    stretches = sorted(
        (stretch for event in events if (stretch := _stretch(event, rules, time_of(event.seconds), player))),
        key=lambda stretch: (stretch.start, stretch.stop),
    )
    groups: list[list[_Stretch]] = []
    end = -math.inf
    for stretch in stretches:
        if not 0 <= stretch.at < duration:  # the video does not show the event
            continue
        if not groups or stretch.start > end + rules.join:
            groups.append([])
            end = -math.inf
        groups[-1].append(stretch)
        end = max(end, stretch.stop)
    spans = []
    for group in groups:
        weight = sum(stretch.rule.weight for stretch in group)
        if weight >= rules.least - 1e-9:
            start = max(0.0, min(stretch.start for stretch in group))
            stop = min(duration, max(stretch.stop for stretch in group))
            if stop - start >= _SHORTEST:
                spans.append(Span(start, stop, _name(group), round(weight, 6), source))
    return spans


@dataclass(frozen=True)
class _Stretch:
    """An event that counts, and the stretch of the video that belongs to it, in seconds."""

    kind: str
    rule: Rule
    at: float

    @property
    def start(self) -> float:
        return self.at - self.rule.before

    @property
    def stop(self) -> float:
        return self.at + self.rule.after


def _stretch(event: Event, rules: Rules, at: float, player: Player | None) -> _Stretch | None:
    """None for an event that does not count."""
    rule = rules.kinds.get(event.kind)
    if rule is None:
        return None
    if player is None:
        return None if event.kind in _FOR_A_PLAYER else _Stretch(event.kind, rule, at)
    owned = {"player": event.player == player.number, "team": event.team == player.team != 0, "game": True}
    return _Stretch(event.kind, rule, at) if owned[rule.whose] else None


def _name(group: Sequence[_Stretch]) -> str:
    """What happened, the weightiest first: "triple kill, baron"."""
    counts: dict[str, int] = {}
    for stretch in group:
        counts[stretch.kind] = counts.get(stretch.kind, 0) + 1
    multi = [kind for kind in MULTI_KILLS if kind in counts]
    if multi:  # a triple kill says that there were kills and a double kill
        counts = {kind: n for kind, n in counts.items() if kind not in ("kill", *multi[:-1])}
    rules = {stretch.kind: stretch.rule for stretch in group}
    kinds = sorted(counts, key=lambda kind: -rules[kind].weight * counts[kind])[:_NAMED]
    return ", ".join(f"{counts[kind]} × {rules[kind].name}" if counts[kind] > 1 else rules[kind].name for kind in kinds)


def _rule(kind: str, table: TomlTable) -> Rule:
    table.check_keys(("before", "after", "weight", "of", "name"))
    whose = table.values.get("of", "player")
    if whose not in _WHOSE:
        raise LabelError(f"{table.place}: of = {str(whose)[:40]!r} must be one of {', '.join(_WHOSE)}")
    before, after = (table.number(key, _LONGEST) for key in ("before", "after"))
    if before + after <= 0:
        raise LabelError(f"{table.place}: before and after must not both be 0")
    return Rule(before, after, table.number("weight", _HEAVIEST, 1.0), whose, table.name(kind))
