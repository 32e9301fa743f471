"""Learns a model from a dataset, on one process or many.

torchx run components/train.py:train -j 1x2 -- first --dataset mine --root lolhl-data
"""

from typing import Optional

from torchx import specs
from torchx.components import dist

from components._helpers import IMAGE


def train(
    *args: str,
    image: str = IMAGE,
    h: Optional[str] = None,
    cpu: int = 4,
    gpu: int = 0,
    memMB: int = 16384,
    j: str = "1x1",
    max_retries: int = 0,
) -> specs.AppDef:
    """Learns a model from a dataset, on one process or many.

    Args:
        args: what `lolhl train` takes; see `lolhl train --help`
        image: the container image to run in
        h: a named resource, in place of cpu, gpu and memMB
        cpu: number of CPUs
        gpu: number of GPUs
        memMB: memory in MB
        j: nodes x processes on each, as 1x2
        max_retries: how often the job is started again when it fails
    """
    return dist.ddp(
        "train",
        *args,
        m="lolhl",
        name="/lolhl-train",
        image=image,
        h=h,
        cpu=cpu,
        gpu=gpu,
        memMB=memMB,
        j=j,
        env={"PYTHONUNBUFFERED": "1"},
        max_retries=max_retries,
    )
