"""A bundle that is whole but wrong is refused at once, in one line that names file and field."""

import json
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor

from lolhl import manifest
from lolhl.errors import ModelError, StorageError
from lolhl.evaluate.calibration import Calibration
from lolhl.manifest import Output
from lolhl.models import bundle
from lolhl.models.bundle import load_bundle
from lolhl.models.network import Architecture, Network
from lolhl.results import Model
from lolhl.storage import Root, open_root
from tests import results
from tests.results import MODEL, unsealed

ARCHITECTURE = Architecture("video", "resnet18", 5, 3, 16, 0.5)
WEIGHTS = "models/m/model.safetensors"
NAN, INFINITY = float("nan"), float("inf")


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    return Network(ARCHITECTURE)


@pytest.fixture
def root(network: Network, tmp_path: Path) -> Root:
    """With model m."""
    root = open_root(str(tmp_path))
    store(root, network.state_dict(), network.normalisation)
    return root


def store(root: Root, weights: dict[str, Tensor], normalisation: dict[str, list[float]]) -> None:
    data = safetensors.torch.save({name: tensor.contiguous() for name, tensor in weights.items()})
    result = replace(
        MODEL,
        architecture=ARCHITECTURE.to_json(),
        normalisation=normalisation,
        view={"fps": "30000/1001", "size": 96, "fit": "squeeze"},
    )
    root.write(WEIGHTS, data)
    made = results.store(root, bundle.manifest_key("m"), result, (Output.from_bytes(WEIGHTS, data),))
    assert made.outputs


def test_a_bundle_is_read_as_it_was_written(root: Root, network: Network) -> None:
    loaded = load_bundle(root, "m")
    assert (loaded.view.fps, loaded.view.size, loaded.threshold) == (Fraction(30000, 1001), 96, 0.5)
    whole = loaded.encoder.network()
    assert whole.architecture == ARCHITECTURE
    for name, tensor in network.state_dict().items():
        assert torch.equal(whole.state_dict()[name], tensor)
    frames = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), dtype=np.uint8))
    assert torch.equal(whole.features(frames), network.eval().features(frames))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("view.fps", value) for value in (0, 3, "0", "1e99999999", "240000/1", "3/0", "-3", "", None, "9" * 9999)),
        *(("view.size", value) for value in (None, 0, 15, 10**9, "96", 96.5, True, [96])),
        ("view.fit", "stretch"),
        *(("architecture.clip_frames", value) for value in (0, -1, 10**9, 10**400, 2.5, "5", None)),
        *(("architecture.clip_stride", value) for value in (0, 10**9, "3")),
        *(("architecture.hidden", value) for value in (0, 10**9, "8")),
        *(("architecture.dropout", value) for value in (1, -0.1, NAN, INFINITY, "0.5")),
        *(("architecture.backbone", value) for value in ("nix", "../x", "hf-hub:a/b", "", 18, "\n")),
        *(("architecture.kind", value) for value in ("sound", None)),
        ("architecture", {}),
        ("architecture", []),
        *(("threshold", value) for value in (-0.1, 1.1, NAN, INFINITY, "0.5", None)),
        *(("smooth_seconds", value) for value in (-1, 3601, NAN, 10**400)),
        *(("calibration.slope", value) for value in (0, -1, 1e9, NAN, "1", None)),
        *(("calibration.offset", value) for value in (-1e3, INFINITY, "0")),
        *(("habits", value) for value in ({}, {"share": 0.2}, [], "often")),
        *(("frozen", value) for value in ("yes", 1, None)),
        ("normalisation", {"mean": [1, 2, NAN], "std": [1, 1, 1]}),
        ("normalisation", {"mean": "0.5"}),
        ("metrics", 3),
    ],
)  # fmt: skip
def test_a_wrong_value_is_one_line_at_once(root: Root, field: str, value: Any) -> None:
    said = json.loads(unsealed(root.read("models/m/model.json")))
    *path, last = field.split(".")
    part = said["result"]
    for step in path:
        part = part[step]
    part[last] = value
    refused(root, said, field.split(".")[-1])


def test_a_model_of_a_version_without_calibration_and_habits_is_used_as_it_was(root: Root) -> None:
    older = json.loads(unsealed(root.read("models/m/model.json")))
    for field in ("calibration", "habits"):
        del older["result"][field]
    for field in ("holdout", "reliability"):
        del older["result"]["metrics"][field]
    root.write("models/m/model.json", json.dumps(older).encode())
    loaded = load_bundle(root, "m")
    assert (loaded.calibration, loaded.habits) == (Calibration(), None)
    scores = np.array([0.1, 0.9], dtype=np.float32)
    assert np.array_equal(loaded.calibration.apply(scores), scores)


@pytest.mark.parametrize("field", ["architecture", "view", "normalisation", "threshold", "frozen", "smooth_seconds"])
def test_a_value_that_is_missing_is_one_line(root: Root, field: str) -> None:
    said = json.loads(unsealed(root.read("models/m/model.json")))
    del said["result"][field]
    refused(root, said, field)


def test_clips_that_reach_for_hours_are_refused(root: Root) -> None:
    said = json.loads(unsealed(root.read("models/m/model.json")))
    said["result"]["architecture"] |= {"clip_frames": 10_000, "clip_stride": 10_000}
    refused(root, said, "architecture")


def test_a_huge_backbone_is_refused_by_the_weights_before_it_is_built(root: Root) -> None:
    said = json.loads(unsealed(root.read("models/m/model.json")))
    said["result"]["architecture"]["backbone"] = "vit_giant_patch14_224"  # 4 GB
    said["result"]["normalisation"] = {"mean": [0.5] * 3, "std": [0.5] * 3}
    said["result"]["view"]["size"] = 224
    refused(root, said, "do not fit it")


def test_a_backbone_of_another_picture_size_is_refused(root: Root) -> None:
    said = json.loads(unsealed(root.read("models/m/model.json")))
    said["result"]["architecture"]["backbone"] = "vit_tiny_patch16_224"
    said["result"]["normalisation"] = {"mean": [0.5] * 3, "std": [0.5] * 3}
    refused(root, said, "pictures of 96 px, its backbone of 224")


def refused(root: Root, said: dict[str, Any], names: str) -> None:
    root.write("models/m/model.json", json.dumps(said).encode())
    began = time.monotonic()
    tracemalloc.start()
    with pytest.raises((ModelError, StorageError)) as caught:
        load_bundle(root, "m")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    message = str(caught.value)
    assert "models/m/model" in message
    assert names in message or "JSON is malformed" in message  # which has no NaN and no Infinity
    assert "\n" not in message
    assert len(message) < 800
    assert time.monotonic() - began < 20
    assert peak < 200e6


Change = Callable[[dict[str, Tensor]], dict[str, Tensor]]


def without(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in weights.items() if name != "head.linear.bias"}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (without, "head.linear.bias is missing"),
        (lambda weights: {**weights, "x": torch.zeros(1)}, "x is of another network"),
        (lambda weights: {**weights, "head.linear.bias": torch.zeros(2)}, r"shape \[2\] in place of \[1\]"),
        (lambda weights: {**weights, "head.linear.bias": torch.zeros(1, dtype=torch.float16)}, "float16 in place"),
        (lambda weights: {**weights, "head.linear.bias": torch.tensor([NAN])}, "no numbers"),
        (lambda _: {}, "is missing"),
    ],
)
def test_weights_of_another_network_are_refused(root: Root, network: Network, change: Change, why: str) -> None:
    store(root, change(dict(network.state_dict())), network.normalisation)
    with pytest.raises(ModelError, match=rf"weights of .*models/m/model.json do not fit.*{why}.*--force") as caught:
        load_bundle(root, "m")
    assert "\n" not in str(caught.value)


def test_what_is_no_safetensors_is_refused(root: Root) -> None:
    made = manifest.load(root, "models/m/model.json", Model, "")
    for data in (b"", b"\xff" * 100, b"\x00" * 8, (10).to_bytes(8, "little") + b'{"a":1}xxx'):
        root.write(WEIGHTS, data)
        root.write(
            "models/m/model.json",
            replace(made, outputs=[Output.from_bytes(WEIGHTS, data)], stored=None).to_bytes(),
        )
        with pytest.raises(ModelError, match="do not fit"):
            load_bundle(root, "m")
