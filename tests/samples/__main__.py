"""python -m tests.samples --out DIR: two sample streams, demo-a and demo-b, side by side."""

import argparse
import json
import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from lolhl import progress
from lolhl.errors import LolhlError, UsageError
from tests.samples.video import render

# No map is in both. On these maps the player has to look for its enemies, but does not for long.
MAPS = {
    "demo-a": (
        "freedoom2/map02",
        "freedoom1/e1m3",
        "freedoom2/map08",
        "freedoom1/e3m2",
        "freedoom2/map21",
        "freedoom1/e3m3",
        "freedoom2/map18",
        "freedoom2/map05",
        "freedoom1/e4m8",
    ),
    "demo-b": (
        "freedoom2/map06",
        "freedoom1/e1m6",
        "freedoom2/map01",
        "freedoom1/e3m7",
        "freedoom2/map11",
        "freedoom1/e1m1",
        "freedoom1/e2m1",
        "freedoom1/e2m5",
        "freedoom2/map22",
    ),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What decides a stream's content."""

    seconds: int
    seed: int
    maps: tuple[str, ...]
    size: tuple[int, int]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.samples", description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder for NAME.mp4 and NAME.tsv")
    parser.add_argument("--name", action="append", choices=sorted(MAPS), help="one of the streams; both unless said")
    parser.add_argument("--seconds", type=int, default=360, help="length of each stream; 360 unless said")
    parser.add_argument("--size", default="640x360", help="width x height, as ViZDoom knows them; 640x360 unless said")
    parser.add_argument("--seed", type=int, default=2, help="of games and players; 2 unless said")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")  # for the progress
    try:
        _streams(given.out, given.name or sorted(MAPS), given.seconds, given.seed, _size(given.size))
    except (LolhlError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code if isinstance(error, LolhlError) else 1
    except KeyboardInterrupt:
        print("stopped; what was begun is not kept", file=sys.stderr)
        return 130
    return 0


def _streams(out: Path, names: list[str], seconds: int, seed: int, size: tuple[int, int]) -> None:
    if seconds < 1:
        raise UsageError(f"{seconds} seconds are no stream: give 1 or more")
    # Each stream has seeds of its own, too.
    settings = {
        name: Settings(seconds=seconds, seed=seed * len(MAPS) + list(MAPS).index(name), maps=MAPS[name], size=size)
        for name in names
    }
    todo = [name for name in names if not _done(out, name, settings[name])]
    if not todo:
        print(f"sample streams: all done in {out}")
        return
    out.mkdir(parents=True, exist_ok=True)
    lock = threading.Lock()
    with progress.bar("sample streams", seconds * len(todo), "s") as advance, ThreadPoolExecutor() as pool:

        def counted(amount: float) -> None:
            with lock:
                advance(amount)

        # Threads do: the game and the encoder are processes of their own.
        list(pool.map(lambda name: _stream(out, name, settings[name], counted), todo))


def _stream(out: Path, name: str, settings: Settings, advance: progress.Advance) -> None:
    """Renders one stream; the note of its settings, written last, says that it is whole."""
    note = out / f"{name}.json"
    note.unlink(missing_ok=True)
    render(out / f"{name}.mp4", out / f"{name}.tsv", **asdict(settings), advance=advance)
    partial = out / f".{name}.partial.json"
    partial.write_text(_written(settings))
    partial.replace(note)


def _done(out: Path, name: str, settings: Settings) -> bool:
    note = out / f"{name}.json"
    return (
        (out / f"{name}.mp4").is_file()
        and (out / f"{name}.tsv").is_file()
        and note.is_file()
        and note.read_text() == _written(settings)
    )


def _written(settings: Settings) -> str:
    return json.dumps(asdict(settings), indent=2) + "\n"


def _size(text: str) -> tuple[int, int]:
    width, _, height = text.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise UsageError(f"{text!r} is no size: write width x height, as 640x360")
    return int(width), int(height)


if __name__ == "__main__":
    sys.exit(main())
