"""A root in which all stages are done, and files that are no videos and no labels."""

import os
import shutil
import subprocess
from fractions import Fraction
from pathlib import Path

import pytest

from lolhl.stages.dataset import dataset
from lolhl.stages.download import download
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.stages.infer import infer
from lolhl.stages.labels import LabelsConfig, labels
from lolhl.stages.report import report
from lolhl.stages.train import TrainConfig, train
from lolhl.storage import Root, bucket, open_root
from lolhl.vod import fetch
from tests.cli.process import NO_WAY_OUT
from tests.streams import action_video, add_stream

SMALL = ExtractConfig(size=64)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of this machine's settings is seen, and nothing leaves it."""
    for name in [*os.environ]:
        if name.startswith(("AWS_", "LOLHL_", "MLFLOW_", "HF_")) or name.lower() == "all_proxy":
            monkeypatch.delenv(name)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, NO_WAY_OUT)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    for name in ("LOLHL_CACHE", "TORCH_HOME", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "cache"))
    monkeypatch.setattr(fetch, "_PAUSES", (0.01,))
    monkeypatch.setattr(bucket, "_ATTEMPTS", 1)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Root:
    """VOD a with all that the stages make of it; b has frames of another rate and no highlight, c nothing but a video.

    d is a dataset of a; wide is one whose guard is too narrow for long clips; m is a model.
    """
    folder = tmp_path_factory.mktemp("cli")
    root = open_root(str(folder / "root"))
    add_stream(root, folder, "a", seconds=180, seed=1)
    extract(root, "a", SMALL)
    dataset(root, "d", ["a"])
    train(root, "m", TrainConfig(dataset="d", epochs=2))
    infer(root, "m", "a")
    report(root, "a")
    video = action_video(folder / "b.mp4", [], seconds=4)
    for name in "bc":
        download(root, str(video), name=name)
    extract(root, "b", ExtractConfig(size=96, fps=Fraction(2)))
    (folder / "b.tsv").write_text("start\tstop\n")
    labels(root, folder / "b.tsv", LabelsConfig(vod="b"))
    return root


@pytest.fixture
def root(finished: Root, tmp_path: Path) -> Root:
    """A copy of its own; files are linked, because what lies under a root is replaced and never changed in place."""
    path = tmp_path / "root"
    shutil.copytree(finished.url, path, copy_function=os.link, ignore=shutil.ignore_patterns("mlflow"))
    return open_root(str(path))


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files that are no videos, and label files that are none."""
    folder = tmp_path_factory.mktemp("films")
    film = action_video(folder / "film.mp4", [], seconds=4)
    shutil.copy(film, folder / "what? \u2116 1 'x'.mp4")
    shutil.copy(film, folder / "\u65e5\u672c.mp4")
    (folder / "broken.mp4").write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("This is no video.\n" * 50)
    (folder / "list.m3u8").write_text("#EXTM3U\n#EXTINF:2,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n")
    (folder / "folder.mp4").mkdir()
    (folder / "loop.mp4").symlink_to("loop.mp4")
    os.mkfifo(folder / "pipe.mp4")
    sound = ["-f", "lavfi", "-i", "sine=duration=2", "-c:a", "aac", str(folder / "sound.mp4")]
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", *sound], check=True)
    head = "vid_id\tstart\tstop\n"
    for name, text in {
        "inverted": f"{head}a\t0:00:10\t0:00:05\n",
        "late": f"{head}a\t0:00:10\t1:00:00\n",
        "unknown": f"{head}zzz\t0:00:10\t0:00:15\n",
        "outside": f"{head}../a\t0:00:10\t0:00:15\n",
        "time": f"{head}a\tsoon\t0:00:15\n",
        "long": f"{head}a\t{'9' * 5000}:00:00\t0:00:15\n",
        "short": f"{head}a\t0:00:10\n",
        "headless": "a\t0:00:10\t0:00:15\n",
        "nothing": "",
        "own": "start\tstop\n0:00:10\t0:00:15\n",
        "good": f"{head}a\t0:00:10\t0:00:15\n",
    }.items():
        (folder / f"{name}.tsv").write_text(text)
    (folder / "latin.tsv").write_bytes(f"{head}caf\u00e9\t0:00:10\t0:00:15\n".encode("latin-1"))
    (folder / "zeros.tsv").write_bytes(b"\0" * 100)
    (folder / "folder.tsv").mkdir()
    (folder / "broken.json").write_text('[{"id": 1, "annotations": [')
    (folder / "deep.json").write_text("[" * 100_000)
    (folder / "other.json").write_text('{"id": 1}')
    (folder / "labels.doc").write_text(head)
    return folder
