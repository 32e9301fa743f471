"""What all tests share: few threads, and videos that are made once."""

import os
import tempfile
from collections.abc import Generator

import pytest

from tests.made_once import FOLDER

# Two test workers share two cores: torch's threads, which wait by spinning, would only hold each other up.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.hookimpl(wrapper=True)
def pytest_cmdline_main() -> Generator[None, object, object]:
    """The folder of videos lives as long as the run. Workers are its processes, and inherit its name."""
    if FOLDER in os.environ:
        return (yield)
    with tempfile.TemporaryDirectory(prefix="lolhl-videos-") as folder:
        os.environ[FOLDER] = folder
        return (yield)
