"""Ctrl-C at moments that a person seldom hits: exit code and line are the same as at any other."""

import subprocess
import sys
from pathlib import Path

import pytest

# Runs `action` when the module is looked for.
_AT_IMPORT = """
import os, signal, sys
interrupt = "import os, signal; os.kill(os.getpid(), signal.SIGINT)"

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "{module}":
            sys.meta_path.remove(self)
            import atexit
            {action}

sys.meta_path.insert(0, Finder())
"""
_NOW = "os.kill(os.getpid(), signal.SIGINT)"
# Python keeps in mind that a text which it executed was interrupted, and ends by the signal in the end. Dataclasses
# are made of such texts.
_IN_A_TEXT = "exec(interrupt)"
_IN_THE_END = "atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))"
_TAKEN_DOWN = """
class Module:
    def __del__(self, kill=os.kill, process=os.getpid(), number=signal.SIGINT):
        kill(process, number)

sys.modules["last"] = Module()
"""


def call(folder: Path, code: str) -> "subprocess.CompletedProcess[str]":
    """A real process, which runs this code when its interpreter starts."""
    (folder / "sitecustomize.py").write_text(code)
    (folder / "a.tsv").write_text("vid_id\tstart\tstop\na\t0:00:01\t0:00:02\n")
    # Where the tests were started in the background, a child would ignore the signal as they do.
    command = ["env", "--default-signal=INT", f"PYTHONPATH={folder}:{Path(__file__).parents[2]}", sys.executable]
    command += ["-m", "lolhl", "labels", str(folder / "a.tsv"), "--quiet", "--root", str(folder / "root")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("action", [_NOW, _IN_A_TEXT], ids=["now", "in-a-text"])
@pytest.mark.parametrize(
    ("module", "name"), [("lolhl.config", "lolhl"), ("lolhl.stages.labels", "lolhl labels")], ids=["first", "stage"]
)
def test_while_modules_are_imported(tmp_path: Path, action: str, module: str, name: str) -> None:
    done = call(tmp_path, _AT_IMPORT.format(module=module, action=action))
    line = f"{name}: interrupted; the same command goes on from here\n"
    assert (done.returncode, done.stdout, done.stderr) == (130, "", line)


@pytest.mark.parametrize("moment", ["before-modules-go", "when-modules-go"])
def test_when_the_work_is_over(tmp_path: Path, moment: str) -> None:
    late = _AT_IMPORT.format(module="lolhl.stages.labels", action=_IN_THE_END)
    done = call(tmp_path, late if moment == "before-modules-go" else f"import os, signal, sys\n{_TAKEN_DOWN}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "a: 1 labels, 1 s in all\n", "")
