"""The report's page in a real browser, for streams that strangers named."""

import shutil
from collections.abc import Callable, Mapping
from typing import Any

from tests.torture.families.values import TEXTS, set_value
from tests.torture.families.videos import TITLES, film
from tests.torture.sandbox import Sandbox

WIDTHS = (400, 1280)  # pixels of the window
_QUIET = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")


def page(sandbox: Sandbox, title: str, chapters: tuple[str, ...] = ()) -> None:
    """The page of a stream with this title: no wider than its window, and nothing of the title runs."""
    browser = next((path for name in ("chromium", "google-chrome") if (path := shutil.which(name))), None)
    if browser is None:
        return
    film(sandbox, "film.mp4", seconds=6)
    sandbox.take("models/t")
    sandbox.succeed("download", "film.mp4", "--name", "v")
    manifest = sandbox.root / "vods/v/vod.json"
    data = set_value(manifest.read_bytes(), title, "result", "title")
    spans = [{"start": at, "stop": at + 1.0, "name": name, "score": None} for at, name in enumerate(chapters)]
    manifest.unlink()
    manifest.write_bytes(set_value(data, spans, "result", "chapters"))
    sandbox.succeed("infer", "t", "v", "--source", "video")
    shorts = ("--shorts", "--shorts-top", "1", "--shorts-height", "320", "--shorts-title", "{title}")
    sandbox.succeed("report", "v", "--threshold", "0", "--clips", "none", *shorts)
    _check(sandbox, browser, (sandbox.root / "highlights/v/report.html").as_uri())


def _check(sandbox: Sandbox, browser: str, address: str) -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=browser, args=_QUIET, env=_quiet_environment(sandbox))
        shown = opened.new_page()
        errors: list[str] = []
        addresses: list[str] = []
        shown.on("pageerror", lambda error: errors.append(str(error)))
        shown.on("dialog", lambda dialog: errors.append(f"a dialog says {dialog.message}"))
        shown.on("request", lambda request: addresses.append(request.url))
        for width in WIDTHS:
            shown.set_viewport_size({"width": width, "height": 900})
            shown.goto(address)
            wide: Any = shown.evaluate("document.documentElement.scrollWidth")
            sandbox.expect(wide <= width, f"the page is {wide} px wide in a window of {width} px")
        opened.close()
    sandbox.expect(not errors, f"in the page: {'; '.join(errors)[:300]}")
    others = [url for url in addresses if url != address and not url.startswith(("data:", "blob:", "file:///"))]
    sandbox.expect(not others, f"the page asks for {others[:3]}")


def _quiet_environment(sandbox: Sandbox) -> dict[str, str | float | bool]:
    """The browser has files of its own, which are no matter of the case."""
    profile = sandbox.folder / "browser"
    profile.mkdir(exist_ok=True)
    return {"PATH": sandbox.environ["PATH"], "HOME": str(profile), "TMPDIR": str(profile)}


def titled(*titles: str) -> Callable[[Sandbox], None]:
    return lambda sandbox: page(sandbox, titles[0], titles)


NAMED: Mapping[str, Callable[[Sandbox], None]] = {
    "long-title": titled("W" * 100_000),
    "script-title": titled("</script><script>alert(1)</script><img src=x onerror=alert(2)>"),
}


# Others


def draw(sandbox: Sandbox) -> None:
    rng = sandbox.rng
    # A manifest with half a character in it is no manifest.
    titles = [text for text in (*TEXTS, *TITLES) if text and text == text.encode(errors="replace").decode()]
    title = rng.choice(titles) * rng.choice((1, 1, 30, 1000))
    page(sandbox, title, tuple(rng.choice(titles) for _ in range(rng.randrange(4))))
