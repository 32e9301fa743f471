"""Engines: what turns pictures into a backbone's features, as fast as the machine can.

On a CPU that is OpenVINO, in bfloat16 where the processor has it; on a GPU torch. `tests/benchmarks/engines.py`
compares them with others. Features of two engines are alike but not the same, so an engine's name is
part of what they are stored under; a head that learnt from one engine's works on the other's.
"""

import copy
import functools
import itertools
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lolhl.errors import ModelError
from lolhl.models import backbones
from lolhl.models.network import Network

Pictures = npt.NDArray[np.uint8]
Features = npt.NDArray[np.float16]

_OPENVINO_BATCH = 4  # a request is one thread's work, and a small one stays in its cache
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


def open_engine(network: Network, device: torch.device) -> Engine:
    """The fastest engine there is for this device. It costs little until it runs.

    Args:
        network: in evaluation mode, on `device`; its weights must not change while the engine is used.
    """
    digest = backbones.digest(network.backbone)
    if device.type == "cuda":
        kind = torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
        return Engine(
            f"torch-{_short(kind)}",
            digest,
            _GPU_BATCH,
            network.width,
            functools.partial(_on_gpu, network, device, kind),
        )
    openvino = _openvino()
    if openvino is None:
        return Engine("torch-f32", digest, _CPU_BATCH, network.width, functools.partial(_on_cpu, network))
    precision = _precision(openvino)
    run = functools.partial(_by_openvino, _Known(digest, network), precision)
    return Engine(f"openvino-{precision}", digest, _OPENVINO_BATCH, network.width, run)


def _short(kind: torch.dtype) -> str:
    return {torch.bfloat16: "bf16", torch.float16: "f16"}[kind]


@torch.no_grad()
def _on_cpu(network: Network, batches: Iterable[Pictures]) -> Iterator[Features]:
    for pictures in batches:
        yield network.features(torch.from_numpy(pictures)).half().numpy()


@torch.no_grad()
def _on_gpu(
    network: Network, device: torch.device, kind: torch.dtype, batches: Iterable[Pictures]
) -> Iterator[Features]:
    """The host prepares the next batches while the card works on the ones before: nothing waits but for results."""
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


def _openvino() -> Any:
    """The package, or None where it is not installed or does not run."""
    # It reports each import and conversion to its maker, unless it does not find this package of its own.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError:
        return None
    return openvino


def _precision(openvino: Any) -> str:
    """The fastest precision that the processor itself computes in, and that keeps the features."""
    able = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "bf16" if "BF16" in able else "f16" if "FP16" in able else "f32"


@dataclass(frozen=True)
class _Known:
    """A network that counts as the same when its backbone is."""

    digest: str
    network: Network = field(compare=False)


def _by_openvino(known: _Known, precision: str, batches: Iterable[Pictures]) -> Iterator[Features]:
    coming = iter(batches)
    for pictures in coming:
        compiled = _compiled(known, pictures.shape[1], precision)
        yield from requested(compiled, itertools.chain([pictures], coming))


@functools.lru_cache(maxsize=1)
def _compiled(known: _Known, side: int, precision: str) -> Any:
    """Kept, since a run of several stages asks for the same one again, and it takes some seconds.

    Raises:
        ModelError: OpenVINO does not know what the backbone does.
    """
    try:
        return compiled(converted(known.network, side), known.network, precision)
    except RuntimeError as error:
        name = known.network.architecture.backbone
        why = str(error).strip().splitlines()[-1]
        raise ModelError(f"backbone {name} does not run on this CPU by OpenVINO ({why}): choose another one") from error


def converted(network: Network, side: int) -> Any:
    """The backbone as an OpenVINO model: float32 [4, 3, side, side], normalised → float32 [4, D]."""
    shape = [_OPENVINO_BATCH, 3, side, side]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # tracing warns of branches on sizes, which are fixed here
        # A copy, so that tracing leaves nothing behind in a network that may be trained on.
        backbone = copy.deepcopy(network.backbone)
        return _openvino().convert_model(backbone, example_input=torch.zeros(shape), input=[shape])


def compiled(model: Any, network: Network, precision: str) -> Any:
    """A converted model made ready to run on this CPU: uint8 [4, side, side, 3] → float16 [4, D].

    Args:
        model: see `converted`; changed in place.
        network: says how pictures are normalised.
        precision: of the products: "f32", "bf16" or "f16", where the processor has it.
    """
    openvino = _openvino()
    steps = openvino.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    pixels = steps.input().preprocess().convert_element_type(openvino.Type.f32)
    pixels.mean(network.mean.flatten().tolist()).scale(network.std.flatten().tolist())
    steps.output().tensor().set_element_type(openvino.Type.f16)
    settings = {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "INFERENCE_PRECISION_HINT": precision,
        "ENABLE_CPU_PINNING": False,  # the cores are shared with the threads that decode
    }
    return openvino.Core().compile_model(steps.build(), "CPU", settings)


def requested(compiled: Any, batches: Iterable[Pictures]) -> Iterator[Features]:
    """What `Engine.run` promises. OpenVINO's threads work on requests; this one fetches the next pictures meanwhile."""
    # One more than are worked on at once, so that the next pictures lie ready.
    requests = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS") + 1
    idle = [compiled.create_infer_request() for _ in range(requests)]
    busy: deque[tuple[Any, int]] = deque()

    def first() -> Features:
        request, count = busy.popleft()
        request.wait()
        idle.append(request)
        return np.array(request.get_output_tensor(0).data[:count])

    for pictures in batches:
        if not idle:
            yield first()
        request = idle.pop()
        request.get_input_tensor(0).data[: len(pictures)] = pictures
        request.start_async()
        busy.append((request, len(pictures)))
    while busy:
        yield first()
