"""What an editor has corrected of a VOD's highlights: reviews/<vod>.json.

Corrections are what people give. No stage writes them, and no `--force` removes them. They are not labels yet: an
editor turns them into labels (`save_as_labels`), of what he has looked at.

A stretch of a stream has three states: accepted, rejected, and not looked at. What is round a span with a verdict was
looked at too. Stretches that the editor marks as looked at hold no other highlights than those that he accepted.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from lolhl import layout
from lolhl.errors import LabelError
from lolhl.labels.rows import KnownVods, checked
from lolhl.labels.spans import Span, merge
from lolhl.labels.store import VodLabels, has_a_person_s, save_labels, stored_labels
from lolhl.review.revisions import Revised, check_revision, load_revised, save_revised
from lolhl.storage import Root

MOST = 20_000  # spans of one VOD: more than one every two seconds of 12 h
_SAME = 0.01  # share of a span's length by which labels may miss it, since they are whole milliseconds
_SLACK = 1.0  # seconds that a span may reach beyond a video, whose length is rounded differently by programs
_MILLISECOND = 0.001
ROUND = 5.0  # seconds before and after a span with a verdict that were looked at with it

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


class Corrections(Revised, frozen=True, forbid_unknown_fields=True):
    """All corrections of one VOD.

    Attributes:
        spans: in no order.
        looked_at: start and stop of stretches that the editor has marked as looked at, in no order.
    """

    spans: Annotated[tuple[Correction, ...], Meta(max_length=MOST)] = ()
    looked_at: Annotated[tuple[tuple[Seconds, Seconds], ...], Meta(max_length=MOST)] = ()


_DECODER = msgspec.json.Decoder(Corrections)  # made once, before there are threads: see `lolhl.manifest`


def borders(times: tuple[float, float]) -> tuple[int, int]:
    """Start and stop in whole milliseconds, by which a highlight is known again."""
    return round(times[0] * 1000), round(times[1] * 1000)


def load_corrections(root: Root, vod: str) -> tuple[Corrections, str | None]:
    """The corrections of a VOD, and the etag of the stored file. Raises as `load_revised`."""
    return load_revised(root, layout.corrections(vod), Corrections(), parse_corrections, "move it away to begin anew")


def parse_corrections(data: bytes) -> Corrections:
    """Reads corrections from JSON. Raises LabelError for anything else."""
    try:
        corrections = _DECODER.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise LabelError(f"these are no corrections: {str(error)[:200]}") from error
    for start, stop in _all(corrections):
        if not start < stop:
            raise LabelError(f"a span that starts at {start:g} s stops at {stop:g} s")
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
    _check_within(corrections, duration)
    stored = load_corrections(root, vod)
    return save_revised(root, layout.corrections(vod), corrections, stored, _elsewhere(vod))


def save_as_labels(
    root: Root, vod: str, corrections: Corrections, duration: float, highlights: Sequence[Span] = ()
) -> VodLabels:
    """Makes labels of corrections, see `labels_of`, and returns them.

    Args:
        duration: of the VOD's video, in seconds.
        highlights: of the VOD, as they were found.

    Raises:
        Conflict: these are not the stored corrections: somebody saved in between, in another tab or on another machine.
        LabelError: nothing was looked at, or a span lies outside of the video.
        StorageError: the stored corrections are damaged.
    """
    _check_within(corrections, duration)
    check_revision(corrections, load_corrections(root, vod)[0], _elsewhere(vod))
    labels = labels_of(vod, corrections, stored_labels(root, vod), duration, highlights)
    if labels.looked_at == []:
        raise LabelError(
            "nothing was looked at yet: accept or reject a highlight first, or say that you have looked at all of it"
        )
    save_labels(root, vod, labels.spans, labels.looked_at)
    return labels


def labels_of(
    vod: str, corrections: Corrections, before: VodLabels | None, duration: float, highlights: Sequence[Span] = ()
) -> VodLabels:
    """The labels that corrections make.

    Accepted spans are the highlights, and what was looked at besides holds none. Of a VOD that a person has labelled as
    a whole the labels stay where the corrections say nothing else, and go on to stand for all of it. Other labels are
    replaced: earlier corrections, which are among the present ones, and the events of games.

    Args:
        vod: the VOD's name.
        before: the labels that it has.
        duration: of its video, in seconds.
        highlights: of the VOD, as they were found.
    """
    known = KnownVods({vod: duration})
    accepted = [
        checked(_of(span), vod, known, f"span {number}")
        for number, span in enumerate(corrections.spans, start=1)
        if span.verdict == "accepted" and span.start < duration
    ]
    if before and stands_for_all(before):
        staying = _staying(before.spans, corrections, duration)
        return VodLabels(merge([*accepted, *(_apart(label, accepted) for label in staying)]))
    stretches = looked_at(corrections, duration, highlights)
    is_whole = len(stretches) == 1 and stretches[0].duration >= duration - _SLACK
    return VodLabels(merge(accepted), None if is_whole else stretches)


def stands_for_all(labels: VodLabels) -> bool:
    """Whether a person has labelled a VOD as a whole."""
    return labels.looked_at is None and has_a_person_s(labels.spans)


def looked_at(corrections: Corrections, duration: float, highlights: Sequence[Span] = ()) -> list[Span]:
    """The stretches of a VOD that its editor has looked at, in order of time, in whole milliseconds.

    These are what he marked, and each span with a verdict, with `ROUND` seconds before and after it. A highlight
    without a verdict is not cut into.

    Args:
        duration: of the VOD's video, in seconds.
        highlights: of the VOD, as they were found.
    """
    judged = {borders(span.was) for span in corrections.spans if span.was}
    others = [span for span in highlights if borders((span.start, span.stop)) not in judged]
    stretches = [Span(max(0.0, start), min(stop, duration)) for start, stop in corrections.looked_at]
    for correction in corrections.spans:
        span = _within(_place(correction), duration)
        before = max([other.stop for other in others if other.stop <= span.start], default=0.0)
        after = min([other.start for other in others if other.start >= span.stop], default=duration)
        stretches.append(Span(max(before, span.start - ROUND, 0.0), min(after, span.stop + ROUND, duration)))
    in_millis = [borders((span.start, span.stop)) for span in stretches]
    return merge(Span(start / 1000, stop / 1000) for start, stop in in_millis if start < stop)


def unlabelled(corrections: Corrections, labels: VodLabels | None, duration: float) -> int:
    """How many corrections the labels do not say: spans with a verdict, and stretches that were marked as looked at.

    An accepted span has to be labelled from its start to its stop. At most half of a rejected one may be, but for what
    lies in accepted spans: a highlight is rejected, too, when it is joined with another. All has to be looked at.

    Args:
        labels: those of the VOD; None where it has none.
        duration: of the VOD's video, in seconds.
    """
    labels = labels or VodLabels([], [])
    spans, seen = labels.spans, [Span(0.0, duration)] if labels.looked_at is None else labels.looked_at
    accepted = merge(_within(_of(span), duration) for span in corrections.spans if span.verdict == "accepted")
    count = 0
    for correction in corrections.spans:
        span = _within(_of(correction), duration)
        if _covered(span, seen) < (1 - _SAME) * span.duration:
            count += 1
        elif correction.verdict == "accepted":
            count += _covered(span, spans) < (1 - _SAME) * span.duration
        else:
            disputed = _covered(span, spans) - _covered(span, accepted)
            count += disputed > span.duration / 2
    marked = [_within(Span(start, stop), duration) for start, stop in corrections.looked_at]
    return count + sum(_covered(span, seen) < (1 - _SAME) * span.duration for span in marked)


def _staying(labels: Sequence[Span], corrections: Corrections, duration: float) -> Iterator[Span]:
    """What stays of the labels of a VOD beside corrections.

    An accepted span takes the place of each label that it overlaps. A label goes that lies in rejected spans by more
    than a half. Of the others stays what lies outside of rejected spans and of what was marked as looked at.
    """
    accepted = [_within(_place(span), duration) for span in corrections.spans if span.verdict == "accepted"]
    rejected = merge(_within(_of(span), duration) for span in corrections.spans if span.verdict == "rejected")
    marked = [_within(Span(start, stop), duration) for start, stop in corrections.looked_at]
    for label in labels:
        overlaps = _covered(label, accepted) > _MILLISECOND - 1e-6  # less is cut off when labels are written
        if not overlaps and _covered(label, rejected) <= label.duration / 2:
            yield from _outside(label, merge([*rejected, *marked]))


def _apart(label: Span, accepted: Sequence[Span]) -> Span:
    """The label, a millisecond shorter where it touches an accepted span.

    Labels that touch become one, which the accepted span would take the place of when it is made a label again.
    """
    start = label.start + _MILLISECOND * any(span.stop == label.start for span in accepted)
    stop = label.stop - _MILLISECOND * any(span.start == label.stop for span in accepted)
    return replace(label, start=round(start, 3), stop=round(stop, 3)) if start < stop else label


def _outside(span: Span, others: Sequence[Span]) -> Iterator[Span]:
    """The parts of the span that lie in none of the others, which are in order of time and do not overlap."""
    for other in others:
        if other.start < span.stop and other.stop > span.start:
            if other.start > span.start:
                yield replace(span, stop=other.start)
            if other.stop >= span.stop:
                return
            span = replace(span, start=other.stop)
    yield span


def _elsewhere(vod: str) -> str:
    return f"the corrections of {vod} were saved elsewhere"


def _all(corrections: Corrections) -> list[tuple[float, float]]:
    """Start and stop of all that the editor gave."""
    return [*((span.start, span.stop) for span in corrections.spans), *corrections.looked_at]


def _check_within(corrections: Corrections, duration: float) -> None:
    for _, stop in _all(corrections):
        if stop > duration + _SLACK:
            raise LabelError(f"a span stops at {stop:g} s, and the stream at {duration:g} s")


def _of(correction: Correction) -> Span:
    return Span(correction.start, correction.stop)


def _place(correction: Correction) -> Span:
    """Where the correction lies, with the highlight that it was made from."""
    start, stop = correction.was or (correction.start, correction.stop)
    return Span(min(start, correction.start), max(stop, correction.stop))


def _within(span: Span, duration: float) -> Span:
    """What lies in the video of a span. A span that lies behind its end has no length."""
    return Span(min(span.start, duration), min(span.stop, duration))


def _covered(span: Span, spans: Iterable[Span]) -> float:
    """Seconds of the span that lie in one of the others, which do not overlap."""
    return sum(max(0.0, min(span.stop, other.stop) - max(span.start, other.start)) for other in spans)
