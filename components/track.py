"""Computes tracks of VODs: what models look at.

torchx run components/track.py:track --replicas 2 --gpu 1 -- 1863051677 1886367077 --root s3://bucket/lolhl
"""

from typing import Optional

from torchx import specs

from components._helpers import IMAGES, stage_app


def track(
    *args: str,
    image: str = IMAGES["track"],
    h: Optional[str] = None,
    cpu: int = 2,
    gpu: int = 0,
    memMB: int = 16384,
    replicas: int = 1,
    max_retries: int = 0,
) -> specs.AppDef:
    """Computes tracks of VODs: what models look at.

    Args:
        args: what `lolhl track` takes; see `lolhl track --help`
        image: the container image to run in
        h: a named resource, in place of cpu, gpu and memMB
        cpu: number of CPUs
        gpu: number of GPUs
        memMB: memory in MB
        replicas: number of containers, which share the VODs
        max_retries: how often the job is started again when a replica failed or was lost
    """
    return stage_app("track", args, image, h, cpu, gpu, memMB, replicas, max_retries)
