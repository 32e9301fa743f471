"""Makes the champion before champion again.

torchx run components/rollback.py:rollback -- --root s3://bucket/lolhl
"""

from typing import Optional

from torchx import specs

from components._credentials import MLFLOW
from components._helpers import IMAGES, stage_app


def rollback(
    *args: str,
    image: str = IMAGES["rollback"],
    h: Optional[str] = None,
    cpu: int = 1,
    gpu: int = 0,
    memMB: int = 2048,
) -> specs.AppDef:
    """Makes the champion before champion again.

    Args:
        args: what `lolhl rollback` takes; see `lolhl rollback --help`
        image: the container image to run in
        h: a named resource, in place of cpu, gpu and memMB
        cpu: number of CPUs
        gpu: number of GPUs
        memMB: memory in MB
    """
    return stage_app("rollback", args, image, h, cpu, gpu, memMB, credentials=[MLFLOW])
