"""Shows what a model finds and misses on labelled VODs, and what its mistakes come from.

torchx run components/analyse.py:analyse -- champion --root s3://bucket/lolhl
"""

from typing import Optional

from torchx import specs

from components._credentials import MLFLOW
from components._helpers import IMAGES, stage_app


def analyse(
    *args: str,
    image: str = IMAGES["analyse"],
    h: Optional[str] = None,
    cpu: int = 2,
    gpu: int = 0,
    memMB: int = 8192,
    max_retries: int = 0,
) -> specs.AppDef:
    """Shows what a model finds and misses on labelled VODs, and what its mistakes come from.

    Args:
        args: what `lolhl analyse` takes; see `lolhl analyse --help`
        image: the container image to run in
        h: a named resource, in place of cpu, gpu and memMB
        cpu: number of CPUs
        gpu: number of GPUs
        memMB: memory in MB
        max_retries: how often the job is started again when it failed or was lost
    """
    return stage_app("analyse", args, image, h, cpu, gpu, memMB, max_retries=max_retries, credentials=[MLFLOW])
