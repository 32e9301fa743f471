"""Highlights without a model: of a stream that is loud when something happens, with no label and no picture."""

import json
import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lolhl.errors import MissingInput, UsageError
from lolhl.grid import format_time
from lolhl.labels.spans import Span, on_grid
from lolhl.models.unsupervised import NAME
from lolhl.stages.compare import CompareConfig, compare
from lolhl.stages.download import DownloadConfig, download
from lolhl.stages.infer import infer
from lolhl.stages.labels import labels
from lolhl.stages.report import ReportConfig
from lolhl.stages.run import run
from lolhl.stages.train import TrainConfig, train
from lolhl.storage import Root, open_root
from lolhl.tables import read_scores
from tests.cli.process import outcome
from tests.sounds import sounding_video
from tests.streams import action_video

SPANS = [Span(float(start), start + 9.0) for start in (20, 64, 98)]
SECONDS = 130
FPS = Fraction(3)
NO_CLIPS = ReportConfig(clips="none")
DURING = "+".join(f"between(t,{span.start},{span.stop})" for span in SPANS)
LOUD = f"(0.02+0.3*min(1,{DURING}))*(2*random(0)-1)"
QUIET = "0.02*(2*random(0)-1)"


@pytest.fixture(scope="module")
def loud(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sounding_video(tmp_path_factory.mktemp("loud") / "v.mp4", seconds=SECONDS, sound=LOUD)


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return open_root(str(tmp_path / "root"))


def stored_scores(root: Root, vod: str = "v") -> np.ndarray:
    made = infer(root, NAME, vod)
    return read_scores(root.read(made.outputs[0].key), "scores", "", made.result.frames)


def inside(count: int) -> np.ndarray:
    return np.asarray(on_grid(SPANS, count, FPS))


def test_a_run_without_a_model_finds_what_is_loud(root: Root, loud: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = run(root, str(loud), reporting=NO_CLIPS)
    assert made.result.model == NAME
    spans = sorted(made.result.highlights, key=lambda highlight: highlight.start)
    assert len(spans) == len(SPANS)
    for span, expected in zip(spans, SPANS, strict=True):
        assert span.start == pytest.approx(expected.start, abs=3.5)
        assert span.stop == pytest.approx(expected.stop, abs=3.5)
    assert "guessed from loudness and chat" in caplog.text
    assert "To teach it: correct" in caplog.text
    assert "Found without a model" in root.read("highlights/v/report.html").decode()
    assert run(root, str(loud), reporting=NO_CLIPS).to_bytes() == made.to_bytes()


def test_no_picture_is_looked_at(root: Root, loud: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a picture was decoded")

    download(root, str(loud))
    monkeypatch.setattr("lolhl.vod.decode.decode", refuse)
    monkeypatch.setattr("lolhl.vod.decode.scan", refuse)
    scores = stored_scores(root)
    assert scores[inside(len(scores))].mean() > 0.5 > scores[~inside(len(scores))].mean()


def test_a_chat_alone_leads_to_what_it_is_of(root: Root, tmp_path: Path) -> None:
    video = sounding_video(tmp_path / "v.mp4", seconds=SECONDS, sound=None)
    lines = [{"time": float(t), "user": "u", "text": "."} for t in range(0, SECONDS, 4)]
    lines += [
        {"time": span.start + 7 + at / 4, "user": f"u{at}", "text": "wow"} for span in SPANS for at in range(36)
    ]  # seven seconds late
    video.with_suffix(".chat.json").write_text(json.dumps({"comments": lines}))
    download(root, str(video), DownloadConfig(chat=True))
    scores = stored_scores(root)
    assert infer(root, NAME, "v").result.mode == "grid"
    assert np.median(scores[inside(len(scores))]) > 0.5 > scores[~inside(len(scores))].mean()


@pytest.mark.parametrize("sound", [False, True])
def test_without_sound_and_chat_key_frames_are_looked_at(
    root: Root, sound: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A stream that is silent, or has no sound at all, and moves during the spans."""
    video = action_video(Path(root.url).parent / "moving.mp4", SPANS, seconds=SECONDS)
    silent = Path(root.url).parent / "v.mp4"
    mute = ["-c:a", "aac", "-af", "volume=0"] if sound else ["-an"]
    subprocess.run(["ffmpeg", "-v", "error", "-i", str(video), "-c:v", "copy", *mute, str(silent)], check=True)
    download(root, str(silent))
    assert infer(root, NAME, "v").result.mode == "scan"
    assert "guessed from motion, against the stream's own baseline, since most of it has neither sound" in caplog.text
    scores = stored_scores(root)
    assert scores[inside(len(scores))].mean() > scores[~inside(len(scores))].mean() + 0.1


def test_a_stream_in_which_nothing_happens_has_no_highlights(root: Root) -> None:
    video = Path(root.url).parent / "v.mp4"
    command = ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "color=s=64x48:r=15:d=30", "-g", "30", str(video)]
    subprocess.run(command, check=True)
    made = run(root, str(video), reporting=NO_CLIPS)
    assert made.result.highlights == []


def test_the_champion_is_taken_where_there_is_one(root: Root, loud: Path) -> None:
    root.write("models/champion.json", json.dumps({"champions": [{"model": "m", "by": "d"}]}).encode())
    with pytest.raises(MissingInput, match="m is in the list of champions"):
        run(root, str(loud))


def test_no_model_may_have_its_name(root: Root) -> None:
    with pytest.raises(UsageError, match="'unsupervised' is no name for a new model: it means to score without"):
        train(root, NAME, TrainConfig(dataset="d"))


def test_methods_are_compared(root: Root, loud: Path, tmp_path: Path) -> None:
    download(root, str(loud))
    table = tmp_path / "v.tsv"
    rows = [f"v\t{format_time(span.start)}\t{format_time(span.stop)}" for span in SPANS]
    table.write_text("vid_id\tstart\tstop\n" + "\n".join(rows) + "\n")
    labels(root, table)
    figures = compare(root, [NAME, "loudness", "chat", "motion"], CompareConfig(vods="v")).result.methods
    precision = {method.method: method.frames.model.average_precision or 0.0 for method in figures}
    assert precision[NAME] == precision["loudness"] > 0.9
    assert precision["loudness"] > precision["motion"] + 0.3
    assert precision["chat"] == pytest.approx(precision["constant"], abs=0.01)  # there is none


def test_the_verb_says_what_it_did(
    root: Root, loud: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    code, _, _ = outcome(capsys, ["run", str(loud), "--clips", "none", "--root", root.url])
    assert code == 0
    assert "no labels were learnt from" in caplog.text
    caplog.clear()
    code, _, _ = outcome(capsys, ["infer", NAME, "v", "--root", root.url])
    assert (code, caplog.text) == (0, "")
