"""Whether the torture finds each fault that was mended, when its mend is taken back.

    python -m tests.torture.mends                # each mend, one after the other; some minutes
    python -m tests.torture.mends --list         # what there is
    python -m tests.torture.mends --only twins   # some of them

A mend is taken back by a small edit in a copy of this checkout, and one case of the torture is run there. The copy has
the finished root of this checkout (see `tests.torture.world`): nothing is made anew for an edit.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[3]
# What the cases read of a checkout.
_PARTS = ("lolhl", "components", "tests", "manifests", ".github", ".torchxconfig", "pyproject.toml")
_LEFT_OUT = ("benchmarks", "engines", "values")  # the last may hold somebody's keys


@dataclass(frozen=True)
class Edit:
    """A text that stands once in a file of the checkout, and what stands there without the mend."""

    file: str
    now: str
    without: str

    def problem(self, checkout: Path) -> str | None:
        """Why it cannot be made; None where it can."""
        path = checkout / self.file
        count = path.read_text().count(self.now) if path.exists() else 0
        return None if count == 1 else f"{self.file} has {count} times {self.now!r}"

    def make(self, checkout: Path) -> None:
        path = checkout / self.file
        path.write_text(path.read_text().replace(self.now, self.without))


@dataclass(frozen=True)
class Mend:
    """What was mended.

    Attributes:
        item: number in the list of faults that the hostile campaign found.
        name: for people.
        case: that finds the fault once the mend is taken back.
        edits: that take it back; more than one where two guards stand before the same fault.
    """

    item: int
    name: str
    case: str
    edits: Sequence[Edit]

    def problems(self, checkout: Path) -> list[str]:
        return [problem for edit in self.edits if (problem := edit.problem(checkout))]

    def take_back(self, folder: Path) -> Path:
        """Makes a copy of this checkout below the folder, without this mend. Returns the copy."""
        copy = copy_checkout(folder)
        for edit in self.edits:
            edit.make(copy)
        return copy


def copy_checkout(folder: Path) -> Path:
    """Makes a copy of what cases read of this checkout, below the folder. Returns the copy."""
    copy = folder / "checkout"
    for part in _PARTS:
        if (CHECKOUT / part).is_dir():
            shutil.copytree(CHECKOUT / part, copy / part, ignore=shutil.ignore_patterns(*_LEFT_OUT))
        else:
            shutil.copy2(CHECKOUT / part, copy / part)
    return copy
