"""What Kubernetes gets, line by line, from TorchX's last release and from torchx-nightly."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from lolhl.stages.table import STAGES
from tests.components.rendered import APP_ID, CASES
from tests.engines import volcano

HERE = Path(__file__).parent
GOLDEN = HERE / "golden"
NIGHTLY = Path(sys.prefix) / "torchx-nightly"  # .ci/setup puts it there
UPDATE = "LOLHL_UPDATE_GOLDEN"
CREDENTIALS = {
    name: f"hidden-{name.lower().replace('_', '-')}"
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "MLFLOW_TRACKING_USERNAME",
        "MLFLOW_TRACKING_PASSWORD",
        "MLFLOW_TRACKING_TOKEN",
        "LOLHL_RIOT_KEY",
        "LOLHL_TWITCH_TOKEN",
        "POSTGRES_PASSWORD",
    )
}

# What nightly adds to the environment of each container, none of which a stage reads: the id of the client's session,
# the name of a run for trackers, and the image's own name.
NIGHTLY_ADDS = {"TORCHX_INTERNAL_SESSION_ID", "TORCHX_TRACKING_RUN_NAME", "TORCHX_IMAGE"}
VERSION = "torchx.pytorch.org/version"  # the label that each sets to its own version


def rendered(scheduler: str, python_path: str = "") -> dict[str, str]:
    """All cases, in a process with credentials in its environment and the TorchX of `python_path`, else of .venv."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("TORCHX", "LOLHL", "PYTHONPATH"))
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.components.rendered", scheduler],
        cwd=HERE.parents[1], env=inherited | CREDENTIALS | {"PYTHONPATH": python_path},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    jobs = yaml.safe_load(done.stdout)
    assert isinstance(jobs, dict)
    return jobs


@pytest.fixture(scope="module")
def released() -> dict[str, str]:
    return rendered("kubernetes")


@pytest.fixture(scope="module")
def nightly() -> dict[str, str]:
    assert NIGHTLY.exists(), "run .ci/setup test"
    return rendered("kubernetes", str(NIGHTLY))


def pods(job: dict[str, Any]) -> list[dict[str, Any]]:
    return [task["template"] for task in job["spec"]["tasks"]]


@pytest.fixture(scope="module")
def goldens(released: dict[str, str]) -> dict[str, Any]:
    if os.environ.get(UPDATE):
        for path in GOLDEN.glob("*.yaml"):
            path.unlink()
        for name, text in released.items():
            (GOLDEN / f"{name}.yaml").write_text(yaml.safe_dump(without_version(text)))
    return {path.stem: yaml.safe_load(path.read_text()) for path in GOLDEN.glob("*.yaml")}


def without_version(text: str) -> Any:
    job = yaml.safe_load(text)
    for pod in pods(job):
        assert pod["metadata"]["labels"].pop(VERSION)
    return job


def test_there_is_a_case_of_every_component() -> None:
    assert {component for component, _, _ in CASES.values()} == STAGES.keys() - {"run", "review"}


def test_each_job_is_its_golden_file(released: dict[str, str], goldens: dict[str, Any]) -> None:
    now = {name: without_version(text) for name, text in released.items()}
    assert now == goldens, f"if the change is meant: {UPDATE}=1 pytest {Path(__file__).relative_to(Path.cwd())}"


def test_nightly_renders_the_same(nightly: dict[str, str], goldens: dict[str, Any]) -> None:
    now = {name: without_version(text) for name, text in nightly.items()}
    for job in now.values():
        for pod in pods(job):
            for container in pod["spec"]["containers"]:
                container["env"] = [pair for pair in container["env"] if pair["name"] not in NIGHTLY_ADDS]
    assert now == goldens


@pytest.mark.parametrize("scheduler", ["kubernetes", "slurm", "local_docker"])
@pytest.mark.parametrize("path", ["", str(NIGHTLY)], ids=["released", "nightly"])
def test_no_job_contains_a_credential(scheduler: str, path: str) -> None:
    jobs = rendered(scheduler, path)
    assert len(jobs) >= 10
    for text in jobs.values():
        assert "lolhl" in text
        assert not [name for name, value in CREDENTIALS.items() if value in text]


@pytest.mark.parametrize("scheduler", ["local_cwd", "local_docker", "slurm", "kubernetes"])
@pytest.mark.parametrize("path", ["", str(NIGHTLY)], ids=["released", "nightly"])
def test_torchx_run_with_the_checkout_s_settings_prints_no_credential(scheduler: str, path: str) -> None:
    # Else the nightly release would ask the cluster.
    options = ["-cfg", "validate_spec=False"] if scheduler == "kubernetes" and path else []
    command = ["--log_level", "DEBUG", "run", "--dryrun", "-s", scheduler, *options]
    for component in ("extract", "train"):
        done = subprocess.run(
            [sys.executable, "-m", "torchx.cli.main", *command, f"components/{component}.py:{component}", "--", "x"],
            cwd=HERE.parents[1], env=os.environ | CREDENTIALS | {"PYTHONPATH": path},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert "=== SCHEDULER REQUEST ===" in done.stdout
        if scheduler == "local_docker":  # it copies them, by name, and those alone that the component declares
            assert "AWS_SECRET_ACCESS_KEY" in done.stdout
            assert ("MLFLOW_TRACKING_PASSWORD" in done.stdout) == (component == "train")
        assert not [name for name, value in CREDENTIALS.items() if value in done.stdout + done.stderr]


def test_pods_get_the_credentials_that_their_component_declares(goldens: dict[str, Any]) -> None:
    """What decodes strangers' video holds no key of the registry."""
    secrets: dict[str, set[str]] = {}
    for name, job in goldens.items():
        for pod in pods(job):
            (container,) = pod["spec"]["containers"]
            settings, storage, *others = container["envFrom"]
            assert settings == {"configMapRef": {"name": "lolhl-settings", "optional": True}}
            assert storage == {"secretRef": {"name": "lolhl-storage"}}
            assert all(source["secretRef"]["optional"] for source in others)
            secrets.setdefault(name.split("-")[0], set()).update(source["secretRef"]["name"] for source in others)
    registry = {"train", "analyse", "retrain", "rollback"}
    assert {stage for stage, names in secrets.items() if "lolhl-mlflow" in names} == registry
    assert {stage for stage, names in secrets.items() if "lolhl-twitch" in names} == {"download"}
    assert {stage for stage, names in secrets.items() if "lolhl-riot" in names} == {"riot"}
    assert {name for names in secrets.values() for name in names} == {"lolhl-mlflow", "lolhl-riot", "lolhl-twitch"}


def test_a_training_starts_at_once_and_replicas_that_share_vods_as_they_fit(goldens: dict[str, Any]) -> None:
    starts = {name: job["spec"]["minAvailable"] for name, job in goldens.items()}
    assert starts == {name: 2 if name == "train-nodes-gpu" else 1 for name in goldens}
    each = {name: [task["minAvailable"] for task in job["spec"]["tasks"]] for name, job in goldens.items()}
    assert each["train-nodes-gpu"] == [1, 1]
    assert each["extract-replicas-gpu"] == each["infer-replicas-gpu"] == [0, 0]  # none of them must be the first


def test_a_job_has_succeeded_when_all_its_pods_have(goldens: dict[str, Any]) -> None:
    for name, job in goldens.items():
        spec = job["spec"]
        names = [task["name"] for task in spec["tasks"]]
        done = {task: Counter({"Succeeded": 1}) for task in names}
        assert volcano.phase(spec, done) == "Completed"
        for lost in names:
            pods = done | {lost: Counter({"Failed": 1})}
            assert volcano.phase(spec, pods) == "Failed", name
            assert volcano.phase(spec, done | {lost: Counter({"Running": 1})}) == "Running", name
            # TorchX's own job, where no admission completes it:
            tasks = [{key: value for key, value in task.items() if key != "minAvailable"} for task in spec["tasks"]]
            unsaid = {key: value for key, value in spec.items() if key not in ("minAvailable", "minSuccess")}
            assert volcano.phase({**unsaid, "tasks": tasks}, pods) == "Completed"


@pytest.mark.parametrize("version", ["1.28", "1.37"])
def test_current_kubernetes_accepts_the_pods(version: str, goldens: dict[str, Any]) -> None:
    """Strictly: an unknown field is an error."""
    checked = 0
    for job in goldens.values():
        for pod in pods(job):
            kubernetes_validate.validate({"apiVersion": "v1", "kind": "Pod", **pod}, version, strict=True)
            checked += 1
    assert checked > len(goldens)


def test_only_pods_with_gpus_go_to_the_gpu_nodes(goldens: dict[str, Any]) -> None:
    for name, job in goldens.items():
        for pod in pods(job):
            asks = "nvidia.com/gpu" in pod["spec"]["containers"][0]["resources"]["limits"]
            assert asks == name.endswith("-gpu")
            selects = pod["spec"].get("nodeSelector", {}) == {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
            tolerates = any(toleration["key"] == "nvidia.com/gpu" for toleration in pod["spec"].get("tolerations", []))
            assert (selects, tolerates) == (asks, asks)


def test_names_leave_room_for_the_id(goldens: dict[str, Any]) -> None:
    """Kubernetes takes 63 characters for a pod, Volcano names it job-task-0, and TorchX's ids have up to 14."""
    for job in goldens.values():
        for task in job["spec"]["tasks"]:
            assert len(job["metadata"]["name"].replace(APP_ID, "x" * 14) + f"-{task['name']}-0") <= 63
