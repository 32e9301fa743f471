"""Progress of long work, for people: a bar on a terminal, a quiet line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Never

from tqdm import tqdm

Advance = Callable[[float], None]

_QUIET_SECONDS = 20.0  # between two lines where there is no terminal


@contextmanager
def bar(label: str, total: float, unit: str) -> Iterator[Advance]:
    """Shows how far the work is while the block runs; call what it yields with the amount just done.

    Args:
        label: what is being done.
        total: how much there is in all; 0 when that is unknown.
        unit: of the total. "s" means seconds of video: the rate is then shown as times real time.
    """
    if sys.stderr.isatty():
        rate = "{rate_noinv_fmt}" if unit != "s" else "{rate_noinv:.1f}x real time"
        form = "{desc}: {percentage:3.0f}% |{bar}| {n:.0f}/{total:.0f} " + unit + " [{remaining} left, " + rate + "]"
        shown: tqdm[Never] = tqdm(desc=label, total=total or None, unit=f" {unit}", bar_format=form if total else None)
        with shown:

            def advance(amount: float) -> None:
                shown.update(amount)

            yield advance
        return
    yield _Lines(label, total, unit).advance


class _Lines:
    def __init__(self, label: str, total: float, unit: str) -> None:
        self.label, self.total, self.unit = label, total, unit
        self.done, self.begun = 0.0, time.monotonic()
        self.shown = self.begun

    def advance(self, amount: float) -> None:
        self.done += amount
        now = time.monotonic()
        if now - self.shown < _QUIET_SECONDS:
            return
        self.shown = now
        rate = self.done / (now - self.begun)
        speed = f"{rate:.1f}x real time" if self.unit == "s" else f"{rate:.1f} {self.unit}/s"
        left = f", {max(0.0, self.total - self.done) / rate:.0f} s left" if self.total and rate else ""
        of = f"/{self.total:.0f}" if self.total else ""
        print(f"{self.label}: {self.done:.0f}{of} {self.unit}, {speed}{left}", file=sys.stderr, flush=True)
