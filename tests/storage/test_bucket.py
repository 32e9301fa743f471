"""What only a bucket can meet: wrong keys, missing buckets, servers that fail, and the number of requests."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from multiprocessing import get_context
from multiprocessing.context import ForkContext, SpawnContext
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from lolhl.errors import AccessDenied, Conflict, LolhlError, NotFound, StorageError, UsageError
from lolhl.storage import Root, bucket, open_root
from lolhl.storage.bucket import Bucket
from tests.servers import S3Server
from tests.servers.miniflare import miniflare
from tests.servers.proxy import Fault, Proxy, proxy
from tests.servers.seaweedfs import seaweedfs
from tests.storage.conftest import fresh, use

BIG = 80_000_000  # bytes: more than what goes up in one request


@pytest.fixture
def big(tmp_path: Path) -> Path:
    path = tmp_path / "big"
    with path.open("wb") as file:
        for number in range(BIG // 1_000_000):
            file.write(bytes([number]) * 1_000_000)
    return path


def keys(root: Root) -> list[str]:
    return [stat.key for stat in root.list()]


def unfinished(root: Root) -> int:
    """How many multipart uploads to this root the server still holds parts of; 0 from miniflare, which does not say."""
    at = Bucket.from_url(root.url)
    try:
        uploads = at._s3.list_multipart_uploads(Bucket=at.name).get("Uploads", [])
        return sum(upload["Key"].startswith(at.prefix) for upload in uploads)
    except ClientError as error:
        if error.response["Error"]["Code"] != "NotImplemented":
            raise
        return 0


def one_line(error: LolhlError, server: S3Server) -> str:
    text = str(error)
    assert "\n" not in text
    assert server.secret not in text
    return text


# --- how many requests -------------------------------------------------------------------------------


def test_requests_of_each_operation(server: S3Server, between: Proxy, tmp_path: Path) -> None:
    root = open_root(fresh(server))
    file = tmp_path / "file"

    def asked() -> list[str]:
        methods = between.methods
        between.requests.clear()
        return methods

    root.write("k", b"one")
    assert asked() == ["PUT"]
    root.write_if("m", b"one", None)
    assert asked() == ["PUT"]
    file.write_bytes(b"three")
    root.upload(file, "k")
    assert asked() == ["PUT"]
    assert root.read("k") == b"three"
    assert asked() == ["GET"]
    assert root.find("k")
    assert root.find("none") is None
    assert asked() == ["GET", "GET"]
    root.read_range("k", 1, 2)
    assert asked() == ["GET"]
    assert root.stat("k")
    assert asked() == ["HEAD"]
    assert root.stat("none") is None
    assert asked() == ["HEAD", "GET"]
    assert root.stat("none") is None
    assert asked() == ["HEAD"]
    assert keys(root) == ["k", "m"]
    assert asked() == ["GET"]
    kept = root.local("k")
    assert asked() == ["GET"]
    assert root.local("k") == kept
    assert asked() == ["GET"]
    assert between.headers[-1]["If-None-Match"]
    root.delete("k")
    assert asked() == ["DELETE"]


def test_what_is_asked_for_ahead_is_there_once(server: S3Server, between: Proxy) -> None:
    root = open_root(fresh(server))
    root.write("a", b"one")
    between.requests.clear()
    asked = root.ahead(["a", "none", "c"])
    assert asked.read("a") == b"one"
    assert asked.find("none") is None
    root.write("a", b"two")
    assert asked.read("a") == b"two"  # asked for anew
    asked.write("c", b"three")
    assert asked.read("c") == b"three"  # not what stood there before
    assert between.methods.count("GET") == 5


def test_a_big_object_comes_in_parts_of_one_version(
    server: S3Server, between: Proxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bucket, "_FETCHED", 100_000)
    root = open_root(fresh(server))
    data = os.urandom(950_001)
    root.write("k", data)
    between.requests.clear()
    between.faults.append(Fault("cut", "GET", times=3))
    assert root.local("k").read_bytes() == data
    assert between.methods == ["GET"] * 13
    root.write("k", os.urandom(950_001))
    between.faults.append(Fault("cut", "GET", call=lambda: root.write("k", b"other")))
    with pytest.raises(Conflict, match="written by another run"):
        root.local("k")
    kept = [path.read_bytes() for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert kept == [data]


@pytest.mark.slow
def test_a_big_file_goes_up_in_equal_parts(server: S3Server, between: Proxy, big: Path) -> None:
    root = open_root(fresh(server))
    root.upload(big, "big")
    parts = sorted((length for method, _, length in between.requests if method == "PUT"), reverse=True)
    assert len(parts) == 3
    assert parts[0] == parts[1] >= parts[2] > 0
    assert between.methods.count("POST") == 2
    assert len(between.requests) == 5
    assert root.read_range("big", 79_999_999, 2) == bytes([79])


def test_uploads_carry_an_md5_and_wait_for_nothing(server: S3Server, between: Proxy, tmp_path: Path) -> None:
    root = open_root(fresh(server))
    file = tmp_path / "file"
    file.write_bytes(b"x")
    root.write("k", b"x")
    root.write_if("m", b"x", None)
    root.upload(file, "n")
    for headers in between.headers:
        assert headers["Content-MD5"] == "ndTkYSaMgDT1yFZOFVxnpg=="
        assert "Expect" not in headers
        assert "Content-Encoding" not in headers  # aws-chunked, which R2 refuses


# --- answers of the server that are errors -------------------------------------------------------------


def every_operation(root: Root, tmp_path: Path) -> dict[str, object]:
    file = tmp_path / "file"
    file.write_bytes(b"x")
    acts: dict[str, Callable[[], object]] = {
        "read": lambda: root.read("k"),
        "find": lambda: root.find("k"),
        "read_range": lambda: root.read_range("k", 0, 1),
        "write": lambda: root.write("k", b"x"),
        "write_if": lambda: root.write_if("k", b"x", None),
        "write_if_same": lambda: root.write_if("k", b"x", "0" * 32),
        "upload": lambda: root.upload(file, "k"),
        "stat": lambda: root.stat("k"),
        "list": lambda: list(root.list()),
        "delete": lambda: root.delete("k"),
        "local": lambda: root.local("k"),
    }
    errors: dict[str, object] = {}
    for name, act in acts.items():
        try:
            errors[name] = act()
        except LolhlError as error:
            errors[name] = error
    return errors


@pytest.mark.parametrize(("variable", "value"), [("AWS_ACCESS_KEY_ID", "0" * 32), ("AWS_SECRET_ACCESS_KEY", "wrong")])
def test_wrong_keys(
    server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    root = open_root(fresh(server))
    for name, error in every_operation(root, tmp_path).items():
        assert isinstance(error, AccessDenied), (name, error)
        text = one_line(error, server)
        assert "AWS_ACCESS_KEY_ID" in text
        assert "/".join(server.endpoint.split("/")[:3]) in text  # its path may be a secret
        assert "wrong" not in text


def test_no_keys(server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    for name, error in every_operation(open_root(fresh(server)), tmp_path).items():
        assert isinstance(error, AccessDenied), (name, error)
        assert "AWS_ACCESS_KEY_ID" in one_line(error, server)


def test_half_the_keys(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(AccessDenied, match="AWS_SECRET_ACCESS_KEY"):
        open_root(fresh(server)).read("k")


def test_unknown_profile(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(AccessDenied, match="AWS_PROFILE"):
        open_root(fresh(server)).read("k")


def test_missing_bucket(server: S3Server, tmp_path: Path) -> None:
    for name, error in every_operation(open_root("s3://no-such-bucket/p"), tmp_path).items():
        assert isinstance(error, NotFound), (name, error)
        assert "there is no bucket no-such-bucket at" in one_line(error, server)


def test_keys_are_shown_nowhere(server: S3Server) -> None:
    root = open_root(fresh(server))
    root.write("k", b"x")
    for text in (repr(root), str(root), root.url, str(vars(root))):
        assert server.secret not in text
        assert server.access_key not in text


def test_busy_server_is_asked_again(server: S3Server, between: Proxy) -> None:
    root = open_root(fresh(server))
    between.faults.append(Fault("busy", "PUT"))
    root.write("k", b"x")
    assert between.methods == ["PUT", "PUT"]
    assert root.read("k") == b"x"


def test_server_that_stays_busy(server: S3Server, between: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "_ATTEMPTS", 2)
    between.faults.append(Fault("busy", "PUT", times=100))
    with pytest.raises(StorageError, match="is too busy") as caught:
        open_root(fresh(server)).write("k", b"x")
    one_line(caught.value, server)


# --- what the network does ---------------------------------------------------------------------------------


def test_an_answer_that_breaks_off_is_read_again(server: S3Server, between: Proxy) -> None:
    root = open_root(fresh(server))
    data = os.urandom(1_000_000)
    root.write("k", data)
    between.faults.append(Fault("cut", "GET", times=2))
    assert root.read("k") == data
    between.faults.append(Fault("cut", "GET", times=1))
    assert root.local("k").read_bytes() == data


def test_an_answer_that_always_breaks_off(server: S3Server, between: Proxy, tmp_path: Path) -> None:
    root = open_root(fresh(server))
    root.write("k", os.urandom(100_000))
    between.faults.append(Fault("cut", "GET", times=1000))
    with pytest.raises(StorageError, match="did not answer") as caught:
        root.read("k")
    one_line(caught.value, server)
    with pytest.raises(StorageError, match="did not answer"):
        root.local("k")
    assert not [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]


def test_a_request_that_breaks_off_is_sent_again(server: S3Server, between: Proxy, tmp_path: Path) -> None:
    root = open_root(fresh(server))
    file = tmp_path / "file"
    data = os.urandom(3_000_000)
    file.write_bytes(data)
    between.faults.append(Fault("half", "PUT", call=lambda: seen.extend(keys(direct))))
    seen: list[str] = []
    direct = open_root(root.url)
    root.upload(file, "k")
    assert seen == []
    assert root.read("k") == data


@pytest.mark.parametrize("existing", [False, True])
def test_a_conditional_write_whose_answer_is_lost_is_no_conflict(
    server: S3Server, between: Proxy, existing: bool
) -> None:
    root = open_root(fresh(server))
    if existing:
        root.write("k", b"before")
    stat = root.stat("k")
    between.requests.clear()
    between.faults.append(Fault("lost", "PUT"))
    root.write_if("k", b"mine", stat.etag if stat else None)
    assert between.methods == ["PUT", "PUT", "GET"]
    assert root.read("k") == b"mine"


def test_a_conditional_write_that_another_won_after_a_lost_answer(server: S3Server, between: Proxy) -> None:
    root = open_root(fresh(server))
    between.faults.append(Fault("lost", "PUT", call=lambda: root.write("k", b"theirs")))
    with pytest.raises(Conflict):
        root.write_if("k", b"mine", None)
    assert root.read("k") == b"theirs"


@pytest.mark.slow
def test_a_multipart_upload_whose_last_answer_is_lost(server: S3Server, between: Proxy, big: Path) -> None:
    root = open_root(fresh(server))
    between.faults.append(Fault("lost", "POST", contains="uploadId="))
    root.upload(big, "big")
    stat = root.stat("big")
    assert stat
    assert stat.size == BIG
    assert root.read_range("big", 33_999_999, 2) == bytes([33, 34])
    assert unfinished(root) == 0


@pytest.mark.slow
def test_a_multipart_upload_that_fails_leaves_no_parts(
    server: S3Server, between: Proxy, big: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "_ATTEMPTS", 2)
    root = open_root(fresh(server))
    between.faults.append(Fault("half", "PUT", contains="partNumber=2", times=100))
    with pytest.raises(StorageError, match="did not answer"):
        root.upload(big, "big")
    assert keys(root) == []
    assert between.methods.count("DELETE") == 1
    assert unfinished(root) == 0


@pytest.mark.slow
def test_no_server(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOLHL_S3_ENDPOINT_URL", "http://127.0.0.1:9")
    begun = time.monotonic()
    with pytest.raises(StorageError, match=r"http://127\.0\.0\.1:9 did not answer") as caught:
        open_root(fresh(server)).stat("k")
    assert time.monotonic() - begun < 30
    one_line(caught.value, server)


# --- servers and clients that die --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("make", [seaweedfs, miniflare])
@pytest.mark.parametrize("size", [20_000_000, BIG])
def test_server_killed_in_mid_upload(
    make: Callable[[Path], AbstractContextManager[S3Server]],
    size: int,
    big: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Not started again it is a plain error; started again, the upload goes on by itself."""
    os.truncate(big, size)
    data = big.read_bytes()
    with make(tmp_path / "server") as own, proxy(own.endpoint) as shown:
        use(own, monkeypatch, tmp_path)
        root = open_root(fresh(own))
        root.write("before", b"x")
        monkeypatch.setenv("LOLHL_S3_ENDPOINT_URL", shown.endpoint)
        through = open_root(root.url)

        shown.faults.append(Fault("half", "PUT", call=own.kill))
        with pytest.raises(StorageError, match="did not answer") as caught:
            through.upload(big, "frames/big")
        one_line(caught.value, own)
        own.start()
        assert keys(root) == ["before"]

        crashed = threading.Event()

        def crash() -> None:
            own.kill()
            crashed.set()

        shown.faults.append(Fault("half", "PUT", call=crash))
        with ThreadPoolExecutor(1) as threads:
            going_on = threads.submit(open_root(root.url).upload, big, "frames/big")
            assert crashed.wait(60)
            own.start()
            failed = going_on.exception()
        if failed:
            assert isinstance(failed, StorageError)
            one_line(failed, own)
            assert keys(root) == ["before"]
            through.upload(big, "frames/big")
        assert keys(root) == ["before", "frames/big"]
        assert root.read("frames/big") == data


@pytest.mark.slow
@pytest.mark.parametrize("size", [20_000_000, BIG])
def test_client_killed_in_mid_upload(server: S3Server, between: Proxy, big: Path, size: int) -> None:
    os.truncate(big, size)
    root = open_root(fresh(server))
    code = (
        "import sys; from pathlib import Path; from lolhl.storage import open_root\n"
        "open_root(sys.argv[1]).upload(Path(sys.argv[2]), 'big')"
    )
    client: subprocess.Popen[bytes]
    between.faults.append(Fault("half", "PUT", call=lambda: client.send_signal(signal.SIGKILL)))
    client = subprocess.Popen([sys.executable, "-c", code, root.url, str(big)])
    assert client.wait(60) == -signal.SIGKILL
    assert keys(root) == []
    root.upload(big, "big")
    assert root.read("big") == big.read_bytes()


# --- the cache of `local` --------------------------------------------------------------------------------------


def test_the_cache_gives_room_by_last_use(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "_CACHE_BYTES", 250)
    monkeypatch.setattr(bucket, "_SPARED", 0.0)
    root = open_root(fresh(server))
    for name in "abc":
        root.write(name, name.encode() * 100)
    a, b = root.local("a"), root.local("b")
    os.utime(b, (1, 1))
    root.local("c")
    assert a.exists()
    assert not b.exists()
    assert root.local("b").read_bytes() == b"b" * 100


def test_the_cache_spares_what_was_just_used(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket, "_CACHE_BYTES", 150)
    root = open_root(fresh(server))
    for name in "abc":
        root.write(name, name.encode() * 100)
    paths = [root.local(name) for name in "abc"]
    assert [path.read_bytes()[:1] for path in paths] == [b"a", b"b", b"c"]


def test_the_cache_does_not_mix_places(server: S3Server) -> None:
    one, other = open_root(fresh(server)), open_root(fresh(server))
    one.write("k", b"same")
    other.write("k", b"same")
    assert one.local("k") != other.local("k")


def test_a_cache_that_cannot_be_written(server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("LOLHL_CACHE", str(tmp_path / "file"))
    root = open_root(fresh(server))
    root.write("k", b"x")
    with pytest.raises(StorageError, match="LOLHL_CACHE"):
        root.local("k")


@pytest.mark.slow
def test_a_big_object_takes_little_memory(weed: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """However slow the disk: what came in and is not written yet is bounded."""
    use(weed, monkeypatch, tmp_path)
    url = fresh(weed)
    with (tmp_path / "big").open("wb") as file:
        for _ in range(400):
            file.write(os.urandom(1_000_000))
    open_root(url).upload(tmp_path / "big", "big")
    code = (
        "import sys; from lolhl import memory; from lolhl.storage import open_root\n"
        "root = open_root(sys.argv[1]); root.find('none'); before = memory.peaks()['resident']\n"
        "print(root.local('big').stat().st_size, memory.peaks()['resident'] - before)"
    )
    done = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, check=True)
    size, taken = done.stdout.split()
    assert int(size) == 400_000_000
    assert float(taken) < 100  # MB


# --- settings ------------------------------------------------------------------------------------------------


def test_no_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOLHL_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(StorageError, match="LOLHL_S3_ENDPOINT_URL"):
        open_root("s3://frames")


@pytest.mark.parametrize(
    "value", ["host", "ftp://host", "http://", "https://id:hunter2@host", "http://a b", "http://h?x"]
)
def test_bad_endpoints(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("LOLHL_S3_ENDPOINT_URL", value)
    with pytest.raises(StorageError, match="LOLHL_S3_ENDPOINT_URL is no endpoint") as caught:
        open_root("s3://frames")
    assert "hunter2" not in str(caught.value)


def test_keys_in_the_url_are_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        open_root("s3://id:hunter2@frames/x")
    assert "hunter2" not in str(caught.value)


def test_the_standard_variables_name_the_endpoint_too(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LOLHL_S3_ENDPOINT_URL")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.endpoint)
    root = open_root(fresh(server))
    root.write("k", b"x")
    assert root.read("k") == b"x"


def test_an_endpoint_that_ends_in_the_bucket(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is how Cloudflare shows it to be copied."""
    root = open_root(fresh(server))
    root.write("k", b"x")
    monkeypatch.setenv("LOLHL_S3_ENDPOINT_URL", f"{server.endpoint}/{server.bucket}/")
    assert keys(open_root(root.url)) == ["k"]


def test_the_prefix_is_a_border(server: S3Server) -> None:
    url = fresh(server)
    open_root(url + "-other").write("k", b"other")
    root = open_root(url + "/")
    root.write("k", b"x")
    assert keys(root) == ["k"]
    assert root.url == url
    assert "data/k" in keys(open_root(url.removesuffix("/data")))


def test_folders_made_in_a_web_page_are_not_listed(server: S3Server) -> None:
    root = open_root(fresh(server))
    assert isinstance(root, Bucket)
    root._s3.put_object(Bucket=root.name, Key=f"{root.prefix}/vods/", Body=b"")
    root.write("vods/k", b"x")
    assert keys(root) == ["vods/k"]


def _read_at_once(root: Root, key: str, together: Barrier) -> None:
    for _ in range(5):
        together.wait(60)
        assert root.read(key) == key.encode() * 1000


@pytest.mark.slow
@pytest.mark.parametrize("start", [get_context("fork"), get_context("spawn")], ids=["fork", "spawn"])
def test_other_processes_may_use_it(server: S3Server, start: ForkContext | SpawnContext) -> None:
    """A fork gets the object itself, with the open connections of its parent; a spawned process a pickled one."""
    root = open_root(fresh(server))
    names = ("a", "b", "c")
    for name in names:
        root.write(name, name.encode() * 1000)
    together = start.Barrier(len(names))
    processes = [start.Process(target=_read_at_once, args=(root, name, together)) for name in names]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]


# --- the servers themselves ------------------------------------------------------------------------------------


def test_the_server_compares_the_md5(server: S3Server) -> None:
    """So that `Content-MD5` is worth sending."""
    root = open_root(fresh(server))
    assert isinstance(root, Bucket)

    def spoil(params: dict[str, object], **_: object) -> None:
        params["ContentMD5"] = "AAAAAAAAAAAAAAAAAAAAAA=="

    root._s3.meta.events.register_last("before-parameter-build.s3.PutObject", spoil)
    with pytest.raises(StorageError) as caught:
        root.write("k", b"x")
    assert isinstance(caught.value.__cause__, ClientError)
    assert caught.value.__cause__.response["Error"]["Code"] in ("BadDigest", "InvalidDigest")
    assert keys(root) == []


@pytest.mark.parametrize("module", ["seaweedfs", "miniflare"])
def test_servers_by_hand_end_with_their_parent(module: str, tmp_path: Path) -> None:
    by_hand = subprocess.Popen(
        [sys.executable, "-m", f"tests.servers.{module}", "--dir", str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert by_hand.stdout
    exported = {}
    for line in by_hand.stdout:
        name, _, value = line.strip().removeprefix("export ").partition("=")
        exported[name] = value
        if name == "ROOT":
            break
    code = "import sys; from lolhl.storage import open_root; open_root(sys.argv[1]).write('k', b'')"
    own = subprocess.run([sys.executable, "-c", code, exported["ROOT"]], env=os.environ | exported)
    assert own.returncode == 0
    by_hand.kill()
    by_hand.wait()
    by_hand.stdout.close()
    until = time.monotonic() + 15
    while _running(str(tmp_path)) and time.monotonic() < until:
        time.sleep(0.1)
    assert not _running(str(tmp_path))


def _running(folder: str) -> list[str]:
    commands = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if folder in command:
            commands.append(command)
    return commands
