"""python -m tests.samples --out DIR: sample streams of a real game, two side by side: demo-a and demo-b.

`--set evaluate` makes six to learn from and three that are held out, ten minutes each, and variants of the latter;
`--set more`, six more to learn from. Their chat is made up.
"""

import argparse
import json
import logging
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from lolhl import progress
from lolhl.errors import LolhlError, UsageError
from tests.samples.streams import SECONDS, SETS, Stream
from tests.samples.video import render

FILES = (".mp4", ".tsv", ".chat.json")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What decides a stream's content."""

    seconds: int
    seed: int
    size: tuple[int, int]
    stream: Stream


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.samples", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for NAME.mp4, NAME.tsv and NAME.chat.json")
    parser.add_argument("--set", choices=sorted(SETS), default="demo", help="which streams; demo unless said")
    parser.add_argument("--name", action="append", help="one of the streams; all of the set unless said")
    parser.add_argument("--seconds", type=int, help="length of each stream; 600 unless said, and 360 in demo")
    parser.add_argument("--size", default="640x360", help="width x height, as ViZDoom knows them; 640x360 unless said")
    parser.add_argument("--seed", type=int, default=2, help="of games and players; 2 unless said")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")  # for the progress
    try:
        _streams(given.out, _settings(given.set, given.name, given.seconds, given.seed, _size(given.size)))
    except (LolhlError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code if isinstance(error, LolhlError) else 1
    except KeyboardInterrupt:
        print("stopped; what was begun is not kept", file=sys.stderr)
        return 130
    return 0


def _settings(
    named: str, names: list[str] | None, seconds: int | None, seed: int, size: tuple[int, int]
) -> dict[str, Settings]:
    streams = SETS[named]
    seconds = SECONDS[named] if seconds is None else seconds
    if seconds < 1:
        raise UsageError(f"{seconds} seconds are no stream: give 1 or more")
    if unknown := [name for name in names or () if name not in streams]:
        raise UsageError(f"{unknown[0]!r} is no stream of the set {named}: choose among {', '.join(streams)}")
    # Each stream has seeds of its own, too.
    return {
        name: Settings(seconds=seconds, seed=seed * len(streams) + number, size=size, stream=stream)
        for number, (name, stream) in enumerate(streams.items())
        if not names or name in names
    }


def _streams(out: Path, settings: dict[str, Settings]) -> None:
    todo = [name for name in settings if not _done(out, name, settings[name])]
    if not todo:
        print(f"sample streams: all done in {out}")
        return
    out.mkdir(parents=True, exist_ok=True)
    out = out.absolute()  # a game that begins in another thread changes the working folder for a moment
    lock = threading.Lock()
    seconds = sum(settings[name].seconds for name in todo)
    with progress.bar("sample streams", seconds, "s") as advance, ThreadPoolExecutor(os.cpu_count()) as pool:

        def counted(amount: float) -> None:
            with lock:
                advance(amount)

        # Threads do: the game and the encoder are processes of their own.
        list(pool.map(lambda name: _stream(out, name, settings[name], counted), todo))


def _stream(out: Path, name: str, settings: Settings, advance: progress.Advance) -> None:
    """Renders one stream; the note of its settings, written last, says that it is whole."""
    note = out / f"{name}.json"
    note.unlink(missing_ok=True)
    render(
        out / f"{name}.mp4",
        out / f"{name}.tsv",
        settings.stream,
        seconds=settings.seconds,
        seed=settings.seed,
        size=settings.size,
        advance=advance,
    )
    partial = out / f".{name}.partial.json"
    partial.write_text(_written(settings))
    partial.replace(note)


def _done(out: Path, name: str, settings: Settings) -> bool:
    note = out / f"{name}.json"
    whole = all((out / f"{name}{ending}").is_file() for ending in FILES)
    return whole and note.is_file() and note.read_text() == _written(settings)


def _written(settings: Settings) -> str:
    return json.dumps(asdict(settings), indent=2) + "\n"


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise UsageError(f"{text!r} is no size: write width x height, as 640x360")
    return int(width), int(height)


if __name__ == "__main__":
    sys.exit(main())
