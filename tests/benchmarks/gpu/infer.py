"""From video to scores on an NVIDIA card, and the model alone against the card's roofline.

    python -m tests.benchmarks.gpu.infer      # some 5 minutes on an H200, 20 GB of disk

See `tests.benchmarks.gpu` for what must be installed. A 6 h VOD at 720p60, a cut looped by stream copy,
goes through `lolhl infer` on the full grid, loading of the model included; decoding alone, of an hour of
it, says which of the two is the limit. The roofline has two slopes, both measured here: arithmetic (a
large bf16 product) and memory (a copy on the card).
"""

import shutil
import tempfile
from collections.abc import Iterator
from itertools import repeat
from pathlib import Path

import numpy as np
import torch

from lolhl.backbones.feature_runtime import FeatureRuntime, Pictures, open_runtime
from lolhl.models.bundle import Bundle, load_bundle
from lolhl.stages.download import download
from lolhl.stages.infer import InferConfig, infer
from lolhl.storage import Root, open_root
from lolhl.vod import decode
from tests.benchmarks import result
from tests.benchmarks.gpu import card, inputs
from tests.benchmarks.infer import MODEL
from tests.benchmarks.result import Table, measured

RENDITION = "720p60"
SECONDS = 6 * 3600
ALONE = 3600  # seconds of it that are decoded alone
GOAL = 150.0  # seconds for the whole
BATCHES = 200  # that the model is timed on
VOD = "long"


def main() -> None:
    card.require()
    device = torch.device("cuda")
    with tempfile.TemporaryDirectory(prefix="lolhl-") as scratch:
        shutil.copytree(inputs.model(), Path(scratch) / "root")
        root = open_root(str(Path(scratch) / "root"))
        video = inputs.looped(RENDITION, SECONDS, Path(scratch))
        download(root, str(video), name=VOD)
        tables = [whole(root, video, "cuda", SECONDS, ALONE), model_alone(load_bundle(root, MODEL), device, BATCHES)]
    result.write(
        "gpu-infer",
        tables,
        "python -m tests.benchmarks.gpu.infer",
        "Each figure is from one run; the goal is an H200's.",
    )


def whole(root: Root, video: Path, decoder: decode.Decoder, seconds: int, alone: int) -> Table:
    """One pass over all `seconds` of the VOD, beside decoding `alone` seconds of it with nothing else to do."""
    view = load_bundle(root, MODEL).view
    with measured() as decoding:
        frames = sum(1 for _ in decode.decode(video, view, decoder=decoder, stop=int(alone * view.fps)))
    with measured() as both:
        infer(root, MODEL, VOD, InferConfig(source="video", decoder=decoder, mode="grid"), force=True)
    decoded, passed = alone / decoding.wall, seconds / both.wall
    met = f"{'met' if both.wall * SECONDS / seconds < GOAL else 'missed'}: {GOAL:g} s for 6 h"
    rows = [
        ["decoding alone", alone, frames, decoding.wall, decoding.cpu, decoded, None, None],
        ["video to scores", seconds, int(seconds * view.fps), both.wall, both.cpu, passed, passed / decoded, met],
    ]
    columns = ("work", "VOD s", "frames", "wall s", "user CPU s", "x real time", "of decoding's speed", "goal")
    return Table(f"{RENDITION}, the whole {view.fps} fps grid", columns, rows)


def model_alone(used: Bundle, device: torch.device, batches: int) -> Table:
    """Frames per second of the backbone: fed from the host as in a run, and on frames that lie on the card."""
    assert used.encoder
    network, side = used.encoder.network().to(device), used.view.size
    runtime = open_runtime(used.encoder, device)
    picture = np.random.default_rng(0).integers(0, 256, (runtime.batch, side, side, 3), dtype=np.uint8)
    arithmetic = card.product_rate(device) / card.flops(network, side)
    memory = card.copy_rate(device) / card.traffic(network, side)
    limit = min(arithmetic, memory)
    fed = _fed(runtime, picture, batches)
    on_card = _on_card(used, torch.from_numpy(picture).to(device))
    peak = card.datasheet() if device.type == "cuda" else None
    paper = peak / card.flops(network, side) if peak else None
    rows: list[list[object]] = [
        ["engine, frames from host memory", fed, fed / limit, fed / paper if paper else None],
        ["forward in bf16, frames on the card", on_card, on_card / limit, on_card / paper if paper else None],
        ["roofline: arithmetic (bf16 product, measured)", arithmetic, None, None],
        ["roofline: memory (copy, measured)", memory, None, None],
        ["arithmetic by the datasheet", paper, None, None],
    ]
    architecture = network.name
    work = f"{card.flops(network, side) / 1e9:.2f} GFLOP, {card.traffic(network, side) / 1e6:.1f} MB a frame"
    columns = ("what", "frames/s", "of roofline", "of datasheet's arithmetic")
    return Table(f"{architecture} alone ({runtime.name}, batches of {runtime.batch}, {work})", columns, rows)


def _fed(runtime: FeatureRuntime, pictures: Pictures, batches: int) -> float:
    def some(count: int) -> Iterator[Pictures]:
        return repeat(pictures, count)

    sum(len(features) for features in runtime.run(some(3)))
    with measured() as timing:
        count = sum(len(features) for features in runtime.run(some(batches)))
    return count / timing.wall


@torch.no_grad()
def _on_card(used: Bundle, pictures: torch.Tensor) -> float:
    assert used.encoder
    network = used.encoder.network()

    def forward() -> torch.Tensor:
        with torch.autocast(pictures.device.type, torch.bfloat16):
            return network.features(pictures)

    return len(pictures) / card.seconds_of(forward, pictures.device)


if __name__ == "__main__":
    main()
