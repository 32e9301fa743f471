"""What parts add, in words and in colours."""

import numpy as np
import pytest

from lolhl.explain.segments import Segments
from lolhl.explain.words import coloured, in_words, summed


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        (
            {"minimap": -0.2, "kill feed": 0.8, "chat": 0.01},
            "The kill feed speaks for it (+0.8), the minimap against it (−0.2).",
        ),
        (
            {"minimap": -1.2, "kill feed": 0.8, "chat": 0.3},
            "The minimap speaks against it (−1.2), the kill feed (+0.8) and the chat (+0.3) for it.",
        ),
        (
            {"a": 1.0, "b": 0.9, "c": 0.8, "d": 0.7},
            "The a (+1.0), the b (+0.9) and the c (+0.8) speak for it.",
        ),
        ({"chat": -0.07}, "The chat speaks against it (−0.07)."),
        ({"chat": 0.004, "camera": -0.001}, "No part of the picture speaks for it or against it."),
        ({}, "No part of the picture speaks for it or against it."),
    ],
)
def test_a_sentence_names_the_strongest_parts_first(weights: dict[str, float], sentence: str) -> None:
    assert in_words(weights) == sentence


def test_parts_of_one_name_count_together() -> None:
    segments = Segments(["top", "left", "top"], np.zeros((1, 1), dtype=np.int64))
    assert summed(segments, [1.0, -0.5, 0.25]) == {"top": 1.25, "left": -0.5}


def test_parts_are_blue_for_it_and_orange_against_it_and_grey_where_they_do_not_count() -> None:
    picture = np.full((9, 9, 3), (90, 60, 30), dtype=np.uint8)
    segments = Segments(["a", "b", "c"], np.repeat(np.arange(3), 3)[None].repeat(9, 0))
    drawn = coloured(picture, segments, np.array([2.0, 0.0, -1.0]))
    assert drawn.shape == (18, 18, 3)
    (for_red, _, for_blue), middle, (against_red, _, against_blue) = drawn[3, [1, 8, 15]].astype(int)
    assert for_blue > for_red + 100
    assert against_red > against_blue + 40
    assert middle.tolist() == [60, 60, 60]
    assert drawn[3, 5].tolist() == [255, 255, 255]  # the border of the first part


@pytest.mark.parametrize(("shape", "size"), [(2.0, (9, 18)), (0.5, (36, 18)), (1000.0, (4, 18))])
def test_a_picture_is_drawn_in_the_shape_in_which_it_is_shown(shape: float, size: tuple[int, int]) -> None:
    picture = np.zeros((9, 9, 3), dtype=np.uint8)
    picture[-3:, -1] = 255
    drawn = coloured(picture, Segments(["a"], np.zeros((9, 9), dtype=np.int64)), np.array([0.0]), shape)
    assert drawn.shape == (*size, 3)
    assert drawn[-1, -1].tolist() == [255] * 3
