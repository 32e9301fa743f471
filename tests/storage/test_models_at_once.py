"""Trainings and scorings in a bucket at the same time, or killed: a model or scores that stand are whole."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from lolhl import layout, manifest
from lolhl.errors import Conflict
from lolhl.models.bundle import load_bundle
from lolhl.results import Model, Scoring
from lolhl.stages.dataset import DatasetConfig, dataset
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.stages.infer import infer
from lolhl.stages.train import TrainConfig, train
from lolhl.storage import Root, open_root
from tests.servers import S3Server
from tests.storage.conftest import fresh, use
from tests.streams import add_stream

ONE = TrainConfig(dataset="d", kind="image", epochs=1, batch=32)
OTHER = replace(ONE, seed=1)

pytestmark = pytest.mark.slow


class Killed(Exception):
    pass


class Interrupted:
    """A root where something happens just before a manifest is written."""

    def __init__(self, root: Root, key: str, happens: Callable[[], object]) -> None:
        self._root, self._key, self._happens = root, key, happens

    def write_if(self, key: str, data: bytes, etag: str | None) -> None:
        if key == self._key:
            self._happens()
        self._root.write_if(key, data, etag)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._root, name)


def interrupted(root: Root, key: str, happens: Callable[[], object]) -> Root:
    return cast(Root, Interrupted(root, key, happens))


def die() -> None:
    raise Killed


@pytest.fixture
def root(weed: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Root:
    """A bucket with dataset d of stream a."""
    use(weed, monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)  # MLflow's file lies there
    root = open_root(fresh(weed))
    add_stream(root, tmp_path, "a", seconds=180, seed=1)
    extract(root, "a", ExtractConfig(size=96))
    dataset(root, "d", ["a"], DatasetConfig(context_seconds=10))
    return root


def test_a_forced_training_that_is_killed_before_its_manifest_leaves_the_earlier_model(root: Root) -> None:
    earlier = train(root, "m", ONE)
    with pytest.raises(Killed):
        train(interrupted(root, layout.model("m"), die), "m", OTHER, force=True)
    assert manifest.load(root, layout.model("m"), Model) == earlier
    assert load_bundle(root, "m").digest == earlier.content_digest()
    assert load_bundle(root, "m").digest != train(root, "m", OTHER, force=True).content_digest()
    assert load_bundle(root, "m").name == "m"


def test_of_runs_whose_writes_cross_one_stands_whole(root: Root) -> None:
    with pytest.raises(Conflict, match=r"models/m/model.json was written by another run in the meantime: run again"):
        train(interrupted(root, layout.model("m"), lambda: train(root, "m", OTHER)), "m", ONE)
    assert manifest.load(root, layout.model("m"), Model).config["seed"] == 1
    assert load_bundle(root, "m").name == "m"

    train(root, "n", ONE)
    with pytest.raises(Conflict):
        infer(interrupted(root, layout.scoring("a"), lambda: infer(root, "n", "a")), "m", "a")
    scoring = manifest.load(root, layout.scoring("a"), Scoring)
    assert scoring.result.model == "n"
    assert scoring.read(root, layout.scores("a"), "")
