"""A checkpoint that is written again and again: the work does not wait, and the last one is stored."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from lolhl.errors import StorageError
from lolhl.storage import Root, checkpoint_upload, open_root
from lolhl.storage.checkpoint_upload import CheckpointUpload


class Slow:
    """A root whose uploads wait until they may go on."""

    def __init__(self, root: Root, do: Callable[[], None] = lambda: None) -> None:
        self.root, self.do = root, do
        self.begun, self.may_go = threading.Event(), threading.Event()
        self.sent: list[bytes] = []

    def upload(self, path: Path, key: str) -> None:
        self.begun.set()
        assert self.may_go.wait(60)
        self.do()
        self.sent.append(path.read_bytes())
        self.root.upload(path, key)


def put(upload: CheckpointUpload, folder: Path, data: bytes) -> None:
    path = folder / "made"
    path.write_bytes(data)
    upload.put(path)
    assert not path.exists()


def test_the_last_one_is_stored_and_those_that_waited_are_passed_over(tmp_path: Path) -> None:
    root = open_root(str(tmp_path / "root"))
    slow = Slow(root)
    with CheckpointUpload(slow, "k") as upload:  # type: ignore[arg-type]
        put(upload, tmp_path, b"0")
        assert slow.begun.wait(60)
        for number in range(1, 6):
            put(upload, tmp_path, b"%d" % number)  # does not wait for the first
        assert root.stat("k") is None
        slow.may_go.set()
    assert slow.sent == [b"0", b"5"]
    assert root.read("k") == b"5"


def test_a_key_is_not_written_more_often_than_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_upload, "_PAUSE", 3600.0)
    root = open_root(str(tmp_path / "root"))
    slow = Slow(root)
    slow.may_go.set()
    with CheckpointUpload(slow, "k") as upload:  # type: ignore[arg-type]
        put(upload, tmp_path, b"first")
        assert slow.begun.wait(60)
        for number in range(100):
            put(upload, tmp_path, b"%d" % number)
        assert len(slow.sent) <= 1
    assert slow.sent == [b"first", b"99"]  # the last one does not wait


def test_what_went_wrong_is_raised(tmp_path: Path) -> None:
    def fail() -> None:
        raise StorageError("full")

    slow = Slow(open_root(str(tmp_path / "root")), fail)
    slow.may_go.set()
    with pytest.raises(StorageError, match="full"), CheckpointUpload(slow, "k") as upload:  # type: ignore[arg-type]
        put(upload, tmp_path, b"0")
    assert slow.sent == []


def test_it_is_stored_though_the_work_fails(tmp_path: Path) -> None:
    root = open_root(str(tmp_path / "root"))

    def work() -> None:
        with CheckpointUpload(root, "k") as upload:
            put(upload, tmp_path, b"0")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert root.read("k") == b"0"
