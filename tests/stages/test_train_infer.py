"""train and infer: what is learnt from one stream finds the highlights of another."""

import io
import json
import logging
import os
import re
import shlex
import shutil
import subprocess
import sys
from fractions import Fraction
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st

from lolhl import cli, grid
from lolhl.errors import DatasetError, MissingInput, ModelError, StorageError, UsageError
from lolhl.evaluate import metrics
from lolhl.labels.spans import on_grid
from lolhl.labels.store import load_labels, save_labels
from lolhl.models.bundle import load_bundle
from lolhl.models.tcn import TcnSettings
from lolhl.models.video import VideoSettings
from lolhl.stages.dataset import DatasetConfig, dataset
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.stages.highlights import highlights
from lolhl.stages.infer import InferConfig, infer
from lolhl.stages.picture_scores import _between
from lolhl.stages.track import TrackConfig, track
from lolhl.stages.train import TrainConfig, train
from lolhl.storage import Root, open_root
from lolhl.vod.decode import Mode
from tests.files import stored_bytes, stored_key
from tests.results import unsealed

WEIGHTS = "models/m/model.safetensors"
QUICK = TrainConfig(dataset="d", kind="image", learning_rate=1e-3, epochs=6, batch=32)
CLIPS = TrainConfig(dataset="d", epochs=12, batch=16, kind="video", model=VideoSettings(clip_stride=2, hidden=32))


@pytest.fixture
def root(streams: Root, tmp_path: Path) -> Root:
    shutil.copytree(streams.url, tmp_path / "root")
    return open_root(str(tmp_path / "root"))


def scores(root: Root, vod: str) -> npt.NDArray[np.float32]:
    table = pl.read_parquet(io.BytesIO(stored_bytes(root, f"highlights/{vod}/scores.parquet")))
    assert table["frame"].to_list() == list(range(540))
    assert table["time"].to_list() == [k / 3 for k in range(540)]
    return table["score"].to_numpy()


def average_precision(root: Root, vod: str) -> float:
    probabilities = scores(root, vod)
    value = metrics.average_precision(on_grid(load_labels(root, vod), len(probabilities), Fraction(3)), probabilities)
    assert value is not None
    return value


@pytest.mark.parametrize("config", [QUICK, CLIPS], ids=["image", "video"])
def test_what_one_stream_teaches_finds_the_other_s_highlights(root: Root, config: TrainConfig) -> None:
    made = train(root, "m", config)
    infer(root, "m", "b")
    assert average_precision(root, "b") > 0.9
    figures = made.result.metrics.smoothed
    assert (figures.model.average_precision or 0) > (figures.random.average_precision or 0) + 0.3
    assert figures.model.base_rate == figures.constant.average_precision
    assert 0 < made.result.threshold < 1
    for event in made.result.metrics.events:
        assert 0 < event.matched <= event.labelled <= 8
        assert (event.f1 or 0) > 0.5
    assert root.stat("models/m/unfinished.ckpt") is None


def test_frames_and_video_give_the_same_scores_but_for_jpeg(root: Root) -> None:
    train(root, "m", QUICK)
    frames = infer(root, "m", "b", InferConfig(source="frames"))
    from_frames = scores(root, "b")
    video = infer(root, "m", "b", InferConfig(source="video", mode="grid"))
    assert (frames.result.source, video.result.source) == ("frames", "video")
    assert np.abs(scores(root, "b") - from_frames).mean() < 0.06
    assert np.corrcoef(scores(root, "b"), from_frames)[0, 1] > 0.9
    assert abs(average_precision(root, "b") - 1) < 0.05


def test_a_scan_and_closer_looks_on_the_way_to_the_whole_grid(root: Root) -> None:
    train(root, "m", CLIPS)
    assert infer(root, "m", "b", InferConfig(source="video", decoder="cpu")).result.mode == "refine"

    def from_video(mode: Mode, closer: float = 0.25) -> npt.NDArray[np.float32]:
        config = InferConfig(source="video", decoder="cpu", mode=mode, closer=closer)
        assert infer(root, "m", "b", config).result.mode == mode
        return scores(root, "b")

    whole, scan, some, full = (
        from_video("grid"), from_video("scan"), from_video("refine", 0.2), from_video("refine", 1.0)
    )  # fmt: skip
    assert np.array_equal(full, whole)
    assert not np.array_equal(scan, whole)
    instants, keys = grid.times(540, Fraction(3)), np.arange(0, 180, 2.0)
    looked = _between(keys, instants, scan, 0.2)
    reach = np.ones(9)  # a clip has frames up to 4 instants away
    exact = np.convolve(looked | np.isin(instants, keys), reach, "same") == 9
    untouched = np.convolve(looked, reach, "same") == 0
    assert 0.02 < exact.mean() < 0.2 < untouched.mean() < 0.8
    assert np.allclose(some[exact], whole[exact], atol=1e-6)
    assert np.allclose(some[untouched], scan[untouched], atol=1e-6)
    assert np.abs(some - whole).mean() < np.abs(scan - whole).mean()
    # Every frame is known now, and nothing else is faster.
    assert infer(root, "m", "b", InferConfig(source="video", decoder="cpu"), force=True).result.mode == "grid"
    # Scores by a closer look are no longer what is asked for.
    shutil.rmtree(Path(root.url) / "tracks/b")
    assert infer(root, "m", "b", InferConfig(source="video", decoder="cpu"), force=True).result.mode == "refine"
    track(root, "b", TrackConfig(model="m", source="video", decoder="cpu"))
    assert infer(root, "m", "b", InferConfig(source="video", decoder="cpu")).result.mode == "grid"
    assert np.array_equal(scores(root, "b"), whole)


@pytest.mark.parametrize("change", [{"version": 0}, {"settings": {"size": 1}}])
def test_a_model_that_learnt_from_signals_of_before_learns_anew(
    root: Root, change: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    """Else `train` would take for done what `infer` refuses."""
    config = TrainConfig(dataset="d", kind="tcn", epochs=1, model=TcnSettings(signals="motion"))
    made = train(root, "m", config)
    values = json.loads(unsealed(root.read("models/m/model.json")))
    values["result"]["signals"]["motion"] |= change
    root.write("models/m/model.json", json.dumps(values).encode())
    with pytest.raises(ModelError, match="another version of the signal motion"):
        infer(root, "m", "b")
    assert train(root, "m", config).result.signals == made.result.signals
    assert "train m: it learnt from another version of its signals, and learns anew" in caplog.text
    infer(root, "m", "b")
    caplog.clear()
    train(root, "m", config)
    assert "learns anew" not in caplog.text


def test_labels_that_changed_since_the_dataset_was_made_are_told(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    train(root, "m", QUICK)
    assert "changed since" not in caplog.text
    save_labels(root, "a", load_labels(root, "a")[1:])
    train(root, "m", QUICK)
    assert "train m: labels/a.tsv changed since the dataset was made" in caplog.text
    assert "first run `lolhl dataset d a --fps 3" in caplog.text


def test_what_is_stored_changes_no_score(root: Root) -> None:
    """Whatever an earlier run has looked at, the scores are those of a run that begins with nothing."""
    train(root, "m", CLIPS)
    ways: list[tuple[Mode, float]] = [("scan", 0.4), ("refine", 0.2), ("refine", 0.5), ("refine", 0.3), ("grid", 0.4)]
    configs = [InferConfig(source="video", decoder="cpu", mode=mode, closer=closer) for mode, closer in ways]
    expected = []
    for config in configs:
        shutil.rmtree(Path(root.url) / "tracks/b", ignore_errors=True)
        infer(root, "m", "b", config, force=True)
        expected.append(scores(root, "b"))
    shutil.rmtree(Path(root.url) / "tracks/b")
    for config, first in [*zip(configs, expected, strict=True), *zip(configs, expected, strict=True)]:
        infer(root, "m", "b", config, force=True)
        assert np.array_equal(scores(root, "b"), first)


def test_a_video_whose_tracks_are_stored_is_not_looked_at_again(root: Root) -> None:
    train(root, "m", CLIPS)
    modes: tuple[Mode, ...] = ("scan", "refine", "grid")
    configs = [InferConfig(source="video", decoder="cpu", mode=mode) for mode in modes]
    expected = []
    for config in configs:
        infer(root, "m", "b", config)
        expected.append(scores(root, "b"))
    Path(root.url, "vods/b/video.mp4").unlink()
    for config, first in zip(configs, expected, strict=True):
        infer(root, "m", "b", config, force=True)
        assert np.array_equal(scores(root, "b"), first)


rates = st.sampled_from([Fraction(3), Fraction(1, 2), Fraction(30000, 1001)])


@given(st.lists(st.floats(0.4, 9), min_size=1, max_size=20), rates, st.floats(0.01, 1), st.integers(0, 2**32 - 1))
def test_a_closer_look_is_at_all_between_the_key_frames_with_the_highest_scores(
    gaps: list[float], fps: Fraction, share: float, seed: int
) -> None:
    times = np.cumsum(gaps) - gaps[0]
    instants = grid.times(grid.first_frame_at(times[-1] + 2, fps), fps)
    scores = np.random.default_rng(seed).random(len(instants)).astype(np.float32)
    wanted = _between(times, instants, scores, share)
    group = np.searchsorted(times, instants, side="right")
    unseen = ~np.isin(instants, times)
    assert not wanted[~unseen].any()
    taken = np.unique(group[wanted])
    assert np.array_equal(wanted, np.isin(group, taken) & unseen)
    others = np.setdiff1d(group[unseen], taken)
    if taken.size and others.size:
        assert min(scores[group == one].max() for one in taken) >= max(scores[group == one].max() for one in others)
    largest = np.bincount(group).max()
    assert min(unseen.sum(), share * len(instants) - (~unseen).sum()) <= wanted.sum() < share * len(instants) + largest


def test_of_several_frame_sets_the_best_that_fits_is_scored(root: Root) -> None:
    train(root, "m", QUICK)
    assert infer(root, "m", "b").result.frame_set == "3fps-96px-squeeze-q90"
    for config in (ExtractConfig(size=64), ExtractConfig(size=96, quality=99, mode="scan")):
        extract(root, "b", config)
        assert infer(root, "m", "b").result.frame_set == "3fps-96px-squeeze-q90"
    extract(root, "b", ExtractConfig(size=96, quality=95))
    assert infer(root, "m", "b").result.frame_set == "3fps-96px-squeeze-q95"
    assert infer(root, "m", "b", InferConfig(source="video")).result.frame_set is None


def test_key_frames_alone_can_be_learnt_from_and_scored(root: Root) -> None:
    shutil.rmtree(Path(root.url) / "frames")
    for vod in "ab":
        extract(root, vod, ExtractConfig(size=96, mode="scan"))
    dataset(root, "d", ["a"], DatasetConfig(context_seconds=10))
    train(root, "m", CLIPS)
    assert infer(root, "m", "b").result.mode == "scan"
    assert average_precision(root, "b") > 0.5
    with pytest.raises(ModelError, match=r"key frames only.*--mode grid"):
        infer(root, "m", "b", InferConfig(source="frames", mode="grid"))
    assert infer(root, "m", "b", InferConfig(mode="grid")).result.source == "video"
    with pytest.raises(DatasetError, match="clips reach"):
        train(root, "wide", TrainConfig(dataset="d", kind="video", model=VideoSettings(clip_frames=11, clip_stride=5)))


def test_a_head_that_learnt_from_one_engine_s_features_works_on_another_s(
    root: Root, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        without.setitem(sys.modules, "openvino", None)
        train(root, "m", QUICK)
        infer(root, "m", "b", InferConfig(source="frames"))
        by_torch = scores(root, "b")
    infer(root, "m", "b", InferConfig(source="frames"), force=True)
    assert np.array_equal(scores(root, "b"), by_torch)  # by the features that are stored
    shutil.rmtree(Path(root.url) / "tracks/b")
    infer(root, "m", "b", InferConfig(source="frames"), force=True)
    (made,) = [stat.key for stat in root.list("tracks/b/") if stat.key.endswith("track.json")]
    assert json.loads(root.read(made))["result"]["engine"] != "torch-f32"
    assert 0 < np.abs(scores(root, "b") - by_torch).mean() < 0.05
    assert average_precision(root, "b") > 0.9


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(root: Root) -> None:
    first = train(root, "m", CLIPS)
    again = train(root, "m", CLIPS, force=True)
    assert again.to_bytes() == first.to_bytes()
    for change in ({"seed": 1}, {"model": VideoSettings(clip_stride=2, hidden=32, dropout=0.6)}):
        other = train(root, "m", TrainConfig(**{**vars(CLIPS), **change}))
        assert other.outputs != first.outputs


def test_a_bundle_holds_no_code_and_all_that_is_needed(root: Root) -> None:
    made = train(root, "m", QUICK)
    weights = safetensors.torch.load(stored_bytes(root, WEIGHTS))
    assert weights["head.linear.weight"].shape == (1, 1280)
    result = json.loads(root.read("models/m/model.json"))["result"]
    assert (result["format"], result["kind"], result["settings"]) == (2, "image", {"dropout": 0.5})
    assert result["signals"] == {"pictures": {"version": 1, "settings": {"fit": "squeeze", "size": 96}, "width": 1280}}
    assert result["backbone"] == {"name": "tf_efficientnet_lite0", "mean": [0.5] * 3, "std": [0.5] * 3}
    assert result["view"] == {"fps": "3", "size": 96, "fit": "squeeze"}
    assert result["versions"]["torch"] == torch.__version__
    bundle = load_bundle(root, "m")
    assert bundle.threshold == made.result.threshold
    data = bytearray(stored_bytes(root, WEIGHTS))
    data[-1] ^= 1
    root.write(stored_key(root, WEIGHTS), bytes(data))
    with pytest.raises(StorageError, match="damaged"):
        load_bundle(root, "m")


def test_files_of_mlflow_lie_beside_its_database(root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "mlflow").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow/own.db")
    train(root, "m", TrainConfig(**{**vars(QUICK), "epochs": 1}))
    assert len(list((tmp_path / "mlflow/artifacts").rglob("model-*.safetensors"))) == 1
    assert not list((tmp_path / "here").iterdir())


def test_mlflow_has_parameters_curves_bundle_and_alias(root: Root) -> None:
    from mlflow import MlflowClient

    train(root, "m", QUICK)
    client = MlflowClient(f"sqlite:///{Path(root.url).absolute()}/mlflow/mlflow.db")
    version = client.get_model_version_by_alias("lolhl", "challenger")
    assert version.run_id is not None
    run = client.get_run(version.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["backbone"] == "tf_efficientnet_lite0"
    assert [m.step for m in client.get_metric_history(version.run_id, "val_ap")] == list(range(6))
    assert run.data.metrics["average_precision"] > run.data.metrics["average_precision_random"]
    assert {f"event_{name}_tiou_{at}" for name in ("f1", "precision", "recall") for at in (0.3, 0.5)} <= {
        *run.data.metrics
    }
    folder = Path(client.download_artifacts(version.run_id, "bundle"))
    assert (folder / "model.json").read_bytes() == root.read("models/m/model.json")
    assert (folder / PurePosixPath(stored_key(root, WEIGHTS)).name).read_bytes() == stored_bytes(root, WEIGHTS)
    train(root, "m2", TrainConfig(**{**vars(QUICK), "seed": 5}))
    assert int(client.get_model_version_by_alias("lolhl", "challenger").version) == int(version.version) + 1


def test_early_stopping_keeps_the_best_epoch(root: Root) -> None:
    made = train(root, "m", TrainConfig(**{**vars(QUICK), "epochs": 30, "patience": 2}))
    curve = [figures[2] for figures in made.result.epochs]
    assert len(curve) < 30
    assert made.result.best_epoch == int(np.argmax(curve))
    assert len(curve) == made.result.best_epoch + 3


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["resnet18", "mobilenetv3_small_050"])
def test_a_network_can_be_learnt_from_scratch_with_its_backbone(root: Root, backbone: str) -> None:
    config = TrainConfig(
        dataset="d", kind="image", backbone=backbone, weights="none", tune="all", epochs=6, batch=16, learning_rate=1e-3
    )
    made = train(root, "m", config)
    infer(root, "m", "b")
    assert not made.result.frozen
    assert average_precision(root, "b") > 0.4  # the base rate is 0.2
    assert not list(root.list("tracks/"))  # no other model has this backbone


@pytest.mark.slow
def test_torchvision_s_pretrained_weights_come_from_its_cache(
    root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torchvision

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    torch.manual_seed(7)
    net = torchvision.models.resnet18()
    cache = tmp_path / "torch" / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    torch.save(net.state_dict(), cache / "resnet18-f37072fd.pth")
    train(root, "m", TrainConfig(**{**vars(QUICK), "backbone": "resnet18"}))
    weights = safetensors.torch.load(stored_bytes(root, WEIGHTS))
    assert torch.equal(weights["backbone.conv1.weight"], net.conv1.weight)


def test_weights_that_cannot_be_had_are_one_line(root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for proxy in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(proxy, "http://127.0.0.1:9")
    with pytest.raises(ModelError, match="no pretrained weights for resnet34") as raised:
        train(root, "m", TrainConfig(**{**vars(QUICK), "backbone": "resnet34"}))
    assert "\n" not in str(raised.value)
    assert root.stat("models/m/model.json") is None


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["image", "video"])
def test_two_processes_train_a_model_as_good(root: Root, tmp_path: Path, kind: str) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "OMP_NUM_THREADS": "1"}
    command = ["torchx", "run", "-s", "local_cwd", "-cfg", f"log_dir={tmp_path}/logs", "components/train.py:train"]
    options = ["--kind", kind, "--epochs", "12", "--batch", "16"]
    options += ["--clip-frames", "5", "--clip-stride", "2"] if kind == "video" else []
    command += ["-j", "1x2", "--", "both", "--dataset", "d", "--root", root.url, *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    logs = "\n".join(log.read_text() for log in (tmp_path / "logs").rglob("std*.log"))
    assert done.returncode == 0, done.stderr + logs
    infer(root, "both", "b")
    assert average_precision(root, "b") > 0.9


def test_a_model_listens_to_what_there_is(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    """A signal that no VOD of the dataset has gets no head: one that has learnt nothing would have a say elsewhere."""
    caplog.set_level(logging.INFO)
    listening = TcnSettings(signals="pictures,chat,sound")
    made = train(root, "m", TrainConfig(dataset="d", epochs=6, learning_rate=2e-3, model=listening)).result
    assert (made.kind, made.settings["signals"]) == ("tcn", "pictures,sound")
    assert [*made.signals] == ["pictures", "sound"]
    assert "no VOD of the dataset has chat: it learns from pictures and sound" in caplog.text
    assert TrainConfig().model == TcnSettings(signals="pictures,sound")
    assert infer(root, "m", "b").result.explained_by == ["pictures", "sound"]
    assert average_precision(root, "b") > 0.9
    for highlight in highlights(root, "b").result.highlights:  # the sound of these streams says nothing
        assert highlight.reason.endswith(", driven by pictures")
    with pytest.raises(DatasetError, match="no VOD of the dataset has chat: choose other --signals"):
        train(root, "n", TrainConfig(dataset="d", model=TcnSettings(signals="chat")))


def test_what_does_not_fit_together_is_refused(root: Root) -> None:
    with pytest.raises(MissingInput, match="lolhl dataset"):
        train(root, "m", TrainConfig(dataset="none"))
    with pytest.raises(DatasetError, match=r"--context-seconds 24"):
        train(root, "m", TrainConfig(dataset="d", kind="video", model=VideoSettings(clip_frames=25, clip_stride=6)))
    with pytest.raises(UsageError, match="no such backbone"):
        train(root, "m", TrainConfig(dataset="d", backbone="resnet9000"))
    with pytest.raises(UsageError, match="--tune all"):
        TrainConfig(weights="none", tune="head")
    with pytest.raises(UsageError, match="--backbone resnet18: the model sees no pictures: leave it out"):
        TrainConfig(dataset="d", backbone="resnet18", model=TcnSettings(signals="sound"))
    assert root.stat("models/m/model.json") is None
    with pytest.raises(MissingInput, match="lolhl train nix"):
        infer(root, "nix", "b")
    train(root, "m", QUICK)
    shutil.rmtree(Path(root.url) / "frames/b")
    extract(root, "b", ExtractConfig(size=64))
    with pytest.raises(ModelError, match="needs frames at 3 fps, 96 px"):
        infer(root, "m", "b", InferConfig(source="frames"))
    assert infer(root, "m", "b").result.source == "video"
    with pytest.raises(MissingInput, match="lolhl download"):
        infer(root, "m", "c")


def test_a_damaged_dataset_is_made_again_by_the_command_that_is_named(root: Root) -> None:
    config = DatasetConfig(context_seconds=12, validation=0.3, seed=5)
    made = dataset(root, "e", ["a"], config)
    root.write(made.outputs[0].key, b"no table")
    with pytest.raises(StorageError) as raised:
        train(root, "n", TrainConfig(dataset="e"))
    advice = re.search("`lolhl (.*)`", str(raised.value))
    assert advice
    assert cli.main([*shlex.split(advice[1]), "--root", root.url]) == 0
    assert dataset(root, "e", ["a"], config).to_bytes() == made.to_bytes()
    assert made.read(root, made.outputs[0].key, "")
