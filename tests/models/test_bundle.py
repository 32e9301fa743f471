"""A bundle that is whole but wrong is refused at once, in one line that names file and field."""

import json
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

from lolhl import layout, manifest
from lolhl.errors import ModelError, StorageError
from lolhl.evaluate.calibration import Calibration
from lolhl.manifest import Output
from lolhl.models import bundle
from lolhl.models.bundle import load_bundle
from lolhl.models.network import Network
from lolhl.models.registry import MODELS
from lolhl.models.tcn import TcnSettings
from lolhl.models.video import VideoModel, VideoSettings
from lolhl.results import Model, SignalRecipe
from lolhl.storage import Root, open_root
from tests.bundles import store_bundle
from tests.results import MODEL, store, unsealed, written

SETTINGS = VideoSettings(hidden=16)
VIEW = {"fps": "30000/1001", "size": 96, "fit": "squeeze"}
WEIGHTS = "models/m/model.safetensors"
NAN, INFINITY = float("nan"), float("inf")


@pytest.fixture(scope="module")
def network() -> Network:
    torch.manual_seed(0)
    network = Network("resnet18")
    network.head = VideoModel(SETTINGS, {"pictures": network.width})
    return network


@pytest.fixture
def root(network: Network, tmp_path: Path) -> Root:
    """With model m."""
    root = open_root(str(tmp_path))
    store_bundle(root, "m", network, VIEW)
    return root


def change_weights(root: Root, change: "Change") -> None:
    """Stores other weights in place of those of model m."""
    made = manifest.load(root, layout.model("m"), Model, "")
    weights = change(safetensors.torch.load(root.read(WEIGHTS)))
    data = safetensors.torch.save({name: tensor.contiguous() for name, tensor in weights.items()})
    root.write(WEIGHTS, data)
    output = Output.from_bytes(WEIGHTS, data)
    root.write(layout.model("m"), replace(made, outputs=[output], stored=None).to_bytes())


def test_a_bundle_is_read_as_it_was_written(root: Root, network: Network) -> None:
    loaded = load_bundle(root, "m")
    assert (loaded.view.fps, loaded.view.size, loaded.threshold) == (Fraction(30000, 1001), 96, 0.5)
    assert loaded.encoder
    assert network.head
    whole = loaded.encoder.network()
    assert (whole.name, loaded.model.settings, loaded.model.widths) == ("resnet18", SETTINGS, {"pictures": 512})
    for part, stored in ((network.backbone, whole.backbone), (network.head, loaded.model)):
        for name, tensor in part.state_dict().items():
            assert torch.equal(stored.state_dict()[name], tensor)
    frames = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), dtype=np.uint8))
    assert torch.equal(whole.features(frames), network.eval().features(frames))


def test_signals_keep_the_order_of_the_settings(root: Root) -> None:
    """The weights that join signals have it. A manifest's keys are sorted, so they do not tell it."""
    wanted = {"sound": 5, "loudness": 2, "chat": 3}
    model = MODELS["tcn"](TcnSettings(signals=",".join(wanted)), wanted)
    with torch.no_grad():
        model.get_buffer("weights").copy_(torch.tensor([0.5, 0.3, 0.2]))
    output = written(root, WEIGHTS, bundle.weights_bytes(model, None))
    recipes = {name: SignalRecipe(version=1, settings={}, width=width) for name, width in wanted.items()}
    result = replace(MODEL, kind="tcn", settings=model.settings.recorded(), signals=recipes, backbone=None, view=VIEW)
    store(root, layout.model("m"), result, (output,))
    loaded = load_bundle(root, "m")
    assert [*loaded.model.widths.items()] == [*wanted.items()]
    assert [*loaded.signals] == [*wanted]
    assert loaded.model.get_buffer("weights").tolist() == pytest.approx([0.5, 0.3, 0.2])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("view.fps", value) for value in (0, 3, "0", "1e99999999", "240000/1", "3/0", "-3", "", None, "9" * 9999)),
        *(("view.size", value) for value in (None, 0, 15, 10**9, "96", 96.5, True, [96])),
        ("view.fit", "stretch"),
        *(("settings.clip_frames", value) for value in (0, -1, 10**9, 10**400, 2.5, "5", None)),
        *(("settings.clip_stride", value) for value in (0, 10**9, "3")),
        *(("settings.hidden", value) for value in (0, 10**9, "8")),
        *(("settings.dropout", value) for value in (1, -0.1, NAN, INFINITY, "0.5")),
        *(("backbone.name", value) for value in ("nix", "../x", "hf-hub:a/b", "", 18, "\n")),
        *(("kind", value) for value in ("sound", None)),
        ("settings", []),
        ("settings", {"nix": 3}),
        ("format", 3),
        ("signals", {}),
        ("signals", {"sound": {"version": 1, "settings": {}, "width": 3}}),
        *(("signals.pictures.width", value) for value in (0, 2.5, 10**7)),
        ("backbone", None),
        *(("threshold", value) for value in (-0.1, 1.1, NAN, INFINITY, "0.5", None)),
        *(("smooth_seconds", value) for value in (-1, 3601, NAN, 10**400)),
        *(("calibration.slope", value) for value in (0, -1, 1e9, NAN, "1", None)),
        *(("calibration.offset", value) for value in (-1e3, INFINITY, "0")),
        ("habits", {}),
        ("habits", {"share": 0.2}),
        ("habits", []),
        ("habits", "often"),
        *(("frozen", value) for value in ("yes", 1, None)),
        ("backbone.mean", [1, 2, NAN]),
        ("backbone.std", "0.5"),
        ("metrics", 3),
    ],
)  # fmt: skip
def test_a_wrong_value_is_one_line_at_once(root: Root, field: str, value: Any) -> None:
    values = json.loads(unsealed(root.read("models/m/model.json")))
    *path, last = field.split(".")
    part = values["result"]
    for step in path:
        part = part[step]
    part[last] = value
    assert_refused(root, values, field.split(".")[-1])


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


@pytest.mark.parametrize(
    "field", ["kind", "settings", "signals", "view", "backbone", "threshold", "frozen", "smooth_seconds"]
)
def test_a_value_that_is_missing_is_one_line(root: Root, field: str) -> None:
    values = json.loads(unsealed(root.read("models/m/model.json")))
    del values["result"][field]
    assert_refused(root, values, field)


def test_settings_or_widths_of_another_model_are_refused(root: Root) -> None:
    values = json.loads(unsealed(root.read("models/m/model.json")))
    values["result"]["signals"]["pictures"]["width"] = 511
    assert_refused(root, values, "head.project.weight has the shape [16, 512] in place of [16, 511]")
    values["result"]["kind"] = "image"
    assert_refused(root, values, "settings: got an unexpected keyword argument 'clip_frames'")


def test_clips_that_reach_for_hours_are_refused(root: Root) -> None:
    values = json.loads(unsealed(root.read("models/m/model.json")))
    values["result"]["settings"] |= {"clip_frames": 10_000, "clip_stride": 10_000}
    assert_refused(root, values, "settings")


def test_a_huge_backbone_is_refused_by_the_weights_before_it_is_built(root: Root) -> None:
    values = json.loads(unsealed(root.read("models/m/model.json")))
    values["result"]["backbone"] = {"name": "vit_giant_patch14_224", "mean": [0.5] * 3, "std": [0.5] * 3}  # 4 GB
    values["result"]["view"]["size"] = 224
    assert_refused(root, values, "do not fit it")


def test_a_backbone_of_another_picture_size_is_refused(root: Root) -> None:
    values = json.loads(unsealed(root.read("models/m/model.json")))
    values["result"]["backbone"] = {"name": "vit_tiny_patch16_224", "mean": [0.5] * 3, "std": [0.5] * 3}
    assert_refused(root, values, "pictures of 96 px, its backbone of 224")


def assert_refused(root: Root, values: dict[str, Any], names: str) -> None:
    """Loading model m with this manifest fails in one line that names the file and the fault, in little memory."""
    root.write("models/m/model.json", json.dumps(values).encode())
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
    assert peak < 200e6


@pytest.mark.parametrize("kind", ["image", "video"])
def test_a_bundle_of_lolhl_0_1_is_read(root: Root, network: Network, kind: str) -> None:
    """It had a backbone and a head in one, and no signals."""
    network.head = MODELS[kind](MODELS[kind].Settings(), {"pictures": 512})
    store_bundle(root, "m", network, VIEW)
    before = load_bundle(root, "m")
    values = json.loads(unsealed(root.read("models/m/model.json")))
    old = values["result"]
    for field in ("format", "kind", "settings", "signals"):
        del old[field]
    backbone = old.pop("backbone")
    old["normalisation"] = {"mean": backbone["mean"], "std": backbone["std"]}
    clips = {"clip_frames": 5, "clip_stride": 3} if kind == "video" else {"clip_frames": 1, "clip_stride": 1}
    old["architecture"] = {"kind": kind, "backbone": "resnet18", "hidden": 64, "dropout": 0.5, **clips}
    root.write("models/m/model.json", json.dumps(values).encode())
    loaded = load_bundle(root, "m")
    assert (loaded.model.settings, loaded.model.widths) == (before.model.settings, before.model.widths)
    assert loaded.encoder == before.encoder
    assert loaded.open("pictures").settings == before.open("pictures").settings
    del old["architecture"]["kind"]
    assert_refused(root, values, "kind")


def test_a_signal_of_another_version_is_refused(root: Root) -> None:
    for field, value in (("version", 2), ("settings", {"size": 64, "fit": "squeeze"})):
        values = json.loads(unsealed(root.read("models/m/model.json")))
        values["result"]["signals"]["pictures"][field] = value
        root.write("models/other/model.json", json.dumps(values).encode())
        root.write("models/other/model.safetensors", root.read("models/m/model.safetensors"))
        (output,) = values["outputs"]
        output["key"] = "models/other/model.safetensors"
        root.write("models/other/model.json", json.dumps(values).encode())
        with pytest.raises(ModelError, match="learnt from another version of the signal pictures: run `lolhl train"):
            load_bundle(root, "other").open("pictures")


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
def test_weights_of_another_network_are_refused(root: Root, change: Change, why: str) -> None:
    change_weights(root, change)
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
