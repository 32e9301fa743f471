"""Runs cases, several at once, each in a fork of a process that has imported all that is heavy."""

import multiprocessing
import os
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

_LONGEST = 600.0  # seconds of a case: each of its calls has a limit of its own, far below


@dataclass(frozen=True)
class Result:
    """A case that was run: what was wrong, in sentences."""

    case: str
    problems: list[str]
    seconds: float


def run(name: str, finished: Path, *, verbose: bool = False, keep: bool = False) -> Result:
    """Runs one case.

    Args:
        name: its id.
        finished: see `world.finished`.
        verbose: print each call and what it says to standard error.
        keep: leave its folder.
    """
    folder = Path(tempfile.mkdtemp(prefix="torture-"))
    begun = time.monotonic()
    receiving, sending = multiprocessing.Pipe(duplex=False)
    process = _forks().Process(target=_work, args=(name, folder, finished, verbose, sending))
    try:
        process.start()
        sending.close()
        try:
            problems = receiving.recv() if receiving.poll(_LONGEST) else [f"not over after {_LONGEST:.0f} s"]
        except EOFError:
            process.join()
            problems = [f"its process ended with {process.exitcode}"]
        process.kill()
        process.join()
    finally:
        if keep:
            print(f"{name}: see {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)
    return Result(name, problems, time.monotonic() - begun)


def run_all(names: Iterable[str], finished: Path, jobs: int, minutes: float) -> Iterator[Result]:
    """Runs cases until there are no more or the time is over; yields each when it is done."""
    until = time.monotonic() + minutes * 60
    left = iter(names)
    running: set[Future[Result]] = set()
    with ThreadPoolExecutor(jobs) as threads:
        while True:
            while len(running) < jobs and time.monotonic() < until and (name := next(left, None)):
                running.add(threads.submit(run, name, finished))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for result in done:
                yield result.result()


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


def _work(name: str, folder: Path, finished: Path, verbose: bool, sending: Connection) -> None:
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
        sandbox.problems.append("the case itself failed: " + " | ".join(traceback.format_exc().splitlines()[-3:]))
    sending.send(sandbox.problems)
    os._exit(0)


def random_cases(seed: int, families: Iterable[str]) -> Iterator[str]:
    """Ids of random cases without end, of all families by their share."""
    from tests.torture.families import FAMILIES

    rng, names = random.Random(seed), list(families)
    shares = [FAMILIES[name].share for name in names]
    while True:
        yield f"{rng.choices(names, shares)[0]}:{rng.randrange(2**32)}"
