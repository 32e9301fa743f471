"""python -m tests.evaluation.cuts: ways to cut highlights from scores, compared on streams that nothing was chosen on.

The scores are kept in `scores/cuts.npz`: log-odds of logistic regressions on pictures, on sound and on both, on sample
streams, in two directions. `cut_scores.py` makes them. Of the streams that a regression learnt from they are out of
fold, stream by stream. From these come calibration, threshold, the labels' habits and the choice among ways. All
figures are of the streams that it did not learn from.

The rule, stated before: the way with the highest mean of event F1 at tIoU 0.3 and 0.5 over the streams learnt from, out
of fold. Of ways within one standard error of the best, the one that stands first in the list, which goes from simple to
less simple. (L. Breiman et al., Classification and Regression Trees, 1984.)

The same ways are tried on the two real label files, if they are there, with made-up scores.
"""

import argparse
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from functools import cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d
from scipy.signal import lfilter
from scipy.special import expit

from lolhl.evaluate import metrics
from lolhl.evaluate.calibration import calibrate
from lolhl.evaluate.events import TIOUS, match_spans
from lolhl.highlights.amount import lowest_within
from lolhl.highlights.cut import CutConfig, Highlight, Limits, find, ranked
from lolhl.highlights.intensity import centred_mean
from lolhl.labels.habits import Habits, habits
from lolhl.labels.spans import Span, merge, on_grid
from lolhl.labels.tables import read_table

HERE = Path(__file__).parent
SCORES = HERE / "scores/cuts.npz"
REAL = HERE.parents[1] / "../shared/data/highlights.tsv"
FPS = Fraction(3)
RESAMPLES = 1000

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Stream:
    """A labelled stream, and the log-odds of some model: float64 [n]."""

    name: str
    odds: Scores
    labels: Sequence[Span]

    @property
    def seconds(self) -> float:
        return float(len(self.odds) / FPS)

    @property
    def inside(self) -> npt.NDArray[np.bool_]:
        return on_grid(self.labels, len(self.odds), FPS)


@dataclass(frozen=True)
class Case:
    """One model: the streams that it learnt from, scored out of fold, and others."""

    name: str
    learnt: Sequence[Stream]
    held: Sequence[Stream]


Cutter = Callable[[Scores, Limits], list[Highlight]]


@dataclass(frozen=True)
class Way:
    """A way to cut.

    Attributes:
        smooth: seconds, or None for a quarter of the median label.
        config: how to cut; what it leaves open follows from the labels.
        cutter: cuts at the threshold of the limits.
    """

    name: str
    smooth: float | None
    config: CutConfig
    cutter: Cutter

    def smoothed(self, probabilities: Scores, marks: Habits) -> Scores:
        return centred_mean(probabilities, FPS, marks.smooth_seconds if self.smooth is None else self.smooth)

    def spans(self, smoothed: Scores, marks: Habits, threshold: float) -> list[Highlight]:
        return self.cutter(smoothed, self.config.limits(threshold, marks))


def level(smoothed: Scores, limits: Limits) -> list[Highlight]:
    """As lolhl does."""
    return find(smoothed, FPS, float(len(smoothed) / FPS), limits)


def hysteresis(smoothed: Scores, limits: Limits) -> list[Highlight]:
    """As lolhl did before: from the threshold until below a lower one, padded, and joined after that."""
    stays, spans = smoothed >= limits.low, []
    for first, end in np.flatnonzero(np.diff(stays, prepend=False, append=False)).reshape(-1, 2):
        above = np.flatnonzero(smoothed[first:end] >= limits.threshold)
        if len(above):
            spans.append(Span(max(0, float((first + above[0]) / FPS) - 1), min(len(stays) / 3, float(end / FPS) + 1)))
    return _highlights(smoothed, [span for span in merge(spans, 2.0) if span.duration >= 4.0])


def of_peak(smoothed: Scores, limits: Limits, share: float) -> list[Highlight]:
    """Each highlight ends where it falls below this share of its peak."""
    spans = []
    for highlight in level(smoothed, limits):
        first, end = (round(time * FPS) for time in (highlight.span.start, highlight.span.stop))
        peak = first + int(np.argmax(smoothed[first:end]))
        low = np.flatnonzero(smoothed[first:end] < share * smoothed[peak]) + first
        before, after = low[low < peak], low[low > peak]
        start = int(before[-1]) + 1 if len(before) else first
        stop = int(after[0]) if len(after) else end
        spans.append(Span(float(start / FPS), float(stop / FPS)))
    return _highlights(smoothed, [span for span in spans if span.duration >= limits.min_length - 0.002])


def by_lengths(smoothed: Scores, limits: Limits, marks: Habits, alike: float) -> list[Highlight]:
    """The most probable segmentation, if lengths are log-normal as those of the labels: Viterbi over segments.

    Args:
        alike: seconds of instants that count as one observation.
    """
    odds = np.log(np.clip(smoothed, 1e-6, 1 - 1e-6) / np.clip(1 - smoothed, 1e-6, 1))
    gain = np.concatenate([[0.0], np.cumsum(odds - math.log(limits.threshold / (1 - limits.threshold)))])
    gain /= alike * float(FPS)
    least, most = max(1, int(0.8 * marks.short * FPS)), int(1.5 * marks.longest * FPS)
    lengths = np.arange(least, most + 1) / float(FPS)
    spread = max(0.2, math.log(marks.long / marks.median) / 1.28)
    prior = -0.5 * (np.log(lengths / marks.median) / spread) ** 2 - np.log(lengths)
    prior = (prior - prior.max() - 2.0)[::-1]
    count = len(smoothed)
    outside, inside, begin = np.zeros(count + 1), np.full(count + 1, -np.inf), np.zeros(count + 1, dtype=np.int64)
    for at in range(1, count + 1):
        outside[at] = max(outside[at - 1], inside[at - 1])
        first, last = max(0, at - most), at - least
        if last >= 0:
            totals = outside[first : last + 1] - gain[first : last + 1] + prior[max(0, most - at) :]
            best = int(np.argmax(totals))
            inside[at], begin[at] = totals[best] + gain[at], first + best
    spans, at, is_inside = [], count, inside[count] > outside[count]
    while at > 0:
        if is_inside:
            spans.append(Span(float(begin[at] / FPS), float(at / FPS)))
            at, is_inside = int(begin[at]), False
        else:
            is_inside = inside[at - 1] > outside[at - 1]
            at -= 1
    return _highlights(smoothed, spans[::-1])


def _highlights(smoothed: Scores, spans: Sequence[Span]) -> list[Highlight]:
    """Spans as highlights, ranked."""
    parts = [(span, smoothed[round(span.start * FPS) : max(1, round(span.stop * FPS))]) for span in spans]
    return ranked([Highlight(span, 0, float(part.max()), 0.0, float(part.mean()), "") for span, part in parts])


def ways() -> Iterator[Way]:
    """From simple to less simple."""
    whole = CutConfig(valley=0.0)
    yield Way("hysteresis, 5 s, padded, joined (before)", 5.0, CutConfig(low_ratio=0.85), hysteresis)
    for smooth in (None, 1.0, 2.0, 3.0, 5.0):
        text = "¼ label" if smooth is None else f"{smooth:g} s"
        yield Way(f"one level, {text}", smooth, whole, level)
    for lull in (0.0, 1.0, 2.0):
        yield Way(f"one level, ¼ label, lulls {lull:g} s", None, replace(whole, merge_gap=lull), level)
    yield Way("one level, ¼ label, from 1 s long", None, replace(whole, min_length=1.0), level)
    yield Way("one level, ¼ label, padded 1 s", None, replace(whole, pad_before=1.0, pad_after=1.0), level)
    for valley in (0.5, 0.7, 0.85):
        yield Way(f"watershed of long ones, {valley:g}, ¼ label", None, CutConfig(valley=valley), level)
        every = CutConfig(valley=valley, split_above=0.0)
        yield Way(f"watershed of all, {valley:g}, ¼ label", None, every, level)
    for share in (0.3, 0.5, 0.7):
        yield Way(f"{share:g} of the peak, ¼ label", None, CutConfig(), partial(of_peak, share=share))


def viterbi(marks: Habits) -> Iterator[Way]:
    """Ways that know all lengths of the labels."""
    for alike in (1.0, 2.0, 4.0):
        yield Way(
            f"lengths by Viterbi, {alike:g} s alike", 0.0, CutConfig(), partial(by_lengths, marks=marks, alike=alike)
        )


AMOUNTS = {
    "threshold": "the threshold with the best F1 of frames, as it is",
    "labelled": "the share labelled where it was learnt",
    "expected": "the mean probability",
    "joined": "the geometric mean of these two",
    "true": "the share labelled in the stream itself, which nobody knows",
}


@dataclass(frozen=True)
class Learnt:
    """What the streams of a case teach."""

    marks: Habits
    line: Callable[[Scores], Scores]

    @classmethod
    def from_streams(cls, streams: Sequence[Stream]) -> "Learnt":
        marks = habits((stream.labels, stream.seconds) for stream in streams)
        assert marks
        inside = np.concatenate([stream.inside for stream in streams])
        line = calibrate(inside, expit(np.concatenate([stream.odds for stream in streams])), float(FPS))
        return cls(marks, lambda odds: line.apply(expit(odds)).astype(np.float64))


@dataclass(frozen=True)
class Cut:
    """How a stream was cut: labelled, predicted and matched events at each overlap, share called, errors of borders."""

    stream: str
    labelled: int
    predicted: int
    matched: tuple[int, ...]
    ratio: float
    errors: tuple[float, ...]

    @property
    def f1(self) -> list[float]:
        return [2 * matched / max(1, self.labelled + self.predicted) for matched in self.matched]


def cut(way: Way, amount: str, stream: Stream, learnt: Learnt, threshold: float) -> Cut:
    """Cuts one stream, with so much called."""
    probabilities = learnt.line(stream.odds)
    smoothed = way.smoothed(probabilities, learnt.marks)
    labelled = sum(span.duration for span in merge(stream.labels))
    seconds = {
        "labelled": learnt.marks.share * stream.seconds,
        "expected": float(probabilities.mean()) * stream.seconds,
        "true": labelled,
    }
    seconds["joined"] = math.sqrt(seconds["labelled"] * seconds["expected"])
    find_at = partial(way.spans, smoothed, learnt.marks)
    if amount != "threshold":
        threshold = lowest_within(find_at, np.unique(smoothed), seconds[amount], 1.0)
    spans = [highlight.span for highlight in find_at(threshold)]
    pairs = match_spans(stream.labels, spans, TIOUS[0])
    return Cut(
        stream=stream.name,
        labelled=len(stream.labels),
        predicted=len(spans),
        matched=tuple(len(match_spans(stream.labels, spans, tiou)) for tiou in TIOUS),
        ratio=sum(span.duration for span in spans) / labelled,
        errors=tuple(
            abs(error)
            for label, place in pairs
            for error in (
                spans[place].start - stream.labels[label].start,
                spans[place].stop - stream.labels[label].stop,
            )
        ),
    )


def best_threshold(way: Way, learnt: Learnt, streams: Sequence[Stream]) -> float:
    """The threshold with the best F1 of frames, of all streams together."""
    smoothed = [way.smoothed(learnt.line(stream.odds), learnt.marks) for stream in streams]
    return metrics.choose_threshold(np.concatenate([stream.inside for stream in streams]), np.concatenate(smoothed))


def figures(way: Way, amount: str, case: Case) -> tuple[list[Cut], list[Cut]]:
    """Of the streams learnt from, out of fold (each cut by what the others teach), and of the others."""
    inner = []
    for stream in case.learnt:
        others = [other for other in case.learnt if other is not stream] or [stream]
        learnt = learnt_of(tuple(others))
        threshold = best_threshold(way, learnt, others) if amount == "threshold" else 0.5
        inner.append(cut(way, amount, stream, learnt, threshold))
    learnt = learnt_of(tuple(case.learnt))
    threshold = best_threshold(way, learnt, case.learnt) if amount == "threshold" else 0.5
    return inner, [cut(way, amount, stream, learnt, threshold) for stream in case.held]


@cache
def learnt_of(streams: tuple[Stream, ...]) -> Learnt:
    return Learnt.from_streams(streams)


def load(path: Path) -> list[Case]:
    """The cases that are kept."""
    kept = np.load(path)
    names = sorted(key.removeprefix("labels/") for key in kept if key.startswith("labels/"))
    labels = {name: [Span(start, stop) for start, stop in kept[f"labels/{name}"].tolist()] for name in names}
    streams: dict[str, dict[str, list[Stream]]] = {}
    for key in sorted(kept):
        kind, *rest = key.split("/")
        if kind in ("learnt", "held"):
            case, name = rest
            stream = Stream(name, kept[key].astype(np.float64), labels[name])
            streams.setdefault(case, {"learnt": [], "held": []})[kind].append(stream)
    return [Case(name, sides["learnt"], sides["held"]) for name, sides in streams.items()]


def real_cases(path: Path, seconds: float = 4300) -> Iterator[Case]:
    """The two real label files with made-up scores: a bump for each highlight and some where there is none, in noise.

    The level of the scores differs between the stream that is learnt from and the other.
    """
    labels = {
        vod: [span for span in spans if span.stop < seconds]
        for vod, spans in read_table(path.read_bytes(), str(path)).items()
    }
    for seed in range(3):
        one, other = (
            [Stream(vod, _made_up(spans, seconds, 10 * seed + place, shift), spans) for vod, spans in labels.items()]
            for place, shift in ((0, 0.0), (1, 0.7))
        )
        yield Case(f"real labels {seed}, there", one[:1], other[1:])
        yield Case(f"real labels {seed}, back", one[1:], other[:1])


def _made_up(labels: Sequence[Span], seconds: float, seed: int, shift: float) -> Scores:
    """Log-odds on the grid: float64 [n]."""
    rng, count = np.random.default_rng(seed), int(seconds * FPS)
    false = [
        Span(start, start + span.duration) for span in labels[::2] for start in rng.uniform(0, seconds - 60, 1).tolist()
    ]
    bumps = np.zeros(count)
    for spans, height in ((false, 2.0), (labels, 4.0)):
        for span in spans:
            bumps[int(span.start * FPS) : int(span.stop * FPS)] = rng.normal(height, height / 3)
    drift = sum(
        lfilter([math.sqrt(1 - keep**2) * size], [1, -keep], rng.normal(size=count))
        for keep, size in ((math.exp(-1 / 12), 0.9), (math.exp(-1 / 180), 0.5), (0.0, 0.7))
    )
    return np.asarray(gaussian_filter1d(bumps, 1.5 * float(FPS)) + drift - 3 + shift)


def mean_f1(cuts: Sequence[Cut]) -> float:
    return float(np.mean([cut.f1 for cut in cuts]))


def interval(cuts: Sequence[Cut], tiou: int) -> tuple[float, float, float]:
    """The mean F1 over streams, and 95 % of resamples of streams."""
    values = np.array([cut.f1[tiou] for cut in cuts])
    draws = np.random.default_rng(0).integers(0, len(values), (RESAMPLES, len(values)))
    low, high = np.percentile(values[draws].mean(axis=1), [2.5, 97.5])
    return float(values.mean()), float(low), float(high)


def table(rows: Sequence[tuple[str, Sequence[Cut], Sequence[Cut]]]) -> Iterator[str]:
    yield "| way | out of fold | F1 at 0.3 | F1 at 0.5 | called / labelled | within 1.5 | border error |"
    yield "|---|---|---|---|---|---|---|"
    for name, inner, held in rows:
        f1 = ["{:.2f} ({:.2f} to {:.2f})".format(*interval(held, tiou)) for tiou in range(2)]
        ratios = np.array([cut.ratio for cut in held])
        near = np.mean((ratios < 1.5) & (ratios > 1 / 1.5))
        errors = [error for cut in held for error in cut.errors]
        yield (
            f"| {name} | {mean_f1(inner):.3f} | {f1[0]} | {f1[1]} | {ratios.min():.2f} to {ratios.max():.2f} "
            f"| {near:.0%} | {np.median(errors) if errors else math.nan:.1f} s |"
        )


def report(cases: Sequence[Case], title: str) -> Iterator[str]:
    """The tables of some cases, and what the rule chooses."""
    yield from ("", f"## {title}", "", f"{', '.join(sorted({case.name for case in cases}))}.", "")
    rows = []
    listed = [*ways(), *(way for way in viterbi(learnt_of(tuple(cases[0].learnt)).marks))]
    for way in listed:
        inner, held = [], []
        for case in cases:
            marks = learnt_of(tuple(case.learnt)).marks
            own = next((other for other in viterbi(marks) if other.name == way.name), way)
            parts = figures(own, "joined", case)
            inner += parts[0]
            held += parts[1]
        rows.append((way.name, inner, held))
        print(way.name, f"{mean_f1(inner):.3f} {mean_f1(held):.3f}", flush=True)
    yield from table(rows)
    best = max(rows, key=lambda row: mean_f1(row[1]))
    error = float(np.std([np.mean(one.f1) for one in best[1]]) / math.sqrt(len(best[1])))
    chosen = next(row for row in rows if mean_f1(row[1]) >= mean_f1(best[1]) - error)
    yield from (
        "",
        f"Best out of fold: {best[0]} ({mean_f1(best[1]):.3f}, standard error {error:.3f}). By the rule: {chosen[0]}.",
        "",
    )
    way = next(way for way in listed if way.name == "watershed of long ones, 0.5, ¼ label")
    amounts = [("before: hysteresis, and its threshold as it is", *_of_all(listed[0], "threshold", cases))]
    for amount, text in AMOUNTS.items():
        amounts.append((text, *_of_all(way, amount, cases)))
    yield from (f"How much is called ({way.name}):", "")
    yield from table(amounts)


def _of_all(way: Way, amount: str, cases: Sequence[Case]) -> tuple[list[Cut], list[Cut]]:
    """As `figures`, of all cases together."""
    sides = [figures(way, amount, case) for case in cases]
    return [one for inner, _ in sides for one in inner], [one for _, held in sides for one in held]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.evaluation.cuts", description=__doc__.splitlines()[0])
    parser.add_argument("--only", help="cases whose names have this in them")
    only = parser.parse_args().only or ""
    cases = [case for case in load(SCORES) if only in case.name]
    groups = {kind: [case for case in cases if case.name.startswith(kind)] for kind in ("both", "sound", "pictures")}
    lines = ["# Ways to cut highlights", "", *(__doc__ or "").split("\n\n", 1)[1].splitlines()]
    for kind, chosen in groups.items():
        if chosen:
            lines += report(chosen, f"Sample streams, {kind}")
    if REAL.exists() and only in "real":
        lines += report(list(real_cases(REAL)), "Real labels, made-up scores")
    path = HERE / f"results/{datetime.now(UTC):%Y-%m-%d}-cuts.md"
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    print(path)


if __name__ == "__main__":
    main()
