"""VODs shared between processes that do not talk."""

import json
import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolhl.cli import main
from lolhl.errors import UsageError
from lolhl.stages.download import download
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.stages.share import WHOLE, Share, parse_share, shared
from lolhl.storage import Root, open_root
from tests.videos import numbered_video


def root_of(folder: Path, seconds: dict[str, int]) -> Root:
    root = open_root(str(folder / "root"))
    for vod, length in seconds.items():
        download(root, str(numbered_video(folder / f"{vod}.mp4", seconds=length)))
    return root


@pytest.mark.parametrize("text", ["", "1", "2/2", "-1/2", "1/0", "a/b", "0/1/2", "1.5/2", " 0/2"])
def test_a_part_must_be_one(text: str) -> None:
    with pytest.raises(UsageError, match="0/4"):
        parse_share(text)


@given(st.sets(st.text("abcdefgh", min_size=1, max_size=6)), st.integers(1, 5))
def test_each_vod_is_in_one_share(tmp_path_factory: pytest.TempPathFactory, vods: set[str], parts: int) -> None:
    root = open_root(str(tmp_path_factory.getbasetemp() / "nothing-here"))
    shares = [shared(root, sorted(vods), Share(part, parts)) for part in range(parts)]
    assert sorted(vod for share in shares for vod in share) == sorted(vods)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1  # all count the same, as none is there


def test_the_longest_go_first_and_parts_are_about_equal(tmp_path: Path) -> None:
    root = root_of(tmp_path, {"a": 3, "b": 9, "c": 3, "d": 3})
    assert shared(root, ["a", "b", "c", "d"], Share(0, 2)) == ["b"]
    assert shared(root, ["d", "c", "b", "a"], Share(1, 2)) == ["a", "c", "d"]
    assert shared(root, ["d", "c", "b", "a"], WHOLE) == ["d", "c", "b", "a"]


def test_replicas_do_each_vod_once_and_a_lost_one_s_part_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    root = root_of(tmp_path, {"a": 4, "b": 3, "c": 2})
    call = ["extract", "a", "b", "c", "--size", "32", "--json", "--root", root.url]
    assert main([*call, "--part", "0/2"]) == 0
    assert [json.loads(line)["vod"] for line in capsys.readouterr().out.splitlines()] == ["a"]
    done = root.stat("frames/a/3fps-32px-squeeze-q90/frameset.json")
    # The second did one of its two and was lost.
    extract(root, "b", ExtractConfig(size=32))
    assert main([*call, "--part", "1/2"]) == 0
    assert [json.loads(line)["vod"] for line in capsys.readouterr().out.splitlines()] == ["b", "c"]
    assert caplog.text.count("done already") == 1
    assert root.stat("frames/a/3fps-32px-squeeze-q90/frameset.json") == done
    assert main([*call, "--part", "4/5"]) == 0
    assert "nothing, as there are fewer VODs" in caplog.text
