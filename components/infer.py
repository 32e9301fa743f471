"""Scores VODs with a model.

torchx run components/infer.py:infer -- first 1863051677 --root s3://bucket/lolhl
"""

from typing import Optional

from torchx import specs

from components._helpers import IMAGES, stage_app


def infer(
    *args: str,
    image: str = IMAGES["infer"],
    h: Optional[str] = None,
    cpu: int = 2,
    gpu: int = 0,
    memMB: int = 16384,
    replicas: int = 1,
    max_retries: int = 0,
) -> specs.AppDef:
    """Scores VODs with a model.

    Args:
        args: what `lolhl infer` takes; see `lolhl infer --help`
        image: the container image to run in
        h: a named resource, in place of cpu, gpu and memMB
        cpu: number of CPUs
        gpu: number of GPUs
        memMB: memory in MB
        replicas: number of containers, which share the VODs
        max_retries: how often the job is started again when a replica failed or was lost
    """
    return stage_app("infer", args, image, h, cpu, gpu, memMB, replicas, max_retries)
