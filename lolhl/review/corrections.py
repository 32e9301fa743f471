"""What an editor has corrected of a VOD's highlights: reviews/<vod>.json.

Corrections are what people give. No stage writes them, and no `--force` removes them. They are not labels yet: an
editor who has looked at a whole stream turns them into labels (`save_as_labels`).
"""

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from lolhl import layout
from lolhl.errors import Conflict, LabelError, StorageError
from lolhl.labels.rows import KnownVods, checked
from lolhl.labels.spans import Span, merge
from lolhl.labels.store import save_labels
from lolhl.storage import Root

MOST = 20_000  # spans of one VOD: more than one every two seconds of 12 h
_SAME = 0.01  # share of a span's length by which labels may miss it, since they are whole milliseconds
_SLACK = 1.0  # seconds that a span may reach beyond a video, whose length is rounded differently by programs

Seconds = Annotated[float, Meta(ge=0, le=1e6)]


class Correction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One span as the editor left it.

    Attributes:
        start, stop: in seconds from the start of the VOD's video.
        verdict: of the editor. Spans without a verdict were not looked at, and are not stored.
        was: the start and stop of the highlight that it was made from. None for a span that the editor added.
    """

    start: Seconds
    stop: Seconds
    verdict: Literal["accepted", "rejected"]
    was: tuple[Seconds, Seconds] | None = None


class Corrections(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All corrections of one VOD.

    Attributes:
        revision: how often they were saved. Whoever saves names the revision that he has seen.
        spans: in no order.
    """

    revision: Annotated[int, Meta(ge=0)] = 0
    spans: Annotated[tuple[Correction, ...], Meta(max_length=MOST)] = ()


_DECODER = msgspec.json.Decoder(Corrections)  # made once, before there are threads: see `lolhl.manifest`


def load_corrections(root: Root, vod: str) -> tuple[Corrections, str | None]:
    """The corrections of a VOD, and the etag of the stored file. Nobody's corrections are none, at revision 0.

    Raises:
        StorageError: the file is damaged.
    """
    key = layout.corrections(vod)
    stored = root.find(key)
    if stored is None:
        return Corrections(), None
    try:
        return parse_corrections(stored[0]), stored[1]
    except LabelError as error:
        raise StorageError(f"{root.url}/{key} is damaged ({error}): move it away to begin anew") from error


def parse_corrections(data: bytes) -> Corrections:
    """Reads corrections from JSON. Raises LabelError for anything else."""
    try:
        corrections = _DECODER.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise LabelError(f"these are no corrections: {str(error)[:200]}") from error
    for span in corrections.spans:
        if not span.start < span.stop:
            raise LabelError(f"a span that starts at {span.start:g} s stops at {span.stop:g} s")
    return corrections


def save_corrections(root: Root, vod: str, corrections: Corrections, duration: float) -> Corrections:
    """Stores corrections whose revision is the stored one, and returns them with the next revision.

    Args:
        duration: of the VOD's video, in seconds.

    Raises:
        Conflict: somebody saved in between, in another tab or on another machine. Nothing was stored.
        LabelError: a span lies outside of the video.
        StorageError: the stored file is damaged.
    """
    for span in corrections.spans:
        if span.stop > duration + _SLACK:
            raise LabelError(f"a span stops at {span.stop:g} s, and the stream at {duration:g} s")
    stored, etag = load_corrections(root, vod)
    if stored.revision != corrections.revision:
        raise Conflict(
            f"the corrections of {vod} were saved elsewhere in the meantime (revision {stored.revision}, "
            f"not {corrections.revision}): load the page again"
        )
    saved = msgspec.structs.replace(corrections, revision=corrections.revision + 1)
    root.write_if(layout.corrections(vod), msgspec.json.format(msgspec.json.encode(saved), indent=1) + b"\n", etag)
    return saved


def save_as_labels(root: Root, vod: str, spans: Sequence[Span], duration: float) -> list[Span]:
    """Puts these spans in place of the VOD's labels, which then stand for the whole VOD. Returns the labels.

    Spans that overlap or touch are merged.

    Raises:
        LabelError: a span lies outside of the video.
    """
    known = KnownVods({vod: duration})
    labels = merge([checked(span, vod, known, f"span {number}") for number, span in enumerate(spans, start=1)])
    save_labels(root, vod, labels)
    return labels


def unlabelled(corrections: Corrections, labels: Sequence[Span], duration: float) -> int:
    """How many corrections the labels do not say.

    An accepted span has to be labelled from its start to its stop. At most half of a rejected one may be, but for what
    lies in accepted spans: a highlight is rejected, too, when it is joined with another.

    Args:
        labels: those of the VOD, overlaps merged.
        duration: of the VOD's video, in seconds.
    """
    accepted = merge(_within(span, duration) for span in corrections.spans if span.verdict == "accepted")
    count = 0
    for correction in corrections.spans:
        span = _within(correction, duration)
        if correction.verdict == "accepted":
            count += _covered(span, labels) < (1 - _SAME) * span.duration
        else:
            disputed = _covered(span, labels) - _covered(span, accepted)
            count += disputed > span.duration / 2
    return count


def _within(correction: Correction, duration: float) -> Span:
    """Where the correction lies in the video. A span that lies behind its end has no length."""
    return Span(min(correction.start, duration), min(correction.stop, duration))


def _covered(span: Span, spans: Iterable[Span]) -> float:
    """Seconds of the span that lie in one of the others, which do not overlap."""
    return sum(max(0.0, min(span.stop, other.stop) - max(span.start, other.start)) for other in spans)
