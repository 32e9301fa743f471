"""extract: the video of a VOD → its frame set.

Decodes the video once, encodes each frame as JPEG and packs them in shards, which go to the root
while decoding goes on. Killed at any moment and run again, it goes on after the last shard that was
stored. In scan mode only key frames are decoded, on Twitch one every 2 s; the instants between them
have no picture of their own.
"""

import json
import logging
import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

from lolhl import grid, manifest, progress
from lolhl.config import Config, option
from lolhl.errors import UsageError
from lolhl.frames.frameset import index_bytes, index_key, manifest_key
from lolhl.frames.shards import Encoded, Entry, ShardWriter, encode, pack, shard_key
from lolhl.manifest import Manifest, Output, Plan
from lolhl.results import Frames, Vod
from lolhl.storage import Root, check_name, each
from lolhl.vod import decode as video_decode
from lolhl.vod.decode import Ending, Fit, View

log = logging.getLogger(__name__)

_UPLOADS_AHEAD = 2  # shards on their way to the root while the next is filled: bounds disk and memory


@dataclass(frozen=True, kw_only=True)
class ExtractConfig(Config):
    """How frames are taken from a video."""

    fps: Fraction = option(Fraction(3), "frames per second of the frame grid, as 3, 0.5 or 30000/1001")
    size: int = option(224, "width and height of a frame, in pixels")
    fit: Fit = option("squeeze", "squeeze the whole picture, or crop its middle", choices=("squeeze", "crop"))
    quality: int = option(90, "JPEG quality, 1 to 100")
    mode: Literal["grid", "scan"] = option("grid", "grid: every frame; scan: key frames only", choices=("grid", "scan"))
    decoder: str = option("auto", "where to decode; auto probes for a GPU", choices=("auto", "cpu", "cuda"))
    shard_mb: float = option(48.0, "size of a shard, in MB")

    def __post_init__(self) -> None:
        if not 16 <= self.size <= 2048:
            raise UsageError(f"--size {self.size}: frames are 16 to 2048 pixels wide")
        if not 1 <= self.quality <= 100:
            raise UsageError(f"--quality {self.quality}: JPEG quality is 1 to 100")
        if not 0 < self.shard_mb <= 5000:  # what a bucket takes in one request
            raise UsageError(f"--shard-mb {self.shard_mb:g}: a shard has more than 0 MB and at most 5000")

    @property
    def view(self) -> View:
        return View(self.fps, self.size, self.fit)


def extract(root: Root, vod: str, config: ExtractConfig = ExtractConfig(), *, force: bool = False) -> Manifest[Frames]:
    """Makes frames/<vod>/ from vods/<vod>/.

    Args:
        root: where the data lies.
        vod: name of a downloaded VOD.
        config: see `ExtractConfig`.
        force: redo what is done.

    Returns:
        The frame set's manifest. Its result says how many frames there are, at which second they
        end, and whether the video broke off before the length that it claims (`truncated`).

    Raises:
        MissingInput: the VOD was not downloaded.
        VideoError: nothing in the video can be decoded.
    """
    video_key = f"vods/{check_name(vod, 'VOD')}/vod.json"
    root = root.ahead([video_key, manifest_key(vod), _unfinished_key(vod)])
    source = manifest.load(root, video_key, Vod, f"lolhl download … --name {vod}")
    inputs = {video_key: source.content_digest()}
    todo, earlier = manifest.plan(root, manifest_key(vod), Frames, config, inputs, force=force)
    noted = root.find(_unfinished_key(vod))
    if earlier:
        if noted:
            root.delete(_unfinished_key(vod))
        return earlier

    video = source.local(root, source.result.video, f"lolhl download … --name {vod} --force")
    decoder = video_decode.choose_decoder(video, config.decoder, config.view)
    stored = _Stored.load(noted[0] if noted else None, f"{todo.digest}-{decoder}")
    ending = Ending()
    duration = source.result.duration
    mode = video_decode.choose_mode(video, config.mode, decoder)
    with progress.bar(f"extract {vod}", duration, "s") as advance:
        pictures = (
            _scanned(video, config, stored, ending) if mode == "scan" else _grid(video, config, decoder, stored, ending)
        )
        todo, index = _store(todo, vod, _encoded(pictures, config, advance), stored, round(config.shard_mb * 1e6))

    times = [entry.time for entry in stored.entries]
    count = ending.count(config.fps) if mode == "scan" else len(times)
    ended_at = float(count / config.fps)
    gap = max((after - before for before, after in pairwise([*times, ended_at])), default=0.0)
    if ending.problem:
        log.warning("extract %s: what follows cannot be read, and has no frames: %s", vod, ending.problem)
    if mode == "scan" and gap > video_decode.AS_ON_TWITCH:
        log.warning("extract %s: for up to %.0f s there is no key frame, and so no picture: use --mode grid", vod, gap)
    result = Frames(
        vod=vod,
        fps=config.fps,
        size=config.size,
        fit=config.fit,
        quality=config.quality,
        mode="scan" if mode == "scan" else "grid",
        frames=count,
        pictures=len(times),
        gap=max((after - before for before, after in pairwise(times)), default=0.0),
        ended_at=ended_at,
        truncated=ending.problem is not None or ended_at < duration - max(1.0, float(2 / config.fps)),
        problem=ending.problem,
        decoder=decoder,
    )
    made = todo.finish(result, [*stored.shards, index])
    if stored.is_noted:
        root.delete(_unfinished_key(vod))
    return made


def _grid(
    video: Path, config: ExtractConfig, decoder: video_decode.Decoder, stored: "_Stored", ending: Ending
) -> Iterator[tuple[int, float, video_decode.Picture]]:
    first = len(stored.entries)
    pictures = video_decode.decode(video, config.view, decoder=decoder, first=first, ending=ending)
    for number, picture in enumerate(pictures, first):
        yield number, float(number / config.fps), picture


def _scanned(
    video: Path, config: ExtractConfig, stored: "_Stored", ending: Ending
) -> Iterator[tuple[int, float, video_decode.Picture]]:
    """Key frames, numbered by the first instant that shows them; of several for one instant, the last."""
    last = stored.entries[-1].frame if stored.entries else -1
    begin = int(stored.entries[-1].time) if stored.entries else 0
    held: tuple[int, float, video_decode.Picture] | None = None
    for time, picture in video_decode.scan(video, config.view, begin=begin, ending=ending):
        number = max(0, grid.first_frame_at(time, config.fps))
        if number <= last:
            continue
        if held and number > held[0]:
            last = held[0]
            yield held
        held = number, time, picture
    if held:
        number = min(held[0], ending.count(config.fps) - 1)  # the video may end before an instant comes
        if number > last:
            yield number, *held[1:]


def _encoded(
    pictures: Iterator[tuple[int, float, video_decode.Picture]], config: ExtractConfig, advance: progress.Advance
) -> Iterator[Encoded]:
    shown = 0.0
    for number, time, picture in pictures:
        yield Encoded(number, time, encode(picture, config.quality))
        advance(time - shown)
        shown = time


def _unfinished_key(vod: str) -> str:
    return f"frames/{vod}/unfinished.json"


@dataclass
class _Stored:
    """What has safely reached the root: noted there after each shard, so that a later run goes on.

    The last shard is not noted: the manifest comes at once.
    """

    digest: str
    shards: list[Output]
    entries: list[Entry]
    is_noted: bool = False

    @classmethod
    def load(cls, found: bytes | None, digest: str) -> "_Stored":
        """What an earlier, unfinished run of the same work stored, by its note; else nothing."""
        with suppress(ValueError, KeyError, TypeError):  # what is damaged is of no use
            said: dict[str, Any] = json.loads(found) if found else {"digest": None}
            if said["digest"] == digest:
                shards = [Output(**shard) for shard in said["shards"]]
                return cls(digest, shards, [Entry(*entry) for entry in said["entries"]], is_noted=True)
        return cls(digest, [], [])

    def add(self, root: Root, vod: str, output: Output, shard: ShardWriter) -> None:
        self.shards.append(output)
        self.entries += shard.entries
        if shard.is_last:
            return
        said = {
            "digest": self.digest,
            "shards": [asdict(s) for s in self.shards],
            "entries": self.entries,
        }
        root.write(_unfinished_key(vod), json.dumps(said).encode())
        self.is_noted = True


def _store(
    todo: Plan[Frames], vod: str, frames: Iterator[Encoded], stored: _Stored, shard_bytes: int
) -> tuple[Plan[Frames], Output]:
    """Packs and uploads, the uploads in the background and in order. Returns the plan, begun, and the index."""
    entries = list(stored.entries)
    with tempfile.TemporaryDirectory(prefix="lolhl-") as scratch, ThreadPoolExecutor(1) as uploader:
        begun = uploader.submit(_begin, todo, vod, stored)  # while the first pictures are decoded
        on_their_way: list[Future[None]] = []
        for shard in pack(frames, Path(scratch), len(stored.shards), shard_bytes):
            entries += shard.entries
            on_their_way.append(uploader.submit(_upload, begun, vod, shard, stored))
            if len(on_their_way) > _UPLOADS_AHEAD:
                on_their_way.pop(0).result()
        todo, index = begun.result(), index_bytes(entries)
        todo.root.write(index_key(vod), index)  # while the last shard is on its way
        for upload in on_their_way:
            upload.result()
    return todo, Output.of(index_key(vod), index)


def _begin(todo: Plan[Frames], vod: str, stored: _Stored) -> Plan[Frames]:
    """Takes away what earlier runs left, but for what this one goes on from."""
    todo = todo.begin()
    if not stored.is_noted:
        todo.root.delete(_unfinished_key(vod))  # before what it says is there
        left_over = [stat.key for stat in todo.root.list(f"frames/{vod}/")]
        for _ in each(todo.root.delete, left_over):
            pass
    return todo


def _upload(begun: "Future[Plan[Frames]]", vod: str, shard: ShardWriter, stored: _Stored) -> None:
    root = begun.result().root
    if shard.shard != len(stored.shards):
        return  # the upload before this one failed; its error comes out where it was handed in
    output = Output.upload(root, shard.path, shard_key(vod, shard.shard))
    shard.path.unlink(missing_ok=True)
    stored.add(root, vod, output, shard)
