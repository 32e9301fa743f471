"""A page in a notebook: it draws itself in a frame, and reaches nothing of what is around."""

from playwright.sync_api import expect

from lolhl.report.notebook import Frame
from lolhl.report.page import render
from tests.browser import chromium
from tests.report.reports import HOSTILE, hostile


def test_a_page_draws_itself_in_a_frame_and_keeps_to_itself() -> None:
    shown = Frame(render(hostile()), title='The "stream"')._repr_html_()
    assert shown.count("<iframe") == shown.count("</iframe>") == 1
    assert "<script" not in shown
    wrong: list[str] = []
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.set_content(f"<!doctype html><title>a notebook</title><p>mine</p>{shown}")
        inside = page.frame_locator("iframe")
        expect(inside.locator("h1")).to_have_text(HOSTILE)
        expect(inside.locator("#highlights > li")).to_have_count(3)
        expect(inside.locator("#chart")).to_be_visible()
        assert page.locator("iframe").get_attribute("title") == 'The "stream"'
        assert page.evaluate("window.owned") is None
        frame = page.frames[1]
        assert (
            frame.evaluate("(() => { try { return parent.document.title; } catch { return 'refused'; } })()")
            == "refused"
        )
        assert page.title() == "a notebook"
    assert wrong == []
