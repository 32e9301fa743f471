"""Typed settings: each stage has a frozen dataclass beside it, whose fields carry their own help.

The command line is made from these classes, so a setting is written down once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any


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
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self) if not f.metadata.get("neutral", False)}


def _plain(value: Any) -> Any:
    match value:
        case Fraction():
            return str(value)
        case tuple():
            return [_plain(item) for item in value]
        case _:
            return value
