"""People's labels are made of the game's own, and a model learns from either."""

from pathlib import Path

import pytest

from lolhl.labels.spans import Span
from lolhl.labels.store import load_labels
from tests.evaluation import material
from tests.evaluation.free_labels import AGREEMENT, FREE, PEOPLE, agree, as_people, run, tables
from tests.evaluation.material import Direction, Workshop
from tests.samples.chat import chat
from tests.streams import write_stream

LABELS = {"a": [Span(at, at + 8) for at in range(10, 590, 30)], "b": [Span(at, at + 5) for at in range(20, 290, 20)]}


def test_two_labellings_agree_by_the_time_that_both_mark() -> None:
    assert agree(LABELS, LABELS) == 1
    assert agree({"a": [Span(0, 10)]}, {"a": [Span(5, 15)]}) == pytest.approx(1 / 3)
    assert agree({"a": [Span(0, 10)], "b": []}, {"a": [Span(0, 10)], "b": [Span(0, 10)]}) == pytest.approx(0.5)
    assert agree({"a": [Span(0, 1)]}, {"a": [Span(2, 3)]}) == 0


@pytest.mark.parametrize("seed", [0, 1])
def test_people_agree_with_the_game_as_far_as_is_asked_for(seed: int) -> None:
    people = as_people(LABELS, AGREEMENT, seed)
    assert agree(LABELS, people) == pytest.approx(AGREEMENT, abs=0.02)
    assert people == as_people(LABELS, AGREEMENT, seed)
    assert people != as_people(LABELS, AGREEMENT, seed + 1)
    for spans in people.values():
        assert all(span.start >= 0 and span.duration >= 0.9 for span in spans)


@pytest.mark.slow
def test_models_learn_from_both_and_the_labels_are_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(material, "SIGNALS", {})
    for seed, name in enumerate(("learn-a", "held-a"), start=1):
        spans = write_stream(tmp_path, name, seconds=180, seed=seed)
        (tmp_path / f"{name}.chat.json").write_bytes(chat(name, spans, 180, seed=1, a_minute=10))
    workshop = Workshop(str(tmp_path / "root"), tmp_path)
    workshop.bring(["learn-a", "held-a"])
    labels = load_labels(workshop.root, "learn-a")
    direction = Direction("forth", ("learn-a",), ("held-a",))
    judged = run(workshop, direction, 0, ["--epochs", "2"])
    assert {source: [*figures] for source, figures in judged.items()}.keys() == {FREE, PEOPLE}
    for figures in judged.values():
        assert figures[FREE].differences[PEOPLE].average_precision.value is not None
    assert load_labels(workshop.root, "learn-a") == labels
    means, runs = tables(direction, {0: judged})
    assert len(means.rows) == 2
    assert len(runs.rows) == 4
