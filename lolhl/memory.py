"""How much memory this process and its children have taken at most."""

import resource
import sys
from contextlib import suppress
from pathlib import Path


def peaks() -> dict[str, float | None]:
    """Peaks up to now, in MB (10⁶ bytes).

    Returns:
        `resident`: of this process, pages of mapped files included (VmHWM of Linux). `largest_child`:
        of the one child that had most, if it had more than this process, else None. The kernel counts
        what a child shared with this process before its own program began, so a smaller child cannot
        be told apart.
    """
    child = _peak(resource.RUSAGE_CHILDREN)
    own = _peak(resource.RUSAGE_SELF)
    with suppress(FileNotFoundError):  # not on macOS
        # Better than getrusage, which begins with the peak of whatever program started this one.
        status = Path("/proc/self/status").read_text().splitlines()
        own = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    return {"resident": _mb(own), "largest_child": _mb(child) if child > own else None}


def _peak(whose: int) -> int:
    """In bytes."""
    return resource.getrusage(whose).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _mb(size: int) -> float:
    return round(size / 1e6, 1)
