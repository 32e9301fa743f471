"""compare: over the command line, on real small streams."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lolhl import cli, layout, manifest
from lolhl.errors import UsageError
from lolhl.evaluate.judge import Judge, Predictions, ScoredVod
from lolhl.highlights.cut import Limits
from lolhl.labels.spans import Span, on_grid
from lolhl.labels.store import load_labels, save_labels
from lolhl.models import champion
from lolhl.models.champion import Champion
from lolhl.results import MethodComparison
from lolhl.stages import methods
from lolhl.stages.compare import CompareConfig, compare
from lolhl.stages.dataset import dataset
from lolhl.stages.highlights import highlights
from lolhl.stages.infer import InferConfig, infer
from lolhl.stages.methods import LabelledVod
from lolhl.stages.scores import learnt_from
from lolhl.stages.train import TrainConfig, train
from lolhl.storage import Root, open_root
from tests.clock_results import shown_games
from tests.files import stored_key
from tests.results import unsealed
from tests.streams import add_stream

QUICK = TrainConfig(dataset="d", kind="image", learning_rate=1e-3, epochs=6, batch=32)


@pytest.fixture(scope="module")
def ready(streams: Root, tmp_path_factory: pytest.TempPathFactory) -> Root:
    """Streams a, b and c; models good and wrong of a; wrong learnt from labels beside the highlights."""
    folder = tmp_path_factory.mktemp("ready")
    root = open_root(str(shutil.copytree(streams.url, folder / "root")))
    add_stream(root, folder, "c", seconds=90, seed=3)
    train(root, "good", QUICK)
    labels = load_labels(root, "a")
    save_labels(root, "a", [Span(span.start + 11, span.stop + 11) for span in labels])
    dataset(root, "wrong", ["a"])
    train(root, "wrong", TrainConfig(**{**vars(QUICK), "dataset": "wrong"}))
    save_labels(root, "a", labels)
    champion.point(root, (Champion("good", "nobody"),), None)
    return root


@pytest.fixture
def root(ready: Root, tmp_path: Path) -> Root:
    return open_root(str(shutil.copytree(ready.url, tmp_path / "root")))


def call(capsys: pytest.CaptureFixture[str], root: Root, *words: str) -> str:
    code = cli.main(["compare", *words, "--root", root.url])
    output, error = capsys.readouterr()
    assert code == 0, error
    return output


def keys(root: Root) -> dict[str, str]:
    return {stat.key: stat.etag for stat in root.list()}


def differences(values: dict[str, Any], method: str) -> dict[str, Any]:
    return next(one["differences"] for one in values["methods"] if one["method"] == method)


@pytest.mark.slow
def test_two_models_and_two_baselines_in_one_table(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    output = call(capsys, root, "champion", "wrong", "--vods", "c, b", "--name", "first")
    assert "compare, on b, c:" in output
    lines = output.splitlines()
    for method in ("good", "wrong", "constant", "random"):
        assert any(line.startswith(f"{method} ") for line in lines)
    assert all(any(line.startswith(f"minus {name} ") for line in lines) for name in ("good", "constant", "random"))
    assert output.rstrip().endswith("comparisons/first/comparison.json")
    assert "*" not in output

    result = manifest.load(root, layout.comparison("first"), MethodComparison, "").result
    assert (result.vods, result.flattered) == (["b", "c"], {})
    good, wrong, constant, random = result.methods
    base = good.frames.constant.average_precision
    assert constant.frames.model.average_precision == base
    assert random.frames.model.average_precision == pytest.approx(base, abs=0.15)
    assert abs(sum(vod.events[0].predicted for vod in random.per_vod.values())) > 0
    for other in ("constant", "random"):
        interval = good.differences[other].average_precision.interval
        assert interval is not None
        assert interval.low > 0.2
    gain = wrong.differences["good"].average_precision
    assert gain.interval is not None
    assert gain.interval.high < -0.2
    assert set(good.differences) == {"constant", "random"}
    assert good.events[0].matched > wrong.events[0].matched
    assert good.per_vod["c"].events[0].labelled == len(load_labels(root, "c"))


@pytest.mark.slow
def test_what_is_done_is_not_done_again_and_scores_are_kept(
    root: Root, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    output = call(capsys, root, "good", "--vods", "b", "--json")
    first, before = json.loads(output), keys(root)
    assert {"scores/good/b/scores.json", scores := stored_key(root, "scores/good/b/scores.parquet")} <= {*before}
    assert not [*root.list("highlights/")]
    output = call(capsys, root, "good", "--vods", "b", "--json")
    again = json.loads(output)
    assert "compare: done already" in caplog.text
    assert {**again, "peak_memory_mb": 0} == {**first, "peak_memory_mb": 0}
    assert keys(root) == before
    call(capsys, root, "wrong", "good", "--vods", "b")
    after = keys(root)
    assert {key: after[key] for key in before} == before
    save_labels(root, "b", load_labels(root, "b")[1:])
    output = call(capsys, root, "good", "--vods", "b", "--json")
    changed = json.loads(output)
    assert changed["name"] == first["name"]
    assert changed["methods"][0]["events"][0]["labelled"] == first["methods"][0]["events"][0]["labelled"] - 1
    assert root.stat(scores).etag == before[scores]  # type: ignore[union-attr]


@pytest.mark.slow
def test_outside_of_games_a_method_is_judged_by_what_a_user_gets(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    infer(root, "good", "b", InferConfig(mode="grid"))
    judged = CompareConfig(vods="b")

    def called() -> list[tuple[float, float]]:
        judge, scored = methods.score_vods(root, "good", {"b": load_labels(root, "b")})
        (vod,) = judge.predict(scored).vods
        return sorted((span.start, span.stop) for span in vod.spans)

    def shown() -> list[tuple[float, float]]:
        return sorted((one.span.start, one.span.stop) for one in highlights(root, "b").result.highlights)

    before, everywhere = compare(root, ["good", "unsupervised"], judged), called()
    assert everywhere == shown()
    played = load_labels(root, "b")[0]
    shown_games(root, "b", [(played.start, played.stop)])
    assert called() == shown() != everywhere
    caplog.set_level("INFO")
    after = compare(root, ["good", "unsupervised"], judged)
    assert "compare: done already" not in caplog.text
    for one, other in zip(before.result.methods[:2], after.result.methods[:2], strict=True):
        assert one.method == other.method
        assert one.frames != other.frames
    assert compare(root, ["good", "unsupervised"], judged) == after
    assert "compare: done already" in caplog.text
    # Labels that the model learnt from tell how rare highlights are outside of games.
    shown_games(root, "a", [(0, 90)])
    save_labels(root, "a", [span for span in load_labels(root, "a") if span.stop < 90])
    again = compare(root, ["good", "unsupervised"], judged)
    assert again.inputs != after.inputs
    assert called() == shown()


@pytest.mark.slow
def test_a_vod_that_a_model_learnt_from_is_not_taken_unless_it_is_named_and_then_marked(
    root: Root, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    output = call(capsys, root, "good", "--json")
    assert json.loads(output)["vods"] == ["b", "c"]
    output = call(capsys, root, "good", "random", "--vods", "a,b")
    assert "good has learnt from a: its figures there flatter it" in caplog.text
    assert "* The method has learnt from this VOD: its figures flatter it." in output
    marked = [line.split()[0] for line in output.splitlines() if "*" in line]
    assert marked == ["good*", "good*", "a", "*"]  # in two tables, and with what the mark means


def test_what_a_model_learnt_from_is_known_when_its_dataset_was_made_anew(
    root: Root, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert learnt_from(root, "wrong") == frozenset("a")
    dataset(root, "wrong", ["b"])
    assert learnt_from(root, "wrong") == frozenset("a")
    assert learnt_from(root, "random") == frozenset()

    # Models of before do not name their VODs.
    model = json.loads(unsealed(root.read("models/wrong/model.json")))
    del model["result"]["learnt_from"]
    root.write("models/wrong/model.json", json.dumps(model).encode())
    assert learnt_from(root, "wrong") is None
    call(capsys, root, "wrong", "--vods", "b")
    assert "nobody knows what wrong has learnt from, since its dataset is gone or was made anew" in caplog.text


def test_methods_that_are_built_in_need_no_model(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    output = call(capsys, root, "random", "constant", "--vods", "b,c", "--json")
    values = json.loads(output)
    assert [method["method"] for method in values["methods"]] == ["random", "constant"]
    assert differences(values, "random").keys() == {"constant"}
    assert not [*root.list("scores/")]


def test_a_method_of_one_s_own_is_one_function_and_one_line(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    def oracle(_root: Root, vods: Sequence[LabelledVod]) -> Predictions:
        known = [
            ScoredVod(
                vod=vod.vod, fps=vod.fps, scores=on_grid(vod.labels, vod.frames, vod.fps) * 1.0, labels=vod.labels
            )
            for vod in vods
        ]
        return Judge(0.0, Limits(threshold=0.5)).predict(known)

    monkeypatch.setitem(methods.BUILT_IN, "oracle", oracle)
    best = compare(root, ["oracle"], CompareConfig(vods="b")).result.methods[0]
    assert (best.method, best.frames.model.average_precision, best.events[0].f1) == ("oracle", 1.0, 1.0)


def test_a_model_with_the_name_of_a_method_is_refused(root: Root) -> None:
    root.write("models/random/model.json", root.read("models/good/model.json"))
    with pytest.raises(UsageError, match="'random' is a method that is built in"):
        compare(root, ["random"], CompareConfig(vods="b"))


def test_a_vod_that_was_looked_at_in_part_is_judged_there(root: Root) -> None:
    labels = load_labels(root, "b")
    save_labels(root, "b", [span for span in labels if span.stop <= 60], [Span(0, 60)])
    made = compare(root, ["random"], CompareConfig(vods="b")).result
    for method in made.methods:
        assert method.frames.model.frames == 60 * 3
        assert method.events[0].labelled == sum(span.stop <= 60 for span in labels)
    (random,) = [method for method in made.methods if method.method == "random"]
    assert random.editing is not None
    assert random.editing.called.value is not None
    assert 0.2 < random.editing.called.value < 5  # as much is called as is labelled where somebody looked
    save_labels(root, "b", labels)
    assert compare(root, ["random"], CompareConfig(vods="b")).result.methods[0].frames.model.frames > 60 * 3
