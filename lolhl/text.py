"""What people see: text on a terminal, without secrets and without characters that do more than print.

All that the command line prints goes through here: results, log lines, progress, errors, and what
libraries print.
"""

import io
import json
import logging
import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, TextIO
from urllib.parse import unquote

HIDDEN = "***"

_LONGEST_LINE = 1500  # characters of an error; a file of strangers may name things by millions
_SHORTEST_SECRET = 6  # characters: a shorter one would be found in many an innocent word

# C0, DEL and C1 drive terminals; marks of direction make text look like other text; lone surrogates are no text.
_ODD = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_NO_TEXT = re.compile("[\x00\ud800-\udfff]")

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)([^\s'\"<>`]*)")
_SIGNED = re.compile(
    r"([?&](?:X-Amz-[A-Za-z-]+|[A-Za-z_-]*(?:sig|signature|token|key|secret|password|auth))=)[^&\s'\"]+", re.IGNORECASE
)
_SECRET_NAME = re.compile(r"(SECRET|TOKEN|PASSWORD|PASSWD|SECRET_ACCESS_KEY|API_KEY|RIOT_KEY)$", re.IGNORECASE)
_ENDPOINTS = ("LOLHL_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "MLFLOW_S3_ENDPOINT_URL")


def first_few(names: Sequence[str], separator: str = ", ", most: int = 20) -> str:
    """The names in one line; of more than so many the first ones and "…"."""
    return separator.join(names if len(names) <= most else [*names[:most], "…"])


def bare_url(url: str) -> str:
    """The URL without query and fragment, which may hold secrets."""
    return re.split("[?#]", url, maxsplit=1)[0]


def redacted(text: str) -> str:
    """The text without secrets; hosts and paths stay, since they help.

    Hidden are names and passwords in URLs, their queries and fragments, the path of the object store's
    endpoint, and the values of variables of the environment that are called a secret, token, password or key.
    """
    for secret in sorted(set(_secrets()), key=len, reverse=True):
        text = text.replace(secret, HIDDEN)
    if "://" in text:
        private = set(_private_hosts())
        text = _URL.sub(lambda match: _redacted_url(match, private), text)
    return _SIGNED.sub(rf"\1{HIDDEN}", text)


def printable(text: str, keep: str = "") -> str:
    """The text with every character written as an escape that would do more than print.

    Args:
        keep: characters that may stay, as line ends.
    """
    return _ODD.sub(lambda match: match[0] if match[0] in keep else _escape(match[0]), text)


def storable(text: str) -> str:
    """The text with U+FFFD for what no file of text can hold: NUL, and half a character, as a stranger's JSON may."""
    return _NO_TEXT.sub("\ufffd", text)


def one_line(text: str) -> str:
    """An error as it is printed: redacted, printable, in one line, and not endless."""
    line = printable(redacted(" ".join(text.split())))
    if len(line) > _LONGEST_LINE:  # its begin names the input, its end says what to do
        line = f"{line[: _LONGEST_LINE - 500]} … {line[-500:]}"
    return line


def json_line(value: Any, encoding: str | None = "utf-8") -> str:
    """The value as JSON in one line of printable characters; whoever reads it gets the exact value.

    Args:
        encoding: of the stream it is written to; what that cannot hold is escaped.
    """
    whole = (encoding or "").lower().replace("-", "").startswith("utf")
    return _ODD.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, ensure_ascii=not whole))


class PrintableStream(io.TextIOBase):
    """A stream that gets redacted and printable text; `stream` is the one beneath."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        self.stream.write(printable(redacted(text), keep="\n\r\t"))
        return len(text)

    def flush(self) -> None:
        self.stream.flush()

    def fileno(self) -> int:
        return self.stream.fileno()

    def isatty(self) -> bool:
        return self.stream.isatty()

    def close(self) -> None:
        """Leaves the stream beneath open: it is not ours."""

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self.stream.encoding

    @property
    def errors(self) -> str | None:  # type: ignore[override]
        return self.stream.errors


class PrintableFormatter(logging.Formatter):
    """Log lines, redacted and printable."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(redacted(super().format(record)), keep="\n\t")


def beneath(stream: TextIO) -> TextIO:
    """The stream that text goes to in the end; for what draws by control characters, as a progress bar."""
    return stream.stream if isinstance(stream, PrintableStream) else stream


def open_standard_streams() -> None:
    """Makes standard input, output and errors usable whatever the caller left of them.

    A closed one becomes /dev/null: the next file that is opened would get its number, and so be written
    to by all that prints. What an encoding cannot hold is escaped.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            null = os.open(os.devnull, os.O_RDWR)  # gets the lowest number that is free, which is this one
            os.set_inheritable(null, True)
    sys.stdin = sys.stdin or os.fdopen(0, closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def give_up(stream: TextIO) -> None:
    """Discards what waits to be written there, so that it does not fail once more when the interpreter ends."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def _escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _redacted_url(match: "re.Match[str]", private: set[str]) -> str:
    scheme, address = match.groups()
    url = address.rstrip(").,;:")
    after = address[len(url) :]
    authority = re.split("[/?#]", url, maxsplit=1)[0]
    has_password = re.search(r"^[^\[]*:(?!\d*$)", authority) is not None  # no port, so a password; it may hold / and #
    if "@" in authority or (has_password and "@" in url):
        url = url[(authority if "@" in authority else url).rindex("@") + 1 :]
        authority = re.split("[/?#]", url, maxsplit=1)[0]
        host = f"{HIDDEN}@{authority}"
    elif has_password:  # the address was cut off within it
        return f"{scheme}{HIDDEN}{after}"
    else:
        host = authority
    path = url[len(authority) :]
    if f"{scheme}{authority}".lower() in private:
        path = f"/{HIDDEN}" if path.strip("/") else path
    elif query := re.search("[?#]", path):
        path = f"{path[: query.end()]}{HIDDEN}" if query.end() < len(path) else path
    return f"{scheme}{host}{path}{after}"


def _private_hosts() -> Iterator[str]:
    """Yields scheme and host of endpoints with a path, which may hold a secret."""
    for name in _ENDPOINTS:
        if match := re.match(r"\s*([A-Za-z]+://)(?:[^/]*@)?([^/?#]+)/+[^/]", os.environ.get(name, "")):
            yield f"{match[1]}{match[2]}".lower()


def _secrets() -> Iterator[str]:
    """Yields secrets of the environment that may stand anywhere in a text."""
    for name, value in os.environ.items():
        candidates = [value] if _SECRET_NAME.search(name) else []
        if "://" in value and "@" in value:
            password = value.partition("://")[2].rpartition("@")[0].partition(":")[2]
            candidates += [password, unquote(password)]
        yield from (secret for secret in candidates if len(secret) >= _SHORTEST_SECRET)
