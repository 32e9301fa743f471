"""The blog's recipe, as it is compared with: its second network sees what lies before a picture."""

import numpy as np
import numpy.typing as npt

from tests.benchmarks.blog import FPS, SEQUENCE, score_recurrent, train_recurrent

DIMENSIONS = 4


def stream(seed: int) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Features, float32 [n, D], and labels, bool [n]: a highlight follows each flash by a second or two."""
    rng = np.random.default_rng(seed)
    flashes = rng.random(1800) < 0.02
    labels = np.zeros(1800, dtype=bool)
    for at in np.flatnonzero(flashes):
        labels[at + FPS : at + 3 * FPS] = True
    features = rng.normal(0, 0.1, (1800, DIMENSIONS))
    features[flashes, 0] = 5
    return features.astype(np.float32), labels


def test_the_second_network_remembers_what_came_before() -> None:
    learnt, other = [stream(seed) for seed in (0, 1, 2)], stream(3)
    labels = np.concatenate([labels for _, labels in learnt])
    network = train_recurrent([features for features, _ in learnt], labels, epochs=30)
    scores = score_recurrent(network, other[0])
    assert scores.shape == (1800,)
    assert scores[other[1]].mean() > scores[~other[1]].mean() + 0.3
    assert np.abs(scores[:1700] - score_recurrent(network, other[0][:1700])).max() < 1e-6  # nothing of the future
    late = other[0].copy()
    late[100] = 9.0
    changed = np.flatnonzero(np.abs(scores - score_recurrent(network, late)) > 1e-6)
    assert (changed[0], changed[-1]) == (100, 100 + SEQUENCE - 1)
