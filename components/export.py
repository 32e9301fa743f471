"""Writes highlights for other programs.

torchx run components/export.py:export -- 1863051677 --format fcpxml --root s3://bucket/lolhl
"""

from typing import Optional

from torchx import specs

from components._helpers import IMAGES, stage_app


def export(
    *args: str,
    image: str = IMAGES["export"],
    h: Optional[str] = None,
    cpu: int = 1,
    gpu: int = 0,
    memMB: int = 2048,
    replicas: int = 1,
    max_retries: int = 0,
) -> specs.AppDef:
    """Writes highlights for other programs.

    Args:
        args: what `lolhl export` takes; see `lolhl export --help`
        image: the container image to run in
        h: a named resource, in place of cpu, gpu and memMB
        cpu: number of CPUs
        gpu: number of GPUs
        memMB: memory in MB
        replicas: number of containers, which share the VODs
        max_retries: how often the job is started again when a replica failed or was lost
    """
    return stage_app("export", args, image, h, cpu, gpu, memMB, replicas, max_retries)
