"""The JSON that `lolhl export --format json` writes: {"vod": …, "highlights": [{"start", "stop", "name", "score"}]}."""

import json
import math
from typing import Any

from lolhl.errors import LabelError, UsageError
from lolhl.labels.file import LabelFile, Labels, name_of
from lolhl.labels.rows import check_vod, checked
from lolhl.labels.spans import Span, merge


def looks_like(text: str) -> bool:
    """Whether it is an object with highlights, and no list of Label Studio's tasks."""
    return text.lstrip().startswith("{") and '"highlights"' in text


def read(file: LabelFile) -> Labels:
    """The spans of the file's VOD. Raises LabelError, which names file and element."""
    try:
        values = json.loads(file.text())
    except (ValueError, RecursionError):
        raise LabelError(f"{file.name}: this is no JSON") from None
    highlights = values.get("highlights") if isinstance(values, dict) else None
    if not isinstance(highlights, list):
        raise LabelError(f"{file.name}: it has no list highlights, as `lolhl export --format json` writes it")
    named = values.get("vod")
    vod = file.vod if file.vod is not None else named if isinstance(named, str) else None
    if vod is None:
        raise UsageError(f"{file.name}: it does not name its VOD: give --vod")
    check_vod(vod, file.known, file.name)
    spans = [_span(value, f"{file.name}: highlights[{place}]") for place, value in enumerate(highlights)]
    return {vod: merge(checked(span, vod, file.known, place) for place, span in spans)}


def _span(value: Any, place: str) -> tuple[str, Span]:
    start, stop = (_number(value, key, place) for key in ("start", "stop"))
    name, score = value.get("name"), value.get("score")
    return place, Span(
        start,
        stop,
        name_of(name if isinstance(name, str) else ""),
        None if score is None else _number(value, "score", place),
    )


def _number(value: Any, key: str, place: str) -> float:
    number = value.get(key) if isinstance(value, dict) else None
    try:
        if isinstance(number, int | float) and not isinstance(number, bool) and math.isfinite(number):
            return float(number)
    except OverflowError:  # an integer of hundreds of digits
        pass
    raise LabelError(f"{place}: its {key} is no number")
