"""The one list of label formats. To add one, write a function LabelFile → Labels in a file here, and a line below."""

from collections.abc import Callable
from dataclasses import dataclass

from lolhl.errors import UsageError
from lolhl.labels import (
    edl,
    label_studio,
    losslesscut,
    plain_json,
    premiere_markers,
    riot_timeline,
    tables,
    twitch_markers,
    webvtt,
)
from lolhl.labels.file import LabelFile, Labels

_HEAD = 4000  # characters of the text that tell the format


@dataclass(frozen=True)
class Format:
    """A label format.

    Attributes:
        help: what it is.
        endings: of its files' names.
        read: reads a file.
        looks_like: whether a text begins as its files do; None for the one that its endings stand for otherwise.
        counts_frames: whether it counts frames, and has to be told how many a second has.
        of_games: whether it tells of a game and not of highlights, so that its labels are weaker than a person's.
        looked_at: reads what a file says that somebody has looked at, of VODs of which not all was; None where files of
            this format cannot say it.
    """

    help: str
    endings: tuple[str, ...]
    read: Callable[[LabelFile], Labels]
    looks_like: Callable[[str], bool] | None = None
    counts_frames: bool = False
    of_games: bool = False
    looked_at: Callable[[LabelFile], Labels] | None = None


_OF_SPREADSHEETS = ",;\t"  # they take ; where the comma is in numbers


def _read_tsv(file: LabelFile) -> Labels:
    return tables.read_table(file.data, file.name, file.known, vod=file.vod)


def _looked_at_tsv(file: LabelFile) -> Labels:
    return tables.read_looked_at(file.data, file.name, file.known, vod=file.vod)


def _read_csv(file: LabelFile) -> Labels:
    return tables.read_table(file.data, file.name, file.known, separators=_OF_SPREADSHEETS, vod=file.vod)


def _looked_at_csv(file: LabelFile) -> Labels:
    return tables.read_looked_at(file.data, file.name, file.known, separators=_OF_SPREADSHEETS, vod=file.vod)


def _read_label_studio(file: LabelFile) -> Labels:
    return label_studio.read_label_studio(file.data, file.name, file.known, fps=file.fps, vod=file.vod)


_TEXT = (".csv", ".txt", ".tsv")
FORMATS: dict[str, Format] = {
    "tsv": Format(
        "table with the columns vid_id, start, stop (h:mm:ss[.fff] or seconds)",
        (".tsv", ".txt"),
        _read_tsv,
        looked_at=_looked_at_tsv,
    ),
    "csv": Format("the same, with commas or semicolons", (".csv",), _read_csv, looked_at=_looked_at_csv),
    "label-studio": Format("its JSON export with TimelineLabels", (".json",), _read_label_studio, counts_frames=True),
    "json": Format("what `export` writes", (".json",), plain_json.read, plain_json.looks_like),
    "twitch-markers": Format(
        "Twitch's CSV of stream markers, each the end of a highlight",
        _TEXT,
        twitch_markers.read,
        twitch_markers.looks_like,
    ),
    "premiere-markers": Format(
        "Premiere's CSV of markers", _TEXT, premiere_markers.read, premiere_markers.looks_like, counts_frames=True
    ),
    "resolve-markers": Format(
        "Resolve's EDL of timeline markers", (".edl",), edl.read_markers, edl.has_markers, counts_frames=True
    ),
    "edl": Format("cuts, CMX 3600", (".edl",), edl.read_cuts, edl.has_cuts, counts_frames=True),
    "llc": Format("LosslessCut's project", (".llc",), losslesscut.read_project),
    "llc-csv": Format("LosslessCut's segments", _TEXT, losslesscut.read_csv, losslesscut.looks_like),
    "webvtt": Format("WebVTT", (".vtt",), webvtt.read),
    "riot-timeline": Format(
        "the timeline of a game from Riot's Match-V5, whose events become highlights by --rules",
        (".json",),
        riot_timeline.read,
        riot_timeline.looks_like,
        of_games=True,
    ),
}


def guess(file: LabelFile, ending: str) -> str:
    """The format of a file, by its ending and, where several formats have that, by how it begins.

    Raises:
        UsageError: the ending does not tell it.
        LabelError: the file is no text.
    """
    candidates = {name: form for name, form in FORMATS.items() if ending in form.endings}
    if not candidates:
        raise UsageError(f"{file.name}: its ending does not tell its format: name it with --format")
    if len(candidates) > 1:
        head = file.text()[:_HEAD]
        for name, form in candidates.items():
            if form.looks_like and form.looks_like(head):
                return name
    usual = [name for name, form in candidates.items() if len(candidates) == 1 or form.looks_like is None]
    if not usual:
        raise UsageError(f"{file.name}: it is none of {', '.join(candidates)} by its content: name it with --format")
    return usual[0]
