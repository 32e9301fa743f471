"""What the components share."""

import os
from collections.abc import Sequence
from typing import List, Optional

from torchx import specs

import lolhl
from components import _credentials
from lolhl.stages.table import STAGES

# Of the images' names: a registry and a folder in it, `ghcr.io/me/lolhl`, say.
_REGISTRY = os.environ.get("LOLHL_IMAGES", "lolhl")
# Stage → the image that has what it needs.
IMAGES = {name: f"{_REGISTRY}/{stage.image}:{lolhl.__version__}" for name, stage in STAGES.items()}


def stage_app(
    verb: str,
    args: tuple[str, ...],
    image: str,
    h: Optional[str],
    cpu: int,
    gpu: int,
    memMB: int,
    replicas: int = 1,
    max_retries: int = 0,
    mounts: Optional[List[str]] = None,
    credentials: Sequence[str] = (),
) -> specs.AppDef:
    """Containers (processes on local_cwd) that run `python -m lolhl <verb> <args>`.

    Args:
        replicas: how many; of several each is told its share of the VODs.
        max_retries: how often the job is started again when a replica failed or was lost; what was finished is
            not done again.
        mounts: of the machine's files, as `docker run --mount` takes them, split at commas.
        credentials: those of `components._credentials` that the stage needs besides the storage's.
    """
    share = ("--part", f"{specs.macros.replica_id}/{replicas}") if replicas > 1 else ()
    role = specs.Role(
        name=verb,
        image=image,
        entrypoint="python",
        args=["-m", "lolhl", verb, *args, *share],
        env={"PYTHONUNBUFFERED": "1"},
        num_replicas=replicas,
        min_replicas=1,  # they do not wait for each other
        max_retries=max_retries,
        resource=specs.resource(cpu=cpu, gpu=gpu, memMB=memMB, h=h),
        mounts=specs.parse_mounts(mounts or []),
    )
    _credentials.declare(role, credentials)
    return specs.AppDef(name=f"lolhl-{verb}", roles=[role])
