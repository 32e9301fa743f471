"""Time and peak memory of what looks at many VODs: 100, 1,000 and 10,000 of 6 h, on a folder and at 40 ms.

    python -m tests.benchmarks.scale      # half an hour on 2 cores

The roots hold what `download`, `extract` and `labels` write of a VOD, less its video and its frames, which nothing
here looks at, and the manifest of a retraining. Each call is a process of its own.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from lolhl import layout, manifest, memory
from lolhl.evaluate.figures import EventFigures, VodFigures
from lolhl.frames.spec import FrameSpec
from lolhl.labels.spans import Span
from lolhl.labels.tables import write_table
from lolhl.manifest import Manifest, Output, R
from lolhl.results import LabelChange, Retraining, Verdict
from lolhl.storage import MANY, Root, each, open_root
from lolhl.vod.view import View
from tests.benchmarks import result
from tests.benchmarks.storage import CLASS_A, CLASS_B, request_class
from tests.results import FRAMES, MODEL_FIGURES, VOD
from tests.servers.distance import distant
from tests.servers.proxy import proxy
from tests.servers.seaweedfs import seaweedfs

SIZES = (100, 1_000, 10_000)
COMPARED = (10, 30, 100)  # VODs that methods are compared on: their scores are held, 65,000 a VOD
CHUNKED = 1_000  # VODs of which chunks are held out, at most: whole VODs are the rule from five on
ROUND_TRIP = 0.040  # seconds
HOURS = 6
EVENTS = 20  # labelled highlights in an hour
SHARDS = 14  # of a frame set: 0.6 GB in files of 44 MB
SPEC = FrameSpec(View(Fraction(3), 224, "squeeze"), 90, "grid")

STAGES = {
    "dataset": "dataset, made anew",
    "chunks": "dataset --holdout chunks, made anew",
    "retrain": "retrain, nothing new",
    "share": "one replica's share of 8",
    "lists": "report.md of a retraining, from its manifest",
    "compare": "compare two methods",
}
FAR = ("dataset", "retrain", "share", "lists")


@dataclass(frozen=True)
class Run:
    """What a call took: seconds on the clock, seconds of its processor, and MB of memory at most."""

    seconds: float
    busy: float
    memory: float


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--sizes", default=SIZES, type=_numbers, help="numbers of VODs on a folder, with commas between"
    )
    parser.add_argument("--far", default=SIZES, type=_numbers, help="the same at 40 ms")
    parser.add_argument("--compared", default=COMPARED, type=_numbers, help="the same that methods are compared on")
    parser.add_argument(
        "--stages", default=[*STAGES], type=_stages, help=f"what is called, with commas between: {', '.join(STAGES)}"
    )
    parser.add_argument("--call", nargs=3, metavar=("STAGE", "ROOT", "VODS"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.call:
        stage, url, count = arguments.call
        print(json.dumps(vars(_measured(stage, open_root(url), int(count)))))
        return 0
    near: dict[tuple[str, int], Run] = {}
    far: dict[tuple[str, int], Run] = {}
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="lolhl-bench-")))
        for size in sorted({*arguments.sizes, *arguments.compared}):
            url = str(scratch / str(size))
            make(open_root(url), names(size))
            fit = {"compare": arguments.compared, "chunks": [size for size in arguments.sizes if size <= CHUNKED]}
            stages = [stage for stage in arguments.stages if size in fit.get(stage, arguments.sizes)]
            near |= {(stage, size): _call(stage, url, size, {}) for stage in stages}
        server = stack.enter_context(seaweedfs(scratch / "server"))
        distance = stack.enter_context(distant(server.endpoint, ROUND_TRIP))
        os.environ.update(server.environ)
        requests = {}
        far_stages = [stage for stage in arguments.stages if stage in FAR]
        for size in arguments.far:
            url = f"s3://{server.bucket}/{size}"
            make(open_root(url), names(size))
            if size == min(arguments.far):
                with proxy(server.endpoint) as counting:
                    for stage in far_stages:
                        counting.requests.clear()
                        _call(stage, url, size, {"LOLHL_S3_ENDPOINT_URL": counting.endpoint})
                        requests[stage] = Counter(request_class(method, path) for method, path, _ in counting.requests)
            for stage in far_stages:
                far[stage, size] = _call(stage, url, size, {"LOLHL_S3_ENDPOINT_URL": distance})
    result.write(
        "scale",
        [
            *[_table(title, runs) for title, runs in (("On a folder", near), ("In a bucket 40 ms away", far)) if runs],
            *([_requests(requests, min(arguments.far))] if requests else []),
        ],
        " ".join(["python -m tests.benchmarks.scale", *sys.argv[1:]]),
        f"VODs of {HOURS} h with {HOURS * EVENTS} labelled highlights; each call once, in a process of its own, "
        "without its imports. Memory is the largest resident size of the process. The bucket is SeaweedFS behind a "
        "proxy; both take their part of the same cores, which no bucket elsewhere does. Other work ran on this "
        "machine at the same time (see above), so seconds on the clock are upper bounds; seconds of the processor "
        "are the call's own. Methods are compared on their scores of every frame, which are held in memory. Requests "
        "were counted by another proxy in the smallest bucket; their number grows with the VODs, that of lists with "
        "the thousands of keys, of which there are fewer here than where frames lie.",
    )
    return 0


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(",") if part)


def _stages(text: str) -> list[str]:
    stages = text.split(",")
    if unknown := [stage for stage in stages if stage not in STAGES]:
        raise argparse.ArgumentTypeError(f"no stage {unknown[0]!r}")
    return stages


def _call(stage: str, url: str, size: int, environ: Mapping[str, str]) -> Run:
    command = [sys.executable, "-m", "tests.benchmarks.scale", "--call", stage, url, str(size)]
    done = subprocess.run(command, env=os.environ | environ, stdout=subprocess.PIPE, text=True, check=True)
    run = Run(**json.loads(done.stdout.splitlines()[-1]))
    print(f"{STAGES[stage]}, {size} VODs in {url}: {run}", flush=True)
    return run


def _measured(stage: str, root: Root, count: int) -> Run:
    call = _prepared(stage, root, count)
    begun, busy = time.perf_counter(), time.process_time()
    call()
    taken = time.perf_counter() - begun, time.process_time() - busy
    return Run(*taken, memory.peaks()["resident"] or 0.0)


def _prepared(stage: str, root: Root, count: int) -> Callable[[], object]:
    """The call to measure, after its imports."""
    if stage in ("dataset", "chunks"):
        from lolhl.stages.dataset import DatasetConfig, dataset

        config = DatasetConfig(holdout="chunks") if stage == "chunks" else DatasetConfig()
        return lambda: dataset(root, stage, names(count), config, force=True)
    if stage == "compare":
        from lolhl.stages.compare import CompareConfig, compare

        return lambda: compare(root, ["random"], CompareConfig(vods=",".join(names(count))), force=True)
    if stage == "share":
        from lolhl.stages.share import Share, shared

        return lambda: shared(root, names(count), Share(0, 8))
    from lolhl.report.retraining import describe
    from lolhl.stages import retrain as retraining

    if stage == "lists":
        return lambda: describe(manifest.load(root, layout.RETRAINING, Retraining, "lolhl retrain").result)

    def nothing_new() -> None:
        assert retraining.retrain(root).result.nothing_new

    return nothing_new


def names(count: int) -> list[str]:
    """VODs as Twitch names them."""
    return [str(1_863_000_000 + 977 * number) for number in range(count)]


def make(root: Root, vods: Sequence[str]) -> None:
    """What download, extract and labels leave of each VOD, less the videos and frames; and the last retraining."""

    def write(vod: str) -> dict[str, str]:
        stored, digests = _files(vod)
        for key, data in stored.items():
            root.write(key, data)
        return digests

    inputs: dict[str, str] = {}
    for digests in each(write, vods, ahead=MANY):
        inputs |= digests
    _retrained(root, vods, inputs)


def _files(vod: str) -> tuple[dict[str, bytes], dict[str, str]]:
    """The files of a VOD, and the digests that a retraining records."""
    seconds, video = HOURS * 3600, f"vods/{vod}/video.mp4"
    source = _manifest(replace(VOD, vod=vod, video=video, duration=seconds), {}, [Output(video, 10**9, "0" * 64)])
    framed = replace(FRAMES, vod=vod, frames=3 * seconds, pictures=3 * seconds, ended_at=seconds)
    parts = ["index-0000000000000000.parquet", *(f"shard-{number:06}-0000000000000000.tar" for number in range(SHARDS))]
    outputs = [Output(layout.frame_set_folder(vod, SPEC.name) + part, 44_000_000, "0" * 64) for part in parts]
    frames = _manifest(framed, {f"vods/{vod}/vod.json": source.content_digest()}, outputs)
    table = write_table(vod, _spans(vod))
    frames_key = SPEC.manifest_key(vod)
    stored = {f"vods/{vod}/vod.json": source.to_bytes(), frames_key: frames.to_bytes(), layout.labels(vod): table}
    return stored, {frames_key: frames.content_digest(), layout.labels(vod): hashlib.sha256(table).hexdigest()}


def _manifest(made: R, inputs: dict[str, str], outputs: list[Output]) -> Manifest[R]:
    return Manifest(made.stage, "0" * 64, {}, inputs, made, outputs)


def _spans(vod: str) -> list[Span]:
    rng = np.random.default_rng(int(vod))
    starts = np.sort(rng.choice(HOURS * 360, size=HOURS * EVENTS, replace=False)) * 10.0 + 1
    return [Span(start, start + int(rng.integers(4, 9))) for start in starts.tolist()]


def _retrained(root: Root, vods: Sequence[str], inputs: Mapping[str, str]) -> None:
    """The manifest of a retraining from all these, as `retrain` would write it, which finds it done."""
    from lolhl.stages import retrain as retraining
    from lolhl.stages.held_out import held_out

    labels = {vod: _spans(vod) for vod in vods}
    held = held_out(labels, None)
    settings = json.dumps({"dataset": {}, "train": {}}, sort_keys=True)
    read = {**inputs, "settings": hashlib.sha256(settings.encode()).hexdigest(), "held out": ",".join(held)}
    events = [EventFigures(tiou, HOURS * EVENTS, HOURS * EVENTS, HOURS * EVENTS // 2) for tiou in (0.3, 0.5)]
    verdict = Verdict(
        model="retrain-00000000",
        frames=MODEL_FIGURES.smoothed,
        events=events,
        per_vod={vod: VodFigures(average_precision=0.5, events=events) for vod in held},
    )
    made = Retraining(
        model=verdict.model, champion=None, before=None, promoted=False, reason="it is not surely better", gain=None,
        tolerance=0.05, judge=held, learn=sorted(labels.keys() - {*held}), flattered=[], challenger=verdict, rival=None,
        labels={vod: [f"{span.start:g}-{span.stop:g}" for span in spans] for vod, spans in labels.items()},
        changes={vod: LabelChange(labels=len(labels[vod]), added=0, removed=0, moved=0) for vod in vods},
        report="retrain/0/report.md", nothing_new=False,
    )  # fmt: skip
    todo, _ = manifest.plan(root, layout.RETRAINING, Retraining, retraining.RetrainConfig(), read, force=True)
    todo.finish(made, [])


def _table(title: str, runs: Mapping[tuple[str, int], Run]) -> result.Table:
    rows: list[list[object]] = []
    for stage, shown in STAGES.items():
        own = {size: run for (name, size), run in runs.items() if name == stage}
        before: Run | None = None
        for size, run in own.items():
            times = [run.busy / before.busy, run.memory / before.memory] if before else [None, None]
            rows.append([shown, f"{size:,}", run.seconds, run.busy, times[0], run.memory, times[1]])
            before = run
    columns = ["what", "VODs", "seconds", "of the processor", "times those before", "MB", "times those before"]
    return result.Table(title, columns, rows)


def _requests(counts: Mapping[str, "Counter[str]"], size: int) -> result.Table:
    rows = [
        [STAGES[stage], count["A"], count["B"], (count["A"] * CLASS_A + count["B"] * CLASS_B) / 1e6]
        for stage, count in counts.items()
    ]
    return result.Table(
        f"Requests for {size:,} VODs", ["what", "class A (write, list)", "class B (read)", "dollars"], rows
    )


if __name__ == "__main__":
    sys.exit(main())
