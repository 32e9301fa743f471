"""A root: the one folder or bucket prefix that all data lies under.

`open_root("data")` and `open_root("s3://bucket/prefix")` mean the same to every stage. Keys are
relative paths with forward slashes. A write is seen whole or not at all.
"""

import re
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from lolhl.errors import UsageError

A = TypeVar("A")
B = TypeVar("B")

MANY = 32  # small objects that are asked for at a time; a bucket has as many connections
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_FILES = (".json", ".tsv", ".parquet", ".tar", ".safetensors", ".ckpt")  # how names of a root's own files end
_PORTS = [f"{port}{number}" for port in ("com", "lpt") for number in range(10)]
_WINDOWS = frozenset(("con", "prn", "aux", "nul", *_PORTS))  # names of devices there, whatever follows a dot


@dataclass(frozen=True)
class Stat:
    """One stored object: its key, its size in bytes, and a tag that changes when its bytes do."""

    key: str
    size: int
    etag: str


class Root(Protocol):
    """What every stage reads from and writes to."""

    @property
    def url(self) -> str:
        """How a person names this root: a path, or s3://bucket/prefix."""

    def ahead(self, keys: Iterable[str]) -> "Root":
        """The same root, which has asked for these objects already, all together.

        The first `read` or `find` of each gives what stood there now. For a stage's beginning: keep it no longer.
        """

    def read(self, key: str) -> bytes:
        """The whole object. Raises NotFound."""

    def find(self, key: str) -> tuple[bytes, str] | None:
        """The whole object and its etag, or None when there is no such object."""

    def read_range(self, key: str, start: int, length: int) -> bytes:
        """`length` bytes from `start`; fewer when the object ends before. Raises NotFound."""

    def write(self, key: str, data: bytes) -> None:
        """Puts the object, whole or not at all."""

    def write_if(self, key: str, data: bytes, etag: str | None) -> None:
        """Puts the object if it still has this etag (None: if there is none).

        Raises:
            Conflict: somebody else wrote other bytes to the key in between.
        """

    def lock(self, key: str) -> AbstractContextManager[None]:
        """Keeps other runs out that lock this key, and waits while one is in; the lock ends with its process.

        In a bucket it keeps nobody out: there keys that hold a digest of their content, and `write_if`, see to it
        that no run spoils another's work.
        """

    def upload(self, path: Path, key: str) -> None:
        """Puts the file's bytes, whole or not at all; the file may be moved away.

        Raises:
            NotFound: there is no such file.
        """

    def stat(self, key: str) -> Stat | None:
        """Size and etag, or None when there is no such object."""

    def list(self, prefix: str = "") -> Iterator[Stat]:
        """All objects whose key begins with the prefix, in order of their keys."""

    def delete(self, key: str) -> None:
        """Removes the object; no error when there is none."""

    def local(self, key: str) -> Path:
        """A file on this machine with the object's bytes, to be read only. Raises NotFound.

        In a folder it is the file itself; from a bucket it is fetched into a cache once.
        """


def open_root(url: str) -> Root:
    """The root that a path or an s3:// URL names.

    Raises:
        UsageError: the URL names neither.
        StorageError: the bucket's settings are missing.
    """
    if url.startswith("s3://"):
        from lolhl.storage.bucket import Bucket  # boto3 takes 0.3 s to import

        return Bucket.from_url(url)
    if "://" in url:
        raise UsageError(f"{url!r} is no root: give a folder or s3://bucket/prefix")
    if not url.strip():
        raise UsageError("the root is empty: give a folder or s3://bucket/prefix")
    from lolhl.storage.folder import Folder

    try:
        path = Path(url).expanduser()
    except RuntimeError as error:
        raise UsageError(f"{url!r} is no root ({error}): give a folder or s3://bucket/prefix") from error
    try:
        file = next((place for place in (path, *path.parents) if place.exists() and not place.is_dir()), None)
    except (OSError, ValueError) as error:  # the latter for a zero byte
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{url[:200]!r} is no root ({why}): give a folder or s3://bucket/prefix") from error
    if file:
        raise UsageError(f"{url!r} is no root, because {file} is a file: give a folder or s3://bucket/prefix")
    return Folder(path)


def each(do: Callable[[A], B], items: Iterable[A], *, ahead: int = 8) -> Generator[B, None, None]:
    """Yields do(item) of each item, in order, and calls `do` ahead: a distant bucket's answers come at the same time.

    Args:
        do: called in threads. What it raises comes out where its result would.
        ahead: how many results may be ready or on their way before the next is taken: bounds memory.
    """
    threads = ThreadPoolExecutor(ahead)
    results: deque[Future[B]] = deque()
    try:
        for item in items:
            results.append(threads.submit(do, item))
            if len(results) == ahead:
                yield results.popleft().result()
        while results:
            yield results.popleft().result()
    finally:
        threads.shutdown(cancel_futures=True)


def delete_all(root: Root, keys: Iterable[str]) -> None:
    """Removes these objects, several at a time."""
    for _ in each(root.delete, keys):
        pass


def check_name(name: str, kind: str) -> str:
    """The name itself, if it may become part of a key: it cannot leave the root nor look like an option.

    Raises:
        UsageError: it has other characters than letters, digits, `_`, `-`, `.`, or begins with `-` or `.`.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is no name for a {kind}: use letters, digits, '_', '-' and '.', at most 128")
    return name


def check_new(root: Root, key: str, name: str, kind: str) -> str:
    """The name itself, if something new may be made under it, whose manifest is to lie at the key FOLDER/NAME/FILE.

    A root lists things by name in folders of their own. The names are such that no two things share a key and no
    key lies below another one, on any file system that the root may be copied to. What is there already keeps
    its name.

    Raises:
        UsageError: the name is none (see `check_name`), ends as the files between the folders do or as Windows
            does not allow, or differs from another one in upper and lower case only.
    """
    check_name(name, kind)
    if root.stat(key):
        return name
    no_name = f"{name!r} is no name for a new {kind}"
    if name.lower().endswith(_FILES):
        raise UsageError(f"{no_name}: files of lolhl end in {name[name.rindex('.') :]}: choose another")
    if name.endswith(".") or name.partition(".")[0].lower() in _WINDOWS:
        raise UsageError(f"{no_name}: Windows has no file of this name: choose another")
    cased = [at for at, letter in enumerate(name) if letter.lower() != letter.upper()]
    if not cased:  # as the numbers of Twitch
        return name
    names = {stat.key.split("/")[1] for stat in root.list(f"{key.split('/')[0]}/{name[: cased[0]]}")}
    if twin := min(
        (existing for existing in names if existing != name and existing.lower() == name.lower()), default=None
    ):
        raise UsageError(
            f"{no_name}: there is {twin!r}, which many computers take for the same: use that, or choose another"
        )
    return name


def check_key(key: str) -> str:
    """The key itself, if it is a plain relative path.

    Raises:
        UsageError: it is absolute, empty, has `.`, `..` or empty parts, or characters that do not print.
    """
    parts = key.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in key or not key.isprintable():
        raise UsageError(f"{key!r} is no key: use a relative path without '..'")
    return key


def check_prefix(prefix: str) -> str:
    """The prefix itself, if it begins nothing but keys: it is empty, a key, or a key and a slash.

    Raises:
        UsageError: as `check_key`.
    """
    if prefix:
        check_key(prefix.removesuffix("/"))
    return prefix
