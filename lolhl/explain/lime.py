"""LIME (Ribeiro et al. 2016) by Captum: a line from the parts of a picture that are shown to the log-odds.

Parts of the picture are covered in many ways, and the model scores each. The line that fits these scores best has a
weight for each part: what showing it adds.
"""

import itertools
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lolhl.explain.segments import Segments
from lolhl.vod.view import Picture

Score = Callable[[npt.NDArray[np.uint8]], npt.NDArray[np.floating]]
"""Pictures uint8 [n, S, S, 3] → the log-odds of each, [n]."""

_AT_ONCE = 32  # pictures that are scored together
_WIDTH = 0.5  # share of the parts that are covered, at which a picture counts exp(-1/2) of the one with none covered
_PENALTY = 0.1  # on the weights, which keeps those of few tries from running away


@dataclass(frozen=True)
class Weights:
    """The line.

    Attributes:
        parts: what each part adds to the log-odds where it is shown: float64 [n].
        fit: the share of the differences between the tries that the line explains, of each try by a line that has not
            seen it; None where they do not differ.
        tries: how many pictures were scored.
    """

    parts: npt.NDArray[np.float64]
    fit: float | None
    tries: int


def weigh_parts(score: Score, picture: Picture, cover: Picture, segments: Segments, tries: int) -> Weights:
    """What each part of a picture adds to its log-odds. The same call gives the same weights.

    Args:
        score: gives the log-odds of pictures.
        picture: uint8 [S, S, 3].
        cover: what stands in place of parts that are covered: uint8 [S, S, 3].
        segments: the parts.
        tries: pictures that are scored, at most. Where there are fewer ways to cover the parts, each is tried once.
    """
    from captum._utils.models.linear_model import SkLearnRidge  # imports matplotlib
    from captum.attr import Lime

    count = len(segments.names)
    tries = min(tries, 2**count) if count < 31 else tries
    shown: list[Tensor] = []
    scores: list[npt.NDArray[np.floating]] = []

    def perturb(*_: object, **__: object) -> Iterator[Tensor]:
        for flags in _covers(count, tries):
            shown.append(flags)
            yield flags[None]

    def forward(pictures: Tensor) -> Tensor:
        log_odds = score(pictures.numpy())
        scores.append(log_odds)
        return torch.from_numpy(np.asarray(log_odds, dtype=np.float32))

    lime = Lime(
        forward,
        interpretable_model=SkLearnRidge(alpha=_PENALTY),
        similarity_func=lambda _, __, flags, **___: _similarity(flags[0]),
        perturb_func=perturb,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        line = lime.attribute(
            torch.from_numpy(picture)[None],
            baselines=torch.from_numpy(cover)[None],
            feature_mask=torch.from_numpy(segments.places)[None, ..., None],
            n_samples=tries,
            perturbations_per_eval=_AT_ONCE,
            return_input_shape=False,
        )
    parts = line.reshape(-1).double().numpy()
    return Weights(parts, _fit(torch.stack(shown), np.concatenate(scores)), tries)


def _covers(count: int, tries: int) -> Iterator[Tensor]:
    """Which parts are shown, int64 [count]: all ways where there are as few, else all, none, and chosen by chance."""
    if tries == 2**count:
        for flags in itertools.product((1, 0), repeat=count):
            yield torch.tensor(flags)
        return
    yield torch.ones(count, dtype=torch.int64)
    yield torch.zeros(count, dtype=torch.int64)
    chance = torch.Generator().manual_seed(0)
    for _ in range(tries - 2):
        yield torch.randint(0, 2, (count,), generator=chance)


def _similarity(shown: Tensor) -> Tensor:
    """How much a try counts: the less is covered, the more."""
    covered = 1 - shown.double().mean()
    return torch.exp(-(covered**2) / (2 * _WIDTH**2))[None]


def _fit(shown: Tensor, scores: npt.NDArray[np.floating]) -> float | None:
    """The weighted R² of the line, for each try of the line that the other tries give (PRESS, Allen 1974)."""
    counted = np.array([float(_similarity(flags)) for flags in shown])
    rows = np.hstack([shown.double().numpy(), np.ones((len(shown), 1))])
    penalty = _PENALTY * np.diag([*np.ones(shown.shape[1]), 0.0])
    hat = rows @ np.linalg.solve((rows.T * counted) @ rows + penalty, rows.T * counted)
    errors = (scores - hat @ scores) / np.maximum(1e-9, 1 - np.diag(hat))
    differences = np.average((scores - np.average(scores, weights=counted)) ** 2, weights=counted)
    left = np.average(errors**2, weights=counted)
    return float(max(0.0, 1 - left / differences)) if differences > 1e-12 else None
