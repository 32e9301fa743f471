"""LIME by Captum: the weights of parts, where it is known what each adds."""

import subprocess
import sys

import numpy as np
import numpy.typing as npt
import pytest

from lolhl.explain.lime import weigh_parts
from lolhl.explain.regions import Region, cut
from lolhl.explain.segments import superpixels

REGIONS = tuple(Region(f"column {n}", n / 8, (n + 1) / 8, 0.0, 0.5) for n in range(8))
WHITE, BLACK = np.full((16, 16, 3), 255, dtype=np.uint8), np.zeros((16, 16, 3), dtype=np.uint8)


def line(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """1 where nothing is shown; the first column adds 2, the fourth takes 0.5, and the lower half adds 0.25."""
    shown = pictures[..., 0] / 255
    return np.asarray(1 + 2 * shown[:, 0, 0] - 0.5 * shown[:, 0, 6] + 0.25 * shown[:, 15, 0], dtype=np.float64)


@pytest.mark.parametrize("tries", [64, 512])
def test_a_line_is_found_by_some_tries_and_by_all_that_there_are(tries: int) -> None:
    scored: list[int] = []

    def score(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        assert pictures.dtype == np.uint8
        scored.append(len(pictures))
        return line(pictures)

    segments = cut(REGIONS, 16, "squeeze", 1.0)
    weights = weigh_parts(score, WHITE, BLACK, segments, tries)
    expected = [2.0, 0.0, 0.0, -0.5, 0.0, 0.0, 0.0, 0.0, 0.25]
    assert weights.parts == pytest.approx(expected, abs=0.06)
    assert weights.fit == pytest.approx(1.0, abs=0.01)
    assert weights.tries == sum(scored) == tries
    again = weigh_parts(score, WHITE, BLACK, segments, tries)
    assert again.parts.tolist() == weights.parts.tolist()


def test_few_parts_are_covered_in_every_way_once() -> None:
    segments = cut(REGIONS[:2], 16, "squeeze", 1.0)
    tried: list[bytes] = []

    def score(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        tried.extend(picture.tobytes() for picture in pictures)
        return line(pictures)

    weights = weigh_parts(score, WHITE, BLACK, segments, 1000)
    assert weights.tries == len(tried) == len({*tried}) == 8
    assert weights.parts[0] == pytest.approx(2.0, abs=0.2)


def test_where_nothing_makes_a_difference_there_is_no_fit() -> None:
    weights = weigh_parts(lambda p: np.ones(len(p)), WHITE, BLACK, cut(REGIONS, 16, "squeeze", 1.0), 64)
    assert weights.parts == pytest.approx(0.0)
    assert weights.fit is None


def test_what_is_no_line_fits_badly() -> None:
    def odd(pictures: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
        shown = pictures[:, 0, ::2, 0].astype(int) // 255
        return np.asarray(shown.sum(1) % 2, dtype=np.float64)

    fit = weigh_parts(odd, WHITE, BLACK, cut(REGIONS, 16, "squeeze", 1.0), 256).fit
    assert fit is not None
    assert fit < 0.3


def test_what_is_chance_fits_badly_however_many_parts_there_are() -> None:
    chance = np.random.default_rng(3)
    segments = superpixels(chance.integers(0, 255, (48, 48, 3), dtype=np.uint8))
    picture, cover = np.full((48, 48, 3), 255, dtype=np.uint8), np.zeros((48, 48, 3), dtype=np.uint8)
    fit = weigh_parts(lambda pictures: chance.normal(size=len(pictures)), picture, cover, segments, 128).fit
    assert fit is not None
    assert fit < 0.1


def test_superpixels_find_the_place_that_counts() -> None:
    picture = np.random.default_rng(1).integers(0, 90, (48, 48, 3), dtype=np.uint8)
    picture[40:, 40:] = 255
    segments = superpixels(picture)
    bright = lambda pictures: pictures[:, 42:, 42:].mean((1, 2, 3)) / 255 * 3.0  # noqa: E731
    weights = weigh_parts(bright, picture, np.zeros_like(picture), segments, 256)
    assert segments.names[int(weights.parts.argmax())] == "bottom right"


def test_captum_is_imported_only_when_it_is_used() -> None:

    code = "import sys, lolhl.stages.analyse, lolhl.explain.lime; print('captum' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
