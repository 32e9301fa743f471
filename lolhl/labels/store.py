"""A VOD's labels under the root: labels/<vod>.tsv."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from lolhl import layout
from lolhl.errors import LabelError, MissingInput
from lolhl.labels.rows import KnownVods
from lolhl.labels.spans import Span, merge, on_grid
from lolhl.labels.tables import read_both, write_table
from lolhl.storage import Root


@dataclass(frozen=True)
class VodLabels:
    """What is labelled in a VOD.

    Attributes:
        spans: the highlights, in order of time, overlaps merged. There are none in a stream without highlights.
        looked_at: the stretches that somebody has looked at, likewise; the highlights lie in them. Of the rest nothing
            is known. None where all was looked at, as in files that do not say it.
    """

    spans: Sequence[Span]
    looked_at: Sequence[Span] | None = None

    def known(self, count: int, fps: Fraction) -> npt.NDArray[np.bool_] | None:
        """Which of the first `count` instants of the grid were looked at: bool [count]. None for all."""
        return None if self.looked_at is None else on_grid(self.looked_at, count, fps)


def load_labels(root: Root, vod: str, duration: float | None = None) -> list[Span]:
    """The labelled highlights of a VOD, see `read_labels`."""
    return list(read_labels(root, vod, duration)[0].spans)


def read_labels(root: Root, vod: str, duration: float | None = None) -> tuple[VodLabels, str]:
    """The labels of a VOD, and the sha256 of their file, in hex.

    Args:
        duration: seconds of the VOD's video, where it is known: a span out of it is then an error.

    Raises:
        MissingInput: nobody labelled this VOD.
        LabelError: somebody changed the file by hand, and a row of it is wrong.
    """
    data = read_file(root, vod)
    return parse_labels(root, vod, data, duration), hashlib.sha256(data).hexdigest()


def read_file(root: Root, vod: str) -> bytes:
    """The file of a VOD's labels. Raises MissingInput where nobody labelled this VOD."""
    key = layout.labels(vod)
    stored = root.find(key)
    if stored is None:
        raise MissingInput(f"{root.url}/{key} does not exist: import the labels with `lolhl labels FILE` first")
    return stored[0]


def parse_labels(root: Root, vod: str, data: bytes, duration: float | None = None) -> VodLabels:
    """What the file of a VOD's labels says, see `read_labels`."""
    key = layout.labels(vod)
    known = KnownVods({} if duration is None else {vod: duration})
    place = f"{root.url}/{key}"
    spans_by_vod, looked_at = read_both(data, place, known)
    other_vods = sorted(spans_by_vod.keys() - {vod})
    if other_vods:
        raise LabelError(f"{place}: it has rows of VOD {other_vods[0]}: it may only have rows of {vod}")
    return VodLabels(spans_by_vod.get(vod, []), looked_at.get(vod))


def joined(stored: list[Span], new: list[Span], sources: Iterable[str] = ()) -> list[Span]:
    """The labels of a VOD with those of some games, in place of what came from the same games before.

    Args:
        stored: labels that no person gave.
        new: labels whose source is a game.
        sources: further games whose labels are replaced.
    """
    replaced = {*sources, *(span.source for span in new)}
    return merge([*(span for span in stored if span.source not in replaced), *new])


def stored_labels(root: Root, vod: str) -> VodLabels | None:
    """The labels of a VOD. None where there is no file of them."""
    stored = root.find(layout.labels(vod))
    return parse_labels(root, vod, stored[0]) if stored else None


def has_a_person_s(labels: Sequence[Span] | None) -> bool:
    """Whether a person gave one of a VOD's labels, or said that it has no highlights."""
    return labels is not None and (not labels or any(span.source is None for span in labels))


def save_labels(root: Root, vod: str, spans: Sequence[Span], looked_at: Sequence[Span] | None = None) -> None:
    """Writes these labels in place of all that the VOD had.

    Args:
        looked_at: see `VodLabels`; at least one stretch, or None.
    """
    root.write(layout.labels(vod), write_table(vod, spans, looked_at))
