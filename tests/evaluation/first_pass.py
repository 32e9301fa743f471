"""python -m tests.evaluation.first_pass NAME=MODEL,MODEL:VOD,VOD …: sound before pictures, and how much it spares.

What a closer look brings is simulated from stored tracks of the whole grid, by models that have learnt nothing of the
VODs. A first pass ranks the stretches between two key frames: by sound, by key frames, or by both. A share of them is
looked at closely; of all else a model knows the sound, and with key frames what lies between these.

    python -m tests.evaluation.first_pass --root ROOT forth=s0-forth,s1-forth:held-a,held-b back=s0-back:learn-a

The models hear sound and see pictures, as the default does. Labels and tracks of the VODs lie in the root.
"""

import argparse
import os
import sys
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from statistics import mean

os.environ.setdefault("OMP_NUM_THREADS", "1")  # beside other work, two threads that wait for each other are slower

import numpy as np
import numpy.typing as npt
import torch

from lolhl import grid
from lolhl.errors import LolhlError, MissingInput, UsageError
from lolhl.evaluate import metrics
from lolhl.evaluate.judge import Judge, ScoredVod, average_precision
from lolhl.highlights.intensity import centred_mean
from lolhl.labels.spans import Span
from lolhl.labels.store import load_labels
from lolhl.models.bundle import Bundle, load_bundle
from lolhl.models.network import PICTURES
from lolhl.models.vod_scorer import VodScorer
from lolhl.signals import stored_track
from lolhl.signals.source import video_source
from lolhl.stages.infer import InferConfig
from lolhl.storage import Root, open_root
from lolhl.tracks.rows import BATCH, Values, spread
from lolhl.tracks.track import Track
from tests.benchmarks import result
from tests.evaluation import report

SHARES = (0.1, 0.25, 0.4)  # of the instants that are looked at closely
KEY_SECONDS = 2.0  # from one key frame to the next, on Twitch and in the sample streams
_LEAST = 1e-6  # of a probability, for its log-odds
_NOTES = """\
AP lost is that of the whole grid less that of the way, smoothed as the model smooths: what is below 0 was gained. Work
is the share of the pictures that are looked at, key frames among them. Event F1 at tIoU 0.3 and 0.5 is of all VODs of a
model together, and each figure is the mean over the models. The oracle knows what the whole grid would say."""

Scores = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Stream:
    """A VOD, and what a model may know of it.

    Attributes:
        used: the model.
        pictures: features of all instants: float16 [n, D].
        other: the tracks of its other signals.
    """

    vod: str
    labels: Sequence[Span]
    used: Bundle
    pictures: Values
    other: Mapping[str, Track | None]

    @property
    def judge(self) -> Judge:
        return Judge.of_model(self.used.threshold, self.used.smooth_seconds, self.used.habits)

    @cached_property
    def instants(self) -> npt.NDArray[np.float64]:
        """The times of the grid, in seconds: [n]."""
        return grid.times(len(self.pictures), self.used.view.fps)

    @cached_property
    def group(self) -> npt.NDArray[np.int64]:
        """The number of the key frame that each instant follows: [n]."""
        return np.floor(self.instants / KEY_SECONDS + 1e-9).astype(np.int64)

    @cached_property
    def is_key(self) -> Mask:
        """Which instants show a key frame: [n]."""
        return np.diff(self.group, prepend=-1) > 0

    @cached_property
    def between(self) -> Values:
        """Features of all instants, as key frames give them: [n, D]."""
        return spread(self.instants[self.is_key], self.pictures[self.is_key], self.instants)

    @cached_property
    def whole(self) -> Scores:
        """Probabilities where all pictures are looked at: [n]."""
        return self._scores(self.pictures, self.pictures)

    @cached_property
    def whole_scored(self) -> ScoredVod:
        return self.scored(self.whole)

    @cached_property
    def heard(self) -> Scores:
        """Probabilities by the other signals alone: [n]."""
        return self.alone(np.zeros(len(self.pictures), dtype=bool))

    @cached_property
    def scanned(self) -> Scores:
        """Probabilities by the other signals and key frames: [n]."""
        return self.among_keys(np.zeros(len(self.pictures), dtype=bool))

    def alone(self, looked: Mask) -> Scores:
        """Probabilities where the pictures of these instants are known, and no others: [n]."""
        return self._scores(np.where(looked[:, None], self.pictures, np.float16(np.nan)), self.pictures[looked])

    def among_keys(self, looked: Mask) -> Scores:
        """Probabilities where all key frames are known, and the pictures of these instants: [n]."""
        pictures = np.where(looked[:, None], self.pictures, self.between)
        return self._scores(pictures, self.pictures[self.is_key])

    def smooth(self, scores: Scores) -> npt.NDArray[np.float64]:
        """Scores averaged over the window of the model."""
        return centred_mean(scores, self.used.view.fps, self.used.smooth_seconds)

    def scored(self, scores: Scores) -> ScoredVod:
        return ScoredVod(vod=self.vod, fps=self.used.view.fps, scores=scores, labels=self.labels)

    def _scores(self, pictures: Values, usual: Values) -> Scores:
        """Probabilities by pictures, NaN where they are not known, of which these rows say what is usual: [n]."""
        scorer = VodScorer.open(self.used, self.other, torch.device("cpu"))
        if len(usual):
            scorer = scorer.with_baseline(PICTURES, usual.__getitem__, len(usual))
        return scorer.scores(_batches(pictures)).probabilities


Models = Sequence[Sequence[Stream]]
"""Of each model its streams, which are the same for all."""


@dataclass(frozen=True)
class Way:
    """A way to look closer.

    Attributes:
        first: by what stretches are ranked: float [n], higher first.
        scores: what the model says once it has looked.
        keys: whether key frames are looked at too.
    """

    first: Callable[[Stream], Scores]
    scores: Callable[[Stream, Mask], Scores]
    keys: bool

    def look(self, stream: Stream, share: float) -> tuple[Scores, float]:
        """The probabilities, float [n], and the share of the pictures that they took."""
        looked = stretches(stream.group, self.first(stream), share)
        work = looked | stream.is_key if self.keys else looked
        return self.scores(stream, looked), float(work.mean())


def stretches(group: npt.NDArray[np.int64], wanted: Scores, share: float) -> Mask:
    """The instants of those groups that have the highest values, until they are this share of all: bool [n]."""
    highest = np.full(int(group[-1]) + 1, -np.inf)
    np.maximum.at(highest, group, wanted)
    order = np.argsort(-highest, kind="stable")
    sizes = np.bincount(group)[order]
    return np.isin(group, order[np.cumsum(sizes) - sizes < share * len(group)])


def certainty(stream: Stream, scores: Scores) -> Scores:
    """How far the log-odds lie from the threshold that suits the VOD: float [n].

    It calls as much as `lolhl highlights` does: the geometric mean of what the scores expect and what was labelled
    where the model learnt.
    """
    smoothed = stream.smooth(scores)
    assert stream.used.habits
    share = min(1.0, float(np.sqrt(smoothed.mean() * stream.used.habits.share)))
    return np.abs(_log_odds(smoothed) - _log_odds(np.quantile(smoothed, 1 - share)))


def _noise(stream: Stream) -> Scores:
    return np.random.default_rng(zlib.crc32(stream.vod.encode())).random(int(stream.group[-1]) + 1)[stream.group]


def _change(stream: Stream) -> Scores:
    return np.abs(_log_odds(stream.smooth(stream.whole)) - _log_odds(stream.smooth(stream.heard)))


TODAY = "key frames and sound: highest"
EITHER = "key frames and sound, or sound alone: highest"
EVENTS_OF = (TODAY, EITHER)  # whose event F1 is judged, at the share that is the default: it takes most of the time
WAYS: Mapping[str, Way] = {
    TODAY: Way(lambda stream: stream.scanned, Stream.among_keys, keys=True),
    EITHER: Way(
        lambda stream: np.maximum(stream.scanned, stream.heard),
        Stream.among_keys,
        keys=True,
    ),
    "key frames and sound: unsure": Way(
        lambda stream: -certainty(stream, stream.scanned), Stream.among_keys, keys=True
    ),
    "sound alone: unsure": Way(lambda stream: -certainty(stream, stream.heard), Stream.alone, keys=False),
    "sound alone: highest": Way(lambda stream: stream.heard, Stream.alone, keys=False),
    "random": Way(_noise, Stream.alone, keys=False),
    "oracle: what changes most": Way(_change, Stream.alone, keys=False),
}


@dataclass(frozen=True)
class Looked:
    """The streams of each model of a set, as a way scores them, and the share of the pictures that it looks at."""

    models: Sequence[Sequence[ScoredVod]]
    work: float

    @classmethod
    def at(cls, models: Models, look: Callable[[Stream], tuple[Scores, float]]) -> "Looked":
        """All streams of all models, where `look` gives the scores and the work of a stream."""
        looks = [[look(stream) for stream in streams] for streams in models]
        scored = [
            [stream.scored(scores) for stream, (scores, _) in zip(streams, of_model, strict=True)]
            for streams, of_model in zip(models, looks, strict=True)
        ]
        return cls(scored, mean(work for of_model in looks for _, work in of_model))


def lost_in_vods(models: Models, looked: Looked) -> dict[str, float]:
    """VOD → the average precision that is lost in it against the whole grid, mean of the models."""
    lost: dict[str, list[float]] = {}
    for streams, scored in zip(models, looked.models, strict=True):
        for stream, vod in zip(streams, scored, strict=True):
            both = (average_precision([one], stream.used.smooth_seconds) for one in (stream.whole_scored, vod))
            whole, part = (value or 0.0 for value in both)
            lost.setdefault(stream.vod, []).append(whole - part)
    return {vod: mean(values) for vod, values in lost.items()}


def lost_together(models: Models, looked: Looked) -> list[float]:
    """What is lost where all VODs are judged together: average precision, and event F1 at 0.3 and 0.5."""
    lost = []
    for streams, scored in zip(models, looked.models, strict=True):
        judge = streams[0].judge
        lost.append(_figures(judge, [stream.whole_scored for stream in streams]) - _figures(judge, scored))
    together: list[float] = np.mean(lost, axis=0).tolist()
    return together


def _figures(judge: Judge, vods: Sequence[ScoredVod]) -> npt.NDArray[np.float64]:
    predictions = judge.predict(vods)
    ranking = predictions.ranking
    events = [counts.figures().f1 for counts in predictions.events]
    return np.array([metrics.average_precision(ranking.labels, ranking.scores), *events], dtype=np.float64)


def tables(sets: Mapping[str, Models], shares: Sequence[float] = SHARES) -> list[result.Table]:
    """What each way loses on each set, by the share that is looked at closely."""
    looks: list[tuple[str, float | None, Callable[[Stream], tuple[Scores, float]]]] = [
        ("sound alone", None, lambda stream: (stream.heard, 0.0)),
        ("key frames and sound", None, lambda stream: (stream.scanned, float(stream.is_key.mean()))),
        *((name, share, partial(way.look, share=share)) for name, way in WAYS.items() for share in shares),
    ]
    by_vod, together = [], []
    for name, share, look in looks:
        looked = {one: Looked.at(models, look) for one, models in sets.items()}
        row = (name, share, mean(each.work for each in looked.values()))
        lost = [[*lost_in_vods(sets[one], each).values()] for one, each in looked.items()]
        by_vod.append(
            (*row, *map(_mean_and_most, lost), _mean_and_most([value for values in lost for value in values]))
        )
        print(by_vod[-1], flush=True)
        if share is None or (name in EVENTS_OF and share == InferConfig().closer):
            figures = [lost_together(sets[one], each) for one, each in looked.items()]
            together.append((*row, *(" / ".join(f"{value:+.3f}" for value in values) for values in figures)))
    columns = ("way", "share", "work")
    return [
        result.Table("AP lost in a VOD: mean of the VODs (the most)", (*columns, *sets, "all VODs"), by_vod),
        result.Table("AP lost / event F1 lost at 0.3 / at 0.5, of all VODs together", (*columns, *sets), together),
    ]


def _mean_and_most(values: Sequence[float]) -> str:
    return f"{mean(values):+.3f} ({max(values):+.3f})"


def read(root: Root, model: str, vods: Sequence[str]) -> list[Stream]:
    """The VODs as a model knows them.

    Raises:
        MissingInput: a track is not stored.
    """
    used = load_bundle(root, model)
    streams = []
    for vod in vods:
        source = video_source(root, vod)
        tracks = {name: stored_track(used.open(name), source, "grid") for name in used.signals}
        pictures = tracks.pop(PICTURES, None)
        if pictures is None:
            raise MissingInput(f"{root.url} has no track of the pictures of {vod} that {model} knows: run lolhl track")
        streams.append(Stream(vod, load_labels(root, vod), used, pictures[np.arange(len(pictures))], tracks))
    return streams


def parse(text: str) -> tuple[str, list[str], list[str]]:
    """ "NAME=MODEL,MODEL:VOD,VOD" → name, models, VODs.

    Raises:
        UsageError: it is written in another way.
    """
    name, _, rest = text.partition("=")
    models, _, vods = rest.partition(":")
    if not (name and models and vods):
        raise UsageError(f"{text!r} is no set: write it as NAME=MODEL,MODEL:VOD,VOD")
    return name, models.split(","), vods.split(",")


def _batches(values: Values) -> Iterator[Values]:
    for first in range(0, len(values), BATCH):
        yield values[first : first + BATCH]


def _log_odds(probabilities: Scores | np.floating) -> npt.NDArray[np.float64]:
    clipped = np.clip(np.asarray(probabilities, dtype=np.float64), _LEAST, 1 - _LEAST)
    return np.log(clipped / (1 - clipped))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.evaluation.first_pass",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sets", nargs="+", metavar="NAME=MODEL,MODEL:VOD,VOD", help="models and VODs new to them")
    parser.add_argument("--root", default="lolhl-data/evaluation", help="where all of them lie")
    parser.add_argument("--name", default="first-pass", help="of the result: results/DATE-NAME.md")
    given = parser.parse_args(arguments)
    try:
        root = open_root(given.root)
        sets = {name: [read(root, model, vods) for model in models] for name, models, vods in map(parse, given.sets)}
    except LolhlError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    called = " ".join(["python -m tests.evaluation.first_pass", *given.sets])
    result.write(given.name, tables(sets), called, _NOTES, folder=report.FOLDER)
    return 0


if __name__ == "__main__":
    sys.exit(main())
