"""What jobs, pods and other programs are given: no secret that they do not need; and when a job is done."""

import io
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.torture.call import Done
from tests.torture.families.http import Answer, Request, head, serving
from tests.torture.families.values import TEXTS
from tests.torture.sandbox import Sandbox

CHECKOUT = Path(__file__).parents[3]
SCHEDULERS = ("local_docker", "local_cwd", "slurm", "kubernetes")
# Of each stage: the credentials that it needs besides the storage's, and options that its component takes.
STAGES: dict[str, tuple[set[str], tuple[tuple[str, ...], ...]]] = {
    "download": ({"twitch"}, ((),)),
    "labels": (set(), ((),)),
    "clock": (set(), ((), ("--replicas", "2"))),
    "riot": ({"riot"}, ((),)),
    "extract": (set(), ((), ("--replicas", "3"), ("--max_retries", "2"), ("-h", "lolhl_l4"))),
    "dataset": (set(), ((),)),
    "train": ({"mlflow"}, ((), ("-j", "3x1"), ("-j", "1x2", "--max_retries", "1"), ("-h", "lolhl_h100"))),
    "infer": (set(), ((), ("--replicas", "20"), ("--replicas", "2", "-h", "lolhl_a100"))),
    "report": (set(), ((), ("--replicas", "2"))),
    "analyse": ({"mlflow"}, ((), ("--max_retries", "1"))),
    "retrain": ({"mlflow"}, ((), ("--max_retries", "1"))),
    "rollback": ({"mlflow"}, ((),)),
}
VARIABLES = {"mlflow": "MLFLOW_TRACKING_PASSWORD", "riot": "LOLHL_RIOT_KEY", "twitch": "LOLHL_TWITCH_TOKEN"}


# Dry runs


def dry_run(sandbox: Sandbox, scheduler: str, stage: str, options: tuple[str, ...] = (), word: str = "x") -> Done:
    """What `torchx run --dryrun` prints for a stage holds no secret; what a cluster gets has the least rights."""
    sandbox.write(".torchxconfig", (CHECKOUT / ".torchxconfig").read_bytes())
    component = f"{CHECKOUT}/components/{stage}.py:{stage}"
    words = ("run", "--dryrun", "-s", scheduler, component, *options, "--", word)
    done = sandbox.run(*words, program="torchx", check=False)
    sandbox.expect(not done.late, f"{done.call}: not over after {done.seconds:.0f} s")
    sandbox.expect("Traceback" not in done.err, f"{done.call}: traceback: {done.error}")
    sandbox.expect(sandbox.secret not in done.out + done.err, f"{done.call}: prints a secret")
    sandbox.expect(done.code == 0, f"{done.call}: exit code {done.code}: {done.error}")
    if done.failed:
        return done
    request = done.out.partition("=== SCHEDULER REQUEST ===\n")[2]
    if scheduler == "local_docker":
        named = {credential for credential, variable in VARIABLES.items() if f"- {variable}\n" in request}
        sandbox.expect("- AWS_SECRET_ACCESS_KEY\n" in request, f"{done.call}: the container gets no key of the storage")
        sandbox.expect(named == STAGES[stage][0], f"{done.call}: the container gets the credentials {sorted(named)}")
    if scheduler == "kubernetes":
        _check_job(sandbox, stage, yaml.safe_load(io.StringIO(request))["spec"])
    return done


def _check_job(sandbox: Sandbox, stage: str, job: dict[str, Any]) -> None:
    """A Volcano job says when it starts and has succeeded, and its pods get what they need and no more."""
    count = len(job["tasks"])
    least = count if stage == "train" else 1  # the processes of a training start together
    sandbox.expect(job.get("minAvailable") == least, f"{stage}: minAvailable {job.get('minAvailable')}, not {least}")
    sandbox.expect(job.get("minSuccess") == count, f"{stage}: minSuccess {job.get('minSuccess')} of {count} tasks")
    for task in job["tasks"]:
        each = int(least == count)
        sandbox.expect(
            task.get("minAvailable") == each, f"{stage}: {task['name']} waits for {task.get('minAvailable')}"
        )
        pod = task["template"]["spec"]
        (container,) = pod["containers"]
        secrets = {source["secretRef"]["name"] for source in container["envFrom"] if "secretRef" in source}
        needed = {"lolhl-storage", *(f"lolhl-{credential}" for credential in STAGES[stage][0])}
        sandbox.expect(secrets == needed, f"{stage}: its pods get the Secrets {', '.join(sorted(secrets))}")
        rights = container["securityContext"]
        sandbox.expect(
            pod.get("automountServiceAccountToken") is False, f"{stage}: its pods see a token of the cluster"
        )
        sandbox.expect(pod["securityContext"].get("runAsNonRoot"), f"{stage}: its pods run as root")
        sandbox.expect(rights.get("capabilities") == {"drop": ["ALL"]}, f"{stage}: its pods have capabilities")
        sandbox.expect(rights.get("readOnlyRootFilesystem"), f"{stage}: its pods may write to their image")


def dry_runs(scheduler: str) -> Callable[[Sandbox], None]:
    def case(sandbox: Sandbox) -> None:
        for stage, (_, options) in STAGES.items():
            dry_run(sandbox, scheduler, stage, options[-1])

    return case


def gangs(sandbox: Sandbox) -> None:
    """Training starts all at once; of stages that share VODs one is enough."""
    for stage in ("extract", "train", "infer"):
        for options in STAGES[stage][1]:
            dry_run(sandbox, "kubernetes", stage, options)


def all_variables(sandbox: Sandbox) -> None:
    """The user copies the whole environment."""
    for stage in ("extract", "train"):
        done = dry_run(sandbox, "local_docker", stage)
        words = (*done.call.words[:4], "-cfg", "copy_env=*", *done.call.words[4:])
        every = sandbox.run(*words, program="torchx", check=False)
        sandbox.expect(every.code == 0, f"{every.call}: exit code {every.code}: {every.error}")
        sandbox.expect("DATABASE_URL" in every.out, f"{every.call}: does not name what the container gets")
        sandbox.expect(sandbox.secret not in every.out + every.err, f"{every.call}: prints a secret")


def _refusing(status: str, message: str) -> Answer:
    def answer(_: Request) -> Iterator[bytes]:
        body = json.dumps({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message}).encode()
        yield head(status, Content_Type="application/json", Content_Length=len(body))
        yield body

    return answer


def refusal(status: str, message: str) -> Callable[[Sandbox], None]:
    """A cluster that refuses a job: one line with what it says, and no warning of retries."""

    def case(sandbox: Sandbox) -> None:
        with serving(_refusing(status, message)) as server:
            context = {"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "lolhl"}}
            config = sandbox.home / ".kube/config"  # not by KUBECONFIG, which is read when the client is imported
            config.parent.mkdir()
            config.write_text(yaml.safe_dump({
                "apiVersion": "v1", "kind": "Config", "current-context": "c", "contexts": [context],
                "clusters": [{"name": "c", "cluster": {"server": server.url}}],
                "users": [{"name": "u", "user": {"token": "t"}}],
            }))  # fmt: skip
            sandbox.write(".torchxconfig", (CHECKOUT / ".torchxconfig").read_bytes())
            component = f"{CHECKOUT}/components/extract.py:extract"
            words = ("--log_level", "WARNING", "run", "-s", "kubernetes", component, "--max_retries", "2", "--", "x")
            done = sandbox.run(*words, program="torchx", check=False)
        sandbox.expect(done.code == 1, f"{done.call}: exit code {done.code}")
        sandbox.expect(done.err.count("\n") == 1, f"{done.call}: more than a line: {done.err[-300:]!r}")
        sandbox.expect(done.err.startswith("torchx: "), f"{done.call}: ends with {done.error!r}")
        sandbox.expect(message.split("\n")[0] in done.err, f"{done.call}: does not say why: {done.error}")

    return case


# Manifests and workflows


def policies(sandbox: Sandbox) -> None:
    """Pods ask the cluster's own DNS only, and reach neither its API nor the machines' metadata."""
    rules = [thing for thing in _objects() if thing["kind"] == "NetworkPolicy"]
    namespaces = {"lolhl", "lolhl-mlflow"}
    for name in ("lolhl-nothing", "lolhl-dns"):
        covered = {rule["metadata"]["namespace"] for rule in rules if rule["metadata"]["name"] == name}
        sandbox.expect(covered == namespaces, f"{name}: of the namespaces {sorted(covered)} only")
    for rule in rules:
        name = f"{rule['metadata']['namespace']}/{rule['metadata']['name']}"
        for way in rule["spec"].get("egress", []):
            ports = {port["port"] for port in way.get("ports", [])}
            sandbox.expect(way.get("to"), f"{name}: opens {sorted(ports)} to anywhere")
            for peer in way.get("to", []):
                is_dns = 53 not in ports or (peer.get("namespaceSelector") and peer.get("podSelector"))
                sandbox.expect(is_dns, f"{name}: port 53 is open to other servers than the cluster's DNS: {peer}")
                block = peer.get("ipBlock", {"cidr": ""})
                is_safe = block["cidr"] != "0.0.0.0/0" or {"169.254.0.0/16", "10.0.0.0/8"} <= {*block.get("except", ())}
                sandbox.expect(is_safe, f"{name}: machines' metadata or the cluster's API can be reached")


def namespaces(sandbox: Sandbox) -> None:
    """Who may start jobs can mount each Secret of the namespace: the database's is in another one."""
    for thing in _objects():
        name, namespace = thing["metadata"]["name"], thing["metadata"].get("namespace")
        if thing["kind"] != "Namespace" and ("database" in name or name == "lolhl-mlflow"):
            sandbox.expect(namespace == "lolhl-mlflow", f"{thing['kind']} {name} is in the namespace {namespace}")
        if thing["kind"] == "Role":
            resources = {resource for rule in thing["rules"] for resource in rule["resources"]}
            sandbox.expect(not resources & {"secrets", "pods/exec", "*"}, f"{name} may reach {sorted(resources)}")
        for image in _images(thing):
            sandbox.expect(":" in image or image.startswith("lolhl/"), f"{name}: no version of {image} is said")


def _objects() -> list[dict[str, Any]]:
    files = sorted((CHECKOUT / "manifests/base").glob("*.yaml"))
    things = [thing for file in files for thing in yaml.safe_load_all(file.read_text())]
    return [thing for thing in things if thing and thing["kind"] != "Kustomization"]


def _images(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        yield from (value for name, value in part.items() if name == "image" and isinstance(value, str))
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from _images(inner)


def workflows(sandbox: Sandbox) -> None:
    """Keys are in no step but those that need them, and others' code has an exact version."""
    needed = {"AWS_SECRET_ACCESS_KEY": {"labels", "retrain"}, "MLFLOW_TRACKING_PASSWORD": {"retrain"}}
    steps: dict[str, set[str]] = {name: set() for name in needed}
    for file in sorted((CHECKOUT / ".github/workflows").glob("*.yml")):
        workflow = yaml.safe_load(file.read_text())
        for part in (workflow, *workflow["jobs"].values()):
            held = [name for name, value in part.get("env", {}).items() if "secrets." in str(value)]
            sandbox.expect(not held, f"{file.name}: all steps see {', '.join(held)}")
        for step in (step for job in workflow["jobs"].values() for step in job["steps"]):
            for name in needed:
                if "secrets." in str(step.get("env", {}).get(name)):
                    steps[name].add(step.get("name", "a step without a name"))
            version = step.get("uses", "x@" + "0" * 40).partition("@")[2]
            sandbox.expect(len(version) == 40, f"{file.name}: {step.get('uses')} has no exact version")
    sandbox.expect(steps == needed, f"steps that see keys: {steps}")


# Programs that lolhl starts


def ffmpeg_environment(sandbox: Sandbox) -> None:
    """ffmpeg reads what strangers made, and sees no secret."""
    sandbox.take()
    sandbox.take_inputs("a.mp4")
    tools = sandbox.folder / "tools"
    tools.mkdir()
    seen = tools / "seen"
    (tools / "ffmpeg").write_text(f'#!/bin/sh\nenv >> {seen}\nexec {shutil.which("ffmpeg")} "$@"\n')
    (tools / "ffmpeg").chmod(0o755)
    environ = {"PATH": f"{tools}:{sandbox.environ['PATH']}"}
    sandbox.succeed("download", "a.mp4", "--name", "n", "--start", "1", "--stop", "3", environ=environ)
    sandbox.succeed("report", "a", "--force", "--top", "1", environ=environ)
    sandbox.expect(seen.exists(), "no ffmpeg was started")
    if seen.exists():
        _check_environment(sandbox, "ffmpeg", seen.read_text())


def twitch_environment(sandbox: Sandbox) -> None:
    """twitch-dl gets Twitch's token alone, by the names that it knows."""
    tools = sandbox.folder / "tools"
    (tools / "twitchdl").mkdir(parents=True)
    seen = tools / "seen"
    lines = ("import os, sys", f"print(*map('='.join, os.environ.items()), sep='\\n', file=open({str(seen)!r}, 'a'))",
             "sys.exit('no')")  # fmt: skip
    (tools / "twitchdl/__init__.py").touch()
    (tools / "twitchdl/__main__.py").write_text("\n".join(lines))
    sandbox.run("download", "1863051677", environ={"PYTHONPATH": f"{tools}:{sandbox.environ['PYTHONPATH']}"})
    sandbox.expect(seen.exists(), "no twitch-dl was started")
    if seen.exists():
        token = f"AUTH_TOKEN=twitch-{sandbox.secret}\n"
        sandbox.expect(token in seen.read_text(), "twitch-dl does not get Twitch's token")
        _check_environment(sandbox, "twitch-dl", seen.read_text().replace(token, ""))


def _check_environment(sandbox: Sandbox, program: str, environment: str) -> None:
    held = [line.partition("=")[0] for line in environment.splitlines() if sandbox.secret in line]
    sandbox.expect(not held, f"{program} sees {', '.join(sorted({*held}))}")
    sandbox.expect("PATH=" in environment, f"{program} has no PATH")


NAMED: Mapping[str, Callable[[Sandbox], None]] = {
    **{f"dry-run-{scheduler}": dry_runs(scheduler) for scheduler in SCHEDULERS},
    "all-variables": all_variables,
    "gangs": gangs,
    "unknown-queue": refusal("400 Bad Request", 'admission webhook denied the request: no queue "lolhl"\nnot found'),
    "forbidden": refusal("403 Forbidden", "jobs.batch.volcano.sh is forbidden"),
    "no-namespace": refusal("404 Not Found", 'namespaces "lolhl" not found'),
    "network-policies": policies,
    "namespaces": namespaces,
    "workflow-keys": workflows,
    "ffmpeg-environment": ffmpeg_environment,
    "twitch-environment": twitch_environment,
}


# Others


def draw(sandbox: Sandbox) -> None:
    """A job of any stage on any scheduler, perhaps with an odd argument."""
    rng = sandbox.rng
    stage = rng.choice([*STAGES])
    word = "x"
    if rng.random() < 0.5:  # TorchX fills in what looks like its macros, and YAML holds no control characters
        words = [text for text in TEXTS if text.isprintable() and text.isascii() and not {*"$%{}"} & {*text}]
        word = rng.choice([text for text in words if text.strip() and len(text) < 1000])
    dry_run(sandbox, rng.choice(SCHEDULERS), stage, rng.choice(STAGES[stage][1]), word)
