"""The places that the contract holds for, and the servers behind them: one of each for a test run."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from lolhl.storage import Root, open_root
from tests.servers import S3Server, set_environ
from tests.servers.miniflare import miniflare
from tests.servers.proxy import Proxy, proxy
from tests.servers.seaweedfs import seaweedfs


@pytest.fixture(scope="session")
def weed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with seaweedfs(tmp_path_factory.mktemp("weed")) as server:
        yield server


@pytest.fixture(scope="session")
def flare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with miniflare(tmp_path_factory.mktemp("flare")) as server:
        yield server


@pytest.fixture(scope="session")
def flare_tls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with miniflare(tmp_path_factory.mktemp("flare-tls"), tls=True) as server:
        yield server


@pytest.fixture(params=["weed", "flare"])
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> S3Server:
    """An object store, with the environment set to use it."""
    store: S3Server = request.getfixturevalue(request.param)
    use(store, monkeypatch, tmp_path)
    return store


@pytest.fixture
def between(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy to the object store, with the environment set to go through it."""
    with proxy(server.endpoint) as shown:
        monkeypatch.setenv("LOLHL_S3_ENDPOINT_URL", shown.endpoint)
        yield shown


@pytest.fixture(params=["folder", "weed", "flare"])
def root(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Root:
    """An empty root of each kind."""
    if request.param == "folder":
        return open_root(str(tmp_path / "root"))
    store: S3Server = request.getfixturevalue(request.param)
    use(store, monkeypatch, tmp_path)
    return open_root(fresh(store))


def use(server: S3Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    set_environ(monkeypatch, server.environ)
    monkeypatch.setenv("LOLHL_CACHE", str(tmp_path / "cache"))


def fresh(server: S3Server) -> str:
    """A root in the server's bucket that nobody has used."""
    return f"s3://{server.bucket}/{uuid.uuid4().hex}/data"
