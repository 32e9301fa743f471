"""Reads the clock of the games that VODs show.

torchx run components/clock.py:clock --replicas 2 -- 1863051677 1886367077 --root s3://bucket/lolhl
"""

from typing import Optional

from torchx import specs

from components._helpers import IMAGES, stage_app


def clock(
    *args: str,
    image: str = IMAGES["clock"],
    h: Optional[str] = None,
    cpu: int = 2,
    gpu: int = 0,
    memMB: int = 4096,
    replicas: int = 1,
    max_retries: int = 0,
) -> specs.AppDef:
    """Reads the clock of the games that VODs show.

    Args:
        args: what `lolhl clock` takes; see `lolhl clock --help`
        image: the container image to run in
        h: a named resource, in place of cpu, gpu and memMB
        cpu: number of CPUs
        gpu: number of GPUs
        memMB: memory in MB
        replicas: number of containers, which share the VODs
        max_retries: how often the job is started again when a replica failed or was lost
    """
    return stage_app("clock", args, image, h, cpu, gpu, memMB, replicas, max_retries)
