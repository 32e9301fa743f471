"""A root on a local disk."""

import hashlib
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from uuid import uuid4

from lolhl.errors import AccessDenied, Conflict, NotFound, StorageError, explain
from lolhl.storage import Stat, check_key, check_prefix
from lolhl.storage.lock import locked

_UNFINISHED = ".unfinished-"  # how names of half-written files and of folders with such begin; they are never listed
_ABANDONED = 86_400.0  # seconds without a change


@dataclass(frozen=True)
class Folder:
    """See `lolhl.storage.Root` for what each method promises."""

    path: Path

    @property
    def url(self) -> str:
        return str(self.path)

    def ahead(self, keys: Iterable[str]) -> "Folder":  # noqa: ARG002
        return self

    def read(self, key: str) -> bytes:
        with self._explained(key):
            return self._at(key).read_bytes()

    def find(self, key: str) -> tuple[bytes, str] | None:
        try:
            with self._explained(key), self._at(key).open("rb") as file:
                return file.read(), _etag(os.fstat(file.fileno()))
        except NotFound:
            return None

    def read_range(self, key: str, start: int, length: int) -> bytes:
        with self._explained(key), self._at(key).open("rb") as file:
            return os.pread(file.fileno(), length, start)

    def write(self, key: str, data: bytes) -> None:
        target = self._at(key)
        with self._explained(key):
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._beside(target) as unfinished:
                unfinished.write_bytes(data)
                _replace(unfinished, target)

    def write_if(self, key: str, data: bytes, etag: str | None) -> None:
        target = self._at(key)
        with self._explained(key):
            self.path.mkdir(parents=True, exist_ok=True)
            with locked(self.path / f"{_UNFINISHED}lock"):
                now = self.stat(key)
                if (now.etag if now else None) == etag:
                    self.write(key, data)
                elif now is None or self.read(key) != data:
                    raise Conflict(f"{target} was written by another run in the meantime: run again")

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        name = hashlib.sha256(check_key(key).encode()).hexdigest()[:32]
        with ExitStack() as stack:
            with self._explained(""):
                self.path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(locked(self.path / f"{_UNFINISHED}{name}.lock", f"{self.path / key}"))
            yield

    def upload(self, path: Path, key: str) -> None:
        target = self._at(key)
        if not path.is_file():
            raise NotFound(f"{path} does not exist")
        with self._explained(key):
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._beside(target) as unfinished:
                shutil.move(path, unfinished)
                _replace(unfinished, target)

    def stat(self, key: str) -> Stat | None:
        try:
            with self._explained(key):
                status = self._at(key).stat()
        except NotFound:
            return None
        if not S_ISREG(status.st_mode):
            return None
        return Stat(key, status.st_size, _etag(status))

    def list(self, prefix: str = "") -> Iterator[Stat]:
        check_prefix(prefix)
        below = self.path / prefix if prefix.endswith("/") or not prefix else (self.path / prefix).parent
        with self._explained(below.relative_to(self.path).as_posix()):
            keys = sorted(self._keys(below))
        for key in keys:
            if key.startswith(prefix) and (stat := self.stat(key)):
                yield stat

    def _keys(self, below: Path) -> Iterator[str]:
        """Yields the keys of all files there.

        Raises:
            OSError: a folder cannot be read. It must not pass for an empty one.
        """

        def refuse(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError | NotADirectoryError):  # it may be gone by now
                raise error

        for folder, folders, files in os.walk(below, onerror=refuse):
            folders[:] = [name for name in folders if not name.startswith(_UNFINISHED)]
            for name in files:
                path = Path(folder, name)
                if not name.startswith(_UNFINISHED) and path.is_file():
                    yield path.relative_to(self.path).as_posix()

    def delete(self, key: str) -> None:
        with suppress(NotFound), self._explained(key):
            self._at(key).unlink()

    def local(self, key: str) -> Path:
        path = self._at(key)
        with self._explained(key):
            if not path.is_file():
                raise NotFound(f"{path} does not exist")
        return path

    def _at(self, key: str) -> Path:
        return self.path / check_key(key)

    @contextmanager
    def _beside(self, target: Path) -> Iterator[Path]:
        """A name in the target's folder for what is not finished; nothing is left there afterwards.

        What a killed run left there is removed once it is old enough to belong to no running one.
        """
        for leftover in target.parent.glob(_UNFINISHED + "?" * 32):
            with suppress(FileNotFoundError):
                if leftover.stat().st_mtime < time.time() - _ABANDONED:
                    leftover.unlink()
        unfinished = target.parent / f"{_UNFINISHED}{uuid4().hex}"
        try:
            yield unfinished
        finally:
            unfinished.unlink(missing_ok=True)

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise NotFound(f"{self.path / key} does not exist") from error
        except (IsADirectoryError, NotADirectoryError) as error:
            raise NotFound(f"{self.path / key}: {error.strerror}") from error
        except PermissionError as error:
            place = error.filename or self.path / key
            raise AccessDenied(f"{place}: no permission: choose another --root or mend its rights") from error
        except OSError as error:
            raise StorageError(explain(error, self.path / key)) from error


def _etag(status: os.stat_result) -> str:
    tag = f"{status.st_mtime_ns}-{status.st_ino}-{status.st_size}"
    return hashlib.sha256(tag.encode()).hexdigest()[:32]


def _replace(unfinished: Path, target: Path) -> None:
    """Gives the file its final name, once its bytes are on the disk."""
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(target)
