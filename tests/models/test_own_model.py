"""A signal and a model from outside of the library: two files, and a line in each registry."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from lolhl.evaluate import metrics
from lolhl.labels.spans import on_grid
from lolhl.labels.store import load_labels
from lolhl.models.arrays import HeadSettings, fit, score
from lolhl.models.registry import MODELS
from lolhl.signals import SIGNALS
from lolhl.signals.source import Source
from lolhl.stages.dataset import DatasetConfig, dataset
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.stages.infer import InferConfig, infer
from lolhl.stages.report import ReportConfig, report
from lolhl.storage import Root, open_root
from lolhl.tables import read_scores
from lolhl.tracks.filling import End, Gap, Measured
from lolhl.tracks.recipe import Layout
from lolhl.tracks.rows import Rows
from tests.cli.process import outcome
from tests.files import stored_bytes
from tests.models.steady import SteadyModel, SteadySettings
from tests.signals.brightness import open_brightness
from tests.streams import add_stream

VODS = ("a", "b", "c")


@dataclass(frozen=True)
class Silence:
    """A signal that needs no pictures, and that no VOD has."""

    fps: Fraction
    name = "silence"
    version = 1
    engine = ""
    view = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def measure(self, source: Source, layout: Layout, gap: Gap) -> Measured:  # noqa: ARG002
        instants = np.arange(gap.first, 200)
        yield Rows(instants / float(self.fps), np.full((len(instants), 3), np.nan, np.float16))
        return End(200, 200 / float(self.fps))


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIGNALS, "brightness", open_brightness)
    monkeypatch.setitem(SIGNALS, "silence", lambda view, _: Silence(view.fps))
    monkeypatch.setitem(MODELS, "steady", SteadyModel)


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Root:
    """Three streams with frames, and a dataset of two of them."""
    folder = tmp_path_factory.mktemp("own")
    root = open_root(str(folder / "root"))
    for seed, name in enumerate(VODS, start=1):
        add_stream(root, folder, name, seconds=150, seed=seed)
        extract(root, name, ExtractConfig(size=32))
    dataset(root, "d", VODS[:2], DatasetConfig(context_seconds=10))
    return root


def average_precision(root: Root, vod: str) -> float:
    key = f"highlights/{vod}/scores.parquet"
    scores = read_scores(stored_bytes(root, key), key, "", 450)
    return metrics.average_precision(on_grid(load_labels(root, vod), len(scores), ExtractConfig().fps), scores) or 0.0


def train_words(root: Root, name: str, *words: str) -> list[str]:
    learning = ["--learning-rate", "0.05", "--epochs", "8", "--batch", "2"]
    return ["train", name, "--dataset", "d", "--kind", "steady", *learning, *words, "--root", root.url]


def test_from_dataset_to_comparison(streams: Root, capsys: pytest.CaptureFixture[str]) -> None:
    root = streams
    code, out, err = outcome(capsys, train_words(root, "own", "--reach", "20"))
    assert code == 0, err
    assert out.startswith("train own")
    bundle = json.loads(root.read("models/own/model.json"))["result"]
    assert (bundle["kind"], bundle["settings"]["reach"], bundle["backbone"]) == ("steady", 20, None)
    assert list(bundle["signals"]) == ["brightness"]
    for config in (InferConfig(source="frames"), InferConfig(source="video")):
        infer(root, "own", "c", config)
        assert average_precision(root, "c") > 0.8
    assert report(root, "c", ReportConfig(clips="none")).result.highlights
    code, out, err = outcome(capsys, ["compare", "own", "--vods", "c", "--root", root.url])
    assert code == 0, err
    assert "own" in out
    assert "random" in out
    words = train_words(root, "own", "--reach", "20")
    before = {stat.key: stat.etag for stat in root.list("models/own/")}
    assert outcome(capsys, words)[0] == 0
    assert {stat.key: stat.etag for stat in root.list("models/own/")} == before
    assert outcome(capsys, [*words, "--force"])[0] == 0
    assert stored_bytes(root, "models/own/model.safetensors")


def test_a_vod_that_lacks_a_signal_is_no_error(streams: Root, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = outcome(capsys, train_words(streams, "both", "--steady-signals", "pictures,silence"))
    assert code == 0, err
    made = infer(streams, "both", "c")
    assert made.result.frames == 450
    assert infer(streams, "both", "c", InferConfig(source="video", mode="refine")).result.mode == "refine"
    assert average_precision(streams, "c") > 0.6


def test_a_setting_of_another_kind_is_a_wrong_call(streams: Root, capsys: pytest.CaptureFixture[str]) -> None:
    for words, message in (
        (["--clip-frames", "3"], "--clip-frames: --kind steady has no such setting; it is one of video"),
        (["--reach", "0"], "--reach 0: must be 1 to 999"),
        (["--kind", "nix"], "--kind 'nix': must be image, video"),
        (["--tune", "all"], "--tune all is for clips of pictures, not for --kind steady: leave it out"),
    ):
        code, out, err = outcome(capsys, train_words(streams, "wrong", *words))
        assert (code, out) == (2, "")
        assert message in err
        assert err.count("\n") == 1


def test_it_learns_from_arrays_too() -> None:
    rng = np.random.default_rng(0)
    labels = [np.arange(900) % 150 < 30 for _ in range(3)]
    tracks = [
        {"brightness": (rng.normal(size=(900, 2)) * 0.05 + 0.1 * label[:, None]).astype(np.float32)} for label in labels
    ]
    tracks[1]["brightness"][100:200] = np.nan
    settings = HeadSettings(
        kind="steady",
        model=SteadySettings(steady_signals="brightness,sound", reach=70),
        learning_rate=0.05,
        epochs=5,
        batch=2,
    )
    tracks[0]["sound"] = rng.normal(size=(900, 3)).astype(np.float16)  # the others are silent
    model = fit(tracks, labels, settings)
    (scores,) = score(model, tracks[2:])
    assert (metrics.average_precision(labels[2], scores) or 0) > 0.8
