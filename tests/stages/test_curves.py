"""What each signal of a VOD says over time, as the page draws it."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from lolhl import manifest
from lolhl.manifest import Output
from lolhl.models import unsupervised
from lolhl.report.page import Curve
from lolhl.results import Vod
from lolhl.stages.curves import signal_curves
from lolhl.storage import Root, open_root
from lolhl.tables import Scored
from tests.results import SCORING, VOD, store

FPS = Fraction(3)
COUNT = 600  # 200 s


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return open_root(str(tmp_path))


def put_chat(root: Root, times: list[float]) -> None:
    """A VOD with a message at each of these seconds, and one in every fifth second besides."""
    every = [*times, *range(0, 200, 5)]
    data = json.dumps({"comments": [{"time": time, "user": "a", "text": "gg"} for time in every]}).encode()
    root.write("vods/v1/chat.json", data)
    stored = replace(VOD, vod="v1", chat="vods/v1/chat.json", duration=200.0)
    store(root, "vods/v1/vod.json", stored, (Output.from_bytes("vods/v1/chat.json", data),))


def curves(root: Root, parts: dict[str, list[float]]) -> dict[str, Curve]:
    scored = Scored(np.zeros(COUNT, np.float32), {name: np.array(part, np.float32) for name, part in parts.items()})
    stored = manifest.load(root, "vods/v1/vod.json", Vod)
    return {curve.signal: curve for curve in signal_curves(root, stored, replace(SCORING, fps=FPS), scored)}


def test_signals_of_the_scores_have_one_scale(root: Root) -> None:
    store(root, "vods/v1/vod.json", replace(VOD, vod="v1", chat=None))
    quiet, loud = np.full(COUNT, -3.0), np.full(COUNT, 1.0)
    quiet[100:110], loud[300:310] = -2, 5
    loud[400:410] = -9
    result = curves(root, {"pictures": quiet.tolist(), "sound": loud.tolist()})
    assert list(result) == ["pictures", "sound"]
    assert result["pictures"].values[[50, 105]].tolist() == [0, 0.25]
    assert result["sound"].values[[50, 305, 405]].tolist() == [0, 1, 0]


def test_a_stored_chat_is_shown_where_the_scores_do_not_know_it(root: Root) -> None:
    put_chat(root, [100.0 + k / 10 for k in range(50)])
    result = curves(root, {"sound": [0.0] * COUNT})
    assert list(result) == ["sound", "chat"]
    chat = result["chat"].values
    assert (len(chat), chat.min(), chat.max()) == (COUNT, 0, 1)
    written = int(102.5 * FPS)
    assert abs(int(np.argmax(chat)) - (written - unsupervised.CHAT_LAG * 3)) <= 9  # when it happened
    assert list(curves(root, {"sound": [0.0] * COUNT, "chat": [0.0] * COUNT})) == ["sound", "chat"]


def test_a_chat_in_which_nobody_writes_is_no_curve(root: Root) -> None:
    data = b'{"comments": []}'
    root.write("vods/v1/chat.json", data)
    stored = replace(VOD, vod="v1", chat="vods/v1/chat.json")
    store(root, "vods/v1/vod.json", stored, (Output.from_bytes("vods/v1/chat.json", data),))
    assert curves(root, {}) == {}


def test_a_damaged_chat_is_named_and_left_out(root: Root, caplog: pytest.LogCaptureFixture) -> None:
    data = b"[]"
    root.write("vods/v1/chat.json", data)
    stored = replace(VOD, vod="v1", chat="vods/v1/chat.json")
    store(root, "vods/v1/vod.json", stored, (Output.from_bytes("vods/v1/chat.json", data),))
    assert list(curves(root, {"sound": [0.0] * COUNT})) == ["sound"]
    assert "report v1: its chat is not drawn: " in caplog.text
    assert "vods/v1/chat.json is no chat" in caplog.text
