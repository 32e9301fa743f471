"""chat: what was written stands where it was written, counted a second."""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lolhl.errors import UsageError
from lolhl.signals import make_track
from lolhl.signals.chat import COLUMNS, ChatSignal, Counter, Line
from lolhl.signals.source import video_source
from lolhl.stages.download import DownloadConfig, download
from lolhl.stages.track import TrackConfig, track
from lolhl.storage import Root, open_root
from tests.cli.process import outcome
from tests.sounds import sounding_video
from tests.tracks.made import contents

CHAT = DownloadConfig(chat=True)


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return open_root(str(tmp_path / "root"))


def video_with(root: Root, lines: Any, config: DownloadConfig = CHAT, seconds: float = 60) -> Path:
    video = sounding_video(Path(root.url).parent / "v.mp4", sound=None, seconds=seconds)
    if lines is not None:
        video.with_suffix(".chat.json").write_text(json.dumps(lines))
    download(root, str(video), config)
    return video


def line(time: float, text: str = "nice", user: str = "a") -> dict[str, object]:
    return {"time": time, "user": user, "text": text}


def rates(texts: list[tuple[float, str, str]], at: float, window: float = 5.0) -> dict[str, float]:
    values = Counter([Line(time, user, text) for time, user, text in texts], window).rates(np.array([at]))[0]
    return dict(zip(COLUMNS, (values * window).tolist(), strict=True))


@pytest.mark.parametrize(
    ("text", "emotes", "capitals", "laughter"),
    [
        ("nice one", 0, 0, 0),
        ("WHAT WAS THAT", 0, 1, 0),
        ("GG", 0, 0, 0),
        ("lol", 0, 0, 1),
        ("LOOOOL that was close", 0, 0, 1),
        ("hahaha", 0, 0, 1),
        ("the hall", 0, 0, 0),
        ("KEKW KEKW", 2, 0, 1),
        ("PogChamp", 1, 0, 0),
        ("riotPog he did it", 1, 0, 0),
        ("xD", 0, 0, 1),
        ("ㅋㅋㅋ", 0, 0, 1),
        ("🔥🔥", 2, 0, 0),
    ],
)
def test_what_a_message_counts_as(text: str, emotes: int, capitals: int, laughter: int) -> None:
    counted = rates([(10.0, "a", text)], 10.5)
    assert counted == {"messages": 1, "authors": 1, "emotes": emotes, "capitals": capitals, "laughter": laughter}


def test_a_message_lies_evenly_in_its_second() -> None:
    lines = [(10.0, "a", "hi")]
    assert [rates(lines, at)["messages"] for at in (7.4, 7.5, 8.0, 8.5, 12.5, 13.0, 13.5)] == pytest.approx(
        [0, 0, 0.5, 1, 1, 0.5, 0], abs=1e-3
    )


def test_authors_are_counted_once() -> None:
    lines = [(time, user, "hi") for time, user in ((9.0, "a"), (10.0, "a"), (10.0, "b"), (11.0, "c"), (30.0, "d"))]
    assert rates(lines, 10.5) == pytest.approx(
        {"messages": 4, "authors": 3, "emotes": 0, "capitals": 0, "laughter": 0}, abs=1e-2
    )


def test_the_track_of_a_stored_chat(root: Root) -> None:
    video_with(root, {"comments": [line(20.0, user=str(number)) for number in range(10)]})
    made = make_track(ChatSignal(Fraction(3)), video_source(root, "v"), "grid")
    assert len(made) == 180
    assert made.known.all()
    values = made.read(0, 180).values
    assert values[61].tolist() == pytest.approx([2, 2, 0, 0, 0], abs=0.01)
    assert np.flatnonzero(values[:, 0]).tolist() == list(range(53, 71))  # from 17.5 to 23.5 s
    before = contents(root)
    for key in before:
        root.delete(key)
    track(root, "v", TrackConfig(signal="chat"))
    assert contents(root) == before


def test_the_video_is_not_needed(root: Root) -> None:
    video_with(root, {"comments": [line(20.0)]})
    root.delete("vods/v/video.mp4")
    assert track(root, "v", TrackConfig(signal="chat")).result.unknown == 0


@pytest.mark.parametrize("config", [CHAT, DownloadConfig()])
def test_without_a_chat_no_instant_is_known(root: Root, config: DownloadConfig) -> None:
    video_with(root, None, config, seconds=5)
    made = make_track(ChatSignal(Fraction(3)), video_source(root, "v"), "grid")
    assert not made.known.any()
    assert made.read(0, 15).values.tolist() == [[0] * 5] * 15


def test_an_empty_chat_is_a_quiet_one(root: Root) -> None:
    video_with(root, {"comments": []}, seconds=5)
    made = make_track(ChatSignal(Fraction(3)), video_source(root, "v"), "grid")
    assert made.known.all()
    assert not made.read(0, 15).values.any()


def test_a_chat_that_is_none_is_named(root: Root) -> None:
    with pytest.raises(UsageError, match=r"v\.chat\.json is no chat: write"):
        video_with(root, {"comments": [{"when": 3}]})


def test_a_chat_that_is_damaged_is_named(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    video_with(root, {"comments": [line(20.0)]})
    root.write("vods/v/chat.json", b"{")
    code, _, error = outcome(capsys, ["track", "v", "--signal", "chat", "--root", root.url])
    assert (code, error.count("\n")) == (1, 1)
    assert "vods/v/chat.json" in error


def test_another_chat_is_stored_anew(root: Root) -> None:
    video = video_with(root, {"comments": [line(20.0)]})
    video.with_suffix(".chat.json").write_text(json.dumps({"comments": [line(21.0), line(22.0)]}))
    download(root, str(video), CHAT)
    assert len(json.loads(root.read("vods/v/chat.json"))["comments"]) == 2
