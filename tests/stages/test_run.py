"""The verb run: what is looked at while segments come is what is looked at afterwards."""

import shutil
import threading
from pathlib import Path

import pytest

from lolhl import layout
from lolhl.stages.download import download
from lolhl.stages.infer import InferConfig, infer
from lolhl.stages.report import ReportConfig
from lolhl.stages.run import run
from lolhl.stages.train import TrainConfig, train
from lolhl.storage import Root, open_root
from lolhl.vod.decode import Ending, Mode
from lolhl.vod.live_key_frames import LiveKeyFrames
from lolhl.vod.view import View
from tests.files import stored_bytes
from tests.servers import set_environ
from tests.servers.twitch import Vod, rendition, twitch
from tests.streams import action_video, some_spans

ID = "123456789"
NOTHING_CUT = ReportConfig(clips="none", threshold=0.5)


@pytest.fixture(scope="module")
def learnt(streams: Root, tmp_path_factory: pytest.TempPathFactory) -> Root:
    """A root with a model m, that its tests copy."""
    folder = tmp_path_factory.mktemp("learnt")
    shutil.copytree(streams.url, folder / "root")
    root = open_root(str(folder / "root"))
    train(root, "m", TrainConfig(dataset="d", epochs=1))
    return root


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["scan", "refine", "grid"])
def test_scores_are_the_same_as_without_looking_ahead(
    learnt: Root, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: Mode
) -> None:
    film = action_video(tmp_path / "film.mp4", some_spans(120, 5), seconds=120, seed=5)
    rendition(film, tmp_path / "vod" / "chunked")
    vod = Vod(tmp_path / "vod", 120, resolutions={"chunked": "160x96"})
    config = InferConfig(mode=mode)
    seen: list[float] = []
    with twitch(tmp_path, vod) as server:
        set_environ(monkeypatch, server.environ)
        roots = [open_root(str(shutil.copytree(learnt.url, tmp_path / name))) for name in ("ahead", "after")]
        download(roots[1], ID)
        infer(roots[1], "m", ID, config)
        begun = threading.Event()
        if mode != "grid":  # the last segment comes when a key frame was seen, or not at all
            server.faults.held["/29.ts"] = begun

        def noted(key_frames: LiveKeyFrames, view: View, ending: Ending | None = None) -> object:
            for time, picture in keys(key_frames, view, ending):
                seen.append(time)
                begun.set()
                yield time, picture

        keys = LiveKeyFrames.keys
        monkeypatch.setattr(LiveKeyFrames, "keys", noted)
        run(roots[0], ID, model="m", inferring=config, reporting=NOTHING_CUT)
    assert stored_bytes(roots[0], layout.scores(ID)) == stored_bytes(roots[1], layout.scores(ID))
    assert len(seen) == (0 if mode == "grid" else 60)
