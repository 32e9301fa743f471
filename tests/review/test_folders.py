"""A video file that is chosen on the page."""

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from lolhl.errors import UsageError
from lolhl.review.folders import folder
from tests.review.pages import opened
from tests.review.served import Served


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    for name in ("b.mp4", "A.MKV", ".hidden.mp4", "notes.txt", "Videos/stream 1.ts", "Empty/.keep", ".cache/x.mp4"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(b"")
    (home / "gone.mp4").symlink_to(home / "nowhere.mp4")
    (home / "folder.mp4").mkdir()
    monkeypatch.setenv("HOME", str(home))
    return home


def names(entries: list[dict[str, Any]]) -> list[str]:
    return [entry["name"] for entry in entries]


def test_folders_and_videos_are_listed_and_nothing_else(home: Path) -> None:
    shown = folder("")
    assert (shown["path"], shown["above"]) == (str(home), str(home.parent))
    assert names(shown["folders"]) == ["Empty", "folder.mp4", "Videos"]
    assert names(shown["videos"]) == ["A.MKV", "b.mp4"]
    assert folder("~/Videos")["videos"] == [{"name": "stream 1.ts", "path": str(home / "Videos" / "stream 1.ts")}]
    assert folder("/")["above"] is None


def test_what_cannot_be_looked_at_or_sent_hides_nothing_else(home: Path) -> None:
    (home / "circle.mp4").symlink_to("circle.mp4")
    Path(os.fsdecode(os.fsencode(home) + b"/caf\xe9.mp4")).write_bytes(b"")
    strange = Path(os.fsdecode(os.fsencode(home) + b"/\xe9"))
    strange.mkdir()
    assert names(folder("")["videos"]) == ["A.MKV", "b.mp4"]
    assert names(folder("")["folders"]) == ["Empty", "folder.mp4", "Videos"]
    with pytest.raises(UsageError, match="its name is no UTF-8 text: rename it"):
        folder(str(strange))


@pytest.mark.parametrize("path", ["{home}/nowhere", "{home}/b.mp4", "\0", "~nobody-of-that-name/x", "x" * 5000])
def test_what_is_no_folder_is_refused_in_one_line(path: str, home: Path) -> None:
    with pytest.raises(UsageError) as error:
        folder(path.format(home=home))
    assert "\n" not in str(error.value)
    assert "\0" not in str(error.value)


def test_only_who_has_the_cookie_sees_names(served: Served) -> None:
    assert served.ask("GET", "/folder?path=/").status == 401
    assert served.known("GET", "/folder?path=/").status == 200
    assert served.known("GET", "/folder?path=/nowhere-at-all").status == 400


def test_a_file_is_chosen_by_the_keyboard(browser: Browser, served: Served, home: Path) -> None:
    with opened(browser, served) as page:
        button, panel = page.get_by_role("button", name="Choose a file…"), page.get_by_role("group", name="Files")
        button.press("Enter")
        expect(panel.get_by_role("status")).to_have_text(str(home))
        expect(page.get_by_role("button", name="↑ the folder above")).to_be_focused()
        page.keyboard.press("Escape")
        expect(panel).to_be_hidden()
        expect(button).to_be_focused()
        page.keyboard.press("Enter")
        panel.get_by_role("button", name="Empty/").press("Enter")
        expect(panel.get_by_role("status")).to_contain_text("has no folder and no video")
        page.get_by_role("button", name="↑ the folder above").press("Enter")
        panel.get_by_role("button", name="Videos/").press("Enter")
        panel.get_by_role("button", name="stream 1.ts").press("Enter")
        expect(page.get_by_label("Stream", exact=True)).to_have_value(str(home / "Videos" / "stream 1.ts"))
        expect(page.get_by_role("button", name="Start")).to_be_focused()
        button.press("Enter")
        (home / "Videos").rename(home / "moved")
        panel.get_by_role("button", name="Videos/").press("Enter")
        expect(panel.get_by_role("alert")).to_contain_text("No such file or directory")
