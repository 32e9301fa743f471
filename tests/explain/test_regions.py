"""Named regions: the file, and which pixels of a picture belong to which."""

import numpy as np
import pytest

from lolhl.errors import UsageError
from lolhl.explain.regions import REST, SHIPPED, Region, cut, digest, parse_regions, shipped


def test_the_shipped_file_names_the_parts_of_the_hud() -> None:
    names = [region.name for region in shipped()]
    assert {"minimap", "kill feed", "health and ability bars", "camera", "chat"} <= {*names}
    segments = cut(shipped(), 224, "squeeze", 16 / 9)
    assert [*segments.names] == [*names, REST]
    assert all((segments.places == number).sum() > 100 for number in range(len(names) + 1))


def test_a_pixel_belongs_to_the_first_region_that_holds_its_middle() -> None:
    regions = (Region("first", 0.5, 1.0, 0.0, 0.5), Region("second", 0.0, 0.75, 0.25, 0.5))
    segments = cut(regions, 4, "squeeze", 16 / 9)
    assert segments.names == ["first", "second", REST]
    assert segments.places.tolist() == [[2, 2, 0, 0], [1, 1, 0, 0], [2, 2, 2, 2], [2, 2, 2, 2]]


def test_a_cropped_picture_shows_the_middle_of_the_whole() -> None:
    regions = (Region("edge", 0.0, 0.2, 0.0, 1.0), Region("left of the middle", 0.25, 0.5, 0.0, 1.0))
    wide = cut(regions, 8, "crop", 2.0)  # the middle half of the width
    assert wide.names == ["left of the middle", REST]
    assert wide.places[0].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    high = cut(regions, 10, "crop", 0.5)
    assert high.names == ["edge", "left of the middle", REST]
    assert high.places[:, 0].tolist() == [0] * 10
    assert cut((Region("top", 0.0, 1.0, 0.0, 0.25),), 8, "crop", 0.5).names == [REST]


def test_a_file_is_read_in_its_order_and_names_itself() -> None:
    data = b'[kill_feed]\nleft = 0\nright = 0.5\ntop = 0.25\nbottom = 1\n[b]\nname = " My  camera "\n'
    data += b"left = 0.1\nright = 0.2\ntop = 0.1\nbottom = 0.2\n"
    regions = parse_regions(data, "mine.toml")
    assert regions == (Region("kill feed", 0.0, 0.5, 0.25, 1.0), Region("My camera", 0.1, 0.2, 0.1, 0.2))
    assert digest(regions) != digest(regions[::-1])
    assert digest(regions) == digest(parse_regions(data + b"# a comment\n", "other.toml"))


WHOLE = "left = 0\nright = 1\ntop = 0\nbottom = 1\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[minimap", "mine.toml: this is no file of regions, which is TOML"),
        ("\udcff", "mine.toml: this is no file of regions, which is TOML"),
        ("", f"mine.toml: it has 0 regions, and must have 1 to 30: see {SHIPPED}"),
        ("left = 0.5", f"mine.toml: 'left' is no region, which is a table: see {SHIPPED}"),
        (f"[a]\n{WHOLE}width = 2", "mine.toml: [a]: 'width' is no setting: choose of left, right, top, bottom, name"),
        ("[a]\nleft = 0\nright = 1\ntop = 0", "mine.toml: [a]: bottom is missing: it must be a number from 0 to 1"),
        (WHOLE.join(("[a]\n", "")).replace("right = 1", "right = 86"), "mine.toml: [a]: right = 86: it must be"),
        (f"[a]\n{WHOLE}".replace("top = 0", "top = true"), "mine.toml: [a]: top = True: it must be"),
        (f"[a]\n{WHOLE}".replace("top = 0", "top = nan"), "mine.toml: [a]: top = nan: it must be"),
        (f"[a]\n{WHOLE}".replace("right = 1", "right = 0"), "mine.toml: [a]: left = 0 must be less than right = 0"),
        (f"[a]\n{WHOLE}".replace("top = 0", "top = 1"), "mine.toml: [a]: top = 1 must be less than bottom = 1"),
        (f"[a]\n{WHOLE}name = ' '", "mine.toml: [a]: name must be a text of at most 60 characters"),
        (f"[a]\n{WHOLE}[b]\n{WHOLE}name = 'a'", "mine.toml: [b]: there is a 'a' already: give it another name"),
        (f"[a]\n{WHOLE}name = '{REST}'", "there is a 'rest of the picture' already"),
        ("".join(f"[r{n}]\n{WHOLE}" for n in range(31)), "mine.toml: it has 31 regions"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said_in_one_line(text: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_regions(text.encode(errors="surrogateescape"), "mine.toml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_pixel_has_a_part() -> None:
    for fit, shape in (("squeeze", 0.01), ("crop", 100.0), ("crop", 0.001)):
        segments = cut(shipped(), 17, fit, shape)  # type: ignore[arg-type]
        assert np.array_equal(np.unique(segments.places), np.arange(len(segments.names)))
