"""How much memory this process and its children have taken at most."""

import sys
from contextlib import suppress
from pathlib import Path
from types import ModuleType

from lolhl.errors import MachineError

resource: ModuleType | None
try:
    import resource
except ImportError:  # Windows
    resource = None

_LEAST = 2_200_000_000  # bytes of address space, below which libraries abort or hang as they are loaded


def peaks() -> dict[str, float | None]:
    """Peaks up to now, in MB (10⁶ bytes).

    Returns:
        `resident`: of this process, pages of mapped files included (VmHWM of Linux). `largest_child`:
        of the one child that had most, if it had more than this process, else None. The kernel counts
        what a child shared with this process before its own program began, so a smaller child cannot
        be told apart. Both are None on Windows.
    """
    if resource is None:
        return {"resident": None, "largest_child": None}
    child = _peak(resource.RUSAGE_CHILDREN)
    own = _peak(resource.RUSAGE_SELF)
    with suppress(FileNotFoundError):  # not on macOS
        # Better than getrusage, which begins with the peak of whatever program started this one.
        status = Path("/proc/self/status").read_text().splitlines()
        own = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    return {"resident": _mb(own), "largest_child": _mb(child) if child > own else None}


def check_limit() -> None:
    """Refuses to begin where next to no address space is allowed: OpenBLAS would ask for memory for ever.

    Raises:
        MachineError: the limit lies below `_LEAST`.
    """
    if resource is None:
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < _LEAST:
        raise MachineError(
            f"this shell has too little memory: it allows {limit / 1e9:.2g} GB, and libraries alone need more than "
            f"{_LEAST / 1e9:g}: allow more (`ulimit -v`)"
        )


def _peak(whose: int) -> int:
    """In bytes."""
    assert resource is not None
    return int(resource.getrusage(whose).ru_maxrss) * (1 if sys.platform == "darwin" else 1024)


def _mb(size: int) -> float:
    return round(size / 1e6, 1)
