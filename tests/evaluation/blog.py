"""python -m tests.evaluation.blog: the blog's recipe learns once, and its scores are kept as data.

It takes hours on 2 cores: every picture goes through a whole network in each of five epochs. ResNet-18 stands for the
post's ResNet-50, which would take three times as long and, from scratch on so few pictures, learns no better. The
post's second network, with an LSTM over the first one's features, is not run.
"""

import argparse
import shutil
import sys
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

import lolhl  # noqa: F401 - lets torchvision be imported beside CPU torch
from lolhl.labels import tables
from lolhl.labels.spans import Span
from tests.benchmarks import blog
from tests.evaluation.material import BACK, FORTH
from tests.evaluation.methods import SCORES, scores_of_blog


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.evaluation.blog", description=__doc__)
    parser.add_argument("direction", choices=["forth", "back"])
    parser.add_argument("--streams", type=Path, default=Path("lolhl-data/evaluation-streams"))
    parser.add_argument(
        "--pictures", type=Path, default=Path("lolhl-data/evaluation-pictures"), help="a scratch folder"
    )
    given = parser.parse_args()
    direction = {"forth": FORTH, "back": BACK}[given.direction]
    files: list[Path] = []
    labels: list[npt.NDArray[np.bool_]] = []
    for vod in direction.learn:
        stream = blog.labelled(_pictures(given.streams, given.pictures, vod), _spans(given.streams, vod))
        files += stream.files
        labels.append(stream.labels)
    learnt = blog.Labelled(files, np.concatenate(labels))
    begun = time.monotonic()
    network, epochs = blog.train(learnt, blog.Labelled(files[:32], learnt.labels[:32]), architecture="resnet18")
    trained = time.monotonic() - begun
    for number, epoch in enumerate(epochs, start=1):
        print(f"epoch {number}: loss {epoch.loss:.3f}, own validation: average precision {epoch.average_precision}")
    scores = {
        vod: blog.score(network, blog.files(_pictures(given.streams, given.pictures, vod))).astype(np.float16)
        for vod in direction.judge
    }
    SCORES.mkdir(exist_ok=True)
    np.savez_compressed(scores_of_blog(direction.name), allow_pickle=False, **scores)
    print(f"trained in {trained:.0f} s, judged in {time.monotonic() - begun - trained:.0f} s")
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
