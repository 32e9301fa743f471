"""Learns a model from a dataset, on one process or many.

torchx run components/train.py:train -j 1x2 -- first --dataset mine --root lolhl-data
"""

from typing import Optional

from torchx import specs
from torchx.components import dist

from components._credentials import MLFLOW, declare
from components._helpers import IMAGES


def train(
    *args: str,
    image: str = IMAGES["train"],
    h: Optional[str] = None,
    cpu: int = 2,
    gpu: int = 0,
    memMB: int = 16384,
    j: str = "1x1",
    rdzv_port: int = 29500,
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
        rdzv_port: a port that is free on the first node, where several nodes meet
        max_retries: how often the processes are started again when one fails, and the job when that does not help
    """
    app = dist.ddp(
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
        # dist.ddp does not pass --max_restarts to torchrun, so it is told by its variable: without it one lost process
        # ends the job. Processes that are started again must not meet in the store of those that were lost
        # (https://github.com/pytorch/pytorch/issues/135712).
        env={
            "PYTHONUNBUFFERED": "1",
            "PET_MAX_RESTARTS": str(max_retries),
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": str(int(max_retries > 0)),
        },
        max_retries=max_retries,
        rdzv_port=rdzv_port,
    )
    declare(app.roles[0], [MLFLOW])
    return app
