"""What is saved, and what is lost, where infer passes over what lies outside of games: `--between-games`.

    make demo                                   # the model and the streams
    python -m tests.benchmarks.between_games    # some 10 minutes on 2 cores

The stream is demo-b with a game's clock drawn on it, between two breaks that are together as long as the game. The
model has learnt from demo-a. `lolhl clock` finds the game; then `infer` scores the stream on the CPU with `skip` and
with `look`, in turn.
"""

import argparse
import io
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import polars as pl

from lolhl import layout
from lolhl.evaluate.judge import ScoredVod, average_precision
from lolhl.highlights.outside_games import marked_down
from lolhl.labels.spans import Span
from lolhl.labels.tables import read_table
from lolhl.models.bundle import load_bundle
from lolhl.stages.clock import clock
from lolhl.stages.download import download
from lolhl.stages.infer import InferConfig, infer
from lolhl.stages.outside_games import mark_downs
from lolhl.storage import Root, open_root
from lolhl.vod import ffmpeg
from lolhl.vod.probe import probe
from tests.benchmarks import result
from tests.benchmarks.result import Table, Timing, measured
from tests.clocks import Look, Played, drawn

MODEL, GAME = "demo", "demo-b"
ROUNDS = 2
SHARES = (InferConfig().closer, 1.0)  # of the instants that refining takes a closer look at
_SIZE, _FPS = (640, 360), 30
_LOOK = Look(font="DejaVuSansMono-Bold.ttf", ground=(0, 0, 0, 255))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--demo", type=Path, default=Path("lolhl-data/demo"), help="the root that make demo leaves")
    parser.add_argument("--streams", type=Path, default=Path("lolhl-data/streams"), help="its streams")
    arguments = parser.parse_args()
    table = arguments.streams / f"{GAME}.tsv"
    with tempfile.TemporaryDirectory(prefix="lolhl-") as folder:
        root = open_root(f"{folder}/root")
        for name in ("models", "datasets"):
            shutil.copytree(arguments.demo / name, Path(folder) / "root" / name)
        video, rest = _stream(Path(folder), arguments.streams / f"{GAME}.mp4")
        whole = download(root, str(video), name="v").result.duration
        labels = [
            replace(span, start=span.start + rest, stop=span.stop + rest)
            for span in read_table(table.read_bytes(), str(table))[GAME]
        ]
        with measured() as reading:
            games = clock(root, "v").result.games
        ways: dict[str, Callable[[], object]] = {}
        precisions: dict[str, list[str]] = {}
        for share in SHARES:
            for kind in ("look", "skip"):
                name = f"--closer {share:g} --between-games {kind}"
                ways[name] = partial(_timed, root, share, kind, labels, precisions, name)
        timings = result.side_by_side(ways, ROUNDS)
    rows = []
    for name, timing in timings.items():
        look = timings[name.replace("skip", "look")]
        rows.append([name, timing.wall, timing.cpu, timing.wall / look.wall, timing.cpu / look.cpu, *precisions[name]])
    columns = ["infer --mode refine", "wall s", "user CPU s", "wall / look", "CPU / look", "AP", "smoothed", "as cut"]
    within = sum(game.stop - game.start for game in games)
    title = f"{whole:g} s at {_SIZE[0]} × {_SIZE[1]}, of which the clock says that {within:.0f} s are a game"
    reads = [[whole, len(games), reading.wall, reading.cpu]]
    result.write(
        "between-games",
        [
            Table(title, columns, rows),
            Table("`lolhl clock` before it", ["seconds", "games", "wall s", "user CPU s"], reads),
        ],
        "python -m tests.benchmarks.between_games",
        f"""
Runs of each: {ROUNDS}, in turn; the faster counts. Nothing of the stream is stored before a run, sound is measured in
each. A game is looked at from 30 s before it to 30 s after it. Average precision of all instants, breaks included: of
scores as they are, averaged over the model's window, and the same marked down outside of the game as highlights are cut
from them. One stream of one kind tells what is saved, and little of how good a model is.""",
    )


def _stream(folder: Path, game: Path) -> tuple[Path, float]:
    """The stream, and the seconds of its first break, in which slow colours and a moving test picture take turns."""
    length = probe(game).duration
    rest = round(length / 2)
    played = Played(float(rest), length)
    width, height = (round(part * size) for part, size in zip((_LOOK.box.width, _LOOK.box.height), _SIZE, strict=True))
    place = f"{round(_LOOK.box.left * _SIZE[0])}:{round(_LOOK.box.top * _SIZE[1])}"
    seconds = length + 2 * rest
    size = "x".join(map(str, _SIZE))
    graph = (
        f"[1][2]overlay=enable='gt(mod(t,20),10)',trim=duration={rest},split[before][after];"
        f"[0:v]scale={_SIZE[0]}:{_SIZE[1]},fps={_FPS},setsar=1[game];"
        f"[before]setsar=1[calm];[after]setsar=1[calmer];[calm][game][calmer]concat=n=3[all];[all][3]overlay={place}[v];"
        f"[4]atrim=duration={rest},asplit[quiet][quieter];[0:a]aresample=48000[loud];[quiet][loud][quieter]concat=n=3:v=0:a=1[a]"
    )
    path = folder / "stream.mp4"
    command = [
        *(ffmpeg.path(), *ffmpeg.QUIET, "-y", "-i", str(game)),
        *("-f", "lavfi", "-i", f"gradients=s={size}:r={_FPS}:seed=1:speed=0.02"),
        *("-f", "lavfi", "-i", f"testsrc2=s={size}:r={_FPS}"),
        *("-f", "rawvideo", "-pix_fmt", "rgba", "-s", f"{width}x{height}", "-r", "1", "-i", "pipe:0"),
        *("-f", "lavfi", "-i", "anoisesrc=r=48000:a=0.02"),
        *("-filter_complex", graph, "-map", "[v]", "-map", "[a]", "-t", str(seconds)),
        *("-c:v", "libx264", "-preset", "veryfast", "-b:v", "630k", "-maxrate", "630k", "-bufsize", "630k"),
        *("-g", str(2 * _FPS), "-keyint_min", str(2 * _FPS), "-sc_threshold", "0", "-pix_fmt", "yuv420p"),
        *("-c:a", "aac", "-f", "mp4", str(path)),
    ]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for second in range(round(seconds)):
            process.stdin.write(drawn(played.shows(second), width, height, _LOOK))
        process.stdin.close()
        if process.wait() != 0:
            raise SystemExit(1)
    return path, float(rest)


def _timed(
    root: Root, closer: float, kind: str, labels: list[Span], precisions: dict[str, list[str]], name: str
) -> Timing:
    """Scores the stream, of which nothing is stored, and judges the scores."""
    for stat in list(root.list("tracks/v/")):
        if "/clock" not in stat.key:
            root.delete(stat.key)
    config = InferConfig(mode="refine", source="video", decoder="cpu", closer=closer, between_games=kind)  # type: ignore[arg-type]
    with measured() as timing:
        made = infer(root, MODEL, "v", config, force=True)
    used = load_bundle(root, MODEL)
    scores = pl.read_parquet(io.BytesIO(root.read(made.key_of(layout.scores("v")))))["score"].to_numpy()
    lower = marked_down(scores, used.view.fps, mark_downs(root, ["v"], MODEL)["v"])
    as_they_are, marked = (
        [ScoredVod(vod="v", fps=used.view.fps, scores=part, labels=labels)] for part in (scores, lower)
    )
    figures = [
        average_precision(as_they_are),
        average_precision(as_they_are, used.smooth_seconds),
        average_precision(marked, used.smooth_seconds),
    ]
    precisions[name] = ["–" if figure is None else f"{figure:.3f}" for figure in figures]
    return timing


if __name__ == "__main__":
    main()
