"""The whole way of somebody who reads nothing but the page: a video in, corrected highlights and their reel out."""

import re
import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from lolhl.labels.spans import Span
from lolhl.vod.probe import probe
from tests.review.pages import choose, expect_saved, opened
from tests.review.served import Served
from tests.streams import action_video

LOUD = [Span(20, 28), Span(50, 57), Span(80, 88), Span(105, 112)]


def film(folder: Path) -> Path:
    """Two minutes in which the sound is loud while something happens."""
    silent = action_video(folder / "silent.mp4", LOUD, seconds=120, seed=1)
    during = "+".join(f"between(t,{span.start},{span.stop})" for span in LOUD)
    volume = f"volume='if({during},1,0.02)':eval=frame"
    target = folder / "film.mp4"
    command = ["ffmpeg", "-v", "error", "-i", str(silent), "-c:v", "copy", "-af", volume, str(target)]
    subprocess.run(command, check=True)
    return target


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_stranger_gets_highlights_corrects_three_exports_them_and_makes_a_reel(
    browser: Browser, served: Served, tmp_path: Path
) -> None:
    with opened(browser, served) as page:
        page.get_by_label("Stream", exact=True).fill(str(film(tmp_path)))
        page.get_by_label("Model").select_option("none: loudness and chat")
        page.get_by_role("button", name="Start").click()
        expect(page.locator("#job [role=status]")).to_contain_text("is done.", timeout=180_000)
        page.get_by_role("link", name="Open the highlights").click()
        page.get_by_role("button", name="Correct by hand").click()
        before = page.locator("#highlights > li").count()
        assert before >= 3

        choose(page, "h1")
        page.keyboard.press("x")
        choose(page, "h2")
        page.keyboard.press("w")
        page.locator("#chart").focus()
        page.keyboard.press("Home")
        for _ in range(4):
            page.keyboard.press("ArrowRight")
        page.keyboard.press("n")
        expect(page.locator("#changes")).to_contain_text("1 moved")
        expect(page.locator("#changes")).to_contain_text("1 added")
        expect_saved(page)

        with page.expect_download() as exported:
            page.locator("#formats button", has_text="CMX 3600").click()
        exported.value.save_as(tmp_path / "cuts.edl")
        events = re.findall(r"^\d{3,}\s+\S+\s+\S+\s+C\b", (tmp_path / "cuts.edl").read_text(), re.MULTILINE)

        page.get_by_role("button", name="Make the reel").click()
        link = page.get_by_role("link", name="Download the reel of")
        expect(link).to_have_text(f"Download the reel of {before} highlights", timeout=180_000)  # one less, one more
        with page.expect_download() as reel:
            link.click()
        reel.value.save_as(tmp_path / "reel.mp4")
        info = probe(tmp_path / "reel.mp4")
        assert info.has_audio
        assert info.duration > before * 2
        assert len(events) == before
