"""Plain data, for spreadsheets and programs of one's own: CSV and JSON. `lolhl labels` reads both."""

import csv
import io
import json

from lolhl import grid
from lolhl.exports.cut_list import CutList, one_line

_COLUMNS = ("vid_id", "start", "stop", "name", "score", "rank", "start_seconds", "stop_seconds", "reason")


def write_csv(cuts: CutList) -> bytes:
    """A row for each highlight; the times as h:mm:ss[.fff] and as seconds."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for cut in cuts.cuts:
        span = cut.span
        times = [grid.format_time(span.start), grid.format_time(span.stop)]
        score = "" if span.score is None else f"{span.score:.6g}"
        seconds = [f"{span.start:.3f}", f"{span.stop:.3f}"]
        table.writerow([cuts.vod, *times, cut.name, score, cut.rank, *seconds, one_line(cut.reason)])
    return text.getvalue().encode()


def write_json(cuts: CutList) -> bytes:
    """VOD and highlights; times are seconds."""
    highlights = [
        {
            "start": round(cut.span.start, 3),
            "stop": round(cut.span.stop, 3),
            "name": cut.name,
            "score": cut.span.score,
            "rank": cut.rank,
            "reason": one_line(cut.reason),
        }
        for cut in cuts.cuts
    ]
    rate = str(cuts.rate.fps) if cuts.rate else None
    values = {"vod": cuts.vod, "title": one_line(cuts.title), "video": cuts.video, "duration": cuts.duration}
    return (json.dumps({**values, "fps": rate, "highlights": highlights}, indent=1, ensure_ascii=False) + "\n").encode()
