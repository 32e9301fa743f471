"""Training a whole network on an NVIDIA card: from held pictures, against random tensors that lie on the card.

    python -m tests.benchmarks.gpu.train      # some 5 minutes on an H100, most of it compiling

Both train the same network with the same settings: bfloat16, channels last, fused AdamW, compiled
where there is a C compiler. "Held" is lolhl's own `fit`: batches gathered from uint8 pictures that
lie on the card, or in memory where they must cross over, then shifted, brightened and normalised.
The other way has one batch of normalised floats and nothing to do but train.
"""

import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import count

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from lolhl.data import cache
from lolhl.data.samples import ClipDataset, Contents
from lolhl.models.image import ImageModel, ImageSettings
from lolhl.models.learning import CheckpointPlace, FitSettings
from lolhl.models.network import Network
from lolhl.models.process_group import ProcessGroup
from lolhl.models.training import fit
from lolhl.stages.train import TrainConfig
from lolhl.storage import open_root
from tests.benchmarks.gpu import card
from tests.benchmarks.result import Table, write

BACKBONES = {"resnet18": 256, "resnet50": 256, "tf_efficientnet_lite0": 256}  # name → batch
SIDE = 224
PICTURES = 16384
WARM, STEPS = 20, 150


def main() -> int:
    card.require()
    device = torch.device("cuda", 0)
    held = pictures(PICTURES, SIDE, cache.Place(device))
    host = pictures(PICTURES, SIDE, cache.Place(torch.device("cpu")))
    reached, peak = card.product_rate(device), card.datasheet()
    rows = []
    for backbone, batch in BACKBONES.items():
        made = settings(batch, device)
        bare = on_the_card(network(backbone, device), made, device, SIDE, WARM, STEPS)
        cached = from_held(network(backbone, device), made, Contents({"pictures": held}, device), WARM, STEPS)
        crossing = from_held(network(backbone, device), made, Contents({"pictures": host}, device), WARM, STEPS)
        work = flops(network(backbone, device), SIDE)
        rows.append(
            (
                f"{backbone}, batch {batch}", bare, cached, 100 * cached / bare, 100 * crossing / bare,
                100 * cached * work / peak if peak else None, 100 * cached * work / reached,
            )
        )  # fmt: skip
    columns = (
        "network", "random tensors, samples/s", "held on the card, samples/s", "% of random; goal 90",
        "held in memory, % of random", "% of the datasheet's bf16 peak", "% of a large bf16 product",
    )  # fmt: skip
    table = Table(f"Training at {SIDE} px on {torch.cuda.get_device_name()}", columns, rows)
    write(
        "gpu-train",
        [table],
        "python -m tests.benchmarks.gpu.train",
        f"Mean of {STEPS} steps after {WARM}, one run each; operations counted by torch's FlopCounterMode, forward and "
        f"backward; compiled: {'yes' if made.compiled else 'no, there is no C compiler'}. A large bf16 product of this "
        f"card runs at {reached / 1e12:.0f} TFLOP/s.",
    )
    return 0


def network(backbone: str, device: torch.device) -> Network:
    """An image classifier from scratch, as `train` would have it."""
    made = Network(backbone)
    made.head = ImageModel(ImageSettings(), {"pictures": made.width})
    return made.to(device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload, no-any-return]


def settings(batch: int, device: torch.device) -> FitSettings:
    """What `train --tune all` chooses on this device, for one epoch."""
    config = TrainConfig(kind="image", tune="all", weights="none", batch=batch, epochs=1, epoch_samples=10**9)
    return config.fit(PICTURES, device)


def pictures(number: int, side: int, place: cache.Place) -> Tensor:
    """Random pictures, held as training's are: uint8 [number, side, side, 3]."""

    def read(numbers: np.ndarray[tuple[int], np.dtype[np.int64]]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        return np.random.default_rng(int(numbers[0])).integers(0, 256, (len(numbers), side, side, 3), dtype=np.uint8)

    return cache.hold("pictures", [cache.Part("random", np.arange(number), read)], place)


@dataclass(frozen=True)
class Clocked(Contents):
    """Looks at the clock when a step takes its pictures and all steps before are over."""

    first: int = 0
    last: int = 0
    taken: "count[int]" = field(default_factory=count)
    times: list[float] = field(default_factory=list)

    def take(self, numbers: Tensor) -> Tensor:
        if next(self.taken) in (self.first, self.last):
            if self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            self.times.append(time.perf_counter())
        return super().take(numbers)


def from_held(net: Network, made: FitSettings, contents: Contents, warm: int, steps: int) -> float:
    """Samples per second of `fit`."""
    clocked = Clocked(contents.held, contents.device, warm, warm + steps)
    rng = np.random.default_rng(0)
    shown = made.batch * (warm + steps + 1)
    (held,) = contents.held.values()
    rows = rng.integers(0, len(held), (shown, 1))
    data = ClipDataset(rng.random(shown) < 0.3, rows)
    judged = ClipDataset(data.truth[: made.batch], rows[: made.batch])
    with tempfile.TemporaryDirectory(prefix="lolhl-bench-") as folder:
        place = CheckpointPlace(open_root(folder), "last.ckpt", "")
        fit(net, clocked, data, judged, made, place, ProcessGroup(0, 1, 1), lambda *_: None)
    begun, ended = clocked.times
    return made.batch * steps / (ended - begun)


def on_the_card(net: Network, made: FitSettings, device: torch.device, side: int, warm: int, steps: int) -> float:
    """Samples per second of the same network and optimizer on one batch that needs nothing more."""
    batch = torch.randn(made.batch, 3, side, side, device=device).to(memory_format=torch.channels_last)
    labels = (torch.rand(made.batch, device=device) < 0.3).float()

    head = net.head
    assert isinstance(head, ImageModel)

    def forward(pixels: Tensor) -> Tensor:
        return net.decide(head.encode(net.backbone(pixels))[:, None])

    run = torch.compile(forward, dynamic=False) if made.compiled else forward
    optimizer = torch.optim.AdamW(net.parameters(), lr=made.learning_rate, fused=True)

    def step() -> None:
        with torch.autocast(device.type, torch.bfloat16, enabled=made.bf16):
            loss = nn.functional.binary_cross_entropy_with_logits(run(batch), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    for _ in range(warm):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    begun = time.perf_counter()
    for _ in range(steps):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return made.batch * steps / (time.perf_counter() - begun)


def flops(net: Network, side: int) -> int:
    """Floating-point operations of a training step for one picture, forward and backward."""
    clips = torch.zeros(2, 1, side, side, 3, dtype=torch.uint8, device=net.mean.device)
    with FlopCounterMode(display=False) as counter:
        net(clips).sum().backward()
    return int(counter.get_total_flops()) // 2


if __name__ == "__main__":
    sys.exit(main())
