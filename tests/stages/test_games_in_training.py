"""A model that learns of what happened in games is trained again when these are others."""

from dataclasses import replace
from pathlib import Path

import pytest

from lolhl import manifest
from lolhl.models.tcn import TcnSettings
from lolhl.results import GameEvent, Games, Vod
from lolhl.stages.dataset import DatasetConfig, dataset
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.stages.train import TrainConfig, train
from lolhl.storage import Root, open_root
from tests.results import store
from tests.streams import add_stream

EVENTS = TrainConfig(dataset="d", kind="tcn", model=TcnSettings(signals="sound,events"), epochs=1)
SOUND = TrainConfig(dataset="d", kind="tcn", model=TcnSettings(signals="sound"), epochs=1)


@pytest.fixture
def root(tmp_path: Path) -> Root:
    root = open_root(str(tmp_path / "root"))
    add_stream(root, tmp_path, "a", seconds=120, seed=1)
    extract(root, "a", ExtractConfig(size=32))
    dataset(root, "d", ["a"], DatasetConfig(context_seconds=10))
    return root


def played(root: Root, games: Games) -> None:
    """The games as `lolhl riot` leaves them."""
    vod = manifest.load(root, "vods/a/vod.json", Vod)
    store(root, "games/a.json", games, inputs={"vods/a/vod.json": vod.content_digest()})


def test_games_that_came_later_are_learnt_from(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    games = Games(vod="a", games=[], remakes=[], events=[], placed="roughly", labelled=True)
    before = train(root, "m", EVENTS)
    sound = train(root, "s", SOUND)
    assert list(before.result.signals) == ["sound"]  # nobody has asked for the games
    assert train(root, "m", EVENTS) == before
    played(root, replace(games, events=[GameEvent(time=20, kind="kill", whose="player")]))
    some = train(root, "m", EVENTS)
    assert {*some.result.signals} == {"sound", "events"}
    played(root, replace(games, events=[GameEvent(time=90, kind="kill", whose="player")]))
    others = train(root, "m", EVENTS)
    assert others.outputs != some.outputs
    caplog.set_level("INFO")
    for key in [stat.key for stat in root.list("frames/")]:  # removed to save room: nothing has changed by that
        root.delete(key)
    assert train(root, "m", EVENTS) == others
    assert train(root, "s", SOUND) == sound
    assert caplog.text.count("train: done already") == 2
