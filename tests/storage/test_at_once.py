"""Runs at the same time that write the same: a manifest never names bytes that are not there."""

import hashlib
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from lolhl import manifest
from lolhl.config import Config
from lolhl.errors import Conflict, NotFound, StorageError
from lolhl.frames.frameset import FrameSet
from lolhl.manifest import Output
from lolhl.results import Frames, Result
from lolhl.stages.download import download
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.storage import Root, open_root
from lolhl.storage.folder import Folder
from tests.servers import S3Server
from tests.storage.conftest import fresh, use
from tests.videos import numbered_video, read_number

ONE = ExtractConfig(size=96, fit="crop", shard_mb=0.01)
OTHER = replace(ONE, shard_mb=0.015)
WRITES = ("write", "write_if", "upload", "delete", "list")


class Killed(Exception):
    pass


class Unlocked:
    """A root without locks, as a bucket is. Before its call of this number, of those that write, something happens."""

    def __init__(self, root: Root, number: int, happens: Callable[[], object]) -> None:
        self._root, self._left, self._happens = root, number, happens

    def ahead(self, _: object) -> "Unlocked":
        return self

    @contextmanager
    def lock(self, _: str) -> Iterator[None]:
        yield

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._root, name)
        if name not in WRITES:
            return method

        def noted(*args: Any) -> Any:
            left, self._left = self._left, self._left - 1
            if left == 0:
                self._happens()
            return method(*args)

        return noted


def die() -> None:
    raise Killed


@pytest.fixture(scope="module")
def downloaded(tmp_path_factory: pytest.TempPathFactory) -> Root:
    folder = tmp_path_factory.mktemp("downloaded")
    root = open_root(str(folder / "root"))
    download(root, str(numbered_video(folder / "v.mp4", seconds=8, sound=False)))
    return root


def copied(root: Root, into: Root) -> Root:
    for stat in root.list():
        into.write(stat.key, root.read(stat.key))
    return into


def whole(root: Root) -> bool:
    """Whether there is a frame set; if so, all that its manifest names is there."""
    key = ONE.spec.manifest_key("v")
    made = manifest.find(root, key, Frames)
    for output in made.outputs if made else ():
        assert hashlib.sha256(root.read(output.key)).hexdigest() == output.sha256
    if made:
        frames = FrameSet.load(root, "v", ONE.spec)
        assert [read_number(picture) for picture in frames.read(range(24))] == list(range(0, 240, 10))
    return made is not None


@pytest.mark.slow
def test_whichever_call_another_run_comes_before(downloaded: Root, tmp_path: Path) -> None:
    """Without locks; the other run goes through, or is killed at any call itself."""
    rng = random.Random(0)
    seen = set()
    for number in range(16):
        for stop in (None, rng.randrange(12)):
            root = copied(downloaded, Folder(tmp_path / f"{number}-{stop}"))
            if rng.random() < 0.5:
                extract(root, "v", ONE)

            def other(root: Root = root, stop: int | None = stop) -> None:
                second = root if stop is None else Unlocked(root, stop, die)
                with suppress(Killed):
                    extract(second, "v", OTHER, force=True)

            first = Unlocked(root, number, other)
            try:
                extract(first, "v", ONE, force=True)
                seen.add("won")
            except Conflict:
                seen.add("lost")
            assert whole(root) or stop is not None
            made = extract(root, "v", ONE, force=stop is not None)  # which removes what a killed run left
            assert whole(root)
            left = {stat.key for stat in root.list("frames/")}
            assert left == {ONE.spec.manifest_key("v"), *(output.key for output in made.outputs)}
    assert seen == {"won", "lost"}


def test_in_a_folder_the_later_one_waits(downloaded: Root, tmp_path: Path) -> None:
    root = copied(downloaded, Folder(tmp_path / "root"))
    calls = [["--size", "96", "--fit", "crop", "--shard-mb", mb, "--force"] for mb in ("0.01", "0.015", "0.02")]
    calls += [["--size", "64"], ["--size", "80", "--quality", "95"]]
    command = [sys.executable, "-m", "lolhl", "extract", "v", "--root", root.url, "--quiet"]
    running = [subprocess.Popen([*command, *call], stdout=subprocess.DEVNULL) for call in calls]
    assert [process.wait() for process in running] == [0] * 5
    assert whole(root)
    assert {stat.key.split("/")[2] for stat in root.list("frames/v/")} == {
        "3fps-96px-crop-q90", "3fps-64px-squeeze-q90", "3fps-80px-squeeze-q95",
    }  # fmt: skip
    assert not list(Path(root.url).glob(".unfinished*"))


def test_in_a_bucket_nothing_is_spoilt(
    downloaded: Root, weed: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(weed, monkeypatch, tmp_path)
    root = copied(downloaded, open_root(fresh(weed)))
    ends: list[str] = []

    def run(config: ExtractConfig) -> None:
        try:
            extract(root, "v", config, force=True)
            ends.append("won")
        except Conflict:
            ends.append("lost")

    for _ in range(3):
        threads = [threading.Thread(target=run, args=(config,)) for config in (ONE, OTHER)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert whole(root)
    assert len(ends) == 6
    assert "won" in ends


def test_two_runs_that_removed_each_others_shards_leave_one_frame_set(downloaded: Root, tmp_path: Path) -> None:
    """The first writes the manifest that stood there already, so the second's condition holds all the same."""
    folder = copied(downloaded, Folder(tmp_path / "root"))
    extract(folder, "v", ONE)
    uploaded, first_wrote, second_wrote = (threading.Event() for _ in range(3))

    class First(Unlocked):
        def write_if(self, key: str, data: bytes, _: str | None) -> None:
            assert uploaded.wait(30)
            assert folder.read(key) == data  # in a bucket, the ETag of the same bytes is the same
            first_wrote.set()
            assert second_wrote.wait(30)

    class Second(Unlocked):
        def write_if(self, key: str, data: bytes, etag: str | None) -> None:
            uploaded.set()
            assert first_wrote.wait(30)
            folder.write_if(key, data, etag)
            second_wrote.set()
            first.join()

    first = threading.Thread(target=extract, args=(First(folder, -1, die), "v", ONE), kwargs={"force": True})
    first.start()
    made = extract(Second(folder, -1, die), "v", OTHER, force=True)
    first.join()
    assert whole(folder)
    assert {stat.key for stat in folder.list("frames/")} == {
        ONE.spec.manifest_key("v"), *(output.key for output in made.outputs),
    }  # fmt: skip


@dataclass(frozen=True)
class Work(Result):
    stage = "x"


def work(root: Root, text: bytes, meanwhile: Callable[[], object] = lambda: None) -> manifest.Manifest[Work]:
    """A stage with one output under a fixed key, that depends on its settings."""
    todo, _ = manifest.plan(root, "x/x.json", Work, Config(), {"text": text.decode()}, force=True)
    with todo.begin() as begun:
        root.write("x/out", text)
        meanwhile()
        return begun.finish(Work(), [Output.from_bytes("x/out", text)])


def test_a_stage_that_overwrites_waits_for_the_other(tmp_path: Path) -> None:
    root = Folder(tmp_path / "root")
    second = threading.Thread(target=work, args=(root, b"two"))
    work(root, b"one", second.start)
    second.join()
    made = manifest.load(root, "x/x.json", Work, "")
    assert made.read(root, "x/out", "x") == b"two"


@pytest.mark.parametrize("first_writes_last", [False, True])
def test_without_locks_a_stage_that_lost_leaves_no_manifest_that_is_wrong(
    tmp_path: Path, first_writes_last: bool
) -> None:
    folder = Folder(tmp_path / "root")
    root: Any = Unlocked(folder, -1, die)

    def other() -> None:
        work(root, b"two")
        if first_writes_last:
            folder.write("x/out", b"one")

    with pytest.raises(Conflict):
        work(root, b"one", other)
    assert manifest.find(folder, "x/x.json", Work) is None
    assert work(root, b"two").read(folder, "x/out", "x") == b"two"


def test_the_same_work_at_once_without_locks_is_done_once(tmp_path: Path) -> None:
    root: Any = Unlocked(Folder(tmp_path / "root"), -1, die)
    assert work(root, b"one", lambda: work(root, b"one")).read(root, "x/out", "x") == b"one"


def keep(root: Root, text: str) -> manifest.Manifest[Work]:
    """A stage with one output whose name holds its digest."""
    todo, earlier = manifest.plan(root, "x/x.json", Work, Config(), {"text": text})
    return earlier or todo.store(Work(), {"x/out.txt": text.encode()})


def kept(root: Root) -> str:
    """What stands in the root is whole. Returns it."""
    made = manifest.load(root, "x/x.json", Work)
    text = made.read(root, "x/out.txt", "x").decode()
    assert made.inputs == {"text": text}
    return text


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_wherever_a_run_is_killed_or_another_comes_between_a_whole_output_stands(
    weed: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    use(weed, monkeypatch, tmp_path)
    place = str(tmp_path / "root") if kind == "folder" else fresh(weed)
    # Calls: list, write, write_if, and delete where there is an older file.
    calls: dict[str, tuple[Any, ...]] = {"folder": (None, 0, 1, 2, 3), "bucket": (None, 2)}
    ends = set()
    for number in calls[kind][1:]:
        for stop in calls[kind]:
            root = open_root(f"{place}/{number}-{stop}")
            keep(root, "older")
            keep(root, "earlier")

            def other(root: Root = root, stop: int | None = stop) -> None:
                with suppress(Killed):
                    keep(root if stop is None else Unlocked(root, stop, die), "other")

            try:
                keep(Unlocked(root, number, other), "one")
                ends.add((kept(root), "won"))
            except Conflict:
                ends.add((kept(root), "lost"))
            for text in ("one", "other", "one"):
                assert keep(root, text).read(root, "x/out.txt", "x") == text.encode()
            assert {stat.key for stat in root.list()} == {
                "x/x.json", *(Output.with_digest("x/out.txt", text).key for text in (b"one", b"other")),
            }  # fmt: skip
    assert {("one", "won"), ("other", "lost")} <= ends <= {("one", "won"), ("other", "won"), ("other", "lost")}


def test_who_has_just_read_a_manifest_finds_its_files(tmp_path: Path) -> None:
    root = Folder(tmp_path)
    earlier = keep(root, "one")
    keep(root, "two")
    assert earlier.read(root, "x/out.txt", "x") == b"one"
    keep(root, "three")
    assert len(list(root.list("x/out"))) == 2


def test_what_lolhl_0_1_stored_is_read_and_removed_when_it_is_replaced(tmp_path: Path) -> None:
    root: Root = Folder(tmp_path)
    work(root, b"one")
    root.write("x/out.txt", b"two")
    todo, _ = manifest.plan(root, "x/x.json", Work, Config(), {"text": "two"})
    todo.finish(Work(), [Output.from_bytes("x/out.txt", b"two"), Output.from_bytes("x/out", b"one")])
    assert kept(root) == "two"
    for text in ("three", "four"):
        keep(root, text)
    assert {stat.key for stat in root.list()} == {
        "x/x.json", *(Output.with_digest("x/out.txt", text).key for text in (b"three", b"four")),
    }  # fmt: skip


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    script = "import sys; from lolhl.storage.folder import Folder; from pathlib import Path; import time\n"
    script += "with Folder(Path(sys.argv[1])).lock('a/b'): print('in', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "in\n"
        process.send_signal(signal.SIGKILL)
    with Folder(tmp_path).lock("a/b"), Folder(tmp_path).lock("a/c"):
        assert not list(Folder(tmp_path).list())
    assert not list(tmp_path.iterdir())


def test_a_video_that_was_changed_is_refused(downloaded: Root, tmp_path: Path) -> None:
    root = copied(downloaded, Folder(tmp_path / "root"))
    root.write("vods/v/video.mp4", root.read("vods/v/video.mp4")[:-1])
    with pytest.raises(StorageError, match=r"vods/v/video\.mp4 was changed .* run `lolhl download … --name v --force`"):
        extract(root, "v", ONE)
    root.delete("vods/v/video.mp4")
    with pytest.raises(NotFound, match="is gone"):
        extract(root, "v", ONE)
