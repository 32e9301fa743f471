"""Calls of the command line, in this process and in one of their own."""

import subprocess
import sys
from typing import Any

import pytest

from lolhl import cli
from lolhl.storage import Root, Stat

NO_WAY_OUT = "http://127.0.0.1:9"  # nothing listens there


def outcome(capsys: pytest.CaptureFixture[str], words: list[str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of a call in this process."""
    try:
        code: int = cli.main(words)
    except SystemExit as done:  # argparse
        code = int(done.code or 0)
    output = capsys.readouterr()
    return code, output.out, output.err


def contents(root: Root) -> list[Stat]:
    """All that lies there, but for MLflow's notes of what was tried."""
    return [stat for stat in root.list() if not stat.key.startswith("mlflow/")]


def lolhl(*words: str | bytes, **options: Any) -> "subprocess.CompletedProcess[str]":
    """A real process."""
    command = [sys.executable, "-m", "lolhl", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)
