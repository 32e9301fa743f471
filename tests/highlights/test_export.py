import re
from fractions import Fraction
from itertools import pairwise

import pytest

from lolhl.highlights.export import Event, edl, webvtt, youtube_chapters
from lolhl.labels.spans import Span

SPANS = [Span(3725.5, 3740.25, "highlight 1"), Span(12, 30, "highlight 2"), Span(15, 40, "a\nb <i> & --> c")]


def test_youtube_chapters_obey_its_rules() -> None:
    assert youtube_chapters(SPANS, 4000) == "0:00:00 Start\n0:00:12 highlight 2\n1:02:05 highlight 1\n"


@pytest.mark.parametrize("spans", [[], SPANS[1:2], [Span(5, 9)] * 5, [Span(20, 30), Span(3995, 4000)]])
def test_too_few_chapters_are_none(spans: list[Span]) -> None:
    assert youtube_chapters(spans, 4000) == ""


def test_webvtt_is_in_order_and_no_name_breaks_a_cue() -> None:
    assert webvtt(SPANS) == (
        "WEBVTT\n"
        "\n00:00:12.000 --> 00:00:30.000\nhighlight 2\n"
        "\n00:00:15.000 --> 00:00:40.000\na b &lt;i&gt; &amp; --&gt; c\n"
        "\n01:02:05.500 --> 01:02:20.250\nhighlight 1\n"
    )


@pytest.mark.parametrize(
    ("fps", "first"),
    [
        (Fraction(60), "00:00:12:00 00:00:30:00 01:00:00:00 01:00:18:00"),
        # 12 s at 30000/1001 fps are 359.64 pictures: number 360, which 30 a second count as 12:00
        (Fraction(30000, 1001), "00:00:12:00 00:00:29:29 01:00:00:00 01:00:17:29"),
        (Fraction(24000, 1001), "00:00:12:00 00:00:29:23 01:00:00:00 01:00:17:23"),
    ],
)
def test_edl_counts_the_sources_own_frames(fps: Fraction, first: str) -> None:
    cuts = [Event(f"{n}\n.mp4", span.start, span.stop, span.name) for n, span in enumerate(sorted(SPANS))]
    text = edl(cuts, fps, "A stream\nFCM: DROP FRAME")
    assert re.findall(r"^\* FROM CLIP NAME: (.*)$", text, re.MULTILINE) == ["0 .mp4", "1 .mp4", "2 .mp4"]
    events = re.findall(r"^(\d{3})  AX       AA/V  C        (.+)$", text, re.MULTILINE)
    assert [number for number, _ in events] == ["001", "002", "003"]
    assert events[0][1] == first
    assert text.startswith("TITLE: A stream FCM: DROP FRAME\nFCM: NON-DROP FRAME\n")
    for (_, earlier), (_, later) in pairwise(events):
        assert earlier.split()[3] == later.split()[2]
    for _, times in events:
        frames = [
            sum(int(n) * w for n, w in zip(t.split(":"), (3600, 60, 1), strict=False)) * round(fps) + int(t[-2:])
            for t in times.split()
        ]
        assert frames[1] - frames[0] == frames[3] - frames[2] > 0
