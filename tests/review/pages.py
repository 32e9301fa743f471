"""What tests of the review page do in a browser, and what they see of it in the root."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Page, expect

from lolhl.review.corrections import load_corrections
from lolhl.storage import Root
from tests.review.served import Served

expect.set_options(timeout=30_000)  # a page waits for its server, and that for two cores that others use too


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
