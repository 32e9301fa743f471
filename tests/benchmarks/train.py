"""Training on a CPU: what the loader costs, 12 h of frames in a minute, and time to the blog recipe's figure.

    python -m tests.benchmarks.train [loader|long|blog …]      # all three unless some are named; 15 to 20 minutes

loader: one step, and the part of it that finds and gathers the batch.
long: a head learnt from 12 h of frames, then labels change: dataset, train and infer as a user calls
them, each in a process of its own. The 12 h are the features of two streams tiled to VODs of 2 h, and
their labels alike, so that the times are right and the figures of the model mean nothing.
blog: seconds of learning from one stream until average precision on the other is what the blog's
recipe (see `tests.benchmarks.blog`) reaches; both begin with frames on the disk.
"""

import logging
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import torch

from lolhl import layout, manifest
from lolhl.backbones.encoder import Encoder
from lolhl.backbones.feature_runtime import open_runtime
from lolhl.data import cache
from lolhl.data.augment import augmented
from lolhl.data.samples import BatchOrder, ClipDataset, Contents
from lolhl.frames.frameset import FrameSet, index_bytes
from lolhl.frames.shards import Entry
from lolhl.labels.rows import ANY
from lolhl.labels.spans import Span, on_grid
from lolhl.labels.store import load_labels, save_labels
from lolhl.labels.tables import read_table
from lolhl.models.image import ImageModel, ImageSettings
from lolhl.models.learning import CheckpointPlace, FitSettings
from lolhl.models.model import Classifier
from lolhl.models.network import Network
from lolhl.models.process_group import ProcessGroup
from lolhl.models.training import fit
from lolhl.models.video import VideoModel, VideoSettings
from lolhl.results import Dataset, Frames, Model
from lolhl.signals import fill_track, make_track
from lolhl.signals.pictures import PictureSignal
from lolhl.signals.source import FrameSource
from lolhl.stages.dataset import DatasetConfig, dataset
from lolhl.stages.download import download
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.stages.train import TrainConfig, train
from lolhl.storage import Root, open_root
from lolhl.tracks.filling import End, Gap, Measured
from lolhl.tracks.rows import BATCH, Rows
from tests.benchmarks import blog, inputs
from tests.benchmarks.result import Table, measured, write

LEARNT, OTHER = "bench-a", "bench-b"
VODS, HOURS = 6, 2
PICTURES = 512  # that a whole network learns from, to see what a step takes
BLOG_EPOCHS = 2  # of 5: some 5 minutes each on two cores
BLOG_JUDGED = 6  # every so many of the other stream's frames is scored by the recipe
FPS = Fraction(3)
NOTES = {
    "loader": "",
    "long": "The 12 h are tiles of their features, so times are right and the model's figures mean nothing.",
    "blog": f"The recipe was stopped after {BLOG_EPOCHS} of its {blog.EPOCHS} epochs, and its best figure so far is "
    "the one to reach; its seconds leave judging out, lolhl's hold all from the call on, features and judging too.",
}
CPU = torch.device("cpu")
CLIP = VideoSettings()
GRID = ExtractConfig(mode="grid")


def main() -> int:
    parts: Mapping[str, Callable[[Root, Path], Table]] = {"loader": _loader, "long": _long, "blog": _blog}
    names = sys.argv[1:] or list(parts)
    if unknown := [name for name in names if name not in parts]:
        print(f"error: no part {unknown[0]!r}: there are {', '.join(parts)}", file=sys.stderr)
        return 2
    missing = [path for stream in (LEARNT, OTHER) for path in _files(stream) if not path.exists()]
    if missing:
        print(f"error: {missing[0]} does not exist: run `python -m tests.benchmarks.inputs` first", file=sys.stderr)
        return 1
    logging.getLogger("lolhl").setLevel(logging.INFO)
    with tempfile.TemporaryDirectory(prefix="lolhl-bench-") as folder:
        root = open_root(f"{folder}/root")
        for stream in (LEARNT, OTHER):
            _add(root, stream)
        for name in names:
            write(
                f"train-{name}",
                [parts[name](root, Path(folder))],
                f"python -m tests.benchmarks.train {name}",
                f"Streams {LEARNT} and {OTHER}, {inputs.SECONDS} s each, {inputs.SMALLEST}. "
                f"Each figure is from one run. {NOTES[name]}",
            )
    return 0


def _files(stream: str) -> tuple[Path, Path]:
    return inputs.video(stream, inputs.SMALLEST), inputs.labels(stream)


def _add(root: Root, stream: str) -> None:
    """The stream as a VOD with labels and frames of the whole grid."""
    video, table = _files(stream)
    download(root, str(video), name=stream)
    save_labels(root, stream, read_table(table.read_bytes(), str(table), ANY)[stream])
    extract(root, stream, GRID)


# The loader


def _loader(root: Root, folder: Path) -> Table:
    frames = FrameSet.load(root, LEARNT, GRID.spec)
    labels = on_grid(load_labels(root, LEARNT), len(frames), FPS)
    some = np.arange(PICTURES)
    parts = [cache.Part("", some, frames.pictures)]
    pictures = Contents({"pictures": cache.hold("pictures", parts, cache.Place(CPU))}, CPU)
    deep = Network("resnet18")
    deep.head = ImageModel(ImageSettings(), {"pictures": deep.width})
    deep.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    known = make_track(_signal(), FrameSource(frames), "grid")
    turns = VODS * HOURS * 3600 * FPS // len(frames)
    numbers = np.tile(np.arange(len(frames)), int(turns))
    features = cache.hold("features", [cache.Part("", numbers, known.__getitem__)], cache.Place(CPU))
    held = Contents({"pictures": features}, CPU)
    middle = np.random.default_rng(0).permutation(np.arange(CLIP.context, len(numbers) - CLIP.context))[:16384]
    clips = middle[:, None] + np.array(CLIP.offsets)
    cases = [
        ("ResNet-18 and head, batch 64", deep, pictures, ClipDataset(labels[some], some[:, None]), 64, True),
        ("head on stored features, 12 h, batch 256", VideoModel(CLIP, {"pictures": features.shape[1]}), held,
         ClipDataset(labels[numbers[middle]], clips), 256, False),
    ]  # fmt: skip
    rows = [
        (label, *_shares(net, contents, data, batch, augment=augment, root=open_root(f"{folder}/fit-{batch}")))
        for label, net, contents, data, batch, augment in cases
    ]
    columns = ("ms a step, in training", "of them the loader's", "to change pictures", "the loader's share, %")
    return Table("A training step; goal: the loader takes less than 5 %", ("network", *columns), rows)


def _shares(
    net: Classifier, contents: Contents, data: ClipDataset, batch: int, *, augment: bool, root: Root
) -> tuple[float, float, float, float]:
    """Milliseconds: of a step as training runs it, to find and gather the batch, to change pictures; and a share."""
    order = BatchOrder(len(data), batch, shuffle_seed=0, rank=0, world=1)
    gather = change = 0.0
    for numbers in order:
        with measured() as timing:
            clips = contents.take(data[numbers][0])
        gather += timing.wall
        if augment:
            with measured() as timing:
                augmented(clips)
            change += timing.wall
    settings = FitSettings(
        epochs=2, epoch_samples=len(data), batch=batch, learning_rate=1e-4, weight_decay=0.01, patience=2, seed=0,
        augment=augment,
    )  # fmt: skip
    ends = []
    first = ClipDataset(data.truth[:batch], data.rows[:batch].numpy())
    fit(
        net.train(), contents, data, first, settings, CheckpointPlace(root, "last.ckpt", ""), ProcessGroup(0, 1, 1),
        lambda *_: ends.append(time.perf_counter()),
    )  # fmt: skip
    step = (ends[1] - ends[0]) / len(order)
    milliseconds = [1e3 * seconds for seconds in (step, gather / len(order), change / len(order))]
    return *milliseconds, 100 * milliseconds[1] / milliseconds[0]  # type: ignore[return-value]


# 12 hours


def _long(root: Root, folder: Path) -> Table:
    long = f"{folder}/long"
    vods = [f"vod-{number}" for number in range(VODS)]
    for number, vod in enumerate(vods):
        _tile(root, (LEARNT, OTHER)[number % 2], open_root(long), vod)
    rows: list[tuple[str, float, float, str]] = []

    def call(what: str, *words: str) -> None:
        with measured() as timing:
            command = [sys.executable, "-m", "lolhl", *words, "--root", long, "--quiet"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        rows.append((what, timing.wall, timing.cpu, _done(open_root(long), words)))

    call("dataset", "dataset", "d", *vods)
    call("train, all 20 epochs", "train", "all", "--dataset", "d", "--patience", "20")
    call("train", "train", "m", "--dataset", "d")
    for vod in vods[:2]:  # somebody mends two VODs
        spans = load_labels(open_root(long), vod)
        save_labels(open_root(long), vod, [replace(span, stop=span.stop + 1) for span in spans[1:]])
    before = len(rows)
    call("labels changed: dataset", "dataset", "d", *vods)
    call("labels changed: train", "train", "m", "--dataset", "d")
    call("labels changed: infer, all VODs", "infer", "m", *vods)
    wall, cpu = (sum(seconds) for seconds in zip(*(row[1:3] for row in rows[before:]), strict=True))
    rows.append(("labels changed: together; goal 120 s", wall, cpu, ""))
    return Table(
        f"{VODS} VODs of {HOURS} h, head; goal of train: 60 s",
        ("call of lolhl", "seconds", "user CPU seconds", "done"),
        rows,
    )


def _done(root: Root, words: Sequence[str]) -> str:
    match words[0]:
        case "dataset":
            made = manifest.load(root, f"datasets/{words[1]}/dataset.json", Dataset, "").result
            return f"{made.train.frames} + {made.validation.frames} samples"
        case "train":
            return f"{len(manifest.load(root, f'models/{words[1]}/model.json', Model, '').result.epochs)} epochs"
        case _:
            return f"{VODS * HOURS} h"


def _tile(root: Root, stream: str, long: Root, vod: str) -> None:
    """A VOD that is the stream over and over: index, labels, track; its shards are the stream's."""
    frames = FrameSet.load(root, stream, GRID.spec)
    count = HOURS * 3600 * int(FPS)
    made = manifest.load(root, GRID.spec.manifest_key(stream), Frames, "")
    shards = [output for output in made.outputs if output.key.endswith(".tar")]
    outputs = []
    for number, shard in enumerate(shards):
        key = layout.shard(vod, GRID.spec.name, number, shard.sha256)
        long.write(key, root.read(shard.key))
        outputs.append(replace(shard, key=key))
    places = np.arange(count) % len(frames)
    lie = zip(
        frames.shards[places].tolist(), frames.offsets[places].tolist(), frames.lengths[places].tolist(), strict=True
    )
    index = index_bytes([Entry(number, float(number / FPS), *where) for number, where in enumerate(lie)])
    outputs.append(manifest.Output.with_digest(layout.frame_index(vod, GRID.spec.name), index))
    long.write(outputs[-1].key, index)
    todo, _ = manifest.plan(long, GRID.spec.manifest_key(vod), Frames, GRID, {"tiled": vod})
    result = replace(made.result, vod=vod, frames=count, pictures=count, ended_at=float(count / FPS))
    todo.finish(result, outputs)

    length = float(len(frames) / FPS)
    turns = [length * turn for turn in range(round(count / len(frames)))]
    spans = [Span(at + span.start, at + span.stop) for at in turns for span in load_labels(root, stream)]
    save_labels(long, vod, [span for span in spans if span.stop <= count / FPS])

    signal = _signal()
    known = make_track(signal, FrameSource(frames), "grid")

    def measure(gap: Gap) -> Measured:
        for first in range(gap.first, count, BATCH):
            numbers = np.arange(first, min(first + BATCH, count))
            yield Rows(numbers / float(FPS), known[places[numbers]])
        return End(count, float(count / FPS))

    # The library itself stores them: what is tiled stands in the place of the backbone's work.
    tiled = FrameSource(FrameSet.load(long, vod, GRID.spec))
    fill_track(signal, tiled, "grid", measure).track()


# Against the blog's recipe


def _blog(root: Root, folder: Path) -> Table:
    pictures = {stream: folder / f"blog-{stream}" for stream in (LEARNT, OTHER)}
    for stream, into in pictures.items():
        blog.extract(_files(stream)[0], into)
    learnt, other = (blog.labelled(pictures[stream], load_labels(root, stream)) for stream in (LEARNT, OTHER))
    judged = blog.Labelled(other.files[::BLOG_JUDGED], other.labels[::BLOG_JUDGED])
    _, history = blog.train(learnt, judged, epochs=BLOG_EPOCHS)
    best = max(history, key=lambda epoch: epoch.elsewhere or 0.0)
    target = best.elsewhere or 0.0

    dataset(root, "both", [LEARNT, OTHER], DatasetConfig(holdout=OTHER))
    _forget_tracks(root)
    clock = _Clock()
    logging.getLogger("lolhl.stages.train").addHandler(clock)
    train(root, "bench", TrainConfig(dataset="both"))
    reached = next((seconds for seconds, figure in clock.epochs if figure >= target), None)
    rows = [
        ("the blog's recipe", target, best.wall, len(history)),
        ("lolhl train", next((f for s, f in clock.epochs if s == reached), None), reached, len(clock.epochs)),
        ("times as fast to that figure", None, best.wall / reached if reached else None, None),
        ("lolhl train, its best epoch", *max((figure, seconds) for seconds, figure in clock.epochs), None),
    ]
    columns = ("average precision on the other stream", "seconds", "epochs run")
    return Table("Time to the recipe's average precision", ("", *columns), rows)


def _forget_tracks(root: Root) -> None:
    for stat in list(root.list("tracks/")):
        root.delete(stat.key)


class _Clock(logging.Handler):
    """When `train` said that an epoch was over, in seconds from now, and its average precision."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.epochs = time.perf_counter(), list[tuple[float, float]]()

    def emit(self, record: logging.LogRecord) -> None:
        assert isinstance(record.args, tuple)
        self.epochs.append((time.perf_counter() - self.begun, float(str(record.args[-1]))))


def _signal() -> PictureSignal:
    return PictureSignal(
        open_runtime(Encoder.from_network(Network(TrainConfig().backbone, pretrained=True).eval()), CPU), GRID.view
    )


if __name__ == "__main__":
    sys.exit(main())
