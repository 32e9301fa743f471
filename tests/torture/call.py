"""Calls of `lolhl`, and of `torchx`: in a fork of this process, which has imported all that is heavy, or fresh."""

import ctypes
import importlib
import os
import resource
import select
import shlex
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

_DIES_WITH_ITS_PARENT = 1  # PR_SET_PDEATHSIG
_ENDING = (signal.SIGINT, signal.SIGTERM)
_MEMORY = 4 << 30  # bytes that a call may take


@dataclass(frozen=True, kw_only=True)
class Call:
    """How `lolhl` is called.

    Attributes:
        words: the arguments.
        folder: the working folder.
        environ: the whole environment.
        log: standard output goes to <log>.out, standard error to <log>.err.
        fresh: start an interpreter, where encodings, closed files, memory limits or users matter. It takes seconds.
        limits: of `resource.setrlimit`.
        closed: file descriptors that are closed before.
        user: the user to run as.
        wrapped: a command that is put before the interpreter's, for a fresh one.
        program: "lolhl", or "torchx", which is always forked.
    """

    words: tuple[str, ...]
    folder: Path
    environ: Mapping[str, str]
    log: Path
    fresh: bool = False
    limits: Mapping[int, int] = field(default_factory=dict)
    closed: tuple[int, ...] = ()
    user: int | None = None
    wrapped: tuple[str, ...] = ()
    program: Literal["lolhl", "torchx"] = "lolhl"

    def __str__(self) -> str:
        return shlex.join([self.program, *self.words])


@dataclass(frozen=True)
class Done:
    """How a call ended. `code` is negative for a signal; `late` when it was killed for taking too long."""

    call: Call
    code: int
    out: str
    err: str
    seconds: float
    late: bool

    @property
    def failed(self) -> bool:
        return self.code != 0

    @property
    def error(self) -> str:
        """The last line of standard error."""
        return self.err.rstrip("\n").rpartition("\n")[2]


@dataclass
class Running:
    """A call that was started. It leads a group of processes of its own."""

    call: Call
    process: int
    begun: float

    def wait(self, limit: float) -> Done:
        """Waits for its end, at most so many seconds; then it is killed, as is all that it started."""
        handle = os.pidfd_open(self.process)
        late = not select.select([handle], [], [], limit)[0]
        os.close(handle)
        self.signal(signal.SIGKILL)
        code = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])
        seconds = time.monotonic() - self.begun
        out, err = (_text(Path(f"{self.call.log}.{kind}").read_bytes(), self.call) for kind in ("out", "err"))
        return Done(self.call, code, out, err, seconds, late)

    def ends_within(self, seconds: float) -> bool:
        handle = os.pidfd_open(self.process)
        over = bool(select.select([handle], [], [], seconds)[0])
        os.close(handle)
        return over

    def signal(self, number: int) -> None:
        """To the whole group for SIGKILL, as of a machine that stops; else to the process."""
        with suppress(ProcessLookupError, PermissionError):
            if number == signal.SIGKILL:
                os.killpg(self.process, number)
            else:
                os.kill(self.process, number)


def start(call: Call) -> Running:
    begun = time.monotonic()
    for kind in ("out", "err"):  # here, since the child may be killed before it gets anywhere
        Path(f"{call.log}.{kind}").touch()
    # A signal that comes before the child is `lolhl` would be no signal to `lolhl`.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    process = os.fork()
    if process == 0:
        _become(call)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    with suppress(OSError):  # the child does the same; whoever comes first
        os.setpgid(process, process)
    return Running(call, process, begun)


def apart(work: Callable[[], None]) -> None:
    """Does the work in a fork, so that threads of libraries that it wakes are not in the way of later forks.

    Raises:
        RuntimeError: it failed; its traceback was printed.
    """
    process = os.fork()
    if process == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    if os.waitpid(process, 0)[1]:
        raise RuntimeError(f"{work} failed")


def _become(call: Call) -> None:
    """In the child: does the call and ends."""
    code = 1
    try:
        with suppress(OSError):
            os.setpgid(0, 0)
        ctypes.CDLL(None).prctl(_DIES_WITH_ITS_PARENT, signal.SIGKILL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.chdir(call.folder)
        names = (os.devnull, f"{call.log}.out", f"{call.log}.err")
        for number, name in enumerate(names):
            opened = os.open(name, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
            os.dup2(opened, number, inheritable=True)
            os.close(opened)
        for number in call.closed:
            os.close(number)
        if not call.fresh:  # what is endless must not take all of the machine's memory
            used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
            resource.setrlimit(resource.RLIMIT_AS, (used + _MEMORY, used + _MEMORY))
        for kind, most in call.limits.items():
            resource.setrlimit(kind, (most, most))
        if call.user is not None:
            os.setgroups([])
            os.setgid(call.user)
            os.setuid(call.user)
        if call.fresh:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
            command = [*call.wrapped, sys.executable, "-m", "lolhl", *call.words]
            os.execvpe(command[0], command, dict(call.environ))  # noqa: S606
        os.environ.clear()
        os.environ.update(call.environ)
        time.tzset()
        tempfile.tempdir = None
        sys.stdin, sys.stdout = open(0), open(1, "w", encoding="utf-8")  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
        code = _main(call.program, list(call.words))
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        with suppress(Exception):
            sys.stderr.flush()
    finally:
        os._exit(code)


def _main(program: str, words: list[str]) -> int:
    module = importlib.import_module("lolhl.cli" if program == "lolhl" else "torchx.cli.main")
    sys.argv = [program, *words]
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    except KeyboardInterrupt:  # it came before
        return 130
    try:
        return int(module.main(words) or 0)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)


def _text(data: bytes, call: Call) -> str:
    """In the encoding that was asked for; bytes that are none become control characters, which nothing may print."""
    encoding = call.environ.get("PYTHONIOENCODING") if call.fresh else None
    if encoding == "utf-16":  # two bytes make a character: there is no control character for one
        return data.decode(encoding, errors="replace").replace("\ufffd", "\x00")
    return data.decode(encoding or "utf-8", errors="surrogateescape")
