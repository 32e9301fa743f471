"""python -m tests.evaluation.blog: the blog's recipe learns once, and its scores are kept as data.

It takes half an hour on 2 cores for an hour of labels: every picture goes through a whole network in each of five
epochs. ResNet-18 in bfloat16 stands for the post's ResNet-50, which would take three times as long and, from scratch on
so few pictures, learns no better. The post's second network, an LSTM over the first one's features, learns after it.
"""

import argparse
import shutil
import sys
import time
from pathlib import Path

import numpy as np

import lolhl  # noqa: F401 - lets torchvision be imported beside CPU torch
from lolhl.labels import tables
from lolhl.labels.spans import Span
from tests.benchmarks import blog
from tests.evaluation.material import BACK, CURVE
from tests.evaluation.methods import SCORES, scores_of_blog

DIRECTIONS = {direction.name: direction for direction in (*CURVE.values(), BACK)}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.evaluation.blog", description=__doc__)
    parser.add_argument("direction", choices=DIRECTIONS)
    parser.add_argument("--streams", type=Path, default=Path("lolhl-data/evaluation-streams"))
    parser.add_argument(
        "--pictures", type=Path, default=Path("lolhl-data/evaluation-pictures"), help="a scratch folder"
    )
    given = parser.parse_args()
    direction = DIRECTIONS[given.direction]
    streams = {
        vod: blog.labelled(_pictures(given.streams, given.pictures, vod), _spans(given.streams, vod))
        for vod in direction.learn
    }
    labels = np.concatenate([stream.labels for stream in streams.values()])
    learnt = blog.Labelled([file for stream in streams.values() for file in stream.files], labels)
    begun = time.monotonic()
    few = blog.Labelled(learnt.files[:32], labels[:32])
    network, epochs = blog.train(learnt, few, architecture="resnet18", bfloat16=True)
    for number, epoch in enumerate(epochs, start=1):
        print(f"epoch {number}: loss {epoch.loss:.3f}, own validation: average precision {epoch.average_precision}")
    trained = time.monotonic()
    features = [blog.features(network, stream.files, bfloat16=True) for stream in streams.values()]
    recurrent = blog.train_recurrent(features, labels)
    trained_both = time.monotonic()
    scores = {}
    for vod in direction.judge:
        files = blog.files(_pictures(given.streams, given.pictures, vod))
        scores[vod] = blog.score(network, files, bfloat16=True)
        scores[f"{vod}-lstm"] = blog.score_recurrent(recurrent, blog.features(network, files, bfloat16=True))
    SCORES.mkdir(exist_ok=True)
    stored = {name: values.astype(np.float16) for name, values in scores.items()}
    np.savez_compressed(scores_of_blog(direction.name), allow_pickle=False, **stored)
    print(f"trained in {trained - begun:.0f} s, the LSTM in {trained_both - trained:.0f} s", end="")
    print(f", judged in {time.monotonic() - trained_both:.0f} s")
    return 0


def _pictures(streams: Path, pictures: Path, vod: str) -> Path:
    folder = pictures / vod
    if not folder.exists():
        partial = pictures / f".{vod}"
        shutil.rmtree(partial, ignore_errors=True)
        blog.extract(streams / f"{vod}.mp4", partial)
        partial.rename(folder)
    return folder


def _spans(streams: Path, vod: str) -> list[Span]:
    return tables.read_table((streams / f"{vod}.tsv").read_bytes(), f"{vod}.tsv")[vod]


if __name__ == "__main__":
    sys.exit(main())
