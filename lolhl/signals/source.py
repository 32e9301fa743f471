"""Signals are measured from sources: the video of a VOD, or one of its frame sets."""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt

from lolhl import grid, layout, manifest
from lolhl.errors import MissingInput, ModelError
from lolhl.frames.frameset import FrameSet
from lolhl.frames.spec import stored, view_name, view_options
from lolhl.manifest import Manifest
from lolhl.results import Vod
from lolhl.storage import Root, each
from lolhl.tracks.filling import End, Gap
from lolhl.tracks.recipe import Layout
from lolhl.vod import decode
from lolhl.vod.decode import Ending
from lolhl.vod.key_frames import KeyFrames, StoredKeyFrames
from lolhl.vod.twitch_key_frames import TwitchKeyFrames
from lolhl.vod.view import Picture, View

Pictures = npt.NDArray[np.uint8]
TimedPictures = Generator[tuple[npt.NDArray[np.float64], Pictures], None, End]
"""Times in seconds, float64 [n], and pictures, uint8 [n, S, S, 3] (RGB), some at a time; then how the VOD ends."""


@dataclass(frozen=True)
class FrameSource:
    """Pictures that were extracted."""

    frames: FrameSet
    kind: ClassVar[Literal["frames"]] = "frames"

    @property
    def root(self) -> Root:
        return self.frames.root

    @property
    def vod(self) -> str:
        return self.frames.vod

    @property
    def inputs(self) -> dict[str, str]:
        """Key → digest of what is read."""
        return {self.frames.spec.manifest_key(self.vod): self.frames.digest}

    @property
    def seconds(self) -> float:
        return float(len(self.frames) / self.frames.view.fps)

    @property
    def layout(self) -> Layout:
        """The only layout of a track that can be measured from it."""
        return "grid" if self.frames.is_whole else "scan"

    def decoder(self, layout: Layout, view: View) -> str:  # noqa: ARG002
        """No decoder is needed, as the pictures are decoded already."""
        return ""

    def pictures(self, view: View, layout: Layout, gap: Gap, size: int) -> TimedPictures:
        """The pictures of a gap, read by threads; see `VideoSource.pictures`.

        Raises:
            ModelError: the frames are of another view.
            StorageError: frames are missing or damaged.
        """
        if view != self.frames.view or layout != self.layout:
            raise ModelError(
                f"the frames {self.frames.spec.name} of VOD {self.vod} are none that this signal is made of"
            )
        times = self.frames.times
        if layout == "grid":
            times = grid.times(len(self.frames), view.fps)
        stop = len(times) if gap.stop is None else gap.stop
        places = [range(at, min(at + size, stop)) for at in range(gap.first, stop, size)]
        with closing(each(self.frames.pictures, places)) as batches:
            for place, pictures in zip(places, batches, strict=True):
                yield times[place.start : place.stop], pictures
        return End(len(self.frames), self.seconds)


@dataclass(frozen=True)
class VideoSource:
    """The video of a VOD, which is fetched from a bucket when it is first needed.

    Attributes:
        made: the VOD's manifest.
        wanted: where to decode it: "auto", "cpu" or "cuda".
        rendition: another rendition, of which single key frames are looked at in place of the stored one's.
    """

    root: Root
    made: Manifest[Vod]
    wanted: str = "auto"
    rendition: TwitchKeyFrames | None = None
    kind: ClassVar[Literal["video"]] = "video"

    @property
    def vod(self) -> str:
        return self.made.result.vod

    @property
    def inputs(self) -> dict[str, str]:
        """Key → digest of what is read. A rendition of Twitch's goes by its name, since it does not change."""
        other = {"rendition": self.rendition.group} if self.rendition else {}
        return {layout.vod(self.vod): self.made.content_digest(), **other}

    @property
    def seconds(self) -> float:
        return self.made.result.duration

    @cached_property
    def path(self) -> Path:
        """The file on this machine. Raises StorageError where it is gone or changed."""
        return self.made.local(self.root, self.made.result.video, f"lolhl download … --name {self.vod} --force")

    @property
    def key_frames(self) -> KeyFrames:
        """Where single key frames are looked at."""
        return self.rendition or StoredKeyFrames(self.path)

    def decoder(self, layout: Layout, view: View) -> decode.Decoder:
        """Where it is decoded; key frames on the CPU. Raises UsageError where a GPU is wanted and cannot do it."""
        return "cpu" if layout == "scan" else decode.choose_decoder(self.path, self.wanted, view)

    def pictures(self, view: View, layout: Layout, gap: Gap, size: int) -> TimedPictures:
        """The pictures of a gap: of the grid, or the key frames.

        Args:
            view: what the pictures are like.
            layout: "grid" for a picture of every instant, "scan" for key frames and their times.
            gap: which of them are wanted.
            size: how many come at once. The last batch may have fewer.

        Raises:
            VideoError: nothing in the video can be decoded.
        """
        ending = Ending()
        if layout == "grid":
            count = gap.first
            pictures = decode.decode(
                self.path, view, decoder=self.decoder(layout, view), first=gap.first, stop=gap.stop, ending=ending
            )
            for batch in stacked(pictures, size):
                yield np.arange(count, count + len(batch)) * view.fps.denominator / view.fps.numerator, batch
                count += len(batch)
            return End(count, float(count / view.fps), ending.problem)
        begin = max(0, int(gap.after))
        keys = decode.scan(self.path, view, begin=begin, ending=ending)
        yield from stacked_keys(_within(keys, gap), size)
        return End(ending.count(view.fps), float(ending.end or 0), ending.problem)


Source = FrameSource | VideoSource


def source_beside(source: Source, view: View | None) -> Source | None:
    """What a signal is measured from beside this source: it, or the video for a signal that needs no pictures.

    Returns:
        None where there is no video.
    """
    if isinstance(source, VideoSource) or view is not None:
        return source
    stored = manifest.find(source.root, layout.vod(source.vod), Vod)
    return VideoSource(source.root, stored) if stored else None


def layout_of(source: Source) -> Layout:
    """The layout of the most exact track that can be measured from a source."""
    return source.layout if isinstance(source, FrameSource) else "grid"


def choose_source(
    root: Root,
    vod: str,
    view: View,
    wanted: str,
    *,
    mode: str,
    decoder: str,
    needed_by: str,
) -> Source:
    """Chooses what is measured: the best of the VOD's frame sets that fit, or its video.

    Args:
        root: where the data lies.
        vod: the name of the VOD.
        view: the view of the frames that are needed.
        wanted: "frames", "video", or "auto" for frames where there are any that fit and are newer than the video.
        mode: "auto" or "scan" where frames of the key frames alone are enough.
        decoder: where to decode the video: "auto", "cpu" or "cuda".
        needed_by: what needs them, for the message of an error.

    Raises:
        MissingInput: frames were asked for, or are the only source, and there are none, or none newer than the video;
            or the VOD was not downloaded.
        ModelError: there are some, and none is what is needed.
    """
    frames = None if wanted == "video" else _choose_frames(root, vod, view, wanted, mode, needed_by)
    if frames:
        return FrameSource(frames)
    return video_source(root, vod, decoder)


def video_source(root: Root, vod: str, decoder: str = "auto") -> VideoSource:
    """The video of a VOD.

    Raises:
        MissingInput: it was not downloaded.
    """
    return VideoSource(root, manifest.load(root, layout.vod(vod), Vod), decoder)


def video_of(source: Source, signal: str) -> VideoSource:
    """The source, as a video. Raises ModelError for a frame set, which has nothing of this signal."""
    if isinstance(source, VideoSource):
        return source
    raise ModelError(f"frames hold pictures and no {signal}: use --source video")


def _choose_frames(root: Root, vod: str, view: View, wanted: str, mode: str, needed_by: str) -> FrameSet | None:
    """The frame set to measure. None where the video is to be decoded."""
    specs = stored(root, vod)
    may_decode = wanted == "auto" and (not specs or root.stat(layout.vod(vod)) is not None)
    needed = f"lolhl extract {vod} {view_options(view)}"
    if not specs and not may_decode:
        raise MissingInput(f"VOD {vod} has no frames: run `{needed}` first, or use --source video")
    fitting = [spec for spec in specs if spec.view == view]
    usable = [spec for spec in fitting if spec.mode == "grid" or mode in ("auto", "scan")]
    for spec in usable:
        try:
            return FrameSet.load(root, vod, spec)
        except MissingInput:  # they are older than the video
            if not may_decode and spec is usable[-1]:
                raise
    if may_decode:
        return None
    if fitting:
        raise ModelError(
            f"{vod} has the key frames only, which do not do for --mode {mode}: run `{needed}`, or use --source video"
        )
    has = " and ".join(sorted({view_name(spec.view) for spec in specs}))
    raise ModelError(
        f"{needed_by} needs frames at {view.fps} fps, {view.size} px, {view.fit}, but {vod} has {has}: "
        f"run `{needed}`, or use --source video"
    )


def _within(keys: Iterable[tuple[float, Picture]], gap: Gap) -> Iterator[tuple[float, Picture]]:
    for time, picture in keys:
        if gap.before is not None and time >= gap.before:
            return
        if time > gap.after:
            yield time, picture


def stacked(pictures: Iterable[Picture], size: int) -> Iterator[Pictures]:
    """Stacks pictures into batches: uint8 [size, S, S, 3]. The last batch may have fewer."""
    waiting: list[Picture] = []
    for picture in pictures:
        waiting.append(picture)
        if len(waiting) == size:
            yield np.stack(waiting)
            waiting = []
    if waiting:
        yield np.stack(waiting)


def stacked_keys(
    keys: Iterable[tuple[float, Picture]], size: int
) -> Iterator[tuple[npt.NDArray[np.float64], Pictures]]:
    """Stacks key frames and their times into batches. The last batch may have fewer."""
    times: list[float] = []

    def pictures() -> Iterator[Picture]:
        for time, picture in keys:
            times.append(time)
            yield picture

    for batch in stacked(pictures(), size):
        yield np.array(times[: len(batch)]), batch
        del times[: len(batch)]
