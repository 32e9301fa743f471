"""How long a command takes that has next to nothing to do: what a user waits for before anything is looked at.

    python -m tests.benchmarks.start      # two minutes on 2 cores

Ten seconds of a small video, in processes of their own, as a user calls them. Each row is the median of some runs;
"user CPU s" depends less on what else the machine does than "wall s". `train` reads its first data where it opens the
file of its dataset: this file is moved away, so that the command ends there.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
GOALS = {  # wall seconds
    "lolhl --help": 0.5,
    "lolhl infer, the backbone kept ready": 2.0,
    "lolhl train, until it reads its first data": 3.0,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=TIMES, help=f"runs of each command (default: {TIMES})")
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory(prefix="lolhl-") as temporary:
        folder = Path(temporary)
        os.environ["LOLHL_CACHE"] = str(folder / "cache")
        root = open_root(str(folder / "root"))
        add_stream(root, folder, "learnt")
        extract(root, "learnt")
        dataset(root, "d", ["learnt"], DatasetConfig())
        train(root, "m", TrainConfig(dataset="d", epochs=1))
        action_video(folder / "ten.mp4", [], seconds=10)
        ways: dict[str, Callable[[], object]] = {
            "lolhl --help": partial(_lolhl, folder, "--help"),
            "lolhl download": partial(_lolhl, folder, "download", "ten.mp4", "--force"),
            "lolhl infer, nothing kept": partial(_infer, folder, fresh=True),
            "lolhl infer, the backbone kept ready": partial(_infer, folder, fresh=False),
            "lolhl train, until it reads its first data": partial(_train_without_data, folder),
            "lolhl train, one epoch of stored tracks": partial(_train, folder),
            "of all but the first two: import torch": partial(_python, folder, "-c", "import torch"),
        }
        _lolhl(folder, "download", "ten.mp4")
        timings = result.side_by_side(ways, times)
    rows = [[name, timing.wall, timing.cpu, GOALS.get(name)] for name, timing in timings.items()]
    title = f"Median of {times} runs" if times > 1 else "One run"
    tables = [Table(title, ("command", "wall s", "user CPU s", "goal, wall s"), rows)]
    result.write(
        "start",
        tables,
        "python -m tests.benchmarks.start" + (f" --times {times}" if times != TIMES else ""),
        "The backbone is kept ready in the machine's cache, once it was converted for OpenVINO. What others do on the "
        "same cores at the same time (see above) makes seconds on the clock longer, and those of the processor too, "
        "by less: the last row tells how much. It is the time that nothing which uses torch can be below.",
    )


def _infer(folder: Path, *, fresh: bool) -> None:
    shutil.rmtree(folder / "root/tracks/ten", ignore_errors=True)
    if fresh:
        shutil.rmtree(folder / "cache/backbones", ignore_errors=True)
    _lolhl(folder, "infer", "m", "ten", "--source", "video", "--force")


def _train(folder: Path) -> None:
    _lolhl(folder, "train", "m", "--dataset", "d", "--epochs", "1", "--force")


def _train_without_data(folder: Path) -> None:
    with _moved_away(folder / "root/datasets/d", "*.parquet"):
        ended = _python(folder, "-m", "lolhl", "train", "m", "--dataset", "d", "--force", "--quiet", check=False)
    assert ended.returncode == 1, ended.stderr
    assert "/datasets/d/" in ended.stderr, ended.stderr
    assert " is gone: " in ended.stderr, ended.stderr


@contextmanager
def _moved_away(folder: Path, pattern: str) -> Iterator[None]:
    """The files there of this pattern are elsewhere meanwhile."""
    with tempfile.TemporaryDirectory(dir=folder.parent) as elsewhere:
        paths = list(folder.glob(pattern))
        assert paths
        for path in paths:
            path.rename(Path(elsewhere) / path.name)
        try:
            yield
        finally:
            for path in paths:
                (Path(elsewhere) / path.name).rename(path)


def _lolhl(folder: Path, *words: str) -> None:
    _python(folder, "-m", "lolhl", *words, *([] if "--help" in words else ["--quiet"]))


def _python(folder: Path, *words: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "LOLHL_ROOT": str(folder / "root")}
    ended = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)
    assert not check or ended.returncode == 0, ended.stderr
    return ended


if __name__ == "__main__":
    main()
