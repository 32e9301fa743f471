"""The list of streams: how far each of them is."""

import json
from dataclasses import replace
from fractions import Fraction

import pytest

from lolhl import layout
from lolhl.labels.spans import Span
from lolhl.labels.store import save_labels
from lolhl.review.corrections import Correction, Corrections, save_corrections
from lolhl.review.index import render, streams
from lolhl.storage import Root
from tests.results import FRAMES, MODEL, VOD, store

FRAME_SET = layout.frame_set("new", layout.frame_set_name(Fraction(3), 224, "squeeze", 90, "grid"))


def test_how_far_each_stream_is(root: Root) -> None:
    store(root, layout.vod("new"), replace(VOD, vod="new"))
    store(root, FRAME_SET, replace(FRAMES, vod="new"))
    root.write(layout.vod("odd"), b"{")
    save_labels(root, "stream", [Span(0, 5)])
    spans = (Correction(7, 13, "accepted"), Correction(40, 45, "rejected"))
    save_corrections(root, "stream", Corrections(0, spans), 60)
    new, odd, stream = streams(root)
    assert (new.vod, new.duration, new.extracted, new.scored_by, new.highlights) == ("new", 60, True, None, None)
    assert (odd.vod, odd.duration) == ("odd", None)
    assert (stream.title, stream.extracted, stream.scored_by, stream.highlights) == ("A stream", False, "kills", 3)
    assert (stream.corrections, stream.waiting, stream.labelled) == (2, 1, True)
    root.delete(layout.labels("stream"))  # then what was rejected is no label either
    assert [stream.waiting for stream in streams(root)] == [0, 0, 2]


def test_a_damaged_file_of_corrections_hides_no_stream(root: Root) -> None:
    root.write(layout.corrections("stream"), b"{")
    assert [stream.corrections for stream in streams(root)] == [None]
    assert "<td>damaged</td>" in render(root)


def test_a_title_of_a_stranger_is_text(root: Root) -> None:
    store(root, layout.vod("odd"), replace(VOD, vod="odd", title="<script>alert(1)</script>"))
    page = render(root)
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert" not in page


@pytest.mark.parametrize(
    ("best", "offered"),
    [
        (None, ["none: loudness and chat", "first", "second"]),
        ("second", ["the champion, second", "none: loudness and chat", "first"]),
    ],
)
def test_models_are_offered_the_usual_one_first(root: Root, best: str | None, offered: list[str]) -> None:
    for name in ("first", "second"):
        store(root, layout.model(name), MODEL)
    if best:
        root.write(layout.CHAMPION, json.dumps({"champions": [{"model": best, "by": "nobody"}]}).encode())
    options = render(root).partition('<select id="model">')[2].partition("</select>")[0].split("</option>")
    assert [option.partition(">")[2] for option in options[:-1]] == offered
    assert options[0].startswith('<option value="">')
