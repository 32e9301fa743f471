"""What the card can do, measured and from its datasheet, and what a network asks of it."""

import sys
import time
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lolhl.backbones.picture_network import PictureNetwork

# Dense bf16 with float32 sums, FLOP/s, from NVIDIA's datasheets; by what the card's name contains.
DATASHEET = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12}

_REPEATS = 10


def require() -> None:
    """Ends the program with one line where torch sees no card."""
    if not torch.cuda.is_available():
        print("error: torch sees no NVIDIA card here: run this on a machine with one", file=sys.stderr)
        raise SystemExit(1)


def datasheet() -> float | None:
    """The card's peak in bf16, FLOP/s; None for a card that is not listed."""
    name = torch.cuda.get_device_name()
    return next((peak for part, peak in DATASHEET.items() if part in name), None)


def product_rate(device: torch.device, side: int = 8192) -> float:
    """FLOP/s of a bf16 product of two random square matrices: what dense arithmetic reaches in practice."""
    a, b = (torch.randn(side, side, device=device, dtype=torch.bfloat16) for _ in range(2))
    return 2 * side**3 / seconds_of(lambda: a @ b, device)


def copy_rate(device: torch.device, count: int = 2**30) -> float:
    """Bytes per second of a copy on the card, read and written bytes both counted."""
    source = torch.randint(0, 255, (count,), device=device, dtype=torch.uint8)
    target = torch.empty_like(source)
    return 2 * count / seconds_of(lambda: target.copy_(source), device)


def seconds_of(work: Any, device: torch.device) -> float:
    """Wall seconds of one call, the mean of some after a warm-up."""
    for _ in range(3):
        work()
    _wait(device)
    begun = time.perf_counter()
    for _ in range(_REPEATS):
        work()
    _wait(device)
    return (time.perf_counter() - begun) / _REPEATS


@torch.no_grad()
def flops(network: PictureNetwork, side: int) -> int:
    """Floating-point operations of the backbone for one picture; a multiplication and its addition are two."""
    with FlopCounterMode(display=False) as counter:
        network.features(_pictures(network, side))
    return int(counter.get_total_flops())


@torch.no_grad()
def traffic(network: PictureNetwork, side: int) -> int:
    """Bytes that the backbone moves for one picture in bf16, when each convolution and matrix product reads its
    input and writes its output once, all else is fused into them, and weights are shared by a large batch."""
    moved = 0

    def count(_module: nn.Module, given: tuple[torch.Tensor, ...], made: torch.Tensor) -> None:
        nonlocal moved
        moved += 2 * (given[0].numel() + made.numel())

    layers = [m for m in network.backbone.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    network.features(_pictures(network, side))
    for hook in hooks:
        hook.remove()
    return moved


def _pictures(network: PictureNetwork, side: int) -> torch.Tensor:
    return torch.zeros(1, side, side, 3, dtype=torch.uint8, device=network.mean.device)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
