"""analyse: the page about a model, on real small streams."""

import html.parser
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lolhl import cli, layout, manifest
from lolhl.errors import DatasetError, LolhlError, MissingInput, UsageError
from lolhl.labels.spans import Span
from lolhl.labels.store import load_labels, save_labels
from lolhl.models.tcn import TcnSettings
from lolhl.results import Analysis, Model
from lolhl.stages.analyse import AnalyseConfig, analyse
from lolhl.stages.compare import CompareConfig, compare
from lolhl.stages.infer import infer
from lolhl.stages.report import ReportConfig, report
from lolhl.stages.train import TrainConfig, train
from lolhl.storage import Root, open_root

JOINED = TrainConfig(
    dataset="d", kind="tcn", model=TcnSettings(signals="pictures,sound", hidden=16, reach=15), epochs=8,
    learning_rate=3e-3,
)  # fmt: skip
VERY_FEW = TrainConfig(dataset="d", kind="image", epochs=1, batch=32)


@pytest.fixture(scope="module")
def ready(streams: Root, tmp_path_factory: pytest.TempPathFactory) -> Root:
    """Streams a and b; a model that joins signals and one of pictures alone, both of a; b has a page."""
    root = open_root(str(shutil.copytree(streams.url, tmp_path_factory.mktemp("ready") / "root")))
    train(root, "joined", JOINED)
    train(root, "plain", VERY_FEW)
    infer(root, "joined", "b")
    report(root, "b", ReportConfig(clips="none"))
    return root


@pytest.fixture
def root(ready: Root, tmp_path: Path) -> Root:
    return open_root(str(shutil.copytree(ready.url, tmp_path / "root")))


class Tree(html.parser.HTMLParser):
    """Every element is closed in order, and ids are used once."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, wanted: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == wanted]


def page_of(root: Root, model: str) -> str:
    return root.read(layout.analysis_page(model)).decode()


@pytest.mark.slow
def test_a_model_on_a_vod_that_it_has_not_learnt_from(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    labels = load_labels(root, "b")
    save_labels(root, "b", [Span(1.0, 5.0), *labels[:-1]])  # nothing happens in the first, so it is missed
    assert cli.main(["analyse", "joined", "--root", root.url, "--worst", "3"]) == 0
    output = capsys.readouterr().out
    assert "has not learnt from any of these streams" in output
    assert output.rstrip().endswith("page: " + root.url + "/analyses/joined/analysis.html")
    result = manifest.load(root, layout.analysis("joined"), Analysis).result
    assert (result.part, result.vods, result.left_out) == ("held-out", ["b"], {})
    names = [method.method for method in result.methods]
    assert names == ["joined", "constant", "random", "unsupervised", "loudness", "chat", "motion"]
    compared = compare(root, ["joined"], CompareConfig(vods="b")).result.methods[0]
    own = result.methods[0]
    assert (own.frames, own.events, own.editing) == (compared.frames, compared.events, compared.editing)

    events = own.per_vod["b"].events[0]
    assert len(result.misses) == events.labelled - events.matched >= 1
    assert len(result.false_alarms) == events.predicted - events.matched
    assert (result.misses[0].start, result.misses[0].overlap) == (1.0, 0.0)
    assert {*result.misses[0].signals} == {"pictures", "sound"}
    assert all(value is not None for value in result.misses[0].signals.values())
    assert own.frames.model.threshold is not None
    nearest = min(result.curve, key=lambda point: abs(point.threshold - own.frames.model.threshold))  # type: ignore[operator]
    assert nearest.recall == pytest.approx(own.frames.model.recall, abs=0.05)
    assert sum(part.instants for part in result.bins) == own.frames.model.frames

    page = page_of(root, "joined")
    tree = Tree(page)
    assert "<script" not in page
    shown = min(3, len(result.misses)) + min(3, len(result.false_alarms))
    images = tree.all("img")
    assert all(str(image["src"]).startswith("data:image/jpeg;base64,") for image in images)
    pictures = [image for image in images if image.get("class") != "parts"]
    assert len(pictures) == shown
    explained = min(2, len(result.misses)) + min(2, len(result.false_alarms))
    assert len(result.pictures) == explained
    assert len(images) - len(pictures) == 2 * explained
    assert pictures[0]["alt"] == "b at 0:00:03"
    links = [link["href"] for link in tree.all("a") if "report.html" in str(link["href"])]
    assert len(links) == shown
    assert links[0] == "../../highlights/b/report.html#t=1.000"
    assert (Path(root.url) / "analyses/joined" / str(links[0]).partition("#")[0]).resolve().exists()
    figures = [figure for figure in tree.all("svg") if figure.get("role") == "img"]
    assert len(figures) == 3 + shown
    assert all(figure["aria-label"] for figure in figures)
    assert len(tree.all("table")) == 4 + explained


@pytest.mark.slow
def test_what_is_done_is_not_done_again(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    first = analyse(root, "joined")
    before = page_of(root, "joined")
    again = analyse(root, "joined")
    assert "analyse: done already" in caplog.text
    assert again.to_bytes() == first.to_bytes()
    root.delete(layout.analysis_page("joined"))
    analyse(root, "joined")
    assert page_of(root, "joined") == before
    caplog.clear()
    save_labels(root, "b", load_labels(root, "b")[1:])
    changed = analyse(root, "joined")
    assert "analyse: done already" not in caplog.text
    assert changed.result.methods[0].events[0].labelled == first.result.methods[0].events[0].labelled - 1


@pytest.mark.slow
def test_the_run_in_mlflow_gets_the_page_once(root: Root) -> None:
    from mlflow import MlflowClient

    # In a process of its own, as MLflow keeps in mind where the run's artifacts lay before the root was copied.
    call = [sys.executable, "-m", "lolhl", "analyse", "joined", "--root", root.url, "--quiet"]
    subprocess.run(call, check=True)
    client = MlflowClient(f"sqlite:///{root.url}/{layout.MLFLOW}")
    experiment = client.get_experiment_by_name("lolhl")
    assert experiment
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    run = runs["joined"]
    artifacts = Path(run.info.artifact_uri.removeprefix("file://")) / "analysis"
    assert artifacts.is_relative_to(root.url)
    assert sorted(file.name for file in artifacts.iterdir()) == ["analysis.html", "analysis.json"]
    assert run.data.metrics["held_out_average_precision"] > 0.2
    history = client.get_metric_history(run.info.run_id, "held_out_average_precision")
    analyse(root, "joined")
    assert client.get_metric_history(run.info.run_id, "held_out_average_precision") == history
    assert "lolhl.analysis" not in runs["plain"].data.tags


@pytest.mark.slow
def test_a_model_without_a_new_vod_is_judged_on_its_validation_side(
    root: Root, caplog: pytest.LogCaptureFixture
) -> None:
    root.delete(layout.labels("b"))
    result = analyse(root, "plain").result
    assert (result.part, result.vods) == ("validation-chunks", ["a"])
    stored = manifest.load(root, layout.model("plain"), Model).result.metrics
    own = result.methods[0]
    assert own.frames.model.frames == stored.smoothed.model.frames
    assert own.frames.model.average_precision == pytest.approx(stored.smoothed.model.average_precision, abs=0.02)
    assert own.events[0].labelled == stored.events[0].labelled
    assert {method.frames.model.frames for method in result.methods} == {own.frames.model.frames}
    assert {method.frames.model.positives for method in result.methods} == {own.frames.model.positives}
    assert "chunks or games of its validation side" in caplog.text
    page = page_of(root, "plain")
    assert "do not say how good it is on other streams" in page
    assert "What each signal adds" not in page


@pytest.mark.slow
def test_a_vod_that_was_learnt_from_is_marked_where_it_is_named(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["analyse", "plain", "--vods", "b, a", "--worst", "0", "--root", root.url]) == 0
    marked = [line for line in capsys.readouterr().out.splitlines() if "*" in line]
    assert marked[0].startswith("plain* ")
    result = manifest.load(root, layout.analysis("plain"), Analysis).result
    assert (result.part, result.vods, result.flattered) == ("named", ["a", "b"], ["a"])
    page = page_of(root, "plain")
    assert "The model has learnt from some of these streams" in page
    assert page.count("learnt from</th>") == page.count(">a, learnt from</th>") == 1
    assert Tree(page).all("img") == []


@pytest.mark.slow
def test_a_vod_without_a_video_has_no_pictures_and_is_not_compared_with_its_sound(root: Root) -> None:
    analyse(root, "plain")
    root.delete(layout.vod("b"))
    result = analyse(root, "plain").result
    assert result.vods == ["b"]
    assert {*result.left_out} == {"unsupervised", "loudness", "chat", "motion"}
    assert "vods/b/vod.json" in result.left_out["chat"]
    assert [method.method for method in result.methods] == ["plain", "constant", "random"]
    assert "no picture: the video is not stored" in page_of(root, "plain")


def test_what_is_missing_is_told_with_the_command_that_makes_it(root: Root) -> None:
    with pytest.raises(MissingInput, match=r"models/none/model\.json does not exist: run `lolhl train none"):
        analyse(root, "none")
    with pytest.raises(UsageError, match=r"'loudness' is a method that is built in.*lolhl compare loudness"):
        analyse(root, "loudness")
    with pytest.raises(MissingInput, match=r"labels/zzz\.tsv does not exist.*lolhl labels FILE"):
        analyse(root, "plain", AnalyseConfig(vods="zzz"))
    save_labels(root, "b", [])
    with pytest.raises(DatasetError, match="no highlight is labelled in b: label some"):
        analyse(root, "plain")
    root.delete(layout.labels("b"))
    root.delete(layout.dataset("d"))
    root.delete(layout.labels("a"))
    with pytest.raises(
        MissingInput, match="no labelled VOD with a video or frames: run `lolhl labels FILE`, and `lolhl download"
    ):
        analyse(root, "plain")


def test_mlflow_that_fails_leaves_the_page(root: Root, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(LolhlError, match=r"the analysis of plain is finished, but not published.*repeats it"):
        analyse(root, "plain")
    assert json.loads(root.read(layout.analysis("plain")))["result"]["vods"] == ["b"]
    assert re.search(r"<h1>What plain finds and misses</h1>", page_of(root, "plain"))
