"""Runtimes give the features that the network itself gives, but for rounding, whatever the batches."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from lolhl.backbones import openvino_runtime
from lolhl.backbones.encoder import Encoder
from lolhl.backbones.feature_runtime import FeatureRuntime, open_runtime
from lolhl.models.network import Network

CPU = torch.device("cpu")


def network(backbone: str) -> Network:
    torch.manual_seed(0)
    pretrained = backbone == "tf_efficientnet_lite0"
    return Network(backbone, pretrained=pretrained).eval()


def pictures(count: int, side: int) -> npt.NDArray[np.uint8]:
    """Smooth colours, each picture another one."""
    small = np.random.default_rng(side).integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
    return np.kron(small, np.ones((1, side // 4, side // 4, 1), dtype=np.uint8))


def features(runtime: FeatureRuntime, images: npt.NDArray[np.uint8], sizes: list[int]) -> npt.NDArray[np.float16]:
    batches = list(runtime.run(iter(np.split(images, np.cumsum(sizes)[:-1]))))
    assert [len(batch) for batch in batches] == sizes
    assert {batch.dtype for batch in batches} == {np.dtype(np.float16)}
    return np.concatenate(batches)


def cosine(a: npt.NDArray[np.float16], b: npt.NDArray[np.float32]) -> float:
    """The least over all pictures."""
    x = a.astype(np.float32)
    return float(((x * b).sum(1) / np.linalg.norm(x, axis=1) / np.linalg.norm(b, axis=1)).min())


@pytest.mark.parametrize(
    "backbone",
    [
        "tf_efficientnet_lite0",
        pytest.param("resnet18", marks=pytest.mark.slow),
        pytest.param("convnext_atto", marks=pytest.mark.slow),
        pytest.param("vit_tiny_patch16_224", marks=pytest.mark.slow),
    ],
)
def test_features_are_the_network_s_own(backbone: str) -> None:
    net = network(backbone)
    side = net.side or 96
    shown = pictures(11, side)
    with torch.no_grad():
        own = net.features(torch.from_numpy(shown)).numpy()
    runtime = open_runtime(Encoder.from_network(net), CPU)
    assert runtime.name.startswith("openvino-")
    first = features(runtime, shown, [4, 4, 3])
    assert cosine(first, own) > 0.98  # of bfloat16; in float32 it is 1
    # A picture's features do not depend on its neighbours or its place, so that parts can be made apart.
    np.testing.assert_array_equal(features(runtime, shown, [1, 2, 4, 4]), first)
    assert all(p.requires_grad for p in net.backbone.parameters())


def test_a_network_that_is_laid_out_for_training_gives_the_same() -> None:
    shown = pictures(4, 96)
    first = features(open_runtime(Encoder.from_network(network("tf_efficientnet_lite0")), CPU), shown, [4])
    laid_out = network("tf_efficientnet_lite0").to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    openvino_runtime.forget()
    np.testing.assert_array_equal(features(open_runtime(Encoder.from_network(laid_out), CPU), shown, [4]), first)


def test_without_openvino_torch_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    net = network("tf_efficientnet_lite0")
    runtime = open_runtime(Encoder.from_network(net), CPU)
    assert runtime.name == "torch-f32"
    shown = pictures(3, 96)
    with torch.no_grad():
        own = net.features(torch.from_numpy(shown)).numpy()
    assert cosine(features(runtime, shown, [2, 1]), own) > 0.9999


def test_the_key_says_which_weights_and_which_runtime(monkeypatch: pytest.MonkeyPatch) -> None:
    net = network("resnet18")
    by_openvino = open_runtime(Encoder.from_network(net), CPU)
    assert by_openvino.key == f"{by_openvino.digest[:16]}-{by_openvino.name}"
    with torch.no_grad():
        next(net.backbone.parameters())[0] += 1
    changed = open_runtime(Encoder.from_network(net), CPU)
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert len({by_openvino.key, changed.key, open_runtime(Encoder.from_network(net), CPU).key}) == 3


def test_openvino_tells_nobody_that_it_is_used(tmp_path: Path) -> None:
    """Its telemetry writes an identity into the home folder before it sends anything."""
    code = (
        "import torch\n"
        "from lolhl.backbones.encoder import Encoder\n"
        "from lolhl.backbones.feature_runtime import open_runtime\n"
        "from lolhl.models.network import Network\n"
        "network = Network('resnet18').eval()\n"
        "open_runtime(Encoder.from_network(network), torch.device('cpu'))\n"
        "import openvino, sys\n"
        "assert not any(name.startswith('openvino_telemetry.') for name in sys.modules)\n"
    )
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"}
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert not (tmp_path / "intel").exists()
