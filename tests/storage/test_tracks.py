"""Tracks in a folder and in buckets: stored part by part, gone on with after a kill, and made anew where damaged."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from lolhl.models.image import ImageModel, ImageSettings
from lolhl.models.network import Network
from lolhl.stages.download import download
from lolhl.stages.infer import InferConfig, infer
from lolhl.storage import Root
from lolhl.tracks.rows import PART
from lolhl.tracks.track import Track
from tests.bundles import store_bundle
from tests.streams import action_video
from tests.tracks.made import Counter, contents, filling, recipe, row


def test_a_track_is_filled_part_by_part(root: Root) -> None:
    with pytest.raises(KeyboardInterrupt):
        filling(root, Counter(most=2 * PART + 300), recipe()).track()
    assert len(contents(root)) == 2
    again = Counter()
    track = filling(root, again, recipe()).track()
    assert sum(again.seen) == 700
    np.testing.assert_array_equal(track.read(PART - 5, PART + 5).values, row(np.arange(PART - 5, PART + 5)))
    before = contents(root)
    root.write(track.parts[1].output.key, b"damaged")
    assert Track.open(root, recipe()) is None
    mended = Counter()
    filling(root, mended, recipe()).track()
    assert sum(mended.seen) == PART
    assert contents(root) == before


def test_a_video_whose_track_is_stored_is_not_fetched(root: Root, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = Network("resnet18").eval()
    network.head = ImageModel(ImageSettings(), {"pictures": network.width})
    store_bundle(root, "m", network, {"fps": "3", "size": 64, "fit": "squeeze"})
    vod = download(root, str(action_video(tmp_path / "a.mp4", [], seconds=12))).result
    grid = InferConfig(source="video", mode="grid")
    first = infer(root, "m", "a", grid)
    root.delete(vod.video)
    shutil.rmtree(tmp_path / "cache", ignore_errors=True)  # where a bucket's video was fetched to
    assert infer(root, "m", "a", grid, force=True).outputs == first.outputs
