"""A signal from outside of the library: how bright each picture is, its mean and the deviation round it."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from lolhl.models.network import Network
from lolhl.signals.source import Source
from lolhl.tracks.filling import Gap, Measured, Taken
from lolhl.tracks.recipe import Layout
from lolhl.tracks.rows import Rows
from lolhl.vod.view import View


@dataclass(frozen=True)
class Brightness:
    """float16 [T, 2], from 0 to 1."""

    view: View
    name = "brightness"
    version = 1
    engine = ""

    @property
    def fps(self) -> Fraction:
        return self.view.fps

    @property
    def settings(self) -> dict[str, object]:
        return {"size": self.view.size, "fit": self.view.fit}

    def measure(self, source: Source, layout: Layout, gap: Gap) -> Measured:
        taken = Taken(source.pictures(self.view, layout, gap, 32))
        for times, pictures in taken:
            light = pictures.reshape(len(pictures), -1) / 255
            yield Rows(times, np.stack([light.mean(1), light.std(1)], axis=1).astype(np.float16))
        return taken.end


def open_brightness(view: View, _: Callable[[], Network]) -> Brightness:
    """The line for the registry: `SIGNALS["brightness"] = open_brightness`."""
    return Brightness(view)
