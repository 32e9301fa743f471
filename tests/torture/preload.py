"""All that `lolhl` imports, imported once: cases and calls are forks of the process that has it. No thread is used."""

import importlib
import os

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

from lolhl import cli

for _, verb in cli.VERBS.values():
    verb()
for name in (
    "mlflow", "mlflow.store.tracking.sqlalchemy_store", "alembic", "openvino", "simplejpeg", "boto3.session",
    "lolhl.models.engine", "tests.torture.families",
):  # fmt: skip
    importlib.import_module(name)
