"""Hostile calls: options and names, environments, roots that move, sources that change while they are stored."""

import hashlib
import json
import os
import resource
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.torture.families.values import TEXTS
from tests.torture.families.videos import film
from tests.torture.sandbox import AT_ONCE, Sandbox, difference
from tests.torture.world import INPUTS, STAGES

NUMBERS = (
    "0", "-1", "1", "1e-30", "1e30", "nan", "inf", "-inf", "1e9999999", "1e-9999999", "1/3", "240000/1", "9" * 400,
    "1_0", "٣", "0x10", "", " 3 ", "3.", ".5", "1e-9", "2147483648", "18446744073709551616", "-0.0", "1/0",
    "30000/1001",
)  # fmt: skip
CALLS: dict[str, tuple[str, ...]] = {
    "download a.mp4 --name n": ("--start", "--stop", "--serves", "--serves-fps", "--quality"),
    "extract a": ("--fps", "--size", "--quality", "--shard-mb", "--fit", "--mode", "--decoder", "--part"),
    "labels a.tsv": ("--fps", "--vod", "--format"),
    "dataset n a": ("--validation", "--chunk-seconds", "--context-seconds", "--positives", "--seed", "--holdout"),
    "train n --dataset d --epochs 1": (
        "--clip-frames", "--clip-stride", "--hidden", "--dropout", "--batch", "--learning-rate", "--weight-decay",
        "--patience", "--seed", "--smooth-seconds", "--register", "--alias", "--cache-gb", "--epoch-samples", "--kind",
    ),
    "infer t a --force": ("--closer", "--mode", "--source", "--part"),
    "report a": (
        "--threshold", "--smooth-seconds", "--low-ratio", "--pad-before", "--pad-after", "--merge-gap", "--min-length",
        "--max-length", "--split-above", "--valley", "--top", "--minutes", "--share", "--clips-top", "--clips",
        "--intensity-seconds", "--camera", "--channel", "--shorts-top", "--shorts-height", "--shorts-share",
        "--shorts-loudness", "--shorts-font",
    ),
    "retrain": ("--like", "--judge", "--tolerance"),
    "compare m t random": ("--vods", "--name"),
    "analyse m": ("--vods", "--worst", "--around"),
    "rollback": ("--root",),
}  # fmt: skip
NAMES = (
    "download a.mp4 --name {}", "extract {}", "dataset {} a", "dataset n {}", "train {} --dataset d --epochs 1",
    "train n --dataset {}", "infer {} a", "infer t {}", "report {}", "labels {}", "download {}", "extract a --root {}",
    "run a.mp4 --model {}", "labels a.tsv --vod {}", "retrain --like {}", "{} a", "extract a {}",
    "compare {} --vods a", "compare m --vods {}", "analyse {}", "report a --channel {}",
)  # fmt: skip


def _all_done(sandbox: Sandbox, before: Mapping[str, str]) -> None:
    """After whatever was refused, all stages find their work done, and the root is what it was."""
    for stage in sandbox.rng.sample([*STAGES], 2):
        sandbox.succeed(*STAGES[stage])
    changed = difference(before, {key: value for key, value in sandbox.contents().items() if key in before})
    sandbox.expect(not changed, f"artifacts changed: {changed}")


def _full(sandbox: Sandbox) -> dict[str, str]:
    sandbox.take()
    sandbox.take_inputs(*INPUTS)
    return sandbox.contents()


# What was found once: settings


def refused(*words: str, seconds: float = AT_ONCE) -> Callable[[Sandbox], None]:
    """A call that is wrong, refused at once; nothing changes."""

    def case(sandbox: Sandbox) -> None:
        before = _full(sandbox)
        sandbox.refuse(*words, limit=seconds)
        sandbox.expect(before == sandbox.contents(), f"changed: {difference(before, sandbox.contents())}")

    return case


def in_one_line(*words: str) -> Callable[[Sandbox], None]:
    """A call that is odd: done, or refused in one line."""

    def case(sandbox: Sandbox) -> None:
        _full(sandbox)
        sandbox.run(*words, limit=AT_ONCE)

    return case


def studio_rate(sandbox: Sandbox) -> None:
    from tests.torture.families.labels import studio

    sandbox.take("vods", "labels")
    sandbox.write("x.json", json.dumps(studio()))
    sandbox.refuse("labels", "x.json", "--fps", "1e-4000", codes=(2,))


def reserved_name(sandbox: Sandbox) -> None:
    """A model that is called as the champion's own file: from then on nobody could retrain."""
    before = _full(sandbox)
    sandbox.refuse("train", "champion.json", "--dataset", "d", "--epochs", "1", codes=(2,))
    _all_done(sandbox, before)


def reserved_in_a_new_root(sandbox: Sandbox) -> None:
    """The same where there is no champion yet."""
    sandbox.take("vods", "labels", "frames", "datasets/d", "models/m")
    sandbox.refuse("train", "champion.json", "--dataset", "d", "--epochs", "1", codes=(2,))
    sandbox.succeed("retrain", limit=120)


# Roots and sources that change


def moved_root(sandbox: Sandbox) -> None:
    """A root goes on working at another place, and leaves the old one alone."""
    sandbox.take("vods", "labels", "frames", "datasets/d")
    train = ("train", "n", "--dataset", "d", "--epochs", "1")
    sandbox.succeed(*train)
    moved = sandbox.folder / "moved"
    sandbox.root.rename(moved)
    other = sandbox.run(*train, "--seed", "1", environ={"LOLHL_ROOT": str(moved)})
    sandbox.expect(other.code == 0, f"{other.call}: exit code {other.code} in a root that was moved: {other.error}")
    sandbox.expect(not sandbox.root.exists(), "the old place of the root is there again")
    sandbox.root.mkdir(exist_ok=True)


def moved_root_locked(sandbox: Sandbox) -> None:
    """The same where the old place cannot be made again: no trained model is lost."""
    sandbox.take("vods", "labels", "frames", "datasets/d")
    train = ("train", "n", "--dataset", "d", "--epochs", "1")
    sandbox.succeed(*train)
    moved = sandbox.folder / "moved"
    sandbox.root.rename(moved)
    sandbox.root.write_text("a file in the way")
    other = sandbox.run(*train, "--seed", "1", environ={"LOLHL_ROOT": str(moved)})
    sandbox.expect(other.code == 0, f"{other.call}: exit code {other.code} in a root that was moved: {other.error}")
    sandbox.root.unlink()
    sandbox.root.mkdir()


def linked_source(sandbox: Sandbox) -> None:
    """The user writes to a file after it was stored: the VOD is what it was, or its change is said."""
    film(sandbox, "film.mp4", seconds=6)
    film(sandbox, "other.mp4", seconds=6, source="smptebars")
    sandbox.succeed("download", "film.mp4", "--name", "v")
    before = sandbox.contents()
    sandbox.write("film.mp4", (sandbox.work / "other.mp4").read_bytes())
    done = sandbox.run("extract", "v", "--size", "64")
    same = difference(before, {key: value for key, value in sandbox.contents().items() if key in before}) == ""
    sandbox.expect(same or done.failed, "a later write to the user's file changes the stored VOD, and extract succeeds")


def growing_source(sandbox: Sandbox) -> None:
    """A file that is still being recorded is refused, or stored as it was at one moment."""
    film(sandbox, "whole.ts", seconds=60, sound=True)
    data = (sandbox.work / "whole.ts").read_bytes()
    growing = sandbox.write("film.ts", data[: len(data) // 3])
    before = growing.stat().st_size
    running = sandbox.start("download", "film.ts", "--name", "v", "--json")
    stop = threading.Event()

    def grow() -> None:
        at = before
        while at < len(data) and not stop.is_set():
            with growing.open("ab") as file:
                file.write(data[at : at + 10_000])
            at += 10_000
            time.sleep(0.002)

    writer = threading.Thread(target=grow)
    writer.start()
    done = sandbox.wait(running)
    stop.set()
    writer.join()
    sandbox.allow_changes()
    if done.failed:
        return
    for manifest in sandbox.root.rglob("vod.json"):
        content = json.loads(manifest.read_text())
        for output in content["outputs"]:
            stored = (sandbox.root / output["key"]).read_bytes()
            same = len(stored) == output["size"] and hashlib.sha256(stored).hexdigest() == output["sha256"]
            sandbox.expect(same, f"{output['key']} has {len(stored)} bytes, and is described with {output['size']}")


# Secrets and control characters


def mlflow_password(sandbox: Sandbox) -> None:
    sandbox.take("vods", "labels", "frames", "datasets/d")
    for uri in (f"http://user:{sandbox.secret}@127.0.0.1:9", f"http://127.0.0.1:9/?token={sandbox.secret}"):
        environ = {"MLFLOW_TRACKING_URI": uri, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
        sandbox.run("train", "n", "--dataset", "d", "--epochs", "1", environ=environ)


def endpoint_secret(sandbox: Sandbox) -> None:
    for url in (f"http://127.0.0.1:9/{sandbox.secret}", f"http://127.0.0.1:9/?key={sandbox.secret}",
                f"ftp://{sandbox.secret}", f"http://me:{sandbox.secret}@127.0.0.1:9", f"{sandbox.secret}"):  # fmt: skip
        sandbox.refuse("extract", "a", "--root", "s3://bkt/data", environ={"LOLHL_S3_ENDPOINT_URL": url}, limit=60)


def escape_name(sandbox: Sandbox) -> None:
    """Control characters in the name of a file."""
    film(sandbox, "film.mp4", seconds=2)
    for name in ("esc\x1b]0;taken\x07a.mp4", "c1\x9b31m.mp4", "bell\x07.mp4"):
        sandbox.write(name, (sandbox.work / "film.mp4").read_bytes())
        sandbox.write(f"no{name}", "no video at all")
        sandbox.write(f"{name}.tsv", "no\nlabels\n")
        sandbox.run("download", name)
        sandbox.run("download", name, "--name", "v", "--json")
        sandbox.run("download", f"no{name}")
        sandbox.run("labels", f"{name}.tsv")
        sandbox.run("extract", name)
        sandbox.run("extract", "v", "--size", "64")
        sandbox.run("download", f"http://127.0.0.1:9/{name}", limit=60)


# Environments


def ascii_only(sandbox: Sandbox) -> None:
    film(sandbox, "é日本 x.mp4", seconds=2)
    environ = {"PYTHONIOENCODING": "ascii"}
    sandbox.run("download", "é日本 x.mp4", "--name", "v", environ=environ, fresh=True, codes=(0,))
    sandbox.run("download", "é日本 x.mp4", "--name", "v", "--json", environ=environ, fresh=True, codes=(0,))


def closed(*numbers: int) -> Callable[[Sandbox], None]:
    """Standard files that are closed: the work is done all the same."""

    def case(sandbox: Sandbox) -> None:
        film(sandbox, "film.mp4", seconds=2)
        sandbox.run("download", "film.mp4", "--name", "v", closed=numbers, fresh=True, codes=(0, 1))
        sandbox.run("download", "none.mp4", closed=numbers, fresh=True, codes=(2,))
        stored = [path.name for path in sandbox.root.rglob("vod.json")]
        sandbox.expect(stored, f"with {numbers} closed nothing is stored")

    return case


def unwritable(sandbox: Sandbox) -> None:
    """No file may grow, so neither results nor errors can be written: that is a failure like another."""
    sandbox.take("vods", "frames")
    for words in (("--help",), ("train", "--help"), ("extract", "a", "--size", "64")):
        sandbox.run(*words, fresh=True, limits={resource.RLIMIT_FSIZE: 0}, codes=(1,))


def wide_characters(sandbox: Sandbox) -> None:
    """In UTF-16, what is printed begins with a mark that is no character."""
    sandbox.take_inputs("a.tsv")
    sandbox.run("labels", "a.tsv", fresh=True, environ={"PYTHONIOENCODING": "utf-16"}, codes=(0,))


def postgresql(sandbox: Sandbox) -> None:
    """Places of MLflow whose drivers are not there."""
    sandbox.take("vods", "labels", "frames", "datasets/d")
    postgres = f"postgresql://me:{sandbox.secret}@127.0.0.1:9/x"
    for uri in (postgres, "postgresql+nix://x", "nix://x", "sqlite:////proc/none/x.db"):
        environ = {"MLFLOW_TRACKING_URI": uri, "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
        sandbox.refuse("train", "n", "--dataset", "d", "--epochs", "1", environ=environ, limit=60)


def little_memory(gigabytes: float, *words: str) -> Callable[[Sandbox], None]:
    def case(sandbox: Sandbox) -> None:
        sandbox.take()
        sandbox.take_inputs(*INPUTS)
        limits = {resource.RLIMIT_AS: int(gigabytes * 2**30)}
        sandbox.run(*words, fresh=True, limits=limits)

    return case


def full_disk(*words: str) -> Callable[[Sandbox], None]:
    """TMPDIR on a disk that is full: that is said, not that the video is bad. Needs root, for the disk."""

    def case(sandbox: Sandbox) -> None:
        if os.getuid():
            return
        sandbox.take()
        sandbox.take_inputs(*INPUTS)
        mount = f'mount -t tmpfs -o size=64k lolhl-torture {sandbox.tmp} && exec "$@"'
        done = sandbox.run(*words, fresh=True, wrapped=("unshare", "-m", "sh", "-c", mount, "sh"))
        if done.failed:
            blames = "download it again" in done.error or "give an .mp4" in done.error
            sandbox.expect(not blames, f"{done.call}: a full disk blames the video: {done.error}")
            sandbox.expect("pace" in done.error, f"{done.call}: does not say that there is no space: {done.error}")

    return case


def full_root(sandbox: Sandbox) -> None:
    """The same for the root."""
    if os.getuid():
        return
    sandbox.take_inputs("a.mp4")
    mount = f'mount -t tmpfs -o size=1M lolhl-torture {sandbox.root} && exec "$@"'
    wrapped = ("unshare", "-m", "sh", "-c", mount, "sh")
    for options in ((), ("--start", "1")):
        done = sandbox.run("download", "a.mp4", *options, fresh=True, wrapped=wrapped, codes=(1,))
        blames = "if it does not play" in done.error or "give an .mp4" in done.error
        sandbox.expect(not blames, f"{done.call}: a full disk blames the video: {done.error}")


def broken_ffmpeg(sandbox: Sandbox) -> None:
    """An ffmpeg that cannot be started is not the video's fault."""
    sandbox.take_inputs("a.mp4")
    tools = sandbox.folder / "tools"
    tools.mkdir()
    for text in ("#!/nowhere/sh\n", "\x7fELF no program", "#!/bin/sh\nexit 127\n"):
        (tools / "ffmpeg").write_text(text)
        (tools / "ffmpeg").chmod(0o755)
        done = sandbox.run("download", "a.mp4", "--start", "1", environ={"PATH": f"{tools}:{sandbox.environ['PATH']}"},
                           fresh=True, codes=(1,))  # fmt: skip
        blames = "give an .mp4" in done.error or "if it does not play" in done.error
        sandbox.expect(not blames, f"{done.call}: a broken ffmpeg blames the video: {done.error}")
        sandbox.expect("ffmpeg" in done.error, f"{done.call}: does not name ffmpeg: {done.error}")


def unreadable(sandbox: Sandbox) -> None:
    """A folder of VODs that cannot be read is not an empty one."""
    if os.getuid():
        return
    sandbox.take("vods")
    sandbox.take_inputs("a.tsv")
    for path in (sandbox.root, sandbox.cache, sandbox.tmp, sandbox.home):
        for each in (path, *path.rglob("*")):
            shutil.chown(each, 65534, 65534)
    (sandbox.root / "vods").chmod(0)
    done = sandbox.run("labels", "a.tsv", user=65534)
    sandbox.expect(done.failed, "labels: a folder of VODs that cannot be read passes for an empty one")
    (sandbox.root / "vods").chmod(0o755)


def home(sandbox: Sandbox) -> None:
    """Nothing is written to the user's home, as OpenVINO would with its statistics of use."""
    sandbox.take("vods", "models/t")
    sandbox.succeed("infer", "t", "a")
    left = [path.relative_to(sandbox.home).as_posix() for path in sandbox.home.rglob("*")]
    sandbox.expect(not left, f"home now holds {', '.join(left)}")


NAMED: Mapping[str, Callable[[Sandbox], None]] = {
    "fps-huge": refused("extract", "a", "--fps", "1e9999999", seconds=8),
    "fps-huge-labels": refused("labels", "a.tsv", "--fps", "1e9999999", seconds=8),
    "fps-tiny": in_one_line("extract", "a", "--fps", "1e-30", "--size", "64"),
    "studio-rate": studio_rate,
    "report-lengths": in_one_line("report", "a", "--min-length", "0", "--max-length", "1e-9", "--threshold", "0"),
    "reserved-name": reserved_name,
    "reserved-name-new": reserved_in_a_new_root,
    "moved-root": moved_root,
    "moved-root-locked": moved_root_locked,
    "linked-source": linked_source,
    "growing-source": growing_source,
    "mlflow-password": mlflow_password,
    "endpoint-secret": endpoint_secret,
    "escape-name": escape_name,
    "ascii": ascii_only,
    "closed-stderr": closed(2),
    "closed-stdout": closed(1),
    "closed-all": closed(0, 1, 2),
    "unwritable": unwritable,
    "utf-16": wide_characters,
    "no-value-train": refused("train", "n", "--dataset", "d", "--cache-gb=--"),
    "no-value-retrain": refused("retrain", "--tolerance=--"),
    "postgresql": postgresql,
    "memory-0.5": little_memory(0.5, "extract", "a", "--size", "64", "--force"),
    "memory-1": little_memory(1, "infer", "t", "a", "--force"),
    "memory-2": little_memory(2, *STAGES["models/m"], "--force"),
    "full-tmp-extract": full_disk("extract", "a", "--size", "64", "--force"),
    "full-tmp-report": full_disk("report", "a", "--force"),
    "full-root": full_root,
    "broken-ffmpeg": broken_ffmpeg,
    "unreadable-vods": unreadable,
    "home": home,
}


# Others


def draw(sandbox: Sandbox) -> None:
    before = _full(sandbox)
    kind = sandbox.rng.choices((_option, _name, _surroundings), (6, 5, 1))[0]
    kind(sandbox)
    # What the call itself made is no matter here; what others made must be there, or be made again the same.
    for key in [key for key in sandbox.contents() if key not in before]:
        (sandbox.root / key).unlink()
    now = sandbox.contents()
    if now == before:
        return
    for words in STAGES.values():
        sandbox.succeed(*words)
    changed = difference(before, {key: value for key, value in sandbox.contents().items() if key in before})
    sandbox.expect(not changed, f"the stages, run again, give other artifacts: {changed}")


def _option(sandbox: Sandbox) -> None:
    rng = sandbox.rng
    call, options = rng.choice([*CALLS.items()])
    words = call.split()
    for option in rng.sample(options, min(len(options), rng.choice((1, 1, 2)))):
        words.append(f"{option}={_word(rng.choice(NUMBERS if rng.random() < 0.7 else TEXTS))}")
    sandbox.run(*words)


def _name(sandbox: Sandbox) -> None:
    rng = sandbox.rng
    text = _word(rng.choice(TEXTS))
    words = [word.replace("{}", text) for word in rng.choice(NAMES).split()]
    sandbox.run(*words)


def _word(text: str) -> str:
    """What a shell can hand over."""
    return text.replace("\0", "").encode(errors="surrogateescape").decode(errors="surrogateescape")


def _surroundings(sandbox: Sandbox) -> None:
    """A sound call in an odd environment."""
    rng = sandbox.rng
    words = rng.choice([
        ("extract", "a", "--size", "64", "--force"), ("infer", "t", "a", "--force"), ("report", "a", "--force"),
        ("labels", "a.tsv"), ("download", "a.mp4", "--force"), ("dataset", "d", "a", "--force"), ("extract", "zzz"),
        ("--help",), ("train", "--help"), ("report", "a", "--json"),
    ])  # fmt: skip
    environ: dict[str, str | None] = {}
    options: dict[str, Any] = {}
    match rng.randrange(9):
        case 0:
            environ = {"PYTHONIOENCODING": rng.choice(("ascii", "latin-1", "utf-16", "cp1252"))}
        case 1:
            options["closed"] = tuple(rng.sample((0, 1, 2), rng.randrange(1, 4)))
        case 2:
            options["limits"] = {resource.RLIMIT_NOFILE: rng.choice((16, 32, 64, 128))}
        case 3:
            options["limits"] = {resource.RLIMIT_FSIZE: rng.choice((0, 1000, 100_000, 1_000_000))}
        case 4:
            environ = {
                "HOME": rng.choice((None, "", "/nowhere", "/dev/null")),
                "LOLHL_CACHE": rng.choice((None, "/dev/null")),
            }
        case 5:
            environ = {"LANG": rng.choice(("C", "POSIX", "tr_TR.UTF-8", "xx", "")), "LC_ALL": "C", "PYTHONUTF8": "0"}
        case 6:
            environ = {"TZ": rng.choice(("Asia/Kathmandu", "Nowhere/Nix", "x" * 300, ":"))}
        case 7:
            environ = {"TMPDIR": rng.choice(("/nowhere", "/dev/null", "", "/proc"))}
        case _:
            environ = {"COLUMNS": rng.choice(("0", "1", "-5", "x")), "PATH": str(Path(sys.executable).parent)}
            if words[0] == "report":  # by the ffmpeg of another package, whose clips are others
                words = ("extract", "a", "--size", "64", "--force")
    sandbox.run(*words, fresh=True, environ=environ, codes=(0, 1, 2, 130, -signal.SIGXFSZ), **options)
