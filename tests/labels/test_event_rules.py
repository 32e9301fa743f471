"""Rules by which events of a game become highlights."""

from pathlib import Path

import pytest

from lolhl.errors import LabelError
from lolhl.labels.event_rules import SHIPPED, parse_rules, shipped, spans_of
from lolhl.labels.spans import Span
from lolhl.matches.game import KINDS, Event, Player

ME = Player(1, 100)
RULES = b"""
join = 3
least = 1
[kill]
before = 10
after = 5
[death]
before = 4
after = 2
weight = 0.5
[dragon]
before = 10
after = 5
of = "team"
name = "a dragon"
[baron]
before = 10
after = 5
of = "game"
weight = 2
[tower]
before = 10
after = 5
weight = 0
[double_kill]
before = 10
after = 5
weight = 2
[triple_kill]
before = 10
after = 5
weight = 3
"""


def kill(at: float, player: int = 1) -> Event:
    return Event("kill", at, player, 100 if player <= 5 else 200)


def spans(*events: Event, rules: bytes = RULES, player: Player | None = ME, duration: float = 1000) -> list[Span]:
    parsed = parse_rules(rules, "rules.toml")
    return spans_of(events, parsed, lambda at: at + 100, player=player, duration=duration, source="riot X_1")


def test_lead_in_and_out_lie_round_the_event_in_the_video() -> None:
    assert spans(kill(50)) == [Span(140, 155, "kill", 1, "riot X_1")]


def test_what_lies_close_is_one_highlight() -> None:
    assert spans(kill(50), kill(68), kill(86.5)) == [
        Span(140, 173, "2 × kill", 2, "riot X_1"),
        Span(176.5, 191.5, "kill", 1, "riot X_1"),
    ]


def test_whose_events_count() -> None:
    theirs = [kill(50, 2), kill(60, 6), Event("tower", 70, 1, 100)]
    assert spans(*theirs) == []
    assert [span.name for span in spans(Event("dragon", 50, 2, 100), Event("dragon", 200, 6, 200))] == ["a dragon"]
    assert [span.name for span in spans(Event("baron", 50, 6, 200))] == ["baron"]


def test_without_an_account_all_events_count_but_assists_and_deaths() -> None:
    events = [kill(50, 7), Event("death", 50, 1, 100), Event("dragon", 200, 6, 200)]
    assert [(span.name, span.score) for span in spans(*events, player=None)] == [("kill", 1), ("a dragon", 1)]


def test_what_weighs_too_little_is_no_highlight() -> None:
    death = Event("death", 50, 1, 100)
    assert spans(death) == []
    assert [span.score for span in spans(death, Event("death", 52, 1, 100))] == [1]
    assert spans(death, rules=RULES.replace(b"weight = 0.5", b"weight = 1")) == [Span(146, 152, "death", 1, "riot X_1")]


def test_the_weightiest_is_named_first_and_a_multi_kill_for_all_its_kills() -> None:
    fight = [kill(50), kill(52), Event("double_kill", 52, 1, 100), kill(54), Event("triple_kill", 54, 1, 100)]
    (span,) = spans(*fight, Event("baron", 60, 3, 100), Event("death", 61, 1, 100))
    assert (span.name, span.score) == ("triple kill, baron, death", 10.5)


def test_what_the_video_does_not_show_is_left_out() -> None:
    assert spans(kill(-101), kill(900), kill(950)) == []
    assert spans(kill(-95)) == [Span(0, 10, "kill", 1, "riot X_1")]
    assert spans(kill(899)) == [Span(989, 1000, "kill", 1, "riot X_1")]


def test_the_shipped_rules_know_each_kind_of_event() -> None:
    text = SHIPPED.read_text()
    assert [kind for kind in KINDS if f"\n[{kind}]\n" not in text] == []
    rules = shipped()
    assert rules.kinds["kill"].weight >= rules.least  # a kill is a highlight
    assert rules.kinds["assist"].weight < rules.least
    assert "grubs" not in rules.kinds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"kill]", "no file of rules, which is TOML"),
        (b"\xff\xfe", "no file of rules"),
        (b"", "it has no rules: see"),
        (b"[kil]\nbefore = 1", r"\[kil\] is no kind of event: choose of kill, assist"),
        (b"[kill]\nbefore = 1", r"\[kill\]: after is missing"),
        (b"[kill]\nbefore = -1\nafter = 2", r"\[kill\]: before = -1: it must be a number from 0 to 600"),
        (b"[kill]\nbefore = 0\nafter = 0", "must not both be 0"),
        (b"[kill]\nbefore = true\nafter = 2", "before = True"),
        (b"[kill]\nbefore = nan\nafter = 2", "before = nan"),
        (b"[kill]\nbefore = 1\nafter = 2\nlead = 3", r"\[kill\]: 'lead' is no setting: choose of before, after"),
        (b'[kill]\nbefore = 1\nafter = 2\nof = "me"', r"of = 'me' must be one of player, team, game"),
        (b"[kill]\nbefore = 1\nafter = 2\nof = [1]", "must be one of player"),
        (b"[kill]\nbefore = 1\nafter = 2\nname = 3", "name must be a text"),
        (b"[kill]\nbefore = 1\nafter = 2\nweight = 'x'", "weight = x"),
        (b"joins = 3\n[kill]\nbefore = 1\nafter = 2", "'joins' is no setting: choose of join, least"),
        (b"a = " + b"[" * 5000, "no file of rules"),
    ],
)
def test_a_wrong_rule_is_named(text: bytes, message: str) -> None:
    with pytest.raises(LabelError, match=message) as raised:
        parse_rules(text, "my.toml")
    assert str(raised.value).startswith("my.toml: ")
    assert "\n" not in str(raised.value)


def test_the_rules_are_in_the_package() -> None:
    assert Path(SHIPPED).is_file()
