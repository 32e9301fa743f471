"""lolhl's images, and every stage in them by `torchx run -s local_docker` against a real S3 server."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from components import pipeline
from components.pipeline import Stream
from lolhl.storage import Root, open_root
from tests.engines import docker
from tests.engines.docker import TARGETS
from tests.servers import S3Server, set_environ
from tests.servers.seaweedfs import seaweedfs
from tests.streams import action_video, some_spans, write_stream

pytestmark = pytest.mark.engine

REPOSITORY = docker.REPOSITORY
APP = "torchx.pytorch.org/app-id"


@pytest.fixture(scope="module")
def images() -> Iterator[dict[str, str]]:
    """The images by target, named by what is in them: for such a name no registry is asked."""
    with docker.engine():
        names = docker.build()
        yield {target: docker.docker("images", "--no-trunc", "-q", name) for target, name in names.items()}


@pytest.fixture(scope="module")
def server(images: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Storage that containers reach."""
    assert images
    with seaweedfs(tmp_path_factory.mktemp("s3"), host=docker.gateway()) as running:
        yield running


@pytest.fixture
def root(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Root]:
    """A root in the bucket, for this process too; containers that jobs left are removed."""
    monkeypatch.chdir(REPOSITORY)
    set_environ(monkeypatch, server.environ)
    # What a container has no use for: paths of this machine.
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("AWS_CA_BUNDLE", raising=False)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    try:
        yield open_root(f"s3://{server.bucket}/docker")
    finally:
        docker.remove_containers(APP)


def in_image(image: str, *command: str) -> str:
    return docker.docker("run", "--rm", "--network", "none", image, *command)


@pytest.mark.parametrize("target", TARGETS)
def test_an_image_is_small_and_without_root_compilers_and_caches(images: dict[str, str], target: str) -> None:
    image = images[target]
    assert in_image(image, "id", "-u") == "10001"
    assert in_image(image, "sh", "-c", "command -v gcc cc c++ make git || true") == ""
    assert in_image(image, "sh", "-c", "ls -A ~/.cache /var/cache/pip 2>/dev/null || true") == ""
    assert in_image(image, "lolhl", "--version").startswith("lolhl ")
    with pytest.raises(RuntimeError, match="denied"):
        in_image(image, "touch", "/opt/lolhl/x")
    size = int(docker.docker("image", "inspect", "-f", "{{.Size}}", image))
    print(f"{target}: {size / 1e6:.0f} MB")
    assert size < {"dataset": 0.7e9, "extract": 1.1e9, "infer": 2.5e9, "train": 3.2e9}[target]


def test_only_the_images_that_need_torch_have_it(images: dict[str, str]) -> None:
    answers = {
        target: in_image(image, "python", "-c", "import importlib.util as u; print(u.find_spec('torch') is not None)")
        for target, image in images.items()
    }
    assert answers == {"dataset": "False", "extract": "False", "infer": "True", "train": "True"}


def test_the_extractor_s_ffmpeg_can_decode_on_a_gpu(images: dict[str, str]) -> None:
    assert "h264_cuvid" in in_image(images["extract"], "ffmpeg", "-hide_banner", "-decoders")
    assert "scale_cuda" in in_image(images["extract"], "ffmpeg", "-hide_banner", "-filters")
    environment = json.loads(docker.docker("image", "inspect", "-f", "{{json .Config.Env}}", images["extract"]))
    assert "NVIDIA_DRIVER_CAPABILITIES=compute,utility,video" in environment


def test_every_stage_runs_in_its_image(images: dict[str, str], root: Root, server: S3Server, tmp_path: Path) -> None:
    write_stream(tmp_path, "a", seed=1)
    write_stream(tmp_path, "b", seed=2)
    learn, find = Stream(str(tmp_path / "a.mp4"), "a"), Stream(str(tmp_path / "b.mp4"), "b")
    tables = [str(tmp_path / "a.tsv"), str(tmp_path / "b.tsv")]
    todo = pipeline.in_containers(pipeline.jobs([learn], [find], tables, "m", root.url, ["--epochs", "2"]))
    by_stage = {"download": "extract", "labels": "dataset", "report": "infer"}
    out = (tmp_path / "out").open("w+")
    for job in todo:
        image = images[by_stage.get(job.stage, job.stage)]
        ended_well = pipeline.run([job], "local_docker", pipeline.configured("local_docker", []), image, out)
        out.seek(0)
        assert ended_well, out.read()
    out.seek(0)
    output = out.read()
    assert "random ranking" in output
    assert f"page: {root.url}/highlights/b/report.html" in output
    assert root.stat("models/m/model.json")

    # Who looks at a command line sees no credential; the environment has it.
    for container in docker.docker("ps", "-aq", "--filter", f"label={APP}").split():
        config = json.loads(docker.docker("inspect", "-f", "{{json .Config}}", container))
        assert server.secret not in json.dumps([config["Cmd"], config["Entrypoint"], config["Labels"]])
        assert f"AWS_SECRET_ACCESS_KEY={server.secret}" in config["Env"]

    out.truncate(0)
    assert pipeline.run(todo[-3:-2], "local_docker", pipeline.configured("local_docker", []), images["train"], out)
    out.seek(0)
    assert "train: done already" in out.read()


def test_replicas_share_the_vods(images: dict[str, str], root: Root, tmp_path: Path) -> None:
    for number, name in enumerate(("c", "d", "e")):
        video = action_video(tmp_path / f"{name}.mp4", some_spans(30, number), seconds=30, seed=number)
        subprocess.run([sys.executable, "-m", "lolhl", "download", video, "--root", root.url], check=True)
    command = ["torchx", "run", "--wait", "-s", "local_docker", "components/extract.py:extract"]
    command += ["--image", images["extract"], "--cpu", "1", "--replicas", "2"]
    done = subprocess.run(
        [*command, "--", "c", "d", "e", "--root", root.url], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert all(root.stat(f"frames/{vod}/3fps-224px-squeeze-q90/frameset.json") for vod in "cde")
    containers = docker.docker(
        "ps", "-aq", "--filter", f"label={APP}", "--filter", "label=torchx.pytorch.org/role-name=extract"
    ).split()
    logs = [docker.docker("logs", container) for container in containers]
    assert sorted(log.count("extract: ") for log in logs) == [1, 2]


def test_a_failing_job_fails(images: dict[str, str], root: Root, tmp_path: Path) -> None:
    out = (tmp_path / "out").open("w+")
    job = pipeline.Job("extract", ("nobody", "--root", root.url))
    assert not pipeline.run([job], "local_docker", pipeline.configured("local_docker", []), images["extract"], out)
    out.seek(0)
    assert "vods/nobody/vod.json does not exist" in out.read()
