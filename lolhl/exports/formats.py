"""The one list of export formats. To add one, write a function CutList → bytes in a file here, and a line below."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from lolhl.exports.cut_list import CutList


@dataclass(frozen=True)
class Format:
    """An export format.

    Attributes:
        file: what its file is called; not as those that `report` writes.
        function: module and name of what writes it, in this package. It is imported when it is needed.
        help: what it is for.
        needs_media: whether it names the videos that highlights are cut from.
        needs_rate: whether it counts frames of the stored video.
        needs_reel: whether it is about the reel.
    """

    file: str
    function: str
    help: str
    needs_media: bool = False
    needs_rate: bool = False
    needs_reel: bool = False

    def write(self, cuts: CutList) -> bytes:
        """The file's bytes. Raises ExportError where the format cannot hold these highlights."""
        module, name = self.function.split(".")
        function: Callable[[CutList], bytes] = getattr(import_module(f"lolhl.exports.{module}"), name)
        return function(cuts)


FORMATS: dict[str, Format] = {
    "fcpxml": Format("highlights.fcpxml", "fcpxml.write", "Final Cut Pro, Resolve", needs_media=True),
    "fcp7": Format("highlights.xml", "fcp7.write", "Premiere, Resolve", needs_media=True),
    "otio": Format("highlights.otio", "otio.write", "OpenTimelineIO: Resolve, Kdenlive", needs_media=True),
    "edl": Format("cuts.edl", "edl.write", "CMX 3600: nearly all", needs_media=True),
    "resolve-markers": Format("resolve-markers.edl", "resolve_markers.write", "timeline markers", needs_rate=True),
    "premiere-markers": Format("premiere-markers.csv", "premiere_markers.write", "table of markers", needs_rate=True),
    "llc": Format("highlights.llc", "losslesscut.write", "LosslessCut's project"),
    "llc-csv": Format("losslesscut.csv", "losslesscut.write_csv", "LosslessCut's segments"),
    "webvtt": Format("highlights.vtt", "webvtt.write", "chapters for players"),
    "youtube": Format("youtube.txt", "youtube.write", "chapters of the VOD on YouTube"),
    "youtube-reel": Format("youtube-reel.txt", "youtube.write_of_reel", "those of the reel", needs_reel=True),
    "json": Format("highlights-data.json", "tables.write_json", "for programs"),
    "csv": Format("highlights.csv", "tables.write_csv", "for spreadsheets, and labels again"),
}
