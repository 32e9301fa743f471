"""A converted backbone stays in the cache of the machine, so that the next run neither builds nor converts it."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from lolhl.backbones import openvino_runtime
from lolhl.backbones.encoder import Encoder
from lolhl.backbones.feature_runtime import open_runtime
from lolhl.models.network import Network

# Slow, and so in another process than the tests that send SIGTERM to themselves: after many compiled backbones that
# signal ended the process with SIGSEGV, for a reason that is not known.
pytestmark = pytest.mark.slow

SIDE = 64
PICTURES = np.random.default_rng(0).integers(0, 256, (4, SIDE, SIDE, 3), dtype=np.uint8)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("LOLHL_CACHE", str(tmp_path))
    openvino_runtime.forget()
    yield tmp_path / "backbones"
    openvino_runtime.forget()


def encoder(seed: int = 0) -> Encoder:
    torch.manual_seed(seed)
    return Encoder.from_network(Network("resnet18").eval())


def features(encoder: Encoder) -> npt.NDArray[np.float16]:
    openvino_runtime.forget()
    (batch,) = open_runtime(encoder, torch.device("cpu")).run([PICTURES])
    return batch


def refuse_to_build() -> Network:
    raise AssertionError("the backbone was built again")


def test_the_second_run_does_not_build_the_backbone(cache: Path) -> None:
    first = encoder()
    assert not openvino_runtime.is_kept(first, SIDE)
    batch = features(first)
    assert openvino_runtime.is_kept(first, SIDE)
    np.testing.assert_array_equal(features(replace(first, network=refuse_to_build)), batch)
    assert len(list(cache.iterdir())) == 1


@pytest.mark.usefixtures("cache")
def test_other_weights_and_other_sizes_are_other_backbones() -> None:
    features(encoder())
    assert not openvino_runtime.is_kept(encoder(seed=1), SIDE)
    assert not openvino_runtime.is_kept(encoder(), SIDE + 32)
    assert not openvino_runtime.is_kept(replace(encoder(), mean=(0.0, 0.0, 0.0)), SIDE)


@pytest.mark.parametrize("name", ["model.bin", "model.xml", "sha256"])
def test_what_is_damaged_is_made_anew(cache: Path, name: str) -> None:
    batch = features(encoder())
    (kept,) = cache.iterdir()
    (kept / name).write_bytes((kept / name).read_bytes()[:-7])
    assert not openvino_runtime.is_kept(encoder(), SIDE)
    np.testing.assert_array_equal(features(encoder()), batch)
    assert openvino_runtime.is_kept(encoder(), SIDE)


def test_without_room_for_it_the_backbone_runs_all_the_same(cache: Path) -> None:
    cache.write_text("a file where the folder belongs")
    assert features(encoder()).shape == (4, 512)
    assert not openvino_runtime.is_kept(encoder(), SIDE)


def test_the_ones_that_were_not_used_for_longest_go(cache: Path) -> None:
    cache.mkdir()
    for number in range(20):
        old = cache / f"{number:040x}"
        old.mkdir()
        os.utime(old, (number, number))
    features(encoder())
    names = {path.name for path in cache.iterdir()}
    assert openvino_runtime.is_kept(encoder(), SIDE)
    assert len(names) == 12
    assert f"{19:040x}" in names
    assert f"{0:040x}" not in names
