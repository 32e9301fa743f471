"""Extraction on a CPU: frames in shards, beside the blog's command; and what is lost by looking at less.

    python -m tests.benchmarks.decode      # some 12 minutes on 2 cores

The blog's command decodes the source (1080p60) whole and writes full-size JPEGs. lolhl's `extract`
stage runs in this process, on the same file and on Twitch's renditions of it, on the whole 3 fps grid
and in scan mode. What that does to average precision is measured with a model that learnt on bench-a.
"""

import io
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import av
import polars as pl

from lolhl import layout
from lolhl.evaluate.judge import ScoredVod, average_precision
from lolhl.labels.tables import read_table
from lolhl.models.bundle import load_bundle
from lolhl.stages.download import download
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.stages.infer import InferConfig, infer
from lolhl.storage import Root, open_root
from lolhl.vod.decode import decode, scan
from tests.benchmarks import blog, inputs, result
from tests.benchmarks.infer import MODEL, learn
from tests.benchmarks.result import Table, Timing

ROUNDS = 1
GOALS = {("grid", "1080p60"): 2.0, ("grid", "360p30"): 16.0, ("scan", "1080p60"): 12.0, ("scan", "360p30"): 50.0}
EXACT = 1.2  # the exact grid may cost this much of decoding reference pictures alone


def main() -> None:
    inputs.make()
    with tempfile.TemporaryDirectory(prefix="lolhl-") as scratch:
        folder = Path(scratch)
        root = open_root(str(folder / "root"))
        for rendition in inputs.RENDITIONS:
            download(root, str(inputs.video("bench-b", rendition.name)), name=rendition.name)
        speeds = _speeds(root, folder)
        exact = _exact()
        lost = _lost(root)
    result.write(
        "decode",
        [speeds, exact, lost],
        "python -m tests.benchmarks.decode",
        f"Each way ran once, one after the other. Average precision is of one stream of {inputs.SECONDS} s: "
        "differences of some hundredths are within what another stream would change.",
    )


def _speeds(root: Root, folder: Path) -> Table:
    pictures = folder / "pictures"

    def by_blog() -> None:
        blog.extract(inputs.video("bench-b", "1080p60"), pictures)
        shutil.rmtree(pictures)

    ways = {("blog", "1080p60"): by_blog} | {
        (mode, rendition.name): partial(_extract, root, rendition.name, mode)
        for rendition in inputs.RENDITIONS
        for mode in ("grid", "scan")
    }
    named = {" ".join(way): run for way, run in ways.items()}
    timings = result.side_by_side(named, ROUNDS)
    baseline = timings["blog 1080p60"].wall
    rows = []
    for way in ways:
        timing = timings[" ".join(way)]
        ratio, goal = baseline / timing.wall, GOALS.get(way)
        met = None if goal is None else f"{'met' if ratio >= goal else 'missed'}: {goal:g}"
        rows.append([*way, timing.wall, timing.cpu, inputs.SECONDS / timing.wall, ratio, met])
    return Table(
        f"extract: {inputs.SECONDS} s of bench-b to frames in shards",
        ["way", "input", "wall s", "user CPU s", "x real time", "x blog", "goal"],
        rows,
    )


def _extract(root: Root, vod: str, mode: Literal["grid", "scan"]) -> None:
    extract(root, vod, ExtractConfig(mode=mode, decoder="cpu"), force=True)


def _exact() -> Table:
    """What exact times cost, beside the reference pictures alone, and the packets alone."""
    rows = []
    for rendition in ("1080p60", "360p30"):
        video = inputs.video("bench-b", rendition)
        view = ExtractConfig().view
        timings = result.side_by_side(
            {
                "reference pictures, not scaled": partial(_references, video),
                "exact grid": partial(_taken, partial(decode, video, view)),
                "key frames": partial(_taken, partial(scan, video, view)),
            },
            ROUNDS,
        )
        base = timings["reference pictures, not scaled"].wall
        for name, timing in timings.items():
            met = None if name != "exact grid" else "met: 1.2" if timing.wall <= EXACT * base else "missed: 1.2"
            rows.append([rendition, name, timing.wall, timing.cpu, timing.wall / base, met])
    return Table(
        "decoding alone, on all cores",
        ["input", "what is decoded", "wall s", "user CPU s", "x references", "goal at most"],
        rows,
    )


def _taken(pictures: Callable[[], Iterator[object]]) -> None:
    for _ in pictures():
        pass


def _references(video: Path) -> None:
    """All pictures that others refer to, in two halves side by side: the least that times within 50 ms need."""

    def half(number: int) -> None:
        with av.open(str(video)) as container:
            stream = container.streams.video[0]
            stream.codec_context.thread_count = 1
            stream.codec_context.skip_frame = "NONREF"
            middle = inputs.SECONDS // 2
            container.seek(number * middle * av.time_base)
            for frame in container.decode(stream):
                if frame.time is not None and number == 0 and frame.time >= middle:
                    break

    threads = [threading.Thread(target=half, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _lost(root: Root) -> Table:
    """Average precision on bench-b by rendition and mode; learnt on bench-a's smallest rendition, whole grid."""
    learn(root, inputs.video("bench-a", inputs.SMALLEST), inputs.labels("bench-a"))
    used = load_bundle(root, MODEL)
    table = inputs.labels("bench-b")
    spans = read_table(table.read_bytes(), str(table))["bench-b"]
    results: dict[tuple[str, str], tuple[float | None, float | None, Timing]] = {}
    for rendition in inputs.RENDITIONS:
        for mode in ("grid", "scan", "refine"):
            config = InferConfig(source="video", decoder="cpu", mode=mode)
            with result.measured() as timing:
                scored = infer(root, MODEL, rendition.name, config, force=True)
            stored = root.read(scored.key_of(layout.scores(rendition.name)))
            scores = pl.read_parquet(io.BytesIO(stored))["score"].to_numpy()
            vods = [ScoredVod(vod="bench-b", fps=used.view.fps, scores=scores, labels=spans)]
            figures = (average_precision(vods), average_precision(vods, used.smooth_seconds))
            results[rendition.name, mode] = (*figures, timing)
    rows = [
        [*way, f"{raw or 0:.3f}", f"{smoothed or 0:.3f}", timing.wall]
        for way, (raw, smoothed, timing) in results.items()
    ]
    return Table(
        "video to scores (one run each): what renditions and modes do to average precision",
        ["input", "mode", "AP", "AP smoothed", "wall s"],
        rows,
    )


if __name__ == "__main__":
    main()
