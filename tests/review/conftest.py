"""A root with one stream that was reported, its review page on this machine, and a browser that shows it."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from lolhl.stages.report import ReportConfig, report
from lolhl.storage import Root, open_root
from tests.browser import chromium
from tests.review.pages import opened
from tests.review.served import Served, serving
from tests.stages.report_root import bumps, make_root
from tests.videos import numbered_video

SECONDS = 60.0
PEAKS = [(10.0, 0.9, 6.0), (30.0, 0.7, 6.0), (50.0, 0.8, 6.0)]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "v.mp4"
    numbered_video(path, seconds=SECONDS, fps=Fraction(10))
    return path


@pytest.fixture
def root(tmp_path: Path, video: Path) -> Root:
    root = open_root(str(tmp_path / "root"))
    make_root(root, "stream", video, bumps(SECONDS, PEAKS))
    report(root, "stream", ReportConfig(clips="none"))
    return root


@pytest.fixture
def served(root: Root) -> Iterator[Served]:
    with serving(root) as server:
        yield server


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    """The page of the stream, opened from the list, while corrections can be made."""
    with opened(browser, served) as page:
        page.get_by_role("link", name="A stream").click()
        page.get_by_role("button", name="Correct by hand").click()
        yield page
