"""The manifests on a real API server, and the pipeline in pods, started by `torchx run -s kubernetes`."""

import base64
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest
import yaml

from lolhl.storage import Root, open_root
from tests.engines import docker, kubernetes
from tests.engines.kubernetes import Cluster
from tests.engines.volcano import volcano
from tests.manifests.rendered import Object, copied, kustomize, write_values
from tests.servers import S3Server, set_environ
from tests.servers.seaweedfs import seaweedfs
from tests.streams import add_stream

# The first test waits for builds: of the images, and once of Kubernetes.
pytestmark = [pytest.mark.engine, pytest.mark.timeout(3000)]

PASSWORD = "pass:word/of@the%database"
SMALL = ("--cpu", "1", "--memMB", "3000")
IMAGES = {"lolhl/train": "train", "lolhl/mlflow": "mlflow", "postgres": "postgresql"}


def image(target: str) -> str:
    return f"{docker.IMAGES}/{target}:{docker.TAG}"


@dataclass(frozen=True)
class Ready:
    """A cluster with all of overlays/local in it.

    Attributes:
        objects: what was applied.
        launcher: a kubeconfig with the rights of the service account lolhl-launcher.
        root: the bucket that the pods use.
    """

    cluster: Cluster
    objects: list[Object]
    launcher: Path
    server: S3Server
    root: Root

    def torchx(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "LOLHL_"))}
        return subprocess.run(
            [Path(sys.executable).parent / "torchx", *arguments],
            cwd=docker.REPOSITORY, env=inherited | {"KUBECONFIG": str(self.launcher)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip

    def run(self, stage: str, *arguments: str) -> tuple[str, str]:
        """Starts a component and waits for its end. Returns TorchX's handle of the job, and Volcano's phase."""
        own = image({"labels": "dataset"}.get(stage, stage))
        component = f"components/{stage}.py:{stage}"
        done = self.torchx("run", "-s", "kubernetes", component, "--image", own, *SMALL, *arguments)
        assert done.returncode == 0, done.stderr
        handle = done.stdout.strip().splitlines()[-1]
        return handle, self.ended(handle.rpartition(":")[2])

    def ended(self, name: str) -> str:
        """Volcano's phase of a job at its end."""
        until = time.monotonic() + 240
        phase = ""
        while phase not in ("Completed", "Failed"):
            assert time.monotonic() < until, self.cluster.kubectl("-n", "lolhl", "describe", "pods")[-5000:]
            time.sleep(0.5)
            phase = self.cluster.kubectl("-n", "lolhl", "get", "vcjob", name, "-o", "jsonpath={.status.state.phase}")
        return phase

    def logs(self, handle: str) -> str:
        name = handle.rpartition(":")[2]
        return self.cluster.kubectl("-n", "lolhl", "logs", "-l", f"volcano.sh/job-name={name}", "--tail=-1")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ready]:
    if reason := kubernetes.missing():
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("kubernetes")
    binaries = kubernetes.build()
    with docker.engine():
        docker.build((*docker.TARGETS, "mlflow"))
        docker.docker(
            "build", "-q", "-t", image("postgresql"), "--build-arg", f"BASE_IMAGE={docker.BASE}",
            "tests/engines/postgresql",
        )  # fmt: skip
        with (
            seaweedfs(folder / "s3", host=docker.gateway()) as server,
            kubernetes.cluster(folder, binaries) as cluster,
            volcano(cluster),
            pytest.MonkeyPatch.context() as patch,
        ):
            set_environ(patch, server.environ)
            objects = rendered(folder, server)
            cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(disk(folder)))
            cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects))
            wait_for_quota(cluster)
            launcher = cluster.kubeconfig_of("lolhl", "lolhl-launcher")
            yield Ready(cluster, objects, launcher, server, open_root(f"s3://{server.bucket}/lolhl"))


def rendered(folder: Path, server: S3Server) -> list[Object]:
    """overlays/local with the images and the storage of this test."""
    overlay = copied(folder) / "overlays/local"
    settings = {
        "LOLHL_ROOT": f"s3://{server.bucket}/lolhl",
        "MLFLOW_ARTIFACTS_DESTINATION": f"s3://{server.bucket}/mlflow",
        "AWS_ENDPOINT_URL_S3": server.endpoint,
    }
    storage = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret}
    write_values(overlay, {"settings": settings, "storage": storage, "database": {"POSTGRES_PASSWORD": PASSWORD}})
    file = overlay / "kustomization.yaml"
    written = yaml.safe_load(file.read_text())
    written["images"] = [
        {"name": name, "newName": image(target).rpartition(":")[0], "newTag": docker.TAG}
        for name, target in IMAGES.items()
    ]
    file.write_text(yaml.safe_dump(written))
    return for_1_20(kustomize(overlay))


def for_1_20(objects: list[Object]) -> list[Object]:
    return [{**it, "apiVersion": "batch/v1beta1"} if it["kind"] == "CronJob" else it for it in objects]


def wait_for_quota(cluster: Cluster) -> None:
    """Nothing that a quota counts can be made before it is counted; new kinds are found every 30 s."""
    until = time.monotonic() + 120
    status: Object = {}
    while status.get("used", {}).keys() != status.get("hard", {"?": "?"}).keys():
        assert time.monotonic() < until, status
        time.sleep(0.5)
        quota = json.loads(cluster.kubectl("-n", "lolhl", "get", "resourcequota", "lolhl", "-o", "json"))
        status = quota.get("status", {})


def disk(folder: Path) -> Object:
    """What a storage class gives elsewhere: the database's disk."""
    place = folder / "disk"
    place.mkdir()
    os.chown(place, 999, 999)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": "disk"},
        "spec": {
            "capacity": {"storage": "10Gi"},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": str(place)},
        },
    }


def test_the_api_server_takes_each_manifest_and_refuses_a_wrong_one(ready: Ready, tmp_path: Path) -> None:
    r2 = copied(tmp_path) / "overlays/r2"
    write_values(r2, {})
    for objects in (ready.objects, for_1_20(kustomize(r2))):
        output = ready.cluster.kubectl(
            "apply", "--dry-run=server", "--validate=true", "-f", "-", stdin=yaml.safe_dump_all(objects)
        )
        assert len(re.findall(r"\(server dry run\)", output)) == len(objects)
        for thing in objects:
            assert f"/{thing['metadata']['name']} " in output
    (policy, *_) = [thing for thing in ready.objects if thing["kind"] == "NetworkPolicy"]
    wrong = {**policy, "spec": {**policy["spec"], "policyTypes": ["Sideways"]}}
    with pytest.raises(RuntimeError, match="Sideways"):
        ready.cluster.kubectl("apply", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(wrong))


def test_the_pipeline_in_pods(ready: Ready, tmp_path: Path) -> None:
    for number, name in enumerate(("a", "b")):
        add_stream(ready.root, tmp_path, name, seconds=60, seed=number)

    handle, phase = ready.run("extract", "--replicas", "2", "--", "a", "b")
    assert phase == "Completed", ready.logs(handle)
    assert all(ready.root.stat(f"frames/{vod}/3fps-224px-squeeze-q90/frameset.json") for vod in "ab")
    status = ready.torchx("status", handle)
    assert "SUCCEEDED" in status.stdout
    logs = [ready.torchx("log", f"{handle}/extract/{replica}").stdout for replica in (0, 1)]
    assert [re.findall(r" extract: vod (\w)", log) for log in logs] == [["a"], ["b"]], logs
    assert all(line.startswith("extract/") for log in logs for line in log.splitlines()), logs

    handle, phase = ready.run("dataset", "--", "m", "a", "b")
    assert phase == "Completed", ready.logs(handle)
    ready.cluster.kubectl("-n", "lolhl-mlflow", "rollout", "status", "deployment/lolhl-mlflow", "--timeout=240s")
    handle, phase = ready.run("train", "-j", "2x1", "--", "m", "--dataset", "m", "--epochs", "2")
    assert phase == "Completed", ready.logs(handle)
    pods = job_pods(ready, handle)
    assert len({pod["status"]["podIP"] for pod in pods}) == 2
    assert ready.root.stat("models/m/model.json")

    # The curves are in PostgreSQL, the bundle is in the bucket: through MLflow's server, and by its name only.
    version = mlflow(ready, "model-versions/search?max_results=1")["model_versions"][0]
    assert version["name"] == "lolhl"
    run = mlflow(ready, f"runs/get?run_id={version['run_id']}")["run"]
    assert run["data"]["metrics"]
    assert run["info"]["artifact_uri"].startswith("mlflow-artifacts:/")
    assert [*open_root(f"s3://{ready.server.bucket}/mlflow").list()]

    handle, phase = ready.run("infer", "--", "m", "a")
    assert phase == "Completed", ready.logs(handle)
    assert ready.root.stat("highlights/a/scores.json")


def job_pods(ready: Ready, handle: str) -> list[Any]:
    name = handle.rpartition(":")[2]
    selected = ("-l", f"volcano.sh/job-name={name}", "-o", "json")
    items = json.loads(ready.cluster.kubectl("-n", "lolhl", "get", "pods", *selected))["items"]
    assert isinstance(items, list)
    return items


def mlflow(ready: Ready, path: str, host: str = "lolhl-mlflow.lolhl-mlflow:5000") -> Any:
    """The answer of MLflow's server at its Service's address, which this machine reaches as pods do."""
    service = ("get", "service", "lolhl-mlflow", "-o", "jsonpath={.spec.clusterIP}")
    address = ready.cluster.kubectl("-n", "lolhl-mlflow", *service)
    request = urllib.request.Request(f"http://{address}:5000/api/2.0/mlflow/{path}", headers={"Host": host})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_mlflow_answers_by_its_own_name_only(ready: Ready) -> None:
    assert mlflow(ready, "experiments/search?max_results=5")["experiments"]
    with pytest.raises(HTTPError, match="403"):
        mlflow(ready, "experiments/search?max_results=5", host="elsewhere.example.com")


def test_a_failing_job_is_seen_as_failed(ready: Ready) -> None:
    handle, phase = ready.run("extract", "--", "nobody")
    assert phase == "Failed"
    assert "FAILED" in ready.torchx("status", handle).stdout
    assert "vods/nobody/vod.json does not exist" in ready.torchx("log", f"{handle}/extract/0").stdout


def test_a_failing_job_that_says_nothing_of_success_is_completed(ready: Ready) -> None:
    """As on Volcano without its admission: what the job of `test_a_failing_job_is_seen_as_failed` says is needed."""
    name = "nothing-said"
    container = {"name": "c", "image": image("dataset"), "command": ["false"]}
    template = {"metadata": {"labels": {}}, "spec": {"containers": [container], "restartPolicy": "Never"}}
    tasks = [{"name": "t", "replicas": 1, "template": template}]
    job = {"apiVersion": "batch.volcano.sh/v1alpha1", "kind": "Job", "metadata": {"name": name, "namespace": "lolhl"}}
    job["spec"] = {"queue": "lolhl", "schedulerName": "volcano", "tasks": tasks}
    ready.cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(job))
    try:
        assert ready.ended(name) == "Completed"
    finally:
        ready.cluster.kubectl("-n", "lolhl", "delete", "vcjob", name)


def test_a_job_that_the_cluster_refuses_is_one_line(ready: Ready) -> None:
    run = ("run", "-s", "kubernetes", "-cfg")
    for namespace in ("default", "lolhl-mlflow", "nowhere"):
        done = ready.torchx("--log_level", "WARNING", *run, f"namespace={namespace}", "components/extract.py:extract")
        assert done.returncode == 1
        pattern = (
            f'^torchx: the cluster\'s API refused: jobs.batch.volcano.sh is forbidden: .* namespace "{namespace}"\n$'
        )
        assert re.search(pattern, done.stderr), done.stderr


def test_the_launcher_may_start_jobs_and_a_stage_nothing(ready: Ready) -> None:
    def may(account: str, verb: str, resource: str, namespace: str = "lolhl") -> bool:
        asked = ("auth", "can-i", verb, resource, "-n", namespace, "--as", f"system:serviceaccount:lolhl:{account}")
        try:
            return ready.cluster.kubectl(*asked).strip() == "yes"
        except RuntimeError:  # "no" is an error for kubectl
            return False

    jobs = "jobs.batch.volcano.sh"
    for verb, resource in (("create", jobs), ("get", jobs), ("delete", jobs), ("get", "pods/log")):
        assert may("lolhl-launcher", verb, resource)
        assert not may("lolhl-stage", verb, resource)
        assert not may("lolhl-launcher", verb, resource, "default")
        assert not may("lolhl-launcher", verb, resource, "lolhl-mlflow")
    for verb, resource in (("get", "secrets"), ("create", "pods"), ("create", "pods/exec"), ("get", "configmaps")):
        assert not may("lolhl-launcher", verb, resource)
    assert ready.torchx("list", "-s", "kubernetes").returncode == 0


def test_credentials_are_in_secrets_only(ready: Ready) -> None:
    every = "pods,jobs.batch.volcano.sh,configmaps,services,deployments,statefulsets,cronjobs,jobs,events"
    held = {}
    for namespace in ("lolhl", "lolhl-mlflow"):
        output = ready.cluster.kubectl("-n", namespace, "get", every, "-o", "yaml")
        assert "lolhl-storage" in output
        secrets = ready.cluster.kubectl("-n", namespace, "get", "secrets", "-o", "yaml")
        for value in (ready.server.secret, PASSWORD):
            encoded = base64.b64encode(value.encode()).decode()
            assert value not in output
            assert encoded not in output
            held[namespace, value] = encoded in secrets
    # The database's password is where nobody starts jobs.
    assert [pair for pair, there in held.items() if not there] == [("lolhl", PASSWORD)]


def test_pods_run_without_privileges(ready: Ready) -> None:
    handle, phase = ready.run("labels", "--", "/etc/passwd")
    assert phase == "Failed"
    (pod,) = job_pods(ready, handle)
    (container,) = pod["status"]["containerStatuses"]
    ran = json.loads(docker.docker("inspect", container["containerID"].removeprefix("docker://")))[0]
    assert ran["Config"]["User"].startswith("10001")
    assert ran["HostConfig"]["ReadonlyRootfs"]
    assert ran["HostConfig"]["CapDrop"] == ["ALL"]
    assert "no-new-privileges" in str(ran["HostConfig"]["SecurityOpt"])
    assert not [mount for mount in ran["Mounts"] if "serviceaccount" in mount["Destination"]]


def test_the_cron_job_retrains(ready: Ready, tmp_path: Path) -> None:
    add_stream(ready.root, tmp_path, "c", seconds=60, seed=3)
    ready.cluster.kubectl("-n", "lolhl", "create", "job", "--from=cronjob/lolhl-retrain", "now")
    try:
        ready.cluster.kubectl("-n", "lolhl", "wait", "--for=condition=complete", "--timeout=240s", "job/now")
    finally:
        print(ready.cluster.kubectl("-n", "lolhl", "logs", "job/now"))
    assert ready.root.stat("retrain/retrain.json")
