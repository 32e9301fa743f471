"""Calls that are wrong, and the damage that some of them meet."""

import io
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

import polars as pl

from lolhl.manifest import Output
from lolhl.stages.extract import ExtractConfig, extract
from lolhl.storage import Root
from tests.results import unsealed

Damage = Callable[[Root], object]


@dataclass(frozen=True)
class Bad:
    """A call that is wrong: its words, the exit code, what its message names, and what that says to do.

    In the words, {films} and {root} stand for folders; `damage` is done to the root before.
    """

    words: str
    code: int
    names: str
    advice: str
    damage: Damage | None = None


def replaced(key: str, data: bytes) -> Damage:
    return lambda root: root.write(key, data)


def filled(data: bytes) -> Callable[[str], Damage]:
    return lambda key: replaced(key, data)


def removed(key: str) -> Damage:
    return lambda root: root.delete(key)


def halved(key: str) -> Damage:
    return lambda root: root.write(key, root.read(key)[: len(root.read(key)) // 2])


def blanked(key: str) -> Damage:
    return lambda root: root.write(key, b"x" * len(root.read(key)))


def flipped(key: str) -> Damage:
    """The last byte is another, so that a safetensors file still loads."""
    return lambda root: root.write(key, root.read(key)[:-1] + bytes([root.read(key)[-1] ^ 1]))


def without(key: str, *path: str) -> Damage:
    """A manifest that lacks an element, as if another program had written it."""

    def damage(root: Root) -> None:
        whole = part = json.loads(unsealed(root.read(key)))
        for step in path[:-1]:
            part = part[step]
        del part[path[-1]]
        root.write(key, json.dumps(whole).encode())

    return damage


def beginning(prefix: str, damage: Callable[[str], Damage]) -> Damage:
    """The damage to the first object whose key begins so."""
    return lambda root: damage(next(stat.key for stat in root.list(prefix)))(root)


def both(first: Damage, second: Damage) -> Damage:
    def damage(root: Root) -> None:
        first(root)
        second(root)

    return damage


def extracted(vod: str) -> Damage:
    """It has frames as VOD a has them."""
    return lambda root: extract(root, vod, ExtractConfig(size=64))


def holding(key: str, value: object, *path: str) -> Damage:
    """A manifest with another value in it."""

    def damage(root: Root) -> None:
        whole = part = json.loads(unsealed(root.read(key)))
        for step in path[:-1]:
            part = part[int(step) if step.isdigit() else step]
        part[path[-1]] = value
        root.write(key, json.dumps(whole).encode())

    return damage


def rewritten(change: Callable[[pl.DataFrame], pl.DataFrame]) -> Damage:
    """Another index of the frames of a, which its manifest says is right."""

    def damage(root: Root) -> None:
        place = f"{FRAMES}/frameset.json"
        made = json.loads(unsealed(root.read(place)))
        output = next(output for output in made["outputs"] if output["key"].endswith(".parquet"))
        buffer = io.BytesIO()
        change(pl.read_parquet(io.BytesIO(root.read(output["key"])))).write_parquet(buffer)
        output |= asdict(Output.from_bytes(output["key"], buffer.getvalue()))
        root.write(output["key"], buffer.getvalue())
        root.write(place, json.dumps(made).encode())

    return damage


def championed(*models: str) -> Damage:
    """These were champions, one after the other."""
    listed = [{"model": model, "by": "x"} for model in models]
    return replaced("models/champion.json", json.dumps({"champions": listed}).encode())


SEE = "--help)"
SCRATCH = "--kind image --backbone resnet18 --weights none --tune all"
MODEL = "models/m/model.json"
FRAMES = "frames/a/3fps-64px-squeeze-q90"
INDEX, SHARD = f"{FRAMES}/index-", f"{FRAMES}/shard-000000-"
EXTRACT = "extract a --fps 3 --size 64 --fit squeeze --quality 90"
NO_MANIFESTS = (b"", b"{}", b"[1, 2]", b"null", b"\xff\xfe", b"[" * 100_000)
CALLS = [
    Bad("", 2, "VERB", SEE),
    Bad("learn", 2, "'learn'", "choose from"),
    Bad("learn train", 2, "'learn'", "choose from"),
    Bad("--root x train m", 2, "'x'", SEE),
    # Flags and values
    Bad("extract a --sise 64", 2, "--sise", SEE),
    Bad("extract a --qual 64", 2, "--qual", SEE),
    Bad("extract", 2, "VOD", SEE),
    Bad("extract a --size", 2, "--size", SEE),
    Bad("extract a --size big", 2, "'big'", SEE),
    Bad("extract a --size 1.5", 2, "'1.5'", SEE),
    Bad("extract a --size 4", 2, "--size 4", "16 to 2048"),
    Bad("extract a --quality 101", 2, "--quality 101", "1 to 100"),
    Bad("extract a --fps 0", 2, "'0'", "frames per second"),
    Bad("extract a --fps 1/0", 2, "'1/0'", "frames per second"),
    Bad("extract a --fps 241", 2, "'241'", "frames per second"),
    Bad("extract a --fps=-3", 2, "'-3'", "frames per second"),
    Bad("extract a --fit stretch", 2, "'stretch'", "squeeze"),
    Bad("extract a --shard-mb 0", 2, "--shard-mb 0", "above 0 and at most 5000"),
    Bad("extract a --shard-mb nan", 2, "--shard-mb nan", "above 0 and at most 5000"),
    Bad("extract a --shard-mb inf", 2, "--shard-mb inf", "above 0 and at most 5000"),
    Bad("extract a --decoder tpu", 2, "'tpu'", "cpu"),
    Bad("extract a --decoder cuda", 2, "--decoder cpu", "--decoder cpu"),
    Bad("download {films}/film.mp4 --start 2 --stop 1", 2, "--stop 1", "not after"),
    Bad("download {films}/film.mp4 --start 1:99:00", 2, "1:99:00", "up to 59"),
    Bad("download {films}/film.mp4 --start soon", 2, "'soon'", "h:mm:ss"),
    Bad("download {films}/film.mp4 --start " + "9" * 400 + ":00:00", 2, "--start: '9999", "is not a time: write"),
    Bad("download {films}/film.mp4 --stop " + "9" * 5000 + ":00:00", 2, "--stop: '9999", "is not a time: write"),
    Bad("download {films}/film.mp4 --start 1:00", 2, "film.mp4", "choose another --start"),
    Bad("download 123 --quality audio_only", 2, "audio_only", "choose another"),
    Bad("dataset n a --validation 0", 2, "--validation 0", "above 0 and below 1"),
    Bad("dataset n a --validation nan", 2, "--validation nan", "above 0 and below 1"),
    Bad("dataset n a --chunk-seconds 0", 2, "--chunk-seconds 0", "1 to 3600"),
    Bad("dataset n a --context-seconds -1", 2, "--context-seconds -1", "0 to 3600"),
    Bad("dataset n a --positives 1", 2, "--positives 1", "above 0 and below 1"),
    Bad("dataset n a --seed -1", 2, "--seed -1", "0 or more"),
    Bad("dataset n a --holdout zzz", 2, "'zzz'", "write auto"),
    Bad("dataset n a --holdout a", 2, "--holdout a", "name more VODs"),
    Bad("dataset n", 2, "VOD", SEE),
    Bad("train m --dataset d --epochs 0", 2, "--epochs 0", "1 to 1000000"),
    Bad("train m --dataset d --batch 0", 2, "--batch 0", "1 to 1000000"),
    Bad("train m --dataset d --dropout 1", 2, "--dropout 1", "below 1"),
    Bad("train m --dataset d --learning-rate 0", 2, "--learning-rate 0", "above 0"),
    Bad("train m --dataset d --learning-rate nan", 2, "--learning-rate nan", "above 0"),
    Bad("train m --dataset d --weight-decay nan", 2, "--weight-decay nan", "0 or more"),
    Bad("train m --dataset d --smooth-seconds inf", 2, "--smooth-seconds inf", "0 to 3600"),
    Bad("train m --dataset d --cache-gb -1", 2, "--cache-gb -1", "0 to 1000000"),
    Bad("train m --dataset d --seed -1", 2, "--seed -1", "0 to"),
    Bad("train m --dataset d --seed 99999999999", 2, "--seed 99999999999", "0 to"),
    Bad("train m --dataset d --kind video --hidden 9999999999", 2, "--hidden 9999999999", "1 to 8192"),
    Bad("train m --dataset d --kind video --clip-frames 9999999999", 2, "--clip-frames 9999999999", "1 to 10000"),
    Bad("train m --dataset d --kind audio", 2, "'audio'", "image"),
    Bad("train m --dataset d --weights none", 2, "--weights none", "--tune all"),
    Bad("train m --dataset d --backbone resnet9000", 2, "resnet9000", "there are resnet18"),
    Bad("train m --dataset d --backbone ../x", 2, "../x", "there are resnet18"),
    Bad("train m --dataset d --register a/b", 2, "a/b", "letters"),
    Bad("train m --dataset d --alias ''", 2, "--alias ''", "letters"),
    Bad("train m --dataset d --alias a.b", 2, "a.b", "letters"),
    Bad("train m --dataset d --alias v2", 2, "v2", "another"),
    Bad("train m --dataset d --alias latest", 2, "latest", "another"),
    Bad("train m --dataset d --alias champion", 2, "champion", "another"),
    *[
        Bad(f"train {name} --dataset d", 2, f"'{name}'", "another")
        for name in (
            "champion",
            "Champion",
            "champion.json",
            "CHAMPION.JSON",
            "constant",
            "random",
            "n.json",
            "n.tar",
            "n.",
            "con",
            "NUL.x",
            "lpt1",
            "M",
        )
    ],
    *[Bad(f"dataset {name} a", 2, f"'{name}'", "another") for name in ("d.parquet", "D", "aux")],
    *[Bad(f"download {{films}}/film.mp4 --name {name}", 2, f"'{name}'", "another") for name in ("A", "a.tsv", "nul")],
    Bad("retrain a", 2, "a", SEE),
    Bad("retrain --tolerance=--", 2, "--tolerance", "no value"),
    Bad("extract c --part=--", 2, "--part", "no value"),
    Bad("train m --dataset=--", 2, "--dataset", "no value"),
    Bad("train m --dataset d --cache-gb=--", 2, "--cache-gb", "no value"),
    Bad("rollback --root=--", 2, "--root", "no value"),
    Bad("retrain --tolerance 2", 2, "--tolerance 2", "0 to 1"),
    Bad("retrain --tolerance nan", 2, "--tolerance nan", "0 to 1"),
    Bad("retrain --judge zzz", 2, "zzz is no labelled VOD", "name another"),
    Bad("retrain --judge c", 2, "c is no labelled VOD", "name another"),
    Bad("retrain --judge a,b", 2, "no VOD is left to learn from", "name fewer"),
    Bad("retrain --judge b", 1, "no highlight is labelled", "name others"),
    Bad("compare --vods a", 2, "METHOD", SEE),
    Bad("compare m --vods ''", 2, "is no name for a VOD", "use letters"),
    Bad("compare m --judge a", 2, "--judge", SEE),
    Bad("analyse", 2, "MODEL", SEE),
    Bad("analyse m t", 2, "t", SEE),
    Bad("analyse m --worst 101", 2, "--worst 101", "0 to 100"),
    Bad("analyse m --around 0", 2, "--around 0", "1 to 600"),
    Bad("analyse chat", 2, "'chat' is a method that is built in", "lolhl compare chat"),
    Bad("rollback a", 2, "a", SEE),
    Bad("review a", 2, "a", SEE),
    Bad("review --port", 2, "--port", SEE),
    Bad("review --port x", 2, "--port", "not a whole number"),
    Bad("review --port 1.5", 2, "--port", "not a whole number"),
    Bad("review --port=-1", 2, "--port -1", "0 to 65535"),
    Bad("review --port 65536", 2, "--port 65536", "0 to 65535"),
    Bad("review --no-browser=1", 2, "--no-browser", SEE),
    Bad("review --host 0.0.0.0", 2, "--host", SEE),
    Bad("rollback --to m", 2, "--to", SEE),
    Bad("track", 2, "VOD", SEE),
    Bad("track a --signal heat", 2, "heat: no such signal", "there are pictures"),
    Bad("track a --backbone resnet9000", 2, "--backbone resnet9000", "there are resnet18"),
    Bad("track a --size 4", 2, "--size 4", "16 to 2048"),
    Bad("track a --fps 0", 2, "'0'", "frames per second"),
    Bad("track a --mode refine", 2, "'refine'", "scan"),
    Bad("track a --source tape", 2, "'tape'", "video"),
    Bad("infer m a --source tape", 2, "'tape'", "video"),
    Bad("infer m", 2, "VOD", SEE),
    Bad("export a --format avi", 2, "'avi'", "fcpxml"),
    Bad("export a --handles -1", 2, "--handles -1", "0 to 600"),
    Bad("export", 2, "VOD", SEE),
    Bad("export a --format", 2, "--format", SEE),
    Bad("export a --handles 601", 2, "--handles 601", "0 to 600"),
    Bad("export a --handles x", 2, "'x'", "not a number"),
    Bad("export none", 1, "highlights/none/highlights.json", "lolhl report none"),
    Bad("export ../a", 2, "../a", "VOD"),
    Bad("reel", 2, "VOD", SEE),
    Bad("reel none", 1, "highlights/none/highlights.json", "lolhl report none"),
    Bad("reel a --minutes 0", 2, "--minutes 0", "above 0"),
    Bad("reel a --order best", 2, "'best'", "rank"),
    Bad("reel a --fade 11", 2, "--fade 11", "0 to 10"),
    Bad("reel a --cut fast", 2, "'fast'", "exact"),
    Bad("reel a --loudness 0", 2, "--loudness 0", "-70 to -5"),
    Bad("reel ../a", 2, "../a", "VOD"),
    Bad("report a --reel-loudness 0", 2, "--reel-loudness 0", "-70 to -5"),
    Bad("report a --threshold 2", 2, "--threshold 2", "0 to 1"),
    Bad("report a --threshold nan", 2, "--threshold nan", "0 to 1"),
    Bad("report a --smooth-seconds -1", 2, "--smooth-seconds -1", "0 to 3600"),
    Bad("report a --intensity-seconds inf", 2, "--intensity-seconds inf", "0 to 3600"),
    Bad("report a --max-length 1 --min-length 1", 2, "--max-length 1", "--min-length"),
    Bad("report a --pad-before -2", 2, "--pad-before -2", "0 or more"),
    Bad("report a --top -1", 2, "--top -1", "1 or more"),
    Bad("report a --clips-top -1", 2, "--clips-top -1", "0 or more"),
    Bad("report a --minutes 0", 2, "--minutes 0", "above 0"),
    Bad("report a --share 8", 2, "'8'", "8% or 0.08"),
    Bad("report a --share 0/4", 2, "'0/4'", "8% or 0.08"),
    Bad("report a --top 20 --minutes 10", 2, "--minutes and --top", "give one of them"),
    Bad("run {films}/film.mp4 --model m --share 8% --threshold 0.5", 2, "--threshold and --share", "give one of them"),
    Bad("report a --top all", 2, "'all'", SEE),
    Bad("run {films}/film.mp4 --model m --source tape", 2, "'tape'", "auto, frames or video"),
    Bad("run {films}/film.mp4 --model nix", 1, "models/nix", "run `lolhl train nix"),
    Bad("run {films}/text.mp4 --model m", 1, "text.mp4", "give an .mp4"),
    # Names
    *[
        Bad(f"{call}", 2, f"is no name for a {what}", "use letters")
        for call, what in (
            ("download {films}/film.mp4 --name ../x", "VOD"),
            ("download {films}/film.mp4 --name=-x", "VOD"),
            ("download {films}/film.mp4 --name ''", "VOD"),
            ("extract ../a", "VOD"),
            ("extract '' a", "VOD"),
            ("extract -- -x", "VOD"),
            ("dataset ../n a", "dataset"),
            ("dataset n a/../a", "VOD"),
            ("train /etc/m --dataset d", "model"),
            ("train m --dataset ../d", "dataset"),
            ("infer .. a", "model"),
            ("retrain --like ../m", "model"),
            ("retrain --judge ../a", "VOD"),
            ("compare ../m --vods a", "model"),
            ("compare m --vods ../a", "VOD"),
            ("analyse ../m", "model"),
            ("analyse m --vods ../a", "VOD"),
            ("compare m --vods a --name ../x", "comparison"),
            ("infer m .", "VOD"),
            ("report a/b", "VOD"),
            ("run {films}/film.mp4 --model m --name a/b", "VOD"),
            ("run {films}/film.mp4 --model ../m", "model"),
            ("labels {films}/own.tsv --vod ../a", "VOD"),
            ("labels {films}/outside.tsv", "VOD"),
        )
    ],
    Bad("extract -x", 2, "VOD", SEE),
    # Sources
    Bad("download {films}/none.mp4", 2, "none.mp4", "check its spelling"),
    Bad("download ''", 2, "''", "check its spelling"),
    Bad("download " + "x" * 300 + ".mp4", 2, "xxx", "check its spelling"),
    Bad("download ~nobody-of-this-name/film.mp4", 2, "~nobody-of-this-name", "check its spelling"),
    Bad("download {films}/loop.mp4", 2, "loop.mp4", "check its spelling"),
    Bad("download {films}/folder.mp4", 2, "folder.mp4", "give a video file"),
    Bad("download {films}/pipe.mp4", 2, "pipe.mp4", "give a video file"),
    Bad("download /dev/null", 2, "/dev/null", "give a video file"),
    Bad("download {films}/\u65e5\u672c.mp4", 2, "\u65e5\u672c.mp4", "(--name)"),
    Bad("download {films}/film.mp4 --name a", 2, "VOD a is there already", "--force"),
    Bad("download {films}/text.mp4", 1, "text.mp4", "give an .mp4"),
    Bad("download {films}/text.mp4 --stop 1", 1, "text.mp4", "give an .mp4"),
    Bad("download {films}/empty.mp4", 1, "empty.mp4", "give an .mp4"),
    Bad("download {films}/broken.mp4", 1, "broken.mp4", "give an .mp4"),
    Bad("download {films}/sound.mp4", 1, "sound.mp4", "give an .mp4"),
    Bad("download {films}/list.m3u8", 1, "list.m3u8", "give the video itself"),
    Bad("download ftp://127.0.0.1/a.mp4", 2, "ftp://127.0.0.1/a.mp4", "give http"),
    Bad("download http://127.0.0.1:9/a.mp4", 1, "http://127.0.0.1:9/a.mp4", "run again"),
    Bad("download http://me:secret@127.0.0.1:9/a.mp4", 2, "a.mp4", "without a password"),
    Bad("download http://[::1/a.mp4", 2, "http://[::1/a.mp4", "give http"),
    # What is not there
    Bad("extract zzz", 1, "vods/zzz/vod.json", "run `lolhl download"),
    Bad("extract a", 1, "vods/a/video.mp4", "lolhl download", removed("vods/a/video.mp4")),
    Bad("dataset n zzz", 1, "VOD zzz has neither frames nor a video", "run `lolhl download"),
    Bad("dataset n c", 1, "labels/c.tsv", "lolhl labels FILE"),
    Bad("dataset n a --size 96", 1, "has no such frames, but 3fps-64px-squeeze", "run `lolhl extract a"),
    Bad("dataset n a", 1, "frames/a/frameset.json", "run `lolhl extract a", replaced("frames/a/frameset.json", b"{}")),
    Bad("dataset n a", 1, "labels/a.tsv", "lolhl labels FILE", removed("labels/a.tsv")),
    Bad("dataset n b", 1, "no frame lies in a highlight", "lolhl labels FILE"),
    Bad("dataset n a b", 1, "VOD a has 3fps-64px-squeeze and VOD b 2fps-96px-squeeze", "extract both"),
    Bad("dataset n a --chunk-seconds 3600", 1, "validation", "label more"),
    Bad("train m --dataset zzz", 1, "datasets/zzz/dataset.json", "run `lolhl dataset zzz"),
    Bad("train n --dataset d --kind video --clip-frames 99", 1, "clips reach", "use shorter clips"),
    Bad("train m --dataset d --kind video --clip-frames 99", 1, "clips reach", "use shorter clips"),
    Bad("train n --dataset d --backbone resnet34", 1, "resnet34", "--weights none"),
    Bad(
        "train n --dataset d --kind image --backbone vit_tiny_patch16_224 --weights none --tune all",
        1,
        "vit_tiny",
        "--size 224",
    ),
    Bad("track zzz", 1, "vods/zzz/vod.json", "run `lolhl download"),
    Bad("track a --model zzz", 1, "models/zzz/model.json", "run `lolhl train zzz"),
    Bad("track b --model m --source frames", 1, "needs frames at 3 fps, 64 px", "--source video"),
    Bad("track c --source frames", 1, "VOD c has no frames", "run `lolhl extract c --fps 3 --size 224"),
    Bad("infer zzz a", 1, "models/zzz/model.json", "run `lolhl train zzz"),
    Bad("infer m zzz", 1, "vods/zzz/vod.json", "run `lolhl download"),
    Bad("infer m c --source frames", 1, "VOD c has no frames", "run `lolhl extract c --fps 3 --size 64"),
    Bad("infer m b --source frames", 1, "needs frames at 3 fps, 64 px", "--source video"),
    Bad("infer m c", 1, "vods/c/video.mp4", "lolhl download", removed("vods/c/video.mp4")),
    Bad("infer champion a", 1, "no champion yet", "lolhl retrain"),
    Bad("run {films}/film.mp4 --model champion", 1, "no champion yet", "lolhl retrain"),
    Bad("retrain --like champion", 1, "no champion yet", "name a model"),
    Bad("compare champion --vods a", 1, "no champion yet", "name a model"),
    Bad("compare m zzz --vods a", 1, "models/zzz/model.json", "run `lolhl train zzz"),
    Bad("compare m --vods zzz", 1, "labels/zzz.tsv", "lolhl labels FILE"),
    Bad("compare m", 1, "no highlight is labelled in b", "--vods"),
    Bad("compare m", 1, "no labelled VOD that no model has learnt from", "lolhl labels", removed("labels/b.tsv")),
    Bad("compare random --vods a", 1, "vods/a/vod.json", "lolhl download", removed("vods/a/vod.json")),
    Bad("analyse champion", 1, "no champion yet", "name a model"),
    Bad("analyse zzz", 1, "models/zzz/model.json", "run `lolhl train zzz"),
    Bad("analyse m --vods zzz", 1, "labels/zzz.tsv", "lolhl labels FILE"),
    Bad("analyse m", 1, "no highlight is labelled in b", "--vods"),
    Bad("retrain --like zzz", 1, "models/zzz/model.json", "run `lolhl train zzz"),
    Bad("retrain", 1, "has 1 labelled VODs", "lolhl labels", removed("labels/b.tsv")),
    Bad("retrain", 1, "no frame lies in a highlight", "lolhl labels FILE", extracted("b")),  # a is held out
    Bad("rollback", 1, "there is no champion", "lolhl retrain"),
    Bad("rollback", 1, "m is the first champion", "lolhl retrain", championed("m")),
    Bad("rollback", 1, "models/gone/model.json", "bring it back", championed("gone", "m")),
    Bad("infer champion a", 1, "models/gone/model.json", "bring it back", championed("gone")),
    Bad("retrain --like champion", 1, "models/gone/model.json", "bring it back", championed("gone")),
    Bad("infer champion a", 1, "models/champion.json", "remove it", championed("champion")),
    Bad("rollback", 1, "models/champion.json", "remove it", championed("champion", "m")),
    Bad(
        "infer champion a",
        1,
        "models/champion.json",
        "rename the folder",
        replaced("models/champion.json/model.json", b"{}"),
    ),
    Bad("report zzz", 1, "vods/zzz/vod.json", "run `lolhl download"),
    Bad("report c", 1, "highlights/c/scores.json", "run `lolhl infer"),
    Bad("report a --force", 1, "vods/a/vod.json", "run `lolhl download", removed("vods/a/vod.json")),
    # Label files
    Bad("labels {films}/none.tsv", 2, "none.tsv", "cannot be read"),
    Bad("labels {films}/folder.tsv", 2, "folder.tsv", "cannot be read"),
    Bad("labels ''", 2, ".", "--format"),
    Bad("labels {films}/nothing.tsv", 2, "nothing.tsv:1", "the first line must name"),
    Bad("labels {films}/headless.tsv", 2, "headless.tsv:1", "the first line must name"),
    Bad("labels {films}/inverted.tsv", 2, "inverted.tsv:2", "later than its start"),
    Bad("labels {films}/late.tsv", 2, "late.tsv:2", "which ends at"),
    Bad("labels {films}/unknown.tsv", 2, "unknown.tsv:2", "download it first"),
    Bad("labels {films}/time.tsv", 2, "time.tsv:2", "write h:mm:ss"),
    Bad("labels {films}/long.tsv", 2, "long.tsv:2", "write h:mm:ss"),
    Bad("labels {films}/short.tsv", 2, "short.tsv:2", "the first line names 3"),
    Bad("labels {films}/latin.tsv", 2, "latin.tsv:2", "save it as UTF-8"),
    Bad("labels {films}/zeros.tsv", 2, "zeros.tsv:1", "save it as UTF-8"),
    Bad("labels {films}/labels.doc", 2, "labels.doc", "--format"),
    Bad("labels {films}/good.tsv --fps 24", 2, "good.tsv", "count frames"),
    Bad("labels {films}/broken.json", 2, "broken.json", "--fps"),
    Bad("labels {films}/broken.json --fps 24", 2, "broken.json:1", "export the project"),
    Bad("labels {films}/deep.json --fps 24", 2, "deep.json", "export the project"),
    Bad("labels {films}/other.json --fps 24", 2, "other.json", "export the project"),
    Bad("labels {films}/good.tsv --format xml", 2, "'xml'", "label-studio"),
    Bad("retrain", 2, "labels/a.tsv:1", "save it as UTF-8", replaced("labels/a.tsv", b"\xff\n")),
    Bad("dataset n a", 2, "labels/a.tsv:1", "save it as UTF-8", replaced("labels/a.tsv", b"\xff\n")),
    Bad("report a", 2, "labels/a.tsv:1", "the first line must name", replaced("labels/a.tsv", b"\n\n")),
    # Games
    Bad("clock zzz", 1, "vods/zzz/vod.json", "run `lolhl download"),
    Bad("clock a --box 1,2", 2, "--box '1,2'", "write x,y,w,h"),
    Bad("clock a --box 0.9,0,0.2,0.1", 2, "--box 0.9,0,0.2,0.1", "as fractions"),
    Bad("clock a --box nan,0,0.2,0.1", 2, "--box 'nan", "as fractions"),
    Bad("clock a --rendition 480p", 2, "--rendition '480p'", "auto or stored"),
    Bad("clock", 2, "VOD", "--help"),
    Bad("clock ../a", 2, "'../a'", "name"),
    Bad("clock a --part 2/2", 2, "--part", "--help"),
    Bad("clock a", 1, "vods/a/vod.json", "--force`", replaced("vods/a/vod.json", b"{}")),
    Bad("riot zzz --riot-id a#b", 1, "vods/zzz/vod.json", "run `lolhl download"),
    Bad("riot a", 2, "--riot-id", "--help"),
    Bad("riot a --riot-id me", 2, "--riot-id 'me'", "give NAME#TAG"),
    Bad("riot a --riot-id a#b --region mars", 2, "--region 'mars'", "must be americas"),
    Bad("riot a --riot-id a#b --rules {films}/none.toml", 2, "none.toml", "check its path"),
    Bad("riot a --riot-id a#b --recorded-at yesterday", 2, "'yesterday'", "write it as"),
    Bad("riot a --riot-id a#b --recorded-at 2024-09-08T10:00:00", 2, "--recorded-at", "with the zone"),
    Bad("riot a --riot-id a#b", 1, "vods/a/vod.json", "--force`", replaced("vods/a/vod.json", b"{}")),
    # Manifests that are damaged, or of another shape
    *[
        Bad(call, 1, key, "--force`", damage(key))
        for call, key in (
            ("extract a", "vods/a/vod.json"),
            ("download {films}/film.mp4 --name a", "vods/a/vod.json"),
            ("labels {films}/good.tsv", "vods/a/vod.json"),
            ("dataset n a", f"{FRAMES}/frameset.json"),
            ("train m --dataset d", "datasets/d/dataset.json"),
            ("infer m a", "models/m/model.json"),
            ("run {films}/film.mp4 --model m", "models/m/model.json"),
            ("report a", "highlights/a/scores.json"),
            ("retrain", f"{FRAMES}/frameset.json"),
            ("retrain --like m", "models/m/model.json"),
        )
        for damage in (halved, *map(filled, NO_MANIFESTS))
    ],
    *[
        Bad(call, 1, key, "--force`", without(key, "result", *lacks.split()))
        for call, key, lacks in (
            ("download {films}/film.mp4 --name a", "vods/a/vod.json", "source"),
            ("extract c", "vods/c/vod.json", "video"),
            ("labels {films}/good.tsv", "vods/a/vod.json", "duration"),
            ("dataset n a", f"{FRAMES}/frameset.json", "frames"),
            ("train n --dataset d", "datasets/d/dataset.json", "guard_seconds"),
            ("infer m c", "vods/c/vod.json", "duration"),
            ("report a", "highlights/a/scores.json", "threshold"),
            ("train n --dataset d", "datasets/d/dataset.json", "vods"),
        )
    ],
    *[
        Bad(call, 1, key, "--force`", holding(key, value, *path.split()))
        for call, key, path, value in (
            ("download {films}/film.mp4 --name a", "vods/a/vod.json", "result source", 5),
            ("extract c", "vods/c/vod.json", "result video", None),
            ("extract c", "vods/c/vod.json", "inputs", "video"),
            ("labels {films}/good.tsv", "vods/a/vod.json", "result duration", "long"),
            ("dataset n a", f"{FRAMES}/frameset.json", "result fps", "fast"),
            ("dataset n a", f"{FRAMES}/frameset.json", "result fps", [3]),
            ("dataset n a", f"{FRAMES}/frameset.json", "result frames", "many"),
            ("dataset n a", f"{FRAMES}/frameset.json", "outputs 0 size", "big"),
            ("train n --dataset d", "datasets/d/dataset.json", "result guard_seconds", []),
            ("train n --dataset d", "datasets/d/dataset.json", "digest", 7),
            ("infer m c", "vods/c/vod.json", "result duration", None),
            ("report a --force", "highlights/a/scores.json", "result threshold", "high"),
            ("download {films}/film.mp4 --name a", "vods/a/vod.json", "result chapters", 3),
            ("train n --dataset d", "datasets/d/dataset.json", "result vods", None),
            ("infer m c", "models/m/model.json", "result view", "wide"),
        )
    ],
    *[
        Bad("infer m c", 1, "model.json", "run", without(MODEL, "result", *lacks.split()))
        for lacks in ("view", "view fps", "backbone", "threshold", "metrics", "settings", "kind")
    ],
    # Other files that are damaged, changed or gone
    *[
        Bad(call, 1, key, f"run `lolhl {redo}", beginning(key, damage))
        for call, key, redo in (
            ("train n --dataset d", "datasets/d/stretches-", "dataset d"),
            ("train n --dataset d", "datasets/d/spans-", "dataset d"),
            ("train n --dataset d", INDEX, f"{EXTRACT} --force"),
            ("infer m c", "models/m/model-", "train m … --force"),
            ("report a --force", "highlights/a/scores-", "infer"),
        )
        for damage in (halved, flipped, removed, filled(b"PAR1 PAR1"))
    ],
    *[
        Bad(f"train n --dataset d {SCRATCH}", 1, SHARD, f"run `lolhl {EXTRACT} --force", beginning(SHARD, damage))
        for damage in (halved, removed, flipped)
    ],
    *[
        Bad("infer m a --source frames", 1, INDEX, f"run `lolhl {EXTRACT} --force", rewritten(change))
        for change in (
            lambda table: table.drop("time"),
            lambda table: table.cast({"frame": pl.String}),
            lambda table: table.with_columns(pl.col("frame") + 10**9),
            lambda table: table.with_columns(-pl.col("offset")),
            lambda table: table.with_columns(pl.lit(10**18).alias("length")),
            lambda table: table[:0],
        )
    ],
    *[
        Bad(
            "infer m a --source frames",
            1,
            f"{FRAMES}/frameset.json",
            "--force",
            holding(f"{FRAMES}/frameset.json", *to),
        )
        for to in ((80, "result", "size"), ("5", "result", "fps"), ("crop", "result", "fit"))
    ],
    *[
        Bad("retrain --like m", 1, MODEL, name, both(extracted("b"), holding(MODEL, value, "config", name)))
        for name, value in (("seed", "0"), ("seed", -1), ("seed", None), ("kind", "x"), ("hidden", 1.5), ("batch", []))
    ],
    Bad("train n --dataset d", 1, "unfinished.ckpt", "remove it", replaced("models/n/unfinished.ckpt", b"x")),
    Bad("train n --dataset d", 1, "mlflow/mlflow.db", "mend it", replaced("mlflow/mlflow.db", b"no database" * 99)),
    *[
        Bad(call, 1, "video.mp4", advice, damage(f"vods/{vod}/video.mp4"))
        for call, vod in (("extract c", "c"), ("infer m c", "c"), ("report a --clips exact", "a"))
        for damage, advice in ((halved, f"--name {vod} --force"), (blanked, "download it again"))
    ],
    *[
        Bad("retrain", 1, "retrain/retrain.json", "--force`", replaced("retrain/retrain.json", data))
        for data in NO_MANIFESTS
    ],
    *[
        Bad(call, 1, "models/champion.json", "remove it", replaced("models/champion.json", data))
        for call in ("rollback", "infer champion a", "retrain --like champion")
        for data in (*NO_MANIFESTS, b'{"champions": [{}]}', b'{"champions": 3}')
    ],
    Bad("rollback", 1, "models/champion.json", "remove it", championed("../m", "m")),
    # Roots
    *[
        Bad(f"{call} --root {place}", 2, names, advice)
        for call in ("extract a", "labels {films}/good.tsv", "download {films}/film.mp4")
        for place, names, advice in (
            ("{films}/film.mp4", "film.mp4", "give a folder"),
            ("{films}/film.mp4/below", "film.mp4", "give a folder"),
            ("''", "empty", "give a folder"),
            ("ftp://127.0.0.1/x", "ftp://127.0.0.1/x", "give a folder"),
            ("~nobody-of-this-name/x", "~nobody-of-this-name", "give a folder"),
            ("s3://", "s3://", "give s3://bucket/prefix"),
            ("s3://bkt/../x", "../x", "without '..'"),
            ("s3://key:secret@b/x", "holds no keys", "AWS_ACCESS_KEY_ID"),
        )
    ],
]
