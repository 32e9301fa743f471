"""Features of frames: stored once, read back where they lie, and made for instants without a picture."""

import tracemalloc
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lolhl import grid
from lolhl.errors import ModelError
from lolhl.frames.frameset import FrameSet
from lolhl.labels.spans import Span
from lolhl.models import features
from lolhl.models.encoder import Encoder
from lolhl.models.engine import Engine, Features, Pictures, open_engine
from lolhl.models.network import Architecture, Network
from lolhl.stages.download import download
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.storage import open_root
from tests.streams import action_video


@pytest.fixture(scope="module")
def engine() -> Engine:
    torch.manual_seed(0)
    network = Network(Architecture("image", "resnet18", 1, 1, 8, 0.5)).eval()
    return open_engine(Encoder.of(network), torch.device("cpu"))


def frames(folder: Path, mode: Literal["grid", "scan"]) -> FrameSet:
    """20 s: 60 instants; in scan mode with a picture every 2 s."""
    root = open_root(str(folder / "root"))
    download(root, str(action_video(folder / "v.mp4", [Span(6, 11)], seconds=20)))
    config = ExtractConfig(size=32, mode=mode)
    extract(root, "v", config)
    return FrameSet.load(root, "v", config.spec)


def counting(engine: Engine, seen: list[int], most: int = 10**9) -> Engine:
    """The engine, noting the pictures that it is given; the run dies once there were `most`."""

    def noted(batches: Iterable[Pictures]) -> Iterator[Pictures]:
        for batch in batches:
            seen.append(len(batch))
            if sum(seen) > most:
                raise KeyboardInterrupt
            yield batch

    return replace(engine, run=lambda batches: engine.run(noted(batches)))


@pytest.mark.parametrize("mode", ["grid", "scan"])
def test_what_is_stored_is_what_the_engine_gives(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Literal["grid", "scan"]
) -> None:
    monkeypatch.setattr(features, "_PART", 4)
    of = frames(tmp_path, mode)
    assert of.is_whole == (mode == "grid")
    of_pictures = np.concatenate(list(features.of_pictures(engine, of.pictures(range(len(of.times))))))
    expected = features.spread(of.times, of_pictures, grid.times(60, of.view.fps))
    assert expected.dtype == np.float16
    assert expected.std(0).max() > 0
    np.testing.assert_array_equal(np.concatenate(list(features.of_frames(engine, of))), expected)
    seen: list[int] = []
    for pictures in (len(of.times), 0):  # nothing is computed twice
        seen.clear()
        found = features.stored(counting(engine, seen), of)
        assert sum(seen) == pictures
        assert len(found) == 60
        np.testing.assert_array_equal(np.concatenate(list(found.batches())), expected)
        for numbers in ([59, 0, 17, 17, 16], [5], list(range(60)), []):
            chosen = np.array(numbers, dtype=np.int64)
            np.testing.assert_array_equal(found[chosen], expected[chosen])


def test_a_run_that_was_killed_goes_on_and_damage_is_mended(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "_PART", 8)
    of = frames(tmp_path, "grid")
    seen: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        features.stored(counting(engine, seen, most=30), of)
    folder = f"{of.features}/{engine.key}/"
    parts = [stat.key for stat in of.root.list(folder)]
    assert 2 <= len(parts) <= 4
    of.root.write(parts[1], of.root.read(parts[1])[:-2])
    seen.clear()
    found = features.stored(counting(engine, seen), of)
    assert sum(seen) == 60 - 8 * (len(parts) - 1)
    np.testing.assert_array_equal(found[np.arange(60)], np.concatenate(list(features.of_frames(engine, of))))


@pytest.mark.parametrize("damage", ["no numbers", "too narrow", "other kind"])
def test_stored_features_that_are_wrong_are_made_anew(
    engine: Engine, tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    of = frames(tmp_path, "scan")
    right = features.stored(engine, of)[np.arange(60)]
    (key,) = [stat.key for stat in of.root.list(f"{of.features}/{engine.key}/")]
    part = np.load(of.root.local(key))
    changed = {"no numbers": part * np.nan, "too narrow": part[:, 1:], "other kind": part.astype(np.float32)}[damage]
    of.root.write(key, features._npy(changed))
    np.testing.assert_array_equal(features.stored(engine, of)[np.arange(60)], right)
    assert f"{key} is damaged, and is made anew" in caplog.text


def test_a_backbone_whose_features_are_no_numbers_is_named(engine: Engine, tmp_path: Path) -> None:
    of = frames(tmp_path, "scan")
    broken = replace(engine, run=lambda batches: (batch * np.float16("inf") for batch in engine.run(batches)))
    with pytest.raises(ModelError, match=r"VOD v .* no numbers: choose another --backbone"):
        features.stored(broken, of)
    assert not list(of.root.list("frames/v/features/"))


def test_features_of_another_engine_are_not_mixed_in(engine: Engine, tmp_path: Path) -> None:
    of = frames(tmp_path, "scan")
    features.stored(engine, of)
    seen: list[int] = []
    features.stored(counting(replace(engine, name="other"), seen), of)
    assert sum(seen) == len(of.times)


def test_reading_takes_memory_for_what_is_asked_alone(tmp_path: Path) -> None:
    root = open_root(str(tmp_path))
    keys = ("0.npy", "1.npy")
    for key in keys:
        root.write(key, features._npy(np.ones((2048, 1280), dtype=np.float16)))  # 5 MB
    of = features._Rows(root, keys, tuple(root.local(key) for key in keys))
    tracemalloc.start()
    for first in range(0, 4096, 16):
        of[np.arange(first, first + 16)]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 500_000


rows = arrays.arrays(np.float16, st.tuples(st.integers(1, 12), st.just(3)), elements=st.floats(-60, 60, width=16))


@given(rows, st.data())
def test_spread_is_linear_between_pictures_and_held_at_the_ends(found: Features, data: st.DataObject) -> None:
    steps = data.draw(st.lists(st.floats(0.01, 50), min_size=len(found), max_size=len(found)))
    times = np.cumsum(steps)
    wanted: npt.NDArray[np.float64] = np.array(data.draw(st.lists(st.floats(-10, 700), max_size=20)), dtype=np.float64)
    spread = features.spread(times, found, wanted)
    assert spread.dtype == np.float16
    each_column = [np.interp(wanted, times, found[:, column].astype(np.float64)) for column in range(3)]
    np.testing.assert_allclose(spread, np.stack(each_column, axis=1), rtol=2e-3, atol=1e-3)
    np.testing.assert_array_equal(features.spread(times, found, times), found)
