"""One pass from video to scores on a CPU: `lolhl infer` in all its modes beside the blog's recipe.

    python -m tests.benchmarks.infer      # some 15 minutes on 2 cores

The blog's recipe writes full-size pictures, loads them by PIL and passes them through ResNet-50. It
has the source as input, which is what the post takes from Twitch, and the smallest rendition too.
lolhl learns on bench-a and is judged on bench-b, whose maps the model never saw; its runs begin with
loading the model. Each way runs ROUNDS times, in turn with the others. What a closer look costs and
brings, by the share of instants that it is at, is measured on both streams, each with the model of the other.
"""

import io
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from lolhl import layout
from lolhl.evaluate.judge import ScoredVod, average_precision
from lolhl.labels.tables import read_table
from lolhl.models.bundle import Bundle, load_bundle
from lolhl.stages.dataset import dataset
from lolhl.stages.download import download
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.stages.infer import InferConfig, infer
from lolhl.stages.labels import labels
from lolhl.stages.train import TrainConfig, train
from lolhl.storage import Root, open_root
from lolhl.vod.decode import Mode
from tests.benchmarks import blog, inputs, result
from tests.benchmarks.looped import looped
from tests.benchmarks.result import Table, Timing, measured, shown

MODEL = "bench"
ROUNDS = 1
SCORED = 5 * blog.BATCH  # pictures that ResNet-50 is timed on; the time of all is scaled from it
LONG = 3600  # seconds of the long VOD
SIX_HOURS = 6 * 3600
MODES: tuple[Mode, ...] = ("grid", "scan", "refine")
RENDITIONS = (inputs.SMALLEST, "1080p60")
HELD_OUT = {"bench-b": "bench-a", "bench-a": "bench-b"}  # judged on → learnt from
SHARES = (0.05, 0.1, 0.25, InferConfig().closer, 0.5)  # of the instants that refining takes a closer look at

# Goals: times the blog's speed from its source, minutes for 6 h; for refine, times the grid's speed and
# how much average precision may be lost.
FASTER = {"grid": 15.0, "scan": 40.0}
MINUTES = {"grid": 10.0, "scan": 3.0}
REFINE_FASTER, REFINE_LOSES = 4.0, 0.01


@dataclass(frozen=True)
class Judged:
    """Average precision on the grid: of scores as they are, and averaged over the model's own short window."""

    raw: float | None
    smoothed: float | None


def learn(root: Root, video: Path, table: Path) -> None:
    """Makes the model `MODEL` from one stream, called as in its table."""
    name = next(iter(read_table(table.read_bytes(), str(table))))
    download(root, str(video), name=name)
    extract(root, name, ExtractConfig(mode="grid"))
    labels(root, table)
    dataset(root, MODEL, [name])
    train(root, MODEL, TrainConfig(dataset=MODEL))


def main() -> None:
    inputs.make()
    with tempfile.TemporaryDirectory(prefix="lolhl-") as scratch:
        folder = Path(scratch)
        roots = {learnt: open_root(str(folder / learnt)) for learnt in HELD_OUT.values()}
        for learnt, root in roots.items():
            learn(root, inputs.video(learnt, inputs.SMALLEST), inputs.labels(learnt))
        root = roots["bench-a"]
        judged: dict[str, Judged] = {}
        ways: dict[str, Callable[[], object]] = {}
        for rendition in RENDITIONS:
            video = inputs.video("bench-b", rendition)
            download(root, str(video), name=rendition)
            ways[f"blog {rendition}"] = partial(_blog, video, folder / "pictures")
            for mode in MODES:
                ways[f"{mode} {rendition}"] = partial(_infer, root, rendition, mode)
        timings = _timed(ways, root, "bench-b", judged)
        traded = [_traded(roots[learnt], stream) for stream, learnt in HELD_OUT.items()]
        download(root, str(looped("bench-b", "long", LONG, folder)[0]), name="long")
        long = result.side_by_side({mode: partial(_infer, root, "long", mode) for mode in MODES}, 1)
    result.write(
        "infer",
        [_speeds(timings, judged), *traded, _projected(long)],
        "python -m tests.benchmarks.infer",
        f"""
Runs of each way, in turn with the others: {ROUNDS}; of two the faster counts. The hour was passed once.
The blog's ResNet-50 was timed on {SCORED} pictures and scaled to all of them; its average precision
stands in the result of tests.benchmarks.train. Average precision of lolhl is on the 3 fps grid, of a
model that learnt on one stream alone. A scan is the start of all refining: its speed is the limit of what
refining can reach, and what it loses is what the closer look has to make up for.""",
    )


def _timed(
    ways: Mapping[str, Callable[[], object]], root: Root, stream: str, judged: dict[str, Judged]
) -> dict[str, Timing]:
    """As `side_by_side`; fills in how good the scores are, of the ways that return their key."""

    def timed(name: str) -> Timing:
        with measured() as timing:
            answer = ways[name]()
        if isinstance(answer, Timing):
            return answer
        judged[name] = _judged(load_bundle(root, MODEL), root.read(str(answer)), stream)
        return timing

    return result.side_by_side({name: partial(timed, name) for name in ways}, ROUNDS)


def _blog(video: Path, pictures: Path) -> Timing:
    """Extraction of all pictures and scores of some, with the time of the scores scaled to all."""
    with measured() as extraction:
        count = blog.extract(video, pictures)
    net = blog.network()
    with measured() as scoring:
        blog.score(net, blog.files(pictures)[:SCORED])
    shutil.rmtree(pictures)
    part = min(1.0, SCORED / count)
    return Timing(extraction.wall + scoring.wall / part, extraction.cpu + scoring.cpu / part)


def _infer(root: Root, vod: str, mode: Mode, closer: float = InferConfig().closer) -> str:
    """The key of the scores."""
    config = InferConfig(source="video", decoder="cpu", mode=mode, closer=closer)
    return infer(root, MODEL, vod, config, force=True).key_of(layout.scores(vod))


def _judged(used: Bundle, made: bytes, stream: str) -> Judged:
    scores = pl.read_parquet(io.BytesIO(made))["score"].to_numpy()
    table = inputs.labels(stream)
    spans = read_table(table.read_bytes(), str(table))[stream]
    vods = [ScoredVod(vod=stream, fps=used.view.fps, scores=scores, labels=spans)]
    return Judged(average_precision(vods), average_precision(vods, used.smooth_seconds))


def _speeds(timings: Mapping[str, Timing], judged: Mapping[str, Judged]) -> Table:
    rows = []
    for name, timing in timings.items():
        way, _, rendition = name.partition(" ")
        against = timings["blog 1080p60"].wall / timing.wall
        goal = FASTER.get(way) if rendition == inputs.SMALLEST else None
        same = timings[f"blog {rendition}"].wall / timing.wall
        figures = judged.get(name, Judged(None, None))
        rows.append(
            [
                *(way, rendition, timing.wall, timing.cpu, inputs.SECONDS / timing.wall, against, _goal(against, goal)),
                *(same, _three(figures.raw), _three(figures.smoothed)),
            ]
        )
    return Table(
        f"{inputs.SECONDS} s of bench-b, from video to scores",
        [
            *("way", "input", "wall s", "user CPU s", "x real time", "x blog on 1080p60", "goal"),
            *("x blog on same input", "AP", "AP smoothed"),
        ],
        rows,
    )


def _traded(root: Root, stream: str) -> Table:
    """A scan, closer looks at ever more, and the grid: how fast each is, and what each loses."""
    download(root, str(inputs.video(stream, inputs.SMALLEST)), name=stream)
    ways = {"grid": partial(_infer, root, stream, "grid"), "scan": partial(_infer, root, stream, "scan")}
    for share in SHARES:
        ways[f"refine, --closer {share:g}"] = partial(_infer, root, stream, "refine", share)
    judged: dict[str, Judged] = {}
    timings = _timed(ways, root, stream, judged)
    rows = []
    for name, timing in timings.items():
        faster = timings["grid"].wall / timing.wall
        goal = REFINE_FASTER if name.startswith("refine") else None
        lost = [
            f"{whole - part:+.3f}" + (f" ({_met(whole - part <= REFINE_LOSES)})" if goal else "")
            for figure in ("raw", "smoothed")
            for whole, part in [(getattr(judged["grid"], figure), getattr(judged[name], figure))]
        ]
        rows.append([name, timing.wall, timing.cpu, faster, _goal(faster, goal), *lost])
    return Table(
        f"Refining against the grid: {stream} in {inputs.SMALLEST}, learnt from {HELD_OUT[stream]}",
        [
            "way",
            "wall s",
            "user CPU s",
            "x grid's speed",
            "goal",
            f"AP lost (goal: {REFINE_LOSES})",
            "AP smoothed lost",
        ],
        rows,
    )


def _projected(long: Mapping[str, Timing]) -> Table:
    rows = []
    for mode, timing in long.items():
        minutes = timing.wall * SIX_HOURS / LONG / 60
        goal = MINUTES.get(mode)
        met = None if goal is None else f"{_met(minutes < goal)}: {goal:g}"
        rows.append([mode, timing.wall, LONG / timing.wall, minutes, met])
    return Table(
        f"{LONG} s of the {inputs.SMALLEST} rendition; 6 h is a projection from it",
        ["mode", "wall s", "x real time", "6 h, minutes (projected)", "goal, minutes"],
        rows,
    )


def _goal(ratio: float, goal: float | None) -> str | None:
    return None if goal is None else f"{_met(ratio >= goal)}: {goal:g}"


def _met(is_met: bool) -> str:
    return "met" if is_met else "missed"


def _three(figure: float | None) -> str:
    return shown(None) if figure is None else f"{figure:.3f}"


if __name__ == "__main__":
    main()
