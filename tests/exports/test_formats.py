"""Each format at each rate, read back to the frame by another reader than ours."""

import csv
import io
import json
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate, pairwise
from typing import Any

import json5
import opentimelineio as otio
import pytest
from lxml import etree
from opentimelineio.opentime import from_timecode

from lolhl.errors import ExportError
from lolhl.exports.cut_list import Cut, CutList, Media, records, with_handles
from lolhl.exports.formats import FORMATS
from lolhl.exports.media import address_in
from lolhl.labels.spans import Span
from lolhl.timecode import Rate, format_timecode
from tests.test_timecode import RATES

HOSTILE = "a\nb <i> & --> c | \x1b[31m\x00\ufffe\ud800 ]]>"
HIGHLIGHTS = [Span(3725.5, 3740.25, "highlight 1", 0.9), Span(12.345, 30.01, "highlight 2", 0.8), Span(1, 5.2, HOSTILE)]
START = 10 * 3600  # seconds of the timecode that is embedded


def cut_list(rate: Rate, *, channels: int = 2, embedded: bool = False, handles: float = 0) -> CutList:
    """Three highlights of a video of two hours; the first in time has a name of a stranger."""
    media = Media(
        name="späte & frühe #1.mp4",
        address=address_in("/vods/a b", "späte & frühe #1.mp4"),
        rate=rate,
        frames=rate.frame_at(7200),
        width=1280,
        height=720,
        channels=channels,
        sample_rate=48000 if channels else 0,
        first_frame=rate.frame_at(START) if embedded else 0,
        drop=rate.drops,
    )
    cuts = [Cut(span, rank, f"reason {rank}", media) for rank, span in enumerate(HIGHLIGHTS, start=1)]
    return CutList(
        vod="v",
        title=HOSTILE,
        duration=7200.0,
        video="video.mp4",
        rate=rate,
        cuts=with_handles(sorted(cuts, key=lambda cut: cut.span), handles, 7200.0),
    )


def frames_of(cuts: CutList, handles: float = 0) -> list[tuple[int, int]]:
    """First frame and end of each highlight, computed from its seconds."""
    rate = cuts.rate
    assert rate is not None
    times = [(max(0.0, span.start - handles), span.stop + handles) for span in sorted(HIGHLIGHTS)]
    return [(round(Fraction(start) * rate.fps), round(Fraction(stop) * rate.fps)) for start, stop in times]


EVERY = pytest.mark.parametrize("rate", RATES.values(), ids=RATES)
EMBEDDED = pytest.mark.parametrize("embedded", [False, True], ids=["from 0", "timecode"])


def check_timeline(timeline: otio.schema.Timeline, cuts: CutList, expected: Sequence[tuple[int, int]]) -> None:
    """Source ranges by timecode, and no gap between the cuts."""
    (track,) = timeline.video_tracks()
    clips = list(track.find_clips())
    assert len(clips) == len(track)
    first = cuts.cuts[0].source.first_frame
    ranges = [
        (clip.source_range.start_time.value - first, clip.source_range.end_time_exclusive().value - first)
        for clip in clips
    ]
    assert ranges == list(expected)
    assert {round(clip.source_range.start_time.rate, 3) for clip in clips} == {round(float(cuts.rate.fps), 3)}  # type: ignore[union-attr]


@EVERY
@EMBEDDED
@pytest.mark.parametrize("handles", [0, 2])
def test_otio(rate: Rate, embedded: bool, handles: int) -> None:
    cuts = cut_list(rate, embedded=embedded, handles=handles)
    timeline = otio.adapters.read_from_string(FORMATS["otio"].write(cuts).decode(), "otio_json")
    check_timeline(timeline, cuts, frames_of(cuts, handles))
    assert timeline.global_start_time.to_timecode().replace(";", ":") == "01:00:00:00"
    assert [len(track) for track in timeline.audio_tracks()] == [3]
    for clip in timeline.find_clips():
        media = clip.media_reference
        assert otio.url_utils.filepath_from_url(media.target_url) == "/vods/a b/späte & frühe #1.mp4"
        assert media.available_range.duration.value == cuts.cuts[0].source.frames
        assert media.available_range.start_time.value == cuts.cuts[0].source.first_frame


@EVERY
@EMBEDDED
def test_fcp7(rate: Rate, embedded: bool) -> None:
    cuts = cut_list(rate, embedded=embedded, handles=2)
    text = FORMATS["fcp7"].write(cuts).decode()
    timeline = otio.adapters.read_from_string(text, "fcp_xml")
    check_timeline(timeline, cuts, frames_of(cuts, 2))
    assert len(timeline.audio_tracks()) == 2
    (path,) = {clip.media_reference.target_url for clip in timeline.find_clips()}
    assert path == "file://localhost/vods/a%20b/sp%C3%A4te%20%26%20fr%C3%BChe%20%231.mp4"

    root = etree.fromstring(text.encode())
    items = {item.get("id"): item for item in root.iter("clipitem")}
    assert len(items) == 9  # three cuts, a picture and two channels each
    for name, item in items.items():
        links = [link.findtext("linkclipref") for link in item.iter("link")]
        assert name in links
        assert len(links) == len(set(links)) == 3
        assert {items[link].findtext("in") for link in links} == {item.findtext("in")}
        assert {items[link].findtext("start") for link in links} == {item.findtext("start")}
        assert int(item.findtext("end")) - int(item.findtext("start")) == int(item.findtext("out")) - int(
            item.findtext("in")
        )
    files = [file for file in root.iter("file") if len(file)]
    assert [file.findtext("timecode/frame") for file in files] == [str(cuts.cuts[0].source.first_frame)]
    sizes = {
        (e.findtext("width"), e.findtext("height"))
        for e in root.iter("samplecharacteristics")
        if e.find("width") is not None
    }
    assert sizes == {("1280", "720")}
    assert {(e.findtext("timebase"), e.findtext("ntsc")) for e in root.iter("rate")} == {
        (str(rate.frames), str(rate.is_ntsc).upper())
    }
    assert {e.text for e in root.iter("displayformat")} == {"DF" if rate.drops else "NDF"}


# What the parts of FCPXML 1.10 that are written here may hold, in order; Final Cut Pro refuses all else.
DTD = """
<!ELEMENT fcpxml (resources, library)> <!ATTLIST fcpxml version CDATA #FIXED "1.10">
<!ELEMENT resources (asset | format)*>
<!ELEMENT format EMPTY>
<!ATTLIST format id ID #REQUIRED frameDuration CDATA #IMPLIED width CDATA #IMPLIED height CDATA #IMPLIED>
<!ELEMENT asset (media-rep+)>
<!ATTLIST asset id ID #REQUIRED name CDATA #IMPLIED start CDATA #IMPLIED duration CDATA #IMPLIED
  hasVideo CDATA #IMPLIED format IDREF #IMPLIED hasAudio CDATA #IMPLIED videoSources CDATA #IMPLIED
  audioSources CDATA #IMPLIED audioChannels CDATA #IMPLIED audioRate CDATA #IMPLIED>
<!ELEMENT media-rep EMPTY>
<!ATTLIST media-rep kind (original-media | proxy-media) "original-media" src CDATA #REQUIRED>
<!ELEMENT library (event*)>
<!ELEMENT event (project*)> <!ATTLIST event name CDATA #IMPLIED>
<!ELEMENT project (sequence)> <!ATTLIST project name CDATA #IMPLIED>
<!ELEMENT sequence (spine)>
<!ATTLIST sequence format IDREF #REQUIRED duration CDATA #IMPLIED tcStart CDATA #IMPLIED tcFormat (DF | NDF) #IMPLIED
  audioLayout (mono | stereo | surround) #IMPLIED
  audioRate (32k | 44.1k | 48k | 88.2k | 96k | 176.4k | 192k) #IMPLIED>
<!ELEMENT spine (asset-clip*)>
<!ELEMENT asset-clip (note?)>
<!ATTLIST asset-clip ref IDREF #REQUIRED offset CDATA #IMPLIED name CDATA #IMPLIED start CDATA #IMPLIED
  duration CDATA #REQUIRED format IDREF #IMPLIED tcFormat (DF | NDF) #IMPLIED audioRole CDATA #IMPLIED>
<!ELEMENT note (#PCDATA)>
"""


def seconds(text: str | None) -> Fraction:
    assert text is not None
    assert text.endswith("s")
    return Fraction(text[:-1])


@EVERY
@EMBEDDED
@pytest.mark.parametrize("channels", [0, 1, 2, 6])
def test_fcpxml(rate: Rate, embedded: bool, channels: int) -> None:
    cuts = cut_list(rate, embedded=embedded, channels=channels, handles=2)
    root = etree.fromstring(FORMATS["fcpxml"].write(cuts))
    dtd = etree.DTD(io.StringIO(DTD))
    assert dtd.validate(root), dtd.error_log
    (asset,) = root.iter("asset")
    assert asset.find("media-rep").get("src") == "file:///vods/a%20b/sp%C3%A4te%20%26%20fr%C3%BChe%20%231.mp4"
    assert (asset.get("audioChannels") or "0") == str(channels)
    assert seconds(root.find(".//format").get("frameDuration")) == 1 / rate.fps
    (sequence,) = root.iter("sequence")
    assert sequence.get("tcFormat") == ("DF" if rate.drops else "NDF")
    at, clips = seconds(sequence.get("tcStart")), list(root.iter("asset-clip"))
    assert at * rate.fps == from_timecode(f"01:00:00{';' if rate.drops else ':'}00", float(rate.fps)).value
    for clip, (first, end) in zip(clips, frames_of(cuts, 2), strict=True):
        assert seconds(clip.get("offset")) == at
        assert seconds(clip.get("start")) == first / rate.fps + seconds(asset.get("start"))
        assert seconds(clip.get("duration")) == (end - first) / rate.fps
        at += seconds(clip.get("duration"))
        assert (at * rate.fps).denominator == 1
    assert seconds(sequence.get("duration")) == at - seconds(sequence.get("tcStart"))
    assert (seconds(asset.get("start")) * rate.fps) == (rate.frame_at(START) if embedded else 0)
    assert seconds(asset.get("duration")) * rate.fps == cuts.cuts[0].source.frames


@EVERY
@EMBEDDED
@pytest.mark.parametrize("channels", [0, 2])
def test_edl(rate: Rate, embedded: bool, channels: int) -> None:
    cuts = cut_list(rate, embedded=embedded, channels=channels, handles=2)
    text = FORMATS["edl"].write(cuts).decode()
    timeline = otio.adapters.read_from_string(text, "cmx_3600", rate=float(rate.fps))
    check_timeline(timeline, cuts, frames_of(cuts, 2))
    assert len(timeline.audio_tracks()) == channels
    assert f"FCM: {'DROP' if rate.drops else 'NON-DROP'} FRAME" in text.splitlines()[1]
    assert (";" in text.split("\n\n", 1)[1]) == rate.drops
    assert [clip.name for clip in timeline.video_tracks()[0]] == ["späte & frühe #1.mp4"] * 3


@pytest.mark.parametrize(
    ("first", "second"), [(Rate(30), Rate(60)), (Rate(60), Rate(30)), (Rate(30, is_ntsc=True), Rate(60, is_ntsc=True))]
)
def test_cuts_of_another_rate_than_the_sequence_last_as_long_in_it(first: Rate, second: Rate) -> None:
    """Clips of the source at 60 fps may stand beside those of a stored video at 30."""
    slow, fast = (Media(f"{rate.fps}.mp4", "a.mp4", rate, rate.frame_at(100), 64, 36) for rate in (first, second))
    pieces = (
        Cut(Span(0, 5, "a"), 1, "", slow),
        Cut(Span(10, 20, "b"), 2, "", fast),
        Cut(Span(30, 33, "c"), 3, "", slow),
    )
    cuts = CutList("v", "", 100.0, "video.mp4", first, pieces)
    borders = [0, *accumulate(first.frame_at(length) for length in (5, 10, 3))]

    root = etree.fromstring(FORMATS["fcp7"].write(cuts))
    items = list(root.iter("clipitem"))
    assert [int(item.findtext("start")) for item in items] == borders[:-1]
    assert [int(item.findtext("end")) for item in items] == borders[1:]
    assert int(items[1].findtext("out")) - int(items[1].findtext("in")) == second.frame_at(20) - second.frame_at(10)
    assert root.findtext("sequence/duration") == str(borders[-1])

    root = etree.fromstring(FORMATS["fcpxml"].write(cuts))
    begin = seconds(root.find(".//sequence").get("tcStart"))
    for clip, at, end in zip(root.iter("asset-clip"), borders, borders[1:], strict=False):
        assert (seconds(clip.get("offset")) - begin) * first.fps == at
        assert seconds(clip.get("duration")) * first.fps == end - at
    assert seconds(root.find(".//sequence").get("duration")) * first.fps == borders[-1]

    events = [line.split() for line in FORMATS["edl"].write(cuts).decode().splitlines() if line[:3].isdigit()]
    records = [[format_timecode(first.hour + at, first, drop=first.drops) for at in pair] for pair in pairwise(borders)]
    assert [event[6:] for event in events] == records


def test_an_edl_holds_999_events_the_best_ones() -> None:
    cuts = cut_list(Rate(30))
    media = cuts.cuts[0].media
    many = tuple(Cut(Span(at, at + 1), 1200 - at, "", media) for at in range(1200))
    text = FORMATS["edl"].write(CutList("v", "", 7200.0, "video.mp4", Rate(30), many)).decode()
    events = [line for line in text.splitlines() if line[:3].isdigit()]
    assert events[0].startswith("001  AX       AA/V  C        00:03:21:00 00:03:22:00 01:00:00:00 01:00:01:00")
    assert len(events) == 999


def test_an_edl_cannot_count_more_than_100_frames_a_second() -> None:
    assert FORMATS["edl"].write(cut_list(Rate(100)))
    with pytest.raises(ExportError, match="too few for 120 a second"):
        FORMATS["edl"].write(cut_list(Rate(120)))


@EVERY
def test_resolve_markers(rate: Rate) -> None:
    cuts = cut_list(rate)
    text = FORMATS["resolve-markers"].write(cuts).decode()
    # OpenTimelineIO's adapter loses the markers, but reads where the events are.
    events = otio.adapters.read_from_string(text, "cmx_3600", rate=float(rate.fps)).video_tracks()[0].find_clips()
    begins = [clip.source_range.start_time.value - rate.hour for clip in events]
    lengths = [int(line.rpartition("|D:")[2]) for line in text.splitlines() if "|D:" in line]
    spans = [(begin, begin + length) for begin, length in zip(begins, lengths, strict=True)]
    assert spans == frames_of(cuts)
    assert text.count("|M:") == text.count(" |C:ResolveColorBlue ") == 3


@EVERY
def test_premiere_markers(rate: Rate) -> None:
    cuts = cut_list(rate)
    data = FORMATS["premiere-markers"].write(cuts)
    assert data.startswith(b"\xff\xfe")
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-16")), delimiter="\t"))
    fps = float(rate.fps)

    def frame(text: str) -> int:
        written = text.replace(";", ":", 2) if rate.drops else text
        return int(otio.opentime.from_timecode(written, fps).value)

    assert [(frame(row["In"]), frame(row["Out"])) for row in rows] == frames_of(cuts)
    assert all(frame(row["Out"]) - frame(row["In"]) == frame(row["Duration"]) for row in rows)
    assert [row["Marker Name"] for row in rows][1:] == ["highlight 2", "highlight 1"]


def test_losslesscut() -> None:
    cuts = cut_list(Rate(30), handles=2)
    project = json5.loads(FORMATS["llc"].write(cuts).decode())
    assert (project["version"], project["mediaFileName"]) == (2, "video.mp4")
    wanted = [(0.0, 7.2), (10.345, 32.01), (3723.5, 3742.25)]
    assert [(segment["start"], segment["end"]) for segment in project["cutSegments"]] == wanted
    rows = list(csv.reader(io.StringIO(FORMATS["llc-csv"].write(cuts).decode())))
    assert [(float(start), float(stop)) for start, stop, _ in rows] == wanted


def test_plain_data() -> None:
    cuts = cut_list(Rate(30, is_ntsc=True))
    data: dict[str, Any] = json.loads(FORMATS["json"].write(cuts))
    assert (data["vod"], data["fps"]) == ("v", "30000/1001")
    assert [(h["start"], h["stop"], h["rank"]) for h in data["highlights"]] == [
        (1, 5.2, 3), (12.345, 30.01, 2), (3725.5, 3740.25, 1),
    ]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"].write(cuts).decode())))
    assert [(row["start"], row["stop_seconds"]) for row in rows] == [
        ("0:00:01", "5.200"), ("0:00:12.345", "30.010"), ("1:02:05.500", "3740.250"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_names_of_strangers_break_nothing(name: str) -> None:
    if name == "youtube-reel":
        return
    data = FORMATS[name].write(cut_list(Rate(30)))
    text = data.decode("utf-16" if name == "premiere-markers" else "utf-8")
    assert not set(text) & {"\x00", "\x1b", "\ufffe", "\ud800"}
    assert "highlight 1" in text
    if text.startswith("<?xml"):
        etree.fromstring(data)


def test_cuts_stay_in_their_video() -> None:
    media = Media("a.mp4", "a.mp4", Rate(30), frames=100, width=2, height=2)
    cut = Cut(Span(3, 9), 1, "", media)
    assert (cut.first, cut.end) == (90, 100)
    assert (Cut(Span(5, 9), 1, "", media).first, Cut(Span(5, 9), 1, "", media).end) == (99, 100)
    assert (Cut(Span(0, 1), 1, "", media, begin=2).first, Cut(Span(0, 1), 1, "", media, begin=2).end) == (0, 1)
    assert [record.first for record in records([cut, cut], 30, cut.source.rate)] == [30, 40]


@pytest.mark.parametrize(
    ("folder", "address"),
    [
        (None, "a%20%C3%BC.mp4"),
        ("/x y", "file:///x%20y/a%20%C3%BC.mp4"),
        ("D:\\x y", "file:///D:/x%20y/a%20%C3%BC.mp4"),
        ("\\\\nas\\share", "file://nas/share/a%20%C3%BC.mp4"),
    ],
)
def test_addresses_are_percent_encoded(folder: str | None, address: str) -> None:
    assert address_in(folder, "a ü.mp4") == address
