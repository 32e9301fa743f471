"""How long a command takes that has next to nothing to do: what a user waits for before anything is looked at.

    python -m tests.benchmarks.start      # a minute on 2 cores

Ten seconds of a small video, in processes of their own, as a user calls them. Each row is the median of some runs;
"user CPU s" does not depend on what else the machine does, where "wall s" does.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from lolhl.stages.dataset import DatasetConfig, dataset
from lolhl.stages.extract import extract
from lolhl.stages.train import TrainConfig, train
from lolhl.storage import open_root
from tests.benchmarks import result
from tests.benchmarks.result import Table
from tests.streams import action_video, add_stream

TIMES = 5
GOALS = {"lolhl --help": 0.5, "lolhl infer, the backbone kept ready": 2.0}  # wall seconds


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="lolhl-") as temporary:
        folder = Path(temporary)
        os.environ["LOLHL_CACHE"] = str(folder / "cache")
        root = open_root(str(folder / "root"))
        add_stream(root, folder, "learnt")
        extract(root, "learnt")
        dataset(root, "d", ["learnt"], DatasetConfig())
        train(root, "m", TrainConfig(dataset="d", epochs=1))
        action_video(folder / "ten.mp4", [], seconds=10)
        ways = {
            "lolhl --help": partial(_lolhl, folder, "--help"),
            "lolhl download": partial(_lolhl, folder, "download", "ten.mp4", "--force"),
            "lolhl infer, nothing kept": partial(_infer, folder, fresh=True),
            "lolhl infer, the backbone kept ready": partial(_infer, folder, fresh=False),
        }
        _lolhl(folder, "download", "ten.mp4")
        timings = result.side_by_side(ways, TIMES)
    rows = [[name, timing.wall, timing.cpu, GOALS.get(name)] for name, timing in timings.items()]
    tables = [Table(f"Median of {TIMES} runs", ("command", "wall s", "user CPU s", "goal, wall s"), rows)]
    result.write("start", tables, "python -m tests.benchmarks.start")


def _infer(folder: Path, *, fresh: bool) -> None:
    shutil.rmtree(folder / "root/tracks/ten", ignore_errors=True)
    if fresh:
        shutil.rmtree(folder / "cache/backbones", ignore_errors=True)
    _lolhl(folder, "infer", "m", "ten", "--source", "video", "--force")


def _lolhl(folder: Path, *words: str) -> None:
    environment = {**os.environ, "LOLHL_ROOT": str(folder / "root")}
    command = [sys.executable, "-m", "lolhl", *words, *([] if "--help" in words else ["--quiet"])]
    subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    main()
