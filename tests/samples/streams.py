"""The sample streams: what is played in each, and how it sounds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.samples.game import Rules


@dataclass(frozen=True, kw_only=True)
class Stream:
    """What decides the content of a stream, beside its length, size and seed.

    Attributes:
        maps: "wad/map", played in turn, 40 s each.
        rules: of the game, and how the player plays.
        least_damage: health points that a fight must cost to be a highlight, if no player dies in it.
        music: how loud; see `sound.mix`.
        shouts: a minute, on average.
        chat: messages a minute that have nothing to do with the game, on average.
    """

    maps: tuple[str, ...]
    rules: Rules = field(default_factory=Rules)
    least_damage: float = 40.0
    music: float = 1.0
    shouts: float = 3.0
    chat: float = 12.0


def _freedoom(text: str) -> tuple[str, ...]:
    """Maps of Freedoom by their short names: "02 e1m3" are freedoom2/map02 and freedoom1/e1m3."""
    return tuple(f"freedoom1/{name}" if name.startswith("e") else f"freedoom2/map{name}" for name in text.split())


# No map is in both. On these maps the player has to look for its enemies, but does not for long.
DEMO: Mapping[str, Stream] = {
    "demo-a": Stream(maps=_freedoom("02 e1m3 08 e3m2 21 e3m3 18 05 e4m8")),
    "demo-b": Stream(maps=_freedoom("06 e1m6 01 e3m7 11 e1m1 e2m1 e2m5 22")),
}

_CAREFUL = Rules(style="careful", bots=4)
_WILD = Rules(style="wild", bots=2)

# No map of those that are learnt from (learn-…) is among those that are held out (held-…).
EVALUATE: Mapping[str, Stream] = {
    "learn-a": Stream(maps=_freedoom("01 e1m3 03 e3m2 07 13 e3m8 16")),
    "learn-b": Stream(maps=_freedoom("02 e1m1 09 e3m7 14 20 e1m7 24"), rules=_CAREFUL, music=1.5, chat=30.0),
    "learn-c": Stream(maps=_freedoom("04 e1m6 10 e3m3 15 22 e1m8 25"), rules=_WILD, shouts=6.0),
    "learn-d": Stream(maps=_freedoom("05 e1m2 11 e3m1 17 23 e3m5 26"), music=0.4, chat=5.0),
    "learn-e": Stream(maps=_freedoom("06 e1m4 12 e3m4 18 27 e1m9 29"), rules=Rules(style="careful"), shouts=1.5),
    "learn-f": Stream(maps=_freedoom("08 e1m5 19 e3m6 21 28 e3m9 30"), rules=Rules(style="wild", bots=4), music=2.0),
    # Other maps.
    "held-a": Stream(maps=_freedoom("e2m1 e4m8 e2m5 e4m2 e2m2 e4m4 e2m7 e4m6 e2m9"), chat=20.0),
    # Another game: alone against the monsters of a map.
    "held-b": Stream(
        maps=_freedoom("e2m3 e4m1 e2m4 e4m3 e2m6 e4m5 e2m8 e4m7 31 32 e4m9"),
        rules=Rules(scenario="campaign", style="careful"),
        least_damage=100.0,
        shouts=5.0,
    ),
    # ViZDoom's own arenas for contests, whose look is another one.
    "held-c": Stream(
        maps=(
            "cig/map01",
            "freedoom1/e4m8",
            "multi_deathmatch/map01",
            "cig/map02",
            "freedoom1/e2m9",
            "multi_duel/map01",
        ),
        rules=Rules(style="wild", bots=1),
        music=1.5,
        chat=8.0,
    ),
}

# For twice as many minutes to learn from: other games on the maps of learn-….
MORE: Mapping[str, Stream] = {
    name.replace("learn", "more"): stream for name, stream in EVALUATE.items() if name.startswith("learn")
}

SETS: Mapping[str, Mapping[str, Stream]] = {"demo": DEMO, "evaluate": EVALUATE, "more": MORE}
SECONDS: Mapping[str, int] = {"demo": 360, "evaluate": 600, "more": 600}  # length of each stream
