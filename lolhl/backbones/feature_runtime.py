"""Runtimes turn pictures into a backbone's features, as fast as the machine can.

On a CPU that is OpenVINO, in bfloat16 where the processor has it. On a GPU it is torch. `tests/benchmarks/engines.py`
compares them with others. Two runtimes give features that are alike but not the same, so the runtime's name is
part of the name that features are stored under. A head that learnt from one runtime's features works on another's.
"""

import functools
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch

from lolhl.backbones import openvino_runtime
from lolhl.backbones.encoder import Encoder
from lolhl.backbones.openvino_runtime import Features as Features
from lolhl.backbones.openvino_runtime import Pictures as Pictures

_CPU_BATCH = 32
_GPU_BATCH = 256
_ON_GPU = 3  # batches that the card may be given before the first one's features are waited for


@dataclass(frozen=True)
class FeatureRuntime:
    """One backbone, and a library that runs it.

    Attributes:
        name: the library and the precision, as in "openvino-bf16".
        digest: the digest of the backbone, see `catalogue.digest`.
        width: numbers in the features of one picture.
        batch: pictures that `run` should be given at once.
        run: pictures uint8 [n, S, S, 3] (RGB, n from 1 to `batch`, S always the same) → their features
            float16 [n, D], in order. It reads some batches ahead while it computes earlier ones.
            It raises ModelError where the backbone cannot be run.
    """

    name: str
    digest: str
    batch: int
    width: int
    run: Callable[[Iterable[Pictures]], Iterator[Features]]

    @property
    def key(self) -> str:
        """The name of the features that it gives. The same key means the same features, but for rounding."""
        return f"{self.digest[:16]}-{self.name}"


def open_runtime(encoder: Encoder, device: torch.device) -> FeatureRuntime:
    """The fastest runtime for this device. Opening it costs little; the backbone is loaded when it first runs."""
    if device.type == "cuda":
        kind = torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
        run = functools.partial(_on_gpu, encoder, device, kind)
        return FeatureRuntime(f"torch-{_short(kind)}", encoder.digest, _GPU_BATCH, encoder.width, run)
    precision = openvino_runtime.precision()
    if precision is None:
        return FeatureRuntime(
            "torch-f32", encoder.digest, _CPU_BATCH, encoder.width, functools.partial(_on_cpu, encoder)
        )
    run = functools.partial(openvino_runtime.run, encoder, precision)
    return FeatureRuntime(f"openvino-{precision}", encoder.digest, openvino_runtime.BATCH, encoder.width, run)


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
    """Computes features on a GPU. The host prepares the next batches while the card works on earlier ones."""
    network = encoder.network().to(device)
    network.backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    pending: deque[tuple[torch.Tensor, torch.cuda.Event]] = deque()

    def first() -> Features:
        features, done = pending.popleft()
        done.synchronize()
        return np.asarray(features.numpy())

    for pictures in batches:
        pixels = torch.from_numpy(pictures).pin_memory().to(device, non_blocking=True)
        with torch.autocast("cuda", kind):
            on_card = network.features(pixels).half()
        on_host = torch.empty(on_card.shape, dtype=on_card.dtype, pin_memory=True)
        on_host.copy_(on_card, non_blocking=True)
        done = torch.cuda.Event()  # type: ignore[no-untyped-call]
        done.record()
        pending.append((on_host, done))
        if len(pending) == _ON_GPU:
            yield first()
    while pending:
        yield first()
