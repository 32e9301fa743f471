"""Models learn from videos whose frames nobody extracted."""

import logging
import shutil
import subprocess
from pathlib import Path

import pytest

from lolhl import layout
from lolhl.errors import MissingInput
from lolhl.evaluate import metrics
from lolhl.labels.spans import Span, on_grid
from lolhl.labels.store import load_labels, save_labels
from lolhl.models.image import ImageSettings
from lolhl.stages.dataset import DatasetConfig, dataset
from lolhl.stages.download import download
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.stages.infer import InferConfig, infer
from lolhl.stages.retrain import RetrainConfig, retrain
from lolhl.stages.scores import load_scored
from lolhl.stages.train import TrainConfig, train
from lolhl.storage import Root, open_root
from tests.streams import action_video, some_spans

SMALL = DatasetConfig(context_seconds=10, size=96)
IMAGE = TrainConfig(dataset="d", kind="image", learning_rate=1e-3, epochs=6, batch=32, model=ImageSettings())


@pytest.fixture
def root(streams: Root, tmp_path: Path) -> Root:
    """Streams a and b with labels, and without a frame."""
    shutil.copytree(streams.url, tmp_path / "root", ignore=shutil.ignore_patterns("frames", "datasets", "tracks"))
    return open_root(str(tmp_path / "root"))


@pytest.mark.parametrize("config", [IMAGE, TrainConfig(dataset="d", epochs=6)], ids=["image", "tcn"])
def test_a_model_learns_from_a_video_and_leaves_no_frames(root: Root, config: TrainConfig) -> None:
    made = dataset(root, "d", ["a"], SMALL)
    assert (made.result.size, made.inputs["view"]) == (96, "3fps-96px-squeeze")
    train(root, "m", config)
    assert not list(root.list("frames/"))
    stored = {stat.key for stat in root.list("tracks/a/")}
    scoring = infer(root, "m", "b", InferConfig(mode="grid"))
    probabilities = load_scored(root, "b", scoring).probabilities
    value = metrics.average_precision(
        on_grid(load_labels(root, "b"), len(probabilities), scoring.result.fps), probabilities
    )
    assert value is not None
    assert value > 0.9
    # Scores of the stream that was learnt from are made of the very tracks that training stored.
    infer(root, "m", "a", InferConfig(mode="grid"))
    assert {stat.key for stat in root.list("tracks/a/")} == stored


def test_frames_of_one_vod_stand_beside_the_video_of_another(streams: Root, tmp_path: Path) -> None:
    shutil.copytree(streams.url, tmp_path / "root")
    root = open_root(str(tmp_path / "root"))
    shutil.rmtree(tmp_path / "root/frames/b")
    made = dataset(root, "both", ["a", "b"])
    assert {layout.vod("b"), "frames/a/3fps-96px-squeeze-q90/frameset.json"} < {*made.inputs}
    assert layout.vod("a") not in made.inputs
    train(root, "m", TrainConfig(dataset="both", epochs=1))
    learnt_from = {stat.key.split("/")[1] for stat in root.list("tracks/")}
    assert learnt_from == {"a", "b"}


def test_another_view_makes_another_dataset(root: Root) -> None:
    first = dataset(root, "d", ["a"], SMALL)
    assert dataset(root, "d", ["a"], SMALL).content_digest() == first.content_digest()
    other = dataset(root, "d", ["a"], DatasetConfig(context_seconds=10, size=64))
    assert other.result.size == 64


def test_a_video_that_breaks_off_is_learnt_from_up_to_there(
    root: Root, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It claims its whole length, and what is labelled behind the break is neither learnt nor judged by."""
    whole = tmp_path / "whole.mp4"
    action_video(whole, some_spans(180, 1), seconds=180, seed=1)
    video = tmp_path / "c.mp4"
    front = ["ffmpeg", "-v", "error", "-i", str(whole), "-c", "copy", "-movflags", "faststart", str(video)]
    subprocess.run(front, check=True)
    size = video.stat().st_size
    with video.open("r+b") as file:
        file.truncate(size * 2 // 3)
    download(root, str(video))
    save_labels(root, "c", [*some_spans(110, 1), Span(150, 155), Span(160, 168)])
    dataset(root, "d", ["c"], SMALL)
    with caplog.at_level(logging.WARNING):
        made = train(root, "m", TrainConfig(dataset="d", epochs=2))
    assert "VOD c ends at 0:0" in caplog.text
    assert "and not at 0:03:00 as its video claims" in caplog.text
    habits = made.result.habits
    assert habits is not None
    assert habits.highlights == len(some_spans(110, 1))


def test_what_cannot_be_learnt_from_a_video_says_what_to_do(root: Root, tmp_path: Path) -> None:
    dataset(root, "d", ["a"], SMALL)
    with pytest.raises(MissingInput, match="--tune all learns from pictures, and VOD a has no frames: run `lolhl extr"):
        train(root, "m", TrainConfig(**{**vars(IMAGE), "tune": "all"}))
    action_video(tmp_path / "a.mp4", some_spans(180, 5), seconds=180, seed=5)
    download(root, str(tmp_path / "a.mp4"), force=True)
    with pytest.raises(
        MissingInput, match=r"datasets/d/dataset.json is older than vods/a/vod.json: run `lolhl dataset d "
    ):
        train(root, "m", IMAGE)
    (tmp_path / "root/vods/a/vod.json").unlink()
    with pytest.raises(MissingInput, match="VOD a has neither frames nor a video: run `lolhl download … --name a`"):
        dataset(root, "d", ["a"], SMALL)


@pytest.mark.slow
def test_retraining_extracts_frames_only_for_a_model_that_needs_them(root: Root) -> None:
    assert retrain(root, RetrainConfig(judge="b")).result.promoted
    assert not list(root.list("frames/"))
    assert retrain(root, RetrainConfig(judge="b")).result.nothing_new
    extract(root, "a", ExtractConfig(size=96))
    dataset(root, "d", ["a"], DatasetConfig(context_seconds=10))
    deep = {"tune": "all", "epochs": 1, "backbone": "resnet18", "weights": "none"}
    train(root, "deep", TrainConfig(**{**vars(IMAGE), **deep}))
    retrain(root, RetrainConfig(judge="b", like="deep"))
    assert [*root.list("frames/b/")]
