"""Projects of LosslessCut (.llc, JSON5) and its table of segments (CSV without header, in seconds).

Both are of the stored video: LosslessCut opens one file at a time, and finds it beside the project by its name.
"""

import csv
import io
import json

from lolhl.exports.cut_list import Cut, CutList, one_line


def write(cuts: CutList) -> bytes:
    """A project with a segment for each highlight. JSON is JSON5 too."""
    project = {
        "version": 2,
        "mediaFileName": cuts.video,
        "cutSegments": [
            {**_segment(cut), "name": cut.name, "tags": {"rank": str(cut.rank)}, "selected": True} for cut in cuts.cuts
        ],
    }
    return (json.dumps(project, indent=2, ensure_ascii=False) + "\n").encode()


def write_csv(cuts: CutList) -> bytes:
    """A row for each highlight: start, stop, name."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    for cut in cuts.cuts:
        table.writerow([*_segment(cut).values(), one_line(cut.span.name)])
    return text.getvalue().encode()


def _segment(cut: Cut) -> dict[str, float]:
    """In whole milliseconds, as labels are."""
    return {"start": round(cut.span.start, 3), "end": round(cut.span.stop, 3)}
