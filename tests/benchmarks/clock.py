"""The game's clock: how much of it is read, how exact the borders of games are, and what a stream of hours costs.

    python -m tests.benchmarks.clock [VIDEO]      # some 40 minutes on 2 cores

Clocks are drawn with fonts and looks of their own, where League of Legends has its own and elsewhere, over a video (by
default a moving test picture), at about the bits per picture of Twitch's renditions. Games and pauses are drawn by
numbers.
"""

import argparse
import math
import random
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from lolhl.matches.clock import ClockGame
from lolhl.results import Clock
from lolhl.signals import make_track
from lolhl.signals.clock import ClockSignal, readings_of
from lolhl.signals.source import video_source
from lolhl.stages.clock import clock
from lolhl.stages.download import download
from lolhl.storage import Root, open_root
from lolhl.vod import ffmpeg
from lolhl.vod.rectangle import Rectangle
from tests.benchmarks import result
from tests.benchmarks.result import Table
from tests.clocks import Look, Played, clock_video

HOURS = 6
GOAL_BORDER, GOAL_EVENT, GOAL_COST = 2.0, 1.0, 120.0  # seconds
_EVERY = 10  # seconds of a game between two events
_SECONDS = 1300.0  # of a drawn stream
_FPS = 2  # only key frames are looked at
_FONTS = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSansMono-Bold.ttf")
_COLOURS = ((225, 220, 200), (255, 255, 255), (200, 170, 110))
_GROUNDS = ((12, 30, 34, 235), (0, 0, 0, 160), (40, 40, 60, 255))


@dataclass(frozen=True)
class Rendition:
    """Picture size, and the mean bit rate at 2 pictures a second: key frames have as many bits as on Twitch."""

    height: int
    rate: str

    @property
    def size(self) -> tuple[int, int]:
        return self.height * 16 // 18 * 2, self.height


RENDITIONS = (Rendition(360, "250k"), Rendition(480, "500k"), Rendition(720, "1200k"))


@dataclass
class Counts:
    """What was read of the streams of one rendition.

    `borders` and `events`: how far each border, and each moment of a game by its clock, is off, in seconds.
    """

    streams: int = 0
    whole: int = 0
    looks: int = 0
    right: int = 0
    wrong: int = 0
    games: int = 0
    borders: list[float] = field(default_factory=list)
    events: list[float] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("video", nargs="?", type=Path)
    parser.add_argument("--streams", type=int, default=20, help="drawn streams of the smallest rendition")
    parser.add_argument("--larger", type=int, default=6, help="drawn streams of each larger rendition")
    parser.add_argument("--first", type=int, default=0, help="the number of the first one, by which it is drawn")
    arguments = parser.parse_args()
    background = ("-stream_loop", "-1", "-i", str(arguments.video)) if arguments.video else ()
    with tempfile.TemporaryDirectory(prefix="lolhl-") as folder:
        all_counts = {rendition: Counts() for rendition in RENDITIONS}
        for rendition, counts in all_counts.items():
            streams = arguments.streams if rendition is RENDITIONS[0] else arguments.larger
            for number in range(arguments.first, arguments.first + streams):
                _stream(Path(folder), number, rendition, counts, background)
        root = open_root(f"{folder}/long")
        video = long_stream(Path(folder) / f"{arguments.first}-{RENDITIONS[-1].height}.mp4", _SECONDS)
        download(root, str(video), name="v")
        with result.measured() as timing:
            games = clock(root, "v").result.games
    rows = [_row(rendition, counts) for rendition, counts in all_counts.items()]
    columns = [
        "picture",
        "looks at a clock",
        "read right",
        "misread",
        "streams",
        "all games, within 2 s",
        "border off, s",
        "events within 1 s",
    ]
    met = "met" if timing.wall < GOAL_COST else "missed"
    cost = [[HOURS, len(games), timing.wall, timing.cpu, met]]
    result.write(
        "clock",
        [
            Table(f"drawn streams of {_SECONDS:g} s; goals: 95 % of streams, 95 % of events", columns, rows),
            Table(f"{HOURS} h of 720p", ["hours", "games", "wall s", "user CPU s", "goal: 120 s"], cost),
        ],
        f"python -m tests.benchmarks.clock{' VIDEO' if arguments.video else ''} --streams {arguments.streams} "
        f"--larger {arguments.larger} --first {arguments.first}",
        f"""
Streams are drawn by numbers, from {arguments.first} on; what reads them was chosen by others (0 to 3, 100 to 102).
A stream counts where it shows as many games as were drawn, and each begins and ends within 2 s of where it does. The
border's error is the mean, and the greatest in brackets. Events are every tenth second of each game by its clock, as
Riot gives them, in the games that were found. Each second stream has the clock where League of Legends has
it, the others elsewhere, with three fonts, colours and grounds. The 6 hours are one of the streams again and again; the
search for the clock is counted. Each was measured once.""",
    )


def _row(rendition: Rendition, counts: Counts) -> list[object]:
    off = counts.borders
    return [
        f"{rendition.size[0]} × {rendition.height}",
        counts.looks,
        f"{counts.right / max(1, counts.looks):.1%}",
        f"{counts.wrong / max(1, counts.looks):.1%}",
        counts.streams,
        f"{counts.whole / max(1, counts.streams):.0%}",
        f"{sum(off) / len(off):.2f} ({max(off):.2f})" if off else None,
        f"{sum(error <= GOAL_EVENT for error in counts.events) / max(1, len(counts.events)):.1%}",
    ]


def drawn_games(rng: random.Random) -> list[Played]:
    """Two games, or a remake and a game, one perhaps with a pause."""
    first = Played(round(rng.uniform(5, 60), 1), round(rng.choice([rng.uniform(95, 200), rng.uniform(350, 500)]), 1))
    start = round(first.stop + rng.uniform(70, 150), 1)
    pauses = ((round(rng.uniform(100, 300), 1), round(rng.uniform(30, 120), 1)),) if rng.random() < 0.5 else ()
    return [first, Played(start, round(rng.uniform(400, 480), 1), pauses)]


def drawn_look(rng: random.Random, *, usual: bool) -> Look:
    """What a clock looks like, and where it stands."""
    height = rng.uniform(0.03, 0.04)
    width = height * 1.35
    box = Rectangle(1 - width, 0.0, width, height)
    if not usual:
        box = Rectangle(rng.uniform(0.02, 0.93 - width), rng.uniform(0.02, 0.3), width * 1.1, height * 1.1)
    return Look(box, rng.choice(_FONTS), rng.choice(_COLOURS), rng.choice(_GROUNDS), rng.random() < 0.7)


def _stream(folder: Path, number: int, rendition: Rendition, counts: Counts, background: Sequence[str]) -> None:
    """Draws a stream, reads its clock, and counts."""
    rng = random.Random(number)
    played, look = drawn_games(rng), drawn_look(rng, usual=number % 2 == 0)
    path = folder / f"{number}-{rendition.height}.mp4"
    clock_video(
        path, played, seconds=_SECONDS, look=look, size=rendition.size, fps=_FPS, rate=rendition.rate,
        background=background,
    )  # fmt: skip
    root = open_root(str(folder / f"root-{number}-{rendition.height}"))
    download(root, str(path), name="v")
    shown = clock(root, "v").result
    _count_readings(root, played, counts)
    counts.streams += 1
    counts.games += len(shown.games)
    borders = _borders(shown, played)
    counts.whole += len(shown.games) == len(played) and max(borders, default=60.0) <= GOAL_BORDER
    counts.borders += borders
    counts.events += _events(shown, played)
    off = [round(border, 1) for border in borders]
    print(f"{path.name}: {len(shown.games)} of {len(played)} games, borders off by {off} s", flush=True)


def _count_readings(root: Root, played: Sequence[Played], counts: Counts) -> None:
    track = make_track(ClockSignal(Fraction(3)), video_source(root, "v"), "grid")
    for reading in readings_of(track):
        expected = next((shown for game in played if (shown := game.shows(reading.time)) is not None), None)
        if expected is not None:
            counts.looks += 1
            counts.right += reading.clock == expected
        counts.wrong += reading.clock is not None and reading.clock != expected


def _borders(shown: Clock, played: Sequence[Played]) -> list[float]:
    """How far the borders are off of those games that are shown, in seconds."""
    pairs = _pairs(shown, played)
    return [off for game, near in pairs for off in (abs(near.start - game.start), abs(near.stop - game.stop))]


def _events(shown: Clock, played: Sequence[Played]) -> list[float]:
    """How far events of these games are off, in seconds, where they are placed by what the clock tells."""
    return [
        abs(near.time_of(clock) - (game.start + clock + sum(seconds for at, seconds in game.pauses if at < clock)))
        for game, near in _pairs(shown, played)
        for clock in range(_EVERY, int(game.clock), _EVERY)
    ]


def _pairs(shown: Clock, played: Sequence[Played]) -> list[tuple[Played, ClockGame]]:
    """The games that were drawn, each with the one that was found where it is."""
    pairs = []
    for game in played:
        near = min(shown.games, key=lambda shown: abs(shown.start - game.start), default=None)
        if near and abs(near.start - game.start) < 60:
            pairs.append((game, near))
    return pairs


def long_stream(stream: Path, seconds: float) -> Path:
    """A stream of hours, beside this one of so many seconds: this one again and again."""
    path = stream.with_name("long.mp4")
    again = ["-stream_loop", str(math.ceil(HOURS * 3600 / seconds) - 1), "-i", str(stream)]
    subprocess.run([ffmpeg.path(), *ffmpeg.QUIET, "-y", *again, "-c", "copy", str(path)], check=True)
    return path


if __name__ == "__main__":
    main()
