"""Labels in the formats of other programs."""

import contextlib
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolhl.errors import LabelError, UsageError
from lolhl.exports import formats as exports
from lolhl.exports.cut_list import Cut, CutList, Media
from lolhl.labels.file import LabelFile
from lolhl.labels.formats import FORMATS, guess
from lolhl.labels.rows import KnownVods
from lolhl.labels.spans import Span
from lolhl.labels.tables import read_table, write_table
from lolhl.timecode import Rate
from tests.test_timecode import RATES

KNOWN = KnownVods({"v": 7200.0}, {"v": Fraction(30)}, allows_unknown=False)
HIGHLIGHTS = [Span(12.345, 30.01, "highlight 2", 0.8), Span(3725.5, 3740.25, 'a, "b" & <c>', 0.9)]


def file(data: bytes | str, **changes: object) -> LabelFile:
    known = LabelFile(data.encode() if isinstance(data, str) else data, "x", KNOWN, "v")
    return replace(known, **changes)  # type: ignore[arg-type]


def spans(form: str, data: bytes | str, **changes: object) -> list[Span]:
    return FORMATS[form].read(file(data, **changes))["v"]


def cut_list(rate: Rate, *, first_frame: int = 0) -> CutList:
    media = Media("video.mp4", "video.mp4", rate, rate.frame_at(7200), 64, 48, 2, 48000, first_frame, rate.drops)
    cuts = tuple(Cut(span, rank, "", media) for rank, span in enumerate(HIGHLIGHTS, start=1))
    return CutList("v", "A stream", 7200.0, "video.mp4", rate, cuts)


@pytest.mark.parametrize("rate", RATES.values(), ids=RATES)
@pytest.mark.parametrize("form", ["edl", "resolve-markers", "premiere-markers"])
def test_what_export_writes_in_frames_is_read_back(form: str, rate: Rate) -> None:
    data = exports.FORMATS[form].write(cut_list(rate))
    ending = exports.FORMATS[form].file[-4:]
    assert guess(file(data), ending) == form
    read = spans(form, data, fps=rate.fps)
    wanted = [(rate.frame_at(span.start), rate.frame_at(span.stop)) for span in HIGHLIGHTS]
    # Labels are whole milliseconds, rounded down.
    assert [(rate.frame_at(span.start), rate.frame_at(span.stop)) for span in read] == wanted
    assert [span.name for span in read] == [span.name for span in HIGHLIGHTS]


@pytest.mark.parametrize("form", ["json", "csv", "llc", "llc-csv", "webvtt"])
def test_what_export_writes_in_seconds_is_read_back(form: str) -> None:
    data = exports.FORMATS[form].write(cut_list(Rate(30)))
    ending = "." + exports.FORMATS[form].file.rpartition(".")[2]
    assert guess(file(data), ending) == form
    read = spans(form, data, vod=None if form == "csv" else "v")
    keeps_score = form in ("json", "csv")
    assert read == [span if keeps_score else replace(span, score=None) for span in HIGHLIGHTS]


def test_embedded_timecode_of_an_edl() -> None:
    rate = RATES["29.97"]
    data = exports.FORMATS["edl"].write(cut_list(rate, first_frame=10 * 107892))
    (first, _) = spans("edl", data, fps=rate.fps, begin="10:00:00:00")
    assert rate.frame_at(first.start) == rate.frame_at(12.345)
    with pytest.raises(LabelError, match=r"x: --start-timecode 'soon' is no timecode"):
        spans("edl", data, begin="soon")


@pytest.mark.parametrize("form", ["json", "csv", "llc-csv", "twitch-markers"])
def test_a_name_of_strangers_is_read_and_can_be_stored(form: str) -> None:
    """JSON may hold half a character and NUL, which no file of labels can; U+2028 ends no line of these formats."""
    data = {
        "json": '{"vod": "v", "highlights": [{"start": 1, "stop": 5, "name": "a\\ud83d\\u0000b\u2028c"}]}',
        "csv": "vid_id,start,stop,name\nv,1,5,a\ufffd\ufffdb\u2028c\n",
        "llc-csv": '1.0,5.0,"a\ufffd\ufffdb\u2028c"\n',
        "twitch-markers": "0:00:05,Editor,me,a\ufffd\ufffdb\u2028c\n",
    }[form]
    read = spans(form, data, vod=None if form == "csv" else "v", point_seconds=4.0)
    assert read == [Span(1, 5, "a\ufffd\ufffdb c")]
    assert read_table(write_table("v", read), "labels/v.tsv")["v"] == read


def test_twitch_markers_are_the_ends_of_highlights() -> None:
    text = '0:00:12,Broadcaster,me,\n1:02:05,Editor,"a, b",great fight\n\n1:02:10,Moderator,x,"and, again"\n'
    assert guess(file(text), ".csv") == "twitch-markers"
    assert spans("twitch-markers", text) == [Span(0, 12), Span(3705, 3730, "great fight")]
    assert spans("twitch-markers", text, point_seconds=4.0)[1:] == [
        Span(3721, 3725, "great fight"), Span(3726, 3730, "and, again"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "header", ["Marker Name\tDescription\tIn\tOut\tDuration\tMarker Type", "Name der Marke\tB\tE\tA\tD\tT"]
)
def test_premiere_markers_in_any_language(header: str) -> None:
    rows = "fight\twhy\t00:00:10:15\t00:00:20:00\t00:00:09:15\tComment\n\t\t00:01:00:00\t00:01:00:00\t00:00:00:00\tX\n"
    data = f"{header}\r\n{rows}".encode("utf-16")
    assert guess(file(data), ".csv") == "premiere-markers"
    assert spans("premiere-markers", data) == [Span(10.5, 20, "fight"), Span(40, 60)]
    assert spans("premiere-markers", data, fps=Fraction(60))[0] == Span(10.25, 20, "fight")


def test_resolve_markers() -> None:
    text = (
        "TITLE: Timeline 1\nFCM: NON-DROP FRAME\n\n001  001      V     C        01:00:10:00 01:00:10:01 01:00:10:00 "
        "01:00:10:01  \nnote |C:ResolveColorBlue |M:Marker 1 |D:45\n\n002  001      V     C        01:01:00:00 "
        "01:01:00:01 01:01:00:00 01:01:00:01  \n |C:ResolveColorRed |M: |D:1\n"
    )
    assert guess(file(text), ".edl") == "resolve-markers"
    assert spans("resolve-markers", text)[0] == Span(10, 11.5, "Marker 1")
    assert spans("resolve-markers", text)[1] == Span(40.033, 60.033)
    assert spans("resolve-markers", text, begin="01:00:10:00")[0] == Span(0, 1.5, "Marker 1")


def test_a_losslesscut_project() -> None:
    text = """{
      version: 1, mediaFileName: 'a.mp4', // as LosslessCut writes it
      cutSegments: [
        { start: 10.5, end: 20, name: 'fight' },
        { end: 5 },
        { start: 7190, name: '' },
        { start: 30, end: 40, selected: false, tags: { a: 'b' } },
      ],
    }"""
    assert guess(file(text), ".llc") == "llc"
    assert spans("llc", text) == [Span(0, 5), Span(10.5, 20, "fight"), Span(7190, 7200)]
    with pytest.raises(LabelError, match="segment 3: it has no end, and the length of the VOD is not known"):
        spans("llc", text, known=KnownVods())
    assert spans("llc-csv", "10.5,20,fight\n,5,\n7190,,\n0:00:30.5,0:00:31,\n") == [
        Span(0, 5), Span(10.5, 20, "fight"), Span(30.5, 31), Span(7190, 7200),
    ]  # fmt: skip


def test_webvtt() -> None:
    text = "WEBVTT\n\nNOTE x\n\n1\n00:10.500 --> 00:20.000 align:start\n<b>fight</b> &amp;\nflight\n"
    text += "\n1:00:00.000 --> 1:00:01.000\n"
    assert guess(file(text), ".vtt") == "webvtt"
    assert spans("webvtt", text) == [Span(10.5, 20, "fight & flight"), Span(3600, 3601)]


def test_pieces_of_the_source_are_refused() -> None:
    event = "{}  AX       AA/V  C        00:00:05:00 00:00:06:00 01:00:00:00 01:00:01:00\n* FROM CLIP NAME: {}\n"
    with pytest.raises(LabelError, match=r"x:1: the list refers to pieces of the video .*--media stored"):
        spans("edl", event.format("001", "v_0h00m03s-0h00m26s.mp4"))
    with pytest.raises(LabelError, match=r"x:3: the list refers to pieces"):
        spans("edl", event.format("001", "a.mp4") + event.format("002", "b.mp4"))


EVENT = "001  AX  V  C  {} 01:00:00:00 01:00:01:00\n"
BAD = {
    "edl: nothing": ("edl", "TITLE: x\n", "x: it has no events"),
    "edl: of another rate": ("edl", EVENT.format("00:00:01:45 00:00:02:00"), "x:1: '00:00:01:45' is no timecode at 30"),
    "edl: inverted": ("edl", EVENT.format("00:00:03:00 00:00:02:00"), "x:1: .* is inverted"),
    "edl: out of the video": ("edl", EVENT.format("99:00:03:00 99:00:04:00"), "x:1: .* is out of the video"),
    "edl: damaged": ("edl", "001  AX  V  C  00:00:01:00\n", "x:1: this is no event"),
    "resolve: no marker": ("resolve-markers", EVENT.format("00:00:01:00 00:00:02:00"), "x:1: the event has no marker"),
    "resolve: no hour": (
        "resolve-markers",
        "001 001 V C 00:00:01:00 00:00:01:01 00:00:01:00 00:00:01:01\n |C:a |M:b |D:9\n",
        "x:1: it lies before the video's begin: give --start-timecode",
    ),
    "premiere: a column missing": ("premiere-markers", "a\tb\n1\t2\n", "x:2: the row has 2 columns"),
    "premiere: words": ("premiere-markers", "a\tb\tc\td\n\t\tsoon\tlater\n", "x:2: 'soon' is no timecode"),
    "twitch: a column": ("twitch-markers", "0:00:01\n", "x:1: the row has 1 columns"),
    "twitch: a quote": ("twitch-markers", '0:00:01,a,"b\n', "x:1: the row cannot be read"),
    "llc: deep": ("llc", "[" * 100_000, "x: this is no project of LosslessCut"),
    "llc: huge": ("llc", "{cutSegments: [{start: 0x" + "f" * 9000 + ", end: 2}]}", "x: "),
    "llc: infinite": ("llc", "{cutSegments: [{start: Infinity, end: 2}]}", "x: segment 1: its start is no number"),
    "llc: text": ("llc", "{cutSegments: [{start: '1', end: 2}]}", "x: segment 1: its start is no number"),
    "llc-csv: words": ("llc-csv", "soon,2,a\n", "x:1: 'soon' is not a time"),
    "webvtt: none": ("webvtt", "1\n00:01.000 --> 00:02.000\n", "x:1: this is no WebVTT"),
    "webvtt: no end": ("webvtt", "WEBVTT\n\n00:01.000 -->\n", "x:3: the cue has no end"),
    "json: huge": ("json", '{"highlights": [{"start": 1' + "0" * 400 + ', "stop": 2}]}', "its start is no number"),
    "json: a list": ("json", "[]", "x: it has no list highlights"),
    "a long line": ("edl", "1 " + "a " * 10_000, "x:1: the line has 20002 characters"),
    "zero bytes": ("edl", "TITLE\n\0", "x:2: this is no text file"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_named(case: str) -> None:
    form, text, message = BAD[case]
    with pytest.raises(LabelError, match=message) as raised:
        spans(form, text)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 300


@pytest.mark.parametrize("form", sorted(FORMATS))
@given(data=st.binary(max_size=100) | st.text(max_size=100).map(str.encode), lines=st.booleans())
def test_any_bytes_are_read_or_refused(form: str, data: bytes, lines: bool) -> None:
    heads = {
        "webvtt": b"WEBVTT\n\n",
        "edl": b"001 AX V C 00:00:01:00 00:00:02:00 01:00:00:00 01:00:01:00\n",
        "llc": b"{",
    }
    with contextlib.suppress(LabelError, UsageError):  # any other error fails
        read = FORMATS[form].read(file((heads.get(form, b"") if lines else b"") + data))
        assert all(span.start < span.stop for labels in read.values() for span in labels)


def test_long_lists_are_read() -> None:
    text = "".join(f"{second},{second + 0.5},\n" for second in range(0, 7199)) * 8
    assert len(spans("llc-csv", text)) == 7199
