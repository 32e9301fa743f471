"""One stage of the whole way in a process of its own: `python -m tests.benchmarks.stages STAGE ROOT`.

Prints a line of JSON: seconds from the open root to the end of the stage, what was done, seconds until the
bucket's first request, and seconds in which requests were under way and the processor had nothing to do.
$BENCH_VIDEO and $BENCH_LABELS name what comes in.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.httpsession import URLLib3Session

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
    return f"{download(root, os.environ['BENCH_VIDEO'], name=VOD).result.duration:.0f} s of video"


def _extract(root: Root) -> str:
    return f"{extract(root, VOD, ExtractConfig(mode='grid')).result.frames} frames"


def _scan(root: Root) -> str:
    return f"{extract(root, VOD, ExtractConfig(mode='scan')).result.pictures} frames"


def _labels(root: Root) -> str:
    return f"{labels(root, Path(os.environ['BENCH_LABELS']))[0].labels} labels"


def _dataset(root: Root) -> str:
    return f"{dataset(root, 'd', [VOD]).result.train.frames} samples"


def _train(root: Root) -> str:
    return f"{len(train(root, 'm', TrainConfig(dataset='d'), force=True).result.epochs)} epochs"


def _infer(root: Root) -> str:
    return f"{infer(root, 'm', VOD, InferConfig(source='frames')).result.frames} frames"


def _report(root: Root) -> str:
    return f"{len(report(root, VOD).result.highlights)} highlights"


def _pictures(root: Root) -> str:
    frames = FrameSet.load(root, VOD, ExtractConfig(mode="grid").spec)
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


@dataclass(frozen=True)
class _Asked:
    """Begin and end of a request, up to the headers of its answer: seconds of the clock, and of this process's work."""

    begin: float
    end: float
    worked_before: float
    worked: float


def main() -> None:
    stage, url = sys.argv[1:]
    asked: list[_Asked] = []
    send = URLLib3Session.send

    def noted(session: URLLib3Session, request: Any) -> Any:
        begin, before = time.perf_counter(), time.process_time()
        try:
            return send(session, request)
        finally:
            asked.append(_Asked(begin, time.perf_counter(), before, time.process_time()))

    URLLib3Session.send = noted  # type: ignore[assignment, method-assign]
    begun = time.perf_counter()
    done = STAGES[stage](open_root(url))
    seconds = time.perf_counter() - begun
    first = min((one.begin for one in asked), default=begun) - begun
    print(json.dumps([seconds, done, first, _waited(asked)]))


def _waited(asked: list[_Asked]) -> float:
    """Seconds in which requests were under way, those side by side once, less what was worked meanwhile."""
    waited, end = 0.0, 0.0
    for one in sorted(asked, key=lambda one: one.begin):
        if one.end > end:
            share = (one.end - max(end, one.begin)) / (one.end - one.begin)
            waited += share * max(0.0, one.end - one.begin - (one.worked - one.worked_before))
            end = one.end
    return waited


if __name__ == "__main__":
    main()
