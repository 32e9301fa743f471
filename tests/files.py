"""Files of a root whose names hold the digest of their bytes, found by the manifest beside them."""

import json

from lolhl import layout
from lolhl.storage import Root


def stored_key(root: Root, key: str) -> str:
    """The key under which a manifest names the file that `layout` gives this key without a digest."""
    folder = key.rpartition("/")[0]
    manifests = [stat.key for stat in root.list(f"{folder}/") if stat.key.endswith(".json")]
    outputs = [output["key"] for manifest in manifests for output in json.loads(root.read(manifest)).get("outputs", ())]
    (stored,) = {output for output in outputs if layout.without_digest(output) == key}
    return str(stored)


def stored_bytes(root: Root, key: str) -> bytes:
    """The bytes of this file."""
    return root.read(stored_key(root, key))
