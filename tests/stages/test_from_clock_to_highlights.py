"""The whole way of a stream that shows games: clock and Riot's record → labels → dataset → model → highlights."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from lolhl.labels.store import load_labels
from lolhl.models.video import VideoSettings
from lolhl.stages.clock import clock
from lolhl.stages.dataset import DatasetConfig, dataset
from lolhl.stages.download import download
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.stages.highlights import highlights
from lolhl.stages.infer import InferConfig, infer
from lolhl.stages.riot import RiotConfig, riot
from lolhl.stages.train import TrainConfig, train
from lolhl.storage import open_root
from tests.clocks import Played, clock_video
from tests.matches import made
from tests.matches.made import BEGAN, kill
from tests.servers.riot import KEY
from tests.servers.riot import riot as riot_server

pytest.importorskip("onnxruntime", reason="reading clocks needs lolhl[clock]")

SECONDS = 830
GAMES = [Played(60, 310), Played(480, 310)]
KILLS = [30, 90, 150, 210, 270]  # by each game's clock
BREAKS = [10.0, 425.0]  # what looks just like a fight


def drawn(folder: Path) -> Path:
    """Slow colours, with a busy picture round each kill and in the breaks; above them the games' clock."""
    fights = [game.start + at for game in GAMES for at in KILLS]
    during = "+".join(f"between(t,{at - 10},{at + 5})" for at in (*fights, *BREAKS))
    below = folder / "below.mp4"
    calm = f"gradients=s=854x480:r=3:d={SECONDS}:seed=1:speed=0.02:c0=0x1c4a2c:c1=0x2c3a70"
    command = ["ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", calm]
    command += ["-f", "lavfi", "-i", f"testsrc2=s=854x480:r=3:d={SECONDS}"]
    command += ["-filter_complex", f"[0][1]overlay=enable='{during}'", "-c:v", "libx264", "-preset", "ultrafast"]
    subprocess.run([*command, "-pix_fmt", "yuv420p", str(below)], check=True)
    return clock_video(folder / "v.mp4", GAMES, seconds=SECONDS, fps=3, background=("-i", str(below)))


@pytest.mark.slow
def test_what_the_clock_knows_serves_all_stages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    root = open_root(str(tmp_path / "root"))
    download(root, str(drawn(tmp_path)))
    games = clock(root, "v").result.games
    assert [game.start for game in games] == pytest.approx([game.start for game in GAMES], abs=1)

    lag = 25  # seconds by which the stream is later than the clocks of Twitch and Riot say
    recorded = BEGAN - (GAMES[0].start - lag)
    with riot_server() as server:
        for name, value in {"URL": server.url, "KEY": KEY}.items():
            monkeypatch.setenv(f"LOLHL_RIOT_{name}", value)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        for number, game in enumerate(GAMES):
            about: Any = {
                "match_id": f"EUW1_{number}",
                "began": BEGAN + game.start - GAMES[0].start,
                "seconds": game.clock,
            }
            server.add(made.match(**about), made.timeline(*(kill(at, 1, 6) for at in KILLS), **about), "europe")
        assert riot(root, "v", "Me#EUW", RiotConfig(recorded_at=recorded)).result.placed == "by the clock"
    labels = load_labels(root, "v")
    assert len(labels) == len(GAMES) * len(KILLS)

    extract(root, "v", ExtractConfig(size=96))
    split = dataset(root, "d", ["v"], DatasetConfig(holdout="games", validation=0.5)).result
    assert (split.holdout, split.per_vod["v"].events.train) == ("games", len(KILLS))
    learning = TrainConfig(
        dataset="d", kind="video", model=VideoSettings(clip_frames=3, clip_stride=2, hidden=32), epochs=8, batch=16
    )
    train(root, "m", learning)

    caplog.set_level("INFO")
    infer(root, "m", "v", InferConfig(source="video", decoder="cpu", mode="refine"))
    assert "lie outside of games" in caplog.text
    spans = [highlight.span for highlight in highlights(root, "v").result.highlights]
    hits = [label for label in labels if any(span.start < label.stop and label.start < span.stop for span in spans)]
    assert len(hits) >= 8
    assert all(any(game.start - 30 < span.start < game.stop + 30 for game in GAMES) for span in spans)
    assert {"kill"} <= {span.name for span in spans}
