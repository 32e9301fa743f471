"""All that `lolhl` imports, imported once: cases and calls are forks of the process that has it. No thread is used."""

import importlib
import os
import sys

os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # as lolhl.backbones.openvino_runtime does

from lolhl import cli  # noqa: E402, F401
from lolhl.stages import table  # noqa: E402

for name in table.STAGES:
    table.load(name)
for name in (
    "mlflow", "mlflow.store.tracking.sqlalchemy_store", "alembic", "openvino", "simplejpeg", "boto3.session",
    "lolhl.backbones.feature_runtime", "tests.torture.families",
    "torchx.cli.main", "torchx.schedulers.slurm_scheduler", "torchx.components.dist", "components._commands",
    "components.schedulers.docker", "components.schedulers.kubernetes",
    # What is imported late; as another user, the interpreter's own files may be out of reach.
    "encodings.utf_8_sig", "encodings.utf_16", "encodings.utf_32", "encodings.idna", "encodings.ascii",
    "encodings.latin_1",
):  # fmt: skip
    importlib.import_module(name)
