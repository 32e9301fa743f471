import json
import logging
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import pytest

from lolhl.errors import LabelError, MissingInput, UsageError
from lolhl.labels.spans import Span
from lolhl.labels.store import VodLabels, load_labels, read_labels
from lolhl.stages.labels import Imported, LabelsConfig, labels
from lolhl.storage import Root, open_root
from tests.labels.real import OWN, real_labels
from tests.matches import made
from tests.results import VOD, store


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return open_root(str(tmp_path / "root"))


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def downloaded(root: Root, vod: str, duration: float) -> None:
    store(root, f"vods/{vod}/vod.json", VOD, vod=vod, duration=duration)


def stored(root: Root) -> dict[str, bytes]:
    return {stat.key: root.read(stat.key) for stat in root.list("labels/")}


def test_the_real_labels(root: Root, tmp_path: Path) -> None:
    file = write(tmp_path / "highlights.tsv", real_labels())
    assert labels(root, file) == [Imported("1863051677", 166, 3060.0, None), Imported("1886367077", 34, 610.0, None)]
    assert len(load_labels(root, "1863051677", 21927)) == 166
    once = stored(root)
    assert set(once) == {"labels/1863051677.tsv", "labels/1886367077.tsv"}
    for key in once:  # what was stored can be imported again
        labels(root, write(tmp_path / "again.tsv", once[key]))
    assert stored(root) == once


def test_a_vod_s_labels_are_replaced_as_a_whole(root: Root, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    file = write(tmp_path / "a.tsv", OWN)
    labels(root, file)
    other = stored(root)["labels/1886367077.tsv"]
    etag = root.stat("labels/1863051677.tsv")
    assert [done.before for done in labels(root, file)] == [3, 2]
    assert "done already (labels/1863051677.tsv)" in caplog.text
    assert root.stat("labels/1863051677.tsv") == etag
    assert [done.before for done in labels(root, file, force=True)] == [3, 2]
    assert root.stat("labels/1863051677.tsv") != etag

    write(file, b"vid_id\tstart\tstop\n1863051677\t1:00\t2:00\n")
    assert labels(root, file) == [Imported("1863051677", 1, 60.0, 3)]
    assert "VOD 1863051677 has 1 labels now, 60 s, in place of 3" in caplog.text
    assert stored(root)["labels/1863051677.tsv"] == b"vid_id\tstart\tstop\n1863051677\t0:01:00\t0:02:00\n"
    assert stored(root)["labels/1886367077.tsv"] == other


def test_the_format_goes_by_the_ending(root: Root, tmp_path: Path) -> None:
    labels(root, write(tmp_path / "a.CSV", b"vid_id;start;stop\na;1:00;2:00\n"))
    export = [{"id": 1, "data": {"video": "b.mp4"}, "annotations": [{"result": [
        {"type": "timelinelabels", "value": {"ranges": [{"start": 31, "end": 60}], "timelinelabels": ["Kill"]}}
    ]}]}]  # fmt: skip
    file = write(tmp_path / "b.json", json.dumps(export).encode())
    labels(root, file, LabelsConfig(fps=Fraction(30)))
    assert stored(root) == {
        "labels/a.tsv": b"vid_id\tstart\tstop\na\t0:01:00\t0:02:00\n",
        "labels/b.tsv": b"vid_id\tstart\tstop\tname\nb\t0:00:01\t0:00:02\tKill\n",
    }
    labels(root, file, LabelsConfig(seconds=True))
    assert load_labels(root, "b") == [Span(31, 60, "Kill")]
    labels(root, write(tmp_path / "labels", OWN), LabelsConfig(format="tsv"))
    assert len(stored(root)) == 4


def test_a_stream_without_highlights(root: Root, tmp_path: Path) -> None:
    file = write(tmp_path / "a.tsv", b"start\tstop\n")
    assert labels(root, file, LabelsConfig(vod="a")) == [Imported("a", 0, 0, None)]
    assert load_labels(root, "a") == []


def test_downloaded_vods_are_the_known_ones(root: Root, tmp_path: Path) -> None:
    file = write(tmp_path / "a.tsv", OWN)
    downloaded(root, "1863051677", 4000)
    with pytest.raises(LabelError, match=r"a.tsv:6: VOD 1886367077 is unknown"):
        labels(root, file)
    assert stored(root) == {}  # nothing of the other VOD either
    assert [done.vod for done in labels(root, file, LabelsConfig(allow_unknown=True))] == ["1863051677", "1886367077"]


def test_the_length_of_a_downloaded_vod_counts_always(root: Root, tmp_path: Path) -> None:
    downloaded(root, "1863051677", 3000)
    for allow in (False, True):
        with pytest.raises(LabelError, match=r"a.tsv:5: .* out of the video of VOD 1863051677, which ends at 0:50:00"):
            labels(root, write(tmp_path / "a.tsv", OWN), LabelsConfig(allow_unknown=allow))
    assert stored(root) == {}


@pytest.mark.parametrize(
    ("name", "config", "message"),
    [
        ("a.xlsx", LabelsConfig(), "its ending does not tell its format"),
        ("a.json", LabelsConfig(), "either --fps, .* or --seconds"),
        ("a.json", LabelsConfig(fps=Fraction(24), seconds=True), "either --fps"),
        ("a.tsv", LabelsConfig(fps=Fraction(24)), "--fps is for formats that count frames, and tsv holds times"),
        ("a.tsv", LabelsConfig(format="csv", seconds=True), "--seconds is for label-studio only, and this is csv"),
        ("a.edl", LabelsConfig(vod="a"), "a.edl: it counts frames, .*: give --fps"),
        ("a.edl", LabelsConfig(fps=Fraction(30)), "a.edl: it does not name its VOD: give --vod"),
        ("b.edl", LabelsConfig(vod="a"), "b.edl: it is none of resolve-markers, edl by its content: .* --format"),
        ("a.llc", LabelsConfig(vod="a"), "a.llc: this is no project of LosslessCut"),
        ("a.tsv", LabelsConfig(vod="a"), r"a.tsv:1: .*do not give one VOD"),
        ("none.tsv", LabelsConfig(), "none.tsv: it cannot be read: No such file"),
        (".", LabelsConfig(format="tsv"), "it cannot be read: Is a directory"),
        ("head.tsv", LabelsConfig(), "it has no labels"),
    ],
)
def test_bad_calls(root: Root, tmp_path: Path, name: str, config: LabelsConfig, message: str) -> None:
    for file in ("a.xlsx", "a.json", "a.tsv"):
        write(tmp_path / file, OWN)
    write(tmp_path / "a.edl", b"001  AX  AA/V  C  00:00:01:00 00:00:02:00 01:00:00:00 01:00:01:00\n")
    for file in ("b.edl", "a.llc"):
        write(tmp_path / file, OWN)
    write(tmp_path / "head.tsv", b"vid_id\tstart\tstop\n")
    with pytest.raises(UsageError, match=message):
        labels(root, tmp_path / name, config)
    assert stored(root) == {}


def test_no_frame_rate() -> None:
    with pytest.raises(UsageError, match="--fps 0"):
        LabelsConfig(fps=Fraction(0))


def test_labels_changed_by_hand(root: Root) -> None:
    with pytest.raises(MissingInput, match=r"labels/a.tsv does not exist: .*`lolhl labels FILE`"):
        load_labels(root, "a")
    root.write("labels/a.tsv", b"vid_id\tstart\tstop\nb\t0:01\t0:02\n")
    with pytest.raises(LabelError, match=r"labels/a.tsv: it has rows of VOD b"):
        load_labels(root, "a")
    root.write("labels/a.tsv", b"vid_id\tstart\tstop\na\t0:01\t0:02\na\t0:09\t0:08\n")
    with pytest.raises(LabelError, match=r"labels/a.tsv:3: .* inverted"):
        load_labels(root, "a")
    root.write("labels/a.tsv", b"vid_id\tstart\tstop\na\t0:01\t0:02\n")
    with pytest.raises(LabelError, match=r"labels/a.tsv:2: .* out of the video"):
        load_labels(root, "a", 0.5)
    with pytest.raises(UsageError, match="is no name"):
        load_labels(root, "../a")


GAME = LabelsConfig(vod="v", game_start=754.5, player="1")
FIGHT = Span(1042.5, 1071.5, "triple kill, ace, shutdown", 7.5, "riot EUW1_7123456789")


@pytest.fixture
def timeline(tmp_path: Path) -> Path:
    return write(tmp_path / "timeline.json", made.data(made.timeline(*made.FIGHT)))


def test_the_timeline_of_a_game(root: Root, timeline: Path) -> None:
    downloaded(root, "v", 4000)
    (done,) = labels(root, timeline, GAME)
    assert (done.labels, round(done.seconds, 3)) == (1, 29.0)
    assert load_labels(root, "v", 4000) == [FIGHT]
    assert stored(root)["labels/v.tsv"].splitlines() == [
        b"vid_id\tstart\tstop\tname\tscore\tsource",
        b"v\t0:17:22.500\t0:17:51.500\ttriple kill, ace, shutdown\t7.5\triot EUW1_7123456789",
    ]


def test_games_of_one_stream_lie_beside_each_other(root: Root, timeline: Path, tmp_path: Path) -> None:
    labels(root, timeline, GAME)
    second = made.data(made.timeline(made.kill(60, 6, 1), made.kill(200, 1, 6), match_id="EUW1_2"))
    other = write(tmp_path / "2.json", second)
    (done,) = labels(root, other, LabelsConfig(format="riot-timeline", vod="v", game_start=5000, player="1"))
    assert (done.labels, done.before) == (2, 1)
    for force in (False, True):  # which is for what a person gave
        labels(root, timeline, LabelsConfig(vod="v", game_start=755.5, player="1"), force=force)
        sources = [(span.start, span.source) for span in load_labels(root, "v")]
        assert sources == [(1043.5, "riot EUW1_7123456789"), (5188, "riot EUW1_2")]


def test_events_never_take_the_place_of_what_a_person_gave(root: Root, timeline: Path, tmp_path: Path) -> None:
    labels(root, write(tmp_path / "a.tsv", b"vid_id\tstart\tstop\nv\t1:00\t2:00\n"))
    before = stored(root)
    with pytest.raises(UsageError, match=r"VOD v has labels that a person gave, .*: .* add --force"):
        labels(root, timeline, GAME)
    assert stored(root) == before
    labels(root, timeline, GAME, force=True)
    assert load_labels(root, "v") == [FIGHT]
    labels(root, write(tmp_path / "none.tsv", b"start\tstop\n"), LabelsConfig(vod="v"))  # a person may, always
    with pytest.raises(UsageError, match="labels that a person gave"):  # namely that there are none
        labels(root, timeline, GAME)


def test_a_game_is_placed_roughly_by_when_the_stream_was_recorded(
    root: Root, timeline: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorded = datetime.fromtimestamp(made.BEGAN - 600, UTC)
    store(root, "vods/v/vod.json", VOD, vod="v", duration=4000.0, recorded_at=recorded, offset=100.0)
    labels(root, timeline, LabelsConfig(vod="v", player="1"))
    (span,) = load_labels(root, "v")
    assert span.start == 600 - 100 + 300 - 12
    assert "begins at 500 s of VOD v by the clocks of Twitch and Riot; this is rough: " in caplog.text
    caplog.clear()
    labels(root, timeline, LabelsConfig(vod="v", player="1", game_start=0))
    assert "rough" not in caplog.text


def test_who_the_player_is(root: Root, timeline: Path, tmp_path: Path) -> None:
    match = write(tmp_path / "match.json", made.data(made.match()))
    for player in ("me#euw", made.puuid("Me"), "1"):
        labels(root, timeline, LabelsConfig(vod="v", game_start=754.5, player=player, match=str(match)))
        assert load_labels(root, "v") == [FIGHT]
    with pytest.raises(LabelError, match=r"'Me#EUW' has not played in game EUW1_7123456789: .*; .* by --match"):
        labels(root, timeline, LabelsConfig(vod="v", game_start=0, player="Me#EUW"))
    with pytest.raises(LabelError, match=r"'You#EUW' has not played in game EUW1_7123456789: Me#EUW, Player2#EUW"):
        labels(root, timeline, LabelsConfig(vod="v", game_start=0, player="You#EUW", match=str(match)))
    other = write(tmp_path / "other.json", made.data(made.match(match_id="EUW1_1")))
    with pytest.raises(LabelError, match=r"timeline.json: it is of game EUW1_7123456789, and --match of EUW1_1"):
        labels(root, timeline, LabelsConfig(vod="v", game_start=0, player="1", match=str(other)))


def test_own_rules(root: Root, timeline: Path, tmp_path: Path) -> None:
    rules = write(tmp_path / "rules.toml", b"[ace]\nbefore = 3\nafter = 1\nname = 'all of them'\n")
    labels(root, timeline, LabelsConfig(vod="v", game_start=0, player="1", rules=str(rules)))
    assert load_labels(root, "v") == [Span(306, 310, "all of them", 1, "riot EUW1_7123456789")]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (LabelsConfig(game_start=0), "timeline.json: it does not name its VOD: give --vod"),
        (LabelsConfig(vod="v"), "nobody knows when VOD v was recorded: give --game-start"),
        (LabelsConfig(vod="v", game_start=-9000), "no event of game EUW1_7123456789 counts by the rules and lies"),
        (LabelsConfig(vod="v", game_start=0, player="10"), "no event of game .* --player"),
        (LabelsConfig(vod="v", game_start=0, match="timeline.json"), "timeline.json: this is no match of Match-V5"),
        (LabelsConfig(vod="v", game_start=0, rules="timeline.json"), "timeline.json: this is no file of rules"),
        (LabelsConfig(vod="v", game_start=0, rules="none.toml"), "none.toml: it cannot be read: No such file"),
        (LabelsConfig(vod="v", fps=Fraction(30)), "--fps is for formats that count frames"),
    ],
)
def test_bad_calls_with_a_timeline(
    root: Root, timeline: Path, monkeypatch: pytest.MonkeyPatch, config: LabelsConfig, message: str
) -> None:
    monkeypatch.chdir(timeline.parent)
    with pytest.raises(UsageError, match=message):
        labels(root, timeline, config)
    assert stored(root) == {}


def test_what_only_games_have_is_refused_for_other_files(root: Root, tmp_path: Path) -> None:
    file = write(tmp_path / "a.tsv", OWN)
    with pytest.raises(UsageError, match=r"--game-start, --player, --match and --rules are for .*, and this is tsv"):
        labels(root, file, LabelsConfig(player="1"))
    with pytest.raises(LabelError, match=r"a.tsv: this is no timeline of Match-V5"):
        labels(root, file, LabelsConfig(format="riot-timeline", vod="a"))


def test_what_was_looked_at_goes_with_the_labels(root: Root, tmp_path: Path) -> None:
    downloaded(root, "a", 600)
    file = write(tmp_path / "a.csv", b"vid_id,start,stop,looked_at\na,1:00,1:10,\na,0:50,1:20,yes\na,5:00,6:00,yes\n")
    assert labels(root, file) == [Imported("a", 1, 10.0, None, 90.0)]
    read, _ = read_labels(root, "a")
    assert read == VodLabels([Span(60, 70)], [Span(50, 80), Span(300, 360)])
    assert labels(root, write(tmp_path / "a.tsv", b"vid_id\tstart\tstop\na\t0:01\t0:02\n")) == [
        Imported("a", 1, 1.0, 1)
    ]
    assert read_labels(root, "a")[0] == VodLabels([Span(1, 2)])
