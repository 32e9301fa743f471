"""What is learnt from and judged on: sample streams in a root, with labels, chat and tracks.

All of it is made once and kept; each step's cost is noted when it is really done.
"""

import json
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from lolhl.labels import tables
from lolhl.labels.spans import Span
from lolhl.labels.store import load_labels, save_labels
from lolhl.signals import SIGNALS
from lolhl.storage import Root, open_root
from tests.samples import variants
from tests.samples.streams import EVALUATE, MORE

LEARN = tuple(name for name in EVALUATE if name.startswith("learn"))
HELD = tuple(name for name in EVALUATE if name.startswith("held"))
HALF = 300  # seconds of a stream that is learnt from in part


@dataclass(frozen=True)
class Direction:
    """What is learnt from, and what is judged on.

    Attributes:
        learn: VODs; one that ends with "-half" is the first five minutes of a stream.
        judge: VODs.
    """

    name: str
    learn: tuple[str, ...]
    judge: tuple[str, ...]


FORTH = Direction("forth", LEARN, HELD)
BACK = Direction("back", HELD, LEARN)
# What is learnt from, by minutes of labels: parts of FORTH, FORTH, and other games on its maps besides.
CURVE = {
    15: Direction("forth-15", (LEARN[0], f"{LEARN[1]}-half"), HELD),
    30: Direction("forth-30", LEARN[:3], HELD),
    60: FORTH,
    120: Direction("forth-120", (*LEARN, *MORE), HELD),
}


class Workshop:
    """A root with sample streams, and the costs of what was done in it."""

    def __init__(self, url: str, streams: Path) -> None:
        self.url, self.streams = url, streams
        self.root: Root = open_root(url)
        self._costs = Path(url) / "evaluation.json"

    def labels(self, vods: Sequence[str]) -> dict[str, Sequence[Span]]:
        """VOD → its labelled spans."""
        return {vod: load_labels(self.root, vod) for vod in vods}

    def save(self, labels: Mapping[str, Sequence[Span]]) -> None:
        """Makes these the labels of whole VODs: VOD → its labelled spans."""
        for vod, spans in labels.items():
            save_labels(self.root, vod, spans)

    def bring(self, vods: Sequence[str], signals: Collection[str] | None = None) -> None:
        """Makes all that models learn from and are judged by: downloads, labels, chat and tracks.

        Args:
            vods: which ones.
            signals: that tracks are made of; None for all.
        """
        for vod in vods:
            stream = self._file(vod)
            stop = ["--stop", str(HALF)] if vod.endswith("-half") else []
            self.run(f"download {vod}", "download", str(stream), "--name", vod, "--chat", *stop)
            self.run(f"labels {vod}", "labels", str(self._table(vod, stream)))
            for signal in SIGNALS if signals is None else signals:
                self.run(f"{signal} {vod}", "track", vod, "--signal", signal)

    def run(self, step: str, *words: str) -> None:
        """Runs a verb of lolhl, and notes what it cost unless all was done already.

        Raises:
            SystemExit: the verb failed; it says why.
        """
        begun = time.perf_counter()
        command = [sys.executable, "-m", "lolhl", *words, "--root", self.url]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(words)}: {done.stderr.strip().splitlines()[-1:]}")
        if "done already" not in done.stderr:
            print(f"{step}: {time.perf_counter() - begun:.0f} s", flush=True)
            self.note(step, time.perf_counter() - begun)

    def note(self, step: str, seconds: float) -> None:
        """Keeps what a step cost."""
        costs = {**self.costs(), step: round(seconds, 2)}
        partial = self._costs.with_name(".evaluation.json")
        partial.write_text(json.dumps(costs, indent=1, sort_keys=True))
        partial.replace(self._costs)

    def costs(self) -> Mapping[str, float]:
        """Step → seconds, when it was last really done."""
        return json.loads(self._costs.read_text()) if self._costs.exists() else {}

    def _file(self, vod: str) -> Path:
        """The video of a stream, of its first part, or of a variant of it, which is made if it is not there."""
        name = vod.removesuffix("-half")
        if name not in {**EVALUATE, **MORE}:
            stream, variant = name.rsplit("-", 1)
            variants.make(self.streams, stream, variant)
        return self.streams / f"{name}.mp4"

    def _table(self, vod: str, stream: Path) -> Path:
        """The table of highlights; of a part of a stream, those that lie in it."""
        table = stream.with_suffix(".tsv")
        if not vod.endswith("-half"):
            return table
        spans = tables.read_table(table.read_bytes(), table.name)[stream.stem]
        part = self.streams / f"{vod}.tsv"
        part.write_bytes(tables.write_table(vod, [replace(s, stop=min(s.stop, HALF)) for s in spans if s.start < HALF]))
        return part
