"""More and fewer highlights by the slider of a page that comes from no server, and the curves of its signals."""

import re
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from lolhl.labels.spans import Span
from lolhl.report.page import Curve, PageCut, Report
from tests.report.reports import Open, made_up

PEAKS = [(100, 0.9), (400, 0.7), (800, 0.8), (1000, 0.4)]
PRESENT = ["h1", "h2", "h3"]  # the one at 1,000 s lies below the threshold


def shown(page: Page) -> list[tuple[float, float]]:
    """Start and stop of each card, in order of time."""
    cards = page.locator("#highlights > li:not(.removed)")
    times = [(card.get_attribute("data-start"), card.get_attribute("data-stop")) for card in cards.all()]
    return sorted((float(start or "nan"), float(stop or "nan")) for start, stop in times)


def slide(page: Page, *keys: str) -> None:
    page.get_by_label("How much", exact=False).first.focus()
    for key in keys:
        page.locator("#cut").press(key)


def starts(report: Report) -> list[float]:
    return sorted(entry.highlight.span.start for entry in report.highlights)


def test_the_slider_begins_where_the_stream_is_cut(show: Open) -> None:
    report = made_up(PEAKS)
    page = show(report)
    assert [start for start, _ in shown(page)] == starts(report)
    expect(page.locator("#cut-says")).to_contain_text("37 s in 3 highlights, threshold 0.50 · as it is kept")
    expect(page.locator("#cut-actions")).to_be_hidden()


def test_fewer_and_more_highlights_are_seen_at_once(show: Open) -> None:
    page = show(made_up(PEAKS))
    picture = "document.getElementById('chart').toDataURL()"
    before = page.evaluate(picture)
    slide(page, "ArrowRight")
    assert len(shown(page)) == 4
    expect(page.locator("#cut-says")).to_contain_text("in 4 highlights")
    expect(page.locator("#cut-says")).to_contain_text("tried out on this page")
    expect(page.locator("#cut")).to_have_attribute("aria-valuetext", re.compile("in 4 highlights, threshold 0.3"))
    assert page.evaluate(picture) != before  # the threshold and the new highlight are drawn
    expect(page.locator("#cut-actions")).to_contain_text("run lolhl report my-stream --threshold 0.")
    slide(page, "Home")
    (only,) = shown(page)
    assert only[0] < 100 < only[1]  # the best
    expect(page.locator("#cut-command")).to_have_text("lolhl report my-stream --minutes 0.3")
    page.get_by_role("button", name="Back to what is kept").click()
    assert page.evaluate(picture) == before
    expect(page.locator("#cut")).to_be_focused()


def test_minutes_that_are_written_choose_the_longest_cut_that_is_no_longer(show: Open) -> None:
    page = show(made_up(PEAKS))
    wanted = page.get_by_label("minutes wanted")
    wanted.fill("0.5")
    expect(page.locator("#cut-says")).to_contain_text("25 s in 2 highlights")
    wanted.fill("-3")
    expect(wanted).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#cut-says")).to_contain_text("25 s in 2 highlights")
    wanted.fill("0.01")  # less than the shortest
    expect(page.locator("#cut-says")).to_contain_text("12 s in 1 highlight,")


def test_what_is_judged_stays_whatever_the_slider_shows(show: Open) -> None:
    report = made_up(PEAKS)
    page = show(report)
    page.get_by_role("button", name="Correct by hand").click()
    page.locator("#h1").get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Start of highlight 3 one second earlier").click()
    slide(page, "Home")
    assert [round(start) for start, _ in shown(page)] == [393]  # the cut has the best alone, which is removed
    expect(page.locator("#h1")).to_contain_text("removed")
    slide(page, "End")
    assert [round(start) for start, _ in shown(page)] == [393, 794, 994]
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    page.get_by_role("button", name="Back to what is kept").click()
    assert [start for start, _ in shown(page)] == starts(report)


def test_a_highlight_that_was_moved_elsewhere_leaves_its_place_to_what_another_cut_finds(show: Open) -> None:
    page = show(made_up(PEAKS))
    page.get_by_role("button", name="Correct by hand").click()
    for side, time in (("Stop", "10:20"), ("Start", "10:00")):
        field = page.get_by_label(f"{side} of highlight 1", exact=True)
        field.fill(time)
        field.press("Tab")
    slide(page, "ArrowRight")
    assert [round(start) for start, _ in shown(page)] == [94, 394, 600, 794, 994]
    ids = [card.get_attribute("id") for card in page.locator("#highlights > li").all()]
    assert len({*ids}) == len(ids)


def test_labels_that_are_found_by_another_cut_are_not_missed(show: Open) -> None:
    labels = [Span(95, 105), Span(995, 1005)]
    number = {True: 0, False: None}
    cuts = [
        PageCut(entry.cut, [1 if h.span.start > 900 else number[h.span.start < 110] for h in entry.cut.highlights])
        for entry in made_up(PEAKS).cuts
    ]
    page = show(made_up(PEAKS, labels=labels, cuts=cuts))
    expect(page.locator("#missed")).to_contain_text("0:16:35 – 0:16:45")
    slide(page, "ArrowRight")
    expect(page.locator("#missed")).to_be_hidden()
    expect(page.locator("#highlights")).to_contain_text("not labelled")


def test_a_stream_with_one_cut_has_no_slider(show: Open) -> None:
    page = show(made_up(PEAKS, cuts=made_up(PEAKS).cuts[:1]))
    expect(page.locator("#amount")).to_be_hidden()


@pytest.mark.parametrize("names", [(), ("sound",), ("pictures", "sound", "chat")])
def test_each_signal_has_a_curve(names: tuple[str, ...], show: Open) -> None:
    values = np.zeros(3600)
    values[300:330] = 0.8  # at 100 s
    page = show(made_up(PEAKS, signals=[Curve(name, values) for name in names]))
    page.get_by_role("slider", name="Time in the stream").focus()
    page.keyboard.press("PageDown")
    readout = page.locator("#readout")
    for name in ("pictures", "sound", "chat"):
        if name not in names:
            expect(readout).not_to_contain_text(name)
    height = page.locator("#chart").evaluate("(chart) => chart.clientHeight")
    assert height == 252 + 24 * len(names)


def test_a_curve_is_drawn_where_its_signal_speaks_and_read_out(show: Open) -> None:
    values = np.zeros(3600)
    values[1800:2100] = 0.8  # from 600 to 700 s of 1,200
    page = show(made_up(PEAKS, signals=[Curve("sound", values)]))
    chart = page.locator("#chart")
    page.mouse.move(0, 0)
    picture = Image.open(BytesIO(chart.screenshot())).convert("RGB")

    def colours(seconds: float) -> int:
        """How many there are in the lane of the signal."""
        x = round(62 + seconds / 1200 * (picture.width - 62))
        return len({picture.getpixel((x, y)) for y in range(206, 222)})

    assert colours(650) > colours(250)
    page.evaluate("location.hash = 't=650'")
    expect(page.locator("#readout")).to_contain_text("sound 0.80")
    page.evaluate("location.hash = 't=100'")
    expect(page.locator("#readout")).to_contain_text("sound 0.00")
