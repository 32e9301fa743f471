"""Long work that is begun on the page: one verb of lolhl at a time, in a process of its own, as a terminal runs it.

The process writes its progress in lines, and its result as JSON. Who asks gets what is known so far, so a page that is
loaded anew goes on where it was. A job that is cancelled, or whose server ends, is interrupted as by Ctrl-C; the same
job begun again goes on from there, as the same command would.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import IO, Any, Literal

from lolhl import progress
from lolhl.errors import MachineError, NotFound, UsageError
from lolhl.progress import Progress
from lolhl.storage import Root

log = logging.getLogger(__name__)

_PATIENCE = 15.0  # seconds that an interrupted job has to end by itself
_MOST_STEPS = 50


class Busy(UsageError):
    """Another job is running."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """A verb that runs, or that has run last.

    Attributes:
        number: counts the jobs of this server.
        verb: of the command line.
        subject: what it is about, as the stream of `run`; empty where the verb says it all.
        wish: what the page asked for, which the verb alone does not tell.
        state: what has become of it.
        steps: how far each part of its work is, in the order in which they began.
        note: the last line that it wrote besides.
        error: why it failed, in one line.
        result: as JSON values, once it is done.
    """

    number: int
    verb: str
    subject: str = ""
    wish: str = ""
    state: Literal["running", "cancelling", "cancelled", "failed", "done"] = "running"
    steps: tuple[Progress, ...] = ()
    note: str = ""
    error: str = ""
    result: Mapping[str, Any] | None = None

    @property
    def runs(self) -> bool:
        """Whether its process may still be there."""
        return self.state in ("running", "cancelling")


class Jobs:
    """The jobs of one root. Leaving the context ends the one that runs."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._lock = threading.Lock()  # held for moments only
        self._last: Job | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None

    def __enter__(self) -> "Jobs":
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _: TracebackType | None
    ) -> None:
        job = self.last
        if job and job.runs:
            log.warning("review: %s is interrupted; the same command goes on from here", job.verb)
            self.cancel(job.number)
        self.wait(2 * _PATIENCE)

    @property
    def last(self) -> Job | None:
        """The job that runs, or the last one that ran. None before the first."""
        with self._lock:
            return self._last

    def wait(self, seconds: float) -> Job | None:
        """The last job, once it has ended, or as it is after so many seconds."""
        if self._thread:
            self._thread.join(seconds)
        return self.last

    def start(self, verb: str, words: Sequence[str] = (), subject: str = "", wish: str = "") -> Job:
        """Begins a job.

        Args:
            verb: of the command line.
            words: what is said to it besides; what is no option stands behind `--`.
            subject: see `Job`.
            wish: see `Job`; the verb itself where nothing else is said.

        Raises:
            Busy: another one is running.
            MachineError: no process can be started.
        """
        with self._lock:
            if self._last and self._last.runs:
                raise Busy(f"{self._last.verb} is running: wait until it ends, or cancel it")
            call = [sys.executable, "-m", "lolhl", verb, "--root", self._root.url, "--json", *words]
            output = tempfile.TemporaryFile()  # noqa: SIM115  # its thread closes it
            try:
                self._process = subprocess.Popen(
                    call,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.PIPE,
                    env={**os.environ, progress.SECONDS: "1"},
                    # Ctrl-C in the terminal of the server is for the server, which interrupts the job then.
                    start_new_session=True,
                )
            except OSError as error:
                output.close()
                raise MachineError(f"{verb} cannot be started: {error.strerror}") from error
            number = self._last.number + 1 if self._last else 1
            self._last = Job(number=number, verb=verb, subject=subject, wish=wish or verb)
            self._thread = threading.Thread(target=self._follow, args=(self._process, output), name=verb, daemon=True)
            self._thread.start()
            return self._last

    def cancel(self, number: int) -> Job:
        """Interrupts the job with this number. One that has ended stays as it is.

        Raises:
            NotFound: it is not the last job.
        """
        with self._lock:
            if self._last is None or self._last.number != number:
                raise NotFound(f"job {number} is not the last one")
            if self._last.state == "running":
                assert self._process
                self._last = replace(self._last, state="cancelling")
                _interrupt(self._process)
                timer = threading.Timer(_PATIENCE, _kill, [self._process])
                timer.daemon = True
                timer.start()
            return self._last

    def _follow(self, process: "subprocess.Popen[bytes]", output: IO[bytes]) -> None:
        """Reads what the process writes until it ends."""
        assert process.stderr
        lines: list[str] = []
        with process.stderr, output:
            for raw in process.stderr:
                line = raw.decode(errors="replace").rstrip().rpartition("\r")[2]
                if line:
                    lines = [*lines[-9:], line]
                    self._hear(line)
            code = process.wait()
            output.seek(0)
            written = output.read().decode(errors="replace")
        with self._lock:
            assert self._last
            self._last = _ended(self._last, code, written, lines)

    def _hear(self, line: str) -> None:
        step = progress.parse_line(line)
        with self._lock:
            assert self._last
            if step is None:
                self._last = replace(self._last, note=line)
                return
            others = [other for other in self._last.steps if other.label != step.label]
            places = [other.label for other in self._last.steps]
            place = places.index(step.label) if step.label in places else len(others)
            self._last = replace(self._last, steps=(*others[:place], step, *others[place:])[-_MOST_STEPS:])


def _ended(job: Job, code: int, written: str, lines: Sequence[str]) -> Job:
    """The job after its process has ended.

    Args:
        code: with which the process ended.
        written: its standard output.
        lines: the last ones of its standard error.
    """
    if code == 0:
        with suppress(ValueError):
            result = json.loads(written.splitlines()[-1]) if written.strip() else {}
            return replace(job, state="done", result=result)
    if job.state == "cancelling":
        return replace(job, state="cancelled")
    error = lines[-1].removeprefix(f"lolhl {job.verb}: ") if lines and code >= 0 else ""
    return replace(job, state="failed", error=error or f"its process was ended from outside (code {code})")


def _interrupt(process: "subprocess.Popen[bytes]") -> None:
    """As Ctrl-C does: the verb ends what it has started, and then itself."""
    if sys.platform == "win32":  # which has no signal for one process without a console
        process.terminate()
    else:
        process.send_signal(signal.SIGINT)


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """Ends the process, and all that it has started, if it is still there."""
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        process.kill()
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
