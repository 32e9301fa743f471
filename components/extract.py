"""Takes frames from the videos of VODs.

torchx run components/extract.py:extract --replicas 2 -- 1863051677 1886367077 --root s3://bucket/lolhl
"""

from typing import Optional

from torchx import specs

from components._helpers import IMAGES, stage_app


def extract(
    *args: str,
    image: str = IMAGES["extract"],
    h: Optional[str] = None,
    cpu: int = 2,
    gpu: int = 0,
    memMB: int = 8192,
    replicas: int = 1,
    max_retries: int = 0,
) -> specs.AppDef:
    """Takes frames from the videos of VODs.

    Args:
        args: what `lolhl extract` takes; see `lolhl extract --help`
        image: the container image to run in
        h: a named resource, in place of cpu, gpu and memMB
        cpu: number of CPUs
        gpu: number of GPUs
        memMB: memory in MB
        replicas: number of containers, which share the VODs
        max_retries: how often the job is started again when a replica failed or was lost
    """
    return stage_app("extract", args, image, h, cpu, gpu, memMB, replicas, max_retries)
