"""Sound before pictures: which stretches are looked at, and what that loses, by a small model that learnt nothing."""

from fractions import Fraction
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import torch

from lolhl.errors import UsageError
from lolhl.evaluate.calibration import Calibration
from lolhl.labels.habits import Habits
from lolhl.labels.spans import Span
from lolhl.models.tcn import TcnModel, TcnSettings
from tests.evaluation.first_pass import WAYS, Looked, Stream, certainty, lost_in_vods, parse, stretches, tables

FRAMES, WIDTH = 360, 4
HABITS = Habits(share=0.2, highlights=4, short=2, median=5, long=12, longest=30, gap=10)


class Heard:
    """The track of a sound that is the louder the later."""

    def at(self, numbers: np.ndarray) -> np.ndarray:
        return np.asarray(numbers[:, None] / FRAMES - 0.5 + np.zeros(WIDTH), dtype=np.float16)

    def __len__(self) -> int:
        return FRAMES


def a_stream(vod: str = "v") -> Stream:
    torch.manual_seed(0)
    model = TcnModel(TcnSettings(hidden=8, reach=9), {"pictures": WIDTH, "sound": WIDTH}).eval()
    used = SimpleNamespace(
        model=model,
        calibration=Calibration(),
        threshold=0.5,
        smooth_seconds=1.0,
        habits=HABITS,
        view=SimpleNamespace(fps=Fraction(3)),
    )
    pictures = np.random.default_rng(1).normal(size=(FRAMES, WIDTH)).astype(np.float16)
    labels = [Span(10, 20), Span(60, 75)]
    return Stream(vod, labels, cast(Any, used), pictures, cast(Any, {"sound": Heard()}))


def test_the_groups_with_the_highest_values_are_looked_at_whole() -> None:
    group = np.repeat(np.arange(10), 6)
    wanted = np.zeros(60)
    wanted[[14, 40]] = 2.0, 1.0
    assert np.flatnonzero(np.bincount(group, stretches(group, wanted, 0.1))).tolist() == [2]
    assert np.flatnonzero(np.bincount(group, stretches(group, wanted, 0.2))).tolist() == [2, 6]
    assert stretches(group, wanted, 1.0).all()


@pytest.mark.parametrize("name", WAYS)
def test_what_has_seen_everything_says_what_the_grid_says(name: str) -> None:
    stream = a_stream()
    scores, work = WAYS[name].look(stream, 1.0)
    assert work == 1.0
    # What is usual in the stream is measured of key frames where these are looked at first.
    assert np.abs(scores - stream.whole).max() < (0.2 if WAYS[name].keys else 1e-6)
    some, work = WAYS[name].look(stream, 0.25)
    assert work == pytest.approx(0.375 if WAYS[name].keys else 0.25)
    assert np.abs(some - stream.whole).max() > 1e-3


def test_the_least_certain_instants_lie_at_the_threshold_that_suits_the_stream() -> None:
    stream = a_stream()
    scores = np.linspace(0.01, 0.99, FRAMES)
    called = np.sqrt(0.5 * HABITS.share)
    least = int(np.argmin(certainty(stream, scores)))
    assert least == pytest.approx((1 - called) * FRAMES, abs=3)


def test_what_is_lost_is_what_the_grid_has_more() -> None:
    stream, other = a_stream("v"), a_stream("w")
    nothing = Looked.at([[stream, other]], lambda one: (one.whole, 1.0))
    assert lost_in_vods([[stream, other]], nothing) == {"v": 0.0, "w": 0.0}
    reversed_ranks = Looked.at([[stream, other]], lambda one: (1 - one.whole, 0.5))
    lost = lost_in_vods([[stream, other]], reversed_ranks)
    back = lost_in_vods([[stream, other]], Looked.at([[stream, other]], lambda one: (one.whole, 0.5)))
    assert lost["v"] == lost["w"] != back["v"]
    assert reversed_ranks.work == 0.5


def test_the_tables_have_a_row_for_each_way_and_share() -> None:
    by_vod, together = tables({"forth": [[a_stream()]]}, shares=[0.25, 0.4])
    assert len(by_vod.rows) == 2 + 2 * len(WAYS)
    assert len(together.rows) == 4
    assert all(len(row) == len(table.columns) for table in (by_vod, together) for row in table.rows)


def test_a_set_is_written_as_name_models_and_vods() -> None:
    assert parse("forth=a,b:v,w") == ("forth", ["a", "b"], ["v", "w"])
    with pytest.raises(UsageError, match="NAME=MODEL,MODEL:VOD,VOD"):
        parse("forth=a")
