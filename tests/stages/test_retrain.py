"""retrain and rollback: who becomes champion, on what evidence, and what is left when something fails."""

import io
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolhl import layout, manifest
from lolhl.data.stretches import keys
from lolhl.errors import Conflict, Damaged, DatasetError, LolhlError, MissingInput, ModelError, UsageError, VideoError
from lolhl.evaluate import judge
from lolhl.evaluate.figures import Gain
from lolhl.labels.spans import Span
from lolhl.labels.store import load_labels, save_labels
from lolhl.models import champion
from lolhl.models.champion import Champion
from lolhl.results import Dataset, LabelChange, Model, Retraining, Scoring
from lolhl.stages.dataset import DatasetConfig, dataset
from lolhl.stages.download import download
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.stages.held_out import held_out
from lolhl.stages.infer import infer
from lolhl.stages.retrain import RetrainConfig, retrain
from lolhl.stages.rollback import RolledBack, rollback
from lolhl.stages.train import TrainConfig, train
from lolhl.storage import Root, open_root
from tests.clock_results import shown_games
from tests.files import stored_bytes, stored_key
from tests.results import unsealed
from tests.servers.miniflare import miniflare
from tests.storage.conftest import fresh, use
from tests.streams import action_video, add_stream

QUICK = TrainConfig(dataset="d", kind="image", learning_rate=1e-3, epochs=6, batch=32)
LIKE_M = RetrainConfig(like="m")


@pytest.fixture(scope="module")
def ready(streams: Root, tmp_path_factory: pytest.TempPathFactory) -> Root:
    """Streams a, b and c; models m, and wrong, which learnt from labels beside the highlights, and is champion.

    By its name c is held out.
    """
    folder = tmp_path_factory.mktemp("ready")
    root = open_root(str(shutil.copytree(streams.url, folder / "root")))
    add_stream(root, folder, "c", seconds=180, seed=3)
    train(root, "m", QUICK)
    labels = load_labels(root, "a")
    save_labels(root, "a", beside(labels))
    dataset(root, "wrong", ["a"])
    train(root, "wrong", TrainConfig(**{**vars(QUICK), "dataset": "wrong"}))
    save_labels(root, "a", labels)
    champion.point(root, (Champion("wrong", "nobody"),), None)
    return root


@pytest.fixture(scope="module")
def retrained(ready: Root, tmp_path_factory: pytest.TempPathFactory) -> Root:
    """As ready, after a retraining that promoted its challenger."""
    root = copy(ready, tmp_path_factory.mktemp("retrained"))
    assert retrain(root, LIKE_M).result.promoted
    return root


def copy(root: Root, folder: Path) -> Root:
    return open_root(str(shutil.copytree(root.url, folder / "root")))


def beside(spans: Sequence[Span]) -> list[Span]:
    return [Span(span.start + 11, span.stop + 11) for span in spans]


def alias(root: Root, name: str = "champion") -> str:
    """The name of the run whose model MLflow gives under this alias."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{Path(root.url).absolute()}/mlflow/mlflow.db")
    run = client.get_model_version_by_alias("lolhl", name).run_id
    assert run is not None
    return str(client.get_run(run).info.run_name)


def made(root: Root) -> dict[str, bytes]:
    """All that a retraining makes, but for what MLflow notes."""
    places = ("models/", "datasets/", "retrain/", "frames/", "tracks/")
    keys = [stat.key for place in places for stat in root.list(place)]
    return {key: root.read(key) for key in keys}


def gain(result: Retraining) -> Gain:
    assert result.gain is not None
    return result.gain


@pytest.mark.slow
def test_the_better_model_becomes_champion_and_users_get_it(retrained: Root, tmp_path: Path) -> None:
    root = copy(retrained, tmp_path)
    result = manifest.load(root, layout.RETRAINING, Retraining, "").result
    name = result.model
    assert (result.champion, result.before, result.judge, result.learn) == (
        name,
        "wrong",
        ["c"],
        ["a", "b"],
    )
    assert gain(result).value > 0.3  # type: ignore[operator]
    assert gain(result).interval.low > -0.05  # type: ignore[union-attr]
    assert result.challenger.per_vod["c"].events[0].matched > 0
    assert champion.champions(root).model == name
    report = root.read(result.report).decode()
    assert report.startswith(f"# `{name}` is champion now, in place of `wrong`\n")
    assert "| c | held out | 7 | 7 | 0 | 0 |" in report
    assert not [*root.list("highlights/")]
    assert infer(root, "champion", "b").result.model == name


@pytest.mark.slow
def test_a_challenger_is_registered_as_the_model_that_it_is_like(ready: Root, tmp_path: Path) -> None:
    root = copy(ready, tmp_path)
    publication = json.loads(root.read("models/m/publication.json"))
    root.write("models/m/publication.json", json.dumps({**publication, "register": "other"}).encode())
    model = retrain(root, LIKE_M).result.model
    assert json.loads(root.read(f"models/{model}/publication.json"))["register"] == "other"


@pytest.mark.slow
def test_nothing_of_a_held_out_vod_is_learnt_from(retrained: Root) -> None:
    result = manifest.load(retrained, layout.RETRAINING, Retraining, "").result
    stretches, spans = (pl.read_parquet(io.BytesIO(stored_bytes(retrained, key))) for key in keys(result.model))
    assert set(stretches["vod"]) == set(spans["vod"]) == {"a", "b"}
    assert set(stretches.filter(side="validation")["vod"]) == {"a", "b"}  # the threshold is chosen there
    model = manifest.load(retrained, f"models/{result.model}/model.json", Model, "")
    assert list(model.inputs) == [f"datasets/{result.model}/dataset.json"]
    assert result.flattered == []


@pytest.mark.slow
def test_nothing_new_is_a_success_without_torch_and_scikit_learn(retrained: Root, tmp_path: Path) -> None:
    root = copy(retrained, tmp_path)
    before = {stat.key: stat.etag for stat in root.list()}
    call = f"from lolhl import cli; code = cli.main(['retrain', '--like', 'm', '--root', {root.url!r}])"
    assert retrain(root, RetrainConfig(like="champion", judge="c")).result.nothing_new  # the same in other words
    script = f"import sys; {call}; sys.exit(code or 9 * bool({{'torch', 'sklearn'}} & {{*sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "nothing to do" in done.stdout
    assert f"report: {root.url}/retrain/" in done.stdout
    assert {stat.key: stat.etag for stat in root.list()} == before


@pytest.mark.slow
def test_games_of_what_is_held_out_are_judged_anew(retrained: Root, tmp_path: Path) -> None:
    root = copy(retrained, tmp_path)
    shown_games(root, "a", [(0, 60)])
    last = retrain(root, LIKE_M)
    assert last.result.nothing_new
    inside = load_labels(root, "c")[0]
    shown_games(root, "c", [(inside.start, inside.stop)])
    again = retrain(root, LIKE_M)
    assert {"clocks/a.json", "clocks/c.json"} == again.inputs.keys() - last.inputs.keys()
    assert (again.result.model, again.result.nothing_new) == (last.result.model, False)
    assert retrain(root, LIKE_M).result.nothing_new


@pytest.mark.slow
def test_a_worse_model_leaves_the_champion(retrained: Root, tmp_path: Path) -> None:
    root = copy(retrained, tmp_path)
    best, record = champion.champions(root).model, root.read(layout.CHAMPION)
    for vod in "ab":
        save_labels(root, vod, beside(load_labels(root, vod)))
    result = retrain(root, LIKE_M).result
    assert (result.promoted, result.champion, result.judge) == (False, best, ["c"])
    assert gain(result).value < 0  # type: ignore[operator]
    assert result.model != best
    assert root.read(layout.CHAMPION) == record
    assert (alias(root), alias(root, "challenger")) == (best, result.model)
    assert root.read(result.report).decode().startswith(f"# `{best}` stays champion\n")


@pytest.mark.slow
def test_labels_of_one_vod_change(retrained: Root, tmp_path: Path) -> None:
    root = copy(retrained, tmp_path)
    best, trained = champion.champions(root).model, root.stat(f"models/{champion.champions(root).model}/model.json")
    first, second, *others = load_labels(root, "c")
    moved = Span(second.start - 1, second.stop)
    save_labels(root, "c", [Span(1, 3), moved, *others, Span(174, 178)])
    result = retrain(root, LIKE_M).result
    same = LabelChange(labels=7, added=0, removed=0, moved=0)
    assert result.changes == {"a": same, "b": same, "c": LabelChange(labels=8, added=2, removed=1, moved=1)}
    assert (result.model, result.champion, result.before) == (best, best, best)  # nothing new to learn from
    assert root.stat(f"models/{best}/model.json") == trained
    assert first not in load_labels(root, "c")


@pytest.mark.slow
def test_rolling_back_goes_back_step_by_step_and_stays(retrained: Root, tmp_path: Path) -> None:
    root = copy(retrained, tmp_path)
    there = champion.champions(root)
    champion.point(root, (*there.listed, Champion("m", "somebody")), there.etag)
    assert alias(root) == "m"
    with pytest.raises(Conflict, match="another run changed the champion"):
        champion.point(root, there.listed, there.etag)
    assert alias(root) == "m"
    assert rollback(root) == RolledBack(there.listed[1].model, "m", 1)
    assert alias(root) == there.listed[1].model
    assert rollback(root) == RolledBack("wrong", there.listed[1].model, 0)
    assert (alias(root), champion.champions(root).model) == ("wrong", "wrong")
    assert infer(root, "champion", "b").result.model == "wrong"
    with pytest.raises(MissingInput, match=r"nothing to roll back to: wrong is the first champion"):
        rollback(root)
    assert retrain(root, LIKE_M).result.nothing_new
    assert champion.champions(root).model == "wrong"


@pytest.mark.slow
def test_a_registry_that_never_saw_the_model_is_given_it(retrained: Root, tmp_path: Path) -> None:
    root = copy(retrained, tmp_path)
    shutil.rmtree(tmp_path / "root/mlflow")
    rollback(root)
    assert alias(root) == "wrong"


@pytest.mark.slow
def test_in_a_bucket_the_same_comes_out(
    ready: Root, retrained: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # where MLflow's database goes
    with miniflare(tmp_path / "flare") as server:
        use(server, monkeypatch, tmp_path)
        root = open_root(fresh(server))
        for stat in ready.list():
            if not stat.key.startswith("mlflow/"):
                root.write(stat.key, ready.read(stat.key))
        assert not retrain(root, LIKE_M).result.nothing_new
        assert made(root) == made(retrained)
        assert retrain(root, LIKE_M).result.nothing_new
        new = champion.champions(root).model
        assert alias(open_root("lolhl-data")) == new
        bundles = Path("lolhl-data/mlflow/artifacts").glob("*/artifacts/bundle/*")
        assert {layout.without_digest(file.name) for file in bundles} == {"model.json", "model.safetensors"}
        assert rollback(root) == RolledBack("wrong", str(new), 0)
        assert alias(open_root("lolhl-data")) == champion.champions(root).model == "wrong"


@pytest.mark.slow
@pytest.mark.parametrize("problem", ["validation side empty", "broken video", "wrong label file"])
def test_a_failed_stage_leaves_the_champion(retrained: Root, tmp_path: Path, problem: str) -> None:
    root = copy(retrained, tmp_path)
    error: type[LolhlError]
    if problem == "validation side empty":
        error = DatasetError
        for vod in "ab":
            save_labels(root, vod, load_labels(root, vod)[:1] if vod == "a" else [])
    elif problem == "broken video":
        error = VideoError
        download(root, str(action_video(tmp_path / "new.mp4", [], seconds=20)))
        root.write("vods/new/video.mp4", b"x" * len(root.read("vods/new/video.mp4")))
        save_labels(root, "new", [Span(2, 5)])
    else:
        error = UsageError
        root.write("labels/b.tsv", b"vid_id\tstart\tstop\nb\t0:00:10\t0:00:05\n")
    before = made(root)
    with pytest.raises(error) as raised:
        retrain(root, LIKE_M)
    assert "\n" not in str(raised.value)
    assert made(root) == before
    assert alias(root) == champion.champions(root).model != "wrong"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_before_any_write_the_champion_is_the_old_or_the_new(
    ready: Root, retrained: Root, tmp_path: Path
) -> None:
    root, expected = copy(ready, tmp_path), made(retrained)
    new = champion.champions(retrained).model
    script = """
import os, signal, sys
from lolhl.storage.folder import Folder
from lolhl import cli

write = Folder.write
def write_or_die(self, key, data):
    if key.endswith(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    write(self, key, data)
Folder.write = write_or_die
sys.exit(cli.main(["retrain", "--like", "m", "--root", sys.argv[1]]))
"""
    for last, who in {
        f"datasets/{new}/dataset.json": "wrong",
        "track.json": "wrong",
        f"models/{new}/model.json": "wrong",
        "report.md": "wrong",
        layout.CHAMPION: "wrong",
        layout.RETRAINING: new,
    }.items():
        command = [sys.executable, "-c", script, root.url, last]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
        assert champion.champions(root).model == who
        assert champion.champions(root).listed == champion.champions(retrained).listed[: 1 + (who == new)]
    retrain(root, LIKE_M)
    assert made(root) == expected
    assert alias(root) == new


@pytest.mark.slow
def test_a_champion_for_other_frames_is_judged_from_the_video(
    ready: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = copy(ready, tmp_path)
    extract(root, "a", ExtractConfig(size=64, fps=Fraction(2)))
    dataset(root, "other", ["a"], DatasetConfig(size=64))
    train(root, "other", TrainConfig(**{**vars(QUICK), "dataset": "other"}))
    champion.point(root, (Champion("other", "nobody"),), champion.champions(root).etag)
    on_both = RetrainConfig(like="m", judge="a,c")
    result = retrain(root, on_both).result
    scored = manifest.load(root, "scores/other/c/scores.json", Scoring, "").result
    assert (scored.source, scored.mode, scored.fps) == ("video", "grid", Fraction(2))
    assert result.rival is not None
    challenger, rival = result.challenger.frames.model, result.rival.frames.model
    assert (result.before, rival.frames, challenger.frames) == ("other", 720, 1080)
    assert gain(result).groups == rival.groups == challenger.groups
    assert gain(result).groups > 8
    assert result.flattered == ["a"]
    assert "The champion before learnt from a: its figures flatter it." in root.read(result.report).decode()
    monkeypatch.setattr(judge, "VODS_ENOUGH", 2)
    again = retrain(root, on_both, force=True).result
    assert gain(again).groups == 2
    assert "2 VODs drawn in pairs" in root.read(again.report).decode()
    assert (gain(again).value, again.before) == (gain(result).value, "other")


@pytest.mark.slow
def test_labels_of_games_are_learnt_from_and_judge_only_by_name(
    ready: Root, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root = copy(ready, tmp_path)
    save_labels(root, "c", [replace(span, source="riot EUW1_1") for span in load_labels(root, "c")])
    result = retrain(root, LIKE_M).result
    assert "c" in result.learn
    assert "come from the events of games" not in caplog.text
    assert retrain(root, RetrainConfig(like="m", judge="c")).result.judge == ["c"]
    assert "models are judged on c, whose labels come from the events of games" in caplog.text


@pytest.mark.slow
def test_what_was_looked_at_in_part_is_learnt_from_there_and_judges_by_name_there(ready: Root, tmp_path: Path) -> None:
    root = copy(ready, tmp_path)
    labels, part = load_labels(root, "c"), Span(0, 60)
    save_labels(root, "c", [span for span in labels if span.stop <= part.stop], [part])
    root.write(layout.labels("c"), b"\n" + root.read(layout.labels("c")))  # as a person may leave it
    result = retrain(root, LIKE_M).result
    assert "c" in result.learn
    learnt = manifest.load(root, layout.dataset(result.model), Dataset).result
    assert learnt.per_vod["c"].natural.frames == 60 * 3
    assert learnt.dropped.not_looked_at == learnt.per_vod["c"].dropped.not_looked_at > 0
    judged = retrain(root, RetrainConfig(like="m", judge="c")).result
    assert judged.judge == ["c"]
    assert judged.challenger.frames.model.frames == 60 * 3
    assert judged.challenger.events[0].labelled == sum(span.stop <= part.stop for span in labels)


@pytest.mark.slow
def test_a_first_champion_must_beat_chance_and_settings_are_defaults(streams: Root, tmp_path: Path) -> None:
    root = copy(streams, tmp_path)
    save_labels(root, "a", beside(load_labels(root, "a")))
    dataset(root, "d", ["a"])
    train(root, "m", QUICK)
    result = retrain(root, RetrainConfig(like="m", judge="b")).result
    assert (result.promoted, result.champion, result.before) == (False, None, None)
    assert root.stat(layout.CHAMPION) is None
    assert root.read(result.report).decode().startswith("# There is no champion yet\n")
    assert held_out({vod: load_labels(root, vod) for vod in "ab"}, None, result.judge, result.learn) == [
        "b"
    ]  # named once, it stays


def test_two_labelled_vods_are_needed(streams: Root, tmp_path: Path) -> None:
    root = copy(streams, tmp_path)
    save_labels(root, "nowhere", [Span(1, 5)])
    root.delete("labels/b.tsv")
    with pytest.raises(MissingInput, match=r"has 1 labelled VODs.*needs two.*`lolhl download` and `lolhl labels`"):
        retrain(root)


def some(vods: Sequence[str], without: Sequence[str] = ()) -> dict[str, list[Span]]:
    return {vod: [] if vod in without else [Span(1, 5)] for vod in sorted(vods)}


names = st.lists(st.text("abc123", min_size=1, max_size=4), min_size=2, max_size=30, unique=True)


@given(names, st.integers(2, 30))
def test_what_is_held_out_stays_held_out_and_is_never_all(vods: list[str], first: int) -> None:
    judged: set[str] = set()
    learnt: set[str] = set()
    for count in range(min(first, len(vods)), len(vods) + 1):
        judge = held_out(some(vods[:count]), None, sorted(judged), sorted(learnt))
        learn = sorted({*vods[:count]} - {*judge})
        assert judge
        assert learn
        assert judged <= {*judge}
        assert learnt <= {*learn}
        judged, learnt = {*judge}, {*learn}
        assert held_out(some(vods[:count]), None, judge, learn) == judge  # and again gives the same


def test_about_a_fifth_is_held_out() -> None:
    held = held_out(some([f"vod-{number}" for number in range(1000)]), None)
    assert 160 < len(held) < 240


def test_what_games_tell_or_was_looked_at_in_part_judges_only_where_no_person_has_labelled_a_whole_one() -> None:
    vods = [f"vod-{number}" for number in range(100)]
    people = held_out(some(vods), None)
    weak = people[:3]
    assert {*weak} & {*held_out(some(vods), None, weak=weak)} == set()
    assert {*people} - {*weak} <= {*held_out(some(vods), None, weak=weak)}
    assert held_out(some(vods), None, weak=vods) == people
    assert held_out(some(vods), None, weak=set(vods) - {"vod-7"}) == ["vod-7"]
    assert held_out(some(vods), weak[0], weak=weak) == weak[:1]  # who names it may


def test_what_cannot_be_judged_on_is_refused() -> None:
    labels = some("abc", without="c")
    assert held_out(labels, None) == ["b"]  # c has the lowest hash, and no highlight
    assert held_out(labels, " c, b") == ["b", "c"]
    for named, error, match in (
        ("z", UsageError, "z is no labelled VOD"),
        ("a,b,c", UsageError, "no VOD is left to learn from"),
        ("../a", UsageError, "is no name for a VOD"),
        ("", UsageError, "is no name for a VOD"),
        ("c", DatasetError, "no highlight is labelled"),
    ):
        with pytest.raises(error, match=match):
            held_out(labels, named)
    with pytest.raises(DatasetError, match="no highlight is labelled"):
        held_out(some("ab", without="ab"), None)
    assert held_out(labels, None, ["x"], ["a", "b"]) == ["b"]
    assert held_out(some("ax"), None, ["a", "x"], ["b"]) != ["a", "x"]


@pytest.mark.slow
def test_a_lost_list_of_champions_is_made_anew(retrained: Root, tmp_path: Path) -> None:
    root = copy(retrained, tmp_path)
    best = champion.champions(root).model
    changes = manifest.load(root, layout.RETRAINING, Retraining, "").result.changes
    root.delete(layout.CHAMPION)
    result = retrain(root, LIKE_M).result
    assert (result.nothing_new, result.promoted, result.champion) == (False, True, best)
    assert champion.champions(root).model == best
    # To judge the same labels again, or by another tolerance, tells the same of what changed.
    assert [result.changes, retrain(root, replace(LIKE_M, tolerance=0.0)).result.changes] == [changes, changes]
    assert {change.added for change in changes.values()} == {change.labels for change in changes.values()}


def damage(root: Root, key: str) -> None:
    """Changes one byte in the middle of the artifact that `layout` gives this key. A JSON file stays JSON."""
    key = key if root.stat(key) else stored_key(root, key)
    data = root.read(key)
    where = data.index(b'"', len(data) // 2) + 1 if key.endswith(".json") else len(data) // 2
    root.write(key, data[:where] + (b"x" if data[where] != b"x"[0] else b"y") + data[where + 1 :])


@pytest.mark.slow
@pytest.mark.parametrize("file", ["model.json", "model.safetensors"])
def test_forced_it_trains_a_damaged_model_again(retrained: Root, tmp_path: Path, file: str) -> None:
    root = copy(retrained, tmp_path)
    before = made(root)
    last = manifest.load(root, layout.RETRAINING, Retraining, "").result
    damage(root, f"models/{last.model}/{file}")
    assert retrain(root, LIKE_M, force=True).result == last
    assert made(root) == before


@pytest.mark.slow
def test_forced_it_needs_no_record_of_the_last_time(retrained: Root, tmp_path: Path) -> None:
    root = copy(retrained, tmp_path)
    last = manifest.load(root, layout.RETRAINING, Retraining, "").result
    damage(root, layout.RETRAINING)
    with pytest.raises(Damaged, match=r"retrain\.json .*: run `lolhl retrain --force`"):
        retrain(root, LIKE_M)
    again = retrain(root, LIKE_M, force=True).result
    assert (again.model, again.champion, again.judge) == (last.model, last.champion, last.judge)


@pytest.mark.slow
@pytest.mark.parametrize("file", ["model.json", "model.safetensors"])
def test_forced_it_passes_a_damaged_champion_over(retrained: Root, tmp_path: Path, file: str) -> None:
    root = copy(retrained, tmp_path)
    damage(root, f"models/wrong/{file}")
    result = retrain(root, LIKE_M, force=True).result
    assert (result.before, result.rival, result.promoted) == (None, None, True)
    assert [former.model for former in champion.champions(root).listed] == [result.model]


def outdate(root: Root, model: str) -> None:
    """As if the model had learnt from pictures that an earlier lolhl looked at in another way."""
    key = layout.model(model)
    values = json.loads(unsealed(root.read(key)))
    values["result"]["signals"]["pictures"]["version"] = 0
    root.write(key, json.dumps(values).encode())


@pytest.mark.slow
@pytest.mark.parametrize("force", [False, True])
def test_a_champion_that_learnt_from_other_signals_is_passed_over(
    ready: Root, tmp_path: Path, force: bool, caplog: pytest.LogCaptureFixture
) -> None:
    root = copy(ready, tmp_path)
    outdate(root, "wrong")
    with pytest.raises(ModelError, match="another version of the signal pictures: run `lolhl train wrong … --force`"):
        infer(root, "champion", "b")
    result = retrain(root, LIKE_M, force=force).result
    assert (result.before, result.rival, result.promoted) == (None, None, True)
    assert "another version of the signal pictures" in caplog.text
    assert infer(root, "champion", "b").result.model == result.model


@pytest.mark.slow
def test_forced_it_learns_anew_what_learnt_from_other_signals(retrained: Root, tmp_path: Path) -> None:
    root = copy(retrained, tmp_path)
    last = manifest.load(root, layout.RETRAINING, Retraining, "").result
    outdate(root, last.model)
    with pytest.raises(ModelError, match="another version of the signal pictures: run `lolhl retrain --force`"):
        infer(root, "champion", "b")
    assert retrain(root, LIKE_M, force=True).result == last
    assert infer(root, "champion", "b").result.model == last.model
