"""pictures: the features that a backbone computes from each picture, float16 [T, D]."""

from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lolhl.backbones.encoder import Encoder
from lolhl.backbones.feature_runtime import FeatureRuntime, open_runtime
from lolhl.errors import ModelError
from lolhl.signals.source import Pictures, Source, TimedPictures
from lolhl.tracks.filling import Gap, Measured, Taken
from lolhl.tracks.recipe import Layout
from lolhl.tracks.rows import Rows
from lolhl.vod.view import View


@dataclass(frozen=True)
class PictureSignal:
    """See `lolhl.signals.Signal`.

    Attributes:
        runtime: it turns pictures into features.
        view: the view of its pictures.
    """

    runtime: FeatureRuntime
    view: View
    name = "pictures"
    version = 1

    @classmethod
    def open(cls, encoder: Encoder, view: View) -> "PictureSignal":
        """The features of this encoder, on a GPU where there is one."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        return cls(open_runtime(encoder, device), view)

    @property
    def settings(self) -> dict[str, Any]:
        return {"backbone": self.runtime.digest, "size": self.view.size, "fit": self.view.fit}

    @property
    def engine(self) -> str:
        return self.runtime.name

    @property
    def fps(self) -> Fraction:
        return self.view.fps

    def measure(self, source: Source, layout: Layout, gap: Gap) -> Measured:
        """Yields the rows of a gap. Raises ModelError where features are no numbers, else as `source.pictures`."""
        return self.look(source.pictures(self.view, layout, gap, self.runtime.batch), source.vod)

    def look(self, batches: TimedPictures, vod: str) -> Measured:
        """Yields a row for each picture, in order. Batches have at most `runtime.batch` pictures."""
        times: deque[npt.NDArray[np.float64]] = deque()
        taken = Taken(batches)

        def pictures() -> Iterator[Pictures]:
            for instants, batch in taken:
                times.append(instants)
                yield batch

        with closing(batches):
            for values in self.runtime.run(pictures()):
                if not np.isfinite(values).all():
                    raise ModelError(
                        f"the features of VOD {vod} by {self.runtime.name} are no numbers: choose another --backbone"
                    )
                yield Rows(times.popleft(), values)
        return taken.end
