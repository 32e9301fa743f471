"""Jobs on a real Slurm: replicas that share their VODs, training on two nodes, and nodes that are taken away."""

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lolhl import manifest
from lolhl.results import Model
from lolhl.stages.dataset import DatasetConfig, dataset
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.storage import Root, open_root
from tests.engines.slurm import Cluster, cluster
from tests.servers import free_ports
from tests.streams import add_stream

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]

COMPONENTS = Path(__file__).parents[2] / "components"
SMALL = ["--cpu", "1", "--memMB", "1024"]  # a node has two CPUs
EPOCHS = 60
TRAIN = ["m", "--dataset", "d", "--epochs", str(EPOCHS), "--patience", str(EPOCHS), "--batch", "8"]


@dataclass(frozen=True)
class Job:
    """A job that `torchx run` started in a folder, where its logs are."""

    on: Cluster
    folder: Path
    handle: str

    @property
    def number(self) -> str:
        return self.handle.rpartition("/")[2]

    def state(self) -> str:
        """What `torchx status` says."""
        match = re.search(r"State: (\w+)", torchx(self.on, self.folder, "status", self.handle))
        return match[1] if match else "UNKNOWN"

    def queue(self, what: str, component: int = 0) -> str:
        """A column of squeue for one of its components; empty when it has left the queue."""
        lines = self.on.call("squeue", "-h", "-o", f"%i {what}").splitlines()
        return next((line.partition(" ")[2] for line in lines if line.startswith(f"{self.number}+{component} ")), "")

    def stderr(self) -> str:
        """All that its processes wrote to stderr, replica by replica."""
        return "\n".join(path.read_text() for path in sorted(self.folder.glob(f"slurm-{self.number}-*.err")))

    def epochs(self) -> list[int]:
        return sorted(int(number) for number in re.findall(rf"epoch (\d+)/{EPOCHS}", self.stderr()))

    def wait_for(self, what: str, done: Callable[[], bool]) -> None:
        for _ in range(600):
            if done():
                return
            time.sleep(0.2)
        state = self.on.call("sacct", "-j", self.number) + self.queue(" %T %r") + self.on.call("sinfo", "-N")
        raise AssertionError(f"{what} did not come: {state}\n{self.stderr()[-3000:]}")

    def succeed(self) -> None:
        self.wait_for("the end", lambda: not self.queue("%T"))
        self.wait_for("the record of the end", lambda: self.state() not in ("RUNNING", "UNKNOWN"))
        assert self.state() == "SUCCEEDED", self.stderr()

    def go_on(self) -> None:
        """Once it is queued again: soon, in place of after the two minutes that Slurm waits.

        Not in the second in which it ended: its nodes would refuse a credential that is no newer than that.
        """
        self.wait_for("the second start", lambda: self.queue("%T %r") == "PENDING BeginTime")
        self.on.call("scontrol", "update", f"JobId={self.number}", "StartTime=now+3")


def torchx(on: Cluster, folder: Path, *words: str) -> str:
    done = subprocess.run(["torchx", *words], cwd=folder, env=on.env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("slurm", numbered=True), nodes=3) as running:
        yield running


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Root:
    folder = tmp_path_factory.mktemp("streams")
    root = open_root(str(folder / "root"))
    for seed, name in enumerate("ab", start=1):
        add_stream(root, folder, name, seconds=120, seed=seed)
    return root


@pytest.fixture
def root(streams: Root, tmp_path: Path) -> Root:
    """Videos and labels of a and b, in a folder that all nodes see."""
    shutil.copytree(streams.url, tmp_path / "root")
    return open_root(str(tmp_path / "root"))


def run(on: Cluster, folder: Path, component: str, options: list[str], *words: str) -> Job:
    shutil.copy(COMPONENTS.parent / ".torchxconfig", folder)
    where = f"{COMPONENTS}/{component}.py:{component}"
    return Job(on, folder, torchx(on, folder, "run", "-s", "slurm", where, *SMALL, *options, "--", *words).strip())


def start_training(on: Cluster, folder: Path, root: Root) -> Job:
    """On two nodes; returns when some epochs are over."""
    extract(root, "a", ExtractConfig(size=96))
    dataset(root, "d", ["a"], DatasetConfig(context_seconds=10))
    [port] = free_ports(1)
    options = ["-j", "2x1", "--max_retries", "2", "--rdzv_port", str(port)]
    job = run(on, folder, "train", options, *TRAIN, "--root", root.url)
    job.wait_for("the third epoch", lambda: 3 in job.epochs())
    assert {job.queue("%T", component) for component in (0, 1)} == {"RUNNING"}
    assert job.queue("%N", 0) != job.queue("%N", 1)
    return job


def test_replicas_share_the_vods(slurm: Cluster, tmp_path: Path, root: Root) -> None:
    job = run(slurm, tmp_path, "extract", ["--replicas", "2"], "a", "b", "--root", root.url, "--size", "96")
    job.succeed()
    both = re.compile(r"extract\[0\]:SUCCEEDED\s+extract\[1\]:SUCCEEDED")  # the accounts know the job before its parts
    job.wait_for("the record of both", lambda: bool(both.search(torchx(slurm, tmp_path, "status", job.handle))))
    for number, vod in enumerate("ab"):
        log = torchx(slurm, tmp_path, "log", "--streams", "stdout", f"{job.handle}/extract/{number}")
        assert f"extract/{number} extract: vod {vod}, fps 3, size 96" in log
        assert root.stat(f"frames/{vod}/3fps-96px-squeeze-q90/frameset.json")
    assert "peak memory" in torchx(slurm, tmp_path, "log", f"{job.handle}/extract/0")


def test_a_job_that_is_pre_empted_goes_on_from_its_step(slurm: Cluster, tmp_path: Path, root: Root) -> None:
    job = start_training(slurm, tmp_path, root)
    slurm.call("scontrol", "requeue", job.number)
    job.go_on()
    job.succeed()
    assert job.stderr().count("stopped by SIGTERM; the same command goes on from here") == 2
    assert job.epochs() == list(range(1, EPOCHS + 1))  # none twice
    assert root.stat("models/m/model.json")


def test_a_job_that_loses_a_node_goes_on_from_its_last_checkpoint(slurm: Cluster, tmp_path: Path, root: Root) -> None:
    job = start_training(slurm, tmp_path, root)
    job.wait_for("a checkpoint", lambda: root.stat("models/m/unfinished.ckpt") is not None)
    lost = job.queue("%N", 1)
    slurm.break_node(lost)
    job.go_on()
    job.wait_for("two nodes", lambda: {job.queue("%T", component) for component in (0, 1)} == {"RUNNING"})
    assert lost not in {job.queue("%N", component) for component in (0, 1)}
    job.succeed()
    made = manifest.load(root, "models/m/model.json", Model, "lolhl train m")
    assert len(made.result.epochs) == EPOCHS
    # Checkpoints go up in the background, so some epochs before the loss may be done again, but not all.
    assert job.epochs().count(1) == 1
    assert set(job.epochs()) == set(range(1, EPOCHS + 1))
    assert "peak memory" in torchx(slurm, tmp_path, "log", f"{job.handle}/lolhl/0")
