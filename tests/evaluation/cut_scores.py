"""python -m tests.evaluation.cut_scores --root ROOT: makes scores/cuts.npz, which `cuts.py` compares ways to cut by.

The root holds the evaluation streams learn-… and held-… with their labels, videos and tracks of pictures. The models
are plain logistic regressions: nothing of lolhl's own models, so that ways are not chosen for one of these alone. One
regresses on the pictures' features (96 principal components), one on 40 log-mel bands of the sound, both standardised
in each stream, with their means over 3 and 10 s; `both` adds their log-odds.
"""

import argparse
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score

from lolhl.labels.spans import Span, on_grid
from lolhl.labels.tables import read_table

FPS, RATE, HOP, WINDOW, BANDS = Fraction(3), 16_000, 320, 512, 40
NAMES = re.compile("(learn|held)-[a-z]")  # other streams of the root are these in another rendition
OUT = Path(__file__).parent / "scores/cuts.npz"

Values = npt.NDArray[np.floating]  # [n, d]


@dataclass(frozen=True, eq=False)
class Material:
    """A stream: its labels, and standardised features of each instant."""

    name: str
    labels: Sequence[Span]
    pictures: Values
    sound: Values

    @property
    def inside(self) -> npt.NDArray[np.bool_]:
        return on_grid(self.labels, len(self.pictures), FPS)


def load(root: Path, name: str) -> Material:
    files = sorted(root.glob(f"tracks/{name}/pictures-*/part-*.npy"))
    pictures = np.concatenate([np.load(file)["values"] for file in files]).astype(np.float32)
    sound = log_mel(next(root.glob(f"vods/{name}/video.*")))
    count = min(len(pictures), len(sound))
    labels = sorted(read_table((root / f"labels/{name}.tsv").read_bytes(), name)[name])
    return Material(name, labels, standard(pictures[:count]), standard(sound[:count]))


def log_mel(video: Path) -> Values:
    """Mean, deviation and maximum of log-mel bands over the second round each instant: [n, 120]."""
    command = ["ffmpeg", "-v", "error", "-i", str(video), "-ac", "1", "-ar", str(RATE), "-f", "s16le", "-"]
    samples = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.int16) / 32768
    edges = 700 * (10 ** (np.linspace(0, 2595 * np.log10(1 + RATE / 1400), BANDS + 2) / 2595) - 1)
    rates = np.fft.rfftfreq(WINDOW, 1 / RATE)
    rising = (rates - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - rates) / np.diff(edges)[1:, None]
    weights = np.clip(np.minimum(rising, falling), 0, None)
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
    bands = np.concatenate(
        [
            np.log(1e-6 + np.abs(np.fft.rfft(part * np.hanning(WINDOW), axis=1)) ** 2 @ weights.T)
            for part in np.array_split(windows, max(1, len(windows) // 4096))
        ]
    )
    rows = []
    for instant in range(int(len(samples) / RATE * FPS)):
        middle = round(float(instant / FPS) * RATE / HOP)
        near = bands[max(0, min(middle, len(bands) - 5) - 25) : middle + 25]
        rows.append(np.concatenate([near.mean(axis=0), near.std(axis=0), near.max(axis=0)]))
    return np.array(rows, dtype=np.float32)


def standard(values: Values) -> Values:
    return np.asarray((values - values.mean(axis=0)) / (values.std(axis=0) + 1e-3), dtype=np.float32)


def in_context(values: Values) -> Values:
    """With their means over 3 and 10 s."""
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, axis=0, dtype=np.float64)])
    at, parts = np.arange(len(values)), [values]
    for half in (4, 15):
        first, end = np.maximum(at - half, 0), np.minimum(at + half + 1, len(values))
        parts.append((sums[end] - sums[first]) / (end - first)[:, None])
    return np.concatenate(parts, axis=1).astype(np.float32)


def fit(streams: Sequence[Material]) -> Callable[[Material], dict[str, npt.NDArray[np.float64]]]:
    """Learns from streams. Returns what gives the log-odds of another one, for each kind of model."""
    components = PCA(96, svd_solver="randomized", random_state=0).fit(np.concatenate([s.pictures for s in streams]))
    inside = np.concatenate([stream.inside for stream in streams])
    features: dict[str, Callable[[Material], Values]] = {
        "pictures": lambda stream: in_context(components.transform(stream.pictures) / 10),
        "sound": lambda stream: in_context(stream.sound),
    }
    models = {
        kind: LogisticRegression(C=1e-3, max_iter=200).fit(np.concatenate([make(s) for s in streams]), inside)
        for kind, make in features.items()
    }

    def score(stream: Material) -> dict[str, npt.NDArray[np.float64]]:
        odds = {kind: models[kind].decision_function(make(stream)) for kind, make in features.items()}
        return {**odds, "both": odds["pictures"] + odds["sound"]}

    return score


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.evaluation.cut_scores")
    parser.add_argument("--root", type=Path, required=True)
    root = parser.parse_args().root
    names = sorted(path.stem for path in root.glob("labels/*.tsv") if NAMES.fullmatch(path.stem))
    streams = {name: load(root, name) for name in names}
    learn, held = ([s for name, s in streams.items() if name.startswith(side)] for side in ("learn-", "held-"))
    kept: dict[str, npt.NDArray[np.floating]] = {
        f"labels/{name}": np.array([(span.start, span.stop) for span in stream.labels])
        for name, stream in streams.items()
    }
    cases = {"there": (learn, held), "back": (held, learn), "half": (learn[::2], learn[1::2] + held)}
    for case, (own, others) in cases.items():
        score = fit(own)
        scored = {f"held/{{}} {case}/{stream.name}": (stream, score(stream)) for stream in others}
        for stream in own:
            alone = fit([other for other in own if other is not stream])
            scored[f"learnt/{{}} {case}/{stream.name}"] = (stream, alone(stream))
        for key, (stream, odds) in scored.items():
            for kind, values in odds.items():
                kept[key.format(kind)] = values.astype(np.float16)
                precision = average_precision_score(stream.inside, values)
                print(key.format(kind), f"{precision:.3f} where {stream.inside.mean():.3f} is labelled", flush=True)
    OUT.parent.mkdir(exist_ok=True)
    np.savez_compressed(OUT, **kept)  # type: ignore[arg-type]  # numpy's stubs take them for `allow_pickle`


if __name__ == "__main__":
    main()
