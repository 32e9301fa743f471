"""Time and peak memory of what looks at many VODs, with 100, 1,000 and 10,000 of them.

    python -m tests.benchmarks.scale      # half an hour on 2 cores

The roots hold manifests and labels of VODs of 6 h, and no frames: what is timed looks at no picture. Each timed run
is a process of its own. A bucket at 40 ms holds up to `--far` of these VODs, behind a proxy that counts requests.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from lolhl.frames.spec import FrameSpec
from lolhl.labels.spans import Span
from lolhl.labels.store import labels_key
from lolhl.labels.tables import write_table
from lolhl.manifest import Manifest, Output
from lolhl.results import Frames, Vod
from lolhl.storage import Root, each
from lolhl.vod.view import View
from tests.results import FRAMES, VOD

SIZES = (100, 1_000, 10_000)
ROUND_TRIP = 0.040  # seconds
HOURS = 6
EVENTS = 20  # highlights an hour
SHARDS = 14  # of a frame set: 0.6 GB in files of 44 MB
REPLICAS = 8
SPEC = FrameSpec(View(Fraction(3), 224, "squeeze"), 90, "grid")


@dataclass(frozen=True)
class Run:
    """One timed call: seconds, MB of memory at most, and requests by price class."""

    seconds: float
    memory: float
    requests: Mapping[str, int]


def names(count: int) -> list[str]:
    """VODs as Twitch names them."""
    return [str(1_863_000_000 + 977 * number) for number in range(count)]


def make(root: Root, vods: Sequence[str]) -> None:
    """Manifests of downloads and frame sets, and labels: what download, extract and labels leave, less the videos."""

    def write(vod: str) -> None:
        for key, data in files(vod).items():
            root.write(key, data)

    for _ in each(write, vods):
        pass


def files(vod: str) -> dict[str, bytes]:
    seconds = HOURS * 3600
    video = f"vods/{vod}/video.mp4"
    stored = _sealed(replace(VOD, vod=vod, video=video, duration=seconds), {}, [Output(video, 10**9, "0" * 64)])
    framed = replace(FRAMES, vod=vod, frames=3 * seconds, pictures=3 * seconds, ended_at=seconds)
    folder = SPEC.folder(vod)
    shards = [Output(f"{folder}/shard-{number:06}-{'0' * 16}.tar", 44_000_000, "0" * 64) for number in range(SHARDS)]
    outputs = [Output(f"{folder}/index-{'0' * 16}.parquet", 10**6, "0" * 64), *shards]
    frames = _sealed(framed, {f"vods/{vod}/vod.json": stored.content_digest()}, outputs)
    return {
        f"vods/{vod}/vod.json": stored.to_bytes(),
        SPEC.manifest_key(vod): frames.to_bytes(),
        labels_key(vod): write_table(vod, spans(vod)),
    }


def spans(vod: str) -> list[Span]:
    rng = np.random.default_rng(int(vod))
    starts = np.sort(rng.choice(HOURS * 360, size=HOURS * EVENTS, replace=False)) * 10 + 1
    return [
        Span(float(start), float(start + length))
        for start, length in zip(starts, rng.integers(4, 9, len(starts)), strict=True)
    ]


def _sealed(result: Vod | Frames, inputs: dict[str, str], outputs: list[Output]) -> Manifest[Vod] | Manifest[Frames]:
    return Manifest(result.stage, "0" * 64, {}, inputs, result, outputs)  # type: ignore[type-var, return-value]
