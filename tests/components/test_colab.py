"""The notebook for Colab: its cells run as they are, on a short stream."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

import components
from lolhl.manifest import load
from lolhl.results import Report, Scoring
from lolhl.stages.dataset import dataset
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.stages.train import TrainConfig, train
from lolhl.storage import open_root
from tests.browser import chromium
from tests.components.notebook import code_cells, run_notebook
from tests.streams import add_stream, write_stream

NOTEBOOK = Path(components.__file__).parent / "colab.ipynb"
CHECKOUT = NOTEBOOK.parents[1]
STEPS = {"download": "download", "infer": "infer", "report": "report"}


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """`python` is this one, and lolhl is that of this checkout. What the notebook sets is unset afterwards."""
    monkeypatch.setenv("LOLHL_ROOT", "")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "PYTHONPATH": str(CHECKOUT)}


def test_it_is_a_notebook_without_results_of_which_each_step_is_one_call() -> None:
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(ids) == len({*ids})
    for cell in notebook["cells"]:
        assert cell["cell_type"] == "markdown" or (cell["outputs"], cell["execution_count"]) == ([], None)
    cells = code_cells(NOTEBOOK)
    for name, verb in STEPS.items():
        calls = [line for line in cells[name].splitlines() if line.startswith("!")]
        assert len(calls) == 1
        assert calls[0].startswith(f"!python -m lolhl {verb} ")
        assert "assert _exit_code == 0" in cells[name]
    switched_off = [line for source in cells.values() for line in source.splitlines() if "# only on Colab" in line]
    assert len(switched_off) <= 3


@pytest.mark.slow
def test_a_stream_without_a_model(tmp_path: Path, environment: dict[str, str]) -> None:
    write_stream(tmp_path, "my stream's", seconds=60, seed=4)
    home, disk = tmp_path / "home", tmp_path / "disk"
    fields: dict[str, Any] = {
        "vod": str(tmp_path / "my stream's.mp4"), "model": "", "home": str(home), "disk": str(disk), "minutes": 0.2,
    }  # fmt: skip
    values = run_notebook(NOTEBOOK, fields, environment)
    kept = open_root(str(home))
    result = load(kept, "highlights/my-stream-s/report.json", Report).result
    assert result.model == "unsupervised"
    assert 0 < sum(one.stop - one.start for one in result.highlights) <= 12
    on_disk = {stat.key: stat.size for stat in open_root(str(disk)).list()}
    assert {stat.key: stat.size for stat in kept.list()} == on_disk
    frame = values["timeline"]._repr_html_()
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.set_content(f"<!doctype html><title>a notebook</title>{frame}")
        inside = page.frame_locator("iframe[title='Highlights']")
        assert inside.locator("#highlights > li").count() == len(result.highlights) > 0
        assert inside.locator("#chart").is_visible()


@pytest.mark.slow
def test_a_model_comes_from_home(tmp_path: Path, environment: dict[str, str]) -> None:
    home = open_root(str(tmp_path / "home"))
    add_stream(home, tmp_path, "a", seconds=120, seed=1)
    extract(home, "a", ExtractConfig(size=96))
    dataset(home, "d", ["a"])
    train(home, "first", TrainConfig(dataset="d", kind="image", epochs=1, batch=32))
    write_stream(tmp_path, "b", seconds=60, seed=2)
    fields: dict[str, Any] = {
        "vod": str(tmp_path / "b.mp4"), "model": "first", "home": home.url, "disk": str(tmp_path / "disk"),
    }  # fmt: skip
    run_notebook(NOTEBOOK, fields, environment)
    assert load(home, "highlights/b/scores.json", Scoring).result.model == "first"
    disk = open_root(str(tmp_path / "disk"))
    assert {stat.key.split("/")[0] for stat in disk.list()} == {"highlights", "models", "tracks", "vods"}
    assert not [*disk.list("vods/a/")]


@pytest.mark.slow
def test_a_step_that_fails_stops_the_notebook(
    tmp_path: Path, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    fields = {"vod": str(tmp_path / "none.mp4"), "home": "", "disk": str(tmp_path / "disk")}
    with pytest.raises(AssertionError, match="the stream could not be downloaded"):
        run_notebook(NOTEBOOK, fields, environment)
    assert "check its spelling" in capsys.readouterr().out
