"""Frame sets in a bucket: shards are fetched whole, once, and ahead of need; never a picture at a time."""

import pickle
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from lolhl import layout
from lolhl.errors import NotFound
from lolhl.frames.frameset import FrameSet
from lolhl.stages.download import download
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.storage import Root, open_root
from tests.servers import S3Server
from tests.servers.proxy import Proxy, proxy
from tests.storage.conftest import fresh, use
from tests.videos import numbered_video, read_number

VIEW = ExtractConfig(size=96, fit="crop", shard_mb=0.02, mode="grid")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Root:
    """VOD v in a folder, with a frame set of at least six shards."""
    folder = tmp_path_factory.mktemp("frames")
    root = open_root(str(folder / "root"))
    download(root, str(numbered_video(folder / "v.mp4", seconds=20, sound=False)))
    extract(root, "v", VIEW)
    assert len(list(root.list(f"{layout.frame_set_folder('v', VIEW.spec.name)}shard-"))) >= 6
    return root


@pytest.fixture
def between(weed: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Proxy]:
    use(weed, monkeypatch, tmp_path)
    with proxy(weed.endpoint) as shown:
        monkeypatch.setenv("LOLHL_S3_ENDPOINT_URL", shown.endpoint)
        yield shown


@pytest.fixture
def bucket(made: Root, weed: S3Server, between: Proxy, tmp_path: Path) -> Root:
    """The same root in a bucket; its requests are counted from here on."""
    root = open_root(fresh(weed))
    for stat in made.list():
        shutil.copy(made.local(stat.key), tmp_path / "copy")
        root.upload(tmp_path / "copy", stat.key)
    between.requests.clear()
    return root


def fetched(between: Proxy) -> list[int]:
    """The shards that were asked for, in that order."""
    return [int(path[-27:-21]) for method, path, _ in between.requests if method == "GET" and path.endswith(".tar")]


def settled(between: Proxy, count: int) -> list[int]:
    """The same in order of their numbers, once there are so many and time enough for more has passed."""
    until = time.monotonic() + 30
    while len(fetched(between)) < count and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.5)
    return sorted(fetched(between))


def test_a_shard_is_fetched_once_and_one_ahead(bucket: Root, between: Proxy) -> None:
    frames = FrameSet.load(bucket, "v", VIEW.spec)
    assert settled(between, 0) == []
    frames.read([0])
    assert settled(between, 2) == [0, 1]
    frames.read([1, 0, 2])
    assert settled(between, 2) == [0, 1]
    last = int(frames.shards[-1])
    assert [read_number(picture) for picture in frames.read(range(60))] == list(range(0, 600, 10))
    assert settled(between, last + 1) == list(range(last + 1))
    assert len(between.requests) < len(frames)


def test_threads_fetch_no_shard_twice(bucket: Root, between: Proxy) -> None:
    frames = FrameSet.load(bucket, "v", VIEW.spec)
    with ThreadPoolExecutor(8) as threads:
        pictures = np.concatenate(list(threads.map(frames.read, [range(at, at + 5) for at in range(0, 60, 5)])))
    assert [read_number(picture) for picture in pictures] == list(range(0, 600, 10))
    count = int(frames.shards[-1]) + 1
    assert settled(between, count) == list(range(count))


def test_a_copy_in_another_process_reads_too(bucket: Root) -> None:
    frames = FrameSet.load(bucket, "v", VIEW.spec)
    frames.read([0])
    assert read_number(pickle.loads(pickle.dumps(frames)).read([59])[0]) == 590  # noqa: S301


def test_what_is_gone_is_told_where_it_is_read(bucket: Root) -> None:
    frames = FrameSet.load(bucket, "v", VIEW.spec)
    bucket.delete(next(s.key for s in bucket.list("frames/v/") if "shard-000001" in s.key))
    first = int(np.flatnonzero(frames.shards == 1)[0])
    assert read_number(frames.read([first - 1])[0]) == (first - 1) * 10
    with pytest.raises(NotFound, match=r"shard-000001-[0-9a-f]{16}\.tar is gone: run `lolhl extract v .*--force`"):
        frames.read([first])


def test_stages_ask_for_few_things(bucket: Root, between: Proxy) -> None:
    """A frame set costs three requests to open: two manifests and the index."""
    FrameSet.load(bucket, "v", VIEW.spec)
    assert between.methods == ["GET", "GET", "GET"]
    between.requests.clear()
    extract(bucket, "v", VIEW)
    assert len(between.requests) <= 3  # it was done already
