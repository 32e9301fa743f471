"""A recipe is what decides the values of a track, and so the folder where it lies."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Literal

from lolhl import layout
from lolhl.storage import Root

Layout = Literal["grid", "scan"]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides what a track holds.

    Attributes:
        vod: name of the VOD.
        signal: name of the signal.
        version: the version of the signal's code. Another version may give other values.
        settings: further JSON values that decide the values, such as the digest of a network's weights.
        inputs: key → digest of what is measured: the manifest of the video, or of a frame set.
        fps: instants of the grid in a second.
        layout: "grid" has a row at every instant, "scan" at times of its own, such as those of key frames.
        engine: the libraries and number formats by which it is computed. It may be empty. The values of two engines
            are alike but not the same, so each engine has a folder of its own. The track of any engine can be used.
    """

    vod: str
    signal: str
    version: int
    settings: Mapping[str, Any]
    inputs: Mapping[str, str]
    fps: Fraction
    layout: Layout
    engine: str

    @property
    def digest(self) -> str:
        """The sha256 of all but the engine, in hex."""
        values = {**self.recorded(), "inputs": dict(self.inputs)}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

    def recorded(self) -> dict[str, Any]:
        """The values that a manifest records beside its inputs."""
        return {
            "signal": self.signal,
            "version": self.version,
            "settings": dict(self.settings),
            "fps": str(self.fps),
            "layout": self.layout,
        }

    @property
    def label(self) -> str:
        """The label of the progress bar while it is made."""
        return f"{'scan' if self.layout == 'scan' else self.signal} {self.vod}"

    @property
    def folder(self) -> str:
        stem = layout.track_stem(self.vod, self.signal, self.digest)
        return f"{stem}-{self.engine}" if self.engine else stem

    @property
    def manifest_key(self) -> str:
        return layout.track(self.folder)


def finished(root: Root, recipe: Recipe) -> list[Recipe]:
    """The recipe with each engine that has finished its track. Engines named like the recipe's engine come first."""
    stem = layout.track_stem(recipe.vod, recipe.signal, recipe.digest)
    folders = layout.tracks(stat.key for stat in root.list(stem))
    engines = [folder.removeprefix(stem).removeprefix("-") for folder in folders]
    order = sorted(engines, key=lambda engine: (not engine.startswith(recipe.engine), engine))
    return [replace(recipe, engine=engine) for engine in order]
