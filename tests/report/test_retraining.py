"""A retraining as the page shows it."""

from dataclasses import replace

from lolhl.evaluate.figures import EventFigures, Gain, Interval, VodFigures
from lolhl.report.retraining import side_by_side
from lolhl.results import Retraining, Verdict
from tests.results import MODEL_FIGURES


def verdict(model: str, matched: int) -> Verdict:
    events = [EventFigures(tiou, 10, 8, matched) for tiou in (0.3, 0.5)]
    vod = VodFigures(average_precision=matched / 10, events=events)
    return Verdict(model=model, frames=MODEL_FIGURES.smoothed, events=events, per_vod={"c": vod})


RESULT = Retraining(
    model="retrain-new", champion="retrain-new", before="old", promoted=True, reason="its figures are higher",
    gain=Gain(0.1, Interval(-0.02, 0.2), 30), tolerance=0.05, judge=["c"], learn=["a", "b"], flattered=[],
    challenger=verdict("retrain-new", 7), rival=verdict("old", 5), labels={}, changes={},
    report="retrain/0/report.md", nothing_new=False,
)  # fmt: skip


def test_old_and_new_stand_side_by_side() -> None:
    table = side_by_side(RESULT)
    assert table.title == "retrain-new is champion now, in place of old"
    assert table.header == ("", "New model", "Champion before", "Constant answer", "Random ranking")
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["Events found at tIoU 0.3"] == ("7 of 10, by 8", "5 of 10, by 8", "", "")
    assert rows["c: AP, events"] == ("0.700, 7 of 10", "0.500, 5 of 10", "", "")
    assert rows["Average precision (95 %)"][0] == "0.712 (0.600 to 0.800)"
    assert "New minus before: 0.100 (-0.020 to 0.200)" in table.note
    assert all(len(row) == len(table.header) for row in table.rows)


def test_a_first_model_has_nothing_beside_it_but_chance() -> None:
    table = side_by_side(replace(RESULT, rival=None, before=None, gain=None, promoted=False, champion=None))
    assert table.title == "There is no champion yet"
    assert table.header == ("", "New model", "Constant answer", "Random ranking")
    assert all(len(row) == len(table.header) for row in table.rows)


def test_what_flatters_is_said() -> None:
    table = side_by_side(replace(RESULT, promoted=False, champion="old", flattered=["c"], nothing_new=True))
    assert table.title == "Nothing is new since the last time. Then: old stays champion"
    assert "learnt from c: its figures flatter it" in table.note
