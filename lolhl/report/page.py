"""The report of one VOD: one HTML file that needs nothing else, on-line or off.

Titles and names come from strangers. They reach the page as JSON and are written by its script as
text, never as HTML; besides, the page's policy runs no other script than its own and loads nothing
from elsewhere.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from importlib import resources
from string import Template
from typing import Any

import numpy as np
import numpy.typing as npt

from lolhl.highlights.amount import AmountConfig
from lolhl.highlights.cut import Highlight
from lolhl.highlights.offers import Offer
from lolhl.labels.spans import Span
from lolhl.vod.viewer_clip import ViewerClip

# Joined in this order to one script: what a part uses when the page opens stands in a part before it.
SCRIPTS = (
    "element",
    "server",
    "job",
    "time",
    "stream",
    "chart",
    "timeline",
    "list",
    "cuts",
    "editor",
    "looked",
    "player",
    "feeds",
    "exports",
    "camera",
    "reel",
    "shorts",
    "review",
    "summary",
)
_MOST_POINTS = 100_000  # of a curve: more than any screen has columns, at 9 h of 3 fps
_FEWER_POINTS = 30_000  # of the curve of a signal, which is drawn small
_PARTS = re.compile(
    r'<h1>(?P<title>.*?)</h1>.*<script type="application/json" id="data">(?P<data>.*?)</script>', re.DOTALL
)


@dataclass(frozen=True)
class PageHighlight:
    """A highlight on the page.

    Attributes:
        highlight: its span, and why it was picked.
        picture: JPEG bytes, or None.
        clip: address of the clip, relative to the page, or None.
        label: place, among the labels, of the one that it matches, or None.
        short: address of the vertical video, as that of the clip.
    """

    highlight: Highlight
    picture: bytes | None = None
    clip: str | None = None
    label: int | None = None
    short: str | None = None


@dataclass(frozen=True)
class Table:
    """Figures for the end of the page. The first cell of each row names it; `note` says what is meant."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Link:
    """A file beside the page: how it is called and its relative address."""

    name: str
    href: str


@dataclass(frozen=True)
class PageCut:
    """A cut into more or fewer highlights, that the page can change to.

    Attributes:
        cut: its highlights, and what asks for them.
        labels: for each of them the place, among the labels, of the one that it matches, or None.
    """

    cut: Offer
    labels: Sequence[int | None]


@dataclass(frozen=True)
class Curve:
    """What a signal says over time.

    Attributes:
        signal: its name.
        values: float [n] from 0 to 1, on the grid of the scores.
    """

    signal: str
    values: npt.NDArray[np.floating]


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that the page shows. Times are seconds from the start of the video.

    Attributes:
        vod, title, model: names, as they are.
        twitch_id, offset: the Twitch VOD, if it is one, and the second of it where the video begins.
        duration: of the video.
        video: address of the source, relative to the page, if browsers can play it.
        picture_rate: pictures a second of the video; 0 where it is not known.
        fps: of the grid.
        smoothed: float [n], what spans were cut from, its mean taken over `smooth_seconds`.
        intensity: float [n], the mean over `intensity_seconds`.
        signals: what each of them says, as far as it is known.
        threshold, low: where highlights begin and end.
        highlights: best first.
        cuts: into more or fewer highlights, the shortest first; one of them is the present one.
        reason: why there are none, when there are none.
        labels: None when nobody labelled the VOD.
        looked_at: the stretches that somebody has looked at; None for all of it, and where there are no labels.
        chapters: with their names.
        games: that the video shows, with what is known of each.
        viewer_clips: those that viewers made of the stream on Twitch, in order of time.
        agreement: one figure against the labels and what it is, for the summary.
        tables: figures of the model, and of this VOD against its labels.
        files: beside the page.
        settings: how spans were cut, in a sentence.
    """

    vod: str
    title: str
    model: str
    twitch_id: str | None
    offset: float
    duration: float
    video: str | None
    picture_rate: Fraction = Fraction(0)
    fps: Fraction
    smoothed: npt.NDArray[np.float64]
    smooth_seconds: float
    intensity: npt.NDArray[np.float64]
    intensity_seconds: float
    signals: Sequence[Curve] = ()
    threshold: float
    low: float
    highlights: Sequence[PageHighlight] = ()
    cuts: Sequence[PageCut] = ()
    reason: str | None
    labels: Sequence[Span] | None = None
    looked_at: Sequence[Span] | None = None
    chapters: Sequence[Span]
    games: Sequence[Span] = ()
    viewer_clips: Sequence[ViewerClip] = ()
    agreement: tuple[str, str] | None = None
    tables: Sequence[Table] = ()
    files: Sequence[Link] = ()
    settings: str


def render(report: Report) -> str:
    """The whole page as HTML, without any reference to another address but links and the files beside it."""
    # A lone surrogate, which JSON of the web can hold, cannot be written to a file.
    title = html.escape(report.title.encode(errors="backslashreplace").decode())
    return _fill(title, _json(_data(report)), review="null", policy="")


def reviewed(page: str, review: Mapping[str, Any]) -> str:
    """A page that `render` made, with corrections that it saves to the server that it comes from.

    Args:
        page: the HTML. An older version of lolhl may have made it.
        review: JSON values: the corrections so far, and the addresses to save to. See script/review.js.

    Raises:
        ValueError: the HTML is another page.
    """
    parts = _PARTS.search(page)
    if parts is None:
        raise ValueError("it is no page of a report")
    return _fill(parts["title"], parts["data"], review=_json(review), policy=" connect-src 'self';")


def _fill(title: str, data: str, *, review: str, policy: str) -> str:
    """The page's template with what it shows: HTML and JSON that are safe in it.

    Args:
        policy: what the content security policy allows besides.
    """
    script = joined_script(SCRIPTS)
    return Template(_part("page.html")).substitute(
        title=title,
        style=style(),
        script=script,
        style_hash=policy_hash(style()),
        script_hash=policy_hash(script),
        data=data,
        review=review,
        policy=policy,
    )


def peaks(values: npt.NDArray[np.floating], most: int = _MOST_POINTS) -> tuple[npt.NDArray[np.floating], int]:
    """At most `most` values, each the greatest of equally many neighbours, and how many those are.

    No peak is lost: the greatest value of every stretch stays in it.
    """
    many = max(1, -(-len(values) // most))
    padded = np.pad(values, (0, -len(values) % many), constant_values=0)
    return padded.reshape(-1, many).max(axis=1, initial=0), many


def _data(report: Report) -> dict[str, Any]:
    smoothed, many = peaks(report.smoothed)
    intensity, _ = peaks(report.intensity)
    together = sum(entry.highlight.span.duration for entry in report.highlights)
    return {
        "vod": report.vod,
        "model": report.model,
        "twitch_id": report.twitch_id,
        "offset": report.offset,
        "duration": report.duration,
        "video": report.video,
        "picture_rate": float(report.picture_rate),
        "step": float(many / report.fps),
        "smoothed": _packed(smoothed),
        "smooth_seconds": report.smooth_seconds,
        "intensity": _packed(intensity),
        "intensity_seconds": report.intensity_seconds,
        "signals": [_curve(curve, report.fps) for curve in report.signals],
        "threshold": report.threshold,
        "low": report.low,
        "highest": float(report.smoothed.max(initial=0.0)),
        "highlights": [_highlight(entry) for entry in report.highlights],
        "cuts": [_cut(cut) for cut in report.cuts],
        "together": {"seconds": together, "percent": 100 * together / max(report.duration, 1.0)},
        "reason": report.reason,
        "labels": None if report.labels is None else [_span(span) for span in report.labels],
        "looked_at": None if report.looked_at is None else [[span.start, span.stop] for span in report.looked_at],
        "chapters": [_span(span) for span in report.chapters],
        "games": [_span(span) for span in report.games],
        "viewer_clips": [asdict(clip) for clip in report.viewer_clips],
        "agreement": {"value": report.agreement[0], "note": report.agreement[1]} if report.agreement else None,
        "tables": [asdict(table) for table in report.tables],
        "files": [asdict(link) for link in report.files],
        "settings": report.settings,
    }


def _highlight(entry: PageHighlight) -> dict[str, Any]:
    highlight = entry.highlight
    picture = entry.picture and "data:image/jpeg;base64," + base64.b64encode(entry.picture).decode()
    return {
        **_span(highlight.span),
        "rank": highlight.rank,
        "score": round(highlight.peak, 4),
        "peak": highlight.peak_time,
        "reason": highlight.reason,
        "picture": picture,
        "clip": entry.clip,
        "short": entry.short,
        "label": entry.label,
    }


def _curve(curve: Curve, fps: Fraction) -> dict[str, Any]:
    values, many = peaks(curve.values, _FEWER_POINTS)
    return {"name": curve.signal, "step": float(many / fps), "values": _packed(values)}


def _cut(entry: PageCut) -> dict[str, Any]:
    """A cut: what asks for it, None for the present one; and start, stop, peak and label of each highlight."""
    cut = entry.cut
    asked = cut.asked and {name: value for name, value in cut.asked.recorded().items() if value is not None}
    return {
        "asked": asked,
        "options": AmountConfig.options(asked or {}),
        "threshold": cut.threshold,
        "seconds": cut.seconds,
        "spans": [
            [highlight.span.start, highlight.span.stop, round(highlight.peak, 4), label]
            for highlight, label in zip(cut.highlights, entry.labels, strict=True)
        ],
    }


def _span(span: Span) -> dict[str, Any]:
    return {"start": span.start, "stop": span.stop, "name": span.name}


def _packed(values: npt.NDArray[np.floating]) -> str:
    """Numbers from 0 to 1 as base64 of little-endian 16-bit integers."""
    return base64.b64encode(np.rint(np.clip(values, 0, 1) * 65535).astype("<u2").tobytes()).decode()


def _json(value: Any) -> str:
    """JSON that can stand in a <script>: nothing in it ends the element or begins a comment."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def style() -> str:
    """The style sheet of the page, and of other pages that look like it."""
    return _part("page.css")


def policy_hash(text: str) -> str:
    """How a content security policy names a script or a style that may be used."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def joined_script(names: Sequence[str], *others: str) -> str:
    """Parts of the page's script, and others, in one function, so that none of their names is seen outside of it."""
    parts = [*(_part(f"script/{name}.js") for name in names), *others]
    return "\n".join(["'use strict';", "(() => {", *parts, "})();", ""])


def _part(name: str) -> str:
    return resources.files("lolhl.report").joinpath(name).read_text(encoding="utf-8")
