"""Starts other programs: the one place that knows what of our environment they see.

ffmpeg and twitch-dl read what strangers made. They get what they need to run, and none of our secrets
(the storage's keys, MLflow's password).
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import IO, Any

from lolhl import machine
from lolhl.errors import MachineError, ToolMissing

# Patterns of names. Those of Windows are needed to start any program there.
_FOR_ALL: tuple[str, ...] = (
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LANGUAGE",
    "LC_*",
    "TZ",
    "TMPDIR",
    "TEMP",
    "TMP",
    "LD_LIBRARY_PATH",
)
_FOR_ALL += ("SYSTEMROOT", "USERPROFILE", "LOCALAPPDATA", "PATHEXT", "COMSPEC")
GPU = ("CUDA_*", "NVIDIA_*")
NETWORK = ("*_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
PYTHON = ("PYTHON*", "VIRTUAL_ENV", "XDG_CACHE_HOME")


def environment(*patterns: str) -> dict[str, str]:
    """What every program needs of our environment, and the variables whose names have these patterns.

    Case plays no part, since the names of proxies are written in both.
    """
    allowed = (*_FOR_ALL, *patterns)
    return {
        name: value
        for name, value in os.environ.items()
        if any(fnmatchcase(name.upper(), pattern) for pattern in allowed)
    }


def start(
    command: Sequence[str],
    *patterns: str,
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
    extra: Mapping[str, str] | None = None,
    **options: Any,
) -> "subprocess.Popen[bytes]":
    """Starts a program that reads nothing from us.

    Args:
        command: the program's path and its arguments.
        patterns: names of variables that it sees besides those that every program needs.
        extra: variables of its own.
        options: what else `subprocess.Popen` takes.

    Raises:
        ToolMissing: it is no program, or may not be run.
        MachineError: the machine has no room for another process.
    """
    env = {**environment(*patterns), **(extra or {})}
    try:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=env, **options)
    except OSError as error:
        problem = f"{command[0]} cannot be started ({error.strerror})"
        if machine.is_shortage(error.errno) and not machine.is_of_disk(error.errno or 0):
            raise MachineError(f"{problem}: {machine.advice(error.errno)}") from error
        raise ToolMissing(f"{problem}: install it anew, or put one that works on PATH") from error


def run(command: Sequence[str], *patterns: str) -> "subprocess.CompletedProcess[bytes]":
    """Runs a program to its end, and keeps what it writes.

    Args:
        command, patterns: as of `start`.

    Raises:
        ToolMissing, MachineError: as of `start`.
    """
    with start(command, *patterns, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            stdout, stderr = process.communicate()
        except BaseException:  # Ctrl-C too: nothing goes on without us
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, stdout, stderr)
