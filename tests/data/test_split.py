from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lolhl import grid
from lolhl.data.split import DROPPED, TRAIN, VALIDATION, Stretch, by_chunks, by_chunks_of, by_vods, guarded, stretch
from lolhl.labels.spans import Span, merge
from lolhl.labels.tables import read_table
from tests.labels.real import OWN, real_labels

FPS = Fraction(3)


def marked(seconds: int, *spans: tuple[float, float], vod: str = "a", fps: Fraction = FPS) -> Stretch:
    return stretch(vod, [Span(*span) for span in spans], int(seconds * fps), fps, 30)


def chunk_numbers(part: Stretch) -> list[tuple[int, int]]:
    """Number and length in frames of each chunk."""
    numbers, counts = np.unique(part.chunks, return_counts=True)
    return list(zip(numbers.tolist(), counts.tolist(), strict=True))


def test_chunks_of_thirty_seconds() -> None:
    assert chunk_numbers(marked(75)) == [(0, 90), (1, 90), (2, 45)]
    assert chunk_numbers(marked(75, (0, 30), (31, 40))) == [
        (0, 90),
        (1, 90),
        (2, 45),
    ]  # up to the border is no crossing
    assert chunk_numbers(marked(75, fps=Fraction(30000, 1001)))[0] == (0, 900)


def test_chunks_that_share_an_event_are_joined() -> None:
    assert chunk_numbers(marked(150, (29, 31))) == [(0, 180), (2, 90), (3, 90), (4, 90)]
    assert chunk_numbers(marked(150, (25, 95), (119.5, 120.5))) == [(0, 450)]
    assert chunk_numbers(marked(60, (29.9, 35))) == [(0, 90), (1, 90)]  # its first frame is that at 30 s
    assert chunk_numbers(marked(150, (29, 30.0))) == [(i, 90) for i in range(5)]
    assert chunk_numbers(marked(60, (59, 300))) == [(0, 90), (1, 90)]  # beyond the last frame there is nothing to join


@pytest.mark.parametrize("guard", [10.0, 10.2, 1 / 3, 15.0])
@pytest.mark.parametrize("fps", [FPS, Fraction(1), Fraction(30000, 1001)])
def test_the_guard_drops_what_is_too_near_and_nothing_more(guard: float, fps: Fraction) -> None:
    side = np.full(int(120 * fps), TRAIN)
    side[int(40 * fps) : int(50 * fps)] = VALIDATION
    side[-1] = VALIDATION
    after = guarded(side, fps, guard)
    held = np.flatnonzero(side == VALIDATION)
    for frame, fate in enumerate(after):
        near = Fraction(int(np.abs(held - frame).min())) / fps < Fraction(guard)
        assert fate == (VALIDATION if side[frame] == VALIDATION else DROPPED if near else TRAIN)


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[Stretch], dict[str, list[Span]], Fraction, float, int]:
    """One to three labelled VODs of 2 minutes to 2 hours."""
    fps = draw(st.sampled_from([Fraction(3), Fraction(1), Fraction(1, 2), Fraction(30000, 7001)]))
    labels = {}
    stretches = []
    for vod in draw(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3, unique=True)):
        seconds = draw(st.one_of(st.integers(120, 600), st.integers(600, 7200)))
        gaps = draw(st.lists(st.tuples(st.integers(0, 300), st.integers(1, 150)), max_size=40))
        ends = np.cumsum(gaps).tolist() if gaps else []
        labels[vod] = merge(Span(a / 1.0, b / 1.0) for a, b in zip(ends[::2], ends[1::2], strict=True) if b > a)
        stretches.append(stretch(vod, labels[vod], int(seconds * fps), fps, 30))
    guard = draw(st.sampled_from([10.0, 12.5, 60.0]))
    return stretches, labels, fps, guard, draw(st.integers(0, 3))


def check(
    stretches: Sequence[Stretch],
    labels: dict[str, list[Span]],
    fps: Fraction,
    guard: float,
    sides: dict[str, np.ndarray[tuple[int], np.dtype[np.int8]]],
) -> None:
    """That nothing leaks."""
    assert sorted(sides) == sorted(part.vod for part in stretches)
    for part in stretches:
        side = sides[part.vod]
        assert side.size == part.labels.size
        train, held = np.flatnonzero(side == TRAIN), np.flatnonzero(side == VALIDATION)
        if train.size and held.size:
            nearest = min(int(np.abs(held - frame).min()) for frame in train)
            assert Fraction(nearest) / fps >= Fraction(guard)
        for span in labels[part.vod]:  # an event is whole on one side; the guard may take of it, but only from training
            frames = side[grid.first_frame_at(span.start, fps) : grid.first_frame_at(span.stop, fps)]
            assert not frames.size or (frames == VALIDATION).all() or (frames != VALIDATION).all()
        for number in np.unique(part.chunks):
            assert len({fate == VALIDATION for fate in side[part.chunks == number]}) == 1


@settings(deadline=None, max_examples=60)
@given(streams())
def test_nothing_leaks(
    given_streams: tuple[list[Stretch], dict[str, list[Span]], Fraction, float, int],
) -> None:
    stretches, labels, fps, guard, seed = given_streams
    sides = by_chunks(stretches, fps, validation=0.15, guard_seconds=guard, seed=seed)
    check(stretches, labels, fps, guard, sides)
    again = by_chunks(stretches[::-1], fps, validation=0.15, guard_seconds=guard, seed=seed)
    for part in stretches:
        assert (sides[part.vod] == again[part.vod]).all()  # whatever other VODs there are, in whatever order
        blocks = len(np.unique(part.chunks))
        if blocks > 1:
            assert (sides[part.vod] == VALIDATION).any()
            assert (sides[part.vod] != VALIDATION).any()


@pytest.mark.parametrize("guard", [10.0, 15.0, 60.0])
@pytest.mark.parametrize("seed", range(5))
def test_nothing_leaks_on_the_real_labels(guard: float, seed: int) -> None:
    labels = read_table(real_labels(), "highlights.tsv")
    seconds = {"1863051677": 21927, "1886367077": 4350}
    stretches = [stretch(vod, labels[vod], seconds[vod] * 3, FPS, 30) for vod in labels]
    sides = by_chunks(stretches, FPS, validation=0.15, guard_seconds=guard, seed=seed)
    check(stretches, labels, FPS, guard, sides)
    for part in stretches:
        held = sides[part.vod] == VALIDATION
        assert held.mean() == pytest.approx(0.15, abs=0.02)
        assert part.labels[held].mean() == pytest.approx(part.labels.mean(), rel=0.05)
        assert (sides[part.vod] == DROPPED).mean() < 0.12  # of all frames: two thirds of what is held out, and some


def test_nothing_leaks_on_labels_like_them() -> None:
    labels = read_table(OWN, "own.tsv")
    stretches = [stretch(vod, spans, 3 * 4350, FPS, 30) for vod, spans in labels.items()]
    check(stretches, labels, FPS, 10, by_chunks(stretches, FPS, validation=0.15, guard_seconds=10, seed=0))


@pytest.mark.parametrize("seed", range(20))
def test_five_minutes(seed: int) -> None:
    """A short stream has both kinds of frames on both sides, and a share held out that is about right."""
    rng = np.random.default_rng(seed)
    starts = np.sort(rng.choice(np.arange(0, 290, 10), size=6, replace=False)) + rng.integers(0, 5)
    labels = merge(Span(float(start), float(start) + 7) for start in starts)
    part = stretch("a", labels, 900, FPS, 30)
    side = by_chunks([part], FPS, validation=0.15, guard_seconds=10, seed=seed)["a"]
    check([part], {"a": labels}, FPS, 10, {"a": side})
    assert 0.1 <= (side == VALIDATION).mean() <= 0.3
    for which in (TRAIN, VALIDATION):
        assert 0 < part.labels[side == which].mean() < 1


def test_seeds_differ() -> None:
    part = marked(3600, (100, 120), (900, 1000), (2000, 2100))
    first, again, other = (
        by_chunks([part], FPS, validation=0.15, guard_seconds=10, seed=seed)["a"] for seed in (0, 0, 1)
    )
    assert (first == again).all()
    assert (first != other).any()


def test_one_chunk_stays_whole() -> None:
    for part in (marked(20, (1, 5)), marked(120, (1, 119))):
        side = by_chunks([part], FPS, validation=0.15, guard_seconds=10, seed=0)["a"]
        assert (side == TRAIN).all()


@pytest.mark.parametrize("seed", range(5))
def test_whole_vods(seed: int) -> None:
    stretches = [marked(600 + 60 * i, (30 * i + 1, 30 * i + 100), vod=f"v{i}") for i in range(7)]
    sides = by_vods(stretches, validation=0.15, seed=seed)
    held = [vod for vod, side in sides.items() if (side == VALIDATION).all()]
    assert all((side == TRAIN).all() for vod, side in sides.items() if vod not in held)
    share = sum(sides[vod].size for vod in held) / sum(side.size for side in sides.values())
    assert share == pytest.approx(0.15, abs=0.04)


def test_a_vod_with_highlights_is_held_out_where_few_have_any() -> None:
    stretches = [marked(600, *[(10, 50)] if i in (3, 8) else [], vod=f"v{i}") for i in range(10)]
    for seed in range(5):
        sides = by_vods(stretches, validation=0.15, seed=seed)
        assert sum((sides[vod] == VALIDATION).all() for vod in ("v3", "v8")) == 1


def test_named_vods() -> None:
    stretches = [marked(600, (10, 50), vod=vod) for vod in "abc"]
    sides = by_vods(stretches, validation=0.15, seed=0, named=["b", "c"])
    assert {vod: int(side[0]) for vod, side in sides.items()} == {"a": TRAIN, "b": VALIDATION, "c": VALIDATION}


@pytest.mark.parametrize("seed", range(4))
def test_what_nobody_has_looked_at_lies_on_neither_side_and_the_share_is_of_the_rest(seed: int) -> None:
    labelled = marked(3600, *((start + 10, start + 20) for start in range(600, 1800, 60)))
    known = np.zeros(labelled.labels.size, dtype=bool)
    known[600 * 3 : 1800 * 3] = True
    side = by_chunks_of(labelled, FPS, validation=0.2, guard_seconds=10, seed=seed, known=known)
    assert (side[~known] == DROPPED).all()
    assert 0.15 < (side[known] == VALIDATION).mean() < 0.25
    for which in (TRAIN, VALIDATION):
        assert 0 < labelled.labels[side == which].mean() < 1
    everything = np.ones(labelled.labels.size, dtype=bool)
    whole = by_chunks([labelled], FPS, validation=0.2, guard_seconds=10, seed=seed)["a"]
    again = by_chunks_of(labelled, FPS, validation=0.2, guard_seconds=10, seed=seed, known=everything)
    assert again.tolist() == whole.tolist()
