"""A chat that nobody wrote. It shows how a reader of chat deals with lag and noise, not how people really chat.

Viewers react some 7 s late, to some fights and not to others, and now and then to nothing that the game knows of.
"""

import json
import random
from collections.abc import Iterator, Sequence

from lolhl.labels.spans import Span

LAG = 7.0  # seconds from the climax of a fight to the middle of the reaction
_USERS = 60
_TALK = (
    "hello from work",
    "what rank is this",
    "first time here",
    "is this a new map?",
    "which keyboard do you use",
    "song name?",
    "lol",
    "good morning chat",
    "drink some water",
    "how long will you play today",
    "he missed that one",
    "where is the health pack",
    "nice",
    "the music is too loud",
    "I like this one",
    "can you say hi to my brother",
)
_REACTIONS = (
    "KEKW",
    "Pog",
    "POGGERS",
    "LUL",
    "OMEGALUL",
    "WHAT",
    "NO WAY",
    "HAHAHAHA",
    "lmao",
    "PogChamp PogChamp",
    "LETS GOOO",
    "CLIP IT",
    "gg",
    "EZ",
    "monkaS",
    "wow",
    "??????",
    "SHEEEESH",
)


def chat(vod: str, highlights: Sequence[Span], seconds: float, *, seed: int, a_minute: float = 12.0) -> bytes:
    """The chat of a stream, as `lolhl download` stores it: {"vod", "comments": [{"time", "user", "text"}]}.

    Args:
        highlights: what may be reacted to.
        seconds: length of the stream.
        a_minute: messages that have nothing to do with what happens, on average.
    """
    rng = random.Random(f"chat {seed}")
    lines = [*_talk(seconds, a_minute, rng), *_reactions(highlights, seconds, a_minute, rng)]
    comments = [
        {"time": float(int(time)), "user": f"viewer{rng.randrange(_USERS)}", "text": text}  # Twitch has whole seconds
        for time, text in sorted(lines)
        if 0 <= time < seconds
    ]
    return json.dumps({"vod": vod, "comments": comments}, ensure_ascii=False).encode()


def _talk(seconds: float, a_minute: float, rng: random.Random) -> Iterator[tuple[float, str]]:
    """Talk whose rate changes from minute to minute by a factor of up to two either way."""
    time, rate = 0.0, a_minute
    while time < seconds:
        if rng.random() < 1 / 15:
            rate = a_minute * 2 ** rng.uniform(-1, 1)
        time += rng.expovariate(rate / 60)
        yield time, rng.choice(_REACTIONS if rng.random() < 0.1 else _TALK)


def _reactions(
    highlights: Sequence[Span], seconds: float, a_minute: float, rng: random.Random
) -> Iterator[tuple[float, str]]:
    """To three of four fights, and about as many as every 90 s to nothing."""
    moments = [span.stop - rng.uniform(0.5, 2.5) for span in highlights if rng.random() < 0.75]
    time = 0.0
    while (time := time + rng.expovariate(1 / 90)) < seconds:
        moments.append(time)
    for moment in moments:
        lag = LAG * 2 ** rng.gauss(0, 0.4)
        for _ in range(1 + round(a_minute * rng.uniform(0.2, 1.2))):
            yield moment + lag + rng.gauss(0, 2.5), rng.choice(_REACTIONS if rng.random() < 0.8 else _TALK)
