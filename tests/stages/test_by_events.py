"""Highlights without a model, by what happened in the games that a VOD shows."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lolhl import manifest
from lolhl.errors import MissingInput, UsageError
from lolhl.labels.spans import Span
from lolhl.labels.store import save_labels
from lolhl.models import champion
from lolhl.results import Games, Vod
from lolhl.stages.compare import CompareConfig, compare
from lolhl.stages.download import download
from lolhl.stages.highlights import highlights
from lolhl.stages.infer import infer
from lolhl.storage import Root, open_root
from tests.cli.process import outcome
from tests.results import VOD, store
from tests.sounds import sounding_video
from tests.stages.report_root import add_scores, bumps

HAPPENED = [Span(5, 20, "kill", 1, "riot EUW1_1"), Span(30, 50, "triple kill, baron", 8, "riot EUW1_1")]
GAMES = Games(vod="v", games=[], remakes=[], events=[], highlights=HAPPENED, placed="by hand", labelled=True)


@pytest.fixture
def root(tmp_path: Path) -> Root:
    root = open_root(str(tmp_path / "root"))
    store(root, "vods/v/vod.json", VOD)
    return root


def played(root: Root, games: Games = GAMES) -> None:
    """The games as `lolhl riot` leaves them."""
    vod = manifest.load(root, "vods/v/vod.json", Vod)
    store(root, "games/v.json", games, inputs={"vods/v/vod.json": vod.content_digest(), "accounts": "0"})


def cut(root: Root) -> list[tuple[float, float, str]]:
    made = highlights(root, "v")
    return [(one.span.start, one.span.stop, one.span.name) for one in made.result.highlights]


def test_the_weightiest_comes_first_and_all_are_named(root: Root) -> None:
    played(root)
    assert infer(root, "events", "v").result.model == "events"
    assert cut(root) == [(30, 50, "triple kill, baron"), (5, 20, "kill")]
    chapters = root.read("highlights/v/exports/chapters.vtt").decode()
    assert "\ntriple kill, baron\n" in chapters
    reasons = [one.reason for one in highlights(root, "v").result.highlights]
    assert reasons[0].startswith("triple kill, baron: reached 0.93 at ")


def test_other_games_make_other_highlights(root: Root) -> None:
    played(root)
    infer(root, "events", "v")
    cut(root)
    played(root, replace(GAMES, highlights=HAPPENED[:1]))
    with pytest.raises(MissingInput, match=r"scores.json is older than games/v.json: run `lolhl infer … v` again"):
        highlights(root, "v")
    infer(root, "events", "v")
    assert cut(root) == [(5, 20, "kill")]


def test_highlights_of_a_model_are_named_too(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    add_scores(root, "v", bumps(60, [(12, 0.9, 6), (40, 0.7, 6), (56, 0.8, 6)]))
    assert [name for *_, name in cut(root)] == ["highlight 1", "highlight 2", "highlight 3"]
    played(root)
    assert [name for *_, name in cut(root)] == ["kill", "highlight 2", "triple kill, baron"]
    store(root, "vods/v/vod.json", VOD, offset=10.0)  # games then lie elsewhere
    assert [name for *_, name in cut(root)] == ["highlight 1", "highlight 2", "highlight 3"]
    assert "stored anew since its games were looked for: `lolhl riot v --riot-id …` finds them again" in caplog.text


def test_without_games(root: Root) -> None:
    with pytest.raises(MissingInput, match=r"games/v.json does not exist: run `lolhl riot v --riot-id …` first"):
        infer(root, "events", "v")


def test_no_model_has_its_name(root: Root) -> None:
    with pytest.raises(UsageError, match="'events' is no name for a new model: it means to score without a model"):
        champion.check_new(root, "events")
    root.write("models/events/model.json", b"{}")
    played(root)
    with pytest.raises(UsageError, match="'events' is a method that is built in"):
        infer(root, "events", "v")


def test_it_is_compared_as_any_method(root: Root) -> None:
    played(root)
    save_labels(root, "v", [Span(6, 19), Span(31, 49)])
    first = compare(root, ["events"], CompareConfig(vods="v")).result.methods[0]
    assert first.method == "events"
    assert [(one.tiou, one.matched) for one in first.events][-1] == (0.5, 2)
    played(root, replace(GAMES, highlights=HAPPENED[:1]))
    first = compare(root, ["events"], CompareConfig(vods="v")).result.methods[0]
    assert [(one.tiou, one.matched) for one in first.events][-1] == (0.5, 1)


def test_the_page_says_where_highlights_and_labels_come_from(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = open_root(str(tmp_path / "root"))
    download(root, str(sounding_video(tmp_path / "v.mp4", sound=None, seconds=60)))
    played(root)
    save_labels(root, "v", HAPPENED)
    assert outcome(capsys, ["infer", "events", "v", "--root", root.url, "--quiet"])[0] == 0
    code, out, error = outcome(capsys, ["report", "v", "--clips", "none", "--root", root.url])
    assert code == 0, error
    assert "0:00:30 to 0:00:50  triple kill, baron: reached" in out
    page = root.read("highlights/v/report.html").decode()
    assert "Found by the events of games" in page
    assert "No person gave these labels." in page
    assert json.loads(root.read("highlights/v/report.json"))["result"]["labelled"]["labels_of_games"] is True
    save_labels(root, "v", [Span(31, 49)])
    assert outcome(capsys, ["report", "v", "--clips", "none", "--root", root.url])[0] == 0
    assert "No person gave these labels." not in root.read("highlights/v/report.html").decode()
