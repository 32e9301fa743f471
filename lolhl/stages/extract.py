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

from lolhl import grid, layout, manifest, progress
from lolhl.config import Config, setting
from lolhl.errors import Conflict, NotFound
from lolhl.frames.frameset import index_bytes
from lolhl.frames.shards import Encoded, Entry, ShardWriter, encode, pack
from lolhl.frames.spec import FrameSpec
from lolhl.manifest import Manifest, Output, Plan
from lolhl.results import Frames, Vod
from lolhl.storage import Root, delete_all
from lolhl.vod import decode as video_decode
from lolhl.vod.decode import Ending, Fit, View
from lolhl.vod.view import USUAL

log = logging.getLogger(__name__)

_TRIES = 3  # of runs at the same time that left each other nothing
_UPLOADS_AHEAD = 2  # shards on their way to the root while the next is filled: bounds disk and memory


@dataclass(frozen=True, kw_only=True)
class ExtractConfig(Config):
    """How frames are taken from a video."""

    fps: Fraction = setting(
        USUAL.fps,
        "frames per second of the frame grid, as 3, 0.5 or 30000/1001",
        at_least=grid.SLOWEST,
        at_most=grid.FASTEST,
    )
    size: int = setting(USUAL.size, "width and height of a frame, in pixels", at_least=16, at_most=2048)
    fit: Fit = setting(USUAL.fit, "squeeze the whole picture, or crop its middle")
    quality: int = setting(90, "JPEG quality", at_least=1, at_most=100)
    mode: Literal["grid", "scan"] = setting("grid", "grid: every frame; scan: key frames only")
    decoder: Literal["auto", "cpu", "cuda"] = setting("auto", "where to decode; auto probes for a GPU", neutral=True)
    # A bucket takes no more in one request.
    shard_mb: float = setting(48.0, "size of a shard, in MB", above=0, at_most=5000)

    @property
    def view(self) -> View:
        return View(self.fps, self.size, self.fit)

    @property
    def spec(self) -> FrameSpec:
        """The specification of the frame set, which makes its name. Frame sets of other names lie beside it."""
        return FrameSpec(self.view, self.quality, "scan" if self.mode == "scan" else "grid")


def extract(root: Root, vod: str, config: ExtractConfig = ExtractConfig(), *, force: bool = False) -> Manifest[Frames]:
    """Makes frames/<vod>/<name>/ from vods/<vod>/; the name is that of `config.spec`.

    Keys of shards and index hold the digest of their bytes. So the frame set that was there before stays whole
    until the manifest of the new one takes its place in one step; no other run at the same time, and no kill, can
    leave a manifest that names bytes which are not there. Of two runs with other settings in a bucket, one loses.

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
        Conflict: another run made this frame set in the meantime, with other settings.
    """
    video_key = layout.vod(vod)
    key = config.spec.manifest_key(vod)
    ahead = root.ahead([video_key, key])
    source = manifest.load(ahead, video_key, Vod)
    inputs = {video_key: source.content_digest()}
    _, earlier = manifest.plan(ahead, key, Frames, config, inputs, force=force)
    if earlier:
        left = [stat.key for stat in root.list(layout.frames_folder(vod))]
        _remove_old(root, vod, left)
        note = layout.unfinished_frames(vod, config.spec.name)
        delete_all(root, [key for key in left if key == note])  # of a run killed at its very end
        return earlier
    for tries_left in reversed(range(_TRIES)):
        with root.lock(key):
            # Planned anew: a run that this one waited for may have done the work.
            todo, earlier = manifest.plan(root, key, Frames, config, inputs, force=force)
            try:
                return earlier or _extract(todo, vod, source, config)
            except Conflict:
                # Two runs in a bucket may remove each other's shards. Then no frame set stands, and one tries again.
                if root.find(key) or not tries_left:
                    raise
    raise AssertionError


def _extract(todo: Plan[Frames], vod: str, source: Manifest[Vod], config: ExtractConfig) -> Manifest[Frames]:
    root = todo.root
    video = source.local(root, source.result.video, f"lolhl download … --name {vod} --force")
    decoder = video_decode.choose_decoder(video, config.decoder, config.view)
    stored = _Stored.load(root, vod, config.spec, f"{todo.digest}-{decoder}")
    ending = Ending()
    duration = source.result.duration
    mode = video_decode.choose_mode(video, config.mode, decoder)
    with progress.bar(f"extract {vod}", duration, "s") as advance:
        pictures = (
            _scanned(video, config, stored, ending) if mode == "scan" else _grid(video, config, decoder, stored, ending)
        )
        index = _store(root, _encoded(pictures, config, advance), stored, round(config.shard_mb * 1e6))

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
    return _finish(todo, stored, result, [*stored.shards, index])


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
    """Key frames, numbered by the first instant that shows them. Of several for one instant, the last one is kept."""
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


@dataclass
class _Stored:
    """The shards that have reached the root. A note there lists them after each shard, so that a later run goes on.

    The last shard is not noted, since the manifest follows at once.
    """

    vod: str
    spec: FrameSpec
    digest: str
    shards: list[Output]
    entries: list[Entry]

    @classmethod
    def load(cls, root: Root, vod: str, spec: FrameSpec, digest: str) -> "_Stored":
        """The shards that an unfinished run of the same work stored, by its note. None are known without a note."""
        sizes = {stat.key: stat.size for stat in root.list(layout.frame_set_folder(vod, spec.name))}
        with suppress(ValueError, KeyError, TypeError, NotFound):  # what is damaged is of no use
            if (key := layout.unfinished_frames(vod, spec.name)) in sizes:
                note: dict[str, Any] = json.loads(root.read(key))
                shards = [Output(**shard) for shard in note["shards"]]
                if note["digest"] == digest and all(sizes.get(shard.key) == shard.size for shard in shards):
                    return cls(vod, spec, digest, shards, [Entry(*entry) for entry in note["entries"]])
        return cls(vod, spec, digest, [], [])

    def add(self, root: Root, shard: ShardWriter) -> None:
        if shard.shard != len(self.shards):
            return  # the upload before this one failed; its error comes out where it was handed in
        key = layout.shard(self.vod, self.spec.name, shard.shard, shard.sha256)
        output = Output(key, shard.size, shard.sha256)
        root.upload(shard.path, key)
        shard.path.unlink(missing_ok=True)
        self.shards.append(output)
        self.entries += shard.entries
        if not shard.is_last:
            note = {"digest": self.digest, "shards": [asdict(s) for s in self.shards], "entries": self.entries}
            root.write(layout.unfinished_frames(self.vod, self.spec.name), json.dumps(note).encode())


def _store(root: Root, frames: Iterator[Encoded], stored: _Stored, shard_bytes: int) -> Output:
    """Packs frames and uploads them in the background, in order. Returns the index."""
    entries = list(stored.entries)
    with tempfile.TemporaryDirectory(prefix="lolhl-") as folder, ThreadPoolExecutor(1) as uploader:
        uploads: list[Future[None]] = []
        for shard in pack(frames, Path(folder), len(stored.shards), shard_bytes):
            entries += shard.entries
            uploads.append(uploader.submit(stored.add, root, shard))
            if len(uploads) > _UPLOADS_AHEAD:
                uploads.pop(0).result()
        data = index_bytes(entries)
        index = Output.with_digest(layout.frame_index(stored.vod, stored.spec.name), data)
        root.write(index.key, data)  # while the last shard is on its way
        for upload in uploads:
            upload.result()
    return index


def _finish(todo: Plan[Frames], stored: _Stored, result: Frames, outputs: list[Output]) -> Manifest[Frames]:
    """Writes the manifest, and removes what does not belong to it."""
    root, vod, spec = todo.root, stored.vod, stored.spec
    try:
        # Listed before: what comes later is of a run that sees this manifest, or that loses by it.
        before = _check_stored(root, vod, outputs)
        frames = todo.finish(result, outputs)
    except Conflict:
        winner = manifest.find(root, todo.key, Frames)
        keys = {output.key for output in winner.outputs} if winner else set()
        delete_all(root, [output.key for output in outputs if output.key not in keys])
        raise
    own = {todo.key, *(output.key for output in outputs)}
    folder = [key for key in before if key.startswith(layout.frame_set_folder(vod, spec.name))]
    delete_all(root, [key for key in folder if key not in own])
    _remove_old(root, vod, before)
    try:
        _check_stored(root, vod, outputs)
    except Conflict:  # a run that lost removed what both had, or one that came later has taken this one's place
        standing = root.find(todo.key)
        if standing and standing[0] == frames.to_bytes():
            root.delete(todo.key)
        raise
    return frames


def _check_stored(root: Root, vod: str, outputs: list[Output]) -> list[str]:
    """All keys of the VOD's frames. Raises Conflict when one of these outputs is not among them."""
    sizes = {stat.key: stat.size for stat in root.list(layout.frames_folder(vod))}
    for output in outputs:
        if sizes.get(output.key) != output.size:
            raise Conflict(f"{root.url}/{output.key} was removed by another run in the meantime: run again")
    return list(sizes)


def _remove_old(root: Root, vod: str, keys: list[str]) -> None:
    """Removes the frame set of lolhl 0.1, which lay in the VOD's folder itself; its manifest last, which says so."""
    folder = layout.frames_folder(vod)
    old = [key for key in keys if "/" not in key.removeprefix(folder) or key.startswith(f"{folder}features/")]
    delete_all(root, [key for key in old if key != layout.old_frame_set(vod)])
    delete_all(root, [key for key in old if key == layout.old_frame_set(vod)])
