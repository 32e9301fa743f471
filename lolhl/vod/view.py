"""How the models see a video."""

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import numpy as np
import numpy.typing as npt

Fit = Literal["squeeze", "crop"]
Picture = npt.NDArray[np.uint8]


# Times as wide as high, or as high as wide, is a picture at most of which the middle is cropped. Proportions beyond
# (some files claim 1 : 60,000) are squeezed: scaled whole, such a picture would fill the memory.
LONGEST = 32


@dataclass(frozen=True)
class View:
    """What is made of a video's pictures: part of a model's contract.

    Attributes:
        fps: of the frame grid.
        size: width and height of a frame, in pixels.
        fit: "squeeze" keeps the whole picture and changes its proportions; "crop" scales the short
            side and keeps the middle.
    """

    fps: Fraction
    size: int
    fit: Fit


USUAL = View(Fraction(3), 224, "squeeze")
"""How models see a video unless it is asked for otherwise."""
