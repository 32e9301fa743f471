"""The review page in a real browser: what is set, begun and downloaded there, as cameras, shorts, models, exports."""

import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from lolhl import layout, manifest
from lolhl.exports.formats import FORMATS
from lolhl.labels.store import load_labels
from lolhl.results import Retraining, Shorts
from lolhl.review.places import Place, load_place
from lolhl.stages.export import ExportConfig, export
from lolhl.storage import Root, open_root
from lolhl.vod.probe import probe
from tests.review.pages import borders, choose, opened
from tests.review.served import Served, serving
from tests.review.silent import silent_server
from tests.streams import action_video, add_stream, some_spans


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
    stored = load_place(root, "cameras/vod-stream.json")[0]
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
    assert load_place(root, "cameras/vod-stream.json")[0].rectangle == (0.75, 0.7, 0.25, 0.3)
    page.get_by_role("button", name="No camera").press("Enter")
    expect(section.get_by_role("status")).to_contain_text("there is no camera in this stream")
    assert load_place(root, "cameras/vod-stream.json")[0] == Place(2, None)


def test_the_second_of_two_tabs_keeps_no_camera(page: Page, root: Root) -> None:
    other = page.context.new_page()
    other.goto(page.url)
    for tab, width in ((page, "20"), (other, "30")):
        for field, number in zip(camera_fields(tab), ("0", "0", width, "20"), strict=True):
            field.fill(number)
        tab.get_by_role("button", name="Save the camera").click()
        section = tab.get_by_role("region", name="Camera for shorts")
        expect(section).to_contain_text("Saved for this stream." if tab is page else "Not saved: the camera was set")
    stored = load_place(root, "cameras/vod-stream.json")[0]
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
