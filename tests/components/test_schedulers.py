"""The schedulers of `components/schedulers`, against servers that answer as Docker's and Kubernetes' APIs do."""

import io
import json
import logging
import os
import re
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from torchx.runner import Runner, get_runner

import components
from components import pipeline
from components.schedulers.errors import SchedulerError
from tests.components.test_golden import CREDENTIALS, NIGHTLY

HERE = Path(components.__file__).parent
Answer = Callable[[str, Any], tuple[int, Any]]  # path, body → status, body


@contextmanager
def served(answer: Answer) -> Iterator[str]:
    """A server on loopback; its address."""

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, content = answer(self.path, json.loads(body) if body else None)
            text = content.encode() if isinstance(content, str) else json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain" if isinstance(content, str) else "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def run(runner: Runner, stage: str, scheduler: str, cfg: Mapping[str, Any], *options: str) -> str:
    handle = runner.run_component(f"{HERE}/{stage}.py:{stage}", [*options, "--", "x"], scheduler, cfg)
    return str(handle)


def torchx(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "torchx.cli.main", "--log_level", "WARNING", *arguments],
        cwd=HERE.parent, env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


# Docker


def docker_api(created: dict[str, Any]) -> Answer:
    """As much of Docker's API as starting a container asks for; what is created goes into `created`, by its name.

    No container is there when it is looked for.
    """

    def answer(path: str, body: Any) -> tuple[int, Any]:
        if path == "/version":
            return 200, {"ApiVersion": "1.44", "MinAPIVersion": "1.24"}
        if "/images/create" in path:
            return 404, {"message": "pull access denied"}
        if "/networks/create" in path:
            return 201, {"Id": "network"}
        if match := re.search(r"/containers/create\?name=(.*)", path):
            if body["Image"] == "odd:1":
                return 409, {"message": "the name is\ntaken"}
            created[match[1]] = body
            return 201, {"Id": match[1]}
        if path.endswith("/start"):
            return 204, ""
        if "/containers/json" in path:
            return 200, []
        return 200, {"Id": "it", "Name": "/it", "Config": {}, "State": {"Status": "running"}, "Image": "it"}

    return answer


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    created: dict[str, Any] = {}
    with served(docker_api(created)) as address:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://{address}")
        for name, value in CREDENTIALS.items():
            monkeypatch.setenv(name, value)
        yield created


COPIED = {"copy_env": ["AWS_*", "LOLHL_TWITCH_TOKEN", "MLFLOW_*"]}


@pytest.mark.parametrize(
    ("stage", "missing"),
    [
        ("extract", {"LOLHL_TWITCH_TOKEN", "MLFLOW_TRACKING_PASSWORD"}),
        ("download", {"MLFLOW_TRACKING_PASSWORD"}),
        ("train", {"LOLHL_TWITCH_TOKEN"}),
    ],
)
def test_a_container_gets_the_values_that_its_stage_needs(
    docker: dict[str, Any], stage: str, missing: set[str]
) -> None:
    with get_runner() as runner:
        run(runner, stage, "local_docker", COPIED)
    (container,) = docker.values()
    environment = dict(pair.split("=", 1) for pair in container["Env"])
    wanted = {"AWS_SECRET_ACCESS_KEY", "LOLHL_TWITCH_TOKEN", "MLFLOW_TRACKING_PASSWORD"}
    assert {name: environment.get(name) for name in wanted} == {
        name: None if name in missing else CREDENTIALS[name] for name in wanted
    }
    assert environment["PYTHONUNBUFFERED"] == "1"
    assert container["HostConfig"]["CapDrop"] == ["ALL"]
    assert container["HostConfig"]["SecurityOpt"] == ["no-new-privileges"]


def test_what_the_command_line_sets_goes_before_what_is_copied(docker: dict[str, Any]) -> None:
    with get_runner() as runner:
        run(runner, "extract", "local_docker", {**COPIED, "env": {"AWS_ACCESS_KEY_ID": "mine"}})
    (container,) = docker.values()
    assert "AWS_ACCESS_KEY_ID=mine" in container["Env"]


def test_neither_logs_nor_events_nor_the_request_hold_a_value(
    docker: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    events = logging.getLogger("torchx-events-null")  # TorchX's own record of what it was asked for
    events.addHandler(caplog.handler)
    try:
        with get_runner() as runner:
            planned = runner.dryrun_component(f"{HERE}/train.py:train", ["--", "x"], "local_docker", dict(COPIED))
            runner.schedule(planned)
    finally:
        events.removeHandler(caplog.handler)
    assert docker
    assert "containers/create" in caplog.text
    text = caplog.text + repr(planned) + repr(vars(planned)) + repr(planned.request.containers)
    assert not [name for name, value in CREDENTIALS.items() if value in text]


@pytest.mark.usefixtures("docker")
def test_what_docker_refuses_is_one_line() -> None:
    with get_runner() as runner, pytest.raises(SchedulerError, match=r"^Docker refused: the name is taken$"):
        run(runner, "extract", "local_docker", {}, "--image", "odd:1")


def pipeline_of_one(out: io.StringIO) -> bool:
    cfg = pipeline.configured("local_docker", [])
    return pipeline.run([pipeline.Job("extract", ("x",))], "local_docker", cfg, None, out)


def test_the_pipeline_s_job_whose_containers_are_gone_has_failed(docker: dict[str, Any]) -> None:
    out = io.StringIO()
    assert not pipeline_of_one(out)
    assert docker
    assert re.fullmatch(
        r"extract: FAILED after \d+ s: local_docker has no job local_docker://\S+ any more\n", out.getvalue()
    )


def test_a_scheduler_that_goes_away_while_the_pipeline_s_job_runs_is_two_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    away = docker_api({})

    def answer(path: str, body: Any) -> tuple[int, Any]:
        return (500, {"message": "gone fishing"}) if "/containers/json" in path else away(path, body)

    monkeypatch.setattr(pipeline, "AWAY_SECONDS", 0.5)
    out = io.StringIO()
    with served(answer) as address:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://{address}")
        assert not pipeline_of_one(out)
    first, second = out.getvalue().splitlines()
    assert first == "extract: local_docker no longer answers, and the job may go on: Docker refused: gone fishing"
    assert re.fullmatch(r"  job: local_docker://\S+; once it has ended, the same command goes on from here", second)


def test_a_scheduler_that_is_away_for_a_moment_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    api, answers = docker_api({}), iter([(500, {"message": "restarting"})] * 3)

    def answer(path: str, body: Any) -> tuple[int, Any]:
        return next(answers, (200, [])) if "/containers/json" in path else api(path, body)

    out = io.StringIO()
    with served(answer) as address:
        monkeypatch.setenv("DOCKER_HOST", f"tcp://{address}")
        assert not pipeline_of_one(out)
    assert "has no job" in out.getvalue()  # what the API says once it is back


# Kubernetes


@contextmanager
def cluster(folder: Path, status: int, content: Any) -> Iterator[dict[str, str]]:
    """A cluster whose API answers every request so; the environment that leads kubectl and TorchX to it."""
    with served(lambda *_: (status, content)) as address:
        file = folder / "kubeconfig.yaml"
        context = {"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "lolhl"}}
        config = {"apiVersion": "v1", "kind": "Config", "current-context": "c", "contexts": [context]}
        config["clusters"] = [{"name": "c", "cluster": {"server": f"http://{address}"}}]
        config["users"] = [{"name": "u", "user": {"token": "t"}}]
        file.write_text(yaml.safe_dump(config))
        yield {"KUBECONFIG": str(file), "address": address}


def refusal(code: int, message: str) -> tuple[int, dict[str, Any]]:
    return code, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}


DENIED = refusal(
    400,
    'admission webhook "validatejob.volcano.sh" denied the request:  unable to find job queue: '
    'queues.scheduling.volcano.sh "lolhl"\nnot found;',
)
FORBIDDEN = refusal(403, 'jobs.batch.volcano.sh is forbidden: User "x" cannot create resource "jobs"')
NAMESPACE = refusal(404, 'namespaces "lolhl" not found')
EXPIRED = refusal(401, "Unauthorized")
REFUSALS = {
    "unknown queue": (DENIED, 'unable to find job queue: queues.scheduling.volcano.sh "lolhl" not found;'),
    "forbidden": (FORBIDDEN, 'refused: jobs.batch.volcano.sh is forbidden: User "x" cannot create'),
    "no namespace": (NAMESPACE, 'refused: namespaces "lolhl" not found'),
    "no Volcano": ((404, "404 page not found\n"), "refused: 404 Not Found; is Volcano (1.4 or newer) installed there?"),
    "expired": (EXPIRED, "refused: Unauthorized; your kubeconfig's credentials have expired"),
}


@pytest.mark.parametrize("path", ["", str(NIGHTLY)], ids=["released", "nightly"])
@pytest.mark.parametrize("case", REFUSALS)
def test_what_a_cluster_refuses_is_one_line_of_torchx_run(case: str, path: str, tmp_path: Path) -> None:
    answer, message = REFUSALS[case]
    with cluster(tmp_path, *answer) as environment:
        run = ("run", "-s", "kubernetes", "components/extract.py:extract", "--replicas", "2", "--max_retries", "1")
        done = torchx(*run, "--", "x", **environment, PYTHONPATH=path)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert done.stderr.startswith("torchx: the cluster's API ")
    assert message in done.stderr


def test_a_job_that_is_gone_is_one_line(tmp_path: Path) -> None:
    with cluster(tmp_path, *refusal(404, "not found")) as environment:
        done = torchx("status", "kubernetes://torchx/lolhl:gone", **environment)
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert "does not exist" in done.stderr


def test_no_cluster_is_one_line(tmp_path: Path) -> None:
    run = ("run", "-s", "kubernetes", "components/extract.py:extract", "--", "x")
    done = torchx(*run, KUBECONFIG=str(tmp_path / "none"))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith("torchx: no cluster is known: ")


@pytest.mark.parametrize("scheduler", ["local_docker", "kubernetes"])
def test_a_scheduler_that_does_not_answer_is_one_line(scheduler: str, tmp_path: Path) -> None:
    with cluster(tmp_path, 200, {}) as environment:
        pass  # nothing answers at this address any more
    environment["DOCKER_HOST"] = "tcp://" + environment.pop("address")
    done = torchx("run", "-s", scheduler, "components/extract.py:extract", "--", "x", **environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert [line for line in done.stderr.splitlines() if "WARNING" not in line] == done.stderr.splitlines()[-1:]
    assert re.search(r"^torchx: .* does not answer: .*Connection refused", done.stderr.splitlines()[-1])
    assert "object at 0x" not in done.stderr.splitlines()[-1]


def test_retries_are_not_warned_of() -> None:
    with warnings.catch_warnings(), get_runner() as runner:
        warnings.simplefilter("error", UserWarning)
        arguments = ["--max_retries", "2", "--", "x"]
        cfg = {"queue": "lolhl"}
        planned = runner.dryrun_component(f"{HERE}/extract.py:extract", arguments, "kubernetes", cfg)
    assert planned.request.resource["spec"]["maxRetry"] == 2
