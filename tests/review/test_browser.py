"""The review page in a real browser: what an editor corrects is saved while it is made."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from lolhl import layout, manifest
from lolhl.exports.formats import FORMATS
from lolhl.labels.spans import Span
from lolhl.labels.store import load_labels, read_labels, save_labels
from lolhl.results import Retraining, Shorts
from lolhl.review.cameras import Camera, load_camera
from lolhl.review.corrections import Corrections, load_corrections
from lolhl.stages.export import ExportConfig, export
from lolhl.stages.report import ReportConfig, report
from lolhl.storage import Root, open_root
from lolhl.vod import ffmpeg
from lolhl.vod.probe import probe
from tests.browser import chromium
from tests.review.served import Served, serving
from tests.review.silent import silent_server
from tests.stages.report_root import bumps, make_root
from tests.streams import action_video, add_stream, some_spans

expect.set_options(timeout=30_000)  # a page waits for its server, and that for two cores that others use too


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@contextmanager
def opened(browser: Browser, served: Served, **device: Any) -> Iterator[Page]:
    """The list of streams. No request leaves the server, and no script fails."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **device})
    context.set_default_timeout(15_000)
    asked: list[str] = []
    errors: list[str] = []
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(served.session.address)
    yield page
    assert errors == []
    assert [url for url in asked if not url.startswith((served.url, "data:"))] == []
    context.close()


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """The page of the stream, opened from the list, while corrections can be made."""
    with opened(browser, served) as page:
        page.get_by_role("link", name="A stream").click()
        page.get_by_role("button", name="Correct by hand").click()
        yield page


def choose(page: Page, card: str) -> None:
    page.locator(f"#{card}").get_by_role("button", name="Show in timeline").click()


def expect_saved(page: Page) -> None:
    expect(page.locator("#saving")).to_have_text("All corrections are saved.")


def verdicts(root: Root) -> list[tuple[float, float, str]]:
    """Start, stop and verdict of each correction, in order of time."""
    spans = load_corrections(root, "stream")[0].spans
    return sorted((span.start, span.stop, span.verdict) for span in spans)


def borders(root: Root) -> dict[str, tuple[float, float]]:
    """Start and stop of each highlight as it was found, by the id of its card."""
    highlights = json.loads(root.read("highlights/stream/report.json"))["result"]["highlights"]
    return {f"h{highlight['rank']}": (highlight["start"], highlight["stop"]) for highlight in highlights}


def test_verdicts_by_keys_are_saved_and_come_back(page: Page, root: Root) -> None:
    cut = borders(root)
    choose(page, "h1")
    page.keyboard.press("a")
    expect(page.locator("#h1")).to_contain_text("accepted")
    choose(page, "h2")
    page.keyboard.press("x")
    expect_saved(page)
    assert verdicts(root) == sorted([(*cut["h1"], "accepted"), (*cut["h2"], "rejected")])
    page.reload()
    expect(page.locator("#h1")).to_contain_text("accepted")
    expect(page.locator("#h2")).to_contain_text("removed")
    expect(page.locator("#h3")).not_to_contain_text("accepted")


def test_every_step_is_undone_and_redone(page: Page, root: Root) -> None:
    first = borders(root)["h1"]
    choose(page, "h1")
    for key in ("w", "w", "x"):
        page.keyboard.press(key)
    expect_saved(page)
    expect(page.locator("#h1")).to_contain_text("removed")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    expect(page.locator("#h1")).to_contain_text("moved")
    expect_saved(page)
    page.keyboard.press("Control+z")
    expect(page.locator("#changes")).to_contain_text("No changes yet")
    page.keyboard.press("Control+y")
    expect(page.locator("#changes")).to_contain_text("1 moved")
    page.reload()
    expect(page.locator("#changes")).to_contain_text("1 moved")
    assert verdicts(root) == [(first[0] - 1, first[1] + 1, "accepted")]


def test_spans_are_added_split_and_joined(page: Page, root: Root) -> None:
    page.locator("#chart").focus()
    page.keyboard.press("Home")
    for _ in range(24):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("n")
    added = page.locator("#highlights > li").first
    expect(added).to_contain_text("added")
    expect_saved(page)
    ((start, stop, _),) = verdicts(root)
    assert stop - start == pytest.approx(10)
    page.locator("#chart").focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("b")
    expect(page.locator("#changes")).to_contain_text("2 added")
    expect_saved(page)
    (a, b, _), (c, d, _) = verdicts(root)
    assert (a, b, d) == (start, c, stop)
    page.keyboard.press("m")
    expect(page.locator("#changes")).to_contain_text("1 added")
    expect_saved(page)
    page.reload()
    expect(page.locator("#changes")).to_contain_text("1 added")
    assert verdicts(root) == [(start, stop, "accepted")]


def test_the_second_of_two_tabs_says_that_it_is_old(page: Page, root: Root) -> None:
    other = page.context.new_page()
    other.goto(page.url)
    other.get_by_role("button", name="Correct by hand").click()
    choose(page, "h1")
    page.keyboard.press("a")
    expect_saved(page)
    choose(other, "h2")
    other.keyboard.press("x")
    expect(other.locator("#saving")).to_contain_text("Not saved: the corrections of stream were saved elsewhere")
    assert [verdict for *_, verdict in verdicts(root)] == ["accepted"]
    other.close(run_before_unload=False)


def test_labels_are_made_of_what_was_looked_at(page: Page, root: Root) -> None:
    cut = borders(root)
    choose(page, "h1")
    page.keyboard.press("a")
    choose(page, "h2")
    page.keyboard.press("x")
    seconds = sum(stop - start + 10 for start, stop in (cut["h1"], cut["h2"]))
    expect(page.locator("#looked")).to_contain_text(f"You have looked at {seconds:.0f} s of 1 min 00 s.")
    page.get_by_role("button", name="Use as labels").click()
    expect(page.locator("#changes")).to_contain_text("The labels of this stream are 1 highlight now.")
    expect(page.locator("#changes")).to_contain_text(f"They stand for the {seconds:.0f} s that you have looked at")
    labels, _ = read_labels(root, "stream", 60)
    assert labels.spans == [Span(*cut["h1"])]
    stretches = sorted((cut["h1"], cut["h2"]))
    assert labels.looked_at == [Span(round(start - 5, 3), round(stop + 5, 3)) for start, stop in stretches]


def test_who_has_looked_at_all_of_it_labels_the_whole_stream(page: Page, root: Root) -> None:
    cut = borders(root)
    choose(page, "h2")
    page.keyboard.press("x")
    everything = page.get_by_role("button", name="I have looked at all of it")
    everything.press("Enter")
    expect(everything).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#looked")).to_have_text("You have looked at all of it.")
    expect(page.locator("#h3")).to_contain_text("accepted")
    page.get_by_role("button", name="Use as labels").click()
    expect(page.locator("#changes")).to_contain_text("The labels of this stream are 2 highlights now. “Learn")
    labels, _ = read_labels(root, "stream", 60)
    assert labels.looked_at is None
    assert [(span.start, span.stop) for span in labels.spans] == sorted([cut["h1"], cut["h3"]])


def test_labels_of_a_whole_stream_stay_where_nothing_is_corrected(page: Page, root: Root) -> None:
    cut = borders(root)
    save_labels(root, "stream", [Span(1, 3), Span(*cut["h1"])])
    page.reload()
    page.get_by_role("button", name="Correct by hand").click()
    expect(page.locator("#looked")).to_contain_text("The labels of this stream stand for all of it")
    choose(page, "h1")
    page.keyboard.press("x")
    choose(page, "h3")
    page.keyboard.press("a")
    page.get_by_role("button", name="Use as labels").click()
    expect(page.locator("#changes")).to_contain_text("The labels of this stream are 2 highlights now. “Learn")
    labels, _ = read_labels(root, "stream", 60)
    assert (labels.spans, labels.looked_at) == ([Span(1, 3), Span(*cut["h3"])], None)


def test_what_was_looked_at_is_marked_by_keys_undone_redone_and_saved(page: Page, root: Root) -> None:
    choose(page, "h3")
    page.keyboard.press("+")
    page.keyboard.press("v")
    expect(page.locator("#looked")).to_contain_text("You have looked at 3")
    expect_saved(page)
    ((start, stop),) = load_corrections(root, "stream")[0].looked_at
    assert stop - start == pytest.approx(30)
    cut = borders(root)["h3"]
    assert start <= cut[0] < cut[1] <= stop
    assert verdicts(root)  # what is shown there is accepted
    page.keyboard.press("Control+z")
    expect(page.locator("#looked")).to_contain_text("You have looked at 0 s")
    expect_saved(page)
    assert load_corrections(root, "stream")[0].looked_at == ()
    assert verdicts(root) == []
    page.keyboard.press("e")
    expect(page.locator("#looked")).to_have_text("You have looked at all of it.")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+y")
    expect_saved(page)
    assert load_corrections(root, "stream")[0].looked_at == ((0, 60),)
    page.reload()
    page.get_by_role("button", name="Correct by hand").click()
    expect(page.locator("#looked")).to_have_text("You have looked at all of it.")
    page.keyboard.press("e")  # takes the mark back, and no verdict
    expect(page.get_by_role("button", name="I have looked at all of it")).to_have_attribute("aria-pressed", "false")
    expect_saved(page)
    assert load_corrections(root, "stream")[0].looked_at == ()
    assert [verdict for *_, verdict in verdicts(root)] == ["accepted"] * 3


def drag_on_the_lane(page: Page, start: float, stop: float, *keys: str) -> None:
    """Drags on the lane of what was looked at, from a second of the 60 to another, and presses keys before the end."""
    page.locator("#chart").scroll_into_view_if_needed()
    box = page.locator("#chart").bounding_box()
    assert box
    gutter, lane = 62, box["y"] + 190 + 12 + 24 + 12
    x, until = (box["x"] + gutter + seconds / 60 * (box["width"] - gutter) for seconds in (start, stop))
    page.mouse.move(x, lane)
    page.mouse.down()
    page.mouse.move(until, lane - 60, steps=4)
    for key in keys:
        page.keyboard.press(key)
    page.mouse.up()


def test_a_stretch_that_was_looked_at_is_marked_by_dragging(page: Page, root: Root) -> None:
    def looked_at() -> list[tuple[float, float]]:
        expect_saved(page)
        return sorted(load_corrections(root, "stream")[0].looked_at)

    looked = page.locator("#looked")
    page.get_by_role("button", name="Done correcting").click()
    undo = page.locator("#undo")
    drag_on_the_lane(page, 15, 25)  # which is no correction then
    expect(undo).to_be_disabled()
    page.get_by_role("button", name="Correct by hand").click()
    drag_on_the_lane(page, 15, 25, "Escape")
    expect(undo).to_be_disabled()
    drag_on_the_lane(page, 24, 16)  # backwards
    expect(looked).to_contain_text("You have looked at 8 s")
    assert looked_at() == [pytest.approx((16, 24), abs=0.15)]
    assert verdicts(root) == []
    drag_on_the_lane(page, 44, 70)  # over the last highlight, and on beyond the end
    expect(looked).to_contain_text("You have looked at 2")
    assert looked_at() == [pytest.approx((16, 24), abs=0.15), pytest.approx((44, 60), abs=0.15)]
    assert verdicts(root) == [(*borders(root)["h2"], "accepted")]
    page.keyboard.press("Control+z")
    expect(looked).to_contain_text("You have looked at 8 s")
    assert looked_at() == [pytest.approx((16, 24), abs=0.15)]
    assert verdicts(root) == []
    page.keyboard.press("Control+y")
    expect(looked).to_contain_text("You have looked at 2")
    assert len(looked_at()) == 2
    page.reload()
    page.get_by_role("button", name="Correct by hand").click()
    expect(looked).to_contain_text("You have looked at 2")


def test_a_highlight_plays(page: Page) -> None:
    page.get_by_role("button", name="Play highlight 1").click()
    deadline = time.monotonic() + 30
    # Not `wait_for_function`, which evaluates text in the page: its policy forbids that.
    while not page.locator("#video").evaluate("(video) => video.currentTime > 0 && !video.error"):
        assert time.monotonic() < deadline
        page.wait_for_timeout(100)


def camera_fields(page: Page) -> list[Locator]:
    section = page.get_by_role("region", name="Camera for shorts")
    return [section.get_by_label(f"{side} (%)") for side in ("Left", "Top", "Width", "Height")]


def test_a_camera_is_drawn_on_the_picture_and_kept(page: Page, root: Root) -> None:
    section = page.get_by_role("region", name="Camera for shorts")
    section.get_by_role("button", name="Show the picture at the cursor").click()
    still = page.locator("#still")
    expect(still).to_be_visible()
    deadline = time.monotonic() + 30
    while not still.locator("video").evaluate("(video) => video.readyState > 1 && video.paused && !video.seeking"):
        assert time.monotonic() < deadline
        page.wait_for_timeout(100)
    still.scroll_into_view_if_needed()
    box = still.bounding_box()
    assert box
    assert box["width"] / box["height"] == pytest.approx(320 / 240, abs=0.02)
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.9)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + box["height"] * 0.7)
    page.mouse.move(box["x"] + box["width"] * 1.1, box["y"] + box["height"] * 0.6)  # beyond the picture
    page.mouse.up()
    wanted = [70, 60, 30, 30]
    assert [float(field.input_value()) for field in camera_fields(page)] == pytest.approx(wanted, abs=0.6)
    section.get_by_role("button", name="Save the camera").click()
    expect(section.get_by_role("status")).to_contain_text("Saved for this stream. “Make shorts” uses it.")
    stored = load_camera(root, "cameras/vod-stream.json")[0]
    assert stored.rectangle == pytest.approx([share / 100 for share in wanted], abs=0.006)
    page.reload()
    assert [float(field.input_value()) for field in camera_fields(page)] == pytest.approx(wanted, abs=0.6)


def test_a_camera_is_set_by_keys_alone(page: Page, root: Root) -> None:
    section = page.get_by_role("region", name="Camera for shorts")
    camera_fields(page)[0].focus()
    for number in ("75", "70", "50", "30"):
        page.keyboard.type(number)
        page.keyboard.press("Tab")
    page.get_by_role("button", name="Save the camera").press("Enter")
    expect(section.get_by_role("alert")).to_have_text("The rectangle reaches beyond the picture.")
    expect(camera_fields(page)[2]).to_have_attribute("aria-invalid", "true")
    assert list(root.list("cameras/")) == []
    camera_fields(page)[2].fill("25")
    page.get_by_role("button", name="Save the camera").press("Enter")
    expect(section.get_by_role("status")).to_contain_text("Saved for this stream.")
    assert load_camera(root, "cameras/vod-stream.json")[0].rectangle == (0.75, 0.7, 0.25, 0.3)
    page.get_by_role("button", name="No camera").press("Enter")
    expect(section.get_by_role("status")).to_contain_text("there is no camera in this stream")
    assert load_camera(root, "cameras/vod-stream.json")[0] == Camera(2, None)


def test_the_second_of_two_tabs_keeps_no_camera(page: Page, root: Root) -> None:
    other = page.context.new_page()
    other.goto(page.url)
    for tab, width in ((page, "20"), (other, "30")):
        for field, number in zip(camera_fields(tab), ("0", "0", width, "20"), strict=True):
            field.fill(number)
        tab.get_by_role("button", name="Save the camera").click()
        section = tab.get_by_role("region", name="Camera for shorts")
        expect(section).to_contain_text("Saved for this stream." if tab is page else "Not saved: the camera was set")
    stored = load_camera(root, "cameras/vod-stream.json")[0]
    assert stored.rectangle == pytest.approx((0, 0, 0.2, 0.2))


def test_shorts_are_made_on_the_page_with_the_camera_that_is_drawn_there(
    page: Page, root: Root, tmp_path: Path
) -> None:
    cut = borders(root)
    for field, number in zip(camera_fields(page), ("75", "70", "25", "30"), strict=True):
        field.fill(number)  # and nobody saves it
    section, status = page.get_by_role("region", name="Shorts", exact=True), page.locator("#job [role=status]")
    section.get_by_label("How many of the best").fill("2")
    section.get_by_label("Title over each").fill("-{rank}: “it's 100 %”")
    section.get_by_role("button", name="Make shorts").press("Enter")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    expect(status).to_contain_text("Making shorts of A stream")
    page.reload()
    expect(page.get_by_role("button", name="Make shorts")).to_be_disabled()
    expect(status).to_have_text("Making shorts of A stream is done.", timeout=100_000)
    expect(page.get_by_role("list", name="Shorts").get_by_role("link")).to_have_count(2)
    expect(page.locator("#highlights").get_by_role("link", name="Short of highlight")).to_have_count(2)
    with page.expect_download() as download:
        page.locator("#h1").get_by_role("link", name="Short of highlight 1").click()
    download.value.save_as(tmp_path / "short.mp4")
    short = probe(tmp_path / "short.mp4")
    assert (short.width, short.height) == (1080, 1920)
    assert short.duration == pytest.approx(cut["h1"][1] - cut["h1"][0], abs=0.15)
    made = manifest.load(root, layout.shorts("stream"), Shorts)
    assert made.result.camera == (0.75, 0.7, 0.25, 0.3)
    assert made.config["shorts_title"] == "-{rank}: “it's 100 %”"
    page.reload()
    expect(page.locator("#highlights").get_by_role("link", name="Short of highlight")).to_have_count(2)
    page.get_by_role("link", name="Short of highlight 1").first.wait_for()


def test_shorts_that_take_long_are_cancelled_and_what_is_wrong_begins_none(page: Page, root: Root) -> None:
    section, status = page.get_by_role("region", name="Shorts", exact=True), page.locator("#job [role=status]")
    make = section.get_by_role("button", name="Make shorts")
    section.get_by_label("How many of the best").fill("1.5")
    make.click()
    expect(section.get_by_role("alert")).to_contain_text("Write how many shorts as a whole number")
    section.get_by_label("How many of the best").fill("")
    camera_fields(page)[0].fill("120")
    make.click()
    expect(section.get_by_role("alert")).to_contain_text("The camera above is not saved")
    expect(status).to_have_count(0)
    page.get_by_role("button", name="No camera").click()
    make.click()
    expect(status).to_contain_text("Making shorts of A stream")
    page.get_by_role("button", name="Cancel").click()
    expect(status).to_contain_text("was cancelled", timeout=30_000)
    assert root.stat(layout.shorts("stream")) is None
    expect(make).to_be_enabled()


def test_learning_says_first_which_corrections_are_no_labels(page: Page, root: Root) -> None:
    choose(page, "h1")
    page.keyboard.press("a")
    page.get_by_role("button", name="Learn from this").click()
    offer = page.get_by_role("group", name="Corrections that are not labels")
    expect(offer).to_contain_text("this stream: 1 correction")
    expect(offer.get_by_role("button", name="Use as labels, then learn")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#changes")).to_contain_text("The labels of this stream are 1 highlight now.")
    expect(offer).to_be_hidden()
    assert len(load_labels(root, "stream", 60)) == 1
    failure = page.locator("#job [role=status]")
    expect(failure).to_contain_text("Learning failed", timeout=60_000)
    expect(failure).to_contain_text("has 1 labelled VODs with a video, and retraining needs two")
    page.reload()  # the server knows it
    expect(failure).to_contain_text("retraining needs two")
    page.get_by_role("button", name="Learn from this").click()  # nothing is left to be said
    expect(failure).to_contain_text("Learning has begun")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Enter")
    expect(failure).to_contain_text("Learning was cancelled", timeout=30_000)
    expect(failure).to_be_focused()


def test_a_stream_goes_in_on_the_page_and_its_highlights_come_out(
    browser: Browser, served: Served, tmp_path: Path
) -> None:
    film = action_video(tmp_path / "film.mp4", some_spans(60, 1), seconds=60, seed=1)
    with opened(browser, served) as page:
        row = page.get_by_role("row", name="film")
        expect(row).to_have_count(0)
        page.get_by_label("Stream", exact=True).fill(str(film))
        page.get_by_label("Model").select_option("none: loudness and chat")
        page.get_by_label("Ask Twitch for the clips of its viewers, too").check()  # a warning, for a file
        page.get_by_role("button", name="Start").press("Enter")
        status = page.locator("#job [role=status]")
        expect(status).to_contain_text(f"Finding highlights of {film}")
        expect(page.get_by_role("button", name="Cancel")).to_be_focused()
        expect(page.get_by_role("button", name="Start")).to_be_disabled()
        page.reload()
        expect(status).to_contain_text("is done.", timeout=120_000)
        for cell in ("0:01:00", "by unsupervised", "highlights"):
            expect(row).to_contain_text(cell)
        page.get_by_role("link", name="Open the highlights").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("film")
        assert page.url == f"{served.url}/highlights/film/report.html"


def test_what_is_no_stream_is_said_in_one_line(browser: Browser, served: Served) -> None:
    with opened(browser, served) as page:
        stream, status = page.get_by_label("Stream", exact=True), page.locator("#job [role=status]")
        stream.fill("/nowhere/film.mp4")
        stream.press("Enter")
        expect(status).to_contain_text(
            "Finding highlights of /nowhere/film.mp4 failed: '/nowhere/film.mp4' is no file", timeout=60_000
        )
        stream.fill("   ")
        page.get_by_role("button", name="Start").click()
        expect(page.locator("#start-problem")).to_contain_text("Nothing is begun: name a stream")


def test_a_stream_that_takes_long_is_cancelled(browser: Browser, served: Served) -> None:
    with silent_server() as (url, listener), opened(browser, served) as page:
        page.get_by_label("Stream", exact=True).fill(url)
        page.get_by_label("Stream", exact=True).press("Enter")
        with listener.accept()[0]:
            page.get_by_role("button", name="Cancel").click()
            expect(page.locator("#job [role=status]")).to_contain_text("was cancelled", timeout=30_000)
        expect(page.get_by_role("button", name="Start")).to_be_enabled()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_learning_goes_on_while_pages_come_and_go_and_ends_with_old_and_new(browser: Browser, tmp_path: Path) -> None:
    root = open_root(str(tmp_path / "root"))
    for seed, name in enumerate("ab", start=1):
        add_stream(root, tmp_path, name, seconds=120, seed=seed)
    with serving(root) as served, opened(browser, served) as page:
        status = page.locator("#job [role=status]")
        page.get_by_role("button", name="Learn from this").click()
        expect(page.get_by_role("list", name="Steps").get_by_role("listitem").first).to_be_visible(timeout=100_000)
        page.reload()
        expect(page.get_by_role("button", name="Learn from this")).to_be_disabled()
        page.get_by_role("button", name="Cancel").click()
        expect(status).to_contain_text("Learning was cancelled", timeout=60_000)
        page.get_by_role("button", name="Learn from this").click()
        other = page.context.new_page()
        other.goto(served.url)
        expect(other.locator("#job [role=status]")).to_contain_text("Learning")
        expect(other.locator("#job table")).to_contain_text("Average precision (95 %)", timeout=240_000)
        expect(status).to_have_text("Learning is done.")
        expect(page.locator("#job th[scope=col]")).to_contain_text(["New model", "Random ranking"])
    model = manifest.load(root, layout.RETRAINING, Retraining).result.model
    assert root.stat(layout.model(model))


def test_highlights_are_downloaded_for_other_programs(page: Page, root: Root, tmp_path: Path) -> None:
    formats = page.locator("#formats button")
    expect(formats).to_have_count(len(FORMATS))
    with page.expect_download() as download:
        formats.filter(has_text="LosslessCut's segments").press("Enter")
    assert download.value.suggested_filename == "stream-losslesscut.csv"
    download.value.save_as(tmp_path / "cuts.csv")
    (written,) = export(root, "stream", ExportConfig(format="llc-csv"))
    assert (tmp_path / "cuts.csv").read_bytes() == root.read(written.key)
    expect(page.locator("#exported")).to_contain_text("stream-losslesscut.csv is downloaded")
    formats.filter(has_text="those of the reel").click()
    expect(page.locator("#exported")).to_contain_text("There is no youtube-reel: VOD stream has no reel")


def test_buttons_export_what_was_corrected_and_what_was_found_if_asked(page: Page, root: Root, tmp_path: Path) -> None:
    button = page.locator("#formats button", has_text="LosslessCut's segments")

    def exported(key: str = "") -> list[tuple[float, float]]:
        """What the button gives that is pressed in the same moment as a key."""
        press = "(button, key) => { document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));"
        with page.expect_download() as download:
            button.evaluate(f"{press} button.click(); }}", key)
        download.value.save_as(tmp_path / "cuts.csv")
        rows = [line.split(",") for line in (tmp_path / "cuts.csv").read_text().splitlines()]
        return [(float(start), float(stop)) for start, stop, *_ in rows]

    cut = borders(root)
    what = page.locator("#what-is-exported")
    expect(what).to_have_text("The 3 highlights as kills found them.")
    choose(page, "h2")
    page.keyboard.press("x")
    choose(page, "h1")
    assert exported("w") == sorted([(cut["h1"][0] - 1, cut["h1"][1] + 1), cut["h3"]])
    expect(what).to_have_text("The 2 highlights as you left them: 1 rejected left out, 1 moved.")
    expect(page.locator("#exported")).to_contain_text("with the highlights as you left them.")
    page.get_by_label("as the model found them").check()
    assert exported() == sorted(cut.values())
    expect(what).to_have_text("The 3 highlights as kills found them.")
    expect(page.locator("#exported")).to_contain_text("with the highlights as kills found them.")


def next_moment(page: Page) -> Locator:
    return page.locator("#moments li[aria-current]")


def test_a_list_is_gone_through_by_keys(page: Page, root: Root) -> None:
    cut = borders(root)
    page.get_by_role("button", name="Done correcting").click()  # a list begins to correct by itself
    page.get_by_role("button", name="Surest").click()
    moments = page.locator("#moments li")
    expect(moments).to_contain_text(["0.90 · highlight 1", "0.80 · highlight 2", "0.70 · highlight 3"])
    moments.first.get_by_role("button").press("Enter")
    expect(page.locator("#h1")).to_have_class(re.compile("selected"))
    page.keyboard.press("a")
    expect(next_moment(page)).to_contain_text("highlight 2")
    expect(next_moment(page).get_by_role("button")).to_be_focused()
    page.keyboard.press("x")
    page.keyboard.press("a")
    expect(page.locator("#feed-note")).to_have_text("That was the last one of this list.")
    expect(moments).to_contain_text(["accepted", "rejected", "accepted"])
    expect_saved(page)
    assert {verdict[2] for verdict in verdicts(root)} == {"accepted", "rejected"}
    assert (*cut["h2"], "rejected") in verdicts(root)
    page.reload()
    page.get_by_role("button", name="Surest").click()
    expect(moments).to_have_count(0)
    expect(page.locator("#feed-empty")).to_be_visible()


def test_a_moment_without_a_verdict_is_neither_kept_nor_saved(page: Page, root: Root) -> None:
    page.get_by_role("button", name="Random").click()
    moments = page.locator("#moments li")
    count = moments.count()
    assert count == 2
    moments.nth(0).get_by_role("button").click()
    proposed = page.locator("#highlights > li", has_text="proposed by a list")
    expect(proposed).to_have_count(1)
    moments.nth(1).get_by_role("button").click()
    expect(proposed).to_have_count(1)
    expect(page.locator("#changes")).to_have_text("No changes yet. 0 highlights accepted.")
    page.get_by_role("button", name="Use as labels").click()
    expect(page.locator("#saving")).to_contain_text("The labels are not saved: nothing was looked at yet")
    assert root.stat(layout.labels("stream")) is None
    assert verdicts(root) == []
    page.keyboard.press("x")
    expect(page.locator("#feed-note")).to_have_text("That was the last one of this list.")
    moments.nth(0).get_by_role("button").click()
    page.keyboard.press("a")
    expect(page.locator("#changes")).to_have_text("Changes: 1 added. 1 highlight accepted.")
    expect_saved(page)
    assert [verdict for *_, verdict in sorted(verdicts(root), key=lambda span: span[2])] == ["accepted", "rejected"]
    page.reload()
    page.get_by_role("button", name="Random").click()
    expect(moments).to_have_count(0)
    page.get_by_role("button", name="Correct by hand").click()
    expect(page.locator("#changes")).to_have_text("Changes: 1 added. 1 highlight accepted.")
    choose(page, "h1")
    page.keyboard.press("a")
    expect_saved(page)
    assert len(verdicts(root)) == 3  # the rejected moment, which has no card any more, stays rejected


def test_a_verdict_on_a_moment_of_a_list_is_undone(page: Page, root: Root) -> None:
    page.get_by_role("button", name="Random").click()
    page.locator("#moments li").first.get_by_role("button").click()
    page.keyboard.press("a")
    expect_saved(page)
    assert len(verdicts(root)) == 1
    page.keyboard.press("Control+z")
    expect(page.locator("#changes")).to_have_text("No changes yet. 0 highlights accepted.")
    expect_saved(page)
    assert verdicts(root) == []


def test_all_lists_are_gone_through_by_the_keyboard_alone(browser: Browser, served: Served, root: Root) -> None:
    with opened(browser, served) as page:
        page.goto(f"{served.url}/highlights/stream/report.html")
        note, proposed = page.locator("#feed-note"), page.locator("#highlights > li.selected")
        page.keyboard.press("f")  # which begins to correct, too
        expect(next_moment(page)).to_be_visible()
        page.keyboard.press("p")
        expect(page.locator("#player")).to_be_visible()
        page.keyboard.press("f")  # passes one by
        seen = 0
        while True:
            expect(proposed).to_have_count(1)
            page.keyboard.press("ax"[seen % 2])
            seen += 1
            assert seen < 30
            if page.locator("#moments li[aria-current]").count() == 0:
                page.keyboard.press("f")
                if note.text_content() == "That was the last one of all lists.":
                    break
        expect_saved(page)
        saved = verdicts(root)
        assert len(saved) == seen >= 4
        assert {verdict for *_, verdict in saved} == {"accepted", "rejected"}
        page.get_by_role("button", name="Use as labels").press("Enter")
        expect(page.locator("#changes")).to_contain_text("The labels of this stream are")
    labels, _ = read_labels(root, "stream", 60)
    assert labels.looked_at


PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True, "device_scale_factor": 3}


def check_fits(page: Page) -> None:
    """Nothing is wider than the screen, and what is tapped is no smaller than a finger."""
    wide = page.locator("html").evaluate("(page) => page.scrollWidth")
    assert wide == 390
    small = [
        (button.text_content(), box)
        for button in page.locator("button:visible, .button:visible, select:visible").all()
        if (box := button.bounding_box()) and min(box["width"], box["height"]) < 39.9
    ]
    assert small == []


def test_highlights_are_corrected_on_a_phone(browser: Browser, served: Served, root: Root) -> None:
    cut = borders(root)
    with opened(browser, served, **PHONE) as page:
        check_fits(page)
        page.get_by_role("link", name="A stream").tap()
        expect(page.get_by_role("heading", level=1)).to_have_text("A stream")
        check_fits(page)
        page.get_by_role("button", name="Correct by hand").tap()
        check_fits(page)
        page.locator("#h1").get_by_role("button", name="Accept").tap()
        expect(page.locator("#h1")).to_contain_text("accepted")
        page.locator("#h2").get_by_role("button", name="Reject").tap()
        expect(page.locator("#h2")).to_contain_text("removed")
        page.locator("#h3").get_by_role("button", name="Widen").tap()
        expect(page.locator("#h3")).to_contain_text("moved")
        expect_saved(page)
        page.locator("#h1").get_by_role("button", name="Play").tap()
        expect(page.locator("#player")).to_be_visible()
        check_fits(page)
        page.get_by_role("button", name="Close the player").tap()
        page.get_by_role("button", name="Random").tap()
        page.locator("#moments button").first.tap()
        page.locator("#highlights > li.selected").get_by_role("button", name="Reject").tap()
        expect_saved(page)
        check_fits(page)
    wider = (cut["h3"][0] - 1, cut["h3"][1] + 1)
    expected = {(*cut["h1"], "accepted"), (*cut["h2"], "rejected"), (*wider, "accepted")}
    assert expected < {*verdicts(root)}
    assert len(verdicts(root)) == 4


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_three_hundred_corrections_by_keys_are_all_saved_and_none_waits(browser: Browser, tmp_path: Path) -> None:
    count, root = 300, open_root(str(tmp_path / "root"))
    film = tmp_path / "long.mp4"
    source = f"testsrc=s=64x48:r=1:d={20 * count + 20}"
    subprocess.run([ffmpeg.path(), *ffmpeg.QUIET, "-f", "lavfi", "-i", source, "-g", "10", str(film)], check=True)
    peaks = [(20.0 * number + 20, 0.6 + number / 1000, 8.0) for number in range(count)]
    make_root(root, "stream", film, bumps(20.0 * count + 20, peaks))
    report(root, "stream", ReportConfig(clips="none", min_length=4))
    cut = sorted(borders(root).items(), key=lambda item: item[1])
    assert len(cut) == count
    with serving(root) as served, opened(browser, served) as page:
        page.get_by_role("link", name="A stream").click()
        page.get_by_role("button", name="Correct by hand").click()
        choose(page, cut[0][0])
        keys, waits = ["x" if number % 3 == 0 else "a" for number in range(count)], []
        for key in keys:
            begun = time.perf_counter()
            page.keyboard.press(key)
            page.locator("#chart").evaluate("() => new Promise((drawn) => { requestAnimationFrame(() => drawn()); })")
            waits.append(time.perf_counter() - begun)
        expect_saved(page)
    assert max(waits) < 1
    assert sorted(waits)[count // 2] < 0.3
    names = {"x": "rejected", "a": "accepted"}
    assert verdicts(root) == [(*span, names[key]) for key, (_, span) in zip(keys, cut, strict=True)]


@contextmanager
def ending(server: "subprocess.Popen[str]") -> Iterator[None]:
    """Kills the process at the end, also where the test fails, which would wait for it else."""
    try:
        yield
    finally:
        server.kill()


@pytest.mark.slow
def test_a_server_that_is_killed_loses_nothing_that_was_saved(browser: Browser, root: Root) -> None:
    """Ten times: a change, its save, SIGKILL at once, and the next server goes on with it."""
    port = "0"
    for count in range(1, 11):
        call = [sys.executable, "-m", "lolhl", "review", "--root", root.url, "--port", port, "--no-browser"]
        with subprocess.Popen(call, stderr=subprocess.PIPE, text=True) as server:
            assert server.stderr
            match = re.search(r"open (http://127.0.0.1:(\d+)/\S+)", server.stderr.readline())
            assert match
            port = match[2]
            with ending(server), browser.new_context() as context:
                tab = context.new_page()
                tab.goto(match[1])
                tab.goto(f"http://127.0.0.1:{port}/highlights/stream/report.html")
                tab.get_by_role("button", name="Correct by hand").click()
                choose(tab, "h1")
                tab.keyboard.press("w")
                expect_saved(tab)
                server.send_signal(signal.SIGKILL)
                server.wait(20)
                tab.keyboard.press("w")
                expect(tab.locator("#saving")).to_contain_text("Not saved yet")
        saved = load_corrections(root, "stream")[0]
        assert saved.revision == count
    start, stop = borders(root)["h1"]
    assert verdicts(root) == [(max(0, start - 10), min(60, stop + 10), "accepted")]


_KNOCK = """
import pathlib, socket, sys, urllib.parse
address = urllib.parse.urlsplit(sys.argv[1])
socket.create_connection((address.hostname, address.port), 5)
pathlib.Path(sys.argv[2]).write_text("answered")
"""


def test_the_server_answers_from_the_moment_its_address_is_known(root: Root, tmp_path: Path) -> None:
    """The browser is opened, and ends, before the server runs: its connection has to wait, not to be refused."""
    knock, answer = tmp_path / "knock.py", tmp_path / "answer"
    knock.write_text(_KNOCK)
    environment = {**os.environ, "DISPLAY": ":9", "BROWSER": f"{sys.executable} {knock} %s {answer}"}
    call = [sys.executable, "-m", "lolhl", "review", "--root", root.url]
    with subprocess.Popen(call, stderr=subprocess.PIPE, text=True, env=environment) as server, ending(server):
        deadline = time.monotonic() + 30
        while not answer.exists():
            assert server.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.slow
def test_ctrl_c_ends_the_server_and_says_what_was_corrected(root: Root) -> None:
    call = [sys.executable, "-m", "lolhl", "review", "--root", root.url, "--no-browser"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(call, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as server:
        assert server.stderr
        assert "http://127.0.0.1:" in server.stderr.readline()
        root.write(layout.corrections("stream"), b'{"revision":1,"spans":[]}')
        server.send_signal(signal.SIGINT)
        output, errors = server.communicate(timeout=30)
    assert server.returncode == 0, errors
    assert output == "review: ended; corrected: stream\n"
    assert load_corrections(root, "stream")[0] == Corrections(revision=1)
