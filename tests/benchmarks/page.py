"""How long the page's timeline takes for a frame: a stream of 12 h, with 1,000 highlights and as many labels.

    python -m tests.benchmarks.page      # a minute on 2 cores

A real browser opens the page of 129,600 scores and three signals. Each row is an action, a hundred times: how long the
page's script works on it, with all that it draws. The goal is 16 ms, which is a frame at 60 a second.
"""

import tempfile
from pathlib import Path
from statistics import median

import numpy as np
from playwright.sync_api import Page

from lolhl.labels.spans import Span
from lolhl.report.page import Curve, render
from tests.benchmarks import result
from tests.benchmarks.result import Table
from tests.browser import chromium
from tests.report.reports import made_up

HOURS = 12
HIGHLIGHTS = 1_000
TIMES = 100
GOAL = 16.0  # milliseconds

# Sends an event again and again, and says how long the script worked on each, in ms. Handlers draw before they return.
_SEND = """async ([kind, values, times]) => {
  const chart = document.getElementById('chart'), box = chart.getBoundingClientRect(), took = [];
  const place = { clientY: box.top + 60, bubbles: true, pointerId: 1, buttons: 1, button: 0 };
  const at = (x) => ({ ...place, clientX: box.left + x });
  const wheel = (deltaY) => new WheelEvent('wheel', { ...at(640), deltaY, ctrlKey: true, cancelable: true });
  const make = {
    key: (key) => new KeyboardEvent('keydown', { key, bubbles: true }),
    wheel,
    move: (_, number) => new PointerEvent('pointermove', { ...at(600 + 4 * (number % 50)), buttons: 0 }),
    drag: (_, number) => new PointerEvent('pointermove', at(600 + 4 * (number % 50))),
  }[kind];
  chart.setPointerCapture = () => {};
  if (kind === 'drag') chart.dispatchEvent(new PointerEvent('pointerdown', at(600)));
  for (let number = 0; number < times; number += 1) {
    const event = make(values[number % values.length], number);
    const begun = performance.now();
    chart.dispatchEvent(event);
    took.push(performance.now() - begun);
    await new Promise(requestAnimationFrame);
  }
  if (kind === 'drag') chart.dispatchEvent(new PointerEvent('pointerup', at(600)));
  return took;
}"""


def main() -> None:
    rng = np.random.default_rng(0)
    times = np.sort(rng.choice(np.arange(20, HOURS * 3600 - 20, 40), HIGHLIGHTS, replace=False)).tolist()
    peaks = [(float(time), float(height)) for time, height in zip(times, rng.uniform(0.6, 1, HIGHLIGHTS), strict=True)]
    labels = [Span(time - 4, time + 5) for time in times]
    signals = [Curve(name, rng.uniform(0, 1, HOURS * 3600 * 3)) for name in ("pictures", "sound", "chat")]
    report = made_up(peaks, HOURS * 3600, labels=labels, signals=signals)
    with tempfile.TemporaryDirectory(prefix="lolhl-") as folder, chromium() as browser:
        file = Path(folder) / "report.html"
        file.write_text(render(report), encoding="utf-8")
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(file.as_uri())
        page.locator("#chart").focus()
        rows = [
            _row(page, "point at the whole stream", "move", []),
            _row(page, "move the cursor by keys, whole stream", "key", ["ArrowRight"]),
            _row(page, "zoom in and out by the wheel", "wheel", [-240.0, -240.0, 240.0, 240.0]),
        ]
        page.keyboard.press("+")
        rows.append(_row(page, "drag half of the stream", "drag", []))
        for _ in range(8):
            page.keyboard.press("+")
        rows.append(_row(page, "drag some minutes", "drag", []))
    table = Table(
        f"{HOURS} h, {len(report.smoothed):,} scores, {len(signals)} signals, {len(report.highlights):,} highlights",
        ("action", "median, ms", "95 % within, ms", "longest, ms", "goal, ms"),
        rows,
    )
    result.write("page", [table], "python -m tests.benchmarks.page")


def _row(page: Page, name: str, kind: str, values: list[str] | list[float]) -> list[object]:
    took = page.evaluate(_SEND, [kind, values, TIMES])
    return [name, median(took), float(np.quantile(took, 0.95)), max(took), GOAL]


if __name__ == "__main__":
    main()
