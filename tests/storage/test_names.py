"""Names that become parts of keys."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lolhl.errors import UsageError
from lolhl.storage import Stat, check_name, check_new, open_root
from lolhl.storage.folder import Folder


@pytest.mark.parametrize("name", ["2301234567", "my-stream_2.0", "a", "_x", "x" * 128])
def test_good_names(name: str) -> None:
    assert check_name(name, "VOD") == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "-i", "--help", ".hidden", "a/b", "a\\b", "a b", "a\n", "é", "x" * 129, "a;b", "$(x)", "a%"]
)
def test_bad_names(name: str) -> None:
    with pytest.raises(UsageError, match="is no name for a VOD") as caught:
        check_name(name, "VOD")
    assert "\n" not in str(caught.value)


def test_what_has_a_name_already_keeps_it(tmp_path: Path) -> None:
    root = open_root(str(tmp_path))
    for name in ("con", "old.json", "dot.", "Same", "same"):
        key = f"datasets/{name}/dataset.json"
        root.write(key, b"{}")
        assert check_new(root, key, name, "dataset") == name
    with pytest.raises(UsageError, match="there is 'Same'"):
        check_new(root, "datasets/SAME/dataset.json", "SAME", "dataset")
    assert check_new(root, "models/SAME/model.json", "SAME", "model") == "SAME"


def test_no_dot_slash_or_reserved_name_gets_through_as_new(tmp_path: Path) -> None:
    root = open_root(str(tmp_path))
    for name in ("..", "a/b", "a/../b", "", "-x", ".unfinished-x", "com1", "COM1.mp4", "aux.", "x.JSON", "y.ckpt"):
        with pytest.raises(UsageError, match="is no name for a"):
            check_new(root, f"models/{name}/model.json", name, "model")


@dataclass(frozen=True)
class Listed(Folder):
    """A folder that counts what it lists."""

    prefixes: list[str] = field(default_factory=list)

    def list(self, prefix: str = "") -> Iterator[Stat]:
        self.prefixes.append(prefix)
        return super().list(prefix)


def test_a_new_name_is_compared_with_those_only_that_it_may_be_taken_for(tmp_path: Path) -> None:
    """Otherwise each download would list all VODs."""
    root = Listed(tmp_path)
    for name in ("1863051677", "1886-Final", "x"):
        root.write(f"vods/{name}/vod.json", b"{}")
    assert check_new(root, "vods/1886367077/vod.json", "1886367077", "VOD") == "1886367077"
    assert root.prefixes == []
    with pytest.raises(UsageError, match="there is '1886-Final'"):
        check_new(root, "vods/1886-final/vod.json", "1886-final", "VOD")
    assert root.prefixes == ["vods/1886-"]
