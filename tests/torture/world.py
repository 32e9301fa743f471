"""The finished root that cases begin with: two streams with labels and all that the stages make of them."""

import hashlib
import json
import os
import random
import shutil
import tempfile
import time
from pathlib import Path

from filelock import FileLock

from tests.streams import write_stream
from tests.torture.call import apart
from tests.torture.sandbox import Sandbox

# The commands that make it, in order; each is what a damaged artifact is made again by.
STAGES: dict[str, tuple[str, ...]] = {
    "vods/a": ("download", "a.mp4", "--chat"),
    "vods/b": ("download", "b.mp4", "--chat"),
    "labels/a": ("labels", "a.tsv"),
    "labels/b": ("labels", "b.tsv"),
    "frames/a": ("extract", "a", "--size", "64"),
    "frames/b": ("extract", "b", "--size", "64"),
    "tracks/a/sound": ("track", "a", "--signal", "sound"),
    "tracks/a/chat": ("track", "a", "--signal", "chat"),
    "datasets/d": ("dataset", "d", "a"),
    "models/m": ("train", "m", "--dataset", "d", "--epochs", "2", "--kind", "video"),
    "models/t": ("train", "t", "--dataset", "d", "--epochs", "1", "--kind", "image", "--backbone", "resnet10t",
                 "--weights", "none", "--tune", "all", "--augment"),
    "models/j": ("train", "j", "--dataset", "d", "--epochs", "1", "--signals", "pictures,sound,chat"),
    "highlights/a/scores": ("infer", "m", "a"),
    "highlights/b/scores": ("infer", "m", "b"),
    "highlights/a": ("report", "a"),
    "highlights/b": ("report", "b"),
    "retrain": ("retrain",),
}  # fmt: skip
INPUTS = ("a.mp4", "a.tsv", "a.chat.json", "b.mp4", "b.tsv", "b.chat.json")


def finished() -> Path:
    """A folder with the finished `root`, its `inputs`, and MLflow's tables without a row (`mlflow.db`).

    Made once for each state of the code, below the folder of temporary files. Tests change no file in it.
    """
    top = Path(tempfile.gettempdir()) / f"lolhl-torture-{os.getuid()}"
    top.mkdir(mode=0o755, exist_ok=True)
    folder = top / _state()
    with FileLock(f"{folder}.lock", timeout=600):
        if not folder.exists():
            making = Path(tempfile.mkdtemp(dir=top))
            _make(making)
            making.replace(folder)
            _clear(top)
    return folder


def _make(folder: Path) -> None:
    folder.chmod(0o755)
    inputs = folder / "inputs"
    inputs.mkdir()
    for seed, name in enumerate("ab", start=1):
        spans = write_stream(inputs, name, seconds=120, seed=seed)
        lines = [{"time": span.start + 7, "user": f"user {number}", "text": "LUL KEKW"}
                 for span in spans for number in range(5)]  # fmt: skip
        (inputs / f"{name}.chat.json").write_text(json.dumps({"comments": lines}))
    apart(lambda: _make_tables(folder / "mlflow.db"))
    (folder / "root").mkdir()
    sandbox = Sandbox(folder / "sandbox", random.Random(0), folder)
    sandbox.take_inputs(*INPUTS)
    for words in STAGES.values():
        done = sandbox.run(*words, limit=240, check=False)
        if done.failed:
            raise RuntimeError(f"{done.call} failed:\n{done.err}")
    shutil.rmtree(sandbox.root / "mlflow")  # its artifacts lie at another place than those of copies
    (folder / "root").rmdir()
    sandbox.root.replace(folder / "root")
    shutil.rmtree(folder / "sandbox")


def _clear(top: Path) -> None:
    """Takes away what was made by other states of the code more than a day ago."""
    for old in top.iterdir():
        if old.is_dir() and old.stat().st_mtime < time.time() - 86_400:
            shutil.rmtree(old, ignore_errors=True)


def _make_tables(database: Path) -> None:
    from mlflow import MlflowClient

    MlflowClient(f"sqlite:///{database}").search_experiments()


def _state() -> str:
    """A digest of the code that it is made by."""
    here = Path(__file__)
    sources = [*sorted((here.parents[2] / "lolhl").rglob("*.py")), here, here.parents[1] / "streams.py"]
    return hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
