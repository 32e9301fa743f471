"""The command line: verbs that parse, call a stage of the library and print what came out.

The options of a verb are the fields of its stage's configuration: they are written down once, there.
"""

import argparse
import logging
import os
import re
import sys
import traceback
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import MISSING, Field, asdict, dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, TypeVar

import lolhl
from lolhl import memory, text
from lolhl.config import Config
from lolhl.errors import LolhlError, UsageError, explain, is_short_of_memory
from lolhl.storage import Root, open_root

if TYPE_CHECKING:  # NumPy is imported where `main` can say so if memory is too short for it
    from _typeshed import SupportsWrite

    from lolhl.figures import EventFigures
    from lolhl.manifest import Manifest
    from lolhl.results import Report

log = logging.getLogger(__name__)

C = TypeVar("C", bound=Config)
Said = argparse.Namespace
Told = tuple[str, Any]  # a line for people, and the same as a JSON value


@dataclass(frozen=True)
class Verb:
    """One subcommand: positional arguments (name → number of values, help), settings, and what it does."""

    positionals: dict[str, tuple[str | None, str]]
    configs: tuple[type[Config], ...]
    call: Callable[[Root, Said], Iterable[Told]]
    options: dict[str, dict[str, Any]]
    epilog: str = ""


# Each verb imports its stage when it is chosen: torch alone takes seconds. Where memory is short an import
# can fail, and `main` can say so only of those that happen in it.


def _download() -> Verb:
    from lolhl.stages.download import DownloadConfig, download

    def call(root: Root, said: Said) -> list[Told]:
        return [_told(download(root, said.source, _config(DownloadConfig, said), name=said.name, force=said.force))]

    return Verb(
        {"source": (None, "Twitch VOD id or URL, http(s) URL of a video, or a video file")},
        (DownloadConfig,),
        call,
        {"--name": {"help": "what to call the VOD (default: its Twitch id, or the file's name)"}},
        "examples:\n  lolhl download https://www.twitch.tv/videos/1863051677\n"
        "  lolhl download stream.mp4 --name final --start 1:00:00 --stop 1:30:00",
    )


def _extract() -> Verb:
    from lolhl.stages.extract import ExtractConfig, extract
    from lolhl.stages.share import shared

    def call(root: Root, said: Said) -> Iterable[Told]:
        config = _config(ExtractConfig, said)
        vods = shared(root, said.vod, said.share)
        return (_told(extract(root, vod, config, force=said.force)) for vod in vods)

    return Verb({"vod": ("+", "names of downloaded VODs")}, (ExtractConfig,), call, _share())


def _labels() -> Verb:
    from lolhl.stages.labels import LabelsConfig, labels

    def call(root: Root, said: Said) -> list[Told]:
        stored = labels(root, Path(said.file), _config(LabelsConfig, said), force=said.force)
        return [(f"{one.vod}: {one.labels} labels, {one.seconds:.0f} s in all", asdict(one)) for one in stored]

    return Verb(
        {"file": (None, "table of labels (vid_id, start, stop as h:mm:ss) or Label Studio's JSON export")},
        (LabelsConfig,),
        call,
        {},
        "examples:\n  lolhl labels highlights.tsv\n  lolhl labels export.json --format label-studio --fps 24",
    )


def _dataset() -> Verb:
    from lolhl.stages.dataset import DatasetConfig, dataset

    def call(root: Root, said: Said) -> list[Told]:
        return [_told(dataset(root, said.name, said.vod, _config(DatasetConfig, said), force=said.force))]

    positionals: dict[str, tuple[str | None, str]] = {
        "name": (None, "what to call the dataset"),
        "vod": ("+", "names of VODs with frames and labels"),
    }
    return Verb(positionals, (DatasetConfig,), call, {})


def _train() -> Verb:
    from lolhl.stages.train import TrainConfig, train

    def call(root: Root, said: Said) -> list[Told]:
        made = train(root, said.model, _config(TrainConfig, said), force=said.force)
        figures = made.result.metrics
        lines = [f"train {said.model}, on its validation side:", figures.smoothed.table()]
        return [("\n".join([*lines, *_told_events(figures.events)]), made.result_values())]

    return Verb(
        {"model": (None, "what to call the model")},
        (TrainConfig,),
        call,
        {},
        "examples:\n  lolhl train first --dataset mine\n"
        "  lolhl train deep --dataset mine --kind image --backbone resnet18 --tune all --learning-rate 1e-4",
    )


def _infer() -> Verb:
    from lolhl.stages.infer import InferConfig, infer
    from lolhl.stages.share import shared

    def call(root: Root, said: Said) -> Iterable[Told]:
        config = _config(InferConfig, said)
        vods = shared(root, said.vod, said.share)
        return (_told(infer(root, said.model, vod, config, force=said.force)) for vod in vods)

    positionals: dict[str, tuple[str | None, str]] = {
        "model": (None, "name of a trained model, or champion"),
        "vod": ("+", "names of downloaded VODs"),
    }
    return Verb(positionals, (InferConfig,), call, _share())


def _report() -> Verb:
    from lolhl.stages.report import ReportConfig, report
    from lolhl.stages.share import shared

    def call(root: Root, said: Said) -> Iterable[Told]:
        config = _config(ReportConfig, said)
        vods = shared(root, said.vod, said.share)
        return (_told_report(root, report(root, vod, config, force=said.force)) for vod in vods)

    return Verb({"vod": ("+", "names of VODs with scores")}, (ReportConfig,), call, _share())


def _run() -> Verb:
    from lolhl.stages.download import DownloadConfig
    from lolhl.stages.infer import InferConfig
    from lolhl.stages.report import ReportConfig
    from lolhl.stages.run import run

    def call(root: Root, said: Said) -> list[Told]:
        configs = (_config(DownloadConfig, said), _config(InferConfig, said), _config(ReportConfig, said))
        made = run(root, said.stream, said.model, *configs, name=said.name, force=said.force)
        return [_told_report(root, made)]

    return Verb(
        {"stream": (None, "Twitch VOD id or URL, http(s) URL of a video, or a video file")},
        (DownloadConfig, InferConfig, ReportConfig),
        call,
        {
            "--model": {"required": True, "help": "name of a trained model, or champion"},
            "--name": {"help": "what to call the VOD (default: its Twitch id, or the file's name)"},
        },
        "example:\n  lolhl run https://www.twitch.tv/videos/1863051677 --model first",
    )


def _retrain() -> Verb:
    from lolhl.stages.retrain import RetrainConfig, describe, retrain

    def call(root: Root, said: Said) -> list[Told]:
        made = retrain(root, _config(RetrainConfig, said), force=said.force)
        result, values = made.result, made.result_values()
        now = f"the champion was {result.champion}" if result.champion else "there was no champion"
        page = f"report: {root.url}/{result.report}"
        if result.nothing_new:
            return [(f"retrain: nothing to do: nothing is new since the last time, when {now}\n{page}", values)]
        return [(f"{describe(result)}\n{page}", values)]

    return Verb(
        {},
        (RetrainConfig,),
        call,
        {},
        "The challenger is judged with the champion on VODs that neither training nor the threshold has seen. It\n"
        "becomes champion if its average precision is higher, and surely not lower by more than the tolerance.\n\n"
        "examples:\n  lolhl retrain\n  lolhl retrain --like first --judge 1886367077\n"
        "  lolhl run stream.mp4 --model champion",
    )


def _rollback() -> Verb:
    from lolhl.stages.rollback import rollback

    def call(root: Root, _said: Said) -> list[Told]:
        done = rollback(root)
        left = f"{done.before} champions before it" if done.before else "no champion before it"
        return [(f"{done.champion} is champion again, in place of {done.instead_of}; {left}", asdict(done))]

    return Verb({}, (), call, {})


VERBS: dict[str, tuple[str, Callable[[], Verb]]] = {
    "download": ("fetch a VOD: from Twitch, a URL or a file", _download),
    "extract": ("take frames from a VOD's video", _extract),
    "labels": ("import hand-marked highlights", _labels),
    "dataset": ("join frames and labels, split without leakage, rebalance", _dataset),
    "train": ("learn a model from a dataset", _train),
    "infer": ("score a VOD with a model", _infer),
    "report": ("cut highlights from scores: page, clips, reel, exports", _report),
    "retrain": ("learn from all labels, and make the model champion if it is better on held-out VODs", _retrain),
    "rollback": ("make the champion before champion again", _rollback),
    "run": ("all of it for one stream: download, infer, report", _run),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb. Returns the exit code: 0, 1 for a failure, 2 for a wrong call.

    With $LOLHL_TRACEBACK set, a failure shows where in the code it happened.
    """
    text.open_standard_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in words if word in VERBS), None)
    name = f"lolhl {chosen}" if chosen else "lolhl"
    try:
        return _run_told(chosen, name, words)
    except KeyboardInterrupt:  # the last of two, where polars raises one itself and Python another a moment later
        return _fail(f"{name}: interrupted; the same command goes on from here", 130)


def _run_told(chosen: str | None, name: str, words: Sequence[str]) -> int:
    """Runs a verb, and prints in one line what it fails by. Returns the exit code, or raises KeyboardInterrupt."""
    with _flushed(sys.stderr), redirect_stderr(typing.cast(TextIO, text.PrintableStream(sys.stderr))):
        try:
            _run_verb(chosen, name, words)
        except LolhlError as error:
            return _fail(f"{name}: {error}", error.exit_code)
        except _ReaderGone:
            return 0
        except Exception as error:
            if is_short_of_memory(error):
                return _fail(
                    f"{name}: this machine has too little memory for it, or allows too little ({_shown_error(error)}): "
                    "free some, or allow more (`ulimit -v`, the memory limit of the container)",
                    1,
                )
            if isinstance(error, OSError):
                return _fail(f"{name}: {explain(error)}", 1)
            return _fail(
                f"{name}: {_shown_error(error)}: this is a fault in lolhl; with LOLHL_TRACEBACK=1 the same command "
                "shows where: please report that",
                1,
            )
    return 0


def _run_verb(chosen: str | None, name: str, words: Sequence[str]) -> None:
    output = sys.stdout
    memory.check_limit()
    with redirect_stdout(sys.stderr):
        verb = VERBS[chosen][1]() if chosen else None
    with _writing(output, "the help could not be shown"):
        said = _parser(chosen, verb).parse_args(words)
    assert verb is not None
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(text.PrintableFormatter("%(message)s"))
    logging.basicConfig(level=logging.WARNING if said.quiet else logging.INFO, handlers=[handler])
    logging.getLogger("botocore").setLevel(logging.WARNING)
    with redirect_stdout(sys.stderr):  # what libraries print is no result
        for line, value in verb.call(open_root(said.root), said):
            if said.json:
                _print(text.json_line({**value, "peak_memory_mb": memory.peaks()}, output.encoding), output)
            else:
                _print(text.printable(text.redacted(line), keep="\n"), output)
        log.info("%s: %s", name, _told_memory())


class _ReaderGone(Exception):
    """Whoever reads the results has read enough."""


def _print(line: str, output: TextIO) -> None:
    with _writing(output, "the work is done, but cannot be told"):
        print(line, file=output)


@contextmanager
def _writing(output: TextIO, failure: str) -> Iterator[None]:
    """What the block writes to standard output is there when it is left, also by argparse after help.

    Raises:
        LolhlError: it cannot be written. The message begins with the failure.
    """
    try:
        try:
            yield
        finally:
            output.flush()
    except OSError as error:
        text.give_up(output)
        if isinstance(error, BrokenPipeError):
            raise _ReaderGone from error
        raise LolhlError(f"{failure}: {explain(error, 'standard output')}") from error


@contextmanager
def _flushed(stream: TextIO) -> Iterator[None]:
    """Errors that cannot be told change no exit code."""
    try:
        yield
    finally:
        try:
            stream.flush()
        except OSError:
            text.give_up(stream)


def _fail(message: str, code: int) -> int:
    with suppress(OSError):  # nobody can be told
        if os.environ.get("LOLHL_TRACEBACK"):
            traceback.print_exc()
        print(text.one_line(message), file=text.beneath(sys.stderr), flush=True)
    return code


def _shown_error(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _told(made: "Manifest[Any]") -> Told:
    """A stage's manifest for people: the plain values of its result."""
    values = made.result_values()
    plain = {k: v for k, v in values.items() if v is not None and not isinstance(v, dict | list)}
    shown = ", ".join(
        f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {text.printable(str(v))}" for k, v in plain.items()
    )
    return f"{made.stage}: {shown}", values


def _told_memory() -> str:
    peaks = memory.peaks()
    child = "no child had more" if peaks["largest_child"] is None else f"its largest child {peaks['largest_child']} MB"
    return f"peak memory {peaks['resident']} MB, {child}"


def _told_report(root: Root, made: "Manifest[Report]") -> Told:
    """The highlights, the figures where the stream is labelled, and where the page lies."""
    from lolhl import grid

    result = made.result
    lines = [f"report {result.vod}: {len(result.highlights)} highlights"]
    lines += [f"  {result.reason}"] if result.reason else []
    for highlight in result.highlights[:10]:
        span = f"{grid.format_time(round(highlight.start))} to {grid.format_time(round(highlight.stop))}"
        lines.append(f"  {highlight.rank:3}. {span}  {highlight.reason}")
    if agreement := result.labelled:
        lines += ["against its labels:", agreement.frames.table()]
        lines += _told_events(agreement.events)
    lines.append(f"page: {root.url}/{result.page}")
    return "\n".join(lines), made.result_values()


def _told_events(events: "Iterable[EventFigures]") -> list[str]:
    return [
        f"events at tIoU {at.tiou}: {at.matched} of {at.labelled} found by {at.predicted} highlights" for at in events
    ]


class _Value(argparse.Action):
    """Stores the value of an option. argparse of Python 3.11 drops `--`, and hands over the empty list that is left."""

    def __call__(
        self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, values: Any, _: str | None = None
    ) -> None:
        if self.nargs is None and isinstance(values, list):
            parser.error(f"argument {'/'.join(self.option_strings) or self.metavar}: '--' is no value for it")
        setattr(namespace, self.dest, values)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.register("action", None, _Value)

    def _print_message(self, message: str, file: "SupportsWrite[str] | None" = None) -> None:
        """As argparse does, which takes no notice of what cannot be written; for help and the version it counts."""
        if file and file is sys.stdout:
            file.write(message)
        else:
            super()._print_message(message, file)

    def error(self, message: str) -> NoReturn:
        self.exit(2, text.one_line(f"{self.prog}: {message} (see {self.prog} --help)") + "\n")


def _parser(chosen: str | None, verb: Verb | None) -> _Parser:
    """All verbs, with the options of the chosen one."""
    parser = _Parser(prog="lolhl", description=lolhl.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"lolhl {lolhl.__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, (summary, _) in VERBS.items():
        one = verbs.add_parser(
            name,
            help=summary,
            description=f"{summary[0].upper()}{summary[1:]}.",
            epilog=verb.epilog if verb and name == chosen else None,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if verb and name == chosen:
            _add(one, verb)
    return parser


def _add(parser: argparse.ArgumentParser, verb: Verb) -> None:
    for name, (count, help_text) in verb.positionals.items():
        parser.add_argument(name, nargs=count, help=help_text, metavar=name.upper())
    for flag, how in verb.options.items():
        parser.add_argument(flag, **how)
    for config in verb.configs:
        group = parser.add_argument_group((config.__doc__ or "").splitlines()[0].rstrip("."))
        hints = typing.get_type_hints(config)
        for field in fields(config):
            _add_option(group, field, hints[field.name])
    common = parser.add_argument_group("every verb")
    root = os.environ.get("LOLHL_ROOT", "lolhl-data")
    common.add_argument(
        "--root",
        default=root,
        help="folder or s3://bucket/prefix that all data lies under (default: $LOLHL_ROOT or lolhl-data)",
    )
    common.add_argument("--force", action="store_true", help="redo what is done already")
    common.add_argument("--json", action="store_true", help="print the result as one line of JSON")
    common.add_argument("--quiet", action="store_true", help="print errors and the result only")


def _add_option(group: "argparse._ArgumentGroup", field: "Field[Any]", hint: Any) -> None:
    """One setting as an option: its type says how its value is read."""
    assert field.default is not MISSING, f"{field.name} needs a default"
    flag = "--" + field.name.replace("_", "-")
    shown = "" if field.default is None else f" (default: {_shown(field.default)})"
    help_text = (field.metadata["help"] + shown).replace("%", "%%")
    kind = next(t for t in typing.get_args(hint) if t is not types.NoneType) if _is_optional(hint) else hint
    if kind is bool:
        group.add_argument(flag, action=argparse.BooleanOptionalAction, default=field.default, help=help_text)
        return
    from lolhl import grid

    by_type: dict[Any, Callable[[str], Any]] = {Fraction: grid.parse_fps, int: parse_int, float: parse_float}
    read = field.metadata["parse"] or by_type.get(kind, str)
    group.add_argument(
        flag,
        default=field.default,
        help=help_text,
        choices=field.metadata["choices"] or None,
        type=_reader(read),
        metavar=None if field.metadata["choices"] else field.name.rsplit("_", 1)[-1].upper(),
    )


def parse_int(number: str) -> int:
    """A whole number. Raises UsageError for what is none, or has more digits than any setting needs."""
    if not re.fullmatch(r"[+-]?\d{1,18}", number.strip(), re.ASCII):
        raise UsageError(f"{number[:40]!r} is not a whole number of at most 18 digits")
    return int(number)


def parse_float(number: str) -> float:
    """A number, also inf and nan, which each setting refuses by its bounds. Raises UsageError for what is none."""
    try:
        if number.isascii():
            return float(number)
    except ValueError:
        pass
    raise UsageError(f"{number[:40]!r} is not a number")


def _shown(default: Any) -> str:
    if isinstance(default, bool):
        return "yes" if default else "no"
    return str(default)


def _share() -> dict[str, dict[str, Any]]:
    """The option of verbs whose VODs several processes share."""
    from lolhl.stages.share import WHOLE, parse_share

    help_text = "the part of the VODs that this process does, as 0/4 for the first of four (default: all of them)"
    return {"--share": {"type": _reader(parse_share), "default": WHOLE, "metavar": "PART/PARTS", "help": help_text}}


def _is_optional(hint: Any) -> bool:
    return isinstance(hint, types.UnionType) and types.NoneType in typing.get_args(hint)


def _reader(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def reader(word: str) -> Any:
        try:
            return read(word)
        except UsageError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    reader.__name__ = getattr(read, "__name__", "value").replace("parse_", "")
    return reader


def _config(kind: type[C], said: Said) -> C:
    return kind(**{field.name: getattr(said, field.name) for field in fields(kind)})


if __name__ == "__main__":
    sys.exit(main())
