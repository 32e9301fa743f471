"""Copies from one root to another."""

from pathlib import Path

import pytest

from lolhl.errors import StorageError
from lolhl.storage import Root, open_root
from lolhl.storage.copying import copy_objects

FILES = {
    "vods/a/video.mp4": b"film" * 100,
    "vods/a/vod.json": b"{}",
    "vods/a/source/0000-0010.json": b"{}",
    "vods/ab/vod.json": b"{}",
    "highlights/a/clips/001.mp4": b"clip",
}


@pytest.fixture
def source(tmp_path: Path) -> Root:
    root = open_root(str(tmp_path / "source"))
    for key, data in FILES.items():
        root.write(key, data)
    return root


def contents(root: Root) -> dict[str, bytes]:
    return {stat.key: root.read(stat.key) for stat in root.list()}


def test_what_lies_below_a_prefix_is_copied_and_the_rest_is_not(source: Root, tmp_path: Path) -> None:
    target = open_root(str(tmp_path / "target"))
    target.write("vods/a/vod.json", b"an earlier one")
    target.write("labels/a.tsv", b"mine")
    keys = copy_objects(source, target, "vods/a/")
    assert keys == ["vods/a/video.mp4", "vods/a/source/0000-0010.json", "vods/a/vod.json"]  # JSON last
    assert contents(target) == {"labels/a.tsv": b"mine", **{key: FILES[key] for key in keys}}
    assert contents(source) == FILES
    assert copy_objects(source, target, "nothing/") == []


def test_a_copy_that_breaks_off_leaves_no_manifest(source: Root, tmp_path: Path) -> None:
    target = open_root(str(tmp_path / "target"))
    (tmp_path / "target/vods/a").mkdir(parents=True)
    (tmp_path / "target/vods/a/video.mp4").mkdir()  # a folder where the file should go
    with pytest.raises(StorageError):
        copy_objects(source, target, "vods/a/")
    assert contents(target) == {}
