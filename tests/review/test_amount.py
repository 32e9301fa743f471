"""More and fewer highlights on the review page: tried out at once, kept by the server, and corrections stay."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from lolhl import layout, manifest
from lolhl.results import Highlights
from lolhl.review.corrections import Correction, Corrections, load_corrections
from lolhl.stages.export import ExportConfig, export_file
from lolhl.stages.report import ReportConfig, report
from lolhl.storage import Root, open_root
from tests.review.conftest import PEAKS, SECONDS
from tests.review.pages import choose, expect_saved, opened
from tests.review.served import Served
from tests.stages.report_root import bumps, make_root

MORE = [*PEAKS, (20.0, 0.4, 4.0)]  # which lies below the threshold


@pytest.fixture
def root(tmp_path: Path, video: Path) -> Root:
    root = open_root(str(tmp_path / "root"))
    make_root(root, "stream", video, bumps(SECONDS, MORE))
    report(root, "stream", ReportConfig(clips="none", min_length=2))
    return root


@pytest.fixture
def page(browser: Browser, served: Served) -> Iterator[Page]:
    with opened(browser, served) as page:
        page.goto(f"{served.url}/highlights/stream/report.html")
        page.get_by_role("button", name="Correct by hand").click()
        yield page


def stored(root: Root) -> manifest.Manifest[Highlights]:
    return manifest.load(root, layout.highlights("stream"), Highlights)


def shown(page: Page) -> list[tuple[float, float]]:
    """Start and stop of each card that is not removed, in order of time."""
    cards = page.locator("#highlights > li:not(.removed)")
    times = [(card.get_attribute("data-start"), card.get_attribute("data-stop")) for card in cards.all()]
    return sorted((float(start or "nan"), float(stop or "nan")) for start, stop in times)


def exported(root: Root) -> list[tuple[float, float]]:
    data = json.loads(export_file(root, "stream", ExportConfig(format="json")))
    return sorted((highlight["start"], highlight["stop"]) for highlight in data["highlights"])


def keep(page: Page) -> None:
    page.get_by_role("button", name="Keep this cut").press("Enter")
    expect(page.locator("#job [role=status]")).to_contain_text("Keeping the cut of A stream is done.", timeout=100_000)
    expect(page.locator("#cut-says")).to_contain_text("as it is kept")
    page.get_by_role("button", name="Correct by hand").click()


def test_a_cut_is_kept_with_all_else_as_it_was(page: Page, root: Root) -> None:
    page.locator("#cut").press("End")
    tried = shown(page)
    assert len(tried) == 4
    assert len(stored(root).result.highlights) == 3  # nothing is cut anew before somebody says so
    keep(page)
    assert shown(page) == tried == exported(root)
    assert 0 < stored(root).config["threshold"] < 0.4
    assert stored(root).config["min_length"] == 2
    page.get_by_label("minutes wanted").fill("0.2")
    (tried,) = [shown(page)]
    keep(page)
    assert shown(page) == tried == exported(root)
    assert stored(root).config["threshold"] is None
    assert stored(root).config["minutes"] == 0.2
    page.locator("#cut").press("Home")
    while "in 3 highlights, threshold 0.50" not in str(page.locator("#cut-says").text_content()):
        page.locator("#cut").press("ArrowRight")  # to what the model suggests
    keep(page)
    assert len(exported(root)) == 3
    assert [stored(root).config[name] for name in ("threshold", "minutes", "top", "share")] == [None] * 4


def test_what_was_judged_is_exported_whatever_cut_is_kept(page: Page, root: Root) -> None:
    before = dict(zip(("h1", "h2", "h3"), shown(page), strict=True))
    choose(page, "h1")
    page.keyboard.press("x")
    choose(page, "h3")
    for key in ("w", "w"):
        page.keyboard.press(key)
    expect_saved(page)
    page.locator("#cut").press("Home")
    tried = shown(page)
    assert tried == [(before["h2"][0] - 2, before["h2"][1] + 2), before["h3"]]  # in order of time: the shortest is last
    keep(page)
    assert shown(page) == tried == exported(root)
    page.locator("#cut").press("End")
    keep(page)
    assert shown(page) == exported(root)
    assert len(exported(root)) == 3  # four, of which one was rejected
    assert {span.verdict for span in load_corrections(root, "stream")[0].spans} == {"accepted", "rejected"}


def test_the_page_and_the_exports_agree_on_what_is_the_same_moment(page: Page, root: Root) -> None:
    """Spans that were judged by a cut that is no more overlap the present ones by less and by more than a half."""
    highlights = sorted(stored(root).result.highlights, key=lambda highlight: highlight.span)
    (a, b), (c, d), (e, f) = [(h.span.start, h.span.stop) for h in highlights]
    corrections = Corrections(
        spans=(
            Correction(a - 1, b - 1, "accepted", (a - 0.5, b)),
            Correction(c, d, "rejected", (c - 1, d)),
            Correction(f - 1, f + 6, "accepted", (f - 1, f + 6)),
        )
    )
    root.write(layout.corrections("stream"), json.dumps(
        {"revision": 1, "spans": [
            {"start": s.start, "stop": s.stop, "verdict": s.verdict, "was": s.was} for s in corrections.spans
        ]}
    ).encode())  # fmt: skip
    page.reload()
    assert exported(root) == [(a - 1, b - 1), (e, f + 6)]  # what overlaps is one there, and two on the page
    page.get_by_role("button", name="Correct by hand").click()
    assert shown(page) == [(a - 1, b - 1), (e, f), (f - 1, f + 6)]
    page.get_by_role("button", name="Undo all changes").click()
    assert shown(page) == [(a, b), (c, d), (e, f)]


def test_a_cut_that_cannot_be_kept_says_why(page: Page, served: Served, root: Root) -> None:
    for minutes in (0, -1, "8"):
        body = json.dumps({"verb": "cut", "vod": "stream", "minutes": minutes}).encode()
        answer = served.known("POST", "/jobs", body, x_lolhl_review="1")
        assert answer.status == 400
    report_key = layout.report("stream")
    data = root.read(report_key)
    root.delete(report_key)
    page.locator("#cut").press("End")
    page.get_by_role("button", name="Keep this cut").click()
    expect(page.locator("#cut-problem")).to_contain_text("Nothing is begun: ")
    root.write(report_key, data)
