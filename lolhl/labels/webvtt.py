"""Cues of a WebVTT file: each is a highlight."""

import html
import re

from lolhl.errors import LabelError
from lolhl.labels.file import LabelFile, Labels, lines_of, name_of, time
from lolhl.labels.spans import Span

_TAG = re.compile(r"<[^<>]{0,200}>")


def looks_like(text: str) -> bool:
    return text.startswith("WEBVTT")


def read(file: LabelFile) -> Labels:
    """The cues, named by their text. Raises LabelError, which names file and line."""
    text = file.text()
    if not looks_like(text):
        raise LabelError(f"{file.name}:1: this is no WebVTT: its first line must be WEBVTT")
    spans: list[tuple[str, Span]] = []
    lines = lines_of(text)
    for number, line in enumerate(lines):
        if "-->" not in line:
            continue
        place = f"{file.name}:{number + 1}"
        begin, _, rest = line.partition("-->")
        if not rest.split():
            raise LabelError(f"{place}: the cue has no end")
        words = []
        for below in lines[number + 1 :]:
            if not below.strip() or "-->" in below:
                break
            words.append(below)
        name = html.unescape(_TAG.sub("", " ".join(words)))
        spans.append((place, Span(time(begin, place), time(rest.split()[0], place), name_of(name))))
    return file.labels(spans)
