"""Fetches a VOD: from Twitch, a URL or a file.

torchx run components/download.py:download -- 1863051677 --root s3://bucket/lolhl
"""

from typing import List, Optional

from torchx import specs

from components._credentials import TWITCH
from components._helpers import IMAGES, stage_app


def download(
    *args: str,
    image: str = IMAGES["download"],
    h: Optional[str] = None,
    cpu: int = 2,
    gpu: int = 0,
    memMB: int = 4096,
    mounts: Optional[List[str]] = None,
) -> specs.AppDef:
    """Fetches a VOD: from Twitch, a URL or a file.

    Args:
        args: what `lolhl download` takes; see `lolhl download --help`
        image: the container image to run in
        h: a named resource, in place of cpu, gpu and memMB
        cpu: number of CPUs
        gpu: number of GPUs
        memMB: memory in MB
        mounts: what a container sees of the machine's files, as type=bind,src=/videos,dst=/videos,readonly
    """
    return stage_app("download", args, image, h, cpu, gpu, memMB, mounts=mounts, credentials=[TWITCH])
