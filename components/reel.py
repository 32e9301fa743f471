"""Joins highlights, as they were corrected, to one video.

torchx run components/reel.py:reel -- 1863051677 --minutes 8 --root s3://bucket/lolhl
"""

from typing import Optional

from torchx import specs

from components._helpers import IMAGES, stage_app


def reel(
    *args: str,
    image: str = IMAGES["reel"],
    h: Optional[str] = None,
    cpu: int = 2,
    gpu: int = 0,
    memMB: int = 4096,
    replicas: int = 1,
    max_retries: int = 0,
) -> specs.AppDef:
    """Joins highlights, as they were corrected, to one video.

    Args:
        args: what `lolhl reel` takes; see `lolhl reel --help`
        image: the container image to run in
        h: a named resource, in place of cpu, gpu and memMB
        cpu: number of CPUs
        gpu: number of GPUs
        memMB: memory in MB
        replicas: number of containers, which share the VODs
        max_retries: how often the job is started again when a replica failed or was lost
    """
    return stage_app("reel", args, image, h, cpu, gpu, memMB, replicas, max_retries)
