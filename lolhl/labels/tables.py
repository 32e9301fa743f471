"""Labels as a table that a person can write in a spreadsheet: tab separated, or a spreadsheet's CSV.

The first line names the columns: `vid_id`, `start`, `stop`, and perhaps `name`, `score` and `source` (where a label
comes from that no person gave); other columns are passed over. Times are h:mm:ss[.fff], mm:ss or seconds from the
start of the VOD's video.

A row with `yes` in the column `looked_at` is no highlight, but a stretch that somebody has looked at. Where a VOD has
such rows nothing is known of the rest of it. Without any, all of it was looked at.
"""

import csv
import io
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from lolhl.errors import LabelError, UsageError
from lolhl.grid import format_time, parse_time
from lolhl.labels.file import decoded, lines_of
from lolhl.labels.rows import ANY, LONGEST, KnownVods, check_vod, checked
from lolhl.labels.spans import Span, merge

_NEEDED = ("vid_id", "start", "stop")
_LOOKED_AT = "looked_at"
_NO = ("", "no")


def read_table(
    data: bytes, name: str, known: KnownVods = ANY, *, separators: str = "\t", vod: str | None = None
) -> dict[str, list[Span]]:
    """The highlights of each VOD, in order of time, overlaps merged. `read_both` gives what the file says besides.

    Args:
        data: the file's bytes: UTF-8, or UTF-16 with its mark, as spreadsheets write.
        name: of the file, for messages.
        separators: what may stand between columns; the one that the first line has is taken.
        vod: the VOD of all rows, for a file without the column `vid_id`. Then a file without rows
            says that this VOD has no highlights.

    Raises:
        LabelError: a row is malformed, empty, inverted, out of the video or of an unknown VOD;
            the message begins with "file:line".
    """
    return read_both(data, name, known, separators=separators, vod=vod)[0]


def read_looked_at(
    data: bytes, name: str, known: KnownVods = ANY, *, separators: str = "\t", vod: str | None = None
) -> dict[str, list[Span]]:
    """What was looked at of each VOD of which the file says it, see `read_both`."""
    return read_both(data, name, known, separators=separators, vod=vod)[1]


def read_both(
    data: bytes, name: str, known: KnownVods = ANY, *, separators: str = "\t", vod: str | None = None
) -> tuple[dict[str, list[Span]], dict[str, list[Span]]]:
    """The highlights of each VOD, and what was looked at of each VOD of which the file says it.

    Both are in order of time, overlaps merged. Highlights were looked at in any case, so they lie in these stretches.
    Arguments and errors are as of `read_table`.
    """
    rows = _rows(decoded(data, name), name, separators)
    place, header = next(rows, (f"{name}:1", []))
    needed = _NEEDED if vod is None else _NEEDED[1:]
    columns = _columns([cell.strip().lower() for cell in header], needed, place)
    spans_by_vod: dict[str, list[Span]] = defaultdict(list)
    looked_at_by_vod: dict[str, list[Span]] = defaultdict(list)
    if vod is not None:
        check_vod(vod, known, name)
        spans_by_vod[vod] = []
    for place, row in rows:
        if len(row) <= max(columns[column] for column in needed) or any(cell.strip() for cell in row[len(header) :]):
            raise LabelError(f"{place}: the row has {len(row)} columns, the first line names {len(header)}")
        # Editors take empty cells off the end of a line, so a name or score may be missing there.
        cells = {column: row[index].strip() for column, index in columns.items() if index < len(row)}
        row_vod = vod if vod is not None else cells["vid_id"]
        if not row_vod:
            raise LabelError(f"{place}: the column vid_id is empty")
        span = Span(
            _time(cells["start"], "start", place),
            _time(cells["stop"], "stop", place),
            " ".join(cells.get("name", "").split()) or "highlight",
            _score(cells.get("score", ""), place),
            " ".join(cells.get("source", "").split()) or None,
        )
        highlights = spans_by_vod[row_vod]
        is_stretch = _is_stretch(cells.get(_LOOKED_AT, ""), place)
        (looked_at_by_vod[row_vod] if is_stretch else highlights).append(checked(span, row_vod, known, place))
    looked_at = {
        row_vod: merge(Span(span.start, span.stop) for span in (*spans, *spans_by_vod[row_vod]))
        for row_vod, spans in looked_at_by_vod.items()
    }
    return {row_vod: merge(spans) for row_vod, spans in spans_by_vod.items()}, looked_at


def write_table(vod: str, spans: Iterable[Span], looked_at: Iterable[Span] | None = None) -> bytes:
    """The table of one VOD's spans, tab separated; `name`, `score` and `source` are written where a span has them.

    Args:
        looked_at: the stretches that were looked at, at least one. None for all of the VOD.
    """
    spans, partly = list(spans), looked_at is not None
    named, scored = any(span.name != "highlight" for span in spans), any(span.score is not None for span in spans)
    sourced = any(span.source is not None for span in spans)
    text = io.StringIO()
    table = csv.writer(text, delimiter="\t", lineterminator="\n")
    table.writerow([*_NEEDED, *["name"] * named, *["score"] * scored, *["source"] * sourced, *[_LOOKED_AT] * partly])
    for span in spans:
        row = [vod, format_time(span.start), format_time(span.stop)]
        score = "" if span.score is None else f"{span.score:.6g}"
        table.writerow([*row, *[span.name] * named, *[score] * scored, *[span.source or ""] * sourced, *[""] * partly])
    for span in looked_at or ():
        table.writerow(
            [vod, format_time(span.start), format_time(span.stop), *[""] * (named + scored + sourced), "yes"]
        )
    return text.getvalue().encode()


def _rows(text: str, name: str, separators: str) -> Iterator[tuple[str, list[str]]]:
    """ "file:line" and cells of each row that is not blank."""
    header = next((line for line in lines_of(text) if line.strip()), "")
    separator = max(separators, key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        line_number = reader.line_num + 1  # a quoted cell may go on over several lines
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise LabelError(f"{name}:{line_number}: the row cannot be read: {error}") from None
        if any(cell.strip() for cell in row):
            yield f"{name}:{line_number}", row


def _columns(header: Sequence[str], needed: Sequence[str], place: str) -> dict[str, int]:
    missing = [column for column in needed if column not in header]
    if missing:
        raise LabelError(f"{place}: no column {' and '.join(missing)}: the first line must name {', '.join(needed)}")
    if "vid_id" in header and "vid_id" not in needed:
        raise LabelError(f"{place}: the file names its VODs in the column vid_id: do not give one VOD for all rows")
    columns = [*needed, "name", "score", "source", _LOOKED_AT]
    twice = [column for column in columns if header.count(column) > 1]
    if twice:
        raise LabelError(f"{place}: the column {twice[0]} stands there twice")
    return {column: header.index(column) for column in columns if column in header}


def _is_stretch(text: str, place: str) -> bool:
    """Whether the row is a stretch that was looked at, and no highlight."""
    if text.lower() not in ("yes", *_NO):
        raise LabelError(
            f"{place}: {_LOOKED_AT} {text[:40]!r} is neither yes nor empty: write yes in the row of a stretch that was "
            "looked at, and nothing in that of a highlight"
        )
    return text.lower() not in _NO


def _time(text: str, column: str, place: str) -> float:
    try:
        seconds = parse_time(text)
    except UsageError:
        raise LabelError(f"{place}: {column} {text[:40]!r} is not a time: write h:mm:ss or h:mm:ss.fff") from None
    if seconds > LONGEST:
        raise LabelError(f"{place}: {column} {text[:40]!r} is later than any video ends ({LONGEST / 3600:.0f} hours)")
    return seconds


def _score(text: str, place: str) -> float | None:
    if not text:
        return None
    try:
        score = float(text)
    except ValueError:
        score = math.nan
    if not math.isfinite(score):
        raise LabelError(f"{place}: score {text[:40]!r} is not a number")
    return score
