"""The reference of the command line, as Markdown, made of the table of stages and their settings.

python -m lolhl.reference > lolhl/COMMANDS.md
"""

from collections.abc import Iterator
from dataclasses import MISSING, replace

from lolhl.cli import describe_choices
from lolhl.config import Group, Setting, groups, settings
from lolhl.stages import table
from lolhl.stages.table import STAGES, Stage

_HEAD = """# The commands

Made by `python -m lolhl.reference > lolhl/COMMANDS.md`; a test compares the two. Each verb tells the same by `--help`.
All verbs also take `--root` (a folder or `s3://bucket/prefix`; default: `$LOLHL_ROOT`, or `lolhl-data`), `--force`
(redo what is done already), `--json` (print the result as one line of JSON) and `--quiet`.
"""


def reference() -> str:
    """All verbs, what they are told, and their settings."""
    return "\n".join([_HEAD, *(line for name in STAGES for line in _verb(name, STAGES[name]))])


def _verb(name: str, stage: Stage) -> Iterator[str]:
    words = [_usage(word) for word in stage.words]
    yield from (f"## {name}", "", f"`lolhl {' '.join([name, *words])}`: {stage.summary}.", "")
    if stage.shareable:
        yield from (
            "`--part PART/PARTS` is the part of the VODs that this process does, as 0/4 for the first of four.",
            "",
        )
    yield from ("| word or option | values | default | what it is |", "|---|---|---|---|")
    for word in (*stage.words, *stage.options):
        yield _row(f"`{word.flag if word.flagged else word.name.upper()}`", "", "", word.help)
    for config in table.load(name).configs:
        for setting in settings(config):
            yield _row(f"`{setting.flag}`", _values(setting), _default(setting), setting.help)
        for group in groups(config):
            yield from _chosen(group)
    yield ""


def _chosen(group: Group) -> Iterator[str]:
    """The settings of all choices. Where their defaults differ, what they do says so."""
    for by_choice in group.offered().values():
        first, *others = by_choice.values()
        choices = f"{group.chooser} {', '.join(by_choice)}"
        if all(replace(other, help=first.help, listed=first.listed) == first for other in others):
            helps = "; ".join(dict.fromkeys(setting.help for setting in by_choice.values()))
            yield _row(f"`{first.flag}`", _values(first), _default(first), f"{choices}: {helps}")
        else:
            yield _row(f"`{first.flag}`", "", "", describe_choices(by_choice))


def _usage(word: table.Word) -> str:
    value = word.name.upper()
    return f"{word.flag} {value}" if word.flagged else f"{value} [{value} …]" if word.many else value


def _values(setting: Setting) -> str:
    if setting.kind is bool:
        return f"`{setting.flag}` or `--no-{setting.flag.removeprefix('--')}`"
    return setting.valid


def _default(setting: Setting) -> str:
    if setting.default is None or setting.default is MISSING:
        return ""
    return ("no", "yes")[setting.default] if setting.kind is bool else str(setting.default)


def _row(*cells: str) -> str:
    escaped = [cell.replace("|", "\\|") for cell in cells]
    return f"| {' | '.join(escaped)} |"


if __name__ == "__main__":
    print(reference())
