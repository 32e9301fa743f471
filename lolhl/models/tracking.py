"""MLflow: parameters, curves and the model bundle of a training run, and its place in the registry.

Tracked at $MLFLOW_TRACKING_URI, else in a SQLite file below the root (below ./lolhl-data for a bucket). MLflow stores
absolute places of artifacts; those in the file below the root are corrected when the root has moved, see `_relocate`.
"""

import logging
import os
import re
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from lolhl import layout
from lolhl.errors import LolhlError, UsageError
from lolhl.manifest import Manifest
from lolhl.results import Model
from lolhl.storage import Root
from lolhl.storage.folder import Folder

CHAMPION = "champion"  # the alias of the model that users get by this name
_SETTING = "MLFLOW_TRACKING_URI"
_EXPERIMENT = "lolhl"
_DIGEST = "lolhl.digest"
_ANALYSIS = "lolhl.analysis"
_PATIENCE = 10  # seconds that a server or another writer of a SQLite file is waited for
# MLflow tries a request 8 times, which takes minutes. What fails here is repeated by the same command.
_BOUNDS = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "60"}
_CURVES = ("train_loss", "val_loss", "val_ap")
_PLACES = (  # the columns of MLflow's tables that hold places of artifacts
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


@dataclass(frozen=True)
class Run:
    """One run in MLflow that the training with this digest writes to, however often it is started."""

    client: Any
    run_id: str
    explained: "_Explained"

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        """Raises LolhlError when MLflow does not answer or refuses."""
        with self.explained():
            for name, value in figures.items():
                self.client.log_metric(self.run_id, name, value, step=step)


def check_names(registered: str, alias: str) -> None:
    """Raises UsageError where MLflow's registry would refuse one of these: better now than when all is learnt."""
    for flag, name, others in (("--register", registered, "_.-"), ("--alias", alias, "_-")):
        if not re.fullmatch(rf"[A-Za-z0-9{others}]{{1,200}}", name):
            raise UsageError(f"{flag} {name!r}: use letters, digits, and of '{others}'")
    if re.fullmatch(r"v\d+|latest", alias, re.IGNORECASE):
        raise UsageError(f"--alias {alias}: MLflow keeps this name for itself: choose another")
    if alias.lower() == CHAMPION:
        raise UsageError(f"--alias {alias}: `lolhl retrain` gives it to the better model: choose another")


def check(root: Root) -> None:
    """Raises LolhlError, after some seconds at most, where MLflow cannot be reached: better before the training.

    A server is asked by MLflow's client. The file below the root is looked at without it, as its import takes 2 s.
    """
    if os.environ.get(_SETTING):
        client, explained = _client(root)
        with explained():
            client.get_experiment_by_name(_EXPERIMENT)
        return
    _own_file(root)


def start(root: Root, name: str, digest: str, parameters: Mapping[str, Any]) -> Run:
    """The run of this work: a new one, or the one that an earlier, unfinished start began.

    Raises:
        LolhlError: MLflow does not answer or refuses.
    """
    client, explained = _client(root)
    with explained():
        experiment = _experiment(client)
        begun = [run for run in _runs(client, experiment, digest) if run.info.status == "RUNNING"]
        run = begun[0] if begun else _create_run(client, experiment, name, digest)
        for key, value in parameters.items():  # again for a run that was begun: it may lack some
            client.log_param(run.info.run_id, key, value)
        return Run(client, run.info.run_id, explained)


def publish(root: Root, name: str, made: Manifest[Model], registered: str, alias: str) -> None:
    """Gives MLflow all of a finished model that it does not have, and points an alias of the registry to it.

    Called again it repeats nothing. A registry that does not know the bundle, as that of another machine, is given it.

    Args:
        name: of the model.
        made: the bundle's manifest, model.json.
        registered: the registry's name for such models.

    Raises:
        LolhlError: MLflow does not answer or refuses.
    """
    client, explained = _client(root)
    with explained():
        experiment = _experiment(client)
        runs = _runs(client, experiment, made.digest)
        running = next((run for run in runs if run.info.status == "RUNNING"), None)
        version = None if running else _newest(client, registered, made.digest)
        if version is None:
            run = running or (runs[0] if runs else _create_run(client, experiment, name, made.digest))
            if run.info.status == "RUNNING":
                _complete(root, client, run.info.run_id, made)
            version = _version(client, registered, run.info.run_id, made.digest)
            client.set_terminated(run.info.run_id)
        client.set_registered_model_alias(registered, alias, version)


def is_used(root: Root) -> bool:
    """Whether runs are tracked: a server is named, or MLflow's file lies below the root."""
    return bool(os.environ.get(_SETTING)) or _database(root).exists()


def add_analysis(
    root: Root, model: Manifest[Model], digest: str, files: Mapping[str, bytes], figures: Mapping[str, float]
) -> bool:
    """Gives the run of a model an analysis, in place of an earlier one. Called again it does nothing.

    Args:
        root: where the data lies.
        model: the bundle's manifest.
        digest: of the analysis.
        files: name → bytes, of what is stored with the run.
        figures: name → value.

    Returns:
        Whether there is a run of the model.

    Raises:
        LolhlError: MLflow does not answer or refuses.
    """
    client, explained = _client(root)
    with explained():
        experiment = client.get_experiment_by_name(_EXPERIMENT)
        runs = _runs(client, str(experiment.experiment_id), model.digest) if experiment else []
        if not runs:
            return False
        run = runs[0]
        if run.data.tags.get(_ANALYSIS) != digest:
            for name, value in figures.items():
                client.log_metric(run.info.run_id, name, value, step=0)
            with tempfile.TemporaryDirectory(prefix="lolhl-") as scratch:
                for name, data in files.items():
                    (Path(scratch) / name).write_bytes(data)
                client.log_artifacts(run.info.run_id, scratch, "analysis")
            client.set_tag(run.info.run_id, _ANALYSIS, digest)
        return True


def _experiment(client: Any) -> str:
    experiment = client.get_experiment_by_name(_EXPERIMENT)
    return str(experiment.experiment_id) if experiment else _create_experiment(client)


def _runs(client: Any, experiment: str, digest: str) -> list[Any]:
    """The runs of this work, the newest first."""
    return list(client.search_runs([experiment], f"tags.`{_DIGEST}` = '{digest}'"))


def _create_run(client: Any, experiment: str, name: str, digest: str) -> Any:
    tags = {_DIGEST: digest, "mlflow.source.name": "lolhl train"}
    return client.create_run(experiment, run_name=name, tags=tags)


def _complete(root: Root, client: Any, run_id: str, made: Manifest[Model]) -> None:
    """Logs what the run lacks: parameters, curves, figures and the bundle."""
    figures, curves = _figures(made.result)
    for key, value in made.config.items():
        client.log_param(run_id, key, value)
    for curve, values in curves.items():
        logged = {point.step for point in client.get_metric_history(run_id, curve)}
        for step, value in enumerate(values):
            if step not in logged:
                client.log_metric(run_id, curve, value, step=step)
    for figure, value in figures.items():
        client.log_metric(run_id, figure, value, step=0)
    weights = made.outputs[0].key
    files = {"model.json": made.to_bytes(), Path(weights).name: made.read(root, weights, layout.remake(weights))}
    with tempfile.TemporaryDirectory(prefix="lolhl-") as scratch:
        for file, data in files.items():
            (Path(scratch) / file).write_bytes(data)
        client.log_artifacts(run_id, scratch, "bundle")


def _figures(model: Model) -> tuple[dict[str, float], dict[str, list[float]]]:
    """The figures of a model by their names in MLflow, and of each epoch: name → one value an epoch."""
    smoothed = model.metrics.smoothed
    figures = {
        "average_precision": smoothed.model.average_precision,
        "f1": smoothed.model.f1,
        "precision": smoothed.model.precision,
        "recall": smoothed.model.recall,
        "average_precision_raw": model.metrics.raw.average_precision,
        "average_precision_random": smoothed.random.average_precision,
        "f1_constant": smoothed.constant.f1,
        "threshold": model.threshold,
        **{f"event_f1_tiou_{at.tiou:g}": at.f1 for at in model.metrics.events},
        **{f"event_precision_tiou_{at.tiou:g}": at.precision for at in model.metrics.events},
        **{f"event_recall_tiou_{at.tiou:g}": at.recall for at in model.metrics.events},
    }
    curves = zip(*model.epochs, strict=True)
    by_name = {name: list(curve) for name, curve in zip(_CURVES, curves, strict=False)}
    return {name: value for name, value in figures.items() if value is not None}, by_name


def _newest(client: Any, registered: str, digest: str) -> str | None:
    """The registry's number for this bundle, if it has it."""
    versions = client.search_model_versions(f"name = '{registered}'")
    numbers = [int(version.version) for version in versions if version.tags.get(_DIGEST) == digest]
    return str(max(numbers)) if numbers else None


def _version(client: Any, registered: str, run_id: str, digest: str) -> str:
    """The registry's number for the bundle of this run; made unless an earlier start made it."""
    if not client.search_registered_models(f"name = '{registered}'"):
        client.create_registered_model(registered)
    for version in client.search_model_versions(f"name = '{registered}'"):
        if version.tags.get(_DIGEST) == digest and version.run_id == run_id:
            return str(version.version)
    source = client.get_run(run_id).info.artifact_uri + "/bundle"
    return str(client.create_model_version(registered, source, run_id, tags={_DIGEST: digest}).version)


def _client(root: Root) -> tuple[Any, "_Explained"]:
    """MLflow's client, of a place that answered a moment ago, and what explains its errors."""
    warnings.filterwarnings("ignore", module="mlflow")
    for name, value in _BOUNDS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient  # takes 2 s to import

    for name in ("alembic", "mlflow"):  # the import sets levels of its own
        logging.getLogger(name).setLevel(logging.WARNING)
    if uri := os.environ.get(_SETTING, ""):
        advice = f"start or mend it, or change {_SETTING}; without it, MLflow's file lies below the root"
        explained = _Explained(f"{_SETTING}={without_user(uri)}", advice)
        with explained():
            _probe(uri)
            return MlflowClient(uri), explained
    database, explained = _own_file(root)
    with explained():
        if not database.exists():
            _create_database(database)
        _relocate(database)
        return MlflowClient(f"sqlite:///{database}"), explained


def _own_file(root: Root) -> tuple[Path, "_Explained"]:
    """The file below the root, which serves or can be made, and what explains errors of it. Raises LolhlError."""
    database = _database(root)
    explained = _Explained(f"MLflow at {database}", f"mend it or move it away, or set {_SETTING}")
    with explained():
        database.parent.mkdir(parents=True, exist_ok=True)
        _probe_file(database)
    return database, explained


def _database(root: Root) -> Path:
    """MLflow's file, where no server is named."""
    return (root.path if isinstance(root, Folder) else Path("lolhl-data")).absolute() / layout.MLFLOW


def _create_database(database: Path) -> None:
    """MLflow makes its tables one by one and cannot go on when it was killed at it: so whole or not at all."""
    from mlflow import MlflowClient

    with tempfile.TemporaryDirectory(prefix=".unfinished-", dir=database.parent) as scratch:
        new = Path(scratch) / database.name
        MlflowClient(f"sqlite:///{new}").search_experiments()
        with suppress(FileExistsError):  # another run was faster
            database.hardlink_to(new)


def _create_experiment(client: Any) -> str:
    """With artifacts beside a SQLite file, where MLflow would choose ./mlruns; a server knows its own place."""
    file = client.tracking_uri.removeprefix("sqlite:///")
    place = None if file == client.tracking_uri else (Path(file).absolute().parent / "artifacts").as_uri()
    return str(client.create_experiment(_EXPERIMENT, artifact_location=place))


def _relocate(database: Path) -> None:
    """Corrects the places of artifacts in the file below a root that was moved or copied to here.

    All at once, in a transaction: whoever reads in between sees the old places or the new ones.
    """
    artifacts = (database.parent / "artifacts").as_uri()
    with closing(sqlite3.connect(database, timeout=_PATIENCE, isolation_level=None)) as connection:
        select = "select artifact_location from experiments where name = ? and artifact_location != ?"
        moved = connection.execute(select, (_EXPERIMENT, artifacts)).fetchone()
        if moved is None or urlsplit(moved[0]).scheme != "file":
            return
        with suppress(OSError):  # another name of the same folder is as good: two mounts would correct each other
            if Path(unquote(urlsplit(moved[0]).path)).samefile(database.parent / "artifacts"):
                return
        connection.execute("begin immediate")
        for table, column in _PLACES:
            if any(column == name for _, name, *_ in connection.execute(f"pragma table_info({table})")):
                begins = f"{column} = :old or substr({column}, 1, length(:old) + 1) = :old || '/'"
                place = f":here || substr({column}, length(:old) + 1)"
                change = f"update {table} set {column} = {place} where {begins}"  # noqa: S608
                connection.execute(change, {"old": moved[0], "here": artifacts})
        connection.execute("commit")


def _probe(uri: str) -> None:
    """Raises what connecting raises where nobody answers, or a SQLite file is no file for us.

    MLflow would try for minutes, and fill another program's file with its own tables.
    """
    scheme = uri.partition(":")[0].partition("+")[0].lower()
    if scheme == "sqlite":
        from sqlalchemy.engine import make_url

        _probe_file(Path(make_url(uri).database or ""))
    elif scheme in ("http", "https"):
        import requests

        with suppress(requests.exceptions.SSLError):  # somebody is there, and MLflow has settings for it
            requests.get(f"{uri.rstrip('/')}/health", timeout=_PATIENCE, allow_redirects=False, stream=True).close()
    elif scheme in ("postgresql", "mysql"):
        import sqlalchemy

        sqlalchemy.create_engine(uri, connect_args={"connect_timeout": _PATIENCE}).connect().close()


def _probe_file(file: Path) -> None:
    if not file.exists():
        return
    with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=rw", uri=True, timeout=_PATIENCE)) as connection:
        tables = {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}
        if tables and "experiments" not in tables:
            raise OSError("it is the database of another program")
        connection.execute("begin immediate")  # may be written to, and nobody keeps it locked
        connection.rollback()


def without_user(text: str) -> str:
    """The text without the user names and passwords of its URLs."""
    return re.sub(r"://\S*@", "://", text)  # up to the last @: there may be one in a password


@dataclass(frozen=True)
class _Explained:
    """Says in one line what MLflow, or what it stands on, has to say of a place."""

    place: str
    advice: str

    @contextmanager
    def __call__(self) -> Iterator[None]:
        try:
            yield
        except ImportError as error:
            why = f"{error}: install it"
            raise LolhlError(f"{self.place} failed ({why}), or change {_SETTING}") from error
        except Exception as error:
            import requests
            from alembic.util.exc import CommandError
            from mlflow.exceptions import MlflowException
            from sqlalchemy.exc import SQLAlchemyError  # comes out of MLflow as it is when the file is damaged

            if isinstance(error, requests.RequestException):
                raise LolhlError(f"{self.place} does not answer ({_line(error)}): {self.advice}") from error
            if isinstance(
                error, MlflowException | SQLAlchemyError | CommandError | sqlite3.Error | OSError | ValueError
            ):
                raise LolhlError(f"{self.place} failed ({_line(error)}): {self.advice}") from error
            raise


def _line(error: Exception) -> str:
    """The first line of what an error says, without passwords."""
    text = next(iter(str(error).splitlines()), "") or type(error).__name__
    return without_user(text)[:200]
