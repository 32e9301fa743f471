"""A bucket a round trip of 40 ms away against a local folder, side by side; requests and what R2 asks for them.

    python -m tests.benchmarks.storage      # some 20 minutes on 2 cores

One VOD, the 360p30 rendition of bench-a said over and over until it is an hour long, goes through all
stages. Each timed run is a process of its own with an empty cache. Server, distance and stage share
the machine's cores, so the column "no distance" tells what the server's own work costs here.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from lolhl.storage import Root, each, open_root
from tests.benchmarks import result
from tests.benchmarks.looped import looped
from tests.servers import S3Server
from tests.servers.distance import distant
from tests.servers.proxy import Proxy, proxy
from tests.servers.seaweedfs import seaweedfs

ROUND_TRIP = 0.040  # seconds
LONG = 6  # hours of the VOD that shares are projected to
TIMES = 3  # runs of each way; the median counts

# Dollars, from Cloudflare's price list for R2, as of 2026: a million requests that write or list, a million
# that read, a GB (10⁹ bytes) kept for a month. Deleting is free, and so is what leaves the bucket.
CLASS_A, CLASS_B, GB_MONTH = 4.50, 0.36, 0.015
HOURS = 1000  # that the costs are told for

WHOLE_WAY = ("download", "extract", "labels", "dataset", "train", "infer", "report")

# What is timed, and what lies in the root before.
TIMED = {
    "extract": "extract, all of the grid",
    "scan": "extract, key frames alone",
    "pictures": "all frames read and decoded once",
    "train": "train on stored tracks",
    "infer": "infer from stored tracks",
}
NEEDS = {
    "extract": ("vods/",),
    "scan": ("vods/",),
    "pictures": ("vods/", "frames/"),
    "train": ("vods/", "frames/", "tracks/", "labels/", "datasets/"),
    "infer": ("vods/", "frames/", "tracks/", "labels/", "datasets/", "models/"),
}
GROWS = ("extract", "scan", "pictures")  # what a VOD twice as long has twice as much of


@dataclass(frozen=True)
class Place:
    """A kind of root: a folder, or a bucket as seen through some endpoint."""

    name: str
    base: str
    endpoint: str = ""

    def environ(self, scratch: Path) -> dict[str, str]:
        """With a cache and a working folder in which nothing lies yet."""
        set_ = {"LOLHL_S3_ENDPOINT_URL": self.endpoint} if self.endpoint else {}
        tracking = f"sqlite:///{scratch / 'mlflow.db'}"
        return os.environ | set_ | {"LOLHL_CACHE": str(scratch / "cache"), "MLFLOW_TRACKING_URI": tracking}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=int, default=60, help="length of the VOD (default: 60)")
    minutes = parser.parse_args().minutes
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lolhl-bench-")))
        server = stack.enter_context(seaweedfs(scratch / "server"))
        video, table = looped("bench-a", "long", minutes * 60, scratch)
        os.environ.update(server.environ | {"BENCH_VIDEO": str(video), "BENCH_LABELS": str(table)})
        counting = stack.enter_context(proxy(server.endpoint))
        counts, stored = _count(server, counting, scratch)
        far = stack.enter_context(distant(server.endpoint, ROUND_TRIP))
        places = [
            Place("folder", str(scratch / "roots")),
            Place("bucket, no distance", f"s3://{server.bucket}", server.endpoint),
            Place("bucket, 40 ms", f"s3://{server.bucket}", far),
        ]
        speeds = _speeds(places, open_root(f"s3://{server.bucket}/counted"), scratch, minutes / 60)
    result.write(
        "storage",
        [*speeds, _requests(counts, minutes / 60), *_costs(counts, stored, minutes / 60)],
        "python -m tests.benchmarks.storage" + (f" --minutes {minutes}" if minutes != 60 else ""),
        f"One VOD of {minutes} minutes. Times are medians of {TIMES} runs that took turns, each a process of its own "
        "with an empty cache: the video, the shards and the tracks come from the bucket. The share is the folder's "
        "time by the bucket's at 40 ms (goal: 0.9 or more). The proxy that makes the distance limits no bandwidth, and "
        "with the server it takes its part of the same cores, which no bucket elsewhere does. What stands in the way: "
        "boto3's import and client, before the first request; waiting for answers (the clock's seconds with a request "
        "under way, less the process's own work meanwhile; as round trips: so many one after another); the rest is the "
        f"work of moving bytes, in the stage and beside it. The share at {LONG} h is a projection: the first two stay, "
        "all else grows with the VOD; not for training and inference from tracks, which hardly grow. "
        "All frames are read and decoded once before the first epoch of --tune all; after that the bucket gets "
        "checkpoints only, beside the epochs. "
        f"Costs are the counted requests and the stored bytes of this VOD, times {HOURS} hours by its length; "
        "a longer VOD needs fewer requests an hour.",
    )
    return 0


def _count(server: S3Server, counting: Proxy, scratch: Path) -> tuple[dict[str, "Counter[str]"], dict[str, int]]:
    """The whole way in a bucket once, its requests counted: stage → class → number; and kind of object → bytes."""
    place, url = Place("counted", "", counting.endpoint), f"s3://{server.bucket}/counted"
    counts = {}
    for stage in WHOLE_WAY:
        counting.requests.clear()
        _run(stage, url, place.environ(scratch))
        counts[stage] = Counter(request_class(method, path) for method, path, _ in counting.requests)
    stored: Counter[str] = Counter()
    for stat in open_root(url).list():
        stored[_kind(stat.key)] += stat.size
    return counts, stored


def request_class(method: str, path: str) -> str:
    """R2's price class of a request: A (writes and lists), B (reads), or free."""
    if method == "DELETE":
        return "free"
    if method in ("PUT", "POST") or "list-type" in parse_qs(urlsplit(path).query):
        return "A"
    return "B"


def _kind(key: str) -> str:
    folder = key.split("/")[0]
    if folder in ("frames", "tracks"):
        return folder
    return "rendition" if folder == "vods" else "models, reports, clips"


def _speeds(places: Sequence[Place], made: Root, scratch: Path, hours: float) -> list[result.Table]:
    rows, ways = [], []
    for stage, shown in TIMED.items():
        runs: dict[str, list[_Run]] = {place.name: [] for place in places}
        for _ in range(TIMES):
            for place in places:
                url = f"{place.base}/{uuid.uuid4().hex}"
                _copy(made, open_root(url), NEEDS[stage])
                own = scratch / "run"
                own.mkdir()
                runs[place.name].append(_run(stage, url, place.environ(own)))
                _remove(open_root(url))
                shutil.rmtree(own)
        medians = [statistics.median(run.seconds for run in runs[place.name]) for place in places]
        near, far = medians[0], medians[-1]
        rows.append([shown, runs[places[0].name][0].amount, *medians, near / far])
        print(
            ", ".join(f"{name} {result.shown(value)}" for name, value in zip(_columns(places), rows[-1], strict=True))
        )
        first = statistics.median(run.first for run in runs[places[-1].name])
        waited = statistics.median(run.waited for run in runs[places[-1].name])
        fixed, more = first + waited, LONG / hours
        long = near * more / ((far - fixed) * more + fixed) if stage in GROWS else None
        ways.append([shown, far - near, first, waited, waited / ROUND_TRIP, far - near - fixed, near / far, long])
    columns = ["stage", "seconds more than a folder", "before the first request", "waiting for answers", "round trips"]
    columns += ["moving bytes, and the rest", "share of the folder's speed", f"projected to {LONG} h"]
    return [
        result.Table("Seconds on a folder and on a bucket", _columns(places), rows),
        result.Table("What stands in the way at 40 ms", columns, ways),
    ]


def _columns(places: Sequence[Place]) -> list[str]:
    return ["stage", "work", *(place.name for place in places), "share of the folder's speed"]


def _copy(source: Root, target: Root, prefixes: Sequence[str]) -> None:
    keys = [stat.key for prefix in prefixes for stat in source.list(prefix)]

    def copy(key: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            target.upload(Path(shutil.copy(str(source.local(key)), folder)), key)

    for _ in each(copy, keys):
        pass


def _remove(root: Root) -> None:
    for _ in each(root.delete, [stat.key for stat in root.list()]):
        pass


@dataclass(frozen=True)
class _Run:
    """A stage's run, as `tests.benchmarks.stages` tells it."""

    seconds: float
    amount: str
    first: float
    waited: float


def _run(stage: str, url: str, environ: Mapping[str, str]) -> _Run:
    """Does the stage in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.stages", stage, url]
    done = subprocess.run(command, env=dict(environ), stdout=subprocess.PIPE, text=True, check=True)
    return _Run(*json.loads(done.stdout.splitlines()[-1]))


def _requests(counts: Mapping[str, "Counter[str]"], hours: float) -> result.Table:
    rows = [[stage, count["A"], count["B"], count["free"]] for stage, count in counts.items()]
    return result.Table(
        f"Requests of each stage for a VOD of {hours:g} h",
        ["stage", "class A (write, list)", "class B (read)", "free (delete)"],
        rows,
    )


def _costs(counts: Mapping[str, "Counter[str]"], stored: Mapping[str, int], hours: float) -> list[result.Table]:
    scale = HOURS / hours
    rows: list[list[object]] = []
    for stage, count in counts.items():
        a, b = count["A"] * scale, count["B"] * scale
        rows.append([stage, a, b, (a * CLASS_A + b * CLASS_B) / 1e6])
    rows.append(["in sum", *(sum(float(str(row[column])) for row in rows) for column in (1, 2, 3))])
    kept = [[kind, size * scale / 1e9, size * scale / 1e9 * GB_MONTH] for kind, size in sorted(stored.items())]
    kept.append(["in sum", *(sum(float(str(row[column])) for row in kept) for column in (1, 2))])
    return [
        result.Table(f"R2 operations for {HOURS} VOD hours", ["stage", "class A", "class B", "dollars"], rows),
        result.Table(f"R2 storage for {HOURS} VOD hours", ["what", "GB", "dollars a month"], kept),
    ]


if __name__ == "__main__":
    sys.exit(main())
