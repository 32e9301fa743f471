"""Cuts highlights from scores: page, clips, reel and exports.

torchx run components/report.py:report -- 1863051677 --root s3://bucket/lolhl
"""

from typing import Optional

from torchx import specs

from components._helpers import IMAGES, stage_app


def report(
    *args: str,
    image: str = IMAGES["report"],
    h: Optional[str] = None,
    cpu: int = 2,
    gpu: int = 0,
    memMB: int = 4096,
    replicas: int = 1,
    max_retries: int = 0,
) -> specs.AppDef:
    """Cuts highlights from scores: page, clips, reel and exports.

    Args:
        args: what `lolhl report` takes; see `lolhl report --help`
        image: the container image to run in
        h: a named resource, in place of cpu, gpu and memMB
        cpu: number of CPUs
        gpu: number of GPUs
        memMB: memory in MB
        replicas: number of containers, which share the VODs
        max_retries: how often the job is started again when a replica failed or was lost
    """
    return stage_app("report", args, image, h, cpu, gpu, memMB, replicas, max_retries)
