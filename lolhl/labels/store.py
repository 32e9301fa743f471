"""A VOD's labels under the root: labels/<vod>.tsv."""

import hashlib
from collections.abc import Iterable

from lolhl import layout
from lolhl.errors import LabelError, MissingInput
from lolhl.labels.rows import KnownVods
from lolhl.labels.spans import Span, merge
from lolhl.labels.tables import read_table, write_table
from lolhl.storage import Root


def load_labels(root: Root, vod: str, duration: float | None = None) -> list[Span]:
    """The labelled spans of a VOD, see `read_labels`."""
    return read_labels(root, vod, duration)[0]


def read_labels(root: Root, vod: str, duration: float | None = None) -> tuple[list[Span], str]:
    """The labelled spans of a VOD, in order of time, overlaps merged, and the sha256 of their file, in hex.

    There are no spans for a stream without highlights.

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


def parse_labels(root: Root, vod: str, data: bytes, duration: float | None = None) -> list[Span]:
    """The labelled spans in the file of a VOD's labels, see `read_labels`."""
    key = layout.labels(vod)
    known = KnownVods({} if duration is None else {vod: duration})
    spans_by_vod = read_table(data, f"{root.url}/{key}", known)
    other_vods = sorted(spans_by_vod.keys() - {vod})
    if other_vods:
        raise LabelError(f"{root.url}/{key}: it has rows of VOD {other_vods[0]}: it may only have rows of {vod}")
    return spans_by_vod.get(vod, [])


def joined(stored: list[Span], new: list[Span], sources: Iterable[str] = ()) -> list[Span]:
    """The labels of a VOD with those of some games, in place of what came from the same games before.

    Args:
        stored: labels that no person gave.
        new: labels whose source is a game.
        sources: further games whose labels are replaced.
    """
    replaced = {*sources, *(span.source for span in new)}
    return merge([*(span for span in stored if span.source not in replaced), *new])


def stored_labels(root: Root, vod: str) -> list[Span] | None:
    """The labels of a VOD. None where there is no file of them."""
    stored = root.find(layout.labels(vod))
    return parse_labels(root, vod, stored[0]) if stored else None


def has_a_person_s(labels: list[Span] | None) -> bool:
    """Whether a person gave one of a VOD's labels, or said that it has no highlights."""
    return labels is not None and (not labels or any(span.source is None for span in labels))


def save_labels(root: Root, vod: str, spans: list[Span]) -> None:
    """Writes these labels in place of all that the VOD had."""
    root.write(layout.labels(vod), write_table(vod, spans))
