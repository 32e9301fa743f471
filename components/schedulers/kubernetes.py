"""TorchX's Kubernetes scheduler, with what its pods need here: secrets, GPU pools, and no rights.

TorchX (0.7.0) can name no Secret: all that it puts into a pod's environment is plain text in the job. Here a pod
gets its settings and credentials from a ConfigMap and from Secrets of its namespace (see `manifests/`), which the
job only names. Pods are unprivileged, as the Pod Security Standard "restricted" asks, and see no token of the cluster.
"""

from collections.abc import Mapping
from typing import Any, Dict

from kubernetes.client import ApiClient
from kubernetes.client.models import (
    V1Capabilities,
    V1ConfigMapEnvSource,
    V1EmptyDirVolumeSource,
    V1EnvFromSource,
    V1EnvVar,
    V1PodSecurityContext,
    V1PodSpec,
    V1SeccompProfile,
    V1SecretEnvSource,
    V1SecurityContext,
    V1Toleration,
    V1Volume,
    V1VolumeMount,
)
from torchx.schedulers.kubernetes_scheduler import KubernetesScheduler
from torchx.specs import AppDef, runopts

USER = 10001  # of the images
_GPU = "nvidia.com/gpu"
_SCRATCH = "/tmp"  # noqa: S108 (a volume of the pod's own)


class _Client(ApiClient):  # type: ignore[misc]
    """Kubernetes' client (36.0) gives a pod's log as the source code of Python bytes, b'…': as text, here."""

    def deserialize(self, response: Any, response_type: str) -> Any:
        if response_type == "str" and isinstance(response.data, bytes):
            return response.data.decode(errors="replace")
        return super().deserialize(response, response_type)


class LolhlKubernetesScheduler(KubernetesScheduler):  # type: ignore[misc]
    """Renders TorchX's Volcano job, then completes its pods."""

    def _api_client(self) -> _Client:
        made = super()._api_client()
        if not isinstance(made, _Client):
            made = self._client = _Client(made.configuration)
        return made

    def _run_opts(self) -> runopts:
        opts = super()._run_opts()
        opts.add("settings", str, "ConfigMap whose keys become environment variables; need not exist", "lolhl-settings")
        opts.add("storage_secret", str, "Secret with the storage's keys, as environment variables", "lolhl-storage")
        opts.add("mlflow_secret", str, "Secret with MLflow's user or token; need not exist", "lolhl-mlflow")
        opts.add("gpu_nodes", Dict[str, str], "labels of the nodes for pods that ask for GPUs, as KEY:VALUE")
        opts.add("gpu_taint", str, "key of the taint that keeps other pods off these nodes", _GPU)
        opts.add("scratch_gb", int, "space for a pod's temporary files, in GB (1e9 bytes)", 64)
        opts.add("ttl_seconds", int, "how long a finished job and its logs are kept, in seconds", 3 * 24 * 3600)
        return opts

    def _submit_dryrun(self, app: AppDef, cfg: Mapping[str, Any]) -> Any:
        planned = super()._submit_dryrun(app, cfg)
        spec: Any = planned.request.resource["spec"]
        spec["ttlSecondsAfterFinished"] = cfg["ttl_seconds"]
        for task in spec["tasks"]:
            _complete(task["template"].spec, cfg)
        return planned


def _complete(pod: V1PodSpec, cfg: Mapping[str, Any]) -> None:
    """Adds to a pod that TorchX has just made what is said above."""
    pod.automount_service_account_token = False
    pod.enable_service_links = False  # a Service named mlflow would set MLFLOW_PORT, which MLflow reads
    pod.security_context = V1PodSecurityContext(
        run_as_non_root=True,
        run_as_user=USER,
        run_as_group=USER,
        fs_group=USER,
        seccomp_profile=V1SeccompProfile(type="RuntimeDefault"),
    )
    scratch = V1EmptyDirVolumeSource(size_limit=f"{cfg['scratch_gb']}G")
    pod.volumes = [*pod.volumes, V1Volume(name="scratch", empty_dir=scratch)]
    for container in pod.containers:
        container.env_from = [
            V1EnvFromSource(config_map_ref=V1ConfigMapEnvSource(name=cfg["settings"], optional=True)),
            V1EnvFromSource(secret_ref=V1SecretEnvSource(name=cfg["storage_secret"])),
            V1EnvFromSource(secret_ref=V1SecretEnvSource(name=cfg["mlflow_secret"], optional=True)),
        ]
        # All that is written goes to the volume: the image's own files are read-only.
        written = {"HOME": _SCRATCH, "LOLHL_CACHE": f"{_SCRATCH}/lolhl"}
        container.env = [*container.env, *(V1EnvVar(name=name, value=path) for name, path in written.items())]
        container.volume_mounts = [*container.volume_mounts, V1VolumeMount(name="scratch", mount_path=_SCRATCH)]
        container.working_dir = _SCRATCH
        container.security_context = V1SecurityContext(
            allow_privilege_escalation=False,
            capabilities=V1Capabilities(drop=["ALL"]),
            read_only_root_filesystem=True,
        )
    if any(_GPU in (container.resources.limits or {}) for container in pod.containers):
        pod.tolerations = [V1Toleration(key=cfg["gpu_taint"], operator="Exists", effect="NoSchedule")]
        pod.node_selector = {**(pod.node_selector or {}), **(cfg["gpu_nodes"] or {})}


def create_scheduler(session_name: str, **kwargs: Any) -> LolhlKubernetesScheduler:
    """What TorchX calls for `-s kubernetes`."""
    client, docker_client = kwargs.get("client"), kwargs.get("docker_client")
    return LolhlKubernetesScheduler(session_name, client=client, docker_client=docker_client)
