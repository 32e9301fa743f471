"""MLflow: parameters, curves and the model bundle of a training run, and its place in the registry."""

import logging
import os
import re
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lolhl.errors import LolhlError, UsageError
from lolhl.manifest import Manifest
from lolhl.results import Model
from lolhl.storage import Root
from lolhl.storage.folder import Folder

CHAMPION = "champion"  # the alias of the model that users get by this name
_EXPERIMENT = "lolhl"
_DIGEST = "lolhl.digest"


@dataclass(frozen=True)
class Run:
    """One run in MLflow that the training with this digest writes to, however often it is started."""

    client: Any
    run_id: str
    digest: str

    def log(self, step: int, figures: Mapping[str, float]) -> None:
        with _explained():
            for name, value in figures.items():
                self.client.log_metric(self.run_id, name, value, step=step)

    def finish(self, figures: Mapping[str, float], bundle: Mapping[str, bytes], registered: str, alias: str) -> None:
        """Logs the figures and the bundle (file name → bytes), and registers it under the alias."""
        with _explained():
            self.log(0, figures)
            with tempfile.TemporaryDirectory(prefix="lolhl-") as scratch:
                for name, data in bundle.items():
                    (Path(scratch) / name).write_bytes(data)
                self.client.log_artifacts(self.run_id, scratch, "bundle")
            version = self._version(registered)
            self.client.set_registered_model_alias(registered, alias, version)
            self.client.set_terminated(self.run_id)

    def _version(self, registered: str) -> str:
        """The registry's number for this bundle; made unless an earlier start made it."""
        if not self.client.search_registered_models(f"name = '{registered}'"):
            self.client.create_registered_model(registered)
        for version in self.client.search_model_versions(f"name = '{registered}'"):
            if version.tags.get(_DIGEST) == self.digest and version.run_id == self.run_id:
                return str(version.version)
        source = self.client.get_run(self.run_id).info.artifact_uri + "/bundle"
        tags = {_DIGEST: self.digest}
        made = self.client.create_model_version(registered, source, self.run_id, tags=tags)
        return str(made.version)


def check_names(registered: str, alias: str) -> None:
    """Raises UsageError where MLflow's registry would refuse one of these: better now than when all is learnt."""
    for flag, name, others in (("--register", registered, "_.-"), ("--alias", alias, "_-")):
        if not re.fullmatch(rf"[A-Za-z0-9{others}]{{1,200}}", name):
            raise UsageError(f"{flag} {name!r}: use letters, digits, and of '{others}'")
    if re.fullmatch(r"v\d+|latest", alias, re.IGNORECASE):
        raise UsageError(f"--alias {alias}: MLflow keeps this name for itself: choose another")
    if alias.lower() == CHAMPION:
        raise UsageError(f"--alias {alias}: `lolhl retrain` gives it to the better model: choose another")


def give_alias(root: Root, name: str, made: Manifest[Model], alias: str) -> None:
    """Points an alias of the registry to the version of this bundle.

    A registry that does not know the bundle, as that of another machine, is given it first.

    Args:
        name: of the model.
        made: the bundle's manifest, model.json.

    Raises:
        LolhlError: MLflow does not answer or refuses.
    """
    registered = made.config["register"]
    client = _client(root)
    with _explained():
        known = client.search_model_versions(f"name = '{registered}'")
        versions = [version.version for version in known if version.tags.get(_DIGEST) == made.digest]
        if versions:
            client.set_registered_model_alias(registered, alias, str(max(map(int, versions))))
            return
    weights = made.outputs[0].key
    files = {"model.json": made.to_bytes(), Path(weights).name: made.read(root, weights, f"lolhl train {name} --force")}
    start(root, name, made.digest, made.config).finish({}, files, registered, alias)


def start(root: Root, name: str, digest: str, parameters: Mapping[str, Any]) -> Run:
    """The run of this work: a new one, or the one that an earlier, unfinished start began.

    Tracked at $MLFLOW_TRACKING_URI, else in a SQLite file below the root (below ./lolhl-data for a bucket).

    Raises:
        LolhlError: MLflow does not answer or refuses.
    """
    client = _client(root)
    with _explained():
        found = client.get_experiment_by_name(_EXPERIMENT)
        experiment = found.experiment_id if found else _create_experiment(client)
        begun = client.search_runs([experiment], f"tags.`{_DIGEST}` = '{digest}' and status = 'RUNNING'")
        tags = {_DIGEST: digest, "mlflow.source.name": "lolhl train"}
        run = begun[0] if begun else client.create_run(experiment, run_name=name, tags=tags)
        for key, value in parameters.items():  # again for a run that was begun: it may lack some
            client.log_param(run.info.run_id, key, value)
        return Run(client, run.info.run_id, digest)


def _client(root: Root) -> Any:
    warnings.filterwarnings("ignore", module="mlflow")
    from mlflow import MlflowClient  # takes 2 s to import

    for name in ("alembic", "mlflow"):  # the import sets levels of its own
        logging.getLogger(name).setLevel(logging.WARNING)
    with _explained():
        return MlflowClient(_tracking_uri(_folder(root)))


def _folder(root: Root) -> Path:
    return (root.path if isinstance(root, Folder) else Path("lolhl-data")).absolute() / "mlflow"


def _tracking_uri(folder: Path) -> str:
    if uri := os.environ.get("MLFLOW_TRACKING_URI"):
        return uri
    folder.mkdir(parents=True, exist_ok=True)
    database = folder / "mlflow.db"
    if not database.exists():
        _create_database(database)
    return f"sqlite:///{database}"


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


@contextmanager
def _explained() -> Iterator[None]:
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError  # comes out of MLflow as it is when the file is damaged

    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        where = os.environ.get("MLFLOW_TRACKING_URI") or "mlflow/mlflow.db below the root"
        why = str(error).splitlines()[0][:200]
        raise LolhlError(
            f"MLflow at {where} failed ({why}): start it or mend it, or set MLFLOW_TRACKING_URI"
        ) from error
