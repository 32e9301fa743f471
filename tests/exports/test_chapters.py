import pytest
import webvtt as other_reader

from lolhl.errors import ExportError
from lolhl.exports import webvtt, youtube
from lolhl.exports.cut_list import CutList
from lolhl.labels.spans import Span

SPANS = [Span(3725.5, 3740.25, "highlight 1"), Span(12, 30, "highlight 2"), Span(15, 40, "a\nb <i> & --> c")]
EMPTY = CutList(vod="v", title="A stream", duration=100, video="video.mp4", rate=None, cuts=())


def test_youtube_chapters_obey_its_rules() -> None:
    assert youtube.of_vod(SPANS, 4000) == "0:00:00 Start\n0:00:12 highlight 2\n1:02:05 highlight 1\n"


@pytest.mark.parametrize("spans", [[], SPANS[1:2], [Span(5, 9)] * 5, [Span(20, 30), Span(3995, 4000)]])
def test_too_few_chapters_are_none(spans: list[Span]) -> None:
    assert youtube.of_vod(spans, 4000) == ""


def test_chapters_of_the_reel_are_those_of_its_clips() -> None:
    reel = (("a", 12.5), ("b", 4.0), ("c", 11.0), ("d", 30.0), ("e", 9.0))
    cuts = CutList(vod="v", title="A stream", duration=100, video="video.mp4", rate=None, cuts=(), reel=reel)
    # b is long enough only together with c, and e is too short to be the last one.
    assert youtube.write_of_reel(cuts) == b"0:00:00 a\n0:00:12 b\n0:00:27 d\n"


def test_no_reel_and_a_short_one_are_said() -> None:
    with pytest.raises(ExportError, match="VOD v has no reel: run `lolhl report v --reel`"):
        youtube.write_of_reel(EMPTY)
    with pytest.raises(ExportError, match="the VOD has fewer than three chapters"):
        youtube.write(EMPTY)


def test_webvtt_is_in_order_and_no_name_breaks_a_cue() -> None:
    text = webvtt.cues(SPANS)
    assert text == (
        "WEBVTT\n"
        "\n00:00:12.000 --> 00:00:30.000\nhighlight 2\n"
        "\n00:00:15.000 --> 00:00:40.000\na b &lt;i&gt; &amp; --&gt; c\n"
        "\n01:02:05.500 --> 01:02:20.250\nhighlight 1\n"
    )
    captions = other_reader.from_string(text)
    assert [(caption.start, caption.end) for caption in captions.captions] == [
        ("00:00:12.000", "00:00:30.000"), ("00:00:15.000", "00:00:40.000"), ("01:02:05.500", "01:02:20.250"),
    ]  # fmt: skip
