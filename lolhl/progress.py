"""Progress of long work, for people: a bar on a terminal, a line now and then elsewhere.

Shown where this module's logger lets INFO through, which `--quiet` does not. $LOLHL_PROGRESS_SECONDS says how often
there is a line. A program that starts another one reads its lines by `parse_line`.
"""

import logging
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from lolhl import text

Advance = Callable[[float], None]

log = logging.getLogger(__name__)

SECONDS = "LOLHL_PROGRESS_SECONDS"  # the variable of the environment
_LINE_SECONDS = 20.0  # between two lines where there is no terminal, and nothing else is said

_LINE = re.compile(
    r"(?P<label>.+): (?P<done>\d+)(?:/(?P<total>\d+))? (?P<unit>[^\s,]+), (?P<speed>[^,]+)(?:, (?P<left>\d+) s left)?"
)


@dataclass(frozen=True)
class Progress:
    """How far some work is.

    Attributes:
        label: what is being done.
        done, total: of the unit; the total is 0 when it is unknown.
        unit: "s" means seconds of video.
        speed: as people read it.
        left: seconds until it is done; None when that is unknown.
    """

    label: str
    done: int
    total: int
    unit: str
    speed: str
    left: int | None = None

    def line(self) -> str:
        """The line for people."""
        total = f"/{self.total}" if self.total else ""
        left = "" if self.left is None else f", {self.left} s left"
        return f"{self.label}: {self.done}{total} {self.unit}, {self.speed}{left}"


def parse_line(line: str) -> Progress | None:
    """Reads what `Progress.line` writes. None for any other line."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    left = match["left"]
    return Progress(
        match["label"],
        int(match["done"]),
        int(match["total"] or 0),
        match["unit"],
        match["speed"],
        None if left is None else int(left),
    )


@contextmanager
def bar(label: str, total: float, unit: str) -> Iterator[Advance]:
    """Shows how far the work is while the block runs; call what it yields with the amount just done.

    Args:
        label: what is being done.
        total: how much there is in all; 0 when that is unknown.
        unit: of the total. "s" means seconds of video: the rate is then shown as times real time.
    """
    label = text.printable(text.redacted(label))
    if sys.stderr.isatty() and log.isEnabledFor(logging.INFO):
        form = "{desc}: {share:4.0%} |{bar}| {count} " + unit + " [{remaining} left, {speed}]"
        unknown = "{desc}: {count} " + unit + " [{elapsed}, {speed}]"
        shape = form if total else unknown
        stream = text.beneath(sys.stderr)
        with _Bar(desc=label, total=total or None, unit=unit, bar_format=shape, file=stream) as progress_bar:

            def advance(amount: float) -> None:
                progress_bar.update(amount)

            yield advance
        return
    yield _Lines(label, total, unit).advance


def _speed(rate: float, unit: str) -> str:
    return f"{rate:.1f}x real time" if unit == "s" else f"{rate:.1f} {unit}/s"


class _Bar(tqdm):  # type: ignore[type-arg]  # generic in its stubs only
    monitor_interval = 0  # no thread that watches for bars that stand still

    @property
    def format_dict(self) -> MutableMapping[str, Any]:
        values = super().format_dict
        done, total = values["n"], values["total"]
        # tqdm has no rate at first, and forgets a total that is passed, as an estimated one may be.
        rate = values["rate"] or (done / values["elapsed"] if values["elapsed"] else 0.0)
        count = f"{done:.0f}/{total:.0f}" if total else f"{done:.0f}"
        share = min(1.0, done / total) if total else 0.0
        if total and done < total + 0.5:  # sums of floats end a little beyond it, of which tqdm would warn
            values["n"] = min(done, total)
        return {**values, "share": share, "count": count, "speed": _speed(rate, self.unit)}


class _Lines:
    def __init__(self, label: str, total: float, unit: str) -> None:
        self.label, self.total, self.unit = label, total, unit
        self.done, self.begun = 0.0, time.monotonic()
        self.shown, self.interval = self.begun, _interval()

    def advance(self, amount: float) -> None:
        self.done += amount
        now = time.monotonic()
        if now - self.shown < self.interval:
            return
        self.shown = now
        rate = self.done / max(1e-6, now - self.begun)
        left = round(max(0.0, self.total - self.done) / rate) if self.total and rate else None
        speed = _speed(rate, self.unit)
        log.info("%s", Progress(self.label, round(self.done), round(self.total), self.unit, speed, left).line())


def _interval() -> float:
    """Seconds between two lines."""
    try:
        return max(0.0, float(os.environ.get(SECONDS, "")))
    except ValueError:
        return _LINE_SECONDS
