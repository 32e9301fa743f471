"""events: what happened in the games that a VOD shows, counted round each instant."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from lolhl import manifest
from lolhl.errors import Damaged, MissingInput
from lolhl.grid import time_of
from lolhl.results import GameEvent, Games, Vod
from lolhl.signals import inputs_of, make_track, open_signal
from lolhl.signals.events import COLUMNS, EventsSignal, counts, times_by_column
from lolhl.signals.source import video_source
from lolhl.stages.track import TrackConfig, track
from lolhl.storage import Root, open_root
from lolhl.vod.view import View
from tests.results import VOD, store

EVENTS = [
    GameEvent(time=20, kind="kill", whose="player"),
    GameEvent(time=20, kind="death", whose="enemy"),
    GameEvent(time=21, kind="kill", whose="player"),
    GameEvent(time=21, kind="double_kill", whose="player"),
    GameEvent(time=40, kind="kill", whose="team"),
    GameEvent(time=40, kind="assist", whose="player"),
    GameEvent(time=41, kind="kill", whose="enemy"),
    GameEvent(time=41, kind="death", whose="player"),
    GameEvent(time=50, kind="baron", whose="enemy"),
    GameEvent(time=50, kind="first_blood", whose="enemy"),
]
GAMES = Games(vod="v", games=[], remakes=[], events=EVENTS, placed="roughly", labelled=True)


@pytest.fixture
def root(tmp_path: Path) -> Root:
    root = open_root(str(tmp_path / "root"))
    store(root, "vods/v/vod.json", VOD)
    return root


def played(root: Root, games: Games = GAMES) -> None:
    """The games as `lolhl riot` leaves them."""
    vod = manifest.load(root, "vods/v/vod.json", Vod)
    store(root, "games/v.json", games, inputs={"vods/v/vod.json": vod.content_digest(), "accounts": "0"})


def signal() -> EventsSignal:
    opened = open_signal("events", View(VOD.fps / 10, 64, "squeeze"), lambda: pytest.fail("no backbone is needed"))
    assert isinstance(opened, EventsSignal)
    return opened


def test_who_did_what_is_counted_in_ten_seconds() -> None:
    at = np.array([14.9, 15.0, 20.5, 25.5, 26.1, 40.5, 50.0, 55.1])
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in counts(times_by_column(EVENTS), at, 10.0).tolist()]
    shown = [{column: count for column, count in row.items() if count} for row in rows]
    fight = {"assists": 1, "deaths": 1, "team_kills": 1, "enemy_kills": 1}
    assert shown == [
        {},
        {},
        {"kills": 2, "multi_kills": 1},
        {"kills": 1, "multi_kills": 1},
        {},
        fight,
        {"objectives": 1},
        {},
    ]


def test_the_track_needs_no_video(root: Root) -> None:
    played(root)
    made = make_track(signal(), video_source(root, "v"), "grid")
    assert len(made) == 180
    assert made.known.all()
    kills = made.read(0, 180).values[:, COLUMNS.index("kills")]
    times = [time_of(int(row), VOD.fps / 10) for row in np.flatnonzero(kills)]
    assert [min(times), max(times), float(kills.max())] == pytest.approx([15 + 1 / 3, 26, 2])


def test_games_that_change_make_another_track(root: Root) -> None:
    source = video_source(root, "v")
    assert make_track(signal(), source, "grid").made.result.unknown == 180
    assert inputs_of(signal(), source) == source.inputs
    played(root)
    assert make_track(signal(), source, "grid").made.result.unknown == 0
    assert inputs_of(signal(), source).keys() == {"vods/v/vod.json", "games/v.json"}
    played(root, replace(GAMES, events=EVENTS[:2]))
    changed = make_track(signal(), source, "grid").read(0, 180).values
    assert changed.sum(axis=0).tolist() == [30, 0, 0, 0, 0, 0, 0]
    assert len([stat for stat in root.list("tracks/v/") if stat.key.endswith("track.json")]) == 2  # and no third


def test_a_vod_stored_anew_needs_its_games_looked_for_again(root: Root) -> None:
    played(root)
    store(root, "vods/v/vod.json", VOD, offset=100.0)
    with pytest.raises(MissingInput, match=r"games/v.json is older than vods/v/vod.json: run `lolhl riot v --riot-id"):
        track(root, "v", TrackConfig(signal="events"))


def test_damaged_games_are_named(root: Root) -> None:
    root.write("games/v.json", b"{}")
    with pytest.raises(Damaged, match=r"games/v.json is no manifest .*: run `lolhl riot v --riot-id … --force`"):
        track(root, "v", TrackConfig(signal="events"))
