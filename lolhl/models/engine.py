"""Engines: what turns pictures into a backbone's features, as fast as the machine can.

On a CPU that is OpenVINO, in bfloat16 where the processor has it; on a GPU torch. `tests/benchmarks/engines.py`
compares them with others. Features of two engines are alike but not the same, so an engine's name is
part of what they are stored under; a head that learnt from one engine's works on the other's.
"""

import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from lolhl.models import openvino_engine
from lolhl.models.encoder import Encoder
from lolhl.models.openvino_engine import Features as Features
from lolhl.models.openvino_engine import Pictures as Pictures

_CPU_BATCH = 32
_GPU_BATCH = 256
_ON_GPU = 3  # batches that the card may be given before the first one's features are waited for


@dataclass(frozen=True)
class Engine:
    """One way to run one backbone.

    Attributes:
        name: of the library and the precision, as in "openvino-bf16".
        digest: of the backbone, see `backbones.digest`.
        width: of the features.
        batch: how many pictures `run` is best given at once.
        run: pictures uint8 [n, S, S, 3] (RGB, n from 1 to `batch`, S always the same) → their features
            float16 [n, D], in order. Some batches are asked for ahead, while earlier ones are worked on.
            Raises ModelError where the backbone cannot be run.
    """

    name: str
    digest: str
    batch: int
    width: int
    run: Callable[[Iterable[Pictures]], Iterator[Features]]

    @property
    def key(self) -> str:
        """Names the features that it gives: the same key means the same features, but for rounding."""
        return f"{self.digest[:16]}-{self.name}"


def open_engine(encoder: Encoder, device: torch.device) -> Engine:
    """The fastest engine there is for this device. It costs little until it runs."""
    if device.type == "cuda":
        kind = torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
        run = functools.partial(_on_gpu, encoder, device, kind)
        return Engine(f"torch-{_short(kind)}", encoder.digest, _GPU_BATCH, encoder.width, run)
    precision = openvino_engine.precision()
    if precision is None:
        return Engine("torch-f32", encoder.digest, _CPU_BATCH, encoder.width, functools.partial(_on_cpu, encoder))
    run = functools.partial(openvino_engine.run, encoder, precision)
    return Engine(f"openvino-{precision}", encoder.digest, openvino_engine.BATCH, encoder.width, run)


def _short(kind: torch.dtype) -> str:
    return {torch.bfloat16: "bf16", torch.float16: "f16"}[kind]


@torch.no_grad()
def _on_cpu(encoder: Encoder, batches: Iterable[Pictures]) -> Iterator[Features]:
    network = encoder.network()
    for pictures in batches:
        yield network.features(torch.from_numpy(pictures)).half().numpy()


@torch.no_grad()
def _on_gpu(
    encoder: Encoder, device: torch.device, kind: torch.dtype, batches: Iterable[Pictures]
) -> Iterator[Features]:
    """The host prepares the next batches while the card works on the ones before: nothing waits but for results."""
    network = encoder.network().to(device)
    network.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    coming: deque[tuple[torch.Tensor, torch.cuda.Event]] = deque()

    def first() -> Features:
        found, done = coming.popleft()
        done.synchronize()
        return np.asarray(found.numpy())

    for pictures in batches:
        pixels = torch.from_numpy(pictures).pin_memory().to(device, non_blocking=True)
        with torch.autocast("cuda", kind):
            found = network.features(pixels).half()
        there = torch.empty(found.shape, dtype=found.dtype, pin_memory=True)
        there.copy_(found, non_blocking=True)
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record()
        coming.append((there, done))
        if len(coming) == _ON_GPU:
            yield first()
    while coming:
        yield first()
