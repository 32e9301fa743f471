"""Tracks are filled once: after a kill, a damage or another run, only what is missing is measured."""

import threading
from pathlib import Path

import numpy as np
import pytest

from lolhl.errors import ModelError, StorageError
from lolhl.storage import Root, open_root
from lolhl.tracks.filling import Gap, Measured, Taken
from lolhl.tracks.rows import PART
from lolhl.tracks.track import Track
from tests.tracks.made import WHOLE, Counter, contents, filling, recipe, row


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return open_root(str(tmp_path / "root"))


def test_rows_are_given_while_they_are_measured_and_again_from_what_is_stored(root: Root) -> None:
    counter = Counter()
    for measured in (WHOLE, 0):
        counter.seen.clear()
        taken = Taken(filling(root, counter, recipe()).rows())
        rows = [*taken]
        np.testing.assert_array_equal(np.concatenate([some.values for some in rows]), row(np.arange(WHOLE)))
        np.testing.assert_array_equal(np.concatenate([some.times for some in rows]), counter.times(np.arange(WHOLE)))
        assert taken.end == counter.end
        assert sum(counter.seen) == measured
    track = Track.open(root, recipe())
    assert track is not None
    assert (track.made.result.frames, track.made.result.rows, track.made.result.width) == (WHOLE, WHOLE, 2)
    assert [part.count for part in track.parts] == [PART, PART, 700]


@pytest.mark.parametrize("step", [None, 2.0])
@pytest.mark.parametrize("most", [1, PART - 100, PART + 500, 2 * PART + 600])
def test_killed_and_run_again_it_ends_with_the_same_bytes(tmp_path: Path, most: int, step: float | None) -> None:
    undisturbed, disturbed = open_root(str(tmp_path / "a")), open_root(str(tmp_path / "b"))
    track_recipe = recipe(layout="grid" if step is None else "scan")
    filling(undisturbed, Counter(step=step), track_recipe).track()
    with pytest.raises(KeyboardInterrupt):
        filling(disturbed, Counter(step=step, most=most), track_recipe).track()
    assert Track.open(disturbed, track_recipe) is None
    again = Counter(step=step)
    filling(disturbed, again, track_recipe).track()
    assert contents(disturbed) == contents(undisturbed)
    assert sum(again.seen) == WHOLE - PART * (-(-most // 100) * 100 // PART)


@pytest.mark.parametrize("damage", ["gone", "shorter", "changed", "empty"])
@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("step", [None, 2.0])
def test_a_damaged_part_is_made_anew_and_no_other(
    root: Root, damage: str, number: int, step: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    track_recipe = recipe(layout="grid" if step is None else "scan")
    track = filling(root, Counter(step=step), track_recipe).track()
    before = contents(root)
    part = track.parts[number]
    data = root.read(part.output.key)
    root.delete(part.output.key)
    if damage != "gone":
        changed = bytes([*data[:-1], data[-1] ^ 1])
        root.write(part.output.key, {"shorter": data[:-2], "changed": changed, "empty": b""}[damage])
    assert Track.open(root, track_recipe) is None
    assert (f"{part.output.key} is damaged, and is made anew" in caplog.text) == (damage != "gone")
    counter = Counter(step=step)
    filling(root, counter, track_recipe).track()
    assert sum(counter.seen) == part.count
    assert contents(root) == before


@pytest.mark.parametrize("data", [b"", b"{", b"{}", b'{"stage": "extract", "inputs": {}}'])
def test_a_damaged_manifest_is_made_anew(root: Root, data: bytes) -> None:
    filling(root, Counter(), recipe()).track()
    before = contents(root)
    root.write(recipe().manifest_key, data)
    assert Track.open(root, recipe()) is None
    counter = Counter()
    filling(root, counter, recipe()).track()
    assert sum(counter.seen) == 700  # whether the last part is the last one is known from the manifest alone
    assert contents(root) == before


def test_what_cannot_be_measured_leaves_no_track(root: Root) -> None:
    def measure(gap: Gap) -> Measured:
        yield from Counter(rows=300).measure(gap)
        raise ModelError("no numbers")

    counter = Counter()
    counter.measure = measure  # type: ignore[method-assign]
    with pytest.raises(ModelError):
        filling(root, counter, recipe()).track()
    assert contents(root) == {}


def test_parts_of_another_video_are_refused_in_one_line(root: Root) -> None:
    track = filling(root, Counter(), recipe()).track()
    root.delete(track.parts[0].output.key)

    def measure(gap: Gap) -> Measured:
        assert gap.first == 0
        return (yield from Counter(rows=50).measure(Gap(0, None)))

    counter = Counter()
    counter.measure = measure  # type: ignore[method-assign]
    with pytest.raises(StorageError, match=r"tracks/v/counter-\w{16} is of another video than there is: remove it"):
        filling(root, counter, recipe()).track()


def test_in_a_folder_one_run_fills_and_another_waits_for_it(root: Root) -> None:
    begun = threading.Event()
    first, second = Counter(on_batch=begun.set), Counter()
    thread = threading.Thread(target=lambda: filling(root, first, recipe()).track())
    thread.start()
    begun.wait()
    track = filling(root, second, recipe()).track()
    thread.join()
    assert sum(second.seen) == 0
    np.testing.assert_array_equal(track.read(0, 10).values, row(np.arange(10)))


def test_of_two_runs_that_fill_at_once_the_first_to_finish_has_its_track(unlocked: Root) -> None:
    """As in a bucket, with values that differ in their last bits."""
    late = filling(unlocked, Counter(shift=1.0), recipe()).rows()
    next(late)
    early = filling(unlocked, Counter(), recipe()).track()
    before = contents(unlocked)
    assert sum(len(rows) for rows in late) == WHOLE - 100
    assert contents(unlocked) == before
    np.testing.assert_array_equal(early.read(0, WHOLE).values, row(np.arange(WHOLE)))


def test_a_track_of_what_the_video_was_before_is_removed_and_others_stay(root: Root) -> None:
    for track_recipe in (recipe(), recipe("other"), recipe(source="frames/v/x/frameset.json"), recipe(layout="scan")):
        filling(root, Counter(rows=10, step=2.0 if track_recipe.layout == "scan" else None), track_recipe).track()
    filling(root, Counter(rows=10), recipe(digest="2")).track()
    left = {stat.key.split("/")[2] for stat in root.list("tracks/v/")}
    assert left == {
        track_recipe.folder.split("/")[2]
        for track_recipe in (recipe(digest="2"), recipe(source="frames/v/x/frameset.json"))
    }


def test_either_engine_s_track_serves_and_the_own_comes_first(root: Root) -> None:
    filling(root, Counter(shift=1.0), recipe("card-f16")).track()
    track = Track.open(root, recipe("cpu"))
    assert track is not None
    assert track.made.result.engine == "card-f16"
    filling(root, Counter(), recipe("cpu-f32")).track()
    track = Track.open(root, recipe("cpu"))
    assert track is not None
    assert track.made.result.engine == "cpu-f32"
