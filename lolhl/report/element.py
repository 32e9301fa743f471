"""HTML and SVG that are put together from elements. Text goes in as text: only `Html` is not escaped."""

import html
from collections.abc import Iterable, Sequence

_VOID = frozenset(("img", "link", "meta", "br", "hr"))


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def el(tag: str, *children: "str | Html | None", **attributes: str | float | bool | None) -> Html:
    """An element.

    Args:
        tag: its name.
        children: what stands in it. A `str` is escaped, `Html` is not, None is left out.
        attributes: by their names, with "_" for "-", and one at the end where Python has the word (`class_`). True
            stands for an attribute without a value; None and False leave it out.
    """
    written = "".join(_attribute(name, value) for name, value in attributes.items())
    if tag in _VOID:
        return Html(f"<{tag}{written}>")
    return Html(f"<{tag}{written}>{join(children)}</{tag}>")


def join(children: "Iterable[str | Html | None]") -> Html:
    """Several, one after the other, see `el`."""
    return Html(
        "".join(child if isinstance(child, Html) else escaped(child) for child in children if child is not None)
    )


def card(place: str, title: str, *children: Html) -> Html:
    """A section with a frame, and with an id that can be linked to."""
    return el("section", el("h2", title, id=place), *children, class_="card", aria_labelledby=place)


def folded(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    """A table that is shown when its title is clicked."""
    return el("details", el("summary", title), table(header, rows))


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Html:
    """A table whose first column names the rows."""
    head = el("thead", el("tr", *(el("th", name, scope="col") for name in header)))
    body = [el("tr", el("th", row[0], scope="row"), *(el("td", cell) for cell in row[1:])) for row in rows]
    return el("div", el("table", head, el("tbody", *body)), class_="scroll")


def escaped(text: str) -> Html:
    """Text as HTML. A lone surrogate, which JSON of the web can hold, becomes readable, as it cannot be written."""
    return Html(html.escape(text.encode(errors="backslashreplace").decode()))


def _attribute(name: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-") if name not in _CAMEL else _CAMEL[name]
    if value is True:
        return f" {name}"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    return f' {name}="{escaped(text)}"'


_CAMEL = {"view_box": "viewBox"}  # attributes of SVG with capitals
