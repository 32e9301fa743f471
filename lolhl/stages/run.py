"""run: finds the highlights of one stream. It downloads, infers and reports in one process.

Key frames of a Twitch VOD are decoded and encoded while its other segments are still fetched.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from lolhl import layout
from lolhl.manifest import Manifest
from lolhl.models import champion, unsupervised
from lolhl.models.bundle import Bundle, load_bundle
from lolhl.models.tracking import CHAMPION
from lolhl.results import Report
from lolhl.signals.pictures import PictureSignal
from lolhl.stages.download import DownloadConfig, download
from lolhl.stages.infer import InferConfig, infer
from lolhl.stages.picture_scores import KeyFrames, look
from lolhl.stages.report import ReportConfig, report
from lolhl.storage import Root
from lolhl.vod.live_key_frames import LiveKeyFrames

_DOWNLOADING, _INFERRING, _REPORTING = DownloadConfig(), InferConfig(), ReportConfig()


def run(
    root: Root,
    source: str,
    downloading: DownloadConfig = _DOWNLOADING,
    inferring: InferConfig = _INFERRING,
    reporting: ReportConfig = _REPORTING,
    *,
    model: str | None = None,
    name: str | None = None,
    force: bool = False,
) -> Manifest[Report]:
    """Finds the highlights of one stream. What is done already is not done again.

    Frames are taken straight from the video, unless they were extracted before.

    Args:
        root: where the data lies.
        source: Twitch VOD id or URL, http(s) URL of a video, or a video file.
        downloading: the rendition that it asks for serves the model in any case.
        model: name of a trained model, `champion`, or `unsupervised`. Without one it is the champion, and where there
            is none yet, `unsupervised`: highlights are then guessed from loudness and chat.
        name: what to call the VOD; else its Twitch id, or the file's name.
        force: redo what is done.

    Returns:
        The report's manifest.

    Raises:
        LolhlError: as the stages do.
    """
    if model is None:
        model = CHAMPION if champion.champions(root).model else unsupervised.NAME
    if model == unsupervised.NAME:
        downloaded = download(root, source, downloading, name=name, force=force)
        infer(root, model, downloaded.result.vod, inferring, force=force)
        return report(root, downloaded.result.vod, reporting, force=force)
    used = load_bundle(root, model)  # a wrong name must not cost a download
    serves, fps = max(downloading.serves, used.view.size), max(downloading.serves_fps, used.view.fps)
    downloading = replace(downloading, serves=serves, serves_fps=fps)
    with _watching(used, source) as ahead:
        watch = ahead.add if used.encoder and _may_scan(inferring) else None
        downloaded = download(root, source, downloading, name=name, force=force, watch=watch)
        vod = downloaded.result.vod
        key_frames = ahead.all(lambda: downloaded.local(root, downloaded.result.video, layout.remake(layout.vod(vod))))
    infer(root, used.name, vod, inferring, force=force, key_frames=key_frames)
    return report(root, vod, reporting, force=force)


def _may_scan(config: InferConfig) -> bool:
    """Whether key frames may be all that is decoded. On a GPU the whole grid costs little."""
    on_gpu = config.decoder != "cpu" and torch.cuda.is_available()
    return config.source != "frames" and config.mode != "grid" and not (config.mode == "auto" and on_gpu)


@dataclass
class _Ahead:
    """Encodes key frames in a thread while segments are fetched, if any are."""

    used: Bundle
    source: str
    thread: ThreadPoolExecutor
    segments: LiveKeyFrames = field(default_factory=LiveKeyFrames)
    key_frames: Future[KeyFrames] | None = None

    def add(self, segment: Path, begin: float) -> None:
        if self.key_frames is None:
            self.key_frames = self.thread.submit(self._look)
        self.segments.add(segment, begin)

    def all(self, video: Callable[[], Path]) -> KeyFrames | None:
        """The key frames up to the end of the whole video, which is fetched by now. None if there were no segments."""
        if self.key_frames is None:
            return None
        self.segments.finish(video())
        return self.key_frames.result()

    def _look(self) -> KeyFrames:
        assert self.used.encoder
        signal = PictureSignal.open(self.used.encoder, self.used.view)
        return look(signal, self.source, lambda ending: self.segments.keys(self.used.view, ending))


@contextmanager
def _watching(used: Bundle, source: str) -> Iterator[_Ahead]:
    with ThreadPoolExecutor(1, "key frames") as thread:
        ahead = _Ahead(used, source, thread)
        try:
            yield ahead
        finally:
            ahead.segments.finish(None)
