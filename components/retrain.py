"""Learns from all labels, and makes the model champion if it is better on held-out VODs.

torchx run components/retrain.py:retrain -- --like first --root s3://bucket/lolhl
"""

from typing import Optional

from torchx import specs

from components._credentials import MLFLOW
from components._helpers import IMAGES, stage_app


def retrain(
    *args: str,
    image: str = IMAGES["retrain"],
    h: Optional[str] = None,
    cpu: int = 4,
    gpu: int = 0,
    memMB: int = 16384,
    max_retries: int = 0,
) -> specs.AppDef:
    """Learns from all labels, and makes the model champion if it is better on held-out VODs.

    Args:
        args: what `lolhl retrain` takes; see `lolhl retrain --help`
        image: the container image to run in
        h: a named resource, in place of cpu, gpu and memMB
        cpu: number of CPUs
        gpu: number of GPUs
        memMB: memory in MB
        max_retries: how often the job is started again when it failed or was lost
    """
    return stage_app("retrain", args, image, h, cpu, gpu, memMB, max_retries=max_retries, credentials=[MLFLOW])
