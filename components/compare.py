"""Judges models and other methods on the same labelled VODs.

torchx run components/compare.py:compare -- champion first --vods 1886367077 --root s3://bucket/lolhl
"""

from typing import Optional

from torchx import specs

from components._helpers import IMAGES, stage_app


def compare(
    *args: str,
    image: str = IMAGES["compare"],
    h: Optional[str] = None,
    cpu: int = 2,
    gpu: int = 0,
    memMB: int = 8192,
    max_retries: int = 0,
) -> specs.AppDef:
    """Judges models and other methods on the same labelled VODs.

    Args:
        args: what `lolhl compare` takes; see `lolhl compare --help`
        image: the container image to run in
        h: a named resource, in place of cpu, gpu and memMB
        cpu: number of CPUs
        gpu: number of GPUs
        memMB: memory in MB
        max_retries: how often the job is started again when it failed or was lost
    """
    return stage_app("compare", args, image, h, cpu, gpu, memMB, max_retries=max_retries)
