"""A stage from outside of the library, with settings of its own."""

from dataclasses import MISSING, dataclass
from typing import Literal

from lolhl import manifest
from lolhl.config import Config, setting
from lolhl.manifest import Manifest
from lolhl.results import Result
from lolhl.storage import Root


@dataclass(frozen=True, kw_only=True)
class OvenConfig(Config):
    """How it is baked."""

    dough: str = setting(MISSING, "what is baked")
    minutes: int = setting(40, "time in the oven", at_least=1, at_most=100)
    heat: Literal["top", "both"] = setting("both", "where the heat comes from")


@dataclass(frozen=True)
class Baked(Result):
    stage = "oven"

    vod: str
    dough: str
    minutes: int


def oven(root: Root, vod: str, config: OvenConfig, *, force: bool = False) -> Manifest[Baked]:
    todo, earlier = manifest.plan(root, f"oven/{vod}.json", Baked, config, {"vod": vod}, force=force)
    return earlier or todo.finish(Baked(vod, config.dough, config.minutes), [])
