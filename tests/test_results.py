"""Results are read again as they were written, and refused where their values make no sense."""

from fractions import Fraction
from pathlib import Path

import pytest

from lolhl.errors import StorageError
from lolhl.manifest import find
from lolhl.results import Frames, Vod
from lolhl.storage import open_root
from tests.results import FRAMES, VOD, store


@pytest.mark.parametrize("fps", ["0", "1/100000", "240000", "2147483647/7", "1/2147483647"])
def test_a_video_may_claim_any_rate(tmp_path: Path, fps: str) -> None:
    root = open_root(str(tmp_path))
    made = store(root, "vod.json", VOD, fps=Fraction(fps))
    assert find(root, "vod.json", Vod) == made


@pytest.mark.parametrize("fps", ["0", "1/1001", "240001/1000", "240000", "-3", "1e99999999", "3/0", "1" * 99, ""])
def test_a_grid_has_a_rate_from_a_thousandth_to_240(tmp_path: Path, fps: str) -> None:
    root = open_root(str(tmp_path))
    data = store(root, "frameset.json", FRAMES).to_bytes()
    root.write("frameset.json", data.replace(b'"fps": "3"', f'"fps": "{fps}"'.encode()))
    with pytest.raises(StorageError, match="frame rate"):
        find(root, "frameset.json", Frames)
