"""infer where a VOD's games are known: what lies outside of them is not looked at closely."""

import io
import shutil
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from lolhl import grid
from lolhl.models.bundle import load_bundle
from lolhl.signals import fill_track
from lolhl.signals.source import video_source
from lolhl.stages.download import download
from lolhl.stages.infer import InferConfig, infer
from lolhl.stages.train import TrainConfig, train
from lolhl.storage import Root, open_root
from lolhl.tracks.scattered import Scattered
from tests.clock_results import shown_games
from tests.files import stored_bytes
from tests.videos import numbered_video

GAME = (70.0, 100.0)
TIMES = grid.times(540, Fraction(3))
INSIDE = (TIMES >= 40) & (TIMES < 130)  # with room


@pytest.fixture(scope="module")
def trained(streams: Root, tmp_path_factory: pytest.TempPathFactory) -> Root:
    """A model of single pictures, so that a score depends on one picture alone."""
    folder = tmp_path_factory.mktemp("trained") / "root"
    shutil.copytree(streams.url, folder)
    root = open_root(str(folder))
    train(root, "m", TrainConfig(dataset="d", kind="image", learning_rate=1e-3, epochs=2, batch=32))
    return root


@pytest.fixture
def root(trained: Root, tmp_path: Path) -> Root:
    shutil.copytree(trained.url, tmp_path / "root")
    return open_root(str(tmp_path / "root"))


def scores(root: Root, vod: str = "b") -> npt.NDArray[np.float32]:
    return pl.read_parquet(io.BytesIO(stored_bytes(root, f"highlights/{vod}/scores.parquet")))["score"].to_numpy()


def looked_at(root: Root, vod: str, frames: int) -> npt.NDArray[np.bool_]:
    """The instants whose pictures were decoded, but for key frames."""
    signal = load_bundle(root, "m").open("pictures")
    return Scattered.open(root, fill_track(signal, video_source(root, vod, "cpu"), "grid").recipe).known(frames)


def refined(closer: float = 0.5, **more: str) -> InferConfig:
    return InferConfig(**{"source": "video", "decoder": "cpu", "mode": "refine", "closer": closer, **more})  # type: ignore[arg-type]


def test_pictures_outside_of_games_are_skipped(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    infer(root, "m", "b", refined(mode="scan"))
    scan = scores(root)
    shown_games(root, "b", [GAME])
    made = infer(root, "m", "b", refined(closer=1.0))
    first = scores(root)
    assert "infer b: 0:01:30 of it (50 %) lie outside of games, where it looks at key frames alone" in caplog.text
    assert np.array_equal(looked_at(root, "b", 540), INSIDE & (TIMES % 2 != 0))
    assert infer(root, "m", "b", refined(closer=1.0)) == made
    assert "infer: done already" in caplog.text
    infer(root, "m", "b", refined(mode="grid"))
    whole = scores(root)
    assert np.array_equal(first[INSIDE], whole[INSIDE])
    assert np.array_equal(first[~INSIDE], scan[~INSIDE])
    assert not np.array_equal(whole[~INSIDE], scan[~INSIDE])
    # What is stored meanwhile changes nothing.
    infer(root, "m", "b", refined(closer=1.0), force=True)
    assert np.array_equal(scores(root), first)
    infer(root, "m", "b", refined(closer=1.0, between_games="look"))
    assert np.array_equal(scores(root), whole)


def test_the_closer_look_is_shared_among_games(root: Root) -> None:
    shown_games(root, "b", [GAME])
    infer(root, "m", "b", refined(closer=0.4))
    looked = looked_at(root, "b", 540)
    assert not looked[~INSIDE].any()
    keys = INSIDE & (TIMES % 2 == 0)
    assert (looked | keys)[INSIDE].mean() == pytest.approx(0.4 + 0.6 / 6, abs=0.05)


def test_without_games_nothing_changes(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    made = infer(root, "m", "b", refined())
    caplog.set_level("INFO")
    shown_games(root, "b", [])  # another game's stream
    assert infer(root, "m", "b", refined()) == made
    shown_games(root, "b", [GAME])
    assert infer(root, "m", "b", refined()).inputs.keys() - made.inputs.keys() == {"clocks/b.json"}
    for other in (refined(mode="grid"), refined(mode="scan"), InferConfig(source="frames")):
        assert "clocks/b.json" not in infer(root, "m", "b", other).inputs
    look = infer(root, "m", "b", refined(between_games="look"))
    assert look.inputs == made.inputs
    assert look.outputs == made.outputs


def test_key_frames_that_come_seldom_do_for_what_lies_between_games(root: Root, tmp_path: Path) -> None:
    download(root, str(numbered_video(tmp_path / "seldom.mp4", seconds=120, fps=Fraction(6), gop=20)))
    everywhere = infer(root, "m", "seldom", InferConfig(decoder="cpu"))
    assert everywhere.result.mode == "grid"
    shutil.rmtree(Path(root.url) / "tracks/seldom")
    shown_games(root, "seldom", [(60, 70)])
    whole = scores(root, "seldom")
    assert infer(root, "m", "seldom", InferConfig(decoder="cpu")).result.mode == "refine"
    times = grid.times(360, Fraction(3))
    inside = (times >= 30) & (times < 100)
    looked = looked_at(root, "seldom", 360)
    assert looked[inside].sum() >= inside.sum() - 4
    assert not looked[(times < 20) | (times >= 100)].any()
    assert np.array_equal(scores(root, "seldom")[inside], whole[inside])
