"""Scores of a stream of features: the same as of each clip by itself, whatever the batches."""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lolhl.models import scoring
from lolhl.models.network import Architecture, Network

CPU = torch.device("cpu")


def network(kind: str, clip_frames: int, stride: int) -> Network:
    torch.manual_seed(clip_frames)
    architecture = Architecture("video" if kind == "video" else "image", "resnet18", clip_frames, stride, 8, 0.5)
    return Network(architecture).eval()


NETWORKS = [network("image", 1, 1), *(network("video", t, s) for t, s in ((1, 1), (2, 3), (5, 3), (4, 200)))]


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(NETWORKS),
    st.lists(st.one_of(st.integers(1, 5), st.integers(1, 700)), min_size=1, max_size=6),
    st.integers(0, 99),
)
def test_any_batches_give_what_each_clip_gives_by_itself(of: Network, sizes: list[int], seed: int) -> None:
    count = sum(sizes)
    features = np.random.default_rng(seed).normal(size=(count, of.width)).astype(np.float16)
    batches = np.split(features, np.cumsum(sizes)[:-1])
    found = np.concatenate(list(scoring.probabilities(of.head, iter(batches), CPU)))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, one_by_one(of, features), atol=1e-5)


def one_by_one(of: Network, features: npt.NDArray[np.float16]) -> npt.NDArray[np.float32]:
    clips = scoring.clip_frames(of.architecture, np.arange(len(features)), len(features))
    with torch.no_grad():
        logits = [of.head(torch.from_numpy(features[clips[at : at + 50]])) for at in range(0, len(clips), 50)]
    return torch.sigmoid(torch.cat(logits)).numpy()


def test_scores_come_before_the_stream_has_ended() -> None:
    asked = 0

    def batches() -> Iterator[npt.NDArray[np.float16]]:
        nonlocal asked
        for _ in range(1000):
            asked += 1
            yield np.zeros((100, 512), dtype=np.float16)

    found = scoring.probabilities(NETWORKS[3].head, batches(), CPU)
    counts = [len(next(found)) for _ in range(5)]
    assert asked * 100 - sum(counts) < 1000


def test_no_frames_no_scores() -> None:
    assert list(scoring.probabilities(NETWORKS[3].head, [], CPU)) == []
