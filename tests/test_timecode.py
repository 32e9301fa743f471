"""Timecode, beside OpenTimelineIO's."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentimelineio.opentime import RationalTime, from_timecode

from lolhl.errors import UsageError
from lolhl.grid import parse_fps
from lolhl.timecode import Rate, format_timecode, is_timecode, parse_timecode

RATES = {
    "23.976": Rate(24, is_ntsc=True),
    "25": Rate(25),
    "29.97": Rate(30, is_ntsc=True),
    "30": Rate(30),
    "50": Rate(50),
    "59.94": Rate(60, is_ntsc=True),
    "60": Rate(60),
}
DAY = 24 * 3600
# OpenTimelineIO begins again after 24 hours of the clock, also where timecode itself goes slower.
SAFE = 23.9 * 3600


@pytest.mark.parametrize("name", RATES)
@given(st.floats(0, SAFE))
def test_it_equals_opentimelineio(name: str, seconds: float) -> None:
    rate = RATES[name]
    frame = rate.frame_at(seconds)
    for drop in (False, True) if rate.drops else (False,):
        text = format_timecode(frame, rate, drop=drop)
        fps = float(rate.fps)
        assert text == RationalTime(frame, fps).to_timecode(fps, drop)
        assert parse_timecode(text, rate) == frame
        assert from_timecode(text, fps).value == frame


@pytest.mark.parametrize(
    ("text", "fps"),
    [
        ("23.976", "24000/1001"), ("23.98", "24000/1001"), ("29.97", "30000/1001"), ("47.952", "48000/1001"),
        ("59.94", "60000/1001"), ("119.88", "120000/1001"), ("2.997", "3000/1001"),
        ("3", "3"), ("0.5", "1/2"), ("0.001", "1/1000"), ("0.004", "1/250"), ("2.996", "749/250"), ("25.5", "51/2"),
    ],
)  # fmt: skip
def test_a_decimal_may_stand_for_a_rate_of_ntsc(text: str, fps: str) -> None:
    assert parse_fps(text) == Fraction(fps)


@pytest.mark.parametrize("name", ["29.97", "59.94"])
def test_drop_frame_hours_are_those_of_the_clock(name: str) -> None:
    rate = RATES[name]
    dropped = rate.frames // 15
    for minute in (0, 1, 9, 10, 11, 59, 60, 61, 599):
        last = format_timecode(rate.frame_at(60 * minute) + dropped, rate, drop=True)
        assert abs(parse_timecode(last, rate) - rate.frame_at(60 * minute)) <= dropped
    assert format_timecode(rate.frame_at(3600), rate, drop=True) == "01:00:00;00"
    assert format_timecode(rate.frames * 60, rate, drop=True) == f"00:01:00;0{dropped}"
    assert format_timecode(rate.frames * 60 - 1, rate, drop=True) == f"00:00:59;{rate.frames - 1}"
    assert format_timecode(rate.frame_at(48 * 3600), rate, drop=True).startswith("48:00:00;")


@pytest.mark.parametrize("frames", [1, 10, 15, 100, 120, 240])
def test_rates_that_opentimelineio_refuses(frames: int) -> None:
    rate = Rate(frames)
    for frame in (0, 1, frames - 1, frames, 3600 * frames + 1, 30 * DAY):
        assert parse_timecode(format_timecode(frame, rate, drop=False), rate) == frame


@pytest.mark.parametrize(
    ("fps", "rate"),
    [
        (Fraction(24000, 1001), Rate(24, is_ntsc=True)),
        (Fraction(30000, 1001), Rate(30, is_ntsc=True)),
        (Fraction(60000, 1001), Rate(60, is_ntsc=True)),
        (Fraction(60), Rate(60)),
        (Fraction(25), Rate(25)),
        (Fraction(2983, 100), Rate(30, is_ntsc=True)),  # of pictures at irregular times
        (Fraction(25000, 1001), Rate(25)),
        (Fraction(1, 2), Rate(1)),
    ],
)
def test_the_nearest_rate(fps: Fraction, rate: Rate) -> None:
    assert Rate.nearest(fps) == rate


@pytest.mark.parametrize(
    "text", ["", "1:2:3", "00:00:60:00", "00:60:00:00", "00:00:00:30", "00:01:00;00", "x", "0" * 9999, "1:1:1:1:1"]
)
def test_what_is_no_timecode(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no .*timecode"):
        parse_timecode(text, RATES["29.97"])


def test_what_looks_like_timecode() -> None:
    assert is_timecode(" 01:02:03;04 ")
    assert is_timecode("01;02;03;04")
    assert not is_timecode("01:02:03.004:5")
    assert not is_timecode("01:02:03")
