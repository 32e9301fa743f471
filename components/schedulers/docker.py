"""TorchX's Docker scheduler, which shows no credential: its request names the variables that a container gets.

TorchX (0.7.0) puts the values that `copy_env` selects into the request, which `torchx run --dryrun` prints. Here the
request holds their names. The values are read when the containers start, and Docker alone gets them. Docker does show
them to whoever may ask its daemon (`docker inspect`): that is so for every container's environment.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, is_dataclass, replace
from fnmatch import filter as matching
from typing import Any

from docker.errors import APIError, DockerException
from requests.exceptions import RequestException
from torchx.schedulers.docker_scheduler import LABEL_ROLE_NAME, DockerContainer, DockerScheduler
from torchx.specs import AppDef

from components._credentials import may_have
from components.schedulers.errors import SchedulerError


@dataclass
class Container(DockerContainer):  # type: ignore[misc]
    """TorchX's container, with the names of the variables that it gets from this process's environment."""

    copied_env: list[str]


class LolhlDockerScheduler(DockerScheduler):  # type: ignore[misc]
    """Renders TorchX's containers without values of `copy_env`, and takes all rights from them."""

    def _submit_dryrun(self, app: AppDef, cfg: Mapping[str, Any]) -> Any:
        planned = super()._submit_dryrun(app, _without_copies(cfg))
        names = sorted({name for pattern in cfg.get("copy_env") or () for name in matching(os.environ, pattern)})
        roles = {role.name: role for role in app.roles}
        rights: dict[str, Any] = {"cap_drop": ["ALL"], "security_opt": ["no-new-privileges"]}
        if cfg.get("privileged"):
            rights = {}
        containers = []
        for container in planned.request.containers:
            role = roles[container.kwargs["labels"][LABEL_ROLE_NAME]]
            copied = [name for name in names if may_have(role, name) and name not in container.kwargs["environment"]]
            containers.append(Container(container.image, container.command, {**container.kwargs, **rights}, copied))
        planned.request.containers = containers
        return planned

    def schedule(self, dryrun_info: Any) -> str:
        # A copy: the caller keeps a request without values, whatever is done with it afterwards.
        submitted = copy(dryrun_info)
        containers = [_with_values(container) for container in dryrun_info.request.containers]
        submitted.request = replace(dryrun_info.request, containers=containers)
        with _one_line():
            app_id: str = super().schedule(submitted)
        return app_id

    def describe(self, app_id: str) -> Any:
        with _one_line():
            # TorchX 0.7.0 calls a job whose containers were removed a success.
            return super().describe(app_id) if self._get_containers(app_id) else None


def _without_copies(cfg: Mapping[str, Any]) -> Any:
    """The settings with no `copy_env`: a mapping in 0.7.0, a dataclass in torchx-nightly."""
    if is_dataclass(cfg):
        return replace(cfg, copy_env=None)
    return {**cfg, "copy_env": None}


def _with_values(container: Container) -> DockerContainer:
    copied = {name: os.environ[name] for name in container.copied_env if name in os.environ}
    environment = {**copied, **container.kwargs["environment"]}
    return DockerContainer(container.image, container.command, {**container.kwargs, "environment": environment})


@contextmanager
def _one_line() -> Iterator[None]:
    """Turns the errors of Docker's client into a SchedulerError."""
    try:
        yield
    except APIError as error:
        raise SchedulerError(f"Docker refused: {error.explanation or error}") from error
    except (DockerException, RequestException) as error:
        raise SchedulerError(f"Docker does not answer: {error}; is its daemon running?") from error


def create_scheduler(session_name: str, **_: Any) -> LolhlDockerScheduler:
    """What TorchX calls for `-s local_docker`."""
    return LolhlDockerScheduler(session_name)
