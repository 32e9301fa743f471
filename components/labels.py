"""Imports hand-marked highlights.

torchx run components/labels.py:labels -- highlights.tsv --root lolhl-data
"""

from typing import List, Optional

from torchx import specs

from components._helpers import IMAGES, stage_app


def labels(
    *args: str,
    image: str = IMAGES["labels"],
    h: Optional[str] = None,
    cpu: int = 1,
    gpu: int = 0,
    memMB: int = 2048,
    mounts: Optional[List[str]] = None,
) -> specs.AppDef:
    """Imports hand-marked highlights.

    Args:
        args: what `lolhl labels` takes; see `lolhl labels --help`
        image: the container image to run in
        h: a named resource, in place of cpu, gpu and memMB
        cpu: number of CPUs
        gpu: number of GPUs
        memMB: memory in MB
        mounts: what a container sees of the machine's files, as type=bind,src=/videos,dst=/videos,readonly
    """
    return stage_app("labels", args, image, h, cpu, gpu, memMB, mounts=mounts)
