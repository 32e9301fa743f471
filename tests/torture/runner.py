"""Runs cases, several at once, each in a fork of a process that has imported all that is heavy."""

import importlib
import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.connection import Connection
from pathlib import Path

_LONGEST = 600.0  # seconds of a case: each of its calls has a limit of its own, far below
OWN_FAULT = "the case itself failed"  # how a problem begins that says nothing of lolhl
_OWN = ("lolhl", "components", "tests")  # packages of a checkout


@dataclass(frozen=True)
class Result:
    """A case that was run: what was wrong, in sentences."""

    case: str
    problems: list[str]
    seconds: float


def run(
    name: str,
    finished: Path,
    *,
    verbose: bool = False,
    keep: bool = False,
    code: Path | None = None,
    stop: Connection | None = None,
) -> Result:
    """Runs one case.

    Args:
        name: its id.
        finished: see `world.finished`.
        verbose: print each call and what it says to standard error.
        keep: leave its folder.
        code: the checkout that it runs; None for this one.
        stop: once something can be read there, or its other end is closed, the case is ended.
    """
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    begun = time.monotonic()
    receiving, sending = multiprocessing.Pipe(duplex=False)
    process = _forks().Process(target=_work, args=(name, folder, finished, verbose, code, sending))
    try:
        process.start()
        sending.close()
        ready = connection.wait([receiving, stop] if stop else [receiving], _LONGEST)
        try:
            problems = receiving.recv() if receiving in ready else ["stopped" if ready else _too_long()]
        except EOFError:
            process.join()
            problems = [f"{OWN_FAULT}: its process ended with {process.exitcode}"]
        process.kill()
        process.join()
    finally:
        if keep:
            print(f"{name}: see {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return Result(name, problems, time.monotonic() - begun)


def run_all(
    names: Iterable[str], finished: Path, jobs: int, minutes: float, *, code: Path | None = None
) -> Iterator[Result]:
    """Runs cases until there are no more or the time is over; yields each when it is done.

    Whoever leaves the loop, by an interrupt too, ends those that are running.

    Args:
        names, finished, code: as for `run`.
        jobs: cases at once.
        minutes: after which no case begins.
    """
    until = time.monotonic() + minutes * 60
    left = iter(names)
    running: set[Future[Result]] = set()
    stop, stopping = multiprocessing.Pipe(duplex=False)
    with ThreadPoolExecutor(jobs) as threads:
        try:
            while True:
                while len(running) < jobs and time.monotonic() < until and (name := next(left, None)):
                    running.add(threads.submit(run, name, finished, code=code, stop=stop))
                if not running:
                    return
                done, running = wait(running, return_when=FIRST_COMPLETED)
                for result in done:
                    yield result.result()
        finally:
            stopping.close()


def make(function: Callable[[], Path]) -> Path:
    """The function's value, computed in a fork as cases are."""
    receiving, sending = multiprocessing.Pipe(duplex=False)
    process = _forks().Process(target=_send, args=(function, sending))
    process.start()
    sending.close()
    try:
        value: Path = receiving.recv()
    except EOFError:
        raise RuntimeError(f"{function.__name__} failed, see above") from None
    finally:
        process.join()
    return value


def _send(function: Callable[[], Path], sending: Connection) -> None:
    sending.send(function())


def _forks() -> "multiprocessing.context.ForkServerContext":
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.torture.preload"])
    return context


def _too_long() -> str:
    return f"not over after {_LONGEST:.0f} s"


def _work(name: str, folder: Path, finished: Path, verbose: bool, code: Path | None, sending: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; whoever started the case ends it
    if code:
        _change_to(code)
    from tests.torture.families import case
    from tests.torture.sandbox import Sandbox

    tempfile.tempdir = None
    draw, chances = case(name)
    sandbox = Sandbox(folder / "case", chances, finished, verbose=verbose)
    folder.chmod(0o755)
    try:
        draw(sandbox)
        sandbox.finish()
    except Exception:  # the case's own fault, or an input that could not be made
        sandbox.problems.append(f"{OWN_FAULT}: " + " | ".join(traceback.format_exc().splitlines()[-3:]))
    sending.send(sandbox.problems)
    os._exit(0)


def _change_to(code: Path) -> None:
    """Imports this project's modules anew, from another checkout; the libraries that it uses stay as they are."""
    for module in [module for module in sys.modules if module.partition(".")[0] in _OWN]:
        del sys.modules[module]
    # What lolhl adds to the search for modules is added again, and must be there once.
    sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__module__.partition(".")[0] not in _OWN]
    sys.path.insert(0, str(code))
    importlib.invalidate_caches()
    importlib.import_module("tests.torture.preload")


def random_cases(seed: int, families: Iterable[str]) -> Iterator[str]:
    """Ids of random cases without end, of all families by their share."""
    from tests.torture.families import FAMILIES

    rng, names = random.Random(seed), list(families)
    shares = [FAMILIES[name].share for name in names]
    while True:
        yield f"{rng.choices(names, shares)[0]}:{rng.randrange(2**32)}"
