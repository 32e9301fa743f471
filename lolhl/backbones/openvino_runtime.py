"""OpenVINO runs the backbone. It is the fastest on a CPU.

Converting a backbone takes seconds, and importing torch and timm for it takes seconds more. So the converted backbone
stays in the cache of this machine, named by all that it depends on, and the next run begins with it.
"""

import copy
import functools
import hashlib
import itertools
import json
import logging
import shutil
import sys
import tempfile
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lolhl import machine
from lolhl.backbones.encoder import Encoder
from lolhl.errors import ModelError

log = logging.getLogger(__name__)

Pictures = npt.NDArray[np.uint8]
Features = npt.NDArray[np.float16]

BATCH = 4  # a request is one thread's work, and a small one stays in its cache
_MOST = 12  # converted backbones, of which the one that was not used for longest goes: 13 MB for the default
_FILES = ("model.xml", "model.bin")


def precision() -> str | None:
    """The fastest precision that the processor has and that keeps the features; None without OpenVINO."""
    openvino = _openvino()
    if openvino is None:
        return None
    able = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "bf16" if "BF16" in able else "f16" if "FP16" in able else "f32"


def run(encoder: Encoder, precision: str, batches: Iterable[Pictures]) -> Iterator[Features]:
    """Yields features as `FeatureRuntime.run` does."""
    remaining = iter(batches)
    for pictures in remaining:
        backbone = _ready(encoder, pictures.shape[1], precision)
        yield from requested(backbone, itertools.chain([pictures], remaining))


def forget() -> None:
    """Drops the backbone that this process has compiled. The next run takes it from the cache."""
    _ready.cache_clear()


def is_kept(encoder: Encoder, side: int) -> bool:
    """Whether the cache of this machine holds this backbone, converted for pictures of `side` pixels."""
    return _openvino() is not None and _intact(_folder(encoder, side))


def converted(encoder: Encoder, side: int) -> Any:
    """Converts the backbone to an OpenVINO model: float32 [4, 3, side, side], normalised → float32 [4, D]."""
    shape = [BATCH, 3, side, side]
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # tracing warns of branches on sizes, which are fixed here
        # A copy, so that tracing leaves nothing behind in a network that may be trained on.
        backbone = copy.deepcopy(encoder.network().backbone)
        return _openvino().convert_model(backbone, example_input=torch.zeros(shape), input=[shape])


def compiled(model: Any, encoder: Encoder, precision: str) -> Any:
    """Compiles a converted model for this CPU: uint8 [4, side, side, 3] → float16 [4, D].

    Args:
        model: see `converted`. It is changed in place.
        encoder: it says how pictures are normalised.
        precision: the number format of products: "f32", "bf16" or "f16", where the processor has it.
    """
    openvino = _openvino()
    steps = openvino.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    pixels = steps.input().preprocess().convert_element_type(openvino.Type.f32)
    pixels.mean([255 * value for value in encoder.mean]).scale([255 * value for value in encoder.std])
    steps.output().tensor().set_element_type(openvino.Type.f16)
    settings = {
        "PERFORMANCE_HINT": "THROUGHPUT",
        "INFERENCE_PRECISION_HINT": precision,
        "ENABLE_CPU_PINNING": False,  # the cores are shared with the threads that decode
    }
    return openvino.Core().compile_model(steps.build(), "CPU", settings)


def requested(compiled: Any, batches: Iterable[Pictures]) -> Iterator[Features]:
    """Yields features as `FeatureRuntime.run` does. Its threads compute while this one reads more pictures."""
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


def _openvino() -> Any:
    """The openvino package, or None where it is not installed or does not run."""
    # It reports each import and conversion to its maker, unless it does not find this package of its own.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError:
        return None
    return openvino


@functools.lru_cache(maxsize=1)
def _ready(encoder: Encoder, side: int, precision: str) -> Any:
    """The compiled backbone. It is kept, since a run of several stages asks for the same backbone again.

    Raises:
        ModelError: OpenVINO does not know an operation of the backbone.
    """
    try:
        return compiled(_kept(encoder, side), encoder, precision)
    except RuntimeError as error:
        why = str(error).strip().splitlines()[-1]
        raise ModelError(
            f"backbone {encoder.backbone} does not run on this CPU by OpenVINO ({why}): choose another one"
        ) from error


def _kept(encoder: Encoder, side: int) -> Any:
    """The converted backbone from the cache. It is converted and put there first if it is not there."""
    folder = _folder(encoder, side)
    if not _intact(folder):
        model = converted(encoder, side)
        try:
            _keep(model, folder)
        except OSError as error:
            log.info("%s: the converted backbone is not kept: %s", folder, error.strerror)
        if not _intact(folder):
            return model
    with suppress(OSError):
        folder.touch()
    # Always what was kept, also the first time: so that all runs compute with the same model.
    core = _openvino().Core()
    core.set_property({"ENABLE_MMAP": False})  # the file may go while the model is used
    return core.read_model(folder / _FILES[0])


def _folder(encoder: Encoder, side: int) -> Path:
    name = (encoder.backbone, encoder.digest, encoder.mean, encoder.std, side, BATCH, _openvino().__version__)
    return machine.cache("backbones") / hashlib.sha256(json.dumps(name).encode()).hexdigest()[:40]


def _keep(model: Any, folder: Path) -> None:
    """Writes a model into the cache, whole or not at all. Raises OSError."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".unfinished-") as unfinished:
        begun = Path(unfinished, "model")
        begun.mkdir()
        _openvino().save_model(model, begun / _FILES[0], compress_to_fp16=False)
        (begun / "sha256").write_text(_digest(begun))
        if folder.exists():  # damaged
            shutil.rmtree(folder)
        with suppress(OSError):  # another run was as quick
            begun.rename(folder)
    known = sorted(folder.parent.glob("[0-9a-f]*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for old in known[_MOST:]:
        shutil.rmtree(old, ignore_errors=True)


def _intact(folder: Path) -> bool:
    with suppress(OSError):
        return (folder / "sha256").read_text() == _digest(folder)
    return False


def _digest(folder: Path) -> str:
    return hashlib.sha256(b"".join((folder / name).read_bytes() for name in _FILES)).hexdigest()
