"""What `kubectl kustomize` makes of an overlay, with values filled in."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

MANIFESTS = Path(__file__).parents[2] / "manifests"
KUBECTL = Path(sys.prefix) / "kubectl/kubectl"  # .ci/setup puts it there
OVERLAYS = [path.name for path in sorted((MANIFESTS / "overlays").iterdir())]

Object = dict[str, Any]


def copied(folder: Path) -> Path:
    """A copy of manifests/ as git has it, without values that somebody wrote for a real cluster."""
    return Path(shutil.copytree(MANIFESTS, folder / "manifests", ignore=shutil.ignore_patterns("values")))


def write_values(overlay: Path, values: dict[str, dict[str, str]]) -> None:
    """Fills in what `values.example` leaves open: file → variable → value; the rest stays as it is there."""
    for example in (overlay / "values.example").iterdir():
        pairs = dict(line.split("=", 1) for line in example.read_text().splitlines())
        given = values.get(example.stem, {})
        assert given.keys() <= pairs.keys()
        (overlay / "values").mkdir(exist_ok=True)
        lines = [f"{name}={value}" for name, value in {**pairs, **given}.items()]
        (overlay / "values" / example.name).write_text("\n".join(lines) + "\n")


def kustomize(overlay: Path) -> list[Object]:
    """The objects that `kubectl apply -k OVERLAY` would send.

    Raises:
        RuntimeError: kubectl refuses; with what it said.
    """
    assert KUBECTL.exists(), "run .ci/setup test"
    done = subprocess.run([KUBECTL, "kustomize", overlay], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return list(yaml.safe_load_all(done.stdout))


def pods(objects: list[Object]) -> dict[str, Object]:
    """The pods that the objects make, by the name of their maker."""
    made = {}
    for thing in objects:
        match thing["kind"]:
            case "Deployment" | "StatefulSet":
                made[thing["metadata"]["name"]] = thing["spec"]["template"]
            case "CronJob":
                made[thing["metadata"]["name"]] = thing["spec"]["jobTemplate"]["spec"]["template"]
    return made
