"""What is worth looking at first."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from lolhl.highlights.cut import Highlight, Limits, find
from lolhl.highlights.feeds import Feed, Moment, feeds
from lolhl.labels.spans import Span, on_grid
from tests.stages.report_root import bumps

FPS = Fraction(3)
SECONDS = 600.0
PEAKS = [(50.0, 0.95, 9.0), (100.0, 0.55, 9.0), (150.0, 0.7, 9.0), (200.0, 0.45, 9.0), (250.0, 0.3, 9.0)]
LIMITS = Limits(threshold=0.5)


def cut_highlights(smoothed: "np.ndarray[tuple[int], np.dtype[np.float32]]") -> list[Highlight]:
    return find(smoothed, FPS, len(smoothed) / 3, LIMITS)


def by_name(looked_at: list[Span]) -> dict[str, tuple[Moment, ...]]:
    smoothed = bumps(SECONDS, PEAKS)
    made = feeds("v", smoothed, FPS, 0.5, cut_highlights(smoothed), looked_at)
    return {feed.name: feed.moments for feed in made}


def middles(moments: tuple[Moment, ...]) -> list[int]:
    return [round((moment.span.start + moment.span.stop) / 2) for moment in moments]


def test_each_list_begins_with_what_it_is_for() -> None:
    lists = by_name([])
    assert middles(lists["Surest"]) == [50, 150, 100]
    assert [moment.rank for moment in lists["Surest"]] == [1, 2, 3]
    assert {round(moment.peak, 2) for moment in lists["Borderline"][:2]} == {0.45, 0.55}
    assert [moment.rank is None for moment in lists["Borderline"]].count(True) == 2  # 0.45 and 0.3: near misses
    nearest = [abs(moment.mean - 0.5) for moment in lists["Least sure"]]
    assert nearest == sorted(nearest)
    assert lists["Least sure"][-1].peak == pytest.approx(0.95)
    assert len(lists["Random"]) == 10
    assert all(moment.rank is None for moment in lists["Random"])


def test_what_was_looked_at_is_in_no_list_and_the_others_stay() -> None:
    before = by_name([])
    gone = [before["Surest"][0], before["Random"][3], *(m for m in before["Borderline"] if m.rank is None)]
    after = by_name([moment.span for moment in gone])
    assert after["Surest"] == before["Surest"][1:]
    assert [moment.rank for moment in after["Borderline"] if moment.rank is None] == []
    left = [moment for moment in before["Random"] if not overlap((moment, *gone))]
    assert gone[1] not in left
    assert len(left) >= 7
    assert [moment for moment in after["Random"] if moment in before["Random"]] == left


def test_a_slope_of_a_highlight_is_no_near_miss() -> None:
    smoothed = bumps(60, [(30.0, 0.9, 10.0)])
    times = np.arange(len(smoothed)) / 3
    slope = (np.abs(times - 30) > 5) & (np.abs(times - 30) < 8)
    smoothed[slope] = (0.45 - 0.05 * (np.abs(times - 30) - 5))[slope]
    borderline, *_ = feeds("v", smoothed, FPS, 0.5, cut_highlights(smoothed), [])
    assert [moment.rank for moment in borderline.moments] == [1]


def test_streams_differ_in_what_is_drawn_and_each_stays_the_same() -> None:
    smoothed = bumps(SECONDS, PEAKS)
    first, again, other = (feeds(vod, smoothed, FPS, 0.5, [], [])[-1].moments for vod in ("a", "a", "b"))
    assert first == again
    assert first != other


def test_nothing_to_look_at() -> None:
    for smoothed in (np.zeros(0), np.zeros(1), np.zeros(3000)):
        lists = {feed.name: feed.moments for feed in feeds("v", smoothed, FPS, 0.5, [], [])}
        assert [lists[name] for name in ("Borderline", "Surest", "Least sure")] == [(), (), ()]
    whole = by_name([Span(0, SECONDS)])
    assert not any(whole.values())


def overlap(moments: tuple[Moment, ...]) -> bool:
    spans = sorted((moment.span for moment in moments), key=lambda span: span.start)
    return any(before.stop > after.start for before, after in pairwise(spans))


@given(
    arrays.arrays(np.float64, st.integers(0, 900), elements=st.sampled_from([0.0, 0.2, 0.45, 0.5, 0.6, 1.0])),
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 40)), max_size=4),
)
def test_no_moment_lies_in_what_is_known_nor_in_another(
    smoothed: "np.ndarray[tuple[int], np.dtype[np.float64]]", places: list[tuple[int, int]]
) -> None:
    highlights = find(smoothed, FPS, len(smoothed) / 3, LIMITS)
    looked_at = [Span(start, start + length) for start, length in places]
    known = on_grid([*looked_at, *(entry.span for entry in highlights)], len(smoothed), FPS)
    lists: list[Feed] = feeds("v", smoothed, FPS, 0.5, highlights, looked_at)
    for feed in lists:
        assert len(feed.moments) <= 10
        assert not overlap(feed.moments)
        for moment in feed.moments:
            assert 0 <= moment.span.start < moment.span.stop <= len(smoothed) / 3
            if moment.rank is None:
                assert not (on_grid([moment.span], len(smoothed), FPS) & known).any()
            else:
                assert not any(moment.span.start < s.stop and s.start < moment.span.stop for s in looked_at)
