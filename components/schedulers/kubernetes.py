"""TorchX's Kubernetes scheduler, with what its pods need here: secrets, GPU pools, and no rights.

TorchX (0.7.0) can name no Secret: all that it puts into a pod's environment is plain text in the job. Here a pod
gets its settings and credentials from a ConfigMap and from Secrets of its namespace (see `manifests/`), which the
job only names. Pods are unprivileged, as the Pod Security Standard "restricted" asks, and see no token of the cluster.

The job says itself when it starts and when it has succeeded. Without that, Volcano's admission makes every job a gang,
and where the admission is not installed, a job whose pods all failed is Completed.
"""

import json
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Dict

from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException
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
from torchx.specs import AppDef, Role, runopts
from urllib3.exceptions import HTTPError

from components._credentials import MLFLOW, RIOT, TWITCH, declared
from components.schedulers.errors import SchedulerError

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
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "failed to load kube config")
            try:
                client = super()._api_client()
            except UserWarning as warning:
                raise SchedulerError(f"no cluster is known: {warning}; set KUBECONFIG") from warning
        if not isinstance(client, _Client):
            client = self._client = _Client(client.configuration)
        return client

    def _run_opts(self) -> runopts:
        opts = super()._run_opts()
        opts.add("settings", str, "ConfigMap whose keys become environment variables; need not exist", "lolhl-settings")
        opts.add("storage_secret", str, "Secret with the storage's keys, as environment variables", "lolhl-storage")
        opts.add("mlflow_secret", str, "Secret with MLflow's user or token; need not exist", "lolhl-mlflow")
        opts.add("twitch_secret", str, "Secret with LOLHL_TWITCH_TOKEN; need not exist", "lolhl-twitch")
        opts.add("riot_secret", str, "Secret with LOLHL_RIOT_KEY; need not exist", "lolhl-riot")
        opts.add("gpu_nodes", Dict[str, str], "labels of the nodes for pods that ask for GPUs, as KEY:VALUE")
        opts.add("gpu_taint", str, "key of the taint that keeps other pods off these nodes", _GPU)
        opts.add("scratch_gb", int, "space for a pod's temporary files, in GB (1e9 bytes)", 64)
        opts.add("ttl_seconds", int, "how long a finished job and its logs are kept, in seconds", 3 * 24 * 3600)
        return opts

    def _submit_dryrun(self, app: AppDef, cfg: Mapping[str, Any]) -> Any:
        with warnings.catch_warnings(), _one_line():
            # Seen to work on Volcano 1.5.1, which starts the job again as often as it is told.
            warnings.filterwarnings("ignore", r"\s*Role .* configured with restarts")
            planned = super()._submit_dryrun(app, cfg)
        spec: Any = planned.request.resource["spec"]
        spec["ttlSecondsAfterFinished"] = cfg["ttl_seconds"]
        spec["minAvailable"] = sum(_least(role) for role in app.roles)
        spec["minSuccess"] = len(spec["tasks"])
        roles = [role for role in app.roles for _ in range(role.num_replicas)]
        for task, role in zip(spec["tasks"], roles, strict=True):
            # Any of the replicas may be the first. TorchX names the one: where another is placed, all would wait.
            task["minAvailable"] = int(_least(role) == role.num_replicas)
            _complete(task["template"].spec, cfg, declared(role))
        return planned

    def schedule(self, dryrun_info: Any) -> str:
        with _one_line():
            app_id: str = super().schedule(dryrun_info)
        return app_id

    def describe(self, app_id: str) -> Any:
        with _one_line():
            try:
                return super().describe(app_id)
            except ApiException as error:
                if error.status == 404:  # as torchx-nightly answers
                    return None
                raise

    def log_iter(self, *args: Any, **kwargs: Any) -> Iterable[str]:
        with _one_line():
            lines: Iterable[str] = super().log_iter(*args, **kwargs)
        return lines

    def list(self, *args: Any, **kwargs: Any) -> Any:
        with _one_line():
            return super().list(*args, **kwargs)

    def _cancel_existing(self, app_id: str) -> None:
        with _one_line():
            super()._cancel_existing(app_id)


def _least(role: Role) -> int:
    """How many replicas start together: all of a training, one of those that share VODs."""
    return role.num_replicas if role.min_replicas is None else int(role.min_replicas)


@contextmanager
def _one_line() -> Iterator[None]:
    """Turns the errors of Kubernetes' client into a SchedulerError with what the cluster's API said."""
    try:
        yield
    except ApiException as error:
        raise SchedulerError(_refusal(error)) from error
    except HTTPError as error:
        raise SchedulerError(f"the cluster's API does not answer: {error}; see `kubectl cluster-info`") from error
    except ValueError as error:
        # TorchX wraps some answers, and leaves out what they say.
        if isinstance(error.__cause__, ApiException):
            raise SchedulerError(_refusal(error.__cause__)) from error
        raise


def _refusal(error: ApiException) -> str:
    try:
        message = json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        # An API server answers so for a kind that it does not know.
        missing = "; is Volcano (1.4 or newer) installed there?" if error.status == 404 else ""
        return f"the cluster's API refused: {error.status} {error.reason}{missing}"
    advice = {401: "; your kubeconfig's credentials have expired or are of another cluster"}.get(error.status, "")
    return f"the cluster's API refused: {message}{advice}"


def _complete(pod: V1PodSpec, cfg: Mapping[str, Any], credentials: frozenset[str]) -> None:
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
    secrets = {MLFLOW: cfg["mlflow_secret"], RIOT: cfg["riot_secret"], TWITCH: cfg["twitch_secret"]}
    for container in pod.containers:
        container.env_from = [
            V1EnvFromSource(config_map_ref=V1ConfigMapEnvSource(name=cfg["settings"], optional=True)),
            V1EnvFromSource(secret_ref=V1SecretEnvSource(name=cfg["storage_secret"])),
            *(
                V1EnvFromSource(secret_ref=V1SecretEnvSource(name=secrets[credential], optional=True))
                for credential in sorted(credentials)
            ),
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
