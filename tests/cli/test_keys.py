"""No two things in a root share a key, whatever their names, and no key lies below another one."""

import shutil
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lolhl import layout
from lolhl.errors import UsageError
from lolhl.models import champion
from lolhl.stages.infer import InferConfig, infer
from lolhl.storage import Root, check_new, open_root

NAMES = {"a": "{vod}", "b": "{vod}", "c": "{vod}", "d": "{dataset}", "m": "{model}", "n": "{comparison}"}
FILES = {
    "vod": "vods/{}/vod.json",
    "dataset": "datasets/{}/dataset.json",
    "model": "models/{}/model.json",
    "comparison": "comparisons/{}/comparison.json",
}
EMPTY = open_root("/nonexistent")


@pytest.fixture(scope="module")
def templates(finished: Root, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """All keys of a root in which every stage has run, with {vod}, {dataset} and {model} where the names stand."""
    root = open_root(str(shutil.copytree(finished.url, tmp_path_factory.mktemp("keys") / "root")))
    infer(root, "m", "a", InferConfig(mode="grid"), place="scores/m")
    keys = [stat.key for stat in root.list()]
    keys += [layout.CHAMPION, "models/m/unfinished.ckpt", "frames/a/unfinished.json", "vods/a/source/0000-0010.json"]
    keys += [
        "games/a.json",
        "clocks/a.json",
        "reviews/a.json",
        "highlights/a/corrected/reel.json",
        "highlights/a/corrected/reel.mp4",
        "vods/a/twitch-clips.json",
        "matches/EUW1_7123456789.json",
    ]
    keys += ["retrain/retrain.json", "retrain/0123456789ab/report.md", "comparisons/n/comparison.json"]
    keys += [layout.analysis("m"), layout.analysis_page("m")]
    return sorted({"/".join(map(template, key.split("/"))) for key in keys})


def template(part: str) -> str:
    stem = part.removesuffix(".tsv").removesuffix(".json")
    return NAMES[stem] + part.removeprefix(stem) if stem in NAMES else part


def is_new(kind: str, name: str) -> bool:
    """Whether something new may have this name."""
    try:
        key = FILES[kind].format(name)
        return bool(champion.check_new(EMPTY, name) if kind == "model" else check_new(EMPTY, key, name, kind))
    except UsageError:
        return False


odd = st.sampled_from(
    [
        "champion",
        "champion.json",
        "Champion",
        "scores",
        "source",
        "features",
        "retrain.json",
        "0123456789ab",
        "a.tsv",
        "video.mp4",
        "chat.json",
        "vods",
        "model.json",
        "model.safetensors",
        "shard-000000.tar",
        "con",
        "nul.tsv",
        "x.",
        "mlflow",
        "unfinished.ckpt",
        "unfinished.json",
    ]
)
names = odd | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,4}", fullmatch=True)


def new(kind: str) -> st.SearchStrategy[str]:
    return names.filter(lambda name: is_new(kind, name))


worlds: st.SearchStrategy[dict[str, str]] = st.fixed_dictionaries({kind: new(kind) for kind in FILES})


@given(worlds, worlds)
def test_no_key_is_another_s_or_lies_below_it(templates: list[str], one: dict[str, str], other: dict[str, str]) -> None:
    # Names that differ in upper and lower case only are refused where the first one is there.
    other = {kind: one[kind] if name.lower() == one[kind].lower() else name for kind, name in other.items()}
    keys = {key.format(**world) for world in (one, other) for key in templates}
    # Each artifact, a template with the names that stand in it, has a key of its own on any file system.
    assert len({key.lower() for key in keys}) == len(artifacts(templates, (one, other)))
    folders = {key[:end].lower() for key in keys for end, letter in enumerate(key) if letter == "/"}
    assert not folders & {key.lower() for key in keys}


def artifacts(templates: list[str], named: Iterable[dict[str, str]]) -> set[tuple[str, ...]]:
    return {(key, *(world[kind] for kind in FILES if f"{{{kind}}}" in key)) for world in named for key in templates}


def test_keys_of_all_kinds_are_looked_at(templates: list[str]) -> None:
    firsts = {key.split("/")[0] for key in templates}
    assert firsts >= {"vods", "labels", "frames", "datasets", "models", "highlights", "scores", "retrain", "mlflow"}
    assert {
        "labels/{vod}.tsv",
        "games/{vod}.json",
        "models/{model}/model.json",
        "scores/{model}/{vod}/scores.json",
        "comparisons/{comparison}/comparison.json",
    } <= {*templates}


def test_a_name_that_differs_in_case_only_is_refused(tmp_path: Path) -> None:
    root = open_root(str(tmp_path))
    root.write("models/First/model.json", b"{}")
    with pytest.raises(UsageError, match="'first' is no name for a new model: there is 'First'"):
        champion.check_new(root, "first")
    assert champion.check_new(root, "First") == "First"
