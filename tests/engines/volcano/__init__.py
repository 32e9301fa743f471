"""A stand-in for Volcano, which no package registry has: its kinds, and what its job controller does with them.

It makes the pods of a job, with the host names and variables of the plugins `svc` and `env`, and reports phases, as
`minSuccess` and `minAvailable` ask. As no admission fills these in, a job that says nothing is Completed even if all of
its pods failed. Not covered: gang scheduling (pods start as they come), queues and their capacities, Volcano's
admission (an unknown queue is taken), retries (`policies`, `maxRetry`), aborting by status, and
`ttlSecondsAfterFinished`.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kubernetes import client

from tests.engines.kubernetes import Cluster, repeated

_GROUP, _VERSION = "batch.volcano.sh", "v1alpha1"
_ENDED = ("Completed", "Failed")
_CRD = Path(__file__).parent / "crd.yaml"


@contextmanager
def volcano(cluster: Cluster) -> Iterator[None]:
    """Adds Volcano's kinds to the cluster, and carries out its jobs meanwhile."""
    cluster.kubectl("apply", "-f", str(_CRD))
    cluster.kubectl("wait", "--for=condition=established", "--timeout=30s", "-f", str(_CRD))
    custom, core = client.CustomObjectsApi(cluster.api()), client.CoreV1Api(cluster.api())

    def step() -> None:
        for job in custom.list_cluster_custom_object(_GROUP, _VERSION, "jobs")["items"]:
            if _phase(job) not in _ENDED:
                _carry_out(job, custom, core)

    with repeated(step):
        yield


def phase(spec: Mapping[str, Any], pods: Mapping[str, Counter[str]]) -> str:
    """The phase that Volcano 1.5's job controller gives to a job.

    Args:
        spec: the job's; a field that is not there counts as it does without Volcano's admission.
        pods: of each task, how many are in which phase.
    """
    counts = sum(pods.values(), Counter[str]())
    total = sum(task["replicas"] for task in spec["tasks"])
    least, success = spec.get("minAvailable", 0), spec.get("minSuccess")
    if success is not None and counts["Succeeded"] >= success:
        return "Completed"
    ended = counts["Succeeded"] + counts["Failed"]
    if ended < total:
        return "Running" if ended + counts["Running"] >= least else "Pending"
    if least >= sum(task.get("minAvailable", task["replicas"]) for task in spec["tasks"]) and any(
        pods[task["name"]]["Succeeded"] < task.get("minAvailable", 0) for task in spec["tasks"]
    ):
        return "Failed"
    return "Completed" if success is None and counts["Succeeded"] >= least else "Failed"


def _phase(job: dict[str, Any]) -> str | None:
    phase: str | None = job.get("status", {}).get("state", {}).get("phase")
    return phase


def _carry_out(job: dict[str, Any], custom: client.CustomObjectsApi, core: client.CoreV1Api) -> None:
    name, namespace = job["metadata"]["name"], job["metadata"]["namespace"]
    if _phase(job) is None:
        _make(job, core)
    listed = core.list_namespaced_pod(namespace, label_selector=f"volcano.sh/job-name={name}").items
    tasks: dict[str, Counter[str]] = {task["name"]: Counter() for task in job["spec"]["tasks"]}
    for pod in listed:
        tasks[pod.metadata.labels["volcano.sh/task-spec"]][pod.status.phase] += 1
    status = {
        "state": {
            "phase": phase(job["spec"], tasks),
            "lastTransitionTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        },
        "taskStatusCount": {task: {"phase": dict(count)} for task, count in tasks.items()},
    }
    current = custom.get_namespaced_custom_object(_GROUP, _VERSION, namespace, "jobs", name)
    custom.replace_namespaced_custom_object_status(
        _GROUP, _VERSION, namespace, "jobs", name, {**current, "status": status}
    )


def _make(job: dict[str, Any], core: client.CoreV1Api) -> None:
    """The Service that gives the job's pods their names, and the pods."""
    name, namespace, tasks = job["metadata"]["name"], job["metadata"]["namespace"], job["spec"]["tasks"]
    owner = {"apiVersion": job["apiVersion"], "kind": job["kind"], "name": name, "uid": job["metadata"]["uid"]}
    owned = {"ownerReferences": [{**owner, "controller": True}]}
    selector = {"volcano.sh/job-name": name}
    service = {"clusterIP": "None", "selector": selector, "publishNotReadyAddresses": True, "ports": [{"port": 1}]}
    _create(core.create_namespaced_service, namespace, {"metadata": {"name": name, **owned}, "spec": service})
    hosts = {
        f"VC_{task['name'].replace('-', '_').upper()}_HOSTS": ",".join(
            f"{name}-{task['name']}-{index}.{name}" for index in range(task["replicas"])
        )
        for task in tasks
    }
    for task in tasks:
        template = task["template"]
        for index in range(task["replicas"]):
            host = f"{name}-{task['name']}-{index}"
            variables = [{"name": key, "value": value} for key, value in {**hosts, "VC_TASK_INDEX": str(index)}.items()]
            spec = {
                **template["spec"],
                "hostname": host,
                "subdomain": name,
                "containers": [{**c, "env": [*c.get("env", []), *variables]} for c in template["spec"]["containers"]],
            }
            labels = {**template["metadata"]["labels"], **selector, "volcano.sh/task-spec": task["name"]}
            metadata = {**template["metadata"], **owned, "name": host, "labels": labels}
            _create(core.create_namespaced_pod, namespace, {"metadata": metadata, "spec": spec})


def _create(create: Any, namespace: str, body: dict[str, Any]) -> None:
    try:
        create(namespace, body)
    except client.ApiException as error:
        if error.status != 409:  # made by an earlier try
            raise
