"""track: a VOD → the track of a signal, ahead of time.

`train` and `infer` compute the tracks that they need and are not stored. This stage does it beforehand, on other
machines if need be: on a cluster with GPUs, say, for trainings elsewhere. A track that any machine has stored serves
all of them. Killed at any moment and run again, it goes on after the last part that was stored.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from lolhl import results
from lolhl.config import Config, setting
from lolhl.errors import ModelError, UsageError
from lolhl.grid import FASTEST, SLOWEST
from lolhl.manifest import Manifest
from lolhl.signals import SIGNALS, make_track, open_signal, stored_track
from lolhl.signals.source import FrameSource, Source, VideoSource, choose_source, video_source
from lolhl.storage import Root, check_name
from lolhl.tracks.recipe import Layout
from lolhl.vod import decode
from lolhl.vod.decode import Fit, View
from lolhl.vod.view import USUAL

if TYPE_CHECKING:  # torch takes seconds to import, and not every signal needs it
    from lolhl.backbones.encoder import Encoder

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TrackConfig(Config):
    """What is measured, and of what."""

    signal: str = setting("pictures", f"what to measure: {', '.join(SIGNALS)}; see lolhl/README.md")
    model: str | None = setting(
        None, "the model whose backbone looks at the pictures, at its rate and size, or champion (default: --backbone)"
    )
    backbone: str = setting(
        "tf_efficientnet_lite0", "without --model: resnet18, resnet34, resnet50, or any name of timm, pretrained"
    )
    fps: Fraction = setting(
        USUAL.fps,
        "without --model: instants per second of the grid, as 3, 0.5 or 30000/1001",
        at_least=SLOWEST,
        at_most=FASTEST,
    )
    size: int = setting(
        USUAL.size, "without --model: width and height of a picture, in pixels", at_least=16, at_most=2048
    )
    fit: Fit = setting(USUAL.fit, "without --model: squeeze the whole picture, or crop its middle")
    source: Literal["auto", "frames", "video"] = setting(
        "auto",
        "frames: the frame set; video: decode it; auto: frames where there are any, as `lolhl train` does",
    )
    mode: Literal["grid", "scan"] = setting("grid", "grid: every frame; scan: key frames only")
    decoder: Literal["auto", "cpu", "cuda"] = setting(
        "auto", "where to decode video; auto probes for a GPU", neutral=True
    )


def track(root: Root, vod: str, config: TrackConfig = TrackConfig(), *, force: bool = False) -> Manifest[results.Track]:
    """Makes tracks/<vod>/<signal>-<digest>/ from frames/<vod>/ or vods/<vod>/.

    Args:
        root: where the data lies.
        vod: name of a downloaded VOD.
        config: see `TrackConfig`.
        force: compute it anew.

    Returns:
        The track's manifest. Its result says how many instants and rows there are.

    Raises:
        MissingInput: the model, or the VOD's video or frames, do not exist.
        UsageError: there is no such signal or backbone.
        ModelError: the frames are not those that are needed, or the features are no numbers.
        VideoError: nothing in the video can be decoded.
    """
    check_name(vod, "VOD")
    view, encoder = _view(root, config)
    signal = open_signal(config.signal, view, encoder)
    source: Source
    layout: Layout
    if signal.view is None:
        if config.source == "frames":
            raise UsageError(f"--source frames: signal {signal.name} is measured without pictures; use auto or video")
        source, layout = video_source(root, vod, config.decoder), "grid"
    else:
        source = choose_source(
            root,
            vod,
            view,
            config.source,
            mode=config.mode,
            decoder=config.decoder,
            needed_by=f"signal {config.signal}",
        )
        layout = source.layout if isinstance(source, FrameSource) else config.mode
    if not force and (stored := stored_track(signal, source, layout)):
        log.info("track: done already (tracks/%s/)", vod)
        return stored.made
    if layout == "scan" and isinstance(source, VideoSource):  # it may not say when its key frames appear
        layout = "scan" if decode.choose_mode(source.path, "scan", "cpu") == "scan" else "grid"
    return make_track(signal, source, layout, force=force).made


def _view(root: Root, config: TrackConfig) -> "tuple[View, Callable[[], Encoder]]":
    """What pictures are like, and what looks at them."""
    if config.model is None:
        return View(config.fps, config.size, config.fit), lambda: _pretrained(config.backbone)
    from lolhl.models.bundle import load_bundle

    bundle = load_bundle(root, config.model)

    def encoder() -> "Encoder":
        if bundle.encoder is None:
            raise ModelError(f"model {bundle.name} sees no pictures: choose one that does, or leave --model out")
        return bundle.encoder

    return bundle.view, encoder


@lru_cache(maxsize=1)  # of several VODs all are looked at by the same one
def _pretrained(backbone: str) -> "Encoder":
    """A backbone as `train` has it before it learns, and keeps it where only a head is learnt."""
    from lolhl.backbones.encoder import Encoder
    from lolhl.models.network import Network

    return Encoder.from_network(Network(backbone, pretrained=True).eval())
