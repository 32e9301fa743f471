"""A browser, and a report that it opens from disk."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from lolhl.report.page import Report, render
from tests.browser import chromium
from tests.report.reports import Open


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def show(browser: Browser, tmp_path: Path) -> Iterator[Open]:
    """Opens a report from disk. At the end: the page asked for nothing else, and nothing went wrong in it."""
    asked: list[str] = []
    wrong: list[str] = []
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    context.set_default_timeout(15_000)
    page = context.new_page()
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: wrong.append(message.text) if message.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(str(error)))

    def opened(report: Report) -> Page:
        (tmp_path / "report.html").write_text(render(report), encoding="utf-8")
        page.goto((tmp_path / "report.html").as_uri())
        return page

    yield opened
    assert wrong == []
    own = (tmp_path / "report.html").as_uri()
    assert [url for url in asked if not url.startswith(("data:", "blob:"))] == [own]
    context.close()
