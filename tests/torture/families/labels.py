"""Label files: tables and Label Studio's exports that are damaged, endless, or of another kind."""

import json
import os
from collections.abc import Callable, Mapping
from typing import Any

from tests.torture.families.values import HOSTILE, TEXTS, damage_bytes, mutate
from tests.torture.sandbox import AT_ONCE, Sandbox, difference

HEAD = "vid_id\tstart\tstop\n"
GOOD = HEAD + "a\t0:00:10\t0:00:20\na\t0:00:30\t0:00:41.5\nb\t0:01:00\t0:01:09\n"


def studio(vod: str = "a") -> list[dict[str, Any]]:
    value = {"ranges": [{"start": 24, "end": 96}], "timelinelabels": ["highlight"]}
    region = {"id": "r1", "type": "timelinelabels", "value": value, "from_name": "tl", "to_name": "video"}
    annotation = {"id": 7, "was_cancelled": False, "result": [region, region]}
    return [{"id": 1, "data": {"vid_id": vod, "video": f"/data/{vod}/video.mp4"}, "annotations": [annotation]}]


OTHERS = {  # good files of other programs
    "cuts.edl": "001  AX  AA/V  C  00:00:10:00 00:00:20:00 01:00:00:00 01:00:10:00\n* COMMENT: fight\n",
    "markers.edl": "001 001 V C 01:00:10:00 01:00:10:01 01:00:10:00 01:00:10:01\n |C:Blue |M:fight |D:90\n",
    "markers.csv": "Marker Name\tDescription\tIn\tOut\nfight\t\t00:00:10:00\t00:00:20:00\n",
    "twitch.csv": "0:00:30,Broadcaster,me,fight\n",
    "segments.csv": "10.5,20,fight\n",
    "x.llc": "{version: 2, cutSegments: [{start: 10.5, end: 20, name: 'fight'}]}",
    "x.vtt": "WEBVTT\n\n00:00:10.000 --> 00:00:20.000\nfight\n",
    "x.json": '{"vod": "a", "highlights": [{"start": 10, "stop": 20, "name": "fight"}]}',
}
_FRAMES = {name: ["--fps", "30"] for name in ("cuts.edl", "markers.edl", "markers.csv")}
_LONG = " a" * 2_000_000  # a line that patterns must not go over again and again


def _refused(name: str, *options: str) -> Callable[[Sandbox], None]:
    """A file that is no label file, refused at once."""

    def case(sandbox: Sandbox) -> None:
        sandbox.take("vods", "labels")
        before = sandbox.contents()
        sandbox.refuse("labels", name, *options, codes=(2,))
        sandbox.expect(before == sandbox.contents(), f"{name}: the root has changed")

    return case


def fifo(sandbox: Sandbox) -> None:
    os.mkfifo(sandbox.work / "pipe.tsv")
    _refused("pipe.tsv")(sandbox)


def studio_id(text: str) -> Callable[[Sandbox], None]:
    """A text of strangers that error messages repeat."""

    def case(sandbox: Sandbox) -> None:
        sandbox.take("vods", "labels")
        for name, tasks in {
            "vod.json": studio(f"b{text}"),
            "id.json": [{**studio()[0], "id": text, "data": {}}],
            "video.json": [{**studio()[0], "data": {"video": f"/data/{text}.mp4"}}],
            "range.json": [{**studio()[0], "annotations": [{"id": text, "result": {text: 1}}]}],
        }.items():
            sandbox.write(name, json.dumps(tasks))
            sandbox.refuse("labels", name, "--fps", "24", codes=(2,))
        sandbox.write("cell.tsv", f"{HEAD}a\t{' '.join(text.split())}\t0:00:20\n")
        sandbox.refuse("labels", "cell.tsv", codes=(2,))
        sandbox.write("vod.tsv", f"{HEAD}{' '.join(text.split())}\t0:00:10\t0:00:20\n")
        sandbox.refuse("labels", "vod.tsv", codes=(2,))

    return case


def others(sandbox: Sandbox) -> None:
    """Files of other programs: good ones are taken in, those with huge numbers or lines are refused."""
    sandbox.take("vods", "labels")
    for name, text in OTHERS.items():
        sandbox.write(name, text)
        sandbox.succeed("labels", name, "--vod", "a", *_FRAMES.get(name, []))
    before = sandbox.contents()
    for name, text in OTHERS.items():
        sandbox.write(
            name, _LONG if name.endswith(".edl") else text.replace("20", "9" * 5000).replace("30", "9" * 5000)
        )
        sandbox.refuse("labels", name, "--vod", "a", *_FRAMES.get(name, []), codes=(2,))
    sandbox.expect(before == sandbox.contents(), "a refused file has changed the root")


NAMED: Mapping[str, Callable[[Sandbox], None]] = {
    "fifo": fifo,
    "zero": _refused("/dev/zero", "--format", "tsv"),
    "zero-studio": _refused("/dev/zero", "--format", "label-studio", "--fps", "24"),
    "zero-llc": _refused("/dev/zero", "--format", "llc", "--vod", "a"),
    "others": others,
    "random": _refused("/dev/urandom", "--format", "csv"),
    "control-characters": studio_id("\x1b]0;taken\x07\x9b31m"),
}


def draw(sandbox: Sandbox) -> None:
    """A mutated file: it is refused as a whole, or taken in; then the good file gives what it always gives."""
    rng = sandbox.rng
    sandbox.take("vods", "labels")
    before = sandbox.contents()
    kind = rng.choice(("table", "studio", "studio", "bytes", "others"))
    options: list[str] = []
    if kind == "table":
        name, data = _table(sandbox)
    elif kind == "studio":
        name, data = "x.json", mutate(rng, json.dumps(studio(rng.choice("ab"))).encode())
        options = rng.choice([["--fps", "24"], ["--seconds"], ["--fps", rng.choice(TEXTS)], ["--fps", "1e-4000"]])
    elif kind == "others":
        name = rng.choice([*OTHERS])
        data = damage_bytes(rng, OTHERS[name].encode())
        options = [*_FRAMES.get(name, []), "--vod", "a"]
    else:
        name = rng.choice(("x.tsv", "x.csv", "x.json", "x.txt"))
        data = damage_bytes(rng, rng.choice((GOOD, GOOD.replace("\t", ","), json.dumps(studio()))).encode())
        options = ["--fps", "24"] if name == "x.json" else []
    if rng.random() < 0.2:
        options += rng.choice([["--vod", "a"], ["--vod", rng.choice(TEXTS)], ["--allow-unknown"], ["--format", "csv"]])
    sandbox.write(name, data)
    done = sandbox.run("labels", name, *(word.replace("\0", "") for word in options), limit=AT_ONCE)
    if done.failed:
        changed = difference(before, sandbox.contents())
        sandbox.expect(not changed, f"{done.call}: failed and changed {changed}")
    sandbox.take_inputs("a.tsv", "b.tsv")
    for vod in "ab":
        sandbox.succeed("labels", f"{vod}.tsv")
    after = {key: digest for key, digest in sandbox.contents().items() if key in before}
    sandbox.expect(after == before, f"{name}: a good file gives other labels afterwards: {difference(before, after)}")


def _table(sandbox: Sandbox) -> tuple[str, bytes]:
    rng = sandbox.rng
    separator = rng.choice(("\t", ",", ";", "\t\t", " ", "|"))
    rows = [line.split("\t") for line in GOOD.splitlines()]
    for _ in range(rng.randrange(1, 4)):
        row = rng.choice([row for row in rows if row])  # an empty line may have been put in between
        match rng.randrange(6):
            case 0:
                row[rng.randrange(len(row))] = str(rng.choice(HOSTILE))
            case 1:
                row[rng.randrange(len(row))] = rng.choice(TEXTS)
            case 2:
                row.append(rng.choice(TEXTS))
            case 3:
                del row[rng.randrange(len(row)) :]
                row.append("")
            case 4:
                row.insert(0, "\ufeff")
            case _:
                rows.insert(rng.randrange(len(rows)), [rng.choice(TEXTS)] * rng.randrange(0, 5))
    text = rng.choice(("\n", "\r\n", "\r", "\n\n")).join(separator.join(row) for row in rows)
    encoding = rng.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp037"))
    return rng.choice(("x.tsv", "x.csv", "x.TXT", "x.tsv.gz")), text.encode(encoding, errors="ignore")
