"""Videos that a test run makes once, however many of its tests want the same."""

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable
from pathlib import Path

FOLDER = "LOLHL_TEST_VIDEOS"  # variable of the environment with the folder of this run, see tests/conftest.py


def made_once(path: Path, make: Callable[[Path], object], *made_of: object) -> Path:
    """Makes a video, or copies the same one that was made before.

    Args:
        path: where it goes. Tests may change it there.
        make: writes it to a path.
        made_of: all that decides its bytes.
    """
    if FOLDER not in os.environ:
        make(path)
        return path
    digest = hashlib.sha256(repr(made_of).encode()).hexdigest()
    kept = Path(os.environ[FOLDER]) / f"{digest}{path.suffix}"
    if not kept.exists():
        partial = kept.with_name(f"{uuid.uuid4().hex}{path.suffix}")  # another worker may make it, too
        make(partial)
        partial.replace(kept)
    shutil.copyfile(kept, path)
    return path
