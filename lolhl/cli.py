"""The command line: verbs that parse, call a stage of the library and print what came out.

The verbs are the rows of `lolhl.stages.table`, and the options of a verb are the settings of its stage: each is
written down once, there.
"""

import argparse
import logging
import os
import re
import sys
import traceback
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import MISSING, asdict
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, TypeVar

import lolhl
from lolhl import layout, memory, text
from lolhl.config import Config, Group, Setting, groups, settings
from lolhl.errors import LolhlError, UsageError, explain, is_short_of_memory
from lolhl.stages import table
from lolhl.stages.table import STAGES, Stage
from lolhl.storage import Root, open_root

if TYPE_CHECKING:  # NumPy is imported where `main` can say so if memory is too short for it
    from _typeshed import SupportsWrite

    from lolhl.evaluate.figures import EventFigures
    from lolhl.manifest import Manifest
    from lolhl.results import Analysis, Clock, Games, MethodComparison, Model, Reel, Report, Retraining
    from lolhl.stages.export import Exported
    from lolhl.stages.labels import Imported
    from lolhl.stages.review import Reviewed
    from lolhl.stages.rollback import RolledBack

log = logging.getLogger(__name__)

C = TypeVar("C", bound=Config)
Arguments = argparse.Namespace
Line = tuple[str, dict[str, Any]]  # for people, and the same as JSON values
Format = Callable[[Any, Root, Arguments], Iterable[Line]]  # a stage's result → what is printed of it


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one verb. Returns the exit code: 0, 1 for a failure, 2 for a wrong call.

    With $LOLHL_TRACEBACK set, a failure shows where in the code it happened.
    """
    text.open_standard_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in words if word in STAGES), None)
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
    # A stage is imported when it is chosen: torch alone takes seconds. Where memory is short an import can fail, and
    # `main` can say so only of those that happen here.
    with redirect_stdout(sys.stderr):
        stage = table.load(chosen) if chosen else None
    with _writing(output, "the help could not be shown"):
        arguments = parser(chosen, stage.configs if stage else ()).parse_args(words)
    assert chosen
    assert stage
    configs = [_config(kind, arguments) for kind in stage.configs]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(text.PrintableFormatter("%(message)s"))
    logging.basicConfig(level=logging.WARNING if arguments.quiet else logging.INFO, handlers=[handler])
    logging.getLogger("botocore").setLevel(logging.WARNING)
    with redirect_stdout(sys.stderr):  # what libraries print is no result
        for line, values in _lines(chosen, stage.function, configs, arguments):
            if arguments.json:
                _print(text.json_line({**values, "peak_memory_mb": memory.peaks()}, output.encoding), output)
            else:
                _print(text.printable(text.redacted(line), keep="\n"), output)
        log.info("%s: %s", name, _format_memory())


def _lines(name: str, function: Callable[..., Any], configs: Iterable[Config], arguments: Arguments) -> Iterator[Line]:
    """Calls the stage, for each VOD where its VODs are shared, and yields what came out."""
    stage, root = STAGES[name], open_root(arguments.root)
    form: Format = _FORMATS.get(name, _format_result)
    words = [getattr(arguments, word.name) for word in stage.words]
    options = {option.name: getattr(arguments, option.name) for option in stage.options}
    if stage.forced:
        options["force"] = arguments.force
    calls = [words]
    if stage.shareable:
        from lolhl.stages.share import shared

        *others, vods = words
        calls = [[*others, vod] for vod in shared(root, vods, arguments.part)]
    for number, call in enumerate(calls, start=1):
        try:
            result = function(root, *call, *configs, **options)
        except LolhlError:
            if rest := [vod for *_, vod in calls[number:]]:
                log.warning("%s: ends at %s; not begun: %s", name, call[-1], text.first_few(rest))
            raise
        yield from form(result, root, arguments)


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


def _format_memory() -> str:
    peaks = memory.peaks()
    if peaks["resident"] is None:
        return "this system does not tell the peak memory"
    child = "no child had more" if peaks["largest_child"] is None else f"its largest child {peaks['largest_child']} MB"
    return f"peak memory {peaks['resident']} MB, {child}"


def _format_result(made: "Manifest[Any]", _root: Root, _arguments: Arguments) -> list[Line]:
    """The plain values of a stage's result, where the stage has no format of its own."""
    values = made.result_values()
    plain = {k: v for k, v in values.items() if v is not None and not isinstance(v, dict | list)}
    shown = ", ".join(
        f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {text.printable(str(v))}" for k, v in plain.items()
    )
    return [(f"{made.stage}: {shown}", values)]


def _format_labels(stored: "Iterable[Imported]", _root: Root, _arguments: Arguments) -> list[Line]:
    def line(vod: "Imported") -> str:
        part = "" if vod.looked_at is None else f", of {vod.looked_at:.0f} s that were looked at"
        return f"{vod.vod}: {vod.labels} labels, {vod.seconds:.0f} s in all{part}"

    return [(line(vod), asdict(vod)) for vod in stored]


def _format_clock(made: "Manifest[Clock]", _root: Root, _arguments: Arguments) -> list[Line]:
    from lolhl import grid

    result = made.result
    share = f"{result.readings} of {result.looks} pictures show a clock"
    lines = [f"clock {result.vod}: {len(result.games)} games; {share}"]
    for game in result.games:
        paused = f", {len(game.pauses)} pauses" if game.pauses else ""
        until = grid.format_time(round(game.clock))
        lines.append(
            f"  {grid.format_time(round(game.start))} to {grid.format_time(round(game.stop))}, to {until} of its clock"
            f"{paused}"
        )
    if not result.readings:
        lines.append("no clock runs with the video where one was looked for; --box says where it is")
    return [("\n".join(lines), made.result_values())]


def _format_riot(made: "Manifest[Games]", _root: Root, _arguments: Arguments) -> list[Line]:
    from lolhl import grid
    from lolhl.labels.riot_timeline import ROUGH

    result = made.result
    lines = [f"riot {result.vod}: {len(result.games)} games, {len(result.remakes)} remakes"]
    for game in result.games:
        began = grid.format_time(round(game.start)) if game.start >= 0 else "before it"
        minutes = (game.stop - game.start) / 60
        lines.append(
            f"  {began}  {game.match}, {game.account}, {game.champion}, {minutes:.0f} min: {game.labels} highlights"
        )
    if not result.labelled:
        lines.append("the VOD has labels that a person gave, which stay as they are")
    if result.placed == "roughly":
        lines.append(
            f"where the games lie goes by the clocks of Twitch and Riot; {ROUGH}: `lolhl clock` or --game-start says "
            "it better"
        )
    if result.placed == "by the clock":
        lines.append("the games are placed by the clock on the pictures")
    return [("\n".join(lines), made.result_values())]


def _format_export(files: "Iterable[Exported]", root: Root, _arguments: Arguments) -> list[Line]:
    return [
        (
            f"{file.vod}: {file.highlights} {'corrected ' * file.corrected}highlights as {file.format}: "
            f"{root.url}/{file.key}",
            asdict(file),
        )
        for file in files
    ]


def _format_reel(made: "Manifest[Reel]", root: Root, _arguments: Arguments) -> list[Line]:
    result = made.result
    seconds = round(sum(stop - start for start, stop in result.spans))
    what = f"{len(result.spans)} {'corrected ' * result.corrected}highlights, {seconds} s"
    return [(f"reel {result.vod}: {what}: {root.url}/{result.reel}", made.result_values())]


def _format_train(made: "Manifest[Model]", _root: Root, arguments: Arguments) -> list[Line]:
    figures, model = made.result.metrics, arguments.model
    if figures.holdout == "vods":
        lines = [f"train {model}, on VODs that were held out:", figures.smoothed.table()]
        lines += _format_events(figures.events)
    else:
        lines = [
            f"train {model}: done; `lolhl compare {model}` says how good it is on labelled VODs that it has not learnt "
            f"from, which the {figures.holdout or 'chunks'} that it was tried on do not say"
        ]
    if figures.reliability:
        lines.append(f"its probabilities are off by {figures.reliability.error:.3f} on average where not calibrated")
    return [("\n".join(lines), made.result_values())]


def _format_report(made: "Manifest[Report]", root: Root, _arguments: Arguments) -> list[Line]:
    """The highlights, the figures where the stream is labelled, and where the page lies."""
    from lolhl import grid

    result = made.result
    lines = [f"report {result.vod}: {len(result.highlights)} highlights"]
    lines += [f"  {result.reason}"] if result.reason else []
    for highlight in result.highlights[:10]:
        span = f"{grid.format_time(round(highlight.start))} to {grid.format_time(round(highlight.stop))}"
        lines.append(f"  {highlight.rank:3}. {span}  {highlight.reason}")
    if count := sum(highlight.short is not None for highlight in result.highlights):
        lines.append(f"shorts: {count} in {root.url}/{layout.highlights_folder(result.vod)}shorts/")
    if agreement := result.labelled:
        lines += ["against its labels:", agreement.frames.table()]
        lines += _format_events(agreement.events)
    lines.append(f"page: {root.url}/{result.page}")
    return [("\n".join(lines), made.result_values())]


def _format_events(events: "Iterable[EventFigures]") -> list[str]:
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


def _format_compare(made: "Manifest[MethodComparison]", root: Root, _arguments: Arguments) -> list[Line]:
    from lolhl.stages.compare import describe

    page = f"figures: {root.url}/{layout.comparison(made.result.name)}"
    return [(f"{describe(made.result)}\n{page}", made.result_values())]


def _format_analyse(made: "Manifest[Analysis]", root: Root, _arguments: Arguments) -> list[Line]:
    from lolhl.stages.analyse import describe

    return [(f"{describe(made.result)}\npage: {root.url}/{made.result.page}", made.result_values())]


def _format_retrain(made: "Manifest[Retraining]", root: Root, _arguments: Arguments) -> list[Line]:
    from lolhl.report.retraining import describe

    result, page = made.result, f"report: {root.url}/{made.result.report}"
    shown = describe(result)
    if result.nothing_new:
        now = f"the champion was {result.champion}" if result.champion else "there was no champion"
        shown = f"retrain: nothing to do: nothing is new since the last time, when {now}"
    return [(f"{shown}\n{page}", made.result_values())]


def _format_review(done: "Reviewed", _root: Root, _arguments: Arguments) -> list[Line]:
    changed = ", ".join(done.vods) or "nothing"
    return [(f"review: ended; corrected: {changed}", asdict(done))]


def _format_rollback(done: "RolledBack", _root: Root, _arguments: Arguments) -> list[Line]:
    left = f"{done.before} champions before it" if done.before else "no champion before it"
    return [(f"{done.champion} is champion again, in place of {done.instead_of}; {left}", asdict(done))]


# How the result of a stage is shown, where its plain values would not do.
_FORMATS: dict[str, Format] = {
    "labels": _format_labels,
    "clock": _format_clock,
    "riot": _format_riot,
    "train": _format_train,
    "report": _format_report,
    "export": _format_export,
    "reel": _format_reel,
    "run": _format_report,
    "compare": _format_compare,
    "analyse": _format_analyse,
    "retrain": _format_retrain,
    "review": _format_review,
    "rollback": _format_rollback,
}


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.register("action", None, _Value)

    def _print_message(self, message: str, file: "SupportsWrite[str] | None" = None) -> None:
        """As argparse does, which takes no notice of what cannot be written; for help and the version it counts."""
        if file is not None and file is sys.stdout:
            file.write(message)
        else:
            super()._print_message(message, file)

    def error(self, message: str) -> NoReturn:
        self.exit(2, text.one_line(f"{self.prog}: {message} (see {self.prog} --help)") + "\n")


def parser(chosen: str | None, configs: Iterable[type[Config]] = ()) -> argparse.ArgumentParser:
    """All verbs, and what the chosen one takes.

    Args:
        configs: the settings of the chosen verb.
    """
    parser = _Parser(prog="lolhl", description=lolhl.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"lolhl {lolhl.__version__}")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    for name, stage in STAGES.items():
        verb = verbs.add_parser(
            name,
            help=stage.summary,
            description=f"{stage.summary[0].upper()}{stage.summary[1:]}.",
            epilog=stage.epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        if name == chosen:
            _add(verb, stage, configs)
    return parser


def _add(parser: argparse.ArgumentParser, stage: Stage, configs: Iterable[type[Config]]) -> None:
    for word in (*stage.words, *stage.options):
        if word.flagged:
            parser.add_argument(word.flag, required=word in stage.words, help=word.help)
        else:
            parser.add_argument(word.name, nargs="+" if word.many else None, help=word.help, metavar=word.name.upper())
    if stage.shareable:
        _add_share(parser)
    for config in configs:
        group = parser.add_argument_group((config.__doc__ or "").splitlines()[0].rstrip("."))
        for setting in settings(config):
            _add_setting(group, setting)
        for chosen in groups(config):
            _add_chosen(group, chosen)
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


def _add_share(parser: argparse.ArgumentParser) -> None:
    from lolhl.stages.share import WHOLE, parse_share

    help_text = "the part of the VODs that this process does, as 0/4 for the first of four (default: all of them)"
    parser.add_argument("--part", type=_reader(parse_share), default=WHOLE, metavar="PART/PARTS", help=help_text)


_UNSAID: Any = object()  # the value of an option that was not given, where that is not its default


def _add_chosen(group: "argparse._ArgumentGroup", chosen: Group) -> None:
    """The settings of all choices as options. Which of them the choice has is known when all words are read."""
    for by_choice in chosen.offered().values():
        first, *_ = by_choice.values()
        _add_setting(group, first, default=_UNSAID, help_text=describe_choices(by_choice))


def describe_choices(by_choice: Mapping[str, Setting]) -> str:
    """What a setting does that several choices have, each perhaps with another default."""
    choices: dict[str, list[str]] = {}
    for choice, setting in by_choice.items():
        choices.setdefault(_describe(setting), []).append(choice)
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in choices.items())


def _describe(setting: Setting) -> str:
    """What a setting does, the values that it may have, and its default."""
    shown = [setting.valid] if setting.valid and not setting.choices else []
    if setting.default is not None and setting.default is not MISSING:
        default = ("no", "yes")[setting.default] if setting.kind is bool else setting.default
        shown.append(f"default: {default}")
    return setting.help + (f" ({'; '.join(shown)})" if shown else "")


def _add_setting(
    group: "argparse._ArgumentGroup", setting: Setting, *, default: Any = None, help_text: str | None = None
) -> None:
    """One setting as an option. Its type says how its value is read; whether the value is valid, its class checks."""
    required = setting.default is MISSING
    default = setting.default if default is None else default
    help_text = (help_text or _describe(setting)).replace("%", "%%")
    if setting.kind is bool:
        action = argparse.BooleanOptionalAction
        group.add_argument(setting.flag, action=action, required=required, default=default, help=help_text)
        return
    from lolhl import grid

    by_kind: dict[type, Callable[[str], Any]] = {Fraction: grid.parse_fps, int: parse_int, float: parse_float, str: str}
    metavar = f"{{{','.join(setting.choices)}}}" if setting.choices else setting.name.rsplit("_", 1)[-1].upper()
    read = _reader(setting.parse or by_kind[setting.kind])
    group.add_argument(setting.flag, required=required, default=default, help=help_text, type=read, metavar=metavar)


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


def _reader(read: Callable[[str], Any]) -> Callable[[str], Any]:
    def reader(word: str) -> Any:
        try:
            return read(word)
        except UsageError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    reader.__name__ = getattr(read, "__name__", "value").replace("parse_", "")
    return reader


def _config(kind: type[C], arguments: Arguments) -> C:
    values = {setting.name: getattr(arguments, setting.name) for setting in settings(kind)}
    for group in groups(kind):
        given = {name: value for name in group.offered() if (value := getattr(arguments, name)) is not _UNSAID}
        if group.chosen(values[group.chooser]):  # else its class says what is wrong
            values[group.name] = group.make(values[group.chooser], given)
    return kind(**values)


if __name__ == "__main__":
    sys.exit(main())
