"""The workflows of .github/: YAML that parses, and calls of lolhl that its own parser takes."""

import re
import shlex
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import lolhl
from lolhl import cli
from lolhl.stages import table

FOLDER = Path(__file__).parents[1] / ".github/workflows"
VALUES = {"file": "labels/a.tsv", "LOLHL_LIKE": "first"}


def workflow(name: str) -> dict[str, Any]:
    # YAML 1.1 reads the key `on` as true.
    return {("on" if key is True else key): value for key, value in yaml.safe_load((FOLDER / name).read_text()).items()}


def steps(name: str) -> list[dict[str, Any]]:
    return [step for job in workflow(name)["jobs"].values() for step in job["steps"]]


def calls(script: str) -> list[list[str]]:
    """What follows `lolhl` in a shell script, up to the end of the command, with variables filled in."""
    filled = re.sub(r"\$\{\w+:\+((?:[^{}]|\$\w+)*)\}", r"\1", script)
    filled = re.sub(r"\$(\w+)", lambda match: VALUES.get(match[1], match[0]), filled)
    return [shlex.split(words) for words in re.findall(r"bin/lolhl ([^|;>\n]*)", filled)]


def test_what_is_called_parses() -> None:
    commands = [
        words for file in FOLDER.glob("*.yml") for step in steps(file.name) for words in calls(step.get("run", ""))
    ]
    assert commands == [["labels", "labels/a.tsv", "--allow-unknown"], ["retrain", "--like", "first"]]
    for words in commands:
        arguments = cli.parser(words[0], table.load(words[0]).configs).parse_args(words)
        assert arguments.verb == words[0]
    with pytest.raises(SystemExit):  # that is: this test would notice
        cli.parser("retrain", table.load("retrain").configs).parse_args(["retrain", "--lik", "first"])


def test_retraining_runs_on_labels_on_a_schedule_and_by_hand_and_never_twice_at_once() -> None:
    content = workflow("retrain.yml")
    assert content["on"]["push"]["paths"] == ["labels/**"]
    assert re.fullmatch(r"\d+ \d+ \* \* \*", content["on"]["schedule"][0]["cron"])
    assert "workflow_dispatch" in content["on"]
    assert content["concurrency"] == {"group": "retrain", "cancel-in-progress": False}
    assert content["permissions"] == {"contents": "read"}
    assert steps("retrain.yml")[-1]["run"].endswith('tee -a "$GITHUB_STEP_SUMMARY"')


def test_credentials_are_environment_and_nothing_else() -> None:
    text = (FOLDER / "retrain.yml").read_text()
    settings = re.findall(r"(?m)^ +(\w+): \$\{\{ (secrets|vars)\.(\w+) \}\}$", text)
    assert {name for name, _, _ in settings} >= {"AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD", "LOLHL_ROOT"}
    assert all(name == source for name, _, source in settings)
    assert text.count("${{") == len(settings)
    assert all("${{" not in step.get("run", "") for step in steps("retrain.yml"))


def secrets(part: dict[str, Any]) -> set[str]:
    return {name for name, value in part.get("env", {}).items() if "secrets." in value}


def test_keys_are_in_the_steps_that_need_them_only() -> None:
    content = workflow("retrain.yml")
    assert not secrets(content)
    assert not secrets(content["jobs"]["retrain"])
    storage = {"LOLHL_S3_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    registry = {"MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"}
    keys = {step.get("name") or step.get("run") or step["uses"]: secrets(step) for step in steps("retrain.yml")}
    assert {name: held for name, held in keys.items() if held} == {"labels": storage, "retrain": storage | registry}
    assert "secrets." not in (FOLDER / "test.yml").read_text()


@pytest.mark.parametrize("name", ["retrain.yml", "test.yml"])
def test_a_workflow_has_the_least_rights_and_others_code_of_a_known_version(name: str) -> None:
    content = workflow(name)
    assert content["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in content["on"]
    for job in content["jobs"].values():
        if "container" in job:
            image = job["container"] if isinstance(job["container"], str) else job["container"]["image"]
            assert re.fullmatch(r"python:3\.11\.\d+-bookworm(@sha256:[0-9a-f]{64})?", image)
        check_actions(job)


def check_actions(job: dict[str, Any]) -> None:
    """Others' actions are GitHub's own, of a known commit, and leave no credentials behind."""
    for step in job["steps"]:
        if "uses" in step:
            assert re.fullmatch(r"actions/(checkout|setup-python)@[0-9a-f]{40}", step["uses"])
            assert "checkout" not in step["uses"] or step["with"] == {"persist-credentials": False}


def test_a_release_publishes_without_a_password_what_the_tag_names() -> None:
    release = workflow("release.yml")
    assert release["on"] == {"push": {"tags": ["v*"]}}
    assert release["permissions"] == {"contents": "read"}
    wheel, images = release["jobs"]["wheel"], release["jobs"]["images"]
    assert wheel["permissions"] == {"contents": "read", "id-token": "write"}
    assert images["permissions"] == {"contents": "write", "packages": "write"}
    assert images["needs"] == "wheel"
    assert "secrets." not in (FOLDER / "release.yml").read_text()
    for job in (wheel, images):
        check_actions(job)
        assert all("${{" not in step.get("run", "") for step in job["steps"])


def test_the_version_is_written_in_one_place() -> None:
    top = FOLDER.parents[1]
    shown = subprocess.run(["make", "-s", "version"], cwd=top, capture_output=True, text=True, check=True).stdout
    assert shown.strip() == lolhl.__version__
    project = tomllib.loads((top / "pyproject.toml").read_text())
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "lolhl.__version__"}
