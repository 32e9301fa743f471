"""What a dataset holds gives the frames that models learn from and are judged on."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lolhl.data.split import DROPPED, TRAIN, VALIDATION
from lolhl.data.stretches import SIDES, SplitVod, from_files, to_files, training_samples, validation_samples
from lolhl.labels.spans import Span, on_grid

FPS = Fraction(3)


def split_vod(vod: str, sides: npt.NDArray[np.int8], *spans: tuple[float, float]) -> SplitVod:
    return SplitVod.from_sides(vod, FPS, [Span(*span) for span in spans], sides)


def cut(seed: int, count: int) -> npt.NDArray[np.int8]:
    """Sides that change now and then."""
    rng = np.random.default_rng(seed)
    return np.repeat(rng.choice([TRAIN, VALIDATION, DROPPED], size=count), rng.integers(1, 90, size=count))


def test_the_stretches_of_a_side_have_the_labels_of_their_instants() -> None:
    sides = np.repeat(np.array([TRAIN, DROPPED, VALIDATION, DROPPED, TRAIN]), [30, 6, 12, 6, 15])
    vod = split_vod("a", sides, (9.5, 10.5), (13.0, 14.4), (20.0, 99.0))
    first, second = vod.stretches("train")
    assert (first.first, first.end) == (0, 30)
    assert np.flatnonzero(first.labels).tolist() == [29]  # 29 / 3 s; the guard took the rest of this event
    assert (second.first, second.end) == (54, 69)
    assert np.flatnonzero(second.labels).tolist() == list(range(6, 15))
    [held] = vod.stretches("validation")
    assert (held.first, np.flatnonzero(held.labels).tolist()) == (36, [3, 4, 5, 6, 7])
    assert split_vod("b", np.full(9, VALIDATION)).stretches("train") == []


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 1000), st.integers(1, 30))
def test_every_instant_lies_on_the_side_that_the_split_gave_it(seed: int, count: int) -> None:
    sides = cut(seed, count)
    vod = split_vod("a", sides, (3, 10), (15, 30), (60.1, 61.7))
    labels = on_grid(vod.spans, len(sides), FPS)
    for side, number in zip(SIDES, (TRAIN, VALIDATION), strict=True):
        stretches = vod.stretches(side)
        instants = [instant for part in stretches for instant in range(part.first, part.end)]
        assert instants == np.flatnonzero(sides == number).tolist()
        assert [label for part in stretches for label in part.labels] == labels[instants].tolist()
        assert all(before.end < after.first for before, after in pairwise(stretches))
    held = validation_samples([vod])
    assert held.frame.tolist() == np.flatnonzero(sides == VALIDATION).tolist()
    read = from_files([*to_files("d", [vod]).values()], ["a"], FPS, ("stretches", "spans"), "lolhl dataset")
    assert read == ([vod] if vod.end else [])


@pytest.mark.parametrize("seed", range(3))
def test_of_one_vod_the_frames_that_train_are_those_of_lolhl_0_1(seed: int) -> None:
    """It chose them before it stored them."""
    sides = cut(seed, 40)
    vod = split_vod("a", sides, (3, 40), (100, 130), (200.5, 222))
    frames = np.flatnonzero(sides == TRAIN)
    labels = on_grid(vod.spans, len(sides), FPS)[frames]
    negatives = np.flatnonzero(~labels)
    wanted = round(labels.sum() * 0.7 / 0.3)
    assert 0 < wanted < len(negatives)
    stay = np.ones(len(frames), dtype=bool)
    stay[np.random.default_rng(seed).permutation(negatives)[wanted:]] = False
    samples = training_samples([vod], 0.3, seed)
    assert samples.frame.tolist() == frames[stay].tolist()
    assert samples.label.tolist() == labels[stay].tolist()


def test_samples_of_several_vods_are_in_order_and_know_their_vod() -> None:
    vods = [split_vod(name, cut(seed, 20), (3, 40), (70, 90)) for seed, name in enumerate(("a", "b", "c"))]
    vods.insert(1, split_vod("a2", np.full(9, VALIDATION)))
    train, held = training_samples(vods, 0.3, 0), validation_samples(vods)
    assert train.vods == held.vods == ("a", "a2", "b", "c")
    assert train.by_vod()["a2"] == slice(train.by_vod()["a"].stop, train.by_vod()["b"].start)
    for side, samples in (("train", train), ("validation", held)):
        for number, vod in enumerate(vods):
            rows = samples.by_vod()[vod.vod]
            assert (samples.vod[rows] == number).all()
            assert (np.diff(samples.frame[rows]) > 0).all()
            instants = {i for part in vod.stretches(side) for i in range(part.first, part.end)}  # type: ignore[arg-type]
            assert {*samples.frame[rows].tolist()} <= instants
        assert sum(rows.stop - rows.start for rows in samples.by_vod().values()) == len(samples)
    assert train.label.mean() == pytest.approx(0.3, abs=0.002)


def test_what_nobody_has_looked_at_is_told_and_has_no_sample() -> None:
    sides = np.repeat(np.array([DROPPED, TRAIN, DROPPED, VALIDATION, DROPPED]), [30, 12, 6, 12, 15])
    known = np.repeat(np.array([False, True, False]), [30, 30, 15])
    vod = SplitVod.from_sides("a", FPS, [Span(11, 12)], sides, known)
    assert (vod.unseen, vod.end) == ([(0, 30), (60, 75)], 60)
    files = to_files("d", [vod])
    assert from_files([*files.values()], ["a"], FPS, ("stretches", "spans"), "lolhl dataset") == [vod]
    assert training_samples([vod], 0.3, 0).frame.min() >= 30
    assert validation_samples([vod]).frame.tolist() == list(range(48, 60))
