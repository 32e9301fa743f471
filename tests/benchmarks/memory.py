"""Peak memory of each stage on a VOD of 1 h and on one of 6 h.

    python -m tests.benchmarks.memory      # some 10 minutes on 2 cores

Both VODs are the 360p30 rendition of bench-a, said over and over. Frames are on the usual grid of 3 fps,
but only 64 pixels wide: what may grow with a VOD is the number of its frames, and so that many are
seen in minutes. What grows is the index that FFmpeg holds of an open .mp4: it is measured alone too.
"""

import argparse
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import av

from lolhl.vod import ffmpeg
from tests.benchmarks import result
from tests.benchmarks.looped import looped

SIZE = "64"
LONGER = 6  # times the shorter VOD
_SAMPLE = 0.1  # seconds between two looks at a running stage


@dataclass(frozen=True)
class Peak:
    """Of one stage, in MB.

    Attributes:
        resident: of the process, pages of mapped files included, as the verb prints it.
        own: memory that no file stands behind, of the process and all below it together, as sampled.
        child: resident memory of the largest process below it, as sampled.
    """

    resident: float
    own: float
    child: float


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=int, default=60, help="length of the shorter VOD (default: 60)")
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory(prefix="lolhl-bench-") as scratch:
        short = _stages("short", minutes, Path(scratch))
        long = _stages("long", minutes * LONGER, Path(scratch))
        indexes = _indexes(Path(scratch))
    rows = [
        [stage, a.resident, b.resident, b.resident / a.resident, a.own, b.own, b.own / a.own, a.child, b.child]
        for (stage, a), b in zip(short.items(), long.values(), strict=True)
    ]
    names = _length(minutes), _length(minutes * LONGER)
    columns = ["stage", *(f"resident, {name}" for name in names), "ratio"]
    columns += [*(f"own, {name}" for name in names), "ratio", *(f"largest child, {name}" for name in names)]
    measures = ["stays, MB", "while it opens, MB", "s to open"]
    index = result.Table(
        "The index of an open .mp4 alone, in a process of its own",
        ["tracks", *(f"{what}, {name}" for what in measures for name in names)],
        indexes,
    )
    result.write(
        "memory",
        [result.Table("Peak memory of each stage, MB", columns, rows), index],
        "python -m tests.benchmarks.memory" + (f" --minutes {minutes}" if minutes != 60 else ""),
        "Resident is what the verb prints: VmHWM of its process, pages of mapped files included, which the system "
        "takes back when it needs them. Own is memory that no file stands behind (RssAnon), of the process and "
        f"all that it started together, seen every {_SAMPLE} s; so are children. Frames have {SIZE} pixels. "
        "FFmpeg holds an entry for each packet of each track of an open .mp4, as long as it is open, and cannot "
        "open one without. lolhl opens it once, however many threads decode; each ffmpeg that cuts a clip or looks "
        "what a file is holds its own. Stays is RssAnon; while it opens is VmHWM, both less what was before.",
    )
    return 0


def _stages(vod: str, minutes: int, scratch: Path) -> dict[str, Peak]:
    video, table = looped("bench-a", vod, minutes * 60, scratch)
    verbs = {
        "download": ["download", str(video)],
        "extract, all of the grid": ["extract", vod, "--size", SIZE, "--mode", "grid"],
        "extract, key frames alone": ["extract", vod, "--size", SIZE, "--mode", "scan"],
        "labels": ["labels", str(table)],
        "dataset": ["dataset", vod, vod],
        "train": ["train", vod, "--dataset", vod],
        "infer, from frames": ["infer", vod, vod, "--source", "frames"],
        "infer, from video": ["infer", vod, vod, "--source", "video"],
        "report": ["report", vod],
    }
    peaks = {}
    for stage, words in verbs.items():
        begun = time.monotonic()
        peaks[stage] = _peak([*words, "--json", "--root", str(scratch / "root")], scratch)
        print(f"{_length(minutes)}, {stage}: {time.monotonic() - begun:.0f} s, {peaks[stage]}", flush=True)
    return peaks


def _indexes(scratch: Path) -> list[list[object]]:
    """Of both VODs, with their pictures alone and with sound beside: a row each."""
    rows: list[list[object]] = []
    for tracks, name in (("pictures", "{}.mp4"), ("pictures and sound", "{}-sound.mp4")):
        figures = []
        for vod in ("short", "long"):
            video = scratch / name.format(vod)
            if not video.exists():
                command = [ffmpeg.path(), *ffmpeg.QUIET, "-i", str(scratch / f"{vod}.mp4")]
                command += ["-f", "lavfi", "-i", "anullsrc=r=48000:cl=stereo", "-shortest"]
                subprocess.run([*command, "-c:v", "copy", "-c:a", "aac", str(video)], check=True)
            with multiprocessing.get_context("spawn").Pool(1) as fresh:
                figures.append(fresh.apply(_index, [video]))
        rows.append([tracks, *(figure for both in zip(*figures, strict=True) for figure in both)])
    return rows


def _index(video: Path) -> tuple[float, float, float]:
    """Of opening this file here: MB that stay, MB while it opens, seconds."""
    Path("/proc/self/clear_refs").write_text("5")  # VmHWM counts from here
    before, begun = _status(os.getpid()), time.monotonic()
    with av.open(str(video)):
        seconds = time.monotonic() - begun
        after = _status(os.getpid())
    return after["RssAnon"] - before["RssAnon"], after["VmHWM"] - before["VmRSS"], seconds


def _peak(words: list[str], folder: Path) -> Peak:
    with (folder / "said.json").open("w+") as output:
        process = subprocess.Popen([sys.executable, "-m", "lolhl", *words], stdout=output)
        own = child = 0.0
        while process.poll() is None:
            mine = _words(process.pid)
            # One that is just starting still has the memory of its parent, and its words.
            sizes = [_status(pid) for pid in [process.pid, *(p for p in _below(process.pid) if _words(p) != mine)]]
            own = max(own, sum(size.get("RssAnon", 0.0) for size in sizes))
            child = max(child, *(size.get("VmHWM", 0.0) for size in sizes[1:]), 0.0)
            time.sleep(_SAMPLE)
        if process.returncode:
            raise SystemExit(f"lolhl {' '.join(words)} failed")
        output.seek(0)
        answer = json.loads(output.readlines()[-1])
    return Peak(answer["peak_memory_mb"]["resident"], own, child)


def _below(pid: int) -> list[int]:
    """The processes that this one and its children started and that still run."""
    pids = []
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            pids += [int(child) for child in (task / "children").read_text().split()]
    return [*pids, *(below for child in pids for below in _below(child))]


def _words(pid: int) -> bytes:
    """The command line of a process; nothing of one that has ended."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _status(pid: int) -> dict[str, float]:
    """Sizes that the kernel tells of a process, in MB; none of one that has ended."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return {line.split(":")[0]: int(line.split()[1]) * 1024 / 1e6 for line in lines if line.endswith(" kB")}
    return {}


def _length(minutes: int) -> str:
    return f"{minutes / 60:g} h" if minutes >= 60 else f"{minutes} min"


if __name__ == "__main__":
    sys.exit(main())
