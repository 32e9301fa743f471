"""The contract of a root: the same tests on a folder and on buckets."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lolhl.errors import Conflict, NotFound, UsageError
from lolhl.storage import Root, open_root

ODD = ["a b", "ü/ñ/日本", "50%/x+y&z=1?#", 'it\'s/"quoted"<>', "~tilde!$()*,;:@[]^`{|}", "a/.hidden", "x" * 200, "%2F"]
OUTSIDE = ["../x", "/x", "a/../../x", "a//b", "", "a/", ".", "a\\b", "a\0b", "a\nb", "./a"]


def keys(root: Root, prefix: str = "") -> list[str]:
    return [stat.key for stat in root.list(prefix)]


def test_what_is_written_is_read(root: Root) -> None:
    data = os.urandom(100_000)
    root.write("vods/a/vod.json", data)
    assert root.read("vods/a/vod.json") == data
    assert root.local("vods/a/vod.json").read_bytes() == data
    stat = root.stat("vods/a/vod.json")
    assert stat
    assert (stat.key, stat.size) == ("vods/a/vod.json", 100_000)
    assert list(root.list()) == [stat]


def test_finding_is_reading_with_the_etag(root: Root) -> None:
    root.write("a/b", b"x" * 1000)
    stat = root.stat("a/b")
    assert stat
    assert root.find("a/b") == (b"x" * 1000, stat.etag)
    root.write_if("a/b", b"y", stat.etag)
    assert root.find("a/b") != (b"y", stat.etag)
    for key in ("a/none", "a", "a/b/c", "none/none"):
        assert root.find(key) is None


def test_empty_object(root: Root) -> None:
    root.write("empty", b"")
    assert root.read("empty") == b""
    assert root.read_range("empty", 0, 10) == b""
    assert root.local("empty").read_bytes() == b""
    stat = root.stat("empty")
    assert stat
    assert stat.size == 0


def test_ranges(root: Root) -> None:
    root.write("k", bytes(range(100)))
    assert root.read_range("k", 0, 1) == b"\0"
    assert root.read_range("k", 10, 5) == bytes(range(10, 15))
    assert root.read_range("k", 90, 50) == bytes(range(90, 100))
    assert root.read_range("k", 100, 5) == b""
    assert root.read_range("k", 5, 0) == b""


def test_overwriting_changes_the_etag(root: Root) -> None:
    root.write("k", b"one")
    before = root.stat("k")
    root.write("k", b"two")
    after = root.stat("k")
    assert root.read("k") == b"two"
    assert before
    assert after
    assert before.etag != after.etag


def test_what_is_not_there(root: Root) -> None:
    root.write("a/b", b"x")
    acts: list[Callable[[], object]] = [
        lambda: root.read("a/none"),
        lambda: root.read_range("a/none", 0, 4),
        lambda: root.local("a/none"),
        lambda: root.read("a"),
        lambda: root.read("a/b/below-an-object"),
        lambda: root.local("a"),
    ]
    for act in acts:
        with pytest.raises(NotFound) as caught:
            act()
        assert root.url in str(caught.value)


def test_stat_of_what_is_not_there(root: Root) -> None:
    root.write("a/b", b"x")
    assert root.stat("a/none") is None
    assert root.stat("a") is None
    assert root.stat("a/b/c") is None
    assert root.stat("none/none") is None


def test_an_empty_root_lists_nothing(root: Root) -> None:
    assert keys(root) == []
    assert keys(root, "vods/") == []


def test_list_is_in_order_and_by_prefix(root: Root) -> None:
    names = ["a/2", "a/10", "a/1", "a-b", "a.b", "ab", "B", "a/b/c", "a", "é"]
    names.remove("a")  # a folder cannot have both "a" and "a/1"
    for name in names:
        root.write(name, name.encode())
    assert keys(root) == sorted(names)
    assert keys(root, "a/") == ["a/1", "a/10", "a/2", "a/b/c"]
    assert keys(root, "a/1") == ["a/1", "a/10"]
    assert keys(root, "a") == sorted(name for name in names if name.startswith("a"))
    assert keys(root, "none") == []
    assert [stat.size for stat in root.list("a/b/")] == [5]


@pytest.mark.slow
def test_list_of_many_pages(root: Root) -> None:
    folders = ("v", "v-1", "v.1", "w")
    names = sorted(f"frames/{folders[number % 4]}/shard-{number:06d}.tar" for number in range(1100))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: root.write(name, b"x"), names))
    assert keys(root, "frames/") == names


def test_odd_names(root: Root) -> None:
    names = sorted(f"in/{name}.txt" for name in ODD)
    for name in names:
        root.write(name, name.encode())
    assert keys(root) == names
    for name in names:
        assert root.read(name) == name.encode()
        assert root.local(name).read_bytes() == name.encode()
        assert keys(root, name) == [name]
        root.delete(name)
    assert keys(root) == []


def test_keys_that_leave_the_root(root: Root, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    acts: list[Callable[[str], object]] = [
        lambda key: root.read(key),
        lambda key: root.find(key),
        lambda key: root.read_range(key, 0, 1),
        lambda key: root.write(key, b"x"),
        lambda key: root.write_if(key, b"x", None),
        lambda key: root.upload(file, key),
        lambda key: root.stat(key),
        lambda key: root.delete(key),
        lambda key: root.local(key),
    ]
    for key in OUTSIDE:
        for act in acts:
            with pytest.raises(UsageError, match="is no key") as caught:
                act(key)
            assert "\n" not in str(caught.value)
    assert file.read_bytes() == b"x"
    assert keys(root) == []
    for prefix in ("..", "../", "/", "a/../../", "a//"):
        with pytest.raises(UsageError, match="is no key"):
            keys(root, prefix)


def test_deleting(root: Root) -> None:
    root.write("a/b", b"x")
    root.write("a/c", b"x")
    root.delete("a/b")
    root.delete("a/b")
    root.delete("never/there")
    root.delete("a")
    assert keys(root) == ["a/c"]


def test_a_conditional_write_needs_the_object_as_it_was(root: Root) -> None:
    root.write_if("k", b"one", None)
    with pytest.raises(Conflict, match="k was written by another run"):
        root.write_if("k", b"other", None)
    first = root.stat("k")
    assert first
    root.write_if("k", b"two", first.etag)
    with pytest.raises(Conflict):
        root.write_if("k", b"three", first.etag)
    assert root.read("k") == b"two"
    root.delete("k")
    with pytest.raises(Conflict):
        root.write_if("k", b"four", first.etag)
    assert root.stat("k") is None


def test_a_conditional_write_of_what_is_there_already_is_no_conflict(root: Root) -> None:
    root.write_if("k", b"one", None)
    root.write_if("k", b"one", None)
    assert root.read("k") == b"one"


@pytest.mark.parametrize("existing", [False, True])
def test_one_of_racing_writers_wins(root: Root, existing: bool) -> None:
    writers = 4
    for turn in range(5):
        key = f"k{turn}"
        if existing:
            root.write(key, b"before")
        stat = root.stat(key)
        etag = stat.etag if stat else None
        together = threading.Barrier(writers)

        def write(number: int, key: str = key, etag: str | None = etag, together: threading.Barrier = together) -> bool:
            together.wait()
            try:
                root.write_if(key, b"by %d" % number, etag)
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(writers) as threads:
            won = list(threads.map(write, range(writers)))
        assert won.count(True) == 1
        assert root.read(key) == b"by %d" % won.index(True)


def test_a_reader_sees_the_old_bytes_or_the_new(root: Root) -> None:
    size = 300_000
    root.write("k", b"\0" * size)
    stop = threading.Event()

    def write() -> None:
        for turn in range(1, 30):
            root.write("k", bytes([turn]) * size)
        stop.set()

    with ThreadPoolExecutor(1) as threads:
        writing = threads.submit(write)
        seen = 0
        while not stop.is_set() and not writing.done():
            data = root.read("k")
            assert data == data[:1] * size
            seen += 1
        writing.result()
    assert seen


def test_upload_of_a_file(root: Root, tmp_path: Path) -> None:
    file = tmp_path / "file"
    data = os.urandom(1_000_000)
    file.write_bytes(data)
    root.upload(file, "frames/v/shard-000000.tar")
    assert root.read("frames/v/shard-000000.tar") == data
    assert keys(root) == ["frames/v/shard-000000.tar"]


def test_upload_of_an_empty_file(root: Root, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    root.upload(tmp_path / "file", "k")
    assert root.read("k") == b""


def test_upload_of_no_file(root: Root, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"nothing\.mp4 does not exist"):
        root.upload(tmp_path / "nothing.mp4", "k")
    assert keys(root) == []


def test_uploads_by_many_threads(root: Root, tmp_path: Path) -> None:
    def upload(number: int) -> None:
        file = tmp_path / f"file{number}"
        file.write_bytes(bytes([number]) * 100_000)
        root.upload(file, f"k{number:02d}")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(upload, range(24)))
    assert keys(root) == [f"k{number:02d}" for number in range(24)]
    assert all(root.read(f"k{number:02d}") == bytes([number]) * 100_000 for number in range(24))


@pytest.mark.slow
def test_upload_of_a_big_file(root: Root, tmp_path: Path) -> None:
    file = tmp_path / "video.mp4"
    block = os.urandom(1_000_000)
    file.write_bytes(block * 101)
    root.upload(file, "video.mp4")
    stat = root.stat("video.mp4")
    assert stat
    assert stat.size == 101_000_000
    assert root.read_range("video.mp4", 67_000_000, 2_000_000) == block * 2
    assert root.local("video.mp4").read_bytes() == block * 101
    assert root.read("video.mp4") == block * 101


def test_local_follows_the_object(root: Root) -> None:
    root.write("k.tsv", b"one")
    assert root.local("k.tsv").read_bytes() == b"one"
    root.write("k.tsv", b"two!")
    assert root.local("k.tsv").read_bytes() == b"two!"
    assert root.local("k.tsv").suffix == ".tsv"


def test_a_root_copied_elsewhere_is_the_same(root: Root, tmp_path: Path) -> None:
    source = open_root(str(tmp_path / "source"))
    for number in range(20):
        source.write(f"frames/v{number % 3}/shard-{number:06d}.tar", os.urandom(1000 * number))
    for stat in source.list():
        root.upload(source.local(stat.key), stat.key)
    again = open_root(str(tmp_path / "again"))
    for stat in root.list():
        again.write(stat.key, root.read(stat.key))
    assert [(s.key, s.size) for s in again.list()] == [(s.key, s.size) for s in root.list()]
    assert len(keys(again)) == 20
    assert all(root.read(key) == again.read(key) for key in keys(again))


@pytest.mark.slow
def test_a_writer_killed_at_any_moment_leaves_nothing_half_written(root: Root, tmp_path: Path) -> None:
    """The object is there whole or not at all, whenever the writer is killed."""
    size = 8_000_000
    code = (
        "import sys; from pathlib import Path; from lolhl.storage import open_root\n"
        "root = open_root(sys.argv[1])\n"
        "for turn in range(1, 200):\n"
        f"    Path(sys.argv[2]).write_bytes(bytes([turn]) * {size})\n"
        "    print(turn, flush=True)\n"
        "    root.upload(Path(sys.argv[2]), 'big')\n"
    )
    for turn in range(5):
        writer = subprocess.Popen(
            [sys.executable, "-c", code, root.url, str(tmp_path / "file")], stdout=subprocess.PIPE
        )
        assert writer.stdout
        writer.stdout.readline()
        threading.Event().wait(0.02 * turn)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        assert keys(root) in ([], ["big"])
        if keys(root):
            data = root.read("big")
            assert data == data[:1] * size


@pytest.mark.parametrize(
    "url", ["", " ", "gs://b/c", "http://x/y", "s3://", "s3:///x", "s3://b/c", "s3://bucket/a/../b", "s3://-b-/c"]
)
def test_urls_that_are_no_root(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOLHL_S3_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(UsageError) as caught:
        open_root(url)
    assert "\n" not in str(caught.value)
