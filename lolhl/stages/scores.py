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


def learnt_from(root: Root, model: str) -> dict[str, Manifest[Dataset]]:
    """The manifests of the data sets that a model was trained on, as far as they lie under this root."""
    key = layout.model(model)
    if root.stat(key) is None:
        return {}
    keys = layout.datasets(manifest.load(root, key, Model).inputs)
    return {key: manifest.load(root, key, Dataset) for key in keys if root.stat(key)}
