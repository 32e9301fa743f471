"""Names that become parts of keys."""

import pytest

from lolhl.errors import UsageError
from lolhl.storage import check_name


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
