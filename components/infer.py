"""Scores VODs with a model.

torchx run components/infer.py:infer -- first 1863051677 --root s3://bucket/lolhl
"""

from typing import Optional

from torchx import specs

from components._helpers import IMAGE, stage_app


def infer(
    *args: str,
    image: str = IMAGE,
    h: Optional[str] = None,
    cpu: int = 4,
    gpu: int = 0,
    memMB: int = 16384,
) -> specs.AppDef:
    """Scores VODs with a model.

    Args:
        args: what `lolhl infer` takes; see `lolhl infer --help`
        image: the container image to run in
        h: a named resource, in place of cpu, gpu and memMB
        cpu: number of CPUs
        gpu: number of GPUs
        memMB: memory in MB
    """
    return stage_app("infer", args, image, h, cpu, gpu, memMB)
