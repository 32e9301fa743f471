"""The review page in a real browser: what an editor corrects is saved while it is made."""

import re
import subprocess
import time
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from lolhl import layout
from lolhl.labels.spans import Span
from lolhl.labels.store import read_labels, save_labels
from lolhl.review.corrections import load_corrections
from lolhl.stages.report import ReportConfig, report
from lolhl.storage import Root, open_root
from lolhl.vod import ffmpeg
from tests.review.pages import borders, choose, expect_saved, opened, verdicts
from tests.review.served import Served, serving
from tests.stages.report_root import bumps, make_root


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
def test_three_hundred_corrections_by_keys_wait_for_no_server(browser: Browser, tmp_path: Path) -> None:
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
        keys = ["x" if number % 3 == 0 else "a" for number in range(count)]
        held: list[Route] = []
        page.route(re.compile("/reviews/"), lambda route: held.append(route))  # the server does not answer yet
        with page.expect_request(re.compile("/reviews/")):
            page.keyboard.press(keys[0])
        for key in keys[1:]:
            page.keyboard.press(key)
        expect(page.locator("#changes")).to_have_text("Changes: 100 removed. 200 highlights accepted.")
        assert len(held) == 1
        held[0].continue_()
        page.unroute_all()
        expect_saved(page)
    names = {"x": "rejected", "a": "accepted"}
    assert verdicts(root) == [(*span, names[key]) for key, (_, span) in zip(keys, cut, strict=True)]
