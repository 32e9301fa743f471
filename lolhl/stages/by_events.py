"""Scores of a VOD by what happened in its games, as `lolhl riot` found it. No model, no picture and no sound is needed.

A stretch that the rules for events make a highlight scores above 1/2, the more the more it weighs; all else scores 0.
"""

import hashlib
import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from lolhl import layout, manifest
from lolhl.labels.spans import on_grid
from lolhl.manifest import Manifest
from lolhl.models import unsupervised
from lolhl.results import Games
from lolhl.storage import Root

NAME = unsupervised.EVENTS
VERSION = 1  # of this file: raise it whenever scores change

_HALF = 4.0  # the weight with which a highlight scores some 2/3 of the way from 1/2 to 1

DIGEST = hashlib.sha256(f"{NAME} {VERSION}".encode()).hexdigest()


def load_games(root: Root, vod: str) -> Manifest[Games]:
    """The games that a VOD shows.

    Raises:
        MissingInput: nobody has asked for them, or the VOD has been stored anew since.
    """
    return manifest.load(root, layout.games(vod), Games, fresh=True)


def scores(games: Games, count: int, fps: Fraction) -> npt.NDArray[np.float32]:
    """The scores of the first instants of the grid: float32 [count]."""
    values = np.zeros(count, dtype=np.float32)
    for span in games.highlights:
        values[on_grid([span], count, fps)] = 1 - math.exp(-(span.score or 0.0) / _HALF) / 2
    return values
