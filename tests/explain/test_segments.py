"""Superpixels follow what is drawn."""

import numpy as np

from lolhl.explain.segments import superpixels


def test_superpixels_end_where_a_colour_ends() -> None:
    picture = np.full((96, 96, 3), 40, dtype=np.uint8)
    picture[50:, 37:] = (200, 30, 30)  # no border of the grid lies there
    segments = superpixels(picture)
    mixed = [
        number
        for number in range(len(segments.names))
        if len(np.unique(picture[segments.places == number].reshape(-1, 3), axis=0)) > 1
    ]
    assert mixed == []
    assert 25 <= len(segments.names) <= 36


def test_superpixels_are_named_by_where_they_lie() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 90, 3), dtype=np.uint8)
    segments = superpixels(noise)
    assert segments.places.shape == (60, 90)
    assert segments.names[int(segments.places[0, 0])] == "top left"
    assert segments.names[int(segments.places[-1, -1])] == "bottom right"
    assert {*segments.names} == {
        "top left", "top", "top right", "left", "middle", "right", "bottom left", "bottom", "bottom right",
    }  # fmt: skip
    assert np.array_equal(np.unique(segments.places), np.arange(len(segments.names)))
    assert np.array_equal(superpixels(noise).places, segments.places)


def test_a_tiny_picture_has_as_many_parts_as_pixels_at_most() -> None:
    segments = superpixels(np.zeros((2, 3, 3), dtype=np.uint8))
    assert 1 <= len(segments.names) <= 6
