"""Copies of what lies under a root: from this machine to a bucket, say, or from a bucket to this machine."""

import shutil
import tempfile
from pathlib import Path

from lolhl import progress
from lolhl.storage import Root


def copy_objects(source: Root, target: Root, prefix: str) -> list[str]:
    """Copies all objects whose key begins with the prefix, in place of what the target has under their keys.

    JSON comes last, as the stages write it: a copy that is broken off leaves no manifest without its files.

    Args:
        source, target: two roots. The source stays as it is.
        prefix: as of `Root.list`; empty for all.

    Returns:
        The keys, in the order in which they were copied.

    Raises:
        StorageError: an object cannot be read or written.
    """
    keys = sorted((stat.key for stat in source.list(prefix)), key=lambda key: (key.endswith(".json"), key))
    with progress.bar(f"copy {prefix}", len(keys), "files") as advance:
        for key in keys:
            with tempfile.TemporaryDirectory(prefix="lolhl-") as scratch:
                copy = Path(scratch) / "object"  # `upload` may move the file away
                shutil.copyfile(source.local(key), copy)
                target.upload(copy, key)
            advance(1)
    return keys
