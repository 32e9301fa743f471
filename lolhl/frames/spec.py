"""What the pictures of a frame set are like, and where they lie: frames/<vod>/<name>/.

The name says it all, as in frames/a/3fps-224px-squeeze-q90/: frame sets for several models lie side by side.
"""

import re
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, cast

from lolhl.errors import MissingInput
from lolhl.storage import Root, check_name, each
from lolhl.vod.view import Fit, View

Mode = Literal["grid", "scan"]

_MANY = 100  # VODs from which on one list serves better
_NAME = re.compile(r"([1-9]\d*(?:_[1-9]\d*)?)fps-([1-9]\d*)px-(squeeze|crop)-q([1-9]\d*)(-scan)?")


@dataclass(frozen=True)
class FrameSpec:
    """What is made of a video's pictures, and how they are stored.

    Attributes:
        quality: of the JPEGs, 1 to 100.
        mode: "grid" has a picture of every instant, "scan" of the key frames only.
    """

    view: View
    quality: int
    mode: Mode

    @classmethod
    def parse(cls, name: str) -> "FrameSpec | None":
        """The specification that this name stands for; None where it is no such name."""
        match = _NAME.fullmatch(name)
        if not match:
            return None
        fps, size, fit, quality, scan = match.groups()
        view = View(Fraction(fps.replace("_", "/")), int(size), cast(Fit, fit))
        return cls(view, int(quality), "scan" if scan else "grid")

    @property
    def name(self) -> str:
        """The name of the folder; 30000/1001 frames per second are 30000_1001fps there."""
        return f"{view_name(self.view)}-q{self.quality}{'-scan' if self.mode == 'scan' else ''}"

    @property
    def rank(self) -> tuple[bool, int]:
        """A rank among frame sets of one view. The highest serves best: whole before scanned, then by quality."""
        return self.mode == "grid", self.quality

    def folder(self, vod: str) -> str:
        return f"frames/{vod}/{self.name}"

    def manifest_key(self, vod: str) -> str:
        return f"{self.folder(vod)}/frameset.json"

    def index_key(self, vod: str, sha256: str) -> str:
        """Where an index of these bytes lies. Other bytes have another key, so that no run overwrites another's."""
        return f"{self.folder(vod)}/index-{sha256[:16]}.parquet"

    def shard_key(self, vod: str, shard: int, sha256: str) -> str:
        """Where the shard with this number and these bytes lies, as `index_key`."""
        return f"{self.folder(vod)}/shard-{shard:06}-{sha256[:16]}.tar"

    def command(self, vod: str) -> str:
        """The command that makes it."""
        mode = " --mode scan" if self.mode == "scan" else ""
        return f"lolhl extract {vod} {view_options(self.view)} --quality {self.quality}{mode}"


def view_name(view: View) -> str:
    return f"{str(view.fps).replace('/', '_')}fps-{view.size}px-{view.fit}"


def view_options(view: View) -> str:
    """The options by which a command line names a view."""
    return f"--fps {view.fps} --size {view.size} --fit {view.fit}"


def stored(root: Root, vod: str) -> list[FrameSpec]:
    """The frame sets that there are of a VOD, best first.

    Raises:
        MissingInput: it has frames at the place where lolhl 0.1 put them.
    """
    return _stored(root, vod, {stat.key for stat in root.list(f"frames/{check_name(vod, 'VOD')}/")})


def stored_of_all(root: Root, vods: Sequence[str]) -> dict[str, list[FrameSpec]]:
    """As `stored`, of several VODs. Where they are many, one list of all frames takes the place of a list for each.

    A bucket lists a thousand keys in one request, and asks twelve times as much for it as for reading.
    """
    if len(vods) < _MANY:
        return dict(zip(vods, each(lambda vod: stored(root, vod), vods), strict=True))
    keys: dict[str, set[str]] = {check_name(vod, "VOD"): set() for vod in vods}
    for stat in root.list("frames/"):
        if stat.key.endswith(".json") and (vod := stat.key.split("/")[1]) in keys:
            keys[vod].add(stat.key)
    return {vod: _stored(root, vod, keys[vod]) for vod in vods}


def _stored(root: Root, vod: str, keys: Set[str]) -> list[FrameSpec]:
    """
    Args:
        keys: of the VOD's manifests and perhaps other files of its frames.
    """
    if old_key(vod) in keys:
        raise MissingInput(
            f"{root.url}/{old_key(vod)} was made by an earlier lolhl, which had one frame set per VOD: run "
            f"`lolhl extract {vod}`, with its settings, to make it anew"
        )
    names = {key.split("/")[2] for key in keys}
    specs = [spec for name in names if (spec := FrameSpec.parse(name)) and spec.manifest_key(vod) in keys]
    return sorted(specs, key=lambda spec: (spec.rank, spec.name), reverse=True)


def old_key(vod: str) -> str:
    """Where the manifest of a VOD's only frame set lay in lolhl 0.1."""
    return f"frames/{vod}/frameset.json"


def among(keys: Iterable[str]) -> dict[str, FrameSpec]:
    """The frame sets whose manifests are among these keys, as a dataset's inputs: VOD → which."""
    parts = [key.split("/") for key in keys]
    specs = {part[1]: FrameSpec.parse(part[2]) for part in parts if part[0] == "frames" and len(part) == 4}
    return {vod: spec for vod, spec in specs.items() if spec}
