"""The player of the page, in a real browser on a real video: speed, frames, and the end of a highlight."""

import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from lolhl.report.page import render
from tests.report.reports import made_up
from tests.videos import numbered_video

RATE = Fraction(10)
SECONDS = 60.0


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return numbered_video(tmp_path_factory.mktemp("page") / "v.mp4", seconds=SECONDS, fps=RATE)


@pytest.fixture
def page(browser: Browser, video: Path) -> Iterator[Page]:
    """A stream of a minute with a highlight round 20 s, beside its video."""
    report = made_up([(20, 0.9)], SECONDS, video="v.mp4", picture_rate=RATE)
    (video.parent / "report.html").write_text(render(report), encoding="utf-8")
    page = browser.new_page()
    page.goto((video.parent / "report.html").as_uri())
    yield page
    page.close()


def now(page: Page) -> float:
    return float(page.locator("#video").evaluate("(video) => video.currentTime"))


def is_paused(page: Page) -> bool:
    return bool(page.locator("#video").evaluate("(video) => video.paused"))


def wait(page: Page, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)


def stop_at(page: Page, seconds: float) -> None:
    """Plays from there and stops."""
    page.evaluate(f"location.hash = 't={seconds:g}'")
    page.get_by_role("button", name="Play from here").click()
    page.keyboard.press("k")
    wait(page, lambda: is_paused(page) and abs(now(page) - seconds) < 3)


def test_it_plays_faster_with_each_press_and_backwards(page: Page) -> None:
    stop_at(page, 30)
    speed, rate = page.locator("#speed"), "(video) => video.playbackRate"
    before = now(page)
    page.keyboard.press("l")
    wait(page, lambda: now(page) > before)
    expect(speed).to_have_text("")
    page.keyboard.press("l")
    expect(speed).to_have_text("2×")
    page.keyboard.press("l")
    assert page.locator("#video").evaluate(rate) == 4
    page.keyboard.press("j")
    page.keyboard.press("j")
    assert page.locator("#video").evaluate(rate) == 1
    page.keyboard.press("j")
    expect(speed).to_have_text("−1×")
    page.get_by_role("button", name="Backwards, again faster").click()
    expect(speed).to_have_text("−2×")
    before = now(page)
    wait(page, lambda: now(page) < before - 1)
    page.keyboard.press("k")
    expect(speed).to_have_text("")
    page.wait_for_timeout(200)  # a seek that had begun ends
    stopped = now(page)
    page.wait_for_timeout(400)
    assert now(page) == stopped


def test_backwards_ends_at_the_beginning(page: Page) -> None:
    stop_at(page, 0.5)
    for _ in range(4):
        page.keyboard.press("j")
    wait(page, lambda: now(page) == 0)
    expect(page.locator("#speed")).to_have_text("")


def test_frames_are_stepped_one_by_one(page: Page) -> None:
    stop_at(page, 30)
    page.wait_for_timeout(300)
    first = int(now(page) * RATE + 1e-3)
    for _ in range(3):
        page.keyboard.press(".")
        wait(page, lambda: not page.locator("#video").evaluate("(video) => video.seeking"))
    assert int(now(page) * RATE) == first + 3
    page.get_by_role("button", name="One frame back").click()
    assert int(now(page) * RATE) == first + 2
    assert is_paused(page)


def test_borders_are_set_to_the_frame_that_is_shown(page: Page) -> None:
    page.get_by_role("button", name="Correct by hand").click()
    page.locator("#h1").get_by_role("button", name="Play highlight 1").click()
    page.keyboard.press("k")
    wait(page, lambda: now(page) > 10)
    page.keyboard.press(".")
    frame = int(now(page) * RATE)
    page.get_by_role("button", name="Start here").click()
    expect(page.get_by_label("Start of highlight 1", exact=True)).to_have_value(
        f"0:00:{frame // 10:02}" + (f".{frame % 10}00" if frame % 10 else "")
    )


@pytest.mark.parametrize("correcting", [False, True])
def test_a_highlight_stops_at_its_end_and_goes_on_when_asked(correcting: bool, page: Page) -> None:
    if correcting:
        page.get_by_role("button", name="Correct by hand").click()
    stop = float(page.locator("#h1").get_attribute("data-stop") or "nan")
    page.locator("#h1").get_by_role("button", name="Play highlight 1").click()
    for _ in range(2):
        page.keyboard.press("l")
    wait(page, lambda: is_paused(page) and now(page) > 15)
    assert stop <= now(page) < stop + 1
    page.keyboard.press("l")
    wait(page, lambda: now(page) > stop + 1.5)
    page.keyboard.press("k")


def test_who_does_not_want_it_plays_on(page: Page) -> None:
    stop = float(page.locator("#h1").get_attribute("data-stop") or "nan")
    page.locator("#h1").get_by_role("button", name="Play highlight 1").click()
    page.get_by_label("Stop where the highlight ends").uncheck()
    for _ in range(3):
        page.keyboard.press("l")
    wait(page, lambda: now(page) > stop + 1)
    assert not is_paused(page)


def test_keys_of_the_player_write_where_text_is_written(page: Page) -> None:
    page.get_by_role("button", name="Correct by hand").click()
    stop_at(page, 30)
    page.get_by_label("Start of highlight 1", exact=True).focus()
    before = now(page)
    page.keyboard.press(".")
    page.wait_for_timeout(200)
    assert now(page) == before
