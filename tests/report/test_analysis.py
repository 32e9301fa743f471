"""The page about a model: what it shows, that it is only text, and that a browser draws it."""

import io
import math
from dataclasses import replace
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from lolhl.evaluate.calibration import calibration_error, reliability_bins
from lolhl.evaluate.compare import compare
from lolhl.evaluate.figures import PictureParts
from lolhl.evaluate.judge import Judge, ScoredVod
from lolhl.evaluate.metrics import precision_recall
from lolhl.evaluate.mistakes import false_alarms, misses
from lolhl.highlights.cut import Limits
from lolhl.labels.spans import Span, on_grid
from lolhl.report.analysis import AnalysisPage, Shown, render
from lolhl.report.element import Html, el
from lolhl.report.picture_parts import ExplainedPicture
from lolhl.report.svg import spread_axis
from tests.browser import chromium
from tests.report.reports import HOSTILE

FPS = Fraction(3)
LABELS = [Span(30, 40), Span(100, 112), Span(200, 208), Span(260, 270)]


def picture() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (32, 18), (200, 40, 40)).save(buffer, "JPEG")
    return buffer.getvalue()


def analysed(name: str = "joined") -> AnalysisPage:
    """A model that finds two of four events and calls one stretch too many; each name is `name`."""
    count = 900
    scores = np.full(count, 0.05)
    for span, height in ((LABELS[0], 0.9), (LABELS[1], 0.8), (LABELS[2], 0.3), (Span(150, 160), 0.7)):
        scores[on_grid([span], count, FPS)] = height
    vod = ScoredVod(vod=name, fps=FPS, scores=scores, labels=LABELS)
    predictions = Judge(0.0, Limits(threshold=0.5)).predict([vod])
    constant = Judge(0.0, Limits(threshold=0.5)).predict([replace(vod, scores=np.ones(count))])
    ranking = predictions.ranking
    missed, alarms = misses(predictions.vods), false_alarms(predictions.vods)
    times = np.arange(300, 600) / 3
    parts = {"pictures": np.sin(times), name: np.where(times < 130, np.nan, -2.0)}
    bins = reliability_bins(ranking.labels, ranking.scores)
    explained = ExplainedPicture(
        figures=PictureParts(
            vod=name, seconds=265.0, log_odds=-0.5, covered=-1.25, regions={name: 0.75, "minimap": -0.25, "chat": 0.0},
            superpixels={"top left": 0.5, "middle": -0.75}, regions_fit=0.9, superpixels_fit=None, tries=256,
        ),
        regions=picture(),
        superpixels=picture(),
    )  # fmt: skip
    return AnalysisPage(
        model=name,
        kind=name,
        signals=["pictures", name],
        part="held-out",
        vods={name: name},
        methods=compare({name: predictions, "constant": constant}),
        curve=precision_recall(ranking.labels, ranking.scores),
        bins=bins,
        calibration_error=calibration_error(bins),
        misses=[
            Shown(
                mistake=missed[0],
                picture=picture(),
                pictured=265.0,
                page=f"../../highlights/{name}/report.html",
                explained=explained,
            ),
            Shown(mistake=missed[1]),
        ],
        all_misses=len(missed),
        false_alarms=[
            Shown(
                mistake=replace(alarms[0], signals={"pictures": 0.9, name: None}),
                times=times,
                parts=parts,
            )
        ],
        all_false_alarms=len(alarms),
        chosen=[replace(explained, figures=replace(explained.figures, seconds=10.0, regions={}))],
        smooth_seconds=2.0,
        fps=FPS,
    )  # fmt: skip


class Text(HTMLParser):
    """The text of a page in one line, and all attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.feed(page)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_says_what_was_found_and_what_was_not() -> None:
    page = Text(render(analysed()))
    for words in (
        "2 of 4 by 3 highlights, tIoU 0.3",
        "The model has not learnt from any of these streams",
        "Labelled events that no highlight matches: 2 in all.",
        "joined, 0:04:20 – 0:04:30",
        "The smoothed probability reached 0.05 at 0:04:20 (threshold 0.50). No highlight touches it.",
        "There is no page of it yet: lolhl report joined",
        "joined, 0:02:30 – 0:02:40",
        "pictures speaks for a highlight: +0.9 on average",
        "joined is not known there",
        "Minutes for 80%",
    ):
        assert words in page.text
    assert ("a", "href", "../../highlights/joined/report.html#t=260.000") in page.attributes
    labels = [value for tag, name, value in page.attributes if (tag, name) == ("svg", "aria-label")]
    assert any(label.startswith("Precision-recall curve of frames. Average precision ") for label in labels)
    assert any("pictures speaks for a highlight" in label for label in labels)


def test_the_page_says_what_in_a_picture_drove_its_score() -> None:
    page = Text(render(analysed()))
    for words in (
        "What in the picture at 0:04:25 drove it The joined speaks for it (+0.8), the minimap against it (−0.2).",
        "Log-odds are -0.50 here, and would be -1.25 if the whole picture looked as the stream usually does.",
        "Of the differences between the tries, the regions explain 90%.",
        "Region Adds to the log-odds joined +0.75 minimap −0.25 chat +0.00",
        "Moments that were asked for joined, 0:00:10",
        "No part of the picture speaks for it or against it.",
        "in 256 copies of the picture",
    ):
        assert words in page.text
    texts = [value for tag, name, value in page.attributes if (tag, name) == ("img", "alt")]
    assert texts[1:3] == [
        "joined at 0:04:25, its regions in colours. The joined speaks for it (+0.8), the minimap against it (−0.2).",
        "joined at 0:04:25, its superpixels in colours. "
        "The middle speaks against it (−0.8), the top left for it (+0.5).",
    ]
    without = replace(analysed(), misses=[], false_alarms=[], chosen=[])
    assert "How to read the pictures in colours" not in render(without)


def test_the_points_of_the_curve_lie_where_their_numbers_are() -> None:
    page = Text(render(analysed()))
    paths = [value for tag, name, value in page.attributes if (tag, name) == ("path", "d")]
    points = [tuple(map(float, point.split())) for point in paths[0][1:].split("L")]
    curve = analysed().curve
    assert len(points) == len(curve)
    for (x, y), point in zip(points, curve, strict=True):
        assert x == pytest.approx(56 + point.recall * (640 - 72), abs=0.06)
        assert y == pytest.approx(14 + (1 - point.precision) * (320 - 60), abs=0.06)
    gaps = next(path for path in paths if path.count("M") == 1 and path.count("L") == 209)  # NaN up to 130 s
    assert gaps


def test_the_same_analysis_gives_the_same_bytes() -> None:
    assert render(analysed()) == render(analysed())


def test_names_from_strangers_are_only_text() -> None:
    html = render(analysed(HOSTILE))
    page = Text(html)
    assert "<script" not in html
    assert not [tag for tag, name, _ in page.attributes if tag == "script" or name.startswith("on")]
    assert " ".join(HOSTILE.split()) in page.text
    assert render(analysed("\ud800")).encode()


def test_elements_escape_text_and_attributes_but_no_html() -> None:
    assert el("p", "<b>", Html("<i>x</i>"), None, class_='"&', hidden=True, title=None, lang=False) == (
        '<p class="&quot;&amp;" hidden>&lt;b&gt;<i>x</i></p>'
    )


@pytest.mark.parametrize(
    ("values", "ends"), [([], (0, 0.2)), ([math.nan, 3.2], (0, 4)), ([-7, 12], (-10, 15)), ([-0.3], (-0.3, 0))]
)
def test_an_axis_holds_all_values_and_ends_on_round_numbers(values: list[float], ends: tuple[float, float]) -> None:
    axis = spread_axis("logit", values)
    assert (axis.low, axis.high) == pytest.approx(ends)
    assert 2 <= len(axis.ticks) <= 9


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
def test_a_browser_draws_it_without_a_complaint(scheme: str, width: int, tmp_path: Path) -> None:
    (tmp_path / "analysis.html").write_text(render(analysed("W" * 300)), encoding="utf-8")
    wrong: list[str] = []
    asked: list[str] = []
    with chromium() as browser:
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((tmp_path / "analysis.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert page.evaluate("document.querySelector('.mistake img').naturalWidth") == 32
        ground, text = page.evaluate("(s => [s.backgroundColor, s.color])(getComputedStyle(document.body))")
        assert (sum(channels(ground)) > sum(channels(text))) == (scheme == "light")
        line = page.evaluate("getComputedStyle(document.querySelector('.line.first')).stroke")
        assert line != "none"
        expect(page.get_by_role("img", name="Precision-recall curve of frames")).to_be_visible()
        expect(page.get_by_role("region", name="The worst misses")).to_be_visible()
        parts = page.get_by_role("img", name="its regions in colours").first
        expect(parts).to_be_visible()
        assert parts.evaluate("image => image.clientWidth / image.clientHeight") == pytest.approx(16 / 9, rel=0.02)
        page.get_by_text("The curve in numbers").click()
        expect(page.get_by_role("cell", name="0.800").first).to_be_visible()
    assert wrong == []
    assert [url for url in asked if not url.startswith("data:")] == [(tmp_path / "analysis.html").as_uri()]


def channels(colour: str) -> list[int]:
    return [int(number) for number in colour.removeprefix("rgb(").removesuffix(")").split(",")]
