"""labels: a file that people labelled streams in → labels/<vod>.tsv of each VOD in it.

Labels are what people give, not what is computed: they have no manifest, and the file of a VOD may
be written and changed by hand as well. The whole file is checked before anything is written.
"""

import logging
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from stat import S_ISREG
from typing import Literal

from lolhl import layout, manifest
from lolhl.config import Config, setting
from lolhl.errors import LabelError, UsageError
from lolhl.grid import FASTEST, SLOWEST
from lolhl.labels.label_studio import read_label_studio
from lolhl.labels.rows import KnownVods
from lolhl.labels.spans import Span
from lolhl.labels.store import save_labels
from lolhl.labels.tables import read_table, write_table
from lolhl.results import Vod
from lolhl.storage import Root

log = logging.getLogger(__name__)

_LARGEST = 64_000_000  # bytes of a label file
_FORMATS = {".tsv": "tsv", ".txt": "tsv", ".csv": "csv", ".json": "label-studio"}


@dataclass(frozen=True, kw_only=True)
class LabelsConfig(Config):
    """How a label file is read."""

    format: Literal["auto", "tsv", "csv", "label-studio"] = setting(
        "auto",
        "tsv and csv: a table with the columns vid_id, start, stop (h:mm:ss[.fff]); label-studio: its JSON export "
        "with TimelineLabels; auto goes by the file's ending",
    )
    vod: str | None = setting(None, "the VOD of all that is in the file, when the file does not name it")
    fps: Fraction | None = setting(
        None,
        "label-studio: frames per second that its ranges count in, which is the frameRate of the labelling "
        "configuration (24 unless set there), not of the video",
        at_least=SLOWEST,
        at_most=FASTEST,
    )
    seconds: bool = setting(False, "label-studio: the ranges are seconds, as some files have them, not frames")
    allow_unknown: bool = setting(False, "accept labels of VODs that were not downloaded (yet)")


@dataclass(frozen=True)
class Imported:
    """What the import did for one VOD: labels and seconds that it has now, and labels that it had before."""

    vod: str
    labels: int
    seconds: float
    before: int | None


def labels(
    root: Root, file: Path | str, config: LabelsConfig = LabelsConfig(), *, force: bool = False
) -> list[Imported]:
    """Puts the file's labels in place of those that its VODs had.

    Spans that overlap or touch are merged. A VOD that was downloaded gives the length of its video; a
    VOD that was not is an error, unless no VOD was downloaded yet or `allow_unknown` is set.

    Args:
        root: where the data lies.
        file: the file in which people labelled streams.
        config: see `LabelsConfig`.
        force: also write labels that are the same already.

    Returns:
        What was done for each VOD of the file, in order of names.

    Raises:
        LabelError: something in the file is wrong; the message names file and line. Nothing was written.
        UsageError: the file's format or Label Studio's frame rate must be given.
    """
    file = Path(file)
    labelled = _read(file, config, _known(root, config))
    if not labelled:
        raise LabelError(f"{file}: it has no labels: to say that a stream has no highlights, name it with --vod")
    return [_store(root, vod, labelled[vod], force) for vod in sorted(labelled)]


def _read(file: Path, config: LabelsConfig, known: KnownVods) -> dict[str, list[Span]]:
    form = _FORMATS.get(file.suffix.lower()) if config.format == "auto" else config.format
    if form is None:
        raise UsageError(f"{file}: its ending does not tell its format: name it with --format")
    if form == "label-studio" and (config.fps is None) != config.seconds:
        raise UsageError(
            f"{file}: say in which unit Label Studio wrote it: either --fps, the frameRate of its labelling "
            "configuration (24 unless set there), or --seconds"
        )
    if form != "label-studio" and (config.fps is not None or config.seconds):
        raise UsageError(f"{file}: --fps and --seconds are for label-studio only: a table holds times")
    data = _bytes(file)
    if form == "label-studio":
        return read_label_studio(data, str(file), known, fps=config.fps, vod=config.vod)
    separators = "\t" if form == "tsv" else ",;\t"  # spreadsheets take ; where the comma is in numbers
    return read_table(data, str(file), known, separators=separators, vod=config.vod)


def _bytes(file: Path) -> bytes:
    """Reads a plain file. Anything else is refused, since a pipe or a device may never end."""
    try:
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as opened:  # a pipe would wait for its writer
            if not S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise LabelError(f"{file}: it cannot be read: it is a folder, a pipe or a device: give a plain file")
            data = opened.read(_LARGEST + 1)
    except (OSError, ValueError) as error:  # the latter for a name with a zero byte
        why = error.strerror if isinstance(error, OSError) else error
        raise LabelError(f"{file}: it cannot be read: {why}: check its path and its rights") from None
    if len(data) > _LARGEST:
        raise LabelError(
            f"{file}: it has more than {_LARGEST // 1_000_000} MB, as no file of labels has: check its path"
        )
    return data


def _known(root: Root, config: LabelsConfig) -> KnownVods:
    """The VODs that were downloaded, and their lengths."""
    durations = {vod: manifest.load(root, layout.vod(vod), Vod).result.duration for vod in layout.vods(root)}
    return KnownVods(durations, allows_unknown=config.allow_unknown or not durations)


def _store(root: Root, vod: str, spans: list[Span], force: bool) -> Imported:
    key, data = layout.labels(vod), write_table(vod, spans)
    earlier = root.read(key) if root.stat(key) else None
    before = None if earlier is None else max(0, len(earlier.splitlines()) - 1)
    done = Imported(vod, len(spans), sum(span.duration for span in spans), before)
    if earlier == data and not force:
        log.info("labels: done already (%s)", key)
        return done
    save_labels(root, vod, spans)
    replaced = "" if before is None else f", in place of {before}"
    log.info("labels: VOD %s has %d labels now, %.0f s%s", vod, done.labels, done.seconds, replaced)
    return done
