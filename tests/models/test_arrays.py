"""Learning and scoring on plain arrays, without a root."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import lolhl
from lolhl.errors import DatasetError, UsageError
from lolhl.evaluate import metrics
from lolhl.models.arrays import HeadSettings, fit, score
from lolhl.models.registry import MODELS
from lolhl.models.tcn import TcnSettings
from lolhl.models.video import VideoSettings

README = Path(lolhl.__file__).parent / "README.md"
QUICK = HeadSettings(epochs=10, learning_rate=1e-2, model=VideoSettings(hidden=16, dropout=0.2))


def streams(
    count: int, seconds: int = 600, width: int = 6
) -> tuple[list[npt.NDArray[np.float16]], list[npt.NDArray[np.bool_]]]:
    """Tracks whose values differ in highlights, of which there is one of 5 to 15 s every 50 s."""
    rng = np.random.default_rng(3)
    tracks, labels = [], []
    for _ in range(count):
        label = np.zeros(seconds * 3, dtype=bool)
        for start in range(40, len(label) - 60, 150):
            label[start : start + int(rng.integers(15, 45))] = True
        tracks.append(
            (rng.normal(size=(len(label), width)) + 2 * label[:, None] * np.resize([1, -1], width)).astype(np.float16)
        )
        labels.append(label)
    return tracks, labels


@pytest.mark.parametrize("kind", ["image", "video"])
@pytest.mark.parametrize("count", [1, 6])
def test_what_is_learnt_finds_highlights_of_another_stream(kind: str, count: int) -> None:
    tracks, labels = streams(count + 1)
    settings = HeadSettings(**{**vars(QUICK), "kind": kind, "model": MODELS[kind].Settings()})
    model = fit(tracks[:-1], labels[:-1], settings)
    (scores,) = score(model, tracks[-1:])
    assert scores.shape == labels[-1].shape
    assert scores.dtype == np.float32
    assert (metrics.average_precision(labels[-1], scores) or 0) > 0.8
    assert model.epochs[model.best].val_ap == max(epoch.val_ap for epoch in model.epochs)


def test_the_same_call_gives_the_same_scores_and_another_seed_others() -> None:
    tracks, labels = streams(2)
    first, again = (score(fit(tracks, labels, QUICK), tracks)[0] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = HeadSettings(**{**vars(QUICK), "seed": 1})
    assert not np.array_equal(score(fit(tracks, labels, other), tracks)[0], first)


def test_arrays_that_do_not_fit_are_named() -> None:
    tracks, labels = streams(2, seconds=120)
    with pytest.raises(UsageError, match="2 tracks and labels of 1"):
        fit(tracks, labels[:1])
    with pytest.raises(UsageError, match=r"track 1 is float16 \[360, 5\]: give float16 or float32 \[T, 6\]"):
        fit([tracks[0], tracks[1][:, 1:]], labels)
    with pytest.raises(UsageError, match=r"labels 1 are int64 \[360\]: give bool \[360\]"):
        fit(tracks, [labels[0], labels[1].astype(np.int64)])
    with pytest.raises(UsageError, match="track 0 has values that are no numbers"):
        fit([tracks[0] * np.float16("nan"), tracks[1]], labels)
    with pytest.raises(DatasetError, match="label more"):
        fit(tracks, [np.zeros_like(label) for label in labels])
    model = fit(*streams(1), QUICK)
    with pytest.raises(UsageError, match=r"track 0 has the shape \[360, 3\]: give \[T, 6\]"):
        score(model, [tracks[0][:, :3]])
    with pytest.raises(UsageError, match="track 0 has values that are no numbers"):
        score(model, [tracks[0] * np.float16("nan")])
    with pytest.raises(UsageError, match="track 0 is a list: give an array of numpy"):
        score(model, [tracks[0].tolist()])
    with pytest.raises(UsageError, match="labels are no arrays of numpy"):
        fit(tracks, [label.tolist() for label in labels])
    both = HeadSettings(kind="tcn", epochs=1, model=TcnSettings(signals="pictures,sound"))
    joined = fit([{"pictures": track, "sound": track} for track in tracks], labels, both)
    with pytest.raises(UsageError, match="track 0 has signals of 360 and of 300 instants: give as many of each"):
        score(joined, [{"pictures": tracks[0], "sound": tracks[0][:300]}])
    assert score(model, []) == []
    assert score(model, [tracks[0][:0]])[0].shape == (0,)


def test_the_readme_s_example_runs() -> None:
    examples = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    (example,) = [text for text in examples if "lolhl.models.arrays" in text]
    tracks, labels = streams(2, seconds=300)
    namespace: dict[str, Any] = {"tracks": tracks, "labels": labels, "another": streams(1)[0][0]}
    exec(example, namespace)  # noqa: S102
    (scores,) = namespace["scores"]
    assert scores.shape == (1800,)
