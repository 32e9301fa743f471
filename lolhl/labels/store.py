"""A VOD's labels under the root: labels/<vod>.tsv."""

import hashlib

from lolhl.errors import LabelError, MissingInput
from lolhl.labels.rows import KnownVods
from lolhl.labels.spans import Span
from lolhl.labels.tables import read_table, write_table
from lolhl.storage import Root, check_name


def labels_key(vod: str) -> str:
    """Where the labels of a VOD lie. Raises UsageError for what cannot be a VOD's name."""
    return f"labels/{check_name(vod, 'VOD')}.tsv"


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
    key = labels_key(vod)
    stored = root.find(key)
    if stored is None:
        raise MissingInput(f"{root.url}/{key} does not exist: import the labels with `lolhl labels FILE` first")
    known = KnownVods({} if duration is None else {vod: duration})
    spans_by_vod = read_table(stored[0], f"{root.url}/{key}", known)
    other_vods = sorted(spans_by_vod.keys() - {vod})
    if other_vods:
        raise LabelError(f"{root.url}/{key}: it has rows of VOD {other_vods[0]}: it may only have rows of {vod}")
    return spans_by_vod.get(vod, []), hashlib.sha256(stored[0]).hexdigest()


def save_labels(root: Root, vod: str, spans: list[Span]) -> None:
    """Puts these labels in place of all that the VOD had."""
    root.write(labels_key(vod), write_table(vod, spans))
