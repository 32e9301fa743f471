"""Where a video comes from: Twitch, the web, or a file on this machine.

Each knows a digest of what it would read, and fetches the wanted part of it into a folder.
"""

import hashlib
import json
import logging
import os
import re
import shutil
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from fractions import Fraction
from functools import cached_property
from io import RawIOBase
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from lolhl import grid, progress
from lolhl.config import Config, setting
from lolhl.errors import MachineError, UsageError, VideoError
from lolhl.labels.spans import Span
from lolhl.stages.resumable_folder import ResumableFolder
from lolhl.storage import check_name
from lolhl.vod import clock, fetch, trim, twitch
from lolhl.vod.probe import probe
from lolhl.vod.view import USUAL

log = logging.getLogger(__name__)

_BLOCK = 1024 * 1024  # bytes that are read at once
_CLONED = 64 * 1024 * 1024  # bytes that the kernel is asked to copy at once: whole blocks, as sharing them needs
_SUFFIX = re.compile(r"\.[a-z0-9]{1,5}")


@dataclass(frozen=True, kw_only=True)
class Wanted(Config):
    """What of a video is stored."""

    quality: str = setting(
        "auto",
        "rendition of a Twitch VOD: auto is the smallest that serves the models (or what is stored, if it does), "
        "source is what the streamer sent; or as 360p, 720p60",
    )
    serves: int = setting(
        USUAL.size,
        "auto: at least so many pixels wide and high, as the frames that models see",
        at_least=1,
        at_most=10_000,
    )
    serves_fps: Fraction = setting(
        USUAL.fps,
        "auto: at least so many pictures per second, as the frame grid",
        at_least=grid.SLOWEST,
        at_most=grid.FASTEST,
    )
    start: float = setting(0.0, "where the part to store begins: h:mm:ss or seconds", at_least=0, parse=grid.parse_time)
    stop: float | None = setting(None, "where it ends: h:mm:ss or seconds", above=0, parse=grid.parse_time)
    chat: bool = setting(
        False,
        "store the chat too: that of a Twitch VOD, or the NAME.chat.json beside a file NAME.mp4",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if re.fullmatch(r"audio.?only", self.quality, re.IGNORECASE):
            raise UsageError(f"--quality {self.quality}: highlights are looked for in pictures; choose another")
        if self.stop is not None and self.stop <= self.start:
            raise UsageError(f"--stop {self.stop:g} s is not after --start {self.start:g} s")

    @property
    def whole(self) -> bool:
        """Whether all of it is stored, from its beginning to its end."""
        return self.start == 0 and self.stop is None


@dataclass(frozen=True)
class Fetched:
    """A video on this machine, which may be moved away.

    Attributes:
        sha256: the digest of the video's bytes, where it is known.
        offset: its time 0, in seconds of the whole video. All other times here are in seconds of the whole video too.
    """

    video: Path
    suffix: str
    title: str
    sha256: str | None = None
    offset: float = 0.0
    twitch_id: str | None = None
    channel: str | None = None
    recorded_at: datetime | None = None
    clock: float | None = None
    rendition: twitch.Rendition | None = None
    qualities: Sequence[twitch.Rendition] = ()
    chapters: Sequence[Span] = ()
    muted: Sequence[Span] = ()
    comments: Sequence[twitch.Comment] | None = None


class Origin(Protocol):
    """Where a video comes from: `source` is what a manifest says of it, `name` what a VOD of it is called."""

    @property
    def source(self) -> str: ...

    @property
    def name(self) -> str: ...

    def inputs(self) -> dict[str, str]:
        """A name for what is read → a digest that changes when it does."""

    def fetch(self, folder: ResumableFolder, config: Wanted, watch: twitch.Watch | None) -> Fetched:
        """Gets what is wanted into a folder, in which a run that follows a killed one goes on.

        Args:
            watch: as of `twitch.fetch`, where the whole of a Twitch VOD is fetched.

        Raises:
            UsageError: the part holds no picture, or there is no such rendition.
            TwitchError, VideoError: the video cannot be had, or is none.
        """


def find_origin(source: str) -> Origin:
    """Where a video of this address, id or path comes from. Raises UsageError for anything else."""
    if vod := twitch.vod_id(source):
        return _OnTwitch(vod)
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", source):
        return _OnTheWeb(source)
    return _File(source)


@dataclass(frozen=True)
class _OnTwitch:
    """A VOD of Twitch. Its name is its id there."""

    name: str

    @property
    def source(self) -> str:
        return twitch.page(self.name)

    def inputs(self) -> dict[str, str]:
        return {self.source: _sha256(self.source)}

    def fetch(self, folder: ResumableFolder, config: Wanted, watch: twitch.Watch | None) -> Fetched:
        vod = twitch.describe(self.name)
        if config.quality == "auto":
            rendition = vod.smallest(config.serves, config.serves_fps)
            log.info("download %s: the rendition %s serves", vod.id, rendition.name)
        else:
            rendition = vod.rendition(config.quality)
        if config.start >= vod.seconds:
            raise UsageError(f"VOD {vod.id} is {grid.format_time(vod.seconds)} long: choose a --start before its end")
        comments = twitch.chat(vod.id, folder.path) if config.chat else None
        seconds = min(vod.seconds, config.stop or vod.seconds) - config.start
        with progress.bar(f"download {vod.id}", seconds, "s") as advance:
            segments = twitch.fetch(
                vod,
                rendition,
                folder.path / check_name(rendition.group, "rendition"),
                start=config.start,
                stop=config.stop,
                advance=advance,
                watch=watch if config.whole else None,
                hold=folder.lock,
            )
        video, offset = folder.path / "video.mp4", 0.0
        if config.whole:
            trim.join(segments.playlist, video)
        else:
            start = max(0.0, config.start - segments.begin)
            stop = None if config.stop is None else config.stop - segments.begin
            first = trim.trim(segments.playlist, video, start, stop)
            offset = segments.begin + _part_offset(first, self.source, config)
        return Fetched(
            video=video,
            suffix=".mp4",
            title=vod.title,
            offset=round(offset, 6),
            twitch_id=vod.id,
            channel=vod.channel,
            recorded_at=vod.recorded_at,
            clock=segments.clock,
            rendition=rendition,
            qualities=vod.renditions,
            chapters=vod.chapters,
            muted=segments.muted,
            comments=comments,
        )


@dataclass(frozen=True)
class _OnTheWeb:
    """A video file at an http(s) address."""

    url: str

    @property
    def source(self) -> str:
        return fetch.plain(self.url)

    @property
    def name(self) -> str:
        return _vod_name(self._file, self.source)

    @property
    def _file(self) -> Path:
        return Path(unquote(urlsplit(self.source).path))

    @cached_property
    def remote(self) -> fetch.Remote:
        return fetch.look(self.url)

    def inputs(self) -> dict[str, str]:
        # Where the server does not say which bytes these are, a query may name others: the digest shows nothing of it.
        query = {} if self.remote.tag else {"query": _sha256(urlsplit(self.url).query)}
        return {self.source: _sha256(json.dumps({**asdict(self.remote), **query}))}

    def fetch(self, folder: ResumableFolder, config: Wanted, watch: twitch.Watch | None) -> Fetched:  # noqa: ARG002
        video = folder.path / "fetched"
        with progress.bar(f"download {self._file.name}", (self.remote.size or 0) / 1e6, "MB") as advance:
            fetch.fetch(self.url, self.remote, video, lambda count: advance(count / 1e6))
        try:
            _check_video(video, self.source)
        except VideoError:  # nothing of it is of use to another run
            shutil.rmtree(folder.path)
            raise
        return _part(video, self._file, self.source, folder, config)


@dataclass(frozen=True)
class _File:
    """A video file on this machine, and a chat that may lie beside it. `source` is how the user calls it."""

    source: str
    path: Path = field(init=False)

    def __post_init__(self) -> None:
        shown = self.source[:200]
        unknown = UsageError(f"{shown!r} is no file, no address and no id of a Twitch VOD: check its spelling")
        if not self.source:
            raise unknown
        try:
            path = Path(self.source).expanduser().resolve(strict=True)
        except (OSError, RuntimeError, ValueError) as error:  # for ~somebody, links in a circle, and for NUL
            raise unknown from error
        if re.search("[\ud800-\udfff]", self.source):  # how Python shows bytes that are no text
            raise UsageError(f"{self.source!r}: its name is no UTF-8 text: rename it")
        if not path.is_file():
            raise UsageError(f"{self.source} is a folder or no plain file: give a video file")
        object.__setattr__(self, "path", path)

    @property
    def name(self) -> str:
        return _vod_name(self.path, self.source)

    @cached_property
    def _at_first(self) -> tuple[int, int]:
        """Its size and time of change, before anything of it is read."""
        return self._now()

    def _now(self) -> tuple[int, int]:
        stat = self.path.stat()
        return stat.st_size, stat.st_mtime_ns

    @cached_property
    def _sha256(self) -> str:
        with self.path.open("rb") as file, progress.bar(f"read {self.path.name}", self._at_first[0] / 1e6, "MB") as bar:
            return _sha256_of_file(file, bar)

    def inputs(self) -> dict[str, str]:
        chat = {"chat": hashlib.sha256(self._chat.read_bytes()).hexdigest()} if self._chat.is_file() else {}
        return {"video": self._sha256, **chat}

    @property
    def _chat(self) -> Path:
        return self.path.with_suffix(".chat.json")

    def fetch(self, folder: ResumableFolder, config: Wanted, watch: twitch.Watch | None) -> Fetched:  # noqa: ARG002
        """The part that is wanted, or a copy. A later change of the file does not change what is stored.

        Raises:
            VideoError: the file was changed since it was first read.
        """
        _check_video(self.path, self.source)
        comments = _read_chat(self._chat) if config.chat else None
        if not config.whole:
            part = _part(self.path, self.path, self.source, folder, config)
            self._check_unchanged()
            return replace(part, comments=comments)
        copy = folder.path / "copied"
        with progress.bar(f"copy {self.path.name}", self._at_first[0] / 1e6, "MB") as bar:
            digest = _copy(self.path, copy, bar)
        self._check_unchanged(digest)
        return replace(_part(copy, self.path, self.source, folder, config), sha256=digest, comments=comments)

    def _check_unchanged(self, copied: str | None = None) -> None:
        if self._now() != self._at_first or copied not in (None, self._sha256):
            raise VideoError(f"{self.source} is still being written: run again when it is finished")


def _read_chat(file: Path) -> list[twitch.Comment] | None:
    """The chat that lies beside a video. None where there is none.

    Raises:
        UsageError: it is no chat.
    """
    if not file.is_file():
        log.warning("download: there is no %s, so that no chat is stored", file.name)
        return None
    try:
        lines = json.loads(file.read_bytes())["comments"]
        return [twitch.Comment(float(line["time"]), str(line["user"]), str(line["text"])) for line in lines]
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise UsageError(
            f'{file} is no chat: write {{"comments": [{{"time": seconds, "user": "…", "text": "…"}}, …]}}'
        ) from error


def _sha256_of_file(file: BinaryIO, advance: progress.Advance) -> str:
    """The sha256 of what the file holds. Progress is reported in MB."""
    digest = hashlib.sha256()
    while block := file.read(_BLOCK):
        digest.update(block)
        advance(len(block) / 1e6)
    return digest.hexdigest()


def _vod_name(file: Path, source: str) -> str:
    """The name of a VOD from this file: the file's name, in which `-` stands for odd characters."""
    plain = unicodedata.normalize("NFKD", file.stem).encode("ascii", "ignore").decode()
    name = re.sub(r"[^A-Za-z0-9_.-]+", "-", plain).strip("-.")[:100].rstrip("-.")
    if not name:
        raise UsageError(f"{source}: its name holds no letter from a to z and no digit: give it another name (--name)")
    return name


def _check_video(video: Path, source: str) -> None:
    """Raises VideoError, in the user's words for the file, when it is no video."""
    try:
        probe(video)
    except (VideoError, MachineError) as error:
        raise type(error)(str(error).replace(str(video), source)) from error


def _part(video: Path, file: Path, source: str, folder: ResumableFolder, config: Wanted) -> Fetched:
    """The wanted part of a video file.

    Args:
        video: where it lies.
        file: what it is really called.
        source: what the user calls it.
    """
    if remuxed := clock.run_on(video, folder.path / "remuxed"):
        log.info(
            "download %s: its timestamps start again, leap or start late; what is stored is a copy on one clock", source
        )
        video, file = remuxed, file.with_suffix(remuxed.suffix)
    if config.whole:
        suffix = file.suffix.lower()
        return Fetched(video, suffix if _SUFFIX.fullmatch(suffix) else ".video", file.stem)
    target = folder.path / "video.mp4"
    offset = trim.trim(video, target, config.start, config.stop)
    return Fetched(target, ".mp4", file.stem, offset=_part_offset(offset, source, config))


def _part_offset(offset: float | None, source: str, config: Wanted) -> float:
    """The offset of the part, in seconds. Raises UsageError where the part holds no picture."""
    if offset is None:
        stop = "its end" if config.stop is None else grid.format_time(config.stop)
        raise UsageError(
            f"{source} has no picture from {grid.format_time(config.start)} to {stop}: choose another --start or --stop"
        )
    return round(offset, 6)


def _copy(file: Path, copy: Path, advance: progress.Advance) -> str:
    """Copies the bytes. Progress is reported in MB. Returns the sha256 of the copy."""
    digest = hashlib.sha256()
    with file.open("rb", buffering=0) as source, copy.open("wb") as target, copy.open("rb", buffering=0) as stored:
        while _copy_some(source, target):
            while block := stored.read(_BLOCK):
                digest.update(block)
                advance(len(block) / 1e6)
    return digest.hexdigest()


def _copy_some(source: RawIOBase, target: BinaryIO) -> int:
    """Copies bytes from the position of each file. The files share the bytes where the file system can do that."""
    if hasattr(os, "copy_file_range"):
        with suppress(OSError):  # not every file system can, and not from every one to every other
            if count := os.copy_file_range(source.fileno(), target.fileno(), _CLONED):
                return count
    count = target.write(source.read(_CLONED) or b"")
    target.flush()
    return count


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
