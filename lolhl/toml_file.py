"""Small TOML files that come with the package, and that a person may copy and change."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lolhl.errors import UsageError
from lolhl.text import storable

_LONGEST_NAME = 60  # characters


@dataclass(frozen=True)
class TomlTable:
    """A table of such a file.

    Attributes:
        values: key → what stands there.
        place: file and table, which messages begin with.
        error: what is raised where a value is wrong.
    """

    values: Mapping[str, Any]
    place: str
    error: type[UsageError] = UsageError

    @classmethod
    def parse(cls, data: bytes, name: str, what: str, error: type[UsageError] = UsageError) -> "TomlTable":
        """The whole file.

        Args:
            data: its bytes.
            name: of the file.
            what: lies in it, for messages.
            error: what is raised where it is no TOML, or a value is wrong.
        """
        try:
            return cls(tomllib.loads(data.decode()), name, error)
        except (ValueError, RecursionError) as problem:  # the former also for what is no UTF-8
            raise error(f"{name}: this is no file of {what}, which is TOML ({str(problem)[:100]})") from None

    def table(self, key: str) -> "TomlTable":
        """The table that stands there."""
        return TomlTable(self.values[key], f"{self.place}: [{key[:40]}]", self.error)

    def check_keys(self, known: Sequence[str]) -> None:
        """Raises the error where the table has other keys."""
        if odd := next((key for key in self.values if key not in known), None):
            raise self.error(f"{self.place}: {odd[:40]!r} is no setting: choose of {', '.join(known)}")

    def number(self, key: str, most: float, default: float | None = None) -> float:
        """A number from 0 to `most`. Raises the error for anything else, and where it is missing without a default."""
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
            given = "is missing" if value is None else f"= {str(value)[:40]}"
            raise self.error(f"{self.place}: {key} {given}: it must be a number from 0 to {most:g}")
        return float(value)

    def name(self, key: str) -> str:
        """What the table is called for people: its `name`, else its key. Raises the error for what is no name."""
        name = self.values.get("name", key.replace("_", " "))
        if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME:
            raise self.error(f"{self.place}: name must be a text of at most {_LONGEST_NAME} characters")
        return " ".join(storable(name).split())
