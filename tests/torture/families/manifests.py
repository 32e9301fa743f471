"""A finished root in which one file is damaged: JSON, Parquet, shards, weights, labels.

Each verb that reads it succeeds or says what to do. Whoever does that ends with the same root as before.
"""

import hashlib
import io
import json
import re
import shlex
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.results import unsealed
from tests.torture.call import Done, apart
from tests.torture.families.values import damage_bytes, mutate, set_value
from tests.torture.sandbox import LIMIT, Sandbox, difference
from tests.torture.world import INPUTS, STAGES

ROUNDS = 8  # of advice that is followed
CHAIN = 3  # commands that a person is asked for, one after the other, until the call succeeds
LONG = 120.0  # seconds of a call that learns
# Begin of a key → the calls that read it.
READERS: dict[str, tuple[str, ...]] = {
    "vods/": ("extract a --size 64 --force", "infer t a --source video --force", "report a --force", "labels a.tsv",
              "download a.mp4 --chat", "report a", "extract a --size 64", "dataset d a", "retrain",
              "track a --signal chat", "track a --signal sound"),
    "labels/": ("dataset d a --force", "report a --force", "report a", "labels a.tsv", "retrain"),
    "frames/": ("extract a --size 64", "dataset d a", "infer m a --force", "infer t a --force", "infer m a", "retrain",
                "train n --dataset d --epochs 1", "train n --dataset d --epochs 1 --tune all --weights none "
                "--backbone resnet10t --kind image", "dataset d a --force"),
    "datasets/": ("train n --dataset d --epochs 1", "report a", "dataset d a", "retrain", "report a --force",
                  " ".join(STAGES["models/m"])),
    "models/": ("infer m a", "infer m a --force", "report a", "retrain", "rollback", "infer champion b",
                "infer t a --force", "retrain --like m", " ".join(STAGES["models/m"])),
    "highlights/": ("report a", "report a --force", "infer m a", "infer m a --force"),
    "retrain/": ("retrain", "retrain --like m", "rollback"),
    "tracks/": ("track a --signal sound", "track a --signal chat", "track a --signal loudness", "infer m a --force",
                "train n --dataset d --epochs 1", "infer j a --force", " ".join(STAGES["models/j"])),
    "scores/": ("retrain --force", "compare champion m --vods a,b"),
}  # fmt: skip

JOINED = ("infer j a", "infer j a --force", "retrain --like j", " ".join(STAGES["models/j"]))  # of the joined model
_FOLDERS = {"train": "models", "dataset": "datasets"}
WRITES = {
    "infer": ("highlights/",), "report": ("highlights/",), "run": ("highlights/",), "retrain": ("retrain/", "scores/"),
    "compare": ("comparisons/", "scores/"), "analyse": ("analyses/", "scores/"),
}  # fmt: skip


def damage(sandbox: Sandbox, key: str, change: Callable[[bytes], bytes], *calls: str) -> None:
    """Damages the file, makes the calls, follows what their errors say, and compares the roots.

    A value that lolhl cannot tell from a true one stays; then there is nothing to compare.
    """
    sandbox.take()
    sandbox.take_inputs(*INPUTS)
    before = sandbox.contents()
    path = sandbox.root / key
    damaged = change(path.read_bytes())
    path.unlink()
    path.write_bytes(damaged)
    verbs = [call.split()[0] for call in calls]
    for call in calls:
        done, advised = _repaired(sandbox, key, call.split())
        verbs += [verb for verb in advised if verb == "retrain"]  # it tells what is new since the last time
        ended = done.code == 0 or "nothing to roll back to" in done.error  # as the finished root itself
        sandbox.expect(ended, f"{key} damaged: {done.call} still fails after all advice: {done.error}")
    own = tuple(prefix for verb in verbs for prefix in WRITES.get(verb, ()))  # what the calls make anew
    if any("--like" in call for call in calls):
        own = (*own, "models/champion")  # another kind of model may be the better one
    before = {name: digest for name, digest in before.items() if not name.startswith(own)}
    after = {name: digest for name, digest in sandbox.contents().items() if name in before}
    if key in before and after.get(key) == before[key] and calls[0].split()[0] not in ("retrain", "rollback"):
        sandbox.expect(after == before, f"{key} damaged and made again: the root differs: {difference(before, after)}")


def _repaired(sandbox: Sandbox, key: str, words: list[str]) -> tuple[Done, list[str]]:
    """Makes the call again and again, doing in between what its error says. Returns also the verbs of that."""
    done = None
    advised: list[str] = []
    for _ in range(ROUNDS):
        kept = sandbox.contents()
        done = sandbox.run(*words, limit=LONG if words[0] in ("train", "retrain") else LIMIT)
        if not done.failed or done.late:
            break
        own = _made_by(words)
        lost = [name for name in kept if not (sandbox.root / name).exists() and not name.startswith(own)]
        sandbox.expect(not lost, f"{done.call}: fails and takes {', '.join(lost[:5])} away")
        verb = _follow(sandbox, key, done)
        if verb is None:
            break
        advised.append(verb)
    assert done is not None
    long = len(advised) > CHAIN
    sandbox.expect(not long, f"{key} damaged: {done.call}: advice over {len(advised)} commands: {', '.join(advised)}")
    return done, advised


def _follow(sandbox: Sandbox, key: str, done: Done) -> str | None:
    """Does what the error says. Returns the verb, "" where a file is removed, None where nothing can be done."""
    if "is the first champion" in done.error:  # as in the finished root: there is nothing to roll back to
        return None
    advice = re.search(r"`(lolhl [^`]*)`", done.error)
    named = [name for name in (key, *sandbox.contents()) if f"/{name}" in done.error]
    if "remove it" in done.error and named:
        (sandbox.root / named[0]).unlink(missing_ok=True)
        return ""
    if advice:
        words = _words(advice[1])
        sandbox.run(*words, limit=LONG)
        return words[0]
    if named and named[0].startswith("labels/"):  # which people write
        sandbox.run(*STAGES[named[0].removesuffix(".tsv")])
        return "labels"
    return None


def _words(advice: str) -> list[str]:
    """The command of an error message, with what it leaves open filled in as in the finished root."""
    words = shlex.split(advice)[1:]
    force = ["--force"] if "--force" in words else []
    match words[0]:
        case "download":
            vod = words[words.index("--name") + 1] if "--name" in words else "a"
            return ["download", f"{vod}.mp4", "--chat", *force]
        case "labels":
            return ["labels", "a.tsv"]
        case "infer":
            return ["infer", "m" if words[1] == "…" else words[1], *words[2:]]
        case "extract" if len(words) == 2 + len(force) and words[1] in ("a", "b"):
            return [*STAGES[f"frames/{words[1]}"], *force]
        case "train" | "dataset" if (key := f"{_FOLDERS[words[0]]}/{words[1]}") in STAGES:
            return [*STAGES[key], *force]
        case _:
            return words


def _made_by(words: list[str]) -> tuple[str, ...]:
    """Where a call writes."""
    return {
        "extract": ("frames/",), "download": ("vods/",), "labels": ("labels/",), "dataset": ("datasets/",),
        "train": ("models/",), "infer": ("highlights/",), "report": ("highlights/",),
        "compare": ("comparisons/", "scores/"), "analyse": ("analyses/", "scores/"),
    }.get(words[0], ("retrain/", "scores/", "models/", "datasets/", "frames/"))  # fmt: skip


def holding(key: str, value: Any, path: str, *calls: str) -> Callable[[Sandbox], None]:
    """A manifest with another value in it."""
    steps = [int(step) if step.isdecimal() else step for step in path.split()]
    return lambda sandbox: damage(sandbox, _here(sandbox, key), lambda data: set_value(data, value, *steps), *calls)


def _here(sandbox: Sandbox, pattern: str) -> str:
    """The key that fits this pattern: frame sets lie below names of their own."""
    top = sandbox.finished / "root"
    return min(path.relative_to(top).as_posix() for path in top.glob(pattern))


# Parquet, in forks: polars' threads must not be there when a call is forked


def table(change: Callable[[Any, Any], Any]) -> Callable[[Path], None]:
    """What changes a Parquet file in place. `change` is given polars and the table, and returns another table."""

    def changed(path: Path) -> None:
        import polars

        buffer = io.BytesIO()
        change(polars, polars.read_parquet(io.BytesIO(path.read_bytes()))).write_parquet(buffer)
        path.unlink()
        path.write_bytes(buffer.getvalue())

    return changed


def damage_table(sandbox: Sandbox, key: str, change: Callable[[Any, Any], Any], *calls: str, consistent: bool) -> None:
    """A Parquet file with other content; `consistent` where its manifest knows the digest of what it now is."""
    copied = sandbox.work / "table.parquet"
    copied.write_bytes((sandbox.finished / "root" / key).read_bytes())
    apart(lambda: table(change)(copied))
    data = copied.read_bytes()
    copied.unlink()
    if not consistent:
        damage(sandbox, key, lambda _: data, *calls)
        return
    folder = (sandbox.finished / "root" / key).parent
    output = {"key": key, "size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    names = [path for path in folder.glob("*.json") if key in path.read_text()]
    described = min(names, key=lambda path: path.name != "scores.json")

    def change_manifest(old: bytes) -> bytes:
        content = json.loads(unsealed(old))
        content["outputs"] = [output if one["key"] == key else one for one in content["outputs"]]
        target = sandbox.root / key
        target.unlink()
        target.write_bytes(data)
        return json.dumps(content).encode()

    damage(sandbox, described.relative_to(sandbox.finished / "root").as_posix(), change_manifest, *calls)


def without_column(name: str) -> Callable[[Any, Any], Any]:
    return lambda _, rows: rows.drop(name)


def as_text(name: str) -> Callable[[Any, Any], Any]:
    return lambda pl, rows: rows.with_columns(pl.lit("many").alias(name))


def beyond_the_end(pl: Any, rows: Any) -> Any:
    return rows.with_columns(pl.lit(10**18).alias("length"))


def wrong_table(key: str, change: Callable[[Any, Any], Any], *calls: str) -> Callable[[Sandbox], None]:
    return lambda sandbox: damage_table(sandbox, _here(sandbox, key), change, *calls, consistent=True)


def other_picture(size: int) -> Callable[[bytes], bytes]:
    """A shard whose first picture is a JPEG of another size, in the same number of bytes."""

    def change(shard: bytes) -> bytes:
        import numpy as np
        import simplejpeg

        begin = shard.find(b"\xff\xd8")
        length = int(shard[124:135], 8)
        for quality in (90, 60, 30, 10, 1):
            jpeg = simplejpeg.encode_jpeg(np.zeros((size, size, 3), np.uint8), quality=quality)
            if len(jpeg) <= length:
                return bytes(shard[:begin] + jpeg.ljust(length, b"\0") + shard[begin + length :])
        raise ValueError(f"no JPEG of {size} px in {length} bytes")

    return change


def jpeg_of_another_size(sandbox: Sandbox) -> None:
    deep = "train n --dataset d --epochs 1 --tune all --weights none --backbone resnet10t --kind image"
    damage(sandbox, _here(sandbox, "frames/a/**/shard-000000*.tar"), other_picture(32), deep, "infer t a --force")


def nan_track(sandbox: Sandbox) -> None:
    """A stored track that holds NaN."""
    key = _here(sandbox, "tracks/a/pictures-*/part-*.npy")

    def change(data: bytes) -> bytes:
        import numpy as np

        stored = np.load(io.BytesIO(data))
        stored["values"] = np.nan
        buffer = io.BytesIO()
        np.save(buffer, stored)
        return buffer.getvalue()

    sandbox.take()
    path = sandbox.root / key
    whole = path.read_bytes()
    path.unlink()
    path.write_bytes(change(whole))
    done = sandbox.run("train", "n", "--dataset", "d", "--epochs", "1", "--kind", "video")
    sandbox.expect("learning-rate" not in done.error, f"NaN in a stored track: {done.error}")
    sandbox.expect(path.read_bytes() == whole, f"NaN in a stored track: {done.call} learns from it")


MODEL, VOD, FRAMES, SCORES, HIGHLIGHTS, CLIPS, REPORT = (
    "models/m/model.json", "vods/a/vod.json", "frames/a/**/frameset.json", "highlights/a/scores.json",
    "highlights/a/highlights.json", "highlights/a/clips.json", "highlights/a/report.json",
)  # fmt: skip
INDEX, SCORED = "frames/a/**/index*.parquet", "highlights/a/scores*.parquet"
STRETCHES, SPANS = "datasets/d/stretches*.parquet", "datasets/d/spans*.parquet"
LEARN = "train n --dataset d --epochs 1"
NAMED: Mapping[str, Callable[[Sandbox], None]] = {
    "view-fps-0": holding(MODEL, "0", "result view fps", "infer m a --source video --force"),
    "view-fps-huge": holding(MODEL, "1e99999999", "result view fps", "infer m a --source video --force"),
    "view-fps-240000": holding(MODEL, "240000/1", "result view fps", "infer m a --source video --force"),
    "view-size-null": holding(MODEL, None, "result view size", "infer m a --source video --force"),
    "clip-frames-0": holding(MODEL, 0, "result settings clip_frames", "infer m a --force"),
    "clip-frames-huge": holding(MODEL, 10**9, "result settings clip_frames", "infer m a --force"),
    "clip-stride-huge": holding(MODEL, 10**9, "result settings clip_stride", "infer m a --force"),
    "frames-fps-0": holding(FRAMES, "0", "result fps", "infer m a --force"),
    "frames-fps-huge": holding(FRAMES, "1e99999999", "result fps", "infer m a --force"),
    "scores-fps-0": holding(SCORES, "0", "result fps", "report a --force"),
    "scores-threshold": holding(SCORES, 7, "result threshold", "report a --force"),
    "scores-figures": holding(SCORES, {"smoothed": {"model": 3}}, "result model_metrics", "report a --force"),
    "scores-events": holding(SCORES, "many", "result model_metrics events", "report a --force"),
    "highlights-spans": holding(HIGHLIGHTS, [{"rank": "x", "span": None}], "result highlights", "report a"),
    "clips-keys": holding(CLIPS, [{"rank": 0, "key": None}], "result clips", "report a"),
    "report-highlights": holding(REPORT, [{"rank": "x", "start": None}], "result highlights", "report a"),
    "report-labelled": holding(REPORT, {"frames": 3}, "result labelled", "report a"),
    "model-metrics": holding(MODEL, {"smoothed": 3}, "result metrics", " ".join(STAGES["models/m"])),
    "config-seed": holding("datasets/d/dataset.json", "x", "config seed", LEARN, "retrain --like m"),
    "config-seed-like": holding(MODEL, "x", "config seed", "retrain --like m"),
    "vod-chapters": holding(VOD, [3, None], "result chapters", "report a --force"),
    "vod-duration": holding(VOD, 1e300, "result duration", "extract a --size 64 --force", "report a --force"),
    "stretches-column": wrong_table(STRETCHES, without_column("side"), LEARN),
    "stretches-text": wrong_table(STRETCHES, as_text("first"), LEARN),
    "spans-column": wrong_table(SPANS, without_column("stop"), LEARN),
    "spans-text": wrong_table(SPANS, as_text("start"), LEARN),
    "index-column": wrong_table(INDEX, without_column("offset"), "infer t a --force"),
    "index-beyond": wrong_table(INDEX, beyond_the_end, "infer t a --force", LEARN),
    "index-text": wrong_table(INDEX, as_text("length"), "infer t a --force"),
    "scores-column": wrong_table(SCORED, without_column("score"), "report a --force"),
    "scores-text": wrong_table(SCORED, as_text("score"), "report a --force"),
    "jpeg-of-another-size": jpeg_of_another_size,
    "nan-track": nan_track,
}


# Others


def draw(sandbox: Sandbox) -> None:
    rng = sandbox.rng
    top = sandbox.finished / "root"
    keys = [path.relative_to(top).as_posix() for path in sorted(top.rglob("*")) if path.is_file()]
    keys = [key for key in keys if not key.startswith((".", "mlflow/")) and key.startswith(tuple(READERS))]
    kinds = {ending: [key for key in keys if key.endswith(ending)] for ending in (".json", ".parquet")}
    kinds["other"] = [key for key in keys if not key.endswith((".json", ".parquet"))]
    kind = rng.choices([*kinds], (6, 3, 2))[0]
    key = rng.choice(kinds[kind])
    calls = JOINED if key.startswith("models/j/") else READERS[key.split("/")[0] + "/"]
    call = rng.choice(calls)
    call = re.sub(r"\ba\b", "b", call) if "/b/" in key and "dataset" not in call else call
    if kind == ".json":
        seeded = rng.randrange(2**32)
        old = rng.random() < 0.25  # a manifest of lolhl 0.1, which holds no digest of its content
        damage(sandbox, key, lambda data: mutate(type(rng)(seeded), unsealed(data) if old else data), call)
    elif kind == ".parquet" and rng.random() < 0.8:
        damage_table(sandbox, key, _table_change(rng), call, consistent=rng.random() < 0.6)
    elif key.endswith(".safetensors") and rng.random() < 0.5:
        damage(sandbox, key, lambda data: _safetensors(rng, data), call)
    elif key.endswith(".tar") and rng.random() < 0.5:
        damage(sandbox, key, other_picture(rng.choice((16, 32, 63))), call)
    else:
        damage(sandbox, key, lambda data: damage_bytes(rng, data), call)


def _table_change(rng: Any) -> Callable[[Any, Any], Any]:
    number, kind = rng.random(), rng.randrange(9)

    def change(pl: Any, rows: Any) -> Any:
        name = rows.columns[int(number * len(rows.columns))]
        column = pl.col(name)
        numeric = rows[name].dtype.is_numeric()
        match kind:
            case 0:
                return rows.drop(name)
            case 1:
                return rows.with_columns(pl.lit("many").alias(name))
            case 2:
                return rows.with_columns(pl.lit(None).cast(rows[name].dtype).alias(name))
            case 3:
                return rows.head(int(number * rows.height))
            case 4:
                return pl.concat([rows, rows])
            case 5 if numeric:
                return rows.with_columns((column.cast(pl.Int64) * -(10**9)).alias(name))
            case 6 if numeric:
                return rows.with_columns((column.cast(pl.Float64) * float("nan")).alias(name))
            case 7:
                return rows.reverse().rename({name: f"{name}_"})
            case _:
                return rows.clear() if number < 0.5 else rows.with_columns(pl.lit(10**18).alias(name))

    return change


def _safetensors(rng: Any, data: bytes) -> bytes:
    """Weights with another header: other shapes, kinds, places or lengths."""
    (length,) = struct.unpack("<Q", data[:8])
    entries = json.loads(data[8 : 8 + length])
    name = rng.choice([name for name in entries if name != "__metadata__"])
    match rng.randrange(6):
        case 0:
            entries[name]["shape"] = [2**40]
        case 1:
            entries[name]["dtype"] = rng.choice(("F64", "I8", "X"))
        case 2:
            entries[name]["data_offsets"] = [0, 2**60]
        case 3:
            del entries[name]
        case 4:
            entries["new"] = entries.pop(name)
        case _:
            return struct.pack("<Q", rng.choice((2**63, 0, len(data) * 2))) + data[8:]
    header = json.dumps(entries).encode()
    return struct.pack("<Q", len(header)) + header + data[8 + length :]
