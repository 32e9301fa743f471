"""A case's own folder, calls of `lolhl` in it, and what must hold for every call."""

import hashlib
import json
import os
import random
import re
import resource
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.torture.call import Call, Done, Running, start

LIMIT = 60.0  # seconds of a call, on a machine that may be busy: a hang takes all of them
AT_ONCE = 15.0  # seconds of a call that has nothing to do but to refuse
NO_WAY_OUT = "http://127.0.0.1:9"  # nothing listens there

_CODES = (0, 1, 2, 130)
_LOG = 10_000  # bytes: more than a call writes to standard error
_FAULT = ("Traceback (most recent call last)", "this is a fault in lolhl")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\udc80-\udcff]")
_NOISE = re.compile(r"^\[[\w,]+ @ (0x)?[0-9a-f]{6,}\]", re.MULTILINE)  # of FFmpeg's libraries
_ERROR = re.compile(r"^lolhl( \w+)?: (?!peak memory )", re.MULTILINE)
_PASSING = (".unfinished", "unfinished.")  # how names of what is not finished begin
_OPENVINO = "home/intel"  # OpenVINO's own notes, see the case calls:home
_UNSEEN = ("mlflow/", "tracks/")  # notes of what was tried; and what a call that failed later had computed already


class Sandbox:
    """A root, a working folder with inputs, and an environment that sees nothing of this machine.

    Attributes:
        rng: all chances of the case.
        finished: folder of the root in which all stages are done, see `world`.
        root, work: of the calls. `work` is their working folder, so that input files have the same names everywhere.
        environ: of the calls. Each variable that may hold a secret holds `secret`.
        problems: what was wrong, so far.
    """

    def __init__(self, folder: Path, rng: random.Random, finished: Path, *, verbose: bool = False) -> None:
        self.folder, self.rng, self.finished, self.verbose = folder, rng, finished, verbose
        self.problems: list[str] = []
        self.root, self.work, self.tmp = folder / "root", folder / "work", folder / "tmp"
        self.logs, self.home, self.cache = folder / "logs", folder / "home", folder / "cache"
        for path in (self.root, self.work, self.tmp, self.logs, self.home, self.cache):
            path.mkdir(parents=True)
        folder.chmod(0o755)
        self.secret = f"sEcReT{secrets.token_hex(8)}"
        self.environ = self._environ()
        self._calls = 0
        self._outside: dict[str, str] | None = None

    def _environ(self) -> dict[str, str]:
        secret = self.secret
        return {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(Path(__file__).parents[2]),
            "PYTHONDONTWRITEBYTECODE": "1",  # where files may not be large, a half would be left of them
            "LANG": "C.UTF-8",
            "HOME": str(self.home),
            "TMPDIR": str(self.tmp),
            "LOLHL_ROOT": str(self.root),
            **dict.fromkeys(
                ("LOLHL_CACHE", "TORCH_HOME", "HF_HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR"), str(self.cache)
            ),
            **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), NO_WAY_OUT),
            **dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost"),
            **dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), str(self.home / "none")),
            "AWS_EC2_METADATA_DISABLED": "true",
            "OMP_NUM_THREADS": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "AWS_ACCESS_KEY_ID": f"id-{secret}",
            "AWS_SECRET_ACCESS_KEY": f"key-{secret}",
            "AWS_SESSION_TOKEN": f"session-{secret}",
            "LOLHL_TWITCH_TOKEN": f"twitch-{secret}",
            "LOLHL_RIOT_KEY": f"riot-{secret}",
            "MLFLOW_TRACKING_PASSWORD": f"mlflow-{secret}",
            "MLFLOW_TRACKING_TOKEN": f"token-{secret}",
            # Not the bare secret: what is known of the environment would then be hidden in each text of a case.
            "DATABASE_URL": f"postgresql://me:word-{secret}@127.0.0.1/x",
        }

    # Inputs

    def take(self, *keys: str) -> None:
        """Links the finished root's files below these keys (all, for none) into the case's own.

        What lies under a root is replaced, never changed in place.
        """
        for key in keys or ("",):
            for file in _files(self.finished / "root" / key):
                target = self.root / file.relative_to(self.finished / "root")
                target.parent.mkdir(parents=True, exist_ok=True)
                os.link(file, target)
        if not (self.root / "mlflow").exists():  # made without, each training would make a database anew: seconds
            (self.root / "mlflow").mkdir()
            shutil.copy(self.finished / "mlflow.db", self.root / "mlflow")

    def take_inputs(self, *names: str) -> None:
        """Copies films and label files of the finished root into the working folder."""
        self._check_outside()
        for name in names:
            shutil.copy(self.finished / "inputs" / name, self.work)

    def ffmpeg(self, *arguments: str | Path) -> None:
        """Makes an input; file names are below the working folder."""
        self._check_outside()
        command = ["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, arguments)]
        done = subprocess.run(command, cwd=self.work, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{shlex.join(command)}: {done.stderr.decode(errors='replace')[-500:]}")

    def write(self, name: str, data: bytes | str) -> Path:
        """Writes an input."""
        self._check_outside()
        path = self.work / name
        path.write_bytes(data.encode(errors="surrogateescape") if isinstance(data, str) else data)
        return path

    # Calls

    def start(self, *words: str, environ: Mapping[str, str | None] | None = None, **options: Any) -> Running:
        """Starts a call; in `environ`, None takes a variable away."""
        if self._outside is None:
            self._outside = self._look_outside()
        changed = {**self.environ, **(environ or {})}
        self._calls += 1
        log = self.logs / str(self._calls)
        usual = {name: value for name, value in changed.items() if value is not None}
        return start(Call(words=words, folder=self.work, environ=usual, log=log, **options))

    def run(
        self, *words: str, codes: Iterable[int] = _CODES, limit: float = LIMIT, check: bool = True, **options: Any
    ) -> Done:
        """Runs a call to its end, and notes what is wrong with it."""
        return self.wait(self.start(*words, **options), codes=codes, limit=limit, check=check)

    def wait(
        self, running: Running, *, codes: Iterable[int] = _CODES, limit: float = LIMIT, check: bool = True
    ) -> Done:
        done = running.wait(limit)
        if self.verbose:
            lines = [line[:300] for line in (done.out + done.err).splitlines()]
            print(f"$ {done.call}    → {done.code} after {done.seconds:.1f} s", *lines, sep="\n  ", file=sys.stderr)
        if check:
            self._check(done, codes)
        return done

    def succeed(self, *words: str, **options: Any) -> Done:
        """A call that has to succeed."""
        done = self.run(*words, **options)
        self.expect(done.code == 0, f"{done.call}: exit code {done.code}: {done.error}")
        return done

    def refuse(self, *words: str, codes: Iterable[int] = (1, 2), limit: float = AT_ONCE, **options: Any) -> Done:
        """A call that has to fail, and soon."""
        done = self.run(*words, limit=limit, **options)
        self.expect(done.code in codes, f"{done.call}: exit code {done.code}, where it has to be refused")
        return done

    def result(self, *words: str, **options: Any) -> dict[str, Any] | None:
        """What a call tells as JSON; None where it fails."""
        done = self.run(*words, "--json", **options)
        if done.failed or done.late:
            return None
        try:
            answer: dict[str, Any] = json.loads(done.out.splitlines()[-1], parse_constant=_no_json)
        except (ValueError, IndexError) as error:
            self.expect(False, f"{done.call}: prints no JSON ({error})")
            return None
        return answer

    def expect(self, holds: object, problem: str) -> None:
        if not holds:
            self.problems.append(problem)

    # What must hold

    def _check(self, done: Done, codes: Iterable[int]) -> None:
        call, output = done.call, done.out + done.err
        if done.late:
            self.problems.append(f"{call}: not over after {done.seconds:.0f} s: {done.error}")
            return
        self.expect(done.code in codes, f"{call}: exit code {done.code}: {done.error}")
        for fault in _FAULT:
            self.expect(fault not in output, f"{call}: {fault}: {done.error}")
        if control := _CONTROL.search(output):
            self.problems.append(f"{call}: prints the control character {control[0]!r}")
        if noise := _NOISE.search(done.err):
            self.problems.append(f"{call}: a library writes {noise[0]!r} to the terminal")
        no_room = call.limits.get(resource.RLIMIT_FSIZE, _LOG) < _LOG  # for what is to be told
        if done.code in (1, 2) and 2 not in call.closed and not no_room:
            errors = len(_ERROR.findall(done.err))
            self.expect(errors == 1, f"{call}: {errors} lines of error: {done.err[-300:]!r}")
            self.expect(_ERROR.match(done.error), f"{call}: ends with {done.error!r}, which names no verb")
        self.expect(self.secret not in output, f"{call}: prints a secret: {done.error}")
        if done.code >= 0:
            left = [path.name for path in self.tmp.iterdir() if path.name.startswith("lolhl-")]
            self.expect(not left, f"{call}: leaves {left} in TMPDIR")

    def finish(self) -> None:
        """Notes what is wrong with what the case leaves."""
        self._check_outside()
        secret = self.secret.encode()
        for folder in (self.root, self.cache, self.tmp, self.home):
            for file in _files(folder):
                if file.stat().st_nlink == 1 and file.stat().st_size < 50_000_000 and secret in file.read_bytes():
                    self.problems.append(f"{file.relative_to(self.folder)} holds a secret")

    def allow_changes(self) -> None:
        """The case itself has changed its inputs while a call was running."""
        self._outside = None

    def _check_outside(self) -> None:
        """Notes what calls changed outside of the root; before the case itself changes its inputs, and at the end."""
        if self._outside is None:
            return
        before, now = self._outside, self._look_outside()
        changed = sorted(name for name in before.keys() | now if before.get(name) != now.get(name))
        self.expect(not changed, f"changed outside of the root: {', '.join(changed)[:300]}")
        self._outside = None

    def _look_outside(self) -> dict[str, str]:
        """All files that no call may touch → what they are."""
        looked = {}
        for folder in (self.work, self.home):
            for path in sorted(folder.rglob("*")):
                name = path.relative_to(self.folder).as_posix()
                if name.startswith(_OPENVINO):
                    continue
                if path.is_symlink() or not path.is_file():
                    looked[name] = "other"
                else:
                    looked[name] = f"{path.stat().st_mtime_ns} {_digest(path)}"
        return looked

    def contents(self, root: Path | None = None, below: str = "") -> dict[str, str]:
        """Key → digest of all artifacts of a root."""
        root = root or self.root
        return contents(root, below)


def contents(root: Path, below: str = "") -> dict[str, str]:
    """Key → digest of all artifacts of a root, but for MLflow's notes, tracks and what is not finished."""
    keys = {file.relative_to(root).as_posix(): file for file in _files(root / below)}
    return {
        key: _digest(file)
        for key, file in keys.items()
        if not key.startswith(_UNSEEN) and not any(part.startswith(_PASSING) for part in key.split("/"))
    }


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """The keys that differ, in one line; empty if none does."""
    marks = {
        key: "-" if key not in after else "+" if key not in before else "≠"
        for key in sorted(before.keys() | after)
        if before.get(key) != after.get(key)
    }
    return " ".join(f"{mark}{key}" for key, mark in marks.items())


def killed(signals: Iterable[signal.Signals]) -> tuple[int, ...]:
    """The exit codes of calls to which these signals were sent, beside the usual ones."""
    return (*_CODES, 143, *(-number for number in signals))


def _files(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]


def _digest(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _no_json(text: str) -> None:
    raise ValueError(f"{text} is no JSON")
