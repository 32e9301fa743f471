"""Groups of frames."""

from random import Random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from lolhl.evaluate.groups import Groups

NAMES = st.lists(st.sampled_from(["a/0", "a/1", "a/10", "b", "längst"]), max_size=20)


def named(groups: Groups) -> list[str]:
    return [str(groups.names[place]) for place in groups.members]


@given(NAMES, NAMES)
def test_frames_of_parts_keep_their_groups(first: list[str], second: list[str]) -> None:
    parts = [Groups.from_names(first), Groups.from_names(second)]
    whole = Groups.joined(parts)
    assert named(whole) == first + second
    assert whole.names.tolist() == sorted(set(first + second))
    assert len(whole) == len(first) + len(second)
    assert [whole.names[place] for place in parts[1].among(whole.names)] == second


@given(NAMES, st.randoms())
def test_groups_of_which_no_frame_is_left_go(names: list[str], random: Random) -> None:
    wanted = np.array([random.random() < 0.5 for _ in names], dtype=bool)
    left = [name for name, is_wanted in zip(names, wanted, strict=True) if is_wanted]
    groups = Groups.from_names(names).where(wanted)
    assert named(groups) == left
    assert groups.names.tolist() == sorted(set(left))


def test_one_group_has_frames_or_is_none() -> None:
    assert named(Groups.of_one("v", 3)) == ["v"] * 3
    assert Groups.of_one("v", 0).names.tolist() == []


def test_a_frame_costs_four_bytes_however_long_its_name() -> None:
    groups = Groups.joined([Groups.of_one("v" * 200, 1000), Groups.of_one("w" * 200, 1000)])
    assert groups.members.nbytes == 4 * len(groups)
