"""Reads the stored scores of a VOD, as `infer` wrote them, and what their model learnt from."""

from lolhl import layout, manifest
from lolhl.manifest import Manifest
from lolhl.results import Dataset, Model, Scoring
from lolhl.storage import Root
from lolhl.tables import Scored, read_scored


def load_scored(root: Root, vod: str, scoring: Manifest[Scoring], place: str = layout.HIGHLIGHTS) -> Scored:
    """The scores of a VOD on its grid.

    Args:
        root: where the data lies.
        vod: its name.
        scoring: the manifest of its scores.
        place: where they lie, see `layout.scores`.

    Raises:
        StorageError: they are gone or damaged.
    """
    result, key = scoring.result, scoring.key_of(layout.scores(vod, place))
    redo = f"lolhl infer {result.model} {vod} --force" if place == layout.HIGHLIGHTS else layout.remake(key)
    return read_scored(scoring.read(root, key, redo), f"{root.url}/{key}", redo, result.frames, result.explained_by)


def learnt_from(root: Root, method: str) -> frozenset[str] | None:
    """The VODs that a method learnt from or was validated on. None where nobody knows them any more.

    A model names them. One that an earlier lolhl has trained does not: then they are those of its dataset, unless that
    is gone or was made anew.
    """
    key = layout.model(method)
    if root.stat(key) is None:  # one that is built in
        return frozenset()
    stored = manifest.load(root, key, Model)
    if stored.result.learnt_from is not None:
        return frozenset(stored.result.learnt_from)
    vods: set[str] = set()
    for key in layout.datasets(stored.inputs):
        dataset = manifest.intact(root, key, Dataset)
        if dataset is None or dataset.content_digest() != stored.inputs[key]:
            return None
        vods.update(dataset.result.vods)
    return frozenset(vods)
