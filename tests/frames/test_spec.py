"""The frame sets of many VODs are found by one list."""

from pathlib import Path

import pytest

from lolhl.errors import MissingInput
from lolhl.frames.spec import stored, stored_of_all
from lolhl.storage import open_root


@pytest.mark.parametrize("count", [3, 150])
def test_those_of_many_vods_are_those_of_each(tmp_path: Path, count: int) -> None:
    root = open_root(str(tmp_path))
    vods = [f"v{number}" for number in range(count)]
    for number, vod in enumerate(vods):
        for quality in range(70, 70 + 10 * (number % 3), 10):
            root.write(f"frames/{vod}/3fps-96px-crop-q{quality}/frameset.json", b"{}")
        root.write(f"frames/{vod}/3fps-96px-crop-q99/shard-000000-0.tar", b"")  # not finished
    root.write("frames/another/3fps-96px-crop-q99/frameset.json", b"{}")
    assert stored_of_all(root, vods) == {vod: stored(root, vod) for vod in vods}
    assert [spec.quality for spec in stored_of_all(root, vods)["v2"]] == [80, 70]
    root.write("frames/v1/frameset.json", b"{}")
    with pytest.raises(MissingInput, match=r"frames/v1/frameset.json was made by an earlier lolhl"):
        stored_of_all(root, vods)
