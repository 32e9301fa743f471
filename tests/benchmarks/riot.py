"""What a stream of hours costs with a key of Riot's: seconds and requests, from the stored video to placed games.

    python -m tests.benchmarks.riot      # some four minutes on 2 cores, most of them to draw the stream

The stream is drawn as those of `tests.benchmarks.clock` are: one game with a pause, again and again. A local server
answers as Riot's account-v1 and Match-V5, with a developer's limits of 20 requests in a second and 100 in two minutes.
`lolhl clock` and `lolhl riot` run as a user calls them, in processes of their own.
"""

import argparse
import os
import random
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from lolhl import layout, manifest
from lolhl.results import Clock, Games
from lolhl.stages.download import download
from lolhl.storage import open_root
from tests.benchmarks import result
from tests.benchmarks.clock import HOURS, RENDITIONS, drawn_look, long_stream
from tests.benchmarks.result import Table, Timing, measured
from tests.cli.process import lolhl
from tests.clocks import Played, clock_video
from tests.matches import made
from tests.servers.riot import KEY, Riot, riot

MATCHES = 10
GOAL_COST, GOAL_REQUESTS = 120.0, 30  # seconds and requests, of both commands together
_SECONDS = HOURS * 3600 / MATCHES  # from one game to the next
_GAME = Played(250.4, 1620, ((700, 90),))
_FPS = 2  # only key frames are looked at
_LAG = 40.0  # seconds by which the stream is later than the clocks of Twitch and Riot say
_NEAR = 2.0  # seconds by which a game may be off
_OTHERS = (-2 * 24 * 3600, -4000, HOURS * 3600 + 1200, 30 * 3600)  # when matches begin that the stream does not show


def main() -> None:
    argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0]).parse_args()
    starts = [_GAME.start + number * _SECONDS for number in range(MATCHES)]
    with tempfile.TemporaryDirectory(prefix="lolhl-") as temporary, riot() as server:
        folder = Path(temporary)
        look = drawn_look(random.Random(0), usual=True)
        rendition = RENDITIONS[-1]
        path = folder / "game.mp4"
        clock_video(path, [_GAME], seconds=_SECONDS, look=look, size=rendition.size, fps=_FPS, rate=rendition.rate)
        root = open_root(str(folder / "root"))
        download(root, str(long_stream(path, _SECONDS)), name="v")
        for number, start in enumerate([*starts, *_OTHERS]):
            _add(server, number, made.BEGAN + start - _LAG)
        recorded = datetime.fromtimestamp(made.BEGAN, UTC).isoformat()
        asking = ("riot", "v", "--riot-id", "Me#EUW", "--recorded-at", recorded)
        timings, requests = [], []
        for words in (("clock", "v"), asking, (*asking, "--force")):
            before = len(server.requests)
            timings.append(_timed(folder, server, words))
            requests.append(len(server.requests) - before)
        shown = manifest.load(root, layout.clock("v"), Clock).result
        games = manifest.load(root, layout.games("v"), Games).result
    names = ["lolhl clock", "lolhl riot", "lolhl riot --force, matches kept"]
    counts = [_right([game.zero for game in shown.games], starts), _right([game.start for game in games.games], starts)]
    rows: list[list[object]] = [
        [name, timing.wall, timing.cpu, count, f"{right} of {MATCHES}"]
        for name, timing, count, right in zip(names, timings, requests, [*counts, counts[1]], strict=True)
    ]
    wall = timings[0].wall + timings[1].wall
    is_met = wall < GOAL_COST and sum(requests[:2]) <= GOAL_REQUESTS and counts == [MATCHES, MATCHES]
    rows.append(
        ["the first two", wall, timings[0].cpu + timings[1].cpu, sum(requests[:2]), "met" if is_met else "missed"]
    )
    columns = ["command", "wall s", "user CPU s", "requests to Riot", f"games within {_NEAR:g} s"]
    title = f"{HOURS} h of 720p with {MATCHES} matches; goal: {GOAL_COST:g} s and {GOAL_REQUESTS} requests"
    result.write(
        "riot",
        [Table(title, columns, rows)],
        "python -m tests.benchmarks.riot",
        f"""
The stream is {_LAG:g} s later than its clocks say, and Riot lists matches of the account before and after it too. What
lies where goes by when each game's clock is 0; Riot's games were placed {games.placed}. Of {shown.looks} pictures that
were looked at, {shown.readings} show a clock. {server.limited} requests came faster than Riot allows. Each was measured
once; the server is on the same machine, and answers at once, so a distant one adds the time of {sum(requests[:2])}
answers.""",
    )


def _add(server: Riot, number: int, began: float) -> None:
    """A match that begins at this Unix time, with a kill every two minutes."""
    at, pause = _GAME.pauses[0]
    kills = [made.kill(seconds, 1, 6) for seconds in range(100, int(_GAME.clock), 120)]
    kind = {"match_id": f"EUW1_{number}", "seconds": _GAME.clock}
    resumed = made.pause_end(at, began + at + pause)
    server.add(made.match(began=began, **kind), made.timeline(resumed, *kills, began=began, **kind))  # type: ignore[arg-type]


def _timed(folder: Path, server: Riot, words: Sequence[str]) -> Timing:
    """Runs a command in a process of its own."""
    environment = {
        **os.environ,
        **{"LOLHL_ROOT": str(folder / "root"), "LOLHL_CACHE": str(folder / "cache")},
        **{"LOLHL_RIOT_URL": server.url, "LOLHL_RIOT_KEY": KEY, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"},
    }
    with measured() as timing:
        ended = lolhl(*words, "--quiet", cwd=folder, env=environment)
    assert ended.returncode == 0, ended.stderr
    print(ended.stdout, end="", flush=True)
    return timing


def _right(times: Sequence[float], starts: Sequence[float]) -> int:
    """How many games are where one of these times is, and no more of them than there are games."""
    return (
        sum(any(abs(time - start) <= _NEAR for time in times) for start in starts) if len(times) <= len(starts) else 0
    )


if __name__ == "__main__":
    main()
