"""One stage of the whole way in a process of its own: `python -m tests.benchmarks.stages STAGE ROOT`.

Prints the seconds from the open root to the end of the stage, and what was done, as a line of JSON.
$BENCH_VIDEO and $BENCH_LABELS name what comes in.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from lolhl.frames.frameset import FrameSet
from lolhl.stages.dataset import dataset
from lolhl.stages.download import download
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.stages.infer import InferConfig, infer
from lolhl.stages.labels import labels
from lolhl.stages.report import report
from lolhl.stages.train import TrainConfig, train
from lolhl.storage import Root, each, open_root

VOD = "long"


def _download(root: Root) -> str:
    return f"{download(root, os.environ['BENCH_VIDEO'], name=VOD).result['duration']:.0f} s of video"


def _extract(root: Root) -> str:
    return f"{extract(root, VOD, ExtractConfig(mode='grid')).result['frames']} frames"


def _scan(root: Root) -> str:
    extract(root, VOD, ExtractConfig(mode="scan"))
    return f"{len(FrameSet.load(root, VOD).times)} frames"


def _labels(root: Root) -> str:
    return f"{labels(root, Path(os.environ['BENCH_LABELS']))[0].labels} labels"


def _dataset(root: Root) -> str:
    return f"{dataset(root, 'd', [VOD]).result['train']['frames']} samples"


def _train(root: Root) -> str:
    return f"{len(train(root, 'm', TrainConfig(dataset='d'), force=True).result['epochs'])} epochs"


def _infer(root: Root) -> str:
    return f"{infer(root, 'm', VOD, InferConfig(source='frames')).result['frames']} frames"


def _report(root: Root) -> str:
    return f"{len(report(root, VOD).result['highlights'])} highlights"


def _pictures(root: Root) -> str:
    frames = FrameSet.load(root, VOD)
    count = len(frames.times)
    batches = (range(first, min(first + 64, count)) for first in range(0, count, 64))
    return f"{sum(len(batch) for batch in each(frames.pictures, batches, ahead=2))} frames"


STAGES: Mapping[str, Callable[[Root], str]] = {
    "download": _download,
    "extract": _extract,
    "scan": _scan,
    "labels": _labels,
    "dataset": _dataset,
    "train": _train,
    "infer": _infer,
    "report": _report,
    "pictures": _pictures,
}


def main() -> None:
    stage, url = sys.argv[1:]
    begun = time.perf_counter()
    done = STAGES[stage](open_root(url))
    print(json.dumps([time.perf_counter() - begun, done]))


if __name__ == "__main__":
    main()
