"""The first page of the server: what can be begun, and how far each stream of the root is."""

import html
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from string import Template
from urllib.parse import quote

from lolhl import layout, manifest
from lolhl.errors import LolhlError, StorageError
from lolhl.grid import format_time
from lolhl.labels.store import stored_labels
from lolhl.models import champion, unsupervised
from lolhl.report.page import joined_script, policy_hash, style
from lolhl.results import Report, Scoring, Vod
from lolhl.review.corrections import load_corrections, unlabelled
from lolhl.storage import MANY, Root, each

_PARTS = ("element", "time", "server", "job")  # of the report's script, which this page uses too
_NOTHING = "–"


@dataclass(frozen=True)
class Stream:
    """A VOD of the root, and how far it is.

    Attributes:
        vod, title: its name, and what people call it.
        duration: seconds of its video; None where its manifest is damaged, which hides all that follows.
        extracted: whether it has frames.
        scored_by: the model that scored it; None where none did.
        highlights: how many its page shows; None where it has no page.
        corrections: how many were made; None where their file is damaged.
        waiting: how many of them its labels do not say.
        labelled: whether it has labels.
    """

    vod: str
    title: str
    duration: float | None
    extracted: bool = False
    scored_by: str | None = None
    highlights: int | None = None
    corrections: int | None = 0
    waiting: int = 0
    labelled: bool = False

    @property
    def page(self) -> str:
        """The address of its page."""
        return page_address(self.vod)


def page_address(vod: str) -> str:
    """The address of a VOD's page on the server."""
    return f"/highlights/{quote(vod)}/report.html"


def streams(root: Root) -> list[Stream]:
    """All VODs of the root, in order of their names."""
    framed = {vod for vod, _ in layout.frame_sets(stat.key for stat in root.list(layout.FRAMES))}
    return list(each(lambda vod: _stream(root, vod, vod in framed), layout.vods(root), ahead=MANY))


def _stream(root: Root, vod: str, extracted: bool) -> Stream:
    stored = manifest.intact(root, layout.vod(vod), Vod)
    if stored is None:
        return Stream(vod, vod, None)
    scoring = manifest.intact(root, layout.scoring(vod), Scoring)
    report = manifest.intact(root, layout.report(vod), Report)
    corrections, waiting = _corrections(root, vod, stored.result.duration)
    return Stream(
        vod=vod,
        title=stored.result.title or vod,
        duration=stored.result.duration,
        extracted=extracted,
        scored_by=scoring.result.model if scoring else None,
        highlights=len(report.result.highlights) if report else None,
        corrections=corrections,
        waiting=waiting if report else 0,  # without a page nobody can make labels of them
        labelled=root.stat(layout.labels(vod)) is not None,
    )


def _corrections(root: Root, vod: str, duration: float) -> tuple[int | None, int]:
    """How many corrections there are, and how many of them the labels do not say."""
    try:
        corrections, _ = load_corrections(root, vod)
        if not (corrections.spans or corrections.looked_at):
            return 0, 0
        return len(corrections.spans), unlabelled(corrections, stored_labels(root, vod), duration)
    except LolhlError:  # the page of the stream says what is wrong
        return None, 0


def render(root: Root) -> str:
    """The page as HTML."""
    listed = streams(root)
    own = resources.files("lolhl.review").joinpath("index.js").read_text(encoding="utf-8")
    script = joined_script(_PARTS, own)
    template = Template(resources.files("lolhl.review").joinpath("index.html").read_text(encoding="utf-8"))
    return template.substitute(
        style=style(),
        style_hash=policy_hash(style()),
        script=script,
        script_hash=policy_hash(script),
        root=html.escape(root.url),
        models=_models(root),
        rows="".join(map(_row, listed)),
        empty="" if listed else "<p>There is no stream yet.</p>",
    )


def _models(root: Root) -> str:
    """The models that streams can be scored with, as options; the first one is what is taken where nothing is said."""
    try:
        best = champion.champions(root).model
    except StorageError:  # the job that uses it says what is wrong
        best = None
    usual = f"the champion, {best}" if best else "none: loudness and chat"
    others = [("", usual), *([(unsupervised.NAME, "none: loudness and chat")] if best else [])]
    others += [(model, model) for model in layout.models(root) if model != best]
    return "".join(f'<option value="{html.escape(value)}">{html.escape(name)}</option>' for value, name in others)


def _row(stream: Stream) -> str:
    name = html.escape(stream.title)
    if stream.duration is None:
        return f"<tr><th scope=row>{name}</th><td colspan=6>its manifest is damaged</td></tr>"
    if stream.highlights is not None:
        name = f'<a href="{stream.page}">{name}</a>'
    looked_at = f"{stream.corrections} looked at"
    if stream.waiting:
        looked_at += f", {stream.waiting} not yet labels"
    cells = [
        format_time(round(stream.duration)),
        "extracted" if stream.extracted else _NOTHING,
        f"by {stream.scored_by}" if stream.scored_by else _NOTHING,
        _NOTHING if stream.highlights is None else f"{stream.highlights} highlights",
        "damaged" if stream.corrections is None else looked_at if stream.corrections or stream.waiting else _NOTHING,
        "labelled" if stream.labelled else _NOTHING,
    ]
    return f"<tr><th scope=row>{name}</th>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"


def waiting(listed: Sequence[Stream]) -> list[dict[str, object]]:
    """The streams with corrections that their labels do not say, as JSON values."""
    return [
        {"vod": stream.vod, "title": stream.title, "page": stream.page, "corrections": stream.waiting}
        for stream in listed
        if stream.waiting
    ]
