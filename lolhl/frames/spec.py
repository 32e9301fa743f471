"""What the pictures of a frame set are like, and where they lie: frames/<vod>/<name>/.

The name says it all, as in frames/a/3fps-224px-squeeze-q90/: frame sets for several models lie side by side.
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, cast

from lolhl import layout
from lolhl.errors import MissingInput
from lolhl.storage import Root, check_name, each
from lolhl.vod.view import Fit, View

Mode = Literal["grid", "scan"]

_MANY = 100  # VODs from which on one list serves better


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
        settings = layout.frame_set_settings(name)
        if settings is None:
            return None
        view = View(Fraction(settings["fps"]), int(settings["size"]), cast(Fit, settings["fit"]))
        return cls(view, int(settings["quality"]), cast(Mode, settings.get("mode", "grid")))

    @property
    def name(self) -> str:
        """The name of the folder, see `lolhl.layout.frame_set_name`."""
        return layout.frame_set_name(self.view.fps, self.view.size, self.view.fit, self.quality, self.mode)

    @property
    def rank(self) -> tuple[bool, int]:
        """A rank among frame sets of one view. The highest serves best: whole before scanned, then by quality."""
        return self.mode == "grid", self.quality

    def manifest_key(self, vod: str) -> str:
        return layout.frame_set(vod, self.name)

    def command(self, vod: str) -> str:
        """The command that makes it."""
        return layout.command(self.manifest_key(vod))


def view_name(view: View) -> str:
    return layout.view_name(view.fps, view.size, view.fit)


def view_options(view: View) -> str:
    """The options by which a command line names a view."""
    return f"--fps {view.fps} --size {view.size} --fit {view.fit}"


def stored(root: Root, vod: str) -> list[FrameSpec]:
    """The frame sets that there are of a VOD, best first.

    Raises:
        MissingInput: it has frames at the place where lolhl 0.1 put them.
    """
    return _stored(root, vod, {stat.key for stat in root.list(layout.frames_folder(vod))})


def stored_of_all(root: Root, vods: Sequence[str]) -> dict[str, list[FrameSpec]]:
    """As `stored`, of several VODs. Where they are many, one list of all frames takes the place of a list for each.

    A bucket lists a thousand keys in one request, and asks twelve times as much for it as for reading.
    """
    if len(vods) < _MANY:
        return dict(zip(vods, each(lambda vod: stored(root, vod), vods), strict=True))
    keys: dict[str, set[str]] = {check_name(vod, "VOD"): set() for vod in vods}
    for stat in root.list(layout.FRAMES):
        if stat.key.endswith(".json") and (vod := stat.key.split("/")[1]) in keys:
            keys[vod].add(stat.key)
    return {vod: _stored(root, vod, keys[vod]) for vod in vods}


def _stored(root: Root, vod: str, keys: Set[str]) -> list[FrameSpec]:
    """
    Args:
        keys: of the VOD's manifests and perhaps other files of its frames.
    """
    if (old := layout.old_frame_set(vod)) in keys:
        raise MissingInput(
            f"{root.url}/{old} was made by an earlier lolhl, which had one frame set per VOD: run "
            f"`lolhl extract {vod}`, with its settings, to make it anew"
        )
    names = [name for _, name in layout.frame_sets(keys)]
    specs = [spec for name in names if (spec := FrameSpec.parse(name)) and spec.manifest_key(vod) in keys]
    return sorted(specs, key=lambda spec: (spec.rank, spec.name), reverse=True)


def among(keys: Iterable[str]) -> dict[str, FrameSpec]:
    """The frame sets whose manifests are among these keys, as a dataset's inputs: VOD → which."""
    return {vod: spec for vod, name in layout.frame_sets(keys) if (spec := FrameSpec.parse(name))}
