"""A root that several tests share: two streams with frames and labels, a dataset, and a model."""

import pytest

from lolhl.stages.dataset import DatasetConfig, dataset
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.storage import Root, open_root
from tests.streams import add_stream

SMALL = ExtractConfig(size=96)


@pytest.fixture(scope="session")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Root:
    """Streams a and b, 3 minutes each; dataset d of a. Tests that change it work on a copy."""
    folder = tmp_path_factory.mktemp("streams")
    root = open_root(str(folder / "root"))
    for seed, name in enumerate("ab", start=1):
        add_stream(root, folder, name, seconds=180, seed=seed)
        extract(root, name, SMALL)
    dataset(root, "d", ["a"], DatasetConfig(context_seconds=10))
    return root
