"""Typed settings: each stage has a frozen dataclass beside it, whose fields declare type, default, range and help.

The command line, its help, the check of values for every caller, what a manifest records and what its digest is made of
come from these declarations, so a setting is written down once.
"""

import math
import numbers
import re
import shlex
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from fractions import Fraction
from functools import cache
from typing import Any, Literal, TypeVar

from lolhl.errors import StorageError, UsageError

Number = int | float | Fraction


@dataclass(frozen=True)
class Range:
    """Where a number may lie; None where it has no bound."""

    at_least: Number | None = None
    above: Number | None = None
    at_most: Number | None = None
    below: Number | None = None

    def __contains__(self, number: Number) -> bool:
        return (
            (self.at_least is None or number >= self.at_least)
            and (self.above is None or number > self.above)
            and (self.at_most is None or number <= self.at_most)
            and (self.below is None or number < self.below)
        )

    def __str__(self) -> str:
        """For people: "16 to 2048", "0 or more", "above 0 and below 1"."""
        if self.at_least is not None and self.at_most is not None:
            return f"{_shown(self.at_least)} to {_shown(self.at_most)}"
        bounds = (
            (self.at_least, "{} or more"),
            (self.above, "above {}"),
            (self.at_most, "at most {}"),
            (self.below, "below {}"),
        )
        return " and ".join(words.format(_shown(bound)) for bound, words in bounds if bound is not None)


@dataclass(frozen=True)
class _Declaration:
    """What `setting` is told besides the default."""

    help: str
    range: Range
    neutral: bool
    unrecorded: Any
    parse: Callable[[str], Any] | None
    choices: Iterable[str]


def setting(
    default: Any,
    help: str,
    *,
    at_least: Number | None = None,
    above: Number | None = None,
    at_most: Number | None = None,
    below: Number | None = None,
    neutral: bool = False,
    unrecorded: Any = MISSING,
    parse: Callable[[str], Any] | None = None,
    choices: Iterable[str] = (),
) -> Any:
    """A field of a `Config`. Its type is bool, int, float, Fraction, str or a Literal of words, or such a one or None.

    Args:
        default: the value when nothing is said; MISSING for a setting that must be given.
        help: what the setting does, with its unit.
        at_least, above, at_most, below: the bounds of a number. NaN and infinity are never allowed.
        neutral: True for a setting that changes no byte of the result (a number of workers, say), or whose meaning
            is among the stage's inputs: it is not recorded and does not count in the stage's digest, so another value
            does not redo the work.
        unrecorded: the value that work was done with whose manifest does not name the setting, because it was made
            before there was the setting; the default, unless that has been changed since. Who changes the default of a
            setting writes the first one here.
        parse: makes the value from what a person writes, where the field's type does not say how.
        choices: the valid words of a str, where a registry lists them; else a Literal names them. What a registry is
            given later counts too.
    """
    bounds = Range(at_least, above, at_most, below)
    declaration = _Declaration(help, bounds, neutral, unrecorded, parse, choices)
    return field(default=default, metadata={"setting": declaration})


def chosen_settings(chooser: str, classes: "Callable[[], Mapping[str, type[Config]]]") -> Any:
    """A field with the settings of what another setting names, such as those of a kind of model.

    The command line offers the settings of all classes. Where the field is None, it becomes the default of the class.
    A manifest records these settings beside the others, so no two may have one name.

    Args:
        chooser: the name of the other setting, whose values are the names of the classes.
        classes: returns them, by name.
    """
    return field(default=None, metadata={"chosen": (chooser, classes)})


@dataclass(frozen=True)
class Setting:
    """One setting, as its class declares it.

    Attributes:
        kind: bool, int, float, Fraction or str; words of a Literal are str.
        optional: whether the value may be None.
        listed: the valid words, where it has only some.
        default: MISSING where it must be given.
        unrecorded, parse: see `setting`.
    """

    name: str
    kind: type
    optional: bool
    listed: Iterable[str]
    range: Range
    default: Any
    help: str
    neutral: bool
    unrecorded: Any
    parse: Callable[[str], Any] | None

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return _flag(self.name)

    @property
    def choices(self) -> tuple[str, ...]:
        """The valid words. It is empty where any word is valid."""
        return tuple(self.listed)

    @property
    def valid(self) -> str:
        """Which values it may have, for people; "" where its type says all."""
        return _either(self.choices) or str(self.range)

    def checked(self, value: Any) -> Any:
        """The value, as exactly the declared type: 3 of a float is 3.0, and NumPy's numbers are Python's.

        Raises:
            UsageError: the value has another type, or is not among the valid ones.
        """
        if value is None and self.optional:
            return None
        typed = _as_type(value, self.kind)
        if typed is None:
            bounds = f", {self.valid}" if self.valid else ""
            raise UsageError(f"{self.flag} {_quoted(value)}: must be {_NAMES[self.kind]}{bounds}")
        if self.choices and typed not in self.choices:
            raise UsageError(f"{self.flag} {_quoted(value)}: must be {self.valid}")
        if self.kind in _NUMBERS and typed not in self.range:
            raise UsageError(f"{self.flag} {_shown(typed)}: must be {self.valid}")
        return typed


_NUMBERS = {int: numbers.Integral, float: numbers.Real, Fraction: numbers.Rational}
_NAMES = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    Fraction: "a fraction or a whole number",
    str: "text",
}


def _as_type(value: Any, kind: type) -> Any:
    """The value as this type, where nothing of it is lost; else None. A bool is no number."""
    if kind in (bool, str):
        return value if isinstance(value, kind) else None
    if isinstance(value, bool) or not isinstance(value, _NUMBERS[kind]):
        return None
    try:
        number = kind(value)
    except OverflowError:
        return None
    return None if kind is float and not math.isfinite(number) else number


def settings(config: "type[Config]") -> tuple[Setting, ...]:
    """The settings of this class, in order."""
    kind: Any = config  # mypy takes a class of dataclasses for something that has no hash
    return _settings(kind)


@cache
def _settings(config: Any) -> tuple[Setting, ...]:
    hints = typing.get_type_hints(config)
    return tuple(
        _setting(field.name, hints[field.name], field.default, field.metadata["setting"])
        for field in fields(config)
        if "setting" in field.metadata
    )


@dataclass(frozen=True)
class Group:
    """Settings of which another setting chooses some, see `chosen_settings`.

    Attributes:
        name: the field that holds them.
        chooser: the name of the setting that chooses.
        classes: their classes, by the values of that setting.
    """

    name: str
    chooser: str
    classes: "Mapping[str, type[Config]]"

    def chosen(self, value: Any) -> "type[Config] | None":
        """The class that this value of the chooser names. None where it names none."""
        return self.classes.get(value) if isinstance(value, str) else None

    def offered(self) -> dict[str, dict[str, Setting]]:
        """Every setting that one of the classes has: name → the setting as each class declares it, by choice."""
        offered: dict[str, dict[str, Setting]] = {}
        for choice, kind in self.classes.items():
            for declared in settings(kind):
                offered.setdefault(declared.name, {})[choice] = declared
        return offered

    def make(self, choice: str, given: Mapping[str, Any]) -> "Config":
        """The settings of this choice. Raises UsageError where it has none of that name, or not of that value."""
        offered = self.offered()
        for name in given:
            if choice not in offered[name]:
                others = ", ".join(offered[name])
                raise UsageError(
                    f"{_flag(name)}: {_flag(self.chooser)} {choice} has no such setting; it is one of {others}"
                )
        return self.classes[choice](**given)


def groups(config: "type[Config]") -> tuple[Group, ...]:
    """The groups of settings of this class, as the registries are now."""
    chosen = [(field.name, *field.metadata["chosen"]) for field in fields(config) if "chosen" in field.metadata]
    return tuple(Group(name, chooser, classes()) for name, chooser, classes in chosen)


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def _setting(name: str, hint: Any, default: Any, declaration: _Declaration) -> Setting:
    parts = typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else (hint,)
    (kind,) = (part for part in parts if part is not types.NoneType)
    listed = typing.get_args(kind) if typing.get_origin(kind) is Literal else declaration.choices
    return Setting(
        name=name,
        kind=str if typing.get_origin(kind) is Literal else kind,
        optional=types.NoneType in parts,
        listed=listed,
        range=declaration.range,
        default=default,
        help=declaration.help,
        neutral=declaration.neutral,
        unrecorded=default if declaration.unrecorded is MISSING else declaration.unrecorded,
        parse=declaration.parse,
    )


@dataclass(frozen=True, kw_only=True)
class Config:
    """Base of the stages' settings. Every value is checked against its declaration, whoever gives it."""

    def __post_init__(self) -> None:
        """Subclasses that relate settings to each other call this first. Raises UsageError."""
        for declared in settings(type(self)):
            object.__setattr__(self, declared.name, declared.checked(getattr(self, declared.name)))
        for group in groups(type(self)):
            choice, own = getattr(self, group.chooser), getattr(self, group.name)
            kind = group.classes[choice]
            if own is None:
                object.__setattr__(self, group.name, kind())
            elif type(own) is not kind:
                needed = f"give {kind.__name__}, not {type(own).__name__}"
                raise UsageError(f"{_flag(group.chooser)} {choice} has other settings: {needed}")

    def recorded(self) -> dict[str, Any]:
        """The settings that decide the result, as JSON values: what a manifest holds."""
        kept = [declared.name for declared in settings(type(self)) if not declared.neutral]
        recorded = {name: _plain(getattr(self, name)) for name in kept}
        for group in groups(type(self)):
            recorded |= getattr(self, group.name).recorded()
        return recorded

    @classmethod
    def deciding(cls, recorded: Mapping[str, Any]) -> dict[str, Any]:
        """Of recorded settings those that make the result another one than it was before they were there.

        This is what decides whether work is done, and what digests are made of. So a setting that is added later does
        not make finished work undone, and neither does one that was recorded once and is neutral now, or is gone.

        Args:
            recorded: as `recorded` gives them, perhaps of an earlier version of lolhl.
        """
        known = [*settings(cls)]
        for group in groups(cls):
            (chooser,) = (declared for declared in known if declared.name == group.chooser)
            chosen = group.chosen(recorded.get(group.chooser, chooser.unrecorded))
            known += settings(chosen) if chosen else ()
        before = {declared.name: _plain(declared.unrecorded) for declared in known if not declared.neutral}
        return {name: value for name, value in recorded.items() if name in before and value != before[name]}

    @classmethod
    def options(cls, recorded: Mapping[str, Any]) -> str:
        """The options of the command line that give recorded settings again, each with a space before it.

        Those are left out that have this value where the option is not given.
        """
        options = []
        for declared in settings(cls):
            value = recorded.get(declared.name, _plain(declared.unrecorded))
            if declared.neutral or value == _plain(declared.default) or value is None:
                continue
            if declared.kind is bool:
                options.append(f" --{'' if value else 'no-'}{declared.flag.removeprefix('--')}")
            else:
                options.append(f" {declared.flag} {shlex.quote(str(value))}")
        return "".join(options)


C = TypeVar("C", bound=Config)


def restored(kind: type[C], recorded: Mapping[str, Any], place: str, remake: str) -> C:
    """The settings that a manifest recorded, as far as there still are such; others as they were before there were.

    Args:
        recorded: as `Config.recorded` gives them.
        place: the manifest's name, for the error's message.
        remake: the command that makes it anew, for the same.

    Raises:
        StorageError: a value is none that the setting can have.
    """
    values = {}
    try:
        for declared in settings(kind):
            value = recorded.get(declared.name, declared.default if declared.neutral else declared.unrecorded)
            values[declared.name] = _rate(value) if declared.kind is Fraction and isinstance(value, str) else value
        for group in groups(kind):
            if chosen := group.chosen(values[group.chooser]):
                values[group.name] = restored(chosen, recorded, place, remake)
        return kind(**values)
    except UsageError as error:
        raise StorageError(f"{place} is damaged (its config: {error}): run `{remake}`") from error


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Fraction) else value


def _rate(text: str) -> Fraction:
    """A rate as `recorded` writes it."""
    if not re.fullmatch(r"\d{1,9}(/[1-9]\d{0,8})?", text):
        raise UsageError(f"{text[:40]!r} is no rate")
    return Fraction(text)


def _either(words: tuple[str, ...]) -> str:
    return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _quoted(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _shown(number: Number) -> str:
    """A number as people write it: 5e-05 is no help for 0.00005, but 240/1 is for nobody."""
    if isinstance(number, int):
        return str(number)
    return f"{float(number):.15g}"
