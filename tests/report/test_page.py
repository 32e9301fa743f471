"""What the page's HTML is, before any browser sees it."""

import json
import re
from html.parser import HTMLParser
from importlib import resources
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from lolhl.report.page import SCRIPTS, peaks, render
from tests.report.reports import HOSTILE, hostile, made_up


class Parsed(HTMLParser):
    """Tags with their attributes, and the text in each <script> and <title>."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] in ("script", "title"):
            self.text.append((self.tags[-1][0], data))


def data_of(page: str) -> dict[str, Any]:
    match = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert match
    loaded: dict[str, Any] = json.loads(match[1])
    return loaded


def test_hostile_names_add_no_element() -> None:
    plain, attacked = Parsed(render(made_up())), Parsed(render(hostile()))
    assert [tag for tag, _ in attacked.tags] == [tag for tag, _ in plain.tags]
    assert next(text for tag, text in attacked.text if tag == "title") == f"{HOSTILE} – highlights"


def test_names_arrive_as_they_are() -> None:
    data = data_of(render(hostile()))
    assert data["model"] == data["settings"] == data["chapters"][0]["name"] == HOSTILE


def test_nothing_is_loaded_from_elsewhere() -> None:
    parsed = Parsed(render(made_up(twitch_id="123")))
    addresses = [a for _, attributes in parsed.tags for name, a in attributes.items() if name in ("src", "href")]
    assert all(address and address.startswith(("data:", "#")) for address in addresses)
    policy = next(a["content"] for tag, a in parsed.tags if a.get("http-equiv") == "Content-Security-Policy")
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy


def test_the_script_has_all_its_parts() -> None:
    there = {path.name for path in resources.files("lolhl.report").joinpath("script").iterdir()}
    assert there == {f"{name}.js" for name in SCRIPTS}
    parsed = Parsed(render(made_up()))
    assert len([tag for tag, _ in parsed.tags if tag == "script"]) == 3  # its data, the corrections, and itself


def test_a_long_stream_keeps_its_peaks_and_stays_small() -> None:
    page = render(made_up([(40_000, 0.97)], seconds=24 * 3600))
    data = data_of(page)
    assert data["step"] == 1.0
    assert len(page) < 1_000_000


@given(
    hnp.arrays(np.float64, st.integers(0, 200), elements=st.floats(0, 1)),
    st.integers(1, 60),
)
def test_thinning_loses_no_peak(values: np.ndarray[tuple[int], np.dtype[np.float64]], most: int) -> None:
    thin, many = peaks(values, most)
    assert len(thin) <= most
    for k, value in enumerate(thin):
        assert value == values[k * many : (k + 1) * many].max()


def test_what_is_no_number_never_reaches_the_page() -> None:
    with pytest.raises(ValueError, match="JSON"):
        render(made_up(threshold=float("nan")))
