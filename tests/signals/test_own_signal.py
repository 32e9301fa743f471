"""A signal from outside of the library: one file, and a line in the registry."""

from pathlib import Path

import numpy as np
import pytest

from lolhl import manifest
from lolhl.errors import UsageError
from lolhl.labels.spans import Span, on_grid
from lolhl.models.arrays import HeadSettings, fit, score
from lolhl.results import Vod
from lolhl.signals import SIGNALS, make_track
from lolhl.signals.source import VideoSource
from lolhl.stages.download import download
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.stages.track import TrackConfig, track
from lolhl.storage import Root, open_root
from tests.cli.process import outcome
from tests.signals.brightness import Brightness, open_brightness
from tests.streams import action_video

SPANS = [Span(float(start), start + 8.0) for start in range(10, 170, 25)]
OWN = TrackConfig(signal="brightness", size=32)


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIGNALS, "brightness", open_brightness)


@pytest.fixture
def root(tmp_path: Path) -> Root:
    root = open_root(str(tmp_path / "root"))
    download(root, str(action_video(tmp_path / "v.mp4", SPANS, seconds=180)))
    return root


def test_the_verb_stores_its_track_once(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["track", "v", "--signal", "brightness", "--size", "32", "--root", root.url]
    code, out, _ = outcome(capsys, words)
    assert code == 0
    assert "track: vod v, signal brightness, version 1" in out
    stored = {stat.key: stat.etag for stat in root.list("tracks/")}
    assert len(stored) == 2
    assert outcome(capsys, words)[0] == 0
    assert {stat.key: stat.etag for stat in root.list("tracks/")} == stored
    assert outcome(capsys, [*words, "--force"])[0] == 0
    assert {stat.key for stat in root.list("tracks/")} == {*stored}
    assert {stat.etag for stat in root.list("tracks/")} != {*stored.values()}


def test_frames_and_video_give_the_same_but_for_jpeg(root: Root) -> None:
    from_video = track(root, "v", OWN)
    config = ExtractConfig(size=32)
    extract(root, "v", config)
    from_frames = track(root, "v", OWN)
    assert (from_video.result.source, from_frames.result.source) == ("video", "frames")
    assert from_video.result.frames == from_frames.result.frames == 540


def test_a_model_learns_from_it(root: Root) -> None:
    source = VideoSource(root, manifest.load(root, "vods/v/vod.json", Vod, ""))
    stored = make_track(Brightness(OWN_VIEW), source, "grid")
    window = stored.read(0, len(stored))
    assert window.known.all()
    labels = on_grid(SPANS, len(stored), OWN_VIEW.fps)
    values = np.concatenate([window.values, np.diff(window.values, axis=0, prepend=0)], axis=1)
    model = fit([values], [labels], HeadSettings(epochs=3))
    (scores,) = score(model, [values])
    assert scores.shape == labels.shape


def test_a_signal_that_there_is_not_is_named(root: Root) -> None:
    with pytest.raises(UsageError, match=r"smell: no such signal; there are .*, brightness"):
        track(root, "v", TrackConfig(signal="smell"))


OWN_VIEW = ExtractConfig(size=32).view
