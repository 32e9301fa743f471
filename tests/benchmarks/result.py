"""What the benchmarks share: timing, runs side by side, tables, and the dated result file.

Absolute times hold for one machine on one day. What a benchmark claims is a ratio between runs that
took turns in one process's lifetime, so the file names the machine and says whether it was idle.
"""

import datetime
import importlib.metadata
import os
import platform
import resource
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lolhl.errors import ToolMissing
from lolhl.vod import ffmpeg

FOLDER = Path(__file__).parent / "results"

_BUSY = 0.5  # load average at the start above which the file warns
_PACKAGES = (
    *("av", "boto3", "lightning", "nncf", "numpy", "onnx", "onnxruntime", "openvino", "pillow", "PyNvVideoCodec"),
    *("simplejpeg", "timm", "torch", "torchcodec", "torchvision"),
)


@dataclass(frozen=True)
class Table:
    """Rows under column names. Floats are shown with three figures, None as a dash, all else by str()."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]

    def text(self) -> str:
        """As Markdown, aligned so that it reads well as plain text too."""
        cells = [[shown(value) for value in row] for row in [self.columns, *self.rows]]
        widths = [max(len(row[i]) for row in cells) for i in range(len(self.columns))]
        lines = ["| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |" for row in cells]
        lines.insert(1, "|" + "|".join("-" * (w + 2) for w in widths) + "|")
        return "\n".join([f"**{self.title}**", "", *lines])


@dataclass
class Timing:
    """Wall seconds of a block, and user CPU seconds of this process and the children that ended in it."""

    wall: float = 0.0
    cpu: float = 0.0


@contextmanager
def measured() -> Iterator[Timing]:
    """Times the block: `with measured() as m: …`, then m.wall and m.cpu."""
    timing, user, begun = Timing(), _user_seconds(), time.perf_counter()
    try:
        yield timing
    finally:
        timing.wall, timing.cpu = time.perf_counter() - begun, _user_seconds() - user


def side_by_side(ways: Mapping[str, Callable[[], object]], times: int) -> dict[str, Timing]:
    """Runs all ways in turn (A, B, A, B …), so that a slow minute of the machine hits them alike.

    Args:
        ways: name → what to time. One that returns a `Timing` is taken at its word: it ran a part and scaled it.
        times: how often each is run.

    Returns:
        Name → the run with the median wall time (of an even number the faster of the two in the
        middle). Say `times` beside the figures.
    """
    runs: dict[str, list[Timing]] = {name: [] for name in ways}
    for _ in range(times):
        for name, way in ways.items():
            with measured() as timing:
                answer = way()
            runs[name].append(answer if isinstance(answer, Timing) else timing)
    return {name: _median(timings) for name, timings in runs.items()}


def machine() -> str:
    """Processor, memory, GPU, operating system, and how busy they were, in lines of Markdown."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return "\n".join(
        [
            f"- processor: {_processor()}, {os.cpu_count()} cores; memory: {memory:.0f} GiB",
            f"- GPU: {gpu() or 'none'}",
            f"- system: {_system()}, Linux {platform.release()}, Python {platform.python_version()}",
            f"- load average at start {_LOAD:.2f}; others used {_others():.2f} cores on average while this ran",
        ]
    )


def versions() -> str:
    """Of ffmpeg and of the packages that are installed."""
    try:
        command = [ffmpeg.path(), "-version"]
        entries = [" ".join(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[:3:2])]
    except ToolMissing:
        entries = ["no ffmpeg"]
    for package in _PACKAGES:
        try:
            entries.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(entries)


def gpu() -> str | None:
    """Name, memory and driver of the GPUs, as nvidia-smi says; None where there is none."""
    if not shutil.which("nvidia-smi"):
        return None
    command = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "; ".join(done.stdout.strip().splitlines()) or None if done.returncode == 0 else None


def write(name: str, tables: Sequence[Table], command: str, notes: str = "", folder: Path = FOLDER) -> Path:
    """Prints the tables and writes <date>-<name>.md. The last run of a day stays.

    Args:
        name: of the benchmark, as it stands in the file's name.
        tables: what was measured.
        command: how to run it again.
        notes: what a reader must know: what was scaled, how often runs were repeated.
        folder: where the file goes.
    """
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    body = "\n\n".join([table.text() for table in tables] + [notes.strip()] * bool(notes.strip()))
    head = [f"# {name}, {today}", f"`{command}` at commit {_commit()}", machine() + f"\n- versions: {versions()}"]
    if _LOAD > _BUSY:
        head.append(f"Warning: the load average was {_LOAD:.2f} at the start, so the machine may have been busy.")
    folder.mkdir(exist_ok=True)
    path = folder / f"{today}-{name}.md"
    path.write_text("\n\n".join([*head, body]) + "\n")
    print(f"{body}\n\nwritten to {os.path.relpath(path)}", flush=True)
    return path


def shown(value: object) -> str:
    """A value as it stands in a table."""
    if value is None:
        return "–"
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _median(runs: Sequence[Timing]) -> Timing:
    middle = statistics.median_low(run.wall for run in runs)
    return next(run for run in runs if run.wall == middle)


def _user_seconds() -> float:
    return sum(resource.getrusage(who).ru_utime for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def _processor() -> str:
    """The model as the kernel names it, with what makes matrix products fast on it."""
    lines = dict.fromkeys(Path("/proc/cpuinfo").read_text().splitlines())
    facts = {line.split(":")[0].strip(): line.split(":", 1)[1].strip() for line in lines if ":" in line}
    flags = facts.get("flags", "").split()
    has = [flag for flag in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_tile") if flag in flags]
    return f"{facts.get('model name', platform.machine())} ({', '.join(has) or 'no AVX'})"


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except OSError:
        return platform.system()


def _commit() -> str:
    if not shutil.which("git"):
        return "unknown"

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (
        " with changes that are not committed" if changed else ""
    )


def _busy_seconds() -> tuple[float, float]:
    """CPU seconds of the whole machine since it started, and of this process with its children that ended."""
    ticks = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    user, nice, system, _idle, _wait, interrupts, soft, stolen = ticks
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    whole = (user + nice + system + interrupts + soft + stolen) / os.sysconf("SC_CLK_TCK")
    return whole, sum(usage.ru_utime + usage.ru_stime for usage in own)


def _others() -> float:
    """Cores that others used since this module was loaded (children that still run count as others)."""
    whole, own = _busy_seconds()
    return max(0.0, (whole - _WHOLE) - (own - _OWN)) / (time.monotonic() - _BEGUN)


_LOAD = os.getloadavg()[0]
_BEGUN = time.monotonic()
_WHOLE, _OWN = _busy_seconds()
