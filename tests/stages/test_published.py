"""What MLflow gets of a model: in a root that moved, after a failure, and where there is no MLflow at all."""

import json
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from lolhl.errors import LolhlError, MissingInput, StorageError
from lolhl.models import tracking
from lolhl.models.champion import Champion, champions, point
from lolhl.stages.infer import infer
from lolhl.stages.train import TrainConfig, train
from lolhl.storage import Root, open_root
from tests.files import stored_bytes
from tests.results import unsealed

QUICK = TrainConfig(dataset="d", kind="image", epochs=2, batch=64)


def changed(**settings: Any) -> TrainConfig:
    return TrainConfig(**{**vars(QUICK), **settings})


@pytest.fixture(scope="module")
def trained(streams: Root, tmp_path_factory: pytest.TempPathFactory) -> Root:
    """With dataset d and model m."""
    root = open_root(str(shutil.copytree(streams.url, tmp_path_factory.mktemp("trained") / "root")))
    train(root, "m", QUICK)
    return root


@pytest.fixture
def root(trained: Root, tmp_path: Path) -> Root:
    return open_root(str(shutil.copytree(trained.url, tmp_path / "root")))


def client(root: Root) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{root.url}/mlflow/mlflow.db")


def version(root: Root, alias: str = "challenger", registered: str = "lolhl") -> Any:
    return client(root).get_model_version_by_alias(registered, alias)


def bundle(root: Root, alias: str = "challenger") -> bytes:
    """The weights that MLflow gives under this alias."""
    folder = client(root).download_artifacts(version(root, alias).run_id, "bundle")
    assert version(root, alias).source.startswith(Path(root.url).as_uri() + "/")
    return next(Path(folder).glob("model-*.safetensors")).read_bytes()


def places(root: Root) -> list[str]:
    """All that MLflow's tables say of places of artifacts."""
    with closing(sqlite3.connect(f"{root.url}/mlflow/mlflow.db")) as connection:
        rows = connection.execute(
            "select artifact_location from experiments where name = 'lolhl' union select artifact_uri from runs "
            "union select source from model_versions union select storage_location from model_versions"
        )
        return [place for (place,) in rows if place]


def test_a_root_that_moved_goes_on_where_it_is_now(root: Root, tmp_path: Path) -> None:
    moved = Path(root.url).rename(tmp_path / "moved 100% new")
    Path(root.url).touch()  # nothing can be made at the old place
    new = open_root(str(moved))
    train(new, "other", changed(seed=1))
    assert bundle(new) == stored_bytes(new, "models/other/model.safetensors")
    point(new, (Champion("m", "x"),), None)
    assert bundle(new, "champion") == stored_bytes(new, "models/m/model.safetensors")
    assert all(place.startswith(moved.as_uri() + "/mlflow/artifacts") for place in places(new))


def test_a_root_and_its_copy_go_on_apart(root: Root, tmp_path: Path) -> None:
    copy = open_root(str(shutil.copytree(root.url, tmp_path / "copy")))
    before = sorted(str(file) for file in Path(root.url).rglob("*"))
    train(copy, "other", changed(seed=1))
    assert sorted(str(file) for file in Path(root.url).rglob("*")) == before
    train(root, "third", changed(seed=2))
    assert bundle(copy) == stored_bytes(copy, "models/other/model.safetensors")
    assert bundle(root) == stored_bytes(root, "models/third/model.safetensors")
    assert not any(Path(copy.url).as_uri() in place for place in places(root))


def test_two_names_of_one_root_do_not_correct_each_other(root: Root, tmp_path: Path) -> None:
    tracking.start(root, "m", "one digest", {})
    (tmp_path / "link").symlink_to(root.url)
    tracking.start(open_root(str(tmp_path / "link")), "m", "another digest", {})
    assert all(place.startswith(Path(root.url).as_uri() + "/") for place in places(root))


def test_the_file_below_the_root_is_looked_at_without_mlflow(root: Root) -> None:
    code = "import sys; from lolhl.models import tracking; from lolhl.storage import open_root; "
    code += f"tracking.check(open_root({root.url!r})); print('mlflow' in sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"


def test_places_that_are_not_ours_stay(root: Root) -> None:
    with closing(sqlite3.connect(f"{root.url}/mlflow/mlflow.db", isolation_level=None)) as connection:
        old = connection.execute("select artifact_location from experiments where name = 'lolhl'").fetchone()[0]
        insert = "insert into experiments (experiment_id, name, artifact_location) values (?, ?, ?)"
        connection.execute(insert, (7, "x", old + "2"))
        connection.execute(insert, (8, "y", "s3://b/p"))
        tracking.start(root, "m", "a digest", {})
        rows = dict(connection.execute("select name, artifact_location from experiments").fetchall())
    assert (rows["x"], rows["y"]) == (old + "2", "s3://b/p")
    assert rows["lolhl"] == (Path(root.url) / "mlflow/artifacts").as_uri()


def test_a_failed_publication_costs_no_model_and_is_repeated(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    artifacts = Path(root.url) / "mlflow/artifacts"
    artifacts.rename(artifacts.with_name("aside"))
    artifacts.touch()  # where nothing can be put
    with pytest.raises(LolhlError, match="model new is finished, but not published") as caught:
        train(root, "new", changed(seed=1))
    assert "\n" not in str(caught.value)
    assert infer(root, "new", "b").result.model == "new"
    assert root.stat("models/new/unfinished.ckpt") is None
    before = root.stat("models/new/model.json")
    with pytest.raises(LolhlError, match="not published"):
        train(root, "new", changed(seed=1))
    artifacts.unlink()
    artifacts.with_name("aside").rename(artifacts)
    train(root, "new", changed(seed=1))
    assert root.stat("models/new/model.json") == before
    assert bundle(root) == stored_bytes(root, "models/new/model.safetensors")
    run = client(root).get_run(version(root).run_id)
    assert run.info.status == "FINISHED"
    assert [point.step for point in client(root).get_metric_history(version(root).run_id, "val_ap")] == [0, 1]
    assert run.data.metrics["average_precision"] > 0
    caplog.clear()
    shutil.rmtree(artifacts)  # what is published is not looked at again
    train(root, "new", changed(seed=1))


def test_a_curve_that_broke_off_is_completed_at_the_end(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    def failed(*_: object) -> None:
        raise LolhlError("nobody answers")

    monkeypatch.setattr(tracking.Run, "log", failed)
    train(root, "new", changed(seed=1))
    assert [point.step for point in client(root).get_metric_history(version(root).run_id, "val_ap")] == [0, 1]


@pytest.mark.parametrize("step", ["announce", "publish"])
def test_a_kill_round_the_publication_is_made_good(root: Root, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    from lolhl.models import publication

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(publication if step == "announce" else tracking, step, killed)
        with pytest.raises(KeyboardInterrupt):
            train(root, "new", changed(seed=1))
    assert (root.stat("models/new/model.json") is None) == (step == "announce")
    train(root, "new", changed(seed=1))
    assert bundle(root) == stored_bytes(root, "models/new/model.safetensors")
    assert len(client(root).search_runs(["1"])) == 2


def test_another_alias_or_name_publishes_and_does_not_train(root: Root) -> None:
    before = {stat.key: stat.etag for stat in root.list("models/m/model")}
    train(root, "m", changed(alias="best"))
    train(root, "m", changed(alias="best", register="other"))
    assert {stat.key: stat.etag for stat in root.list("models/m/model")} == before
    assert version(root, "best").version == version(root).version
    assert version(root, "best", "other").run_id == version(root).run_id
    point(root, (Champion("m", "x"),), None)
    assert version(root, "champion", "other").version


def test_a_model_that_lolhl_0_1_published_is_not_published_again(root: Root) -> None:
    root.delete("models/m/publication.json")
    root.write("models/m/model.json", as_of_0_1(root.read("models/m/model.json")))
    shutil.rmtree(Path(root.url) / "mlflow")
    before = root.read("models/m/model.json")
    train(root, "m", QUICK)
    train(root, "m", changed(cache_gb=1))
    assert not (Path(root.url) / "mlflow").exists()
    train(root, "m", changed(register="other"))
    assert version(root, registered="other").version
    assert root.read("models/m/model.json") == before


def as_of_0_1(manifest: bytes) -> bytes:
    """The manifest as lolhl 0.1 would have written it: with all settings but how much memory is taken."""
    values = json.loads(unsealed(manifest))
    values["config"] |= {"register": "lolhl", "alias": "challenger"}
    values["digest"] = "0" * 64
    return json.dumps(values, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n"


@pytest.mark.parametrize("damaged", [None, b'{"register": 3'])
def test_where_nothing_says_how_a_model_was_published_it_is_published_again(root: Root, damaged: bytes | None) -> None:
    root.delete("models/m/publication.json")
    if damaged:
        root.write("models/m/publication.json", damaged)
    with pytest.raises(MissingInput, match=r"models/m/publication.json is gone or damaged: run `lolhl train m`"):
        point(root, (Champion("m", "x"),), champions(root).etag)
    train(root, "m", QUICK)
    assert bundle(root) == stored_bytes(root, "models/m/model.safetensors")
    point(root, (Champion("m", "x"),), champions(root).etag)


def test_a_registered_name_that_is_none_is_the_manifest_s_fault(root: Root) -> None:
    root.delete("models/m/publication.json")
    stored = json.loads(unsealed(root.read("models/m/model.json")))
    stored["config"]["register"] = 7
    root.write("models/m/model.json", json.dumps(stored).encode())
    with pytest.raises(StorageError, match=r"models/m/model.json is damaged"):
        point(root, (Champion("m", "x"),), champions(root).etag)


class _Odd(BaseHTTPRequestHandler):
    """Answers everything with a page, or with an error of the server."""

    code = 200

    def do_GET(self) -> None:
        self.send_response(self.code)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<html>\n<body>Welcome\n</body></html>")

    do_POST = do_GET  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def odd_server(code: int) -> Iterator[int]:
    handler = type("Handler", (_Odd,), {"code": code})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def refused(root: Root, uri: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What is said of this setting, before anything is computed."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setattr(tracking, "_PATIENCE", 1)
    keys = [stat.key for stat in root.list()]
    began = time.monotonic()
    with pytest.raises(LolhlError, match="MLFLOW_TRACKING_URI=") as caught:
        train(root, "new", changed(seed=1))
    assert time.monotonic() - began < 30
    assert [stat.key for stat in root.list()] == keys
    assert "\n" not in str(caught.value)
    assert "PASSW" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("postgresql://me:PASSW@127.0.0.1:9/x", "psycopg"),
        ("postgresql://me:PASSW/@#ORD@127.0.0.1:9/x", ""),
        ("mysql://me:PASSW@127.0.0.1:9/x", "MySQLdb"),
        ("mssql+nodriver://me:PASSW@127.0.0.1:9/x", ""),
        ("http://me:PASSW@127.0.0.1:9", "does not answer"),
        ("http://me:PASSW@a..b", ""),
        ("http://[::1", ""),
        ("http:///x", ""),
        ("gopher://me:PASSW@h/x", ""),
        ("file:///tmp/x", ""),
        ("./mlruns", ""),
        ("sqlite://", ""),
        ("nothing at all", ""),
        ("sqlite:////proc/none/x.db", ""),
        ("sqlite:///{tmp}", "unable to open"),
        ("sqlite:///{tmp}/text.db", "not a database"),
        ("sqlite:///{tmp}/other.db", "another program"),
    ],
)
def test_a_wrong_place_is_one_line_before_the_training(
    root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, uri: str, why: str
) -> None:
    (tmp_path / "text.db").write_text("This is no database.\n" * 100)
    monkeypatch.chdir(tmp_path)
    with closing(sqlite3.connect(tmp_path / "other.db", isolation_level=None)) as connection:
        connection.execute("create table songs (title text)")
    assert why in refused(root, uri.format(tmp=tmp_path), monkeypatch)
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        assert connection.execute("select name from sqlite_master").fetchall() == [("songs",)]


def test_a_locked_file_is_one_line(root: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(f"{root.url}/mlflow/mlflow.db", tmp_path / "own.db")
    with closing(sqlite3.connect(tmp_path / "own.db", isolation_level=None)) as connection:
        connection.execute("begin exclusive")
        assert "locked" in refused(root, f"sqlite:///{tmp_path}/own.db", monkeypatch)


@pytest.mark.parametrize("code", [200, 404, 500])
def test_a_server_that_is_not_mlflow_s_is_one_line(root: Root, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    with odd_server(code) as port:
        assert f"127.0.0.1:{port}" in refused(root, f"http://me:PASSW@127.0.0.1:{port}", monkeypatch)
