"""Joins frames and labels to a dataset, split without leakage.

torchx run components/dataset.py:dataset -- mine 1863051677 --root s3://bucket/lolhl
"""

from typing import Optional

from torchx import specs

from components._helpers import IMAGES, stage_app


def dataset(
    *args: str,
    image: str = IMAGES["dataset"],
    h: Optional[str] = None,
    cpu: int = 2,
    gpu: int = 0,
    memMB: int = 8192,
) -> specs.AppDef:
    """Joins frames and labels to a dataset, split without leakage.

    Args:
        args: what `lolhl dataset` takes; see `lolhl dataset --help`
        image: the container image to run in
        h: a named resource, in place of cpu, gpu and memMB
        cpu: number of CPUs
        gpu: number of GPUs
        memMB: memory in MB
    """
    return stage_app("dataset", args, image, h, cpu, gpu, memMB)
