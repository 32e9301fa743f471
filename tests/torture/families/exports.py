"""Highlights of streams that strangers named, written for other programs, read by other readers, and taken in again."""

import csv
import io
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from lxml import etree

from lolhl.labels import tables
from tests.torture.families.values import HOSTILE, TEXTS, set_value
from tests.torture.families.videos import TITLES, film
from tests.torture.sandbox import Sandbox, difference

FPS = 30
# Format → options with which `lolhl labels` takes the file in again.
IMPORTS: Mapping[str, Sequence[str]] = {
    "csv": (),
    "json": (),
    "llc": ("--vod", "v"),
    "llc-csv": ("--vod", "v"),
    "webvtt": ("--vod", "v"),
    "edl": ("--vod", "v", "--fps", str(FPS)),
    "resolve-markers": ("--vod", "v", "--fps", str(FPS)),
    "premiere-markers": ("--vod", "v", "--fps", str(FPS)),
}
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def highlights(sandbox: Sandbox, title: str, rate: str = str(FPS)) -> bool:
    """Makes the highlights of a stream with this title. False where the stream has none."""
    film(sandbox, "film.mp4", seconds=24, rate=rate, sound=True)
    sandbox.take("models/t")
    sandbox.succeed("download", "film.mp4", "--name", "v")
    path = sandbox.root / "vods/v/vod.json"
    data = set_value(path.read_bytes(), title, "result", "title")
    path.unlink()
    path.write_bytes(data)
    sandbox.succeed("infer", "t", "v", "--source", "video")
    done = sandbox.result("report", "v", "--share", "0.3", "--min-length", "2", "--clips", "none")
    sandbox.expect(done is not None, "there is no report")
    return bool(done and done["highlights"])


def exported(sandbox: Sandbox, title: str, rate: str = str(FPS)) -> None:
    """Each format is written twice alike, is what it says, and gives the highlights as labels again."""
    if not highlights(sandbox, title, rate):
        return
    sandbox.succeed("export", "v", "--media", "stored")
    files = _files(sandbox)
    sandbox.succeed("export", "v", "--media", "stored")
    changed = difference(_digests(files), _digests(_files(sandbox)))
    sandbox.expect(not changed, f"written again, it is another: {changed}")
    for path, data in files.items():
        if problem := _wrong(path, data):
            sandbox.problems.append(f"{path.name} of the title {title[:80]!r}: {problem}")
    if rate == str(FPS):
        _taken_in(sandbox)


def _taken_in(sandbox: Sandbox) -> None:
    report = json.loads((sandbox.root / "highlights/v/highlights.json").read_bytes())
    spans = _joined([(each["span"]["start"], each["span"]["stop"]) for each in report["result"]["highlights"]])
    for name, options in IMPORTS.items():
        done = sandbox.result("export", "v", "--media", "stored", "--format", name)
        if done is None:
            sandbox.problems.append(f"the format {name} is not written")
            continue
        labelled = sandbox.run("labels", str(sandbox.root / done["key"]), "--format", name, *options)
        sandbox.expect(not labelled.failed, f"what is exported as {name} is refused as labels: {labelled.error}")
        if not labelled.failed:
            labels = tables.read_table((sandbox.root / "labels/v.tsv").read_bytes(), "v.tsv")["v"]
            read = _joined([(span.start, span.stop) for span in labels])
            same = len(read) == len(spans) and all(
                abs(a - b) <= 2 / FPS
                for mine, theirs in zip(read, spans, strict=True)
                for a, b in zip(mine, theirs, strict=True)
            )
            sandbox.expect(same, f"{name} gives {read} for {spans}")


def _joined(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Spans that nearly touch are one: that much is rounded away in frames."""
    joined: list[tuple[float, float]] = []
    for start, stop in sorted(spans):
        if joined and start - joined[-1][1] < 3 / FPS:
            joined[-1] = (joined[-1][0], max(stop, joined[-1][1]))
        else:
            joined.append((start, stop))
    return joined


def _files(sandbox: Sandbox) -> dict[Path, bytes]:
    folder = sandbox.root / "highlights/v/exports"
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _digests(files: Mapping[Path, bytes]) -> dict[str, str]:
    return {path.name: data.hex() for path, data in files.items()}


def _wrong(path: Path, data: bytes) -> str | None:
    """What is wrong with a file, going by its ending."""
    try:
        text = data.decode("utf-8-sig" if not data.startswith(b"\xff\xfe") else "utf-16")
        if control := _CONTROL.search(text):
            return f"holds the control character {control[0]!r}"
        match path.suffix:
            case ".fcpxml" | ".xml":
                etree.fromstring(data)
            case ".json" | ".otio":
                json.loads(text)
            case ".csv":
                rows = [*csv.reader(io.StringIO(text, newline=""), delimiter="\t" if "\t" in text else ",")]
                if len({len(row) for row in rows if row}) > 1:
                    return f"has rows of {sorted({len(row) for row in rows})} columns"
            case ".edl":
                events = [line for line in text.splitlines() if re.match(r"\d{3} ", line)]
                if not events:
                    return "has no event"
            case ".vtt" if not text.startswith("WEBVTT"):
                return "does not begin with WEBVTT"
    except (ValueError, etree.XMLSyntaxError, csv.Error) as error:
        return f"cannot be read: {error}"
    return None


def titled(title: str) -> Callable[[Sandbox], None]:
    return lambda sandbox: exported(sandbox, title)


def at_rate(rate: str) -> Callable[[Sandbox], None]:
    return lambda sandbox: exported(sandbox, "a stream", rate)


NAMED: Mapping[str, Callable[[Sandbox], None]] = {
    "plain": titled("a stream"),
    "markup": titled("]]></name><!-- -- --> & <b>\"'"),
    "lines": titled("a\r\n001  AX  V  C  00:00:00:00 00:00:01:00 00:00:00:00 00:00:01:00\n\n00:00.000 --> 9"),
    "controls": titled("\x00\x01\x1b[31m\x7f\x85\ufffe\uffff"),
    "formula": titled("=cmd|' /C calc'!A0,\"\t;"),
    "rate-23976": at_rate("24000/1001"),
    "rate-5994": at_rate("60000/1001"),
    "rate-odd": at_rate("17"),
}


# Others


def draw(sandbox: Sandbox) -> None:
    """Hostile titles, and settings that make no sense: written, or refused in one line."""
    rng = sandbox.rng
    texts = [text for text in (*TEXTS, *TITLES) if text == text.encode(errors="replace").decode()]
    if rng.random() < 0.4:
        exported(sandbox, rng.choice(texts), rng.choice(("30", "25", "50", "60", "24000/1001", "30000/1001", "12.5")))
        return
    if not highlights(sandbox, rng.choice(texts)):
        return
    before = _files(sandbox)
    for _ in range(6):
        number = str(rng.choice([value for value in HOSTILE if isinstance(value, int | float)]))[:400]
        words = {
            "--handles": rng.choice((number, "2", "600")),
            "--top": rng.choice((number, "1")),
            "--media-folder": rng.choice((*TEXTS, "/videos", "D:\\videos", "\\\\host\\share")),
            "--format": rng.choice((*IMPORTS, "all", "fcpxml", "fcp7", "otio", "youtube", rng.choice(TEXTS))),
            "--media": rng.choice(("auto", "stored", "source")),
        }
        chosen = rng.sample(sorted(words), rng.randrange(1, 4))
        options = [f"{name}={words[name]}".replace("\0", "") for name in chosen]
        done = sandbox.run("export", "v", *options)
        after = _files(sandbox)
        if done.failed:
            changed = difference(_digests(before), _digests(after))
            sandbox.expect(not changed, f"{done.call}: failed and changed {changed}")
        for path, data in after.items():
            if problem := _wrong(path, data):
                sandbox.problems.append(f"{done.call}: {path.name} {problem}")
        before = after
