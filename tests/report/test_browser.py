"""The page in a real browser: what a viewer sees, and what an editor corrects and saves."""

import http.server
import threading
import time
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from lolhl.labels.spans import Span
from lolhl.labels.tables import read_table
from lolhl.report.page import PageHighlight, Report, Table, render
from lolhl.vod.viewer_clip import ViewerClip
from tests.report.reports import HOSTILE, Open, hostile, made_up, named
from tests.videos import numbered_video


def saved(page: Page) -> dict[str, list[Span]]:
    """Presses "Save labels" and reads the file as `lolhl labels` does."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Save labels").click()
    assert download.value.suggested_filename == "my-stream.tsv"
    return read_table(download.value.path().read_bytes(), "my-stream.tsv")


def borders(labels: dict[str, list[Span]]) -> list[tuple[float, float]]:
    return [(span.start, span.stop) for span in labels["my-stream"]]


def predicted(report: Report) -> list[tuple[float, float]]:
    return sorted((shown.highlight.span.start, shown.highlight.span.stop) for shown in report.highlights)


def cards(page: Page) -> list[str | None]:
    return [card.get_attribute("id") for card in page.locator("#highlights > li").all()]


def test_a_stream_with_highlights(show: Open) -> None:
    page = show(
        made_up(twitch_id="1863051677", offset=3600, tables=[Table("The model", ("", "F1"), (("model", "0.68"),))])
    )
    assert cards(page) == ["h1", "h2", "h3"]
    expect(page.locator("#none")).to_be_hidden()
    expect(page.locator("#tiles")).to_contain_text("Highlights3")
    best = page.locator("#h1")
    expect(best).to_contain_text("0:01:34 – 0:01:46")
    expect(best).to_contain_text("reached 0.90 at 0:01:35 (threshold 0.50)")
    link = best.get_by_role("link", name="Twitch")
    expect(link).to_have_attribute("href", "https://www.twitch.tv/videos/1863051677?t=1h1m34s")
    expect(page.get_by_role("table")).to_contain_text("0.68")


def test_an_address_can_name_a_moment(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text(render(made_up()), encoding="utf-8")
    page = browser.new_page()
    page.goto(f"{(tmp_path / 'report.html').as_uri()}#t=754.5")
    expect(page.locator("#readout")).to_contain_text("0:12:34")
    expect(page.get_by_role("slider", name="Time in the stream")).to_be_focused()
    page.evaluate("location.hash = 't=99999'")
    expect(page.locator("#readout")).to_contain_text("0:20:00")
    page.evaluate("location.hash = 't=1e9)'")
    expect(page.locator("#readout")).to_contain_text("0:20:00")
    page.close()


def test_order_of_time(show: Open) -> None:
    page = show(made_up())
    starts = [float(card.get_attribute("data-start") or "nan") for card in page.locator("#highlights > li").all()]
    assert starts != sorted(starts)
    page.get_by_role("button", name="In order of time").click()
    starts = [float(card.get_attribute("data-start") or "nan") for card in page.locator("#highlights > li").all()]
    assert starts == sorted(starts)


def test_a_stream_without_highlights_says_why(show: Open) -> None:
    page = show(made_up([(100, 0.31)]))
    assert cards(page) == []
    expect(page.locator("#none")).to_be_visible()
    expect(page.locator("#none")).to_contain_text(
        "The highest smoothed probability was 0.31, below the threshold 0.50."
    )


def test_names_from_strangers_are_only_text(show: Open) -> None:
    page = show(hostile())
    expect(page.locator("h1")).to_have_text(HOSTILE)
    page.get_by_role("slider", name="Time in the stream").focus()
    page.keyboard.press("PageDown")
    assert page.evaluate("window.owned") is None
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("width", [400, 1280])
def test_names_without_a_space_do_not_widen_the_page(width: int, show: Open) -> None:
    page = show(named("W" * 10_000))
    page.set_viewport_size({"width": width, "height": 900})
    page.locator("#chart").scroll_into_view_if_needed()
    page.locator("#chart").hover(position={"x": 200, "y": 60})
    expect(page.locator("#tip")).to_be_visible()
    page.get_by_role("slider", name="Time in the stream").press("PageDown")
    page.get_by_role("button", name="Correct by hand").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    elements = "[...document.querySelectorAll('body *:not(.scroll *)')]"
    wide = f"{elements}.filter(element => element.getBoundingClientRect().right > innerWidth)"
    assert page.evaluate(f"{wide}.map(e => e.id || e.className || e.tagName)") == []


def test_corrections_are_saved_as_labels(show: Open) -> None:
    report = made_up()
    first, second, third = predicted(report)
    page = show(report)
    expect(page.locator("#editor")).to_be_hidden()
    page.get_by_role("button", name="Correct by hand").click()
    assert borders(saved(page)) == predicted(report)

    page.locator("#h2").get_by_role("button", name="Remove").click()
    page.get_by_role("button", name="Start of highlight 1 one second earlier").click()
    stop = page.get_by_label("Stop of highlight 1", exact=True)
    stop.fill("0:02:03.25")
    stop.press("Enter")
    page.get_by_role("slider", name="Time in the stream").focus()
    page.keyboard.press("End")
    page.get_by_role("button", name="Add a highlight at the cursor").click()
    page.get_by_label("Start of added highlight", exact=True).fill("10:00")
    page.get_by_label("Start of added highlight", exact=True).press("Tab")
    expect(page.locator("#changes")).to_contain_text("1 removed, 1 moved, 1 added. 3 highlights will be saved.")
    added = (600.0, 1200.0)
    assert borders(saved(page)) == [(first[0] - 1, 123.25), second, added]
    assert third not in borders(saved(page))
    expect(page.locator("#changes")).to_contain_text("lolhl labels my-stream.tsv")

    page.locator("#h2").get_by_role("button", name="Put back").click()
    page.get_by_role("button", name="Undo all changes").click()
    assert borders(saved(page)) == predicted(report)


def test_labels_that_are_saved_stand_for_the_whole_stream_and_the_page_says_so(show: Open) -> None:
    page = show(made_up())
    page.get_by_role("button", name="Correct by hand").click()
    expect(page.get_by_role("button", name="Save labels of the whole stream", exact=True)).to_be_visible()
    expect(page.locator("#editor")).to_contain_text("which stands for the whole stream")
    page.locator("#h1").get_by_role("button", name="Remove").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save labels").click()
    assert "looked_at" not in download.value.path().read_text()
    expect(page.locator("#changes")).to_contain_text("Saved 2 highlights as my-stream.tsv, for the whole stream.")


def test_an_impossible_time_is_refused_in_words(show: Open) -> None:
    report = made_up()
    page = show(report)
    page.get_by_role("button", name="Correct by hand").click()
    start = page.get_by_label("Start of highlight 1", exact=True)
    for text, complaint in [
        ("soon", "is no time"),
        ("0:61:00", "is no time"),
        ("0:19:00", "the stop must be later than the start"),
        ("9:00:00", "the stream lasts from 0:00:00 to 0:20:00"),
    ]:
        start.fill(text)
        start.press("Enter")
        expect(page.locator("#h1 [role=alert]")).to_contain_text(complaint)
        expect(start).to_have_attribute("aria-invalid", "true")
    assert borders(saved(page)) == predicted(report)


def test_all_removed_is_a_stream_without_highlights(show: Open) -> None:
    page = show(made_up([(100, 0.9)]))
    page.get_by_role("button", name="Correct by hand").click()
    page.locator("#h1").get_by_role("button", name="Remove").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save labels").click()
    expect(page.locator("#changes")).to_contain_text("lolhl labels my-stream.tsv --vod my-stream")
    data = download.value.path().read_bytes()
    assert read_table(data, "my-stream.tsv", vod="my-stream") == {"my-stream": []}


def test_missed_labels_can_be_added(show: Open) -> None:
    page = show(made_up(labels=[Span(93, 107), Span(600, 612.5)]))
    expect(page.locator("#h1")).to_contain_text("✓ labelled")
    expect(page.locator("#h2")).to_contain_text("not labelled")
    expect(page.locator("#missed")).to_contain_text("0:10:00 – 0:10:12")
    page.get_by_role("button", name="Correct by hand").click()
    page.get_by_role("button", name="Add the 1 missed label").click()
    expect(page.locator("#missed")).to_be_hidden()
    assert (600, 612.5) in borders(saved(page))


def test_a_label_matches_one_highlight_as_in_the_figures(show: Open) -> None:
    """Both highlights overlap the label enough; the figures count one of them."""
    report = made_up([(100, 0.9), (116, 0.8)], labels=[Span(94, 124)])
    assert len(report.highlights) == 2
    page = show(report)
    assert sorted(page.locator(".item .yes, .item .no").all_text_contents()) == ["not labelled", "✓ labelled"]
    expect(page.locator("#missed")).to_be_hidden()


def test_corrections_go_on_from_the_matches(show: Open) -> None:
    page = show(made_up(labels=[Span(93, 107)]))
    page.get_by_role("button", name="Correct by hand").click()
    page.get_by_role("button", name="Start of highlight 1 one second earlier").click()
    expect(page.locator("#h1 .shot")).to_contain_text("moved")
    expect(page.locator("#missed")).to_be_hidden()
    page.locator("#h1").get_by_role("button", name="Remove").click()
    expect(page.locator("#missed")).to_contain_text("0:01:33 – 0:01:47")
    page.locator("#h1").get_by_role("button", name="Put back").click()
    expect(page.locator("#missed")).to_be_hidden()


def test_the_timeline_works_without_a_mouse(show: Open) -> None:
    report = made_up()
    page = show(report)
    chart = page.get_by_role("slider", name="Time in the stream")
    chart.focus()
    page.keyboard.press("Home")
    page.keyboard.press("PageDown")
    expect(chart).to_have_attribute("aria-valuenow", str(round(predicted(report)[0][0])))
    expect(chart).to_have_attribute("aria-valuetext", "0:01:34, probability 0.10, in highlight 1")
    page.keyboard.press("PageDown")
    expect(page.locator("#readout")).to_contain_text("0:06:34")
    page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("#readout")).not_to_contain_text("0:06:34")
    page.keyboard.press("PageUp")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.closest('.item').id") == "h3"


def test_zooming_shows_what_is_there(show: Open) -> None:
    page = show(made_up([(t, 0.9) for t in range(100, 20_000, 97)], seconds=6 * 3600))
    picture = "document.getElementById('chart').toDataURL()"
    whole = page.evaluate(picture)
    page.get_by_role("button", name="Zoom in").click()
    closer = page.evaluate(picture)
    assert whole != closer
    page.get_by_role("button", name="Whole stream").click()
    assert page.evaluate(picture) == whole


def test_an_edge_can_be_dragged(show: Open) -> None:
    report = made_up([(600, 0.9)])
    ((start, stop),) = predicted(report)
    page = show(report)
    page.get_by_role("button", name="Correct by hand").click()
    page.locator("#h1").get_by_role("button", name="Show in timeline").click()
    page.wait_for_timeout(500)  # it scrolls there
    box = page.locator("#chart").bounding_box()
    assert box
    a, b, gutter = start - 30, stop + 30, 62
    x = box["x"] + gutter + (stop - a) / (b - a) * (box["width"] - gutter)
    page.mouse.move(x, box["y"] + 80)
    page.mouse.down()
    page.mouse.move(x + (box["width"] - gutter) / (b - a) * 10, box["y"] + 80, steps=4)
    page.mouse.up()
    ((saved_start, saved_stop),) = borders(saved(page))
    assert saved_start == start
    assert saved_stop == pytest.approx(stop + 10, abs=0.3)


def test_dark_and_light(show: Open) -> None:
    page = show(made_up())
    grounds = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        grounds.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert grounds[0] != grounds[1]


@pytest.mark.slow
def test_a_clip_plays_beside_the_page(browser: Browser, tmp_path: Path) -> None:
    numbered_video(tmp_path / "clip 1.mp4", seconds=4)
    report = made_up([(100, 0.9)])
    (shown,) = report.highlights
    (tmp_path / "report.html").write_text(
        render(made_up([(100, 0.9)], highlights=[PageHighlight(shown.highlight, None, "clip%201.mp4")]))
    )
    page = browser.new_page()
    serve = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), serve) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        for address in ((tmp_path / "report.html").as_uri(), f"http://127.0.0.1:{server.server_port}/report.html"):
            page.goto(address)
            page.get_by_role("button", name="Play highlight 1").click()
            deadline = time.monotonic() + 15
            while page.evaluate("document.getElementById('video').currentTime") < 0.2:
                assert time.monotonic() < deadline
                page.wait_for_timeout(50)
            page.keyboard.press("Escape")
            expect(page.locator("#player")).to_be_hidden()
        server.shutdown()
    page.close()


def test_games_are_bands_on_the_timeline(show: Open) -> None:
    page = show(made_up(games=[Span(60, 500, "game 1, to 7:20"), Span(600, 1000, "game 2, to 6:40")]))
    box = page.locator("#chart").bounding_box()
    assert box
    for share, name in ((1 / 3, "game 1, to 7:20"), (2 / 3, "game 2, to 6:40")):
        page.mouse.move(box["x"] + box["width"] * share, box["y"] + 40)
        expect(page.locator("#tip")).to_contain_text(name)
    page.mouse.move(box["x"] + box["width"] - 3, box["y"] + 40)
    expect(page.locator("#tip")).not_to_contain_text("game")


def test_clips_of_viewers_are_marks_that_mouse_and_keys_reach(show: Open) -> None:
    clips = [
        ViewerClip("First", 300, 330, "First blood", 1),
        ViewerClip("Baron", 600, 628, HOSTILE, 1234),
        ViewerClip("Baron2", 605, 640, "the same again", 7),
    ]
    page = show(made_up(viewer_clips=clips))
    chart, readout, tip = (
        page.get_by_role("slider", name="Time in the stream"),
        page.locator("#readout"),
        page.locator("#tip"),
    )
    box = chart.bounding_box()
    assert box
    lane, gutter = box["y"] + 190 + 12 + 24 + 12, 62
    x = box["x"] + gutter + 620 / 1200 * (box["width"] - gutter)
    page.mouse.move(x, lane)
    expect(tip).to_contain_text(f"clip “{HOSTILE[:60]}…”, 1,234 views, and 1 more")
    page.mouse.click(x, lane)
    expect(readout).to_contain_text("0:10:00")
    expect(readout).to_contain_text("1,234 views")
    expect(page.get_by_role("link", name="Open the clip")).to_have_attribute("href", "https://clips.twitch.tv/Baron")
    page.mouse.click(x + 80, lane)
    expect(readout).not_to_contain_text("clip")
    expect(page.get_by_role("link", name="Open the clip")).to_have_count(0)
    chart.press("Home")
    chart.press("c")
    expect(chart).to_have_attribute("aria-valuetext", "0:05:00, probability 0.10, clip “First blood”, 1 view")
    chart.press("c")
    chart.press("c")
    expect(readout).to_contain_text("0:10:05")
    chart.press("Shift+C")
    chart.press("Shift+C")
    expect(readout).to_contain_text("0:05:00")
    expect(page.locator("#clip-keys")).to_be_visible()
    assert page.evaluate("window.owned") is None


def test_a_stream_without_clips_of_viewers_says_nothing_of_them(show: Open) -> None:
    page = show(made_up())
    expect(page.locator("#clip-keys")).to_be_hidden()
    page.get_by_role("slider", name="Time in the stream").press("c")
    expect(page.locator("#readout")).not_to_contain_text("clip")
