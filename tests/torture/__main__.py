"""The command line: which cases are run, and what is told of them."""

import argparse
import itertools
import os
import random
import signal
import sys
import time
from collections.abc import Iterable, Iterator, Sequence

from tests import torture
from tests.torture.families import FAMILIES, case, corpus
from tests.torture.runner import Result, make, random_cases, run, run_all
from tests.torture.world import finished


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.torture",
        description=torture.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--seed", type=int, help="decides which random cases there are (default: another each time)")
    parser.add_argument("--minutes", type=float, default=60.0, help="after which no case begins (default: 60)")
    parser.add_argument("--family", nargs="+", choices=FAMILIES, default=list(FAMILIES), metavar="NAME",
                        help=f"kinds of cases: {', '.join(FAMILIES)} (default: all)")  # fmt: skip
    parser.add_argument("--cases", type=int, help="random cases at most (default: as many as the time allows)")
    parser.add_argument("--case", nargs="+", metavar="ID", help="these cases only, and all that their calls print")
    parser.add_argument("--keep", action="store_true", help="with --case: leave the case's folder, and name it")
    parser.add_argument("--jobs", type=int, default=(os.cpu_count() or 1) + 1, help="cases at once")
    arguments = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C: what was done until then is still counted
        signal.signal(number, signal.default_int_handler)
    unknown = [name for name in arguments.case or () if not _is_case(name)]
    if unknown:
        parser.error(f"no case is called {unknown[0]}; the named ones are {', '.join(corpus())}")
    if arguments.case:
        folder = make(finished)
        return _summary(_report(run(name, folder, verbose=True, keep=arguments.keep) for name in arguments.case))
    seed = random.randrange(2**32) if arguments.seed is None else arguments.seed
    print(f"seed {seed}", flush=True)
    names = itertools.chain(
        corpus(*arguments.family), itertools.islice(random_cases(seed, arguments.family), arguments.cases)
    )
    return _summary(_report(_all(names, arguments.jobs, arguments.minutes)))


def _all(names: Iterable[str], jobs: int, minutes: float) -> Iterator[Result]:
    """Makes the finished root only when the first result is asked for: that may be interrupted, too."""
    yield from run_all(names, make(finished), jobs, minutes)


def _is_case(name: str) -> bool:
    try:
        case(name)
    except KeyError:
        return False
    return True


def _report(results: Iterable[Result]) -> list[Result]:
    """Prints each failure in one line, with the command that repeats it, and now and then how many cases there were.

    Returns what there was until the end, or until somebody stopped it.
    """
    listed: list[Result] = []
    shown = time.monotonic()
    try:
        for result in results:
            listed.append(result)
            if result.problems:
                wrong = " ".join("; ".join(result.problems[:3]).split())
                printable = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in wrong)
                print(f"FAILED {printable[:600]}  [python -m tests.torture --case {result.case}]", flush=True)
            if time.monotonic() > shown + _LINE_SECONDS:
                shown = time.monotonic()
                failures = sum(bool(each.problems) for each in listed)
                print(f"after {(shown - _BEGUN) / 60:.0f} min: {len(listed)} cases, {failures} failures", flush=True)
    except KeyboardInterrupt:
        print("stopped", flush=True)
    return listed


def _summary(results: Sequence[Result]) -> int:
    print(f"\n{'family':<12}{'cases':>8}{'failures':>10}{'seconds':>10}")
    for family in FAMILIES:
        mine = [result for result in results if result.case.startswith(f"{family}:")]
        if mine:
            failures, seconds = sum(bool(result.problems) for result in mine), sum(result.seconds for result in mine)
            print(f"{family:<12}{len(mine):>8}{failures:>10}{seconds:>10.0f}")
    failures = sum(bool(result.problems) for result in results)
    print(f"{'all':<12}{len(results):>8}{failures:>10}{time.monotonic() - _BEGUN:>10.0f}", flush=True)
    return 1 if failures else 0


_BEGUN = time.monotonic()
_LINE_SECONDS = 60.0  # between two lines that say how far it is

if __name__ == "__main__":
    sys.exit(main())
