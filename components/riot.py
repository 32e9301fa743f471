"""Asks Riot for the games that a VOD shows.

torchx run components/riot.py:riot -- 1863051677 --riot-id "Me#EUW" --root s3://bucket/lolhl
"""

from typing import List, Optional

from torchx import specs

from components._credentials import RIOT
from components._helpers import IMAGES, stage_app


def riot(
    *args: str,
    image: str = IMAGES["riot"],
    h: Optional[str] = None,
    cpu: int = 1,
    gpu: int = 0,
    memMB: int = 2048,
    mounts: Optional[List[str]] = None,
) -> specs.AppDef:
    """Asks Riot for the games that a VOD shows.

    Args:
        args: what `lolhl riot` takes; see `lolhl riot --help`
        image: the container image to run in
        h: a named resource, in place of cpu, gpu and memMB
        cpu: number of CPUs
        gpu: number of GPUs
        memMB: memory in MB
        mounts: what a container sees of the machine's files, as type=bind,src=/videos,dst=/videos,readonly
    """
    return stage_app("riot", args, image, h, cpu, gpu, memMB, mounts=mounts, credentials=[RIOT])
