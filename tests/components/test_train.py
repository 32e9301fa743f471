"""The training job: it outlives the loss of one of its processes."""

import os
import re
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
from torchx.runner import get_runner
from torchx.specs import AppState

from components import train
from lolhl.stages.dataset import DatasetConfig, dataset
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.storage import open_root
from tests.files import stored_bytes
from tests.streams import add_stream

TRAIN = ["m", "--dataset", "d", "--epochs", "30", "--patience", "30", "--batch", "8"]


def wait_for_epoch(number: int, logs: Path) -> None:
    for _ in range(2400):
        if any(re.search(rf"epoch {number}/", log.read_text()) for log in logs.rglob("stderr.log")):
            return
        time.sleep(0.05)
    raise AssertionError(f"epoch {number} did not come: {[log.read_text() for log in logs.rglob('stderr.log')]}")


def pid(rank: int, root: Path) -> int:
    """Of the process with this rank that trains below the root."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"--root\0{root}\0".encode() not in (process / "cmdline").read_bytes():
                continue
            if f"\0RANK={rank}\0".encode() in (process / "environ").read_bytes():
                return int(process.name)
        except OSError:  # it has ended
            continue
    raise AssertionError(f"no rank {rank}")


@pytest.mark.slow
def test_a_process_that_is_killed_is_started_again_with_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.chdir(Path(train.__file__).parents[1])
    add_stream(open_root(str(tmp_path / "root")), tmp_path, "a", seconds=120, seed=1)
    root = open_root(str(tmp_path / "root"))
    extract(root, "a", ExtractConfig(size=96))
    dataset(root, "d", ["a"], DatasetConfig(context_seconds=10))
    undisturbed = shutil.copytree(tmp_path / "root", tmp_path / "undisturbed")

    with get_runner() as runner:

        def start(at: Path) -> str:
            arguments = ["-j", "1x2", "--max_retries", "1", "--", *TRAIN, "--root", str(at)]
            cfg = {"log_dir": str(tmp_path / "logs" / at.name)}
            return str(runner.run_component(f"{train.__file__}:train", arguments, "local_cwd", cfg))

        job = start(tmp_path / "root")
        wait_for_epoch(2, tmp_path / "logs" / "root")
        os.kill(pid(1, tmp_path / "root"), signal.SIGKILL)
        status = runner.wait(job)
        assert status is not None
        assert status.state == AppState.SUCCEEDED
        stderr = "".join(log.read_text() for log in (tmp_path / "logs/root").rglob("stderr.log"))
        assert "another process of this training was lost" in stderr
        runner.wait(start(undisturbed))
    weights = "models/m/model.safetensors"
    assert stored_bytes(root, weights) == stored_bytes(open_root(str(undisturbed)), weights)
