"""Tracks in a folder and in buckets: stored part by part, gone on with after a kill, and made anew where damaged."""

import numpy as np
import pytest

from lolhl.storage import Root
from lolhl.tracks.rows import PART
from lolhl.tracks.track import Track
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
