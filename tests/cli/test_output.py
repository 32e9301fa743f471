"""What the verbs print, and how they end."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lolhl import __version__
from lolhl.config import settings
from lolhl.stages import table
from lolhl.stages.download import download
from lolhl.stages.table import STAGES
from lolhl.storage import Root
from tests.cli.process import lolhl, outcome
from tests.streams import action_video


def test_file_names_may_be_odd(root: Root, films: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    odd = films / "what? \u2116 1 'x'.mp4"
    assert outcome(capsys, ["download", str(odd), "--root", root.url])[0] == 0
    assert json.loads(root.read("vods/what-No-1-x/vod.json"))["result"]["title"] == odd.stem
    shutil.copy(films / "film.mp4", tmp_path / "-x.mp4")
    assert outcome(capsys, ["download", "--root", root.url, "--", "-x.mp4"])[0] == 0
    no_text = os.fsencode(tmp_path) + b"/caf\xe9.mp4"
    Path(os.fsdecode(no_text)).hardlink_to(tmp_path / "-x.mp4")
    done = lolhl("download", no_text, "--root", root.url)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "rename it" in done.stderr


def test_of_several_vods_those_that_were_not_begun_are_named(root: Root) -> None:
    done = lolhl("report", "x", "y", "z", "--root", root.url)
    assert done.returncode == 1
    named, error = done.stderr.splitlines()
    assert named == "report: ends at x; not begun: y, z"
    assert "vods/x/vod.json does not exist" in error


def test_ctrl_c_is_one_line(root: Root, tmp_path: Path) -> None:
    download(root, str(action_video(tmp_path / "long.mp4", [], seconds=300)))
    begun = (
        Path(root.url) / "frames/long/3fps-2048px-squeeze-q90/unfinished.json"
    )  # written with the first shard of several
    # Where the tests were started in the background, a child would ignore the signal as they do.
    command = ["env", "--default-signal=INT", sys.executable, "-m", "lolhl", "extract", "long", "--size", "2048"]
    command += ["--quiet", "--root", root.url]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        while not begun.exists() and process.poll() is None:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate()
    message = "lolhl extract: interrupted; the same command goes on from here\n"
    assert (process.returncode, out, error) == (130, "", message)
    assert not root.stat("frames/long/3fps-2048px-squeeze-q90/frameset.json")


def strict(text: str) -> Any:
    """A JSON value, without the NaN and Infinity that Python would read."""
    return json.loads(text, parse_constant=pytest.fail)


def test_json_is_one_value_a_line(root: Root, films: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = str(films / "film.mp4")
    for words, lines in (
        (["download", film], 1),
        (["extract", "film", "b", "--size", "64"], 2),
        (["dataset", "n", "a", "a"], 1),
        (["train", "n", "--dataset", "d", "--epochs", "1"], 1),
        (["infer", "m", "film", "c"], 2),
        (["report", "film", "a", "--clips", "none"], 2),
        (["labels", str(films / "good.tsv")], 1),
        (["run", film, "--name", "r", "--model", "m", "--source", "video"], 1),
    ):
        for _ in range(2):  # the second time it is done already
            code, out, error = outcome(capsys, [*words, "--json", "--quiet", "--root", root.url])
            assert (code, out.count("\n")) == (0, lines), error
            assert all(strict(line)["peak_memory_mb"]["resident"] > 0 for line in out.splitlines())
            assert "Traceback" not in error
    assert json.loads(root.read("vods/r/vod.json"))["result"]["source"] == film
    assert json.loads(root.read("highlights/r/scores.json"))["result"]["source"] == "video"
    assert json.loads(root.read("datasets/n/dataset.json"))["result"]["vods"] == ["a"]


def test_the_peak_of_memory_is_printed_at_the_end(root: Root) -> None:
    done = lolhl("infer", "m", "a", "--root", root.url)
    assert done.returncode == 0
    assert re.search(r"^lolhl infer: peak memory \d+\.\d MB, ", done.stderr.splitlines()[-1])
    assert "memory" not in done.stdout
    assert lolhl("infer", "m", "a", "--root", root.url, "--quiet").stderr == ""


def on_terminal(words: list[str]) -> str:
    """What a call shows on a terminal of 100 columns."""
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, 100))
    with subprocess.Popen(
        [sys.executable, "-m", "lolhl", *words], stdout=subprocess.DEVNULL, stderr=terminal
    ) as process:
        os.close(terminal)
        shown = b""
        with suppress(OSError):  # how Linux tells the end
            while some := os.read(controller, 1000):
                shown += some
    os.close(controller)
    assert process.returncode == 0, shown
    return shown.decode()


def test_a_terminal_sees_progress_unless_quiet(root: Root, films: Path) -> None:
    seen = on_terminal(["run", str(films / "film.mp4"), "--name", "r", "--model", "m", "--root", root.url])
    for work in ("scan r", "refine r"):
        assert re.search(rf"\r{work}: +\d+% \|.*\| \d+/\d+ \w+ \[.* left, ", seen), seen
    seen = on_terminal(["extract", "c", "--size", "64", "--root", root.url])
    assert re.search(r"\rextract c: +\d+% \|.*\| 4/4 s \[00:00 left, \d+\.\dx real time\]", seen), seen
    assert on_terminal(["extract", "c", "--size", "64", "--force", "--quiet", "--root", root.url]) == ""


def test_what_is_done_before_a_failure_is_told(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, error = outcome(capsys, ["infer", "m", "c", "zzz", "--json", "--root", root.url])
    assert (code, strict(out)["vod"], error.count("\n")) == (1, "c", 1)


def test_what_is_left_of_a_broken_run_is_made_anew(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    """A cache and a note of progress are no input: damaged, they cost time and nothing else."""
    for key in [stat.key for stat in root.list("tracks/a/")]:
        whole = root.read(key)
        for damaged in (whole[:100], b"", whole[:-10]):
            root.write(key, damaged)
            assert outcome(capsys, ["infer", "m", "a", "--force", "--root", root.url])[0] == 0
            assert root.read(key) == whole
    for damaged in (b"", b"[]", b"{}", b'{"digest": '):
        root.write("frames/c/3fps-64px-squeeze-q90/unfinished.json", damaged)
        assert outcome(capsys, ["extract", "c", "--size", "64", "--force", "--root", root.url])[0] == 0


@pytest.mark.parametrize("verb", STAGES)
def test_help_names_every_setting_and_its_default(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    code, out, error = outcome(capsys, [verb, "--help"])
    options = " ".join(out.split()).partition("options:")[2]
    assert (code, error) == (0, "")
    flags = set(re.findall(r"(?m)^  (--[a-z-]+)", out))
    dests = [word.name for word in (*STAGES[verb].words, *STAGES[verb].options)]
    for config in table.load(verb).configs:
        for setting in settings(config):
            dests.append(setting.name)
            assert setting.flag in flags
            described = re.search(rf"{setting.flag}\b(.*?) {re.escape(setting.help)}( \([^)]*\))?", options)
            assert described
            assert f"{{{','.join(setting.choices)}}}" in described[1] or not setting.choices
            assert str(setting.range) in (described[2] or "")
            if setting.default is not None:
                default = ("no", "yes")[setting.default] if setting.kind is bool else setting.default
                assert described[2].endswith(f"default: {default})")
    assert len(dests) == len(set(dests)), "two settings of one name overwrite each other"
    assert {"--root", "--force", "--json", "--quiet"} <= flags


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = outcome(capsys, ["--help"])
    assert code == 0
    assert all(re.search(rf"(?m)^    {verb} +\w", out) for verb in STAGES)
    assert outcome(capsys, ["--version"]) == (0, f"lolhl {__version__}\n", "")
