"""track: what train and infer look at, computed ahead of time and elsewhere."""

import json
import shutil
import sys
from pathlib import Path

import pytest

from lolhl.errors import MissingInput, ModelError, UsageError
from lolhl.stages.infer import InferConfig, infer
from lolhl.stages.track import TrackConfig, track
from lolhl.stages.train import TrainConfig, train
from lolhl.storage import Root, open_root
from tests.files import stored_bytes
from tests.stages.conftest import SMALL

SCORES = "highlights/b/scores.parquet"
VIDEO = InferConfig(source="video", decoder="cpu")
QUICK = TrainConfig(dataset="d", kind="image", learning_rate=1e-3, epochs=2, batch=32)


@pytest.fixture
def root(streams: Root, tmp_path: Path) -> Root:
    shutil.copytree(streams.url, tmp_path / "root")
    return open_root(str(tmp_path / "root"))


def remove_pictures(root: Root) -> None:
    """Whoever looks at a picture now fails."""
    for stat in [*root.list("frames/"), *root.list("vods/")]:
        if stat.key.endswith((".tar", ".mp4")):
            root.delete(stat.key)


def test_training_and_scoring_read_what_was_computed_before(root: Root, tmp_path: Path) -> None:
    other = open_root(str(shutil.copytree(root.url, tmp_path / "other")))
    expected = train(other, "m", QUICK)
    infer(other, "m", "b")
    for vod in "ab":
        made = track(root, vod, TrackConfig(size=96))
        assert (made.result.source, made.result.layout, made.result.rows) == ("frames", "grid", 540)
        assert track(root, vod, TrackConfig(size=96)).to_bytes() == made.to_bytes()
    remove_pictures(root)
    assert train(root, "m", QUICK).to_bytes() == expected.to_bytes()
    infer(root, "m", "b")
    assert stored_bytes(root, SCORES) == stored_bytes(other, SCORES)


@pytest.mark.parametrize("mode", ["grid", "scan"])
def test_a_model_s_own_tracks_of_a_video(root: Root, mode: str) -> None:
    train(root, "m", QUICK)
    made = track(root, "b", TrackConfig(model="m", source="video", mode="grid" if mode == "grid" else "scan"))
    assert (made.result.layout, made.result.source) == (mode, "video")
    assert made.result.rows == (540 if mode == "grid" else 90)
    remove_pictures(root)
    config = VIDEO if mode == "grid" else InferConfig(source="video", decoder="cpu", mode="scan")
    assert infer(root, "m", "b", config).result.mode == mode


def test_a_backbone_that_learnt_has_tracks_when_they_are_asked_for(root: Root) -> None:
    train(root, "m", TrainConfig(dataset="d", kind="image", tune="all", epochs=1, batch=32, learning_rate=1e-4))
    infer(root, "m", "b")
    expected = stored_bytes(root, SCORES)
    assert not list(root.list("tracks/b/"))
    track(root, "b", TrackConfig(model="m"))
    remove_pictures(root)
    infer(root, "m", "b", force=True)
    assert stored_bytes(root, SCORES) == expected


def test_a_track_of_another_engine_serves_where_it_was_stored(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    train(root, "m", QUICK)
    shutil.rmtree(Path(root.url) / "tracks")
    with monkeypatch.context() as elsewhere:
        elsewhere.setitem(sys.modules, "openvino", None)
        track(root, "b", TrackConfig(size=96))
    remove_pictures(root)
    infer(root, "m", "b")
    (key,) = [stat.key for stat in root.list("tracks/b/") if stat.key.endswith(".json")]
    assert json.loads(root.read(key))["result"]["engine"] == "torch-f32"


def test_what_cannot_be_measured_is_one_line(root: Root) -> None:
    with pytest.raises(MissingInput, match="lolhl download … --name zzz"):
        track(root, "zzz")
    with pytest.raises(MissingInput, match="lolhl train nix"):
        track(root, "b", TrackConfig(model="nix"))
    with pytest.raises(UsageError, match="no such backbone"):
        track(root, "b", TrackConfig(backbone="resnet9000"))
    with pytest.raises(UsageError, match="--size 8"):
        TrackConfig(size=8)
    with pytest.raises(ModelError, match="signal pictures needs frames at 3 fps, 64 px"):
        track(root, "b", TrackConfig(size=64, source="frames"))
    assert SMALL.view.size == 96
    assert not list(root.list("tracks/"))
