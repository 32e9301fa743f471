"""Typed settings: each stage has a frozen dataclass beside it, whose fields carry their own help.

The command line is made from these classes, so a setting is written down once.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any, TypeVar, get_args

import msgspec

from lolhl.errors import StorageError, UsageError


def option(
    default: Any,
    help: str,
    *,
    neutral: bool = False,
    choices: tuple[str, ...] = (),
    parse: Callable[[str], Any] | None = None,
) -> Any:
    """A dataclass field with help for people.

    Args:
        default: the value when nothing is said.
        help: what the setting does, with its unit.
        neutral: True for a setting that cannot change the result (a number of workers, say):
            it does not count in the stage's digest, so changing it does not redo the work.
        choices: the valid values, where there are few.
        parse: makes the value from what a person writes, where the field's type does not say how.
    """
    metadata = {"help": help, "neutral": neutral, "choices": choices, "parse": parse}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Base of the stages' settings."""

    def recorded(self) -> dict[str, Any]:
        """The settings that decide the result, as JSON values: what a manifest holds."""
        kept = [f for f in fields(self) if not f.metadata.get("neutral", False)]
        return {f.name: _plain(_as_declared(getattr(self, f.name), f.type)) for f in kept}


def _as_declared(value: Any, kind: Any) -> Any:
    """10 of a setting that is a float is 10.0, as when it is read again: the same settings have one digest."""
    is_float = float in (kind, *get_args(kind))
    return float(value) if is_float and type(value) is int else value


def _plain(value: Any) -> Any:
    match value:
        case Fraction():
            return str(value)
        case tuple():
            return [_plain(item) for item in value]
        case _:
            return value


C = TypeVar("C", bound=Config)


def restored(kind: type[C], recorded: Mapping[str, Any], place: str, remake: str) -> C:
    """The settings that a manifest recorded, as far as there still are such.

    Args:
        recorded: as `Config.recorded` gives them.
        place: the manifest's name, for the error's message.
        remake: the command that makes it anew, for the same.

    Raises:
        StorageError: a value is none that the setting can have.
    """
    there = [field for field in fields(kind) if field.name in recorded]
    try:
        for field in there:
            value, choices = recorded[field.name], field.metadata.get("choices", ())
            if choices and value not in choices:
                raise ValueError(f"{value!r} is none of {', '.join(choices)} - at `$.{field.name}`")
        known = {field.name: recorded[field.name] for field in there}
        return msgspec.convert(known, kind, dec_hook=_exact)
    except (msgspec.ValidationError, UsageError, ValueError) as error:
        why = str(error).splitlines()[0].replace("$.", "config.")
        raise StorageError(f"{place} is damaged ({why}): run `{remake}`") from error


def _exact(kind: type, value: Any) -> Any:
    """A rate as `recorded` writes it."""
    if kind is not Fraction or not (isinstance(value, str) and re.fullmatch(r"\d{1,9}(/[1-9]\d{0,8})?", value)):
        raise ValueError(f"{str(value)[:40]!r} is no rate")
    return Fraction(value)
