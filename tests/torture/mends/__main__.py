"""The command line: takes mends back, and tells which of them the torture finds missing."""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tests.torture import mends
from tests.torture.mends import CHECKOUT, Mend
from tests.torture.mends.known import MENDS
from tests.torture.runner import OWN_FAULT, make, run, run_all
from tests.torture.world import finished


@dataclass(frozen=True)
class Verdict:
    """Whether a mend that was taken back was found missing, and what shows it, or why not."""

    mend: Mend
    is_found: bool
    why: str
    seconds: float

    def __str__(self) -> str:
        reason = " ".join(self.why.split())[:240]
        verdict = "FOUND" if self.is_found else "MISSED"
        return f"{verdict:<7}{self.mend.item:>3} {self.mend.name} by {self.mend.case} ({self.seconds:.0f} s): {reason}"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.torture.mends",
        description=mends.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--list", action="store_true", help="print the mends and the cases that find them")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these mends only")
    parser.add_argument("--jobs", type=int, default=2, help="mends at once")
    arguments = parser.parse_args()
    known = {mend.name: mend for mend in MENDS}
    if unknown := [name for name in arguments.only or () if name not in known]:
        parser.error(f"no mend is called {unknown[0]}; --list shows them")
    chosen = [known[name] for name in arguments.only] if arguments.only else MENDS
    if arguments.list:
        for mend in chosen:
            print(f"{mend.item:>3} {mend.name:<24}{mend.case:<30}{', '.join(edit.file for edit in mend.edits)}")
        return 0
    return _check(chosen, arguments.jobs)


def _check(chosen: Sequence[Mend], jobs: int) -> int:
    root, missed = make(finished), 0
    # A case that finds a fault in the code as it is, or in a copy of it, would find each mend missing.
    cases = sorted({mend.case for mend in chosen})
    with tempfile.TemporaryDirectory(prefix="torture-mend-") as folder:
        results = [*run_all(cases, root, jobs, minutes=60, code=mends.copy_checkout(Path(folder)))]
    failing = {result.case: result.problems[0] for result in results if result.problems}
    for verdict in verdicts([mend for mend in chosen if mend.case not in failing], root, jobs):
        missed += not verdict.is_found
        print(verdict, flush=True)
    for mend in (mend for mend in chosen if mend.case in failing):
        missed += 1
        print(Verdict(mend, False, f"the case fails with the mend, too: {failing[mend.case]}", 0.0), flush=True)
    print(f"\n{len(chosen) - missed} of {len(chosen)} mends were found when they were taken back", flush=True)
    return 1 if missed else 0


def verdicts(chosen: Sequence[Mend], root: Path, jobs: int) -> Iterator[Verdict]:
    """Takes each mend back, and runs its case.

    Args:
        root: see `tests.torture.world.finished`.
        jobs: mends at once.
    """
    with ThreadPoolExecutor(jobs) as threads:
        for future in as_completed([threads.submit(_verdict, mend, root) for mend in chosen]):
            yield future.result()


def _verdict(mend: Mend, root: Path) -> Verdict:
    begun = time.monotonic()
    if problems := mend.problems(CHECKOUT):
        return Verdict(mend, False, f"{problems[0]}: write down how it is taken back now", 0.0)
    with tempfile.TemporaryDirectory(prefix="torture-mend-") as folder:
        problems = run(mend.case, root, code=mend.take_back(Path(folder))).problems
    shown = [problem for problem in problems if not problem.startswith(OWN_FAULT)]
    why = shown or problems or ["the case sees nothing wrong"]
    return Verdict(mend, bool(shown), why[0], time.monotonic() - begun)


if __name__ == "__main__":
    sys.exit(main())
