"""Training that is told to stop: it goes on, and ends with the same bytes as an undisturbed run."""

import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lolhl.storage import Root, open_root
from tests.files import stored_bytes

pytestmark = pytest.mark.slow

TRAIN = ["train", "m", "--dataset", "d", "--epochs", "30", "--patience", "30", "--batch", "8"]


@pytest.fixture
def root(streams: Root, tmp_path: Path) -> Path:
    return Path(shutil.copytree(streams.url, tmp_path / "root"))


def weights(root: Path) -> bytes:
    return stored_bytes(open_root(str(root)), "models/m/model.safetensors")


def alone(root: Path) -> list[str]:
    return [sys.executable, "-m", "lolhl", *TRAIN, "--root", str(root)]


def together(root: Path) -> list[str]:
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]
    return [sys.executable, *torchrun, "-m", "lolhl", *TRAIN, "--root", str(root)]


@contextmanager
def started(command: list[str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as out, subprocess.Popen(command, stderr=out) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(log: Path, pattern: str, process: subprocess.Popen[bytes]) -> None:
    """Until a line of the log matches; the process must not end before."""
    for _ in range(2000):
        if re.search(pattern, log.read_text()):
            return
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(f"no {pattern} in {log.read_text()}")


def epochs(log: Path) -> list[int]:
    """The numbers of the epochs that were said to be over."""
    return [int(number) for number in re.findall(r"epoch (\d+)/30", log.read_text())]


@pytest.mark.parametrize("processes", [1, 2])
def test_stopped_by_sigterm_training_goes_on_from_its_step(root: Path, tmp_path: Path, processes: int) -> None:
    undisturbed = Path(shutil.copytree(root, tmp_path / "undisturbed"))
    command = alone if processes == 1 else together
    subprocess.run(command(undisturbed), check=True)

    log = tmp_path / "log"
    with started(command(root), log) as process:
        wait_for(log, r"epoch 2/30", process)
        process.send_signal(signal.SIGTERM)
        code = process.wait(60)
    output = log.read_text()
    assert code == (143 if processes == 1 else 1)  # torchrun's own code, whatever its workers say
    assert output.count("stopped by SIGTERM; the same command goes on from here") == processes
    assert not (root / "models/m/model.json").exists()
    before = epochs(log)
    subprocess.run(command(root), check=True, stderr=log.open("ab"))
    assert epochs(log)[len(before)] == before[-1] + 1 <= 30
    assert weights(root) == weights(undisturbed)


def test_another_number_of_processes_goes_on(root: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with started(together(root), log) as process:
        wait_for(log, r"epoch 2/30", process)
        process.send_signal(signal.SIGTERM)
        process.wait(60)
    before = epochs(log)
    subprocess.run(alone(root), check=True, stderr=log.open("ab"))
    assert epochs(log)[len(before)] == before[-1] + 1
    assert weights(root)
