import json
import logging
from fractions import Fraction
from pathlib import Path

import pytest

from lolhl.errors import LabelError, MissingInput, UsageError
from lolhl.labels.spans import Span
from lolhl.labels.store import load_labels
from lolhl.stages.labels import Imported, LabelsConfig, labels
from lolhl.storage import Root, open_root
from tests.labels.real import OWN, real_labels
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
