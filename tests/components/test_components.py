"""The components as `torchx run` sees them, and the pipeline that chains them as jobs."""

import inspect
import io
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
from contextlib import suppress
from pathlib import Path

import pytest
from torchx.components.component_test_base import ComponentTestCase
from torchx.runner import get_runner
from torchx.specs import named_resources

import lolhl
from components import pipeline
from components.pipeline import Stream
from lolhl.stages.table import IMAGES, STAGES
from lolhl.storage import open_root
from tests.streams import write_stream

JOBS = [name for name in STAGES if name not in ("run", "review")]
HERE = Path(pipeline.__file__).parent
DOCKERFILE = (HERE.parent / "images/Dockerfile").read_text()


@pytest.fixture
def in_repository(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The environment of a person who activated .venv and stands in the checkout."""
    monkeypatch.chdir(HERE.parent)
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def test_every_verb_has_its_component() -> None:
    assert {path.stem for path in HERE.glob("[a-z]*.py")} == {*JOBS, "pipeline", "resources"}


@pytest.mark.parametrize("stage", JOBS)
def test_torchx_accepts_the_component(stage: str) -> None:
    case = ComponentTestCase()
    module = __import__(f"components.{stage}", fromlist=[stage])
    case.validate(module, stage)


@pytest.mark.parametrize("stage", JOBS)
def test_the_help_comes_from_the_docstring(stage: str, in_repository: dict[str, str]) -> None:
    done = subprocess.run(
        ["torchx", "run", "-s", "local_cwd", f"components/{stage}.py:{stage}", "--help"],
        env=in_repository, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert f"what `lolhl {stage}` takes" in done.stdout
    assert "--image" in done.stdout


@pytest.mark.parametrize("stage", JOBS)
def test_a_dry_run_shows_the_stage_s_command(stage: str, tmp_path: Path) -> None:
    with get_runner() as runner:
        cfg = {"log_dir": str(tmp_path)}
        arguments = ["--image", "i:1", "--", "x", "--root", "r"]
        planned = runner.dryrun_component(f"{HERE}/{stage}.py:{stage}", arguments, "local_cwd", cfg)
    (replicas,) = planned.request.role_params.values()
    command = " ".join(replicas[0].args)
    assert command.endswith(f"-m lolhl {stage} x --root r")
    assert ("torchrun" in command) == (stage == "train")
    assert planned._app.roles[0].image == "i:1"


@pytest.mark.parametrize("stage", [name for name in JOBS if STAGES[name].shareable])
def test_replicas_share_the_vods(stage: str, tmp_path: Path) -> None:
    with get_runner() as runner:
        arguments = ["--replicas", "3", "--max_retries", "2", "--", "a", "b", "c"]
        planned = runner.dryrun_component(
            f"{HERE}/{stage}.py:{stage}", arguments, "local_cwd", {"log_dir": str(tmp_path)}
        )
    (replicas,) = planned.request.role_params.values()
    assert [replica.args[-2:] for replica in replicas] == [["--part", f"{number}/3"] for number in range(3)]
    assert planned._app.roles[0].max_retries == 2


@pytest.mark.parametrize("stage", JOBS)
def test_the_image_is_one_that_make_images_builds(stage: str) -> None:
    parameters = inspect.signature(getattr(__import__(f"components.{stage}", fromlist=[stage]), stage)).parameters
    assert parameters["image"].default == f"lolhl/{STAGES[stage].image}:{lolhl.__version__}"
    assert ("replicas" in parameters) == STAGES[stage].shareable


def test_each_image_is_built_on_the_one_before_and_asks_the_verbs_that_it_offers() -> None:
    asked = r"^FROM (\S+)-needs AS (\S+)\n(?:.*\n){2}RUN verbs=\$\(python -m lolhl\.stages\.table (\S+)\) && for"
    assert re.findall(asked, DOCKERFILE, re.MULTILINE) == [(image, image, image) for image in IMAGES]
    needs = re.findall(r"^FROM (\S+) AS (\S+)-needs$", DOCKERFILE, re.MULTILINE)
    assert needs == [*zip(("base", *(f"{image}-needs" for image in IMAGES)), IMAGES, strict=False)]


def test_the_images_have_what_the_library_needs() -> None:
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text())["project"]
    commands = re.sub(r"\\\n", " ", DOCKERFILE).splitlines()
    installed = {
        word
        for line in commands
        if "constraints.txt" in line
        for word in line.split(" && ")[0].split("constraints.txt", 1)[1].split()
        if re.fullmatch(r"[a-z][a-z0-9-]+", word)
    }
    needs = [*project["dependencies"], *project["optional-dependencies"]["clock"]]
    assert installed == {re.split(r"[<>=]", need)[0] for need in needs}


@pytest.mark.parametrize("name", ["lolhl_cpu", "lolhl_l4", "lolhl_a100", "lolhl_h100", "lolhl_h200"])
def test_machines_have_names(name: str) -> None:
    assert named_resources[name].gpu == (0 if name == "lolhl_cpu" else 1)


def test_the_library_does_not_know_torchx() -> None:
    library = (HERE.parent / "lolhl").rglob("*.py")
    imports = re.compile(r"^\s*(import|from) (torchx|components)", re.MULTILINE)
    assert not [path for path in library if imports.search(path.read_text())]


def test_a_stage_as_a_job(in_repository: dict[str, str], tmp_path: Path) -> None:
    table = tmp_path / "t.tsv"
    table.write_text("vid_id\tstart\tstop\nv\t0:00:01\t0:00:05\n")
    command = ["torchx", "run", "-s", "local_cwd", "-cfg", f"log_dir={tmp_path}/logs", "components/labels.py:labels"]
    root = tmp_path / "root"
    subprocess.run([*command, "--", str(table), "--root", str(root)], env=in_repository, check=True)
    assert open_root(str(root)).read("labels/v.tsv") == b"vid_id\tstart\tstop\nv\t0:00:01\t0:00:05\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("train.py:train -j abc -- x", "torchx: Invalid format for -j, usage example: 1:2x4 or 1x4 or 4. Given: abc"),
        ("extract.py:extract -h nope -- x", "torchx: No named resource found for `nope`"),
        ("labels.py:labels --mounts nonsense -- x", "torchx: unknown mount option nonsense"),
        ("nothing.py:nothing -- x", "torchx: components/nothing.py does not exist"),
    ],
)
def test_what_is_wrong_in_the_options_of_torchx_is_one_line(
    words: str, message: str, in_repository: dict[str, str]
) -> None:
    """Also where the virtual environment is not on PATH."""
    torchx = str(Path(sys.executable).parent / "torchx")
    done = subprocess.run(
        [torchx, "run", "-s", "local_cwd", *f"components/{words}".split()],
        env={**in_repository, "PATH": "/usr/bin:/bin"},
        cwd=HERE.parent,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert message in done.stderr.splitlines()[-1]


@pytest.mark.slow
def test_the_pipeline_runs_every_stage_and_goes_on_where_it_failed(
    tmp_path: Path, in_repository: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", in_repository["PATH"])
    write_stream(tmp_path, "a", seed=1)
    write_stream(tmp_path, "b", seed=2)
    learn, find = Stream(str(tmp_path / "a.mp4"), "a"), Stream(str(tmp_path / "b.mp4"), "b")
    root = tmp_path / "root"
    labels = [str(tmp_path / "a.tsv"), str(tmp_path / "b.tsv")]
    todo = pipeline.jobs([learn], [find], labels, "m", str(root), ["--epochs", "3"])
    cfg: dict[str, str] = {"log_dir": str(tmp_path / "logs")}

    hidden = shutil.move(tmp_path / "b.tsv", tmp_path / "hidden")
    out = io.StringIO()
    assert not pipeline.run(todo, "local_cwd", dict(cfg), None, out)
    assert "labels: FAILED" in out.getvalue()
    assert "b.tsv" in out.getvalue()
    log = re.search(r"log: (.*)", out.getvalue())
    assert log is not None
    assert list(Path(log[1]).rglob("stderr.log"))

    shutil.move(hidden, tmp_path / "b.tsv")
    out = io.StringIO()
    assert pipeline.run(todo, "local_cwd", dict(cfg), None, out), out.getvalue()
    assert "random ranking" in out.getvalue()
    assert f"page: {root}/highlights/b/report.html" in out.getvalue()
    stored = open_root(str(root))
    manifests = [
        "vods/a/vod",
        "vods/b/vod",
        "frames/a/3fps-224px-squeeze-q90/frameset",
        "datasets/m/dataset",
        "models/m/model",
    ]
    manifests += ["highlights/b/scores", "highlights/b/highlights"]
    before = {key: stored.stat(f"{key}.json") for key in manifests}
    assert None not in before.values()
    assert not list(stored.list("frames/b/"))  # scored straight from the video

    out = io.StringIO()
    assert pipeline.run(todo, "local_cwd", dict(cfg), None, out)
    assert "extract: done already" in out.getvalue()
    assert {key: stored.stat(f"{key}.json") for key in manifests} == before


CALL = ["--root", "s3://b/x", "--model", "m", "--learn", "a.mp4", "--find", "b.mp4", "--labels", "t.tsv"]


def test_the_pipeline_s_jobs_are_set_as_those_of_torchx_run(in_repository: dict[str, str]) -> None:
    assert in_repository
    there = {"namespace": "lolhl", "queue": "lolhl", "service_account": "lolhl-stage"}
    assert pipeline.configured("kubernetes", []) == there
    assert pipeline.configured("kubernetes", ["queue=own", "namespace=n"]) == {
        **there,
        "queue": "own",
        "namespace": "n",
    }
    assert "AWS_*" in str(pipeline.configured("local_docker", [])["copy_env"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--cfg", "queue"], "--cfg queue: give NAME=VALUE, with a name of"),
        (["--cfg", "qeue=a"], "--cfg qeue=a: give NAME=VALUE, with a name of"),
        (["--scheduler", "cluster"], "choose from 'local_cwd', 'local_docker', 'slurm', 'kubernetes'"),
        (["--scheduler", "local_docker", "--root", "here"], "--root here: containers do not share a folder"),
    ],
)
def test_a_wrong_call_of_the_pipeline(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        pipeline.main([*CALL, *words])
    assert ended.value.code == 2
    assert message in capsys.readouterr().err.splitlines()[-1]


def test_a_scheduler_that_does_not_answer_is_one_line(
    in_repository: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", in_repository["PATH"])
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/nothing")
    assert pipeline.main([*CALL, "--scheduler", "local_docker"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("download: local_docker did not take the job: ")
    assert out.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_pipeline_that_is_stopped_ends_its_job(
    in_repository: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as never:  # answers nothing, so the first job waits for its video
        never.settimeout(60)
        video = f"v=http://127.0.0.1:{never.getsockname()[1]}/v.mp4"
        command = ["env", "--default-signal=INT", sys.executable, "-m", "components.pipeline", *CALL, "--learn", video]
        command += ["--root", str(tmp_path / "root"), "--cfg", f"log_dir={tmp_path}/logs"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=in_repository) as process:
            connection, _ = never.accept()
            with connection:
                process.send_signal(number)
                error = process.communicate()[1]
                connection.settimeout(60)
                with suppress(ConnectionResetError):
                    while connection.recv(1000):  # until the job has ended
                        pass
    assert (process.returncode, error.count("\n")) == (128 + number, 1), error
    assert "the same command goes on from here" in error


def test_a_source_may_have_a_name() -> None:
    assert pipeline._stream("final=https://example.org/v.mp4") == Stream("https://example.org/v.mp4", "final")
    assert pipeline._stream("https://example.org/v.mp4?a=b") == Stream("https://example.org/v.mp4?a=b", "v")
    assert pipeline._stream("videos/day 1.mp4").source == "videos/day 1.mp4"
    assert pipeline._stream("https://www.twitch.tv/videos/186") == Stream("https://www.twitch.tv/videos/186", "186")
