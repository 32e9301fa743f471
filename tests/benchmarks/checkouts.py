"""The same commands by this checkout and by another one, in turn: what a rebuild costs, or saves.

    git worktree add --detach ../before COMMIT
    python -m tests.benchmarks.checkouts ../before      # a quarter of an hour on 2 cores

Both use the packages of this Python, and each has a root and a cache of its own. Which of the two is first changes from
round to round. What counts is the ratio of two runs that followed each other: of their time on the processor, user and
system, with all processes that they started, since other work on the machine hardly changes that.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from lolhl.labels.rows import ANY
from lolhl.labels.tables import read_table
from lolhl.storage import open_root
from tests.benchmarks import inputs, result
from tests.benchmarks.result import Table
from tests.servers.distance import distant
from tests.servers.seaweedfs import seaweedfs

ROUNDS = 5
ROUND_TRIP = 0.040  # seconds
HERE = Path(__file__).parents[2]
BOUND = 1.05  # times what the command took before


@dataclass(frozen=True)
class Command:
    """Words of `lolhl`, and what is removed from the root before they run.

    Attributes:
        forget: the beginnings of keys, or the name of a folder wherever it lies.
    """

    words: Sequence[str]
    forget: Sequence[str] = ()


@dataclass(frozen=True)
class Took:
    """Seconds on the clock, seconds of the processor, and MB of the largest process."""

    wall: float
    busy: float
    memory: float


TRAIN = ("train", "m", "--dataset", "d", "--kind", "video", "--force")
FEATURES = ("tracks/", "features")  # where they lie now, and where they lay in frame sets


def near(vod: str) -> dict[str, Command]:
    """What is timed on a folder."""
    video = ("infer", "m", vod, "--source", "video", "--force")
    return {
        "--help": Command(["--help"]),
        "extract --mode grid": Command(["extract", vod, "--mode", "grid", "--force"]),
        "extract --mode scan": Command(["extract", vod, "--mode", "scan", "--force"]),
        "dataset": Command(["dataset", "d", vod, "--force"]),
        "train --kind video, features computed": Command(TRAIN, FEATURES),
        "train --kind video, 200 epochs": Command([*TRAIN, "--epochs", "200", "--patience", "200"]),
        "infer, from stored features": Command(["infer", "m", vod, "--source", "frames", "--force"]),
        "infer --mode grid, from the video": Command([*video, "--mode", "grid"], FEATURES),
        "infer --mode refine, from the video": Command([*video, "--mode", "refine"], FEATURES),
        "infer --mode scan, from the video": Command([*video, "--mode", "scan"], FEATURES),
        "report --clips none": Command(["report", vod, "--clips", "none", "--force"]),
    }


def far(vod: str) -> dict[str, Command]:
    """What is timed in a bucket 40 ms away, with an empty cache."""
    commands = near(vod)
    names = ("extract --mode grid", "extract --mode scan", "dataset", "infer, from stored features")
    long = "train --kind video, 200 epochs"
    return {name: commands[name] for name in names} | {"train --kind video": Command(TRAIN), long: commands[long]}


@dataclass(frozen=True)
class Checkout:
    """A checkout with a root that it fills itself.

    Attributes:
        code: its folder.
        folder: where its cache lies, and what MLflow writes.
        url: of the root.
        endpoint: of the bucket, if it is one.
    """

    code: Path
    folder: Path
    url: str
    endpoint: str | None = None

    def run(self, words: Sequence[str]) -> Took:
        """Runs a command in a process of its own, in the checkout's folder, so that its code is imported."""
        own = {"PYTHONPATH": str(self.code), "LOLHL_ROOT": self.url, "LOLHL_CACHE": str(self.folder / "cache")}
        own |= {"MLFLOW_TRACKING_URI": f"sqlite:///{self.folder / 'mlflow.db'}"}
        own |= {"LOLHL_S3_ENDPOINT_URL": self.endpoint} if self.endpoint else {}
        quiet = [] if "--help" in words else ["--quiet"]
        begun = time.perf_counter()
        with (self.folder / "said").open("w") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "lolhl", *words, *quiet],
                cwd=self.folder, env=os.environ | own, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{self.code}: lolhl {' '.join(words)}: {(self.folder / 'said').read_text()}")
        busy = usage.ru_utime + usage.ru_stime
        return Took(time.perf_counter() - begun, busy, usage.ru_maxrss * 1024 / 1e6)

    def forget(self, names: Sequence[str]) -> None:
        root = open_root(self.url)
        for stat in list(root.list()) if names else ():
            if stat.key.startswith(tuple(names)) or {*names} & {*stat.key.split("/")}:
                root.delete(stat.key)

    def forget_cache(self) -> None:
        shutil.rmtree(self.folder / "cache", ignore_errors=True)

    def fill(self, vod: str, video: Path, table: Path) -> None:
        """The whole way once, whose results the timed commands make anew."""
        for words in (
            ["download", str(video), "--name", vod],
            ["labels", str(table)],
            ["extract", vod, "--mode", "grid"],
            ["extract", vod, "--mode", "scan"],
            ["dataset", "d", vod],
            list(TRAIN),
            ["infer", "m", vod, "--source", "frames"],
        ):
            self.run(words)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("before", type=Path, help="the folder of the other checkout")
    parser.add_argument("--video", type=Path, default=inputs.video("bench-b", inputs.SMALLEST), help="to look at")
    parser.add_argument("--labels", type=Path, default=inputs.labels("bench-b"), help="its highlights")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"pairs of runs of each command ({ROUNDS})")
    parser.add_argument("--commands", default="", help="parts of the commands' names, with commas between (all)")
    parser.add_argument("--bucket", action=argparse.BooleanOptionalAction, default=True, help="in a bucket, too")
    arguments = parser.parse_args()
    wanted = arguments.commands.split(",")
    codes = {"before": arguments.before.resolve(), "now": HERE}
    video, table = arguments.video.resolve(), arguments.labels.resolve()
    (vod,) = read_table(table.read_bytes(), str(table), ANY)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lolhl-bench-")))
        folders = {
            name: Checkout(code, _made(scratch / name), str(scratch / name / "root")) for name, code in codes.items()
        }
        tables = [_compared("On a folder", folders, _among(near(vod), wanted), (vod, video, table), arguments.rounds)]
        if arguments.bucket:
            server = stack.enter_context(seaweedfs(scratch / "server"))
            os.environ.update(server.environ)
            distance = stack.enter_context(distant(server.endpoint, ROUND_TRIP))
            buckets = {
                name: Checkout(code, _made(scratch / f"{name} far"), f"s3://{server.bucket}/{name}", distance)
                for name, code in codes.items()
            }
            tables.append(
                _compared(
                    "In a bucket 40 ms away, empty caches",
                    buckets,
                    _among(far(vod), wanted),
                    (vod, video, table),
                    arguments.rounds,
                )
            )
    result.write(
        "checkouts",
        tables,
        f"python -m tests.benchmarks.checkouts BEFORE --video {video.name} --labels {table.name} "
        f"--rounds {arguments.rounds}"
        + (f" --commands '{arguments.commands}'" if arguments.commands else "")
        + ("" if arguments.bucket else " --no-bucket"),
        f"Before is commit {_commit(codes['before'])}. Each command is a process of its own; figures are medians of "
        f"{arguments.rounds} runs, and the last column holds the median, the lowest and the highest ratio of two runs "
        "that followed each other. Seconds of the processor are user and system, of all processes of the command. In "
        "the bucket nothing lies in a cache, not even the converted backbone.",
    )
    return 0


def _among(commands: Mapping[str, Command], wanted: Sequence[str]) -> dict[str, Command]:
    """Those whose names hold one of the wanted words."""
    return {name: command for name, command in commands.items() if any(word in name for word in wanted)}


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _compared(
    title: str,
    checkouts: Mapping[str, Checkout],
    commands: Mapping[str, Command],
    stream: tuple[str, Path, Path],
    rounds: int,
) -> Table:
    for checkout in checkouts.values():
        checkout.fill(*stream)
    rows: list[list[object]] = []
    for name, command in commands.items():
        runs: dict[str, list[Took]] = {side: [] for side in checkouts}
        for number in range(rounds):
            for side in sorted(checkouts, reverse=bool(number % 2)):
                checkouts[side].forget(command.forget)
                if checkouts[side].endpoint:
                    checkouts[side].forget_cache()
                runs[side].append(checkouts[side].run(command.words))
        rows.append([name, *_row(runs["before"], runs["now"])])
        print(title, rows[-1], flush=True)
    columns = ["command", "wall s before", "now", "processor s before", "now", "MB before", "now", "now / before"]
    return Table(title, [*columns, f"at most {BOUND:g}"], rows)


def _row(before: Sequence[Took], now: Sequence[Took]) -> list[object]:
    def median(side: Sequence[Took], value: Callable[[Took], float]) -> float:
        return statistics.median(value(took) for took in side)

    values: list[Callable[[Took], float]] = [lambda took: took.wall, lambda took: took.busy, lambda took: took.memory]
    figures: list[object] = [median(side, value) for value in values for side in (before, now)]
    ratios = [after.busy / first.busy for first, after in zip(before, now, strict=True)]
    middle = statistics.median(ratios)
    met = "met" if middle <= BOUND else "missed"
    return [*figures, f"{middle:.2f} ({min(ratios):.2f} to {max(ratios):.2f})", met]


def _commit(folder: Path) -> str:
    command = ["git", "-C", str(folder), "rev-parse", "--short", "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main())
