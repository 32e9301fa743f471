"""Typed settings: each stage has a frozen dataclass beside it, whose fields declare type, default, range and help.

The command line, its help, the check of values for every caller, what a manifest records and what its digest is made of
come from these declarations, so a setting is written down once.
"""

import math
import numbers
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
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
    choices: tuple[str, ...]


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
    choices: Sequence[str] = (),
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
        choices: the valid words of a str, where a registry lists them; else a Literal names them.
    """
    bounds = Range(at_least, above, at_most, below)
    declaration = _Declaration(help, bounds, neutral, unrecorded, parse, tuple(choices))
    return field(default=default, metadata={"setting": declaration})


@dataclass(frozen=True)
class Setting:
    """One setting, as its class declares it.

    Attributes:
        kind: bool, int, float, Fraction or str; words of a Literal are str.
        optional: whether the value may be None.
        choices: the valid words, where it has only some.
        default: MISSING where it must be given.
        unrecorded, parse: see `setting`.
    """

    name: str
    kind: type
    optional: bool
    choices: tuple[str, ...]
    range: Range
    default: Any
    help: str
    neutral: bool
    unrecorded: Any
    parse: Callable[[str], Any] | None

    @property
    def flag(self) -> str:
        """Its name on the command line."""
        return "--" + self.name.replace("_", "-")

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
        _setting(field.name, hints[field.name], field.default, field.metadata["setting"]) for field in fields(config)
    )


def _setting(name: str, hint: Any, default: Any, declaration: _Declaration) -> Setting:
    parts = typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else (hint,)
    (kind,) = (part for part in parts if part is not types.NoneType)
    choices = typing.get_args(kind) if typing.get_origin(kind) is Literal else declaration.choices
    return Setting(
        name=name,
        kind=str if choices else kind,
        optional=types.NoneType in parts,
        choices=choices,
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

    def recorded(self) -> dict[str, Any]:
        """The settings that decide the result, as JSON values: what a manifest holds."""
        kept = [declared.name for declared in settings(type(self)) if not declared.neutral]
        return {name: _plain(getattr(self, name)) for name in kept}

    @classmethod
    def deciding(cls, recorded: Mapping[str, Any]) -> dict[str, Any]:
        """Of recorded settings those that make the result another one than it was before they were there.

        This is what decides whether work is done, and what digests are made of. So a setting that is added later does
        not make finished work undone, and neither does one that was recorded once and is neutral now, or is gone.

        Args:
            recorded: as `recorded` gives them, perhaps of an earlier version of lolhl.
        """
        before = {declared.name: _plain(declared.unrecorded) for declared in settings(cls) if not declared.neutral}
        return {name: value for name, value in recorded.items() if name in before and value != before[name]}


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
