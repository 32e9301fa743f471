"""SIGKILL at random moments: run again, each stage ends with the same bytes as an undisturbed run."""

import hashlib
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lolhl.storage import open_root
from tests.streams import add_stream

KILLS = 6  # of each of the five: 30 in all

STAGES = {
    "extract": ["extract", "a", "--size", "96", "--shard-mb", "0.2"],
    "track": ["track", "a", "--size", "96", "--source", "video"],
    "dataset": ["dataset", "d", "a"],
    "train": ["train", "m", "--dataset", "d", "--epochs", "6", "--patience", "6"],
    "clips": ["train", "c", "--dataset", "d", "--epochs", "6", "--patience", "6", "--kind", "video"],
}
MADE = {"extract": "frames/a", "track": "tracks/a", "dataset": "datasets/d", "train": "models/m", "clips": "models/c"}


def command(stage: str, root: Path) -> list[str]:
    return [sys.executable, "-m", "lolhl", *STAGES[stage], "--root", str(root), "--quiet"]


def contents(root: Path, folder: str) -> dict[str, str]:
    """Key → sha256 of all that a reader of the root sees there."""
    stored = open_root(str(root))
    return {stat.key: hashlib.sha256(stored.read(stat.key)).hexdigest() for stat in stored.list(f"{folder}/")}


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_at_any_moment_and_run_again_gives_the_same_bytes(tmp_path: Path) -> None:
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    add_stream(open_root(str(undisturbed)), tmp_path, "a", seconds=300, seed=3)
    shutil.copytree(undisturbed, disturbed)
    rng = random.Random(0)
    kills = 0
    for stage, folder in MADE.items():
        begun = time.monotonic()
        subprocess.run(command(stage, undisturbed), check=True)
        usual = time.monotonic() - begun
        expected = contents(undisturbed, folder)
        assert len(expected) >= 2

        killed, tries = 0, 0
        while killed < KILLS:
            tries += 1
            assert tries < 10 * KILLS
            begun = time.monotonic()
            process = subprocess.Popen(command(stage, disturbed))
            try:
                process.wait(rng.uniform(0.1, usual))
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                process.wait()
                killed += 1
            else:
                assert process.returncode == 0
                assert contents(disturbed, folder) == expected
                shutil.rmtree(disturbed / folder)  # it got through: once more from the start
                usual = min(usual, time.monotonic() - begun)  # the machine may have been busy before
        kills += killed
        subprocess.run(command(stage, disturbed), check=True)
        assert contents(disturbed, folder) == expected
    assert kills == KILLS * len(MADE)
