"""labels: a file that people labelled streams in → labels/<vod>.tsv of each VOD in it.

Labels are what people give, not what is computed: they have no manifest, and the file of a VOD may
be written and changed by hand as well. The whole file is checked before anything is written.

Labels that come from the events of a game, and not from a person, say so in the column `source`. They replace those
that came from the same game before, and never what a person gave.
"""

import logging
import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from stat import S_ISREG

from lolhl import layout, manifest
from lolhl.config import Config, setting
from lolhl.errors import LabelError, UsageError
from lolhl.grid import FASTEST, SLOWEST, parse_time
from lolhl.labels.file import GameOptions, LabelFile
from lolhl.labels.formats import FORMATS, guess
from lolhl.labels.rows import KnownVods
from lolhl.labels.spans import Span
from lolhl.labels.store import VodLabels, has_a_person_s, joined, parse_labels, save_labels, stored_labels
from lolhl.labels.tables import write_table
from lolhl.results import Vod
from lolhl.storage import MANY, Root, each

log = logging.getLogger(__name__)

_LARGEST = 64_000_000  # bytes of a label file
_AUTO = "auto"
_FORMATS_HELP = "; ".join(f"{name}: {form.help}" for name, form in FORMATS.items())


def parse_signed_time(text: str) -> float:
    """Seconds of h:mm:ss[.fff] or seconds, which may begin with a minus. Raises UsageError for what is none."""
    return -parse_time(text[1:]) if text.startswith("-") else parse_time(text)


@dataclass(frozen=True, kw_only=True)
class LabelsConfig(Config):
    """How a label file is read."""

    format: str = setting(
        _AUTO, f"{_FORMATS_HELP}; auto goes by the file's ending and first lines", choices=(_AUTO, *FORMATS)
    )
    vod: str | None = setting(None, "the VOD of all that is in the file, when the file does not name it")
    fps: Fraction | None = setting(
        None,
        "frames per second that the file counts in; label-studio: the frameRate of the labelling configuration (24 "
        "unless set there), not of the video; EDLs and Premiere's markers: of the sequence (default: the VOD's)",
        at_least=SLOWEST,
        at_most=FASTEST,
    )
    seconds: bool = setting(False, "label-studio: the ranges are seconds, as some files have them, not frames")
    start_timecode: str | None = setting(
        None,
        "EDLs and Premiere's markers: timecode of the video's first frame (default: 00:00:00:00; of Resolve's markers "
        "01:00:00:00)",
    )
    marker_seconds: float = setting(
        20.0,
        "how long the highlight is that ends at a marker without length, as Twitch's are, in seconds",
        above=0,
        at_most=3600,
    )
    game_start: float | None = setting(
        None,
        "riot-timeline: the time of the VOD at which the game's clock is 0, as h:mm:ss or seconds; less than 0 "
        "(--game-start=-90) where the VOD begins later (default: by when VOD and game began, which is rough)",
        at_least=-100 * 3600,
        at_most=100 * 3600,
        parse=parse_signed_time,
    )
    player: str | None = setting(
        None,
        "riot-timeline: whose highlights: NAME#TAG (with --match), a puuid, or the number in the game, 1 to 10 "
        "(default: the events of all players)",
    )
    match: str | None = setting(None, "riot-timeline: the file with the match itself, which names the players")
    rules: str | None = setting(
        None, "riot-timeline: the file with the rules for events, in TOML (default: lolhl/labels/event_rules.toml)"
    )
    allow_unknown: bool = setting(False, "accept labels of VODs that were not downloaded (yet)")


@dataclass(frozen=True)
class Imported:
    """What the import did for one VOD: labels and seconds that it has now, and labels that it had before.

    Attributes:
        looked_at: seconds that were looked at, where the file says that not all was.
    """

    vod: str
    labels: int
    seconds: float
    before: int | None
    looked_at: float | None = None


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
    form, labelled = _read(file, config, _known(root, config))
    if not labelled:
        raise LabelError(f"{file}: it has no labels: to say that a stream has no highlights, name it with --vod")
    if FORMATS[form].of_games:
        labelled = {
            vod: VodLabels(_of_a_game(root, file, vod, list(labels.spans), force)) for vod, labels in labelled.items()
        }
    return [_store(root, vod, labelled[vod], force) for vod in sorted(labelled)]


def _of_a_game(root: Root, file: Path, vod: str, spans: list[Span], force: bool) -> list[Span]:
    """The labels of a VOD with those of a game. With `force` they take the place of a person's."""
    stored = stored_labels(root, vod)
    if stored is None or not has_a_person_s(stored.spans):
        return joined(list(stored.spans) if stored else [], spans)
    if not force:
        raise UsageError(
            f"{file}: VOD {vod} has labels that a person gave, and the events of a game say less: to have these "
            "instead, add --force"
        )
    return spans


def _read(file: Path, config: LabelsConfig, known: KnownVods) -> tuple[str, dict[str, VodLabels]]:
    """The file's format, and its labels."""
    form = None if config.format == _AUTO else config.format
    if form is None and file.suffix.lower() not in {
        ending for known_as in FORMATS.values() for ending in known_as.endings
    }:
        raise UsageError(f"{file}: its ending does not tell its format: name it with --format")
    label_file = LabelFile(
        data=read_plain(file),
        name=str(file),
        known=known,
        vod=config.vod,
        fps=config.fps,
        begin=config.start_timecode,
        point_seconds=config.marker_seconds,
        game=GameOptions(config.game_start, config.player, _attached(config.match), _attached(config.rules)),
    )
    form = form or guess(label_file, file.suffix.lower())
    if form == "label-studio" and (config.fps is None) != config.seconds:
        raise UsageError(
            f"{file}: say in which unit Label Studio wrote it: either --fps, the frameRate of its labelling "
            "configuration (24 unless set there), or --seconds"
        )
    if form != "label-studio" and config.seconds:
        raise UsageError(f"{file}: --seconds is for label-studio only, and this is {form}")
    if not FORMATS[form].counts_frames and config.fps is not None:
        raise UsageError(f"{file}: --fps is for formats that count frames, and {form} holds times")
    if not FORMATS[form].of_games and label_file.game != GameOptions():
        raise UsageError(
            f"{file}: --game-start, --player, --match and --rules are for the timeline of a game, and this is {form}"
        )
    looked_at_of = FORMATS[form].looked_at
    looked_at = looked_at_of(label_file) if looked_at_of else {}
    return form, {vod: VodLabels(spans, looked_at.get(vod)) for vod, spans in FORMATS[form].read(label_file).items()}


def _attached(path: str | None) -> tuple[str, bytes] | None:
    """Name and bytes of a file that goes with the labels."""
    return None if path is None else (path, read_plain(Path(path)))


def read_plain(file: Path) -> bytes:
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
    names = layout.vods(root)
    vods = list(each(lambda name: manifest.load(root, layout.vod(name), Vod).result, names, ahead=MANY))
    durations = {vod.vod: vod.duration for vod in vods}
    rates = {vod.vod: vod.fps for vod in vods if vod.fps}
    recorded = {vod.vod: vod.began.timestamp() for vod in vods if vod.began}
    return KnownVods(durations, rates, recorded, allows_unknown=config.allow_unknown or not durations)


def _count(root: Root, vod: str, data: bytes) -> int:
    """How many labels a VOD's file has: how many rows, where somebody has damaged it."""
    try:
        return len(parse_labels(root, vod, data).spans)
    except LabelError:
        return max(0, len(data.splitlines()) - 1)


def _store(root: Root, vod: str, labelled: VodLabels, force: bool) -> Imported:
    spans, looked_at = labelled.spans, labelled.looked_at
    key, data = layout.labels(vod), write_table(vod, spans, looked_at)
    earlier = root.read(key) if root.stat(key) else None
    before = None if earlier is None else _count(root, vod, earlier)
    seconds = None if looked_at is None else sum(span.duration for span in looked_at)
    done = Imported(vod, len(spans), sum(span.duration for span in spans), before, seconds)
    if earlier == data and not force:
        log.info("labels: done already (%s)", key)
        return done
    save_labels(root, vod, spans, looked_at)
    replaced = "" if before is None else f", in place of {before}"
    log.info("labels: VOD %s has %d labels now, %.0f s%s", vod, done.labels, done.seconds, replaced)
    return done
