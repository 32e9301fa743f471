"""What the components share."""

import os
from typing import Optional

from torchx import specs

import lolhl

IMAGE = os.environ.get("LOLHL_IMAGE", f"lolhl:{lolhl.__version__}")


def stage_app(
    verb: str, args: tuple[str, ...], image: str, h: Optional[str], cpu: int, gpu: int, memMB: int
) -> specs.AppDef:
    """One container (one process on local_cwd) that runs `python -m lolhl <verb> <args>`."""
    role = specs.Role(
        name=verb,
        image=image,
        entrypoint="python",
        args=["-m", "lolhl", verb, *args],
        env={"PYTHONUNBUFFERED": "1"},
        resource=specs.resource(cpu=cpu, gpu=gpu, memMB=memMB, h=h),
    )
    return specs.AppDef(name=f"lolhl-{verb}", roles=[role])
