"""What only a folder can meet."""

import os
import time
from pathlib import Path

import pytest

from lolhl.errors import NotFound, StorageError
from lolhl.storage import open_root
from lolhl.storage.folder import Folder

UNFINISHED = ".unfinished-" + "0" * 32


@pytest.fixture
def root(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "root")


def test_opening_makes_nothing(tmp_path: Path) -> None:
    root = open_root(str(tmp_path / "none"))
    assert list(root.list()) == []
    assert root.stat("k") is None
    assert not (tmp_path / "none").exists()


def test_the_home_folder_may_be_short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    open_root("~/data").write("k", b"x")
    assert (tmp_path / "data" / "k").read_bytes() == b"x"


def test_local_is_the_file_itself(root: Folder) -> None:
    root.write("a/k", b"x")
    assert root.local("a/k") == root.path / "a" / "k"


def test_only_whole_files_lie_there_under_their_names(root: Folder, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    root.write("a", b"x")
    root.upload(file, "b")
    root.write_if("c", b"x", None)
    assert sorted(stat.key for stat in root.list()) == ["a", "b", "c"]
    assert not file.exists()
    assert sorted(path.name for path in root.path.iterdir()) == ["a", "b", "c"]


def test_what_a_killed_run_left_is_not_listed_and_goes_in_time(root: Folder) -> None:
    root.write("v/k", b"x")
    left = root.path / "v" / UNFINISHED
    left.write_bytes(b"half")
    assert [stat.key for stat in root.list()] == ["v/k"]
    root.write("v/other", b"x")
    assert left.exists()  # it may belong to a run that goes on
    os.utime(left, (time.time() - 100_000,) * 2)
    root.write("v/other", b"x")
    assert not left.exists()


def test_a_write_that_fails_leaves_what_was_there(root: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    root.write("k", b"before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        root.write("k", b"after")
    assert root.read("k") == b"before"
    assert [path.name for path in root.path.iterdir()] == ["k"]


def test_files_have_the_rights_that_the_umask_leaves(root: Folder) -> None:
    before = os.umask(0o027)
    try:
        root.write("k", b"x")
    finally:
        os.umask(before)
    assert root.local("k").stat().st_mode & 0o777 == 0o640


def test_a_file_where_a_folder_should_be(root: Folder) -> None:
    root.write("a", b"x")
    with pytest.raises(StorageError, match="a/b/c") as caught:
        root.write("a/b/c", b"x")
    assert "\n" not in str(caught.value)
    assert root.read("a") == b"x"


def test_a_folder_where_a_file_should_be(root: Folder) -> None:
    root.write("a/b", b"x")
    with pytest.raises(NotFound, match="Is a directory"):
        root.write("a", b"x")
    assert [stat.key for stat in root.list()] == ["a/b"]
