"""Key frames looked at while segments come: `lolhl run` beside download, then infer, then report.

    python -m tests.benchmarks.overlap      # some 15 minutes on 2 cores

A Twitch of this machine sends bench-b's 360p30 rendition, said over and over, in segments of 10 s, over
a line as homes have them. The real twitch-dl fetches them. The model learns on bench-a, on the CPU.
"""

import argparse
import os
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from lolhl.stages.download import download
from lolhl.stages.infer import InferConfig, infer
from lolhl.stages.report import ReportConfig, report
from lolhl.stages.run import run
from lolhl.storage import Root, open_root
from lolhl.vod.decode import Mode
from tests.benchmarks import inputs, result
from tests.benchmarks.infer import MODEL, learn
from tests.benchmarks.looped import looped
from tests.benchmarks.result import Table
from tests.servers.twitch import Vod, rendition, twitch

ROUNDS = 2
RATES = (100, 25)  # Mbit/s
MODES: tuple[Mode, ...] = ("scan", "refine")
REPORT = ReportConfig(clips="none")  # takes little, and the same both ways
ID = "123456789"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=int, default=30, help="length of the VOD (default: 30)")
    minutes = parser.parse_args().minutes
    inputs.make()
    rows = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lolhl-")))
        root = open_root(str(folder / "root"))
        learn(root, inputs.video("bench-a", inputs.SMALLEST), inputs.labels("bench-a"))
        video, _ = looped("bench-b", "long", minutes * 60, folder)
        rendition(video, folder / "vod" / inputs.SMALLEST, seconds=10)
        size = {inputs.SMALLEST: "640x360"}
        vod = Vod(folder / "vod", minutes * 60, id=ID, qualities={name: name for name in size}, resolutions=size)
        server = stack.enter_context(twitch(folder, vod))
        os.environ.update(server.environ)
        for rate in RATES:
            server.faults.rate = rate * 1e6 / 8
            for mode in MODES:
                config = InferConfig(mode=mode, decoder="cpu")
                ways: dict[str, Callable[[], object]] = {
                    "download": partial(download, root, ID, force=True),
                    "infer": partial(infer, root, MODEL, ID, config, force=True),
                    "report": partial(report, root, ID, REPORT, force=True),
                    "run": partial(_run, root, config),
                }
                walls = {name: timing.wall for name, timing in result.side_by_side(ways, ROUNDS).items()}
                parts = [walls[name] for name in ("download", "infer", "report")]
                rows.append([mode, rate, *parts, sum(parts), walls["run"], sum(parts) / walls["run"]])
                print(rows[-1], flush=True)
    columns = [
        "mode",
        "line, Mbit/s",
        "download s",
        "infer s",
        "report s",
        "one after another s",
        "run s",
        "times as fast",
    ]
    result.write(
        "overlap",
        [Table(f"A VOD of {minutes} minutes, from Twitch to its highlights", columns, rows)],
        "python -m tests.benchmarks.overlap" + (f" --minutes {minutes}" if minutes != 30 else ""),
        f"""
Runs of each: {ROUNDS}, in turn; the faster counts. No clips are cut. The line is shared by all segments and adds
no delay; Twitch, its TLS and twitch-dl take their part of the same cores. `run` looks at key frames while segments
come; a closer look (refine) begins when the last has come.""",
    )


def _run(root: Root, config: InferConfig) -> None:
    run(root, ID, model=MODEL, inferring=config, reporting=REPORT, force=True)


if __name__ == "__main__":
    main()
