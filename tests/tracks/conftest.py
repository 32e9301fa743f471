"""A root that keeps nobody out, as a bucket."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from lolhl.storage import Root
from lolhl.storage.folder import Folder


@dataclass(frozen=True)
class Unlocked(Folder):
    """A folder whose locks lock nothing."""

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:  # noqa: ARG002
        yield


@pytest.fixture
def unlocked(tmp_path: Path) -> Root:
    return Unlocked(tmp_path / "unlocked")
