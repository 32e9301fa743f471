"""What a caller sees where names, numbers, streams or the machine are hostile: one line, and nothing that is secret."""

import json
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import tempfile
from fractions import Fraction
from pathlib import Path

import pytest

from lolhl import cli
from lolhl.config import settings
from lolhl.errors import LolhlError
from lolhl.stages import table
from lolhl.stages.table import STAGES
from lolhl.storage import Root, open_root
from tests.cli.process import lolhl, outcome
from tests.streams import action_video

FAULT = "this is a fault in lolhl"
NUMBERS = ["", "nan", "-inf", "1e400", "-1", "9" * 5000, "1e-4000", "1e9999999", "\u0663", "0x1", "1e-400", "1/0"]


def in_shell(command: str) -> "subprocess.CompletedProcess[str]":
    """A command with redirections or limits; {lolhl} stands for the program."""
    program = f"{shlex.quote(sys.executable)} -m lolhl"
    return subprocess.run(
        ["bash", "-c", command.replace("{lolhl}", program)], capture_output=True, text=True, check=False
    )


def assert_one_line(error: str) -> None:
    assert error.count("\n") == 1, error
    assert re.match(r"lolhl( \w+)?: ", error), error
    assert FAULT not in error
    assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", error) is None, ascii(error)


def test_control_characters_of_names_are_escaped(tmp_path: Path) -> None:
    odd = "esc\x1b]0;pwned\x07\x9b\u202e\n.mp4"
    film = action_video(tmp_path / "film.mp4", [], seconds=2)
    shutil.copy(film, tmp_path / odd)
    done = lolhl("download", str(tmp_path / odd), "--name", "a", "--root", str(tmp_path / "root"))
    assert done.returncode == 0, done.stderr
    shown = done.stdout + done.stderr
    assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown) is None, ascii(shown)
    assert "pwned" in done.stdout
    assert done.stdout.count("\n") == 1
    again = lolhl("download", str(tmp_path / odd), "--name", "a", "--root", str(tmp_path / "root"), "--json")
    assert json.loads(again.stdout)["title"] == odd.removesuffix(".mp4")
    assert re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", again.stdout) is None
    for words in (["download", odd], [odd], ["extract", odd], ["extract", "a", odd], ["extract", "a", f"--size={odd}"]):
        assert_one_line(lolhl(*words, "--root", str(tmp_path / "root")).stderr)


def test_control_characters_of_label_studio_are_escaped(root: Root, tmp_path: Path) -> None:
    task = {"id": "\x1b]0;x\x07\u202e\n", "annotations": [{"result": "\x9b"}], "data": {"vid_id": "a"}}
    (tmp_path / "x.json").write_text(json.dumps([task]))
    done = lolhl("labels", str(tmp_path / "x.json"), "--fps", "24", "--root", root.url)
    assert done.returncode == 2
    assert_one_line(done.stderr)


def test_a_password_in_an_address_is_not_printed(
    root: Root, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://user:TOPSECRET@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    code, out, error = outcome(capsys, ["train", "n", "--dataset", "d", "--epochs", "1", "--root", root.url])
    assert code == 1
    assert "127.0.0.1:9" in error
    assert "TOPSECRET" not in out + error
    monkeypatch.setenv("LOLHL_S3_ENDPOINT_URL", "http://127.0.0.1:9/TOPSECRET")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "someone")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "TOPSECRET")
    code, out, error = outcome(capsys, ["extract", "a", "--root", "s3://bkt/data"])
    assert code == 1
    assert "http://127.0.0.1:9/***" in error
    assert "TOPSECRET" not in out + error
    code, out, error = outcome(capsys, ["extract", "a", "--root", "https://me:TOPSECRET@host/"])
    assert (code, "TOPSECRET" in out + error) == (2, False)


def numeric_options() -> list[tuple[str, str]]:
    """Verb and flag of each setting that is a number."""
    options = []
    for verb in STAGES:
        for config in table.load(verb).configs:
            numbers = [setting for setting in settings(config) if setting.kind in (int, float, Fraction)]
            options += [(verb, setting.flag) for setting in numbers]
    return options


@pytest.mark.parametrize(("verb", "flag"), numeric_options(), ids=lambda word: word)
def test_hostile_numbers_are_refused_at_once(
    verb: str, flag: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {
        "download": ["none.mp4"],
        "labels": ["none.json", "--format", "label-studio"],
        "riot": ["a", "--riot-id", "a#b"],
        "dataset": ["d", "a"],
        "train": ["m"],
        "infer": ["m", "a"],
        "retrain": [],
        "run": ["none.mp4", "--model", "m"],
    }.get(verb, ["a"])
    for number in NUMBERS:
        call = [verb, *words, f"{flag}={number}", "--root", str(tmp_path / "root")]
        code, out, error = outcome(capsys, call)
        allowed = number in {"1e-4000", "1e-400"}  # which are 0.0
        assert (code, out) in ([(1, ""), (2, "")] if allowed else [(2, "")]), (call, error)
        assert_one_line(error)
        assert len(error) < 1000


def test_tiny_lengths_of_highlights(root: Root, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["report", "a", "--min-length", "0", "--threshold", "0", "--clips", "none", "--root", root.url]
    code, _, error = outcome(capsys, [*words, "--max-length", "1e-9"])
    assert (code, "must be 0.1 or more" in error) == (2, True)
    code, _, error = outcome(capsys, [*words, "--max-length", "0.1", "--json"])
    assert code == 0, error


@pytest.mark.parametrize("file", ["/dev/zero", "/dev/stdin", "pipe.tsv", "large.tsv"])
def test_a_label_file_is_plain_and_not_huge(file: str, root: Root, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.tsv")
    with (tmp_path / "large.tsv").open("wb") as large:
        large.truncate(5_000_000_000)
    path = tmp_path / file
    done = lolhl("labels", str(path), "--format", "tsv", "--root", root.url, stdin=subprocess.PIPE, timeout=60)
    assert done.returncode == 2
    assert_one_line(done.stderr)
    assert file in done.stderr


def test_names_that_the_encoding_cannot_hold(root: Root) -> None:
    for encoding in ("ascii", "latin-1"):
        env = {**os.environ, "PYTHONIOENCODING": encoding}
        done = lolhl("download", "\u65e5\u672c.mp4", "--root", root.url, env=env)
        assert done.returncode == 2
        assert_one_line(done.stderr)
        assert "\\u65e5" in done.stderr


@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&-", "<&- >&- 2>&-"])
def test_streams_may_be_closed(closed: str, root: Root) -> None:
    for words, code in ((f"labels none.tsv --root {root.url}", 2), (f"extract c --size 64 --root {root.url}", 0)):
        done = in_shell(f"{{lolhl}} {words} {closed}")
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr + done.stdout
    assert json.loads(root.read("frames/c/3fps-64px-squeeze-q90/frameset.json"))["result"]["frames"] > 0


def test_results_that_cannot_be_written(root: Root) -> None:
    done = in_shell(f"{{lolhl}} extract c --size 64 --quiet --root {root.url} > /dev/full")
    assert done.returncode == 1
    assert_one_line(done.stderr)
    assert "standard output: No space left on device: make room" in done.stderr
    assert in_shell(f"{{lolhl}} extract c --size 64 --root {root.url} 2> /dev/full").returncode == 0
    assert in_shell(f"{{lolhl}} extract c --size 64 --root {root.url} > /dev/full 2>&1").returncode == 1
    assert in_shell(f"{{lolhl}} extract c --size 64 --quiet --root {root.url} | true").stderr == ""


@pytest.mark.parametrize("words", ["--help", "--version", "train --help"])
def test_help_that_cannot_be_written(words: str) -> None:
    done = in_shell(f"{{lolhl}} {words} > /dev/full")
    assert done.returncode == 1
    assert_one_line(done.stderr)
    assert "standard output: No space left on device: make room" in done.stderr
    assert in_shell(f"{{lolhl}} {words} > /dev/full 2>&1").returncode == 1
    done = in_shell(f"set -o pipefail; {{lolhl}} {words} | true")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("gigabytes", [0.3, 2.0])
@pytest.mark.parametrize("words", ["infer m c", "extract c --size 64", "train n --dataset d", "report a --force"])
def test_little_memory_is_one_line(words: str, gigabytes: float, root: Root) -> None:
    done = in_shell(f"ulimit -v {int(gigabytes * 1e6)}; {{lolhl}} {words} --quiet --root {root.url}")
    if done.returncode != 0:
        assert done.returncode == 1, done.stderr
        assert "Traceback" not in done.stderr
        assert FAULT not in done.stderr
        assert "memory" in done.stderr.splitlines()[-1]


def test_what_nobody_foresaw_is_one_line(
    root: Root, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> None:
        raise KeyError("http://me:TOPSECRET@host/\x1b")

    monkeypatch.setattr(cli, "open_root", broken)
    code, out, error = outcome(capsys, ["extract", "a", "--root", root.url])
    assert (code, out, error.count("\n")) == (1, "", 1)
    assert f"KeyError: 'http://***@host/\\x1b': {FAULT}" in error
    assert "LOLHL_TRACEBACK=1" in error
    monkeypatch.setenv("LOLHL_TRACEBACK", "1")
    error = outcome(capsys, ["extract", "a", "--root", root.url])[2]
    assert "Traceback" in error
    assert "TOPSECRET" not in error


@pytest.mark.parametrize(
    ("problem", "advice"),
    [
        (OSError(28, "No space left on device"), "make room"),
        (OSError(28, "No space left on device", "/full/x"), "/full/x: No space left on device: make room"),
        (OSError(30, "Read-only file system", "/x"), "work on a disk that can be written to"),
        (PermissionError(13, "Permission denied", "/x"), "mend its rights"),
        (OSError(24, "Too many open files"), "ulimit -n"),
        (OSError(8, "Exec format error", "/bin/ffmpeg"), "install it anew"),
        (OSError(12, "Cannot allocate memory"), "too little memory"),
        (ImportError("libtorch_cpu.so: failed to map segment from shared object"), "too little memory"),
        (RuntimeError("can't start new thread"), "too little memory"),
    ],
)
def test_what_the_machine_refuses_comes_with_advice(
    problem: Exception, advice: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refusing(_: str) -> None:
        raise problem

    monkeypatch.setattr(cli, "open_root", refusing)
    code, _, error = outcome(capsys, ["extract", "a"])
    assert code == 1
    assert advice in error
    assert_one_line(error)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to become another user")
def test_a_folder_that_cannot_be_read_is_not_empty() -> None:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own is closed to others
        Path(folder).chmod(0o755)
        vods = Path(folder) / "root/vods"
        vods.mkdir(parents=True)
        vods.chmod(0o700)
        process = os.fork()
        if process == 0:
            os.setresuid(65534, 65534, 65534)
            try:
                [*open_root(f"{folder}/root").list("vods/")]
            except LolhlError as error:
                os._exit(0 if "no permission" in str(error) and str(vods) in str(error) else 2)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0


def test_a_file_size_limit_is_no_fault_of_the_disk(root: Root) -> None:
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    assert limit == resource.RLIM_INFINITY
    done = in_shell(f"trap '' XFSZ; ulimit -f 1; {{lolhl}} extract c --size 64 --quiet --root {root.url}")
    assert done.returncode == 1
    assert_one_line(done.stderr)
    assert "File too large: allow larger files" in done.stderr
