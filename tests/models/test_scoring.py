"""Scores of a stream of features: the same as of each clip by itself, whatever the batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from lolhl.models import scoring
from lolhl.models.image import ImageModel, ImageSettings
from lolhl.models.model import ClipModel, Known, ModelSettings, TrackModel, Tracks
from lolhl.models.scoring import Instants
from lolhl.models.video import VideoModel, VideoSettings

CPU = torch.device("cpu")


WIDTHS = {"pictures": 12}


def clips(count: int, stride: int) -> ClipModel:
    torch.manual_seed(count)
    return VideoModel(VideoSettings(clip_frames=count, clip_stride=stride, hidden=8), WIDTHS).eval()


MODELS: list[ClipModel] = [
    ImageModel(ImageSettings(), WIDTHS).eval(),
    *(clips(count, stride) for count, stride in ((1, 1), (2, 3), (5, 3), (4, 200))),
]


@dataclass(frozen=True, kw_only=True)
class NoSettings(ModelSettings):
    """Of the model below."""

    @property
    def wanted(self) -> tuple[str, ...]:
        return ("pictures", "sound")

    @property
    def context(self) -> int:
        return 7


class Wide(TrackModel):
    """The mean over 15 instants of the known values of two signals."""

    Settings = NoSettings
    summary = "a mean"

    def forward(self, tracks: Tracks, known: Known) -> Tensor:
        sums = torch.stack([tracks[name].mean(2) for name in tracks]).sum(0)
        counts = torch.stack([known[name].float() for name in known]).sum(0)
        total, count = (nn.functional.avg_pool1d(rows[:, None], 15, 1, 7)[:, 0] for rows in (sums, counts))
        return total / count.clamp(min=0.01)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.one_of(st.integers(1, 5), st.integers(1, 1700)), min_size=1, max_size=6),
    st.lists(st.integers(0, 3000), max_size=9),
    st.integers(0, 99),
)
def test_windows_give_what_the_whole_gives(sizes: list[int], unknown: list[int], seed: int) -> None:
    """In any batches, with instants that are not known."""
    model, count = Wide(NoSettings(), {"pictures": 4, "sound": 2}), sum(sizes)
    rng = np.random.default_rng(seed)
    values = {name: rng.normal(size=(count, width)).astype(np.float16) for name, width in model.widths.items()}
    values["sound"][[number for number in unknown if number < count]] = np.nan
    edges = np.cumsum([0, *sizes])
    batches = [
        Instants.from_values({name: rows[first:stop] for name, rows in values.items()})
        for first, stop in pairwise(edges)
    ]
    scores = np.concatenate(list(scoring.probabilities(model, batches, CPU)))
    whole = Instants.from_values(values)
    assert whole.known["sound"].sum() == count - len({number for number in unknown if number < count})
    tracks = {name: torch.from_numpy(rows)[None].float() for name, rows in whole.values.items()}
    known = {name: torch.from_numpy(flags)[None] for name, flags in whole.known.items()}
    np.testing.assert_allclose(scores, torch.sigmoid(model(tracks, known))[0].numpy(), atol=1e-5)


def instants(features: npt.NDArray[np.float16]) -> Instants:
    return Instants.from_values({"pictures": features, "sound": features})


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(MODELS),
    st.lists(st.one_of(st.integers(1, 5), st.integers(1, 700)), min_size=1, max_size=6),
    st.integers(0, 99),
)
def test_any_batches_give_what_each_clip_gives_by_itself(model: ClipModel, sizes: list[int], seed: int) -> None:
    count = sum(sizes)
    features = np.random.default_rng(seed).normal(size=(count, 12)).astype(np.float16)
    batches = np.split(features, np.cumsum(sizes)[:-1])
    scores = np.concatenate(list(scoring.probabilities(model, map(instants, batches), CPU)))
    assert scores.dtype == np.float32
    np.testing.assert_allclose(scores, one_by_one(model, features), atol=1e-5)
    with torch.no_grad():
        whole = torch.sigmoid(model({"pictures": torch.from_numpy(features)[None]}, {}))[0].numpy()
    np.testing.assert_allclose(scores, whole, atol=1e-5)


def one_by_one(model: ClipModel, features: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
    clips = scoring.clip_frames(model.offsets, np.arange(len(features)), len(features))
    with torch.no_grad():
        logits = [model.clip_logits(torch.from_numpy(features[clips[at : at + 50]])) for at in range(0, len(clips), 50)]
    return torch.sigmoid(torch.cat(logits)).numpy()


@pytest.mark.parametrize("model", [MODELS[3], Wide(NoSettings(), WIDTHS).eval()], ids=["clips", "windows"])
def test_scores_come_before_the_stream_has_ended(model: TrackModel) -> None:
    asked = 0

    def batches() -> Iterator[Instants]:
        nonlocal asked
        for _ in range(1000):
            asked += 1
            yield instants(np.zeros((100, 12), dtype=np.float16))

    scores = scoring.probabilities(model, batches(), CPU)
    counts = [len(next(scores)) for _ in range(5)]
    assert asked * 100 - sum(counts) < 1000


def test_no_frames_no_scores() -> None:
    assert list(scoring.probabilities(MODELS[3], [], CPU)) == []
