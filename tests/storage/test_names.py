"""Names that become parts of keys."""

from pathlib import Path

import pytest

from lolhl.errors import UsageError
from lolhl.storage import check_name, check_new, open_root


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
