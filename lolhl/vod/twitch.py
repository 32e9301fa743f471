"""Twitch, by way of the twitch-dl program: with `twitch_clips` and `twitch_key_frames` all that knows of either.

twitch-dl runs as a process of its own. It keeps each segment of a VOD (some 10 s of video) as a
file once it is whole, and does not ask for it again: so a download that was cut off goes on.
"""

import itertools
import json
import logging
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lolhl import grid, machine
from lolhl.errors import MachineError, StillLive, SubscriberOnly, ToolMissing, TwitchError, UsageError, VodNotFound
from lolhl.labels.spans import Span, merge
from lolhl.text import storable
from lolhl.vod import process
from lolhl.vod.probe import probe
from lolhl.vod.rendition import Rendition as Rendition

log = logging.getLogger(__name__)

Watch = Callable[[Path, float], None]

_ID = re.compile(r"[0-9]{1,20}")
_ADDRESS = re.compile(r"(?:https?://)?((?:[\w-]+\.)*twitch\.tv)(/[^?#]*)?(?:[?#].*)?", re.ASCII | re.IGNORECASE)
_HOSTS = ("twitch.tv", "www.twitch.tv", "m.twitch.tv", "go.twitch.tv")
_VOD_PATH = re.compile(r"/(?:videos|\w+/v|\w+/video)/([0-9]{1,20})/?", re.ASCII)
_QUALITY = re.compile(r"([0-9]{2,5})p([0-9]{1,3})?", re.ASCII)  # 360p, 720p60; without a rate it is 30
_CHANNEL = re.compile(r"[a-z0-9_]{1,30}")
_RESOLUTION = re.compile(r"([0-9]{1,5})x([0-9]{1,5})", re.ASCII)
_SEGMENT = re.compile(r"[0-9]+\.(?!tmp$)\w+", re.ASCII)
_TOKEN = "LOLHL_TWITCH_TOKEN"  # noqa: S105 - the name of the variable

_MARGIN = 1  # seconds asked for beyond both ends: the playlist's lengths are rounded
_JUMP = 10.0  # seconds; a greater step of the timestamps is a new beginning of them, for ffmpeg too
_WRAP = 2**33 / 90_000  # seconds until the timestamps of MPEG-TS begin anew
_PAUSE = 1.0  # seconds before a dropped connection is tried again


@dataclass(frozen=True)
class TwitchVod:
    """What Twitch says of a VOD.

    Attributes:
        seconds: its length, rounded to whole seconds.
        renditions: those with pictures, at least one.
        chapters: in seconds of the VOD; each named as on Twitch, mostly by the game.
        recorded_at: when the recording began; None where Twitch does not say it.
        channel: whose it is, as in the channel's address; None where Twitch does not say it.
        playlists: Twitch's name of a rendition → the address of its playlist.
    """

    id: str
    title: str
    seconds: int
    renditions: tuple[Rendition, ...]
    chapters: list[Span]
    recorded_at: datetime | None = None
    channel: str | None = None
    playlists: dict[str, str] = field(default_factory=dict, repr=False, compare=False)

    def rendition(self, quality: str) -> Rendition:
        """The rendition of this quality: "source", or a name that people or Twitch give it.

        Raises:
            UsageError: there is none; lists those that there are.
        """
        for rendition in self.renditions:
            if quality in (rendition.name, rendition.group) or (quality == "source" and rendition.is_source):
                return rendition
        qualities = ["source"] if any(rendition.is_source for rendition in self.renditions) else []
        qualities += dict.fromkeys(rendition.name for rendition in self.renditions)
        raise UsageError(f"VOD {self.id} is not there in {quality!r}: choose one of {', '.join(qualities)}")

    def smallest(self, size: int, fps: Fraction) -> Rendition:
        """See `smallest`."""
        return smallest(self.renditions, size, fps)


@dataclass(frozen=True)
class Segments:
    """Consecutive pieces of a VOD on this machine.

    Attributes:
        playlist: a local HLS playlist of them.
        begin: where the first begins, in seconds of the VOD.
        clock: the timestamp of the VOD's time 0, in seconds. All renditions have one clock (RFC 8216, 6.2.4).
        muted: stretches whose sound Twitch took away, in seconds of the VOD.
    """

    playlist: Path
    begin: float
    clock: float
    muted: list[Span]


@dataclass(frozen=True)
class Comment:
    """A line of chat; `time` in (whole) seconds of the VOD."""

    time: float
    user: str
    text: str


def best(renditions: Sequence[Rendition]) -> Rendition:
    """The source rendition; the largest where there is none."""
    return max(renditions, key=lambda rendition: (rendition.is_source, rendition.cost))


def smallest(renditions: Sequence[Rendition], size: int, fps: Fraction) -> Rendition:
    """The rendition with the fewest pixels that serves (see `Rendition.serves`); the best one where none does."""
    serving = [rendition for rendition in renditions if rendition.serves(size, fps)]
    return min(serving, key=lambda rendition: rendition.cost) if serving else best(renditions)


def vod_id(source: str) -> str | None:
    """The id that the user means by `123` or by the address of a VOD; None when it is no matter of Twitch.

    Where the address says a time (`?t=1h2m3s`), that is only where somebody was looking, and ignored.

    Raises:
        UsageError: an address of Twitch that is no VOD.
    """
    if _ID.fullmatch(source):
        return source
    if not (address := _ADDRESS.fullmatch(source)):
        return None
    path = _VOD_PATH.fullmatch(address[2] or "")
    if path and address[1].lower() in _HOSTS:
        return path[1]
    raise UsageError(f"{source} is no VOD on Twitch: give an address like https://www.twitch.tv/videos/123456789")


def page(vod: str) -> str:
    """The VOD's address."""
    return f"https://www.twitch.tv/videos/{vod}"


def describe(vod: str) -> TwitchVod:
    """Asks Twitch about a VOD.

    Raises:
        VodNotFound, SubscriberOnly, StillLive: it cannot be had, for this reason.
        TwitchError: Twitch cannot be reached, or answers with an error.
        ToolMissing: twitch-dl is not installed.
    """
    stdout, stderr = _run(vod, ["info", "--json", vod], Path.cwd())
    if "subscriber-only" in stderr:  # twitch-dl then guesses addresses; we take what Twitch gives freely
        raise _subscribers(vod)
    answer: dict[str, Any] = json.loads(stdout)
    if answer["status"] == "RECORDING":
        raise StillLive(f"VOD {vod} is still being broadcast: run again when the stream has ended")
    renditions = tuple(_rendition(playlist) for playlist in answer["playlists"] if playlist["group_id"] != "audio_only")
    if not renditions:
        raise VodNotFound(f"VOD {vod} has sound but no pictures on Twitch: choose another VOD")
    return TwitchVod(
        id=vod,
        title=storable(answer["title"] or ""),
        seconds=int(answer["lengthSeconds"]),
        renditions=renditions,
        chapters=[_chapter(chapter) for chapter in answer["chapters"]],
        recorded_at=_moment(answer.get("recordedAt")),
        channel=_channel(answer.get("owner")) or _channel(answer.get("creator")),
        playlists={playlist["group_id"]: playlist["url"] for playlist in answer["playlists"]},
    )


def _moment(text: Any) -> datetime | None:
    """The time that Twitch writes as 2024-09-08T08:00:00Z. None for what is none, since nothing depends on it."""
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError):
        return None
    return moment if moment.tzinfo else None


def _channel(user: Any) -> str | None:
    """The name in the address of a user's channel. None for what is no name, since the VOD is there without it."""
    login = user.get("login") if isinstance(user, dict) else None
    return login if isinstance(login, str) and _CHANNEL.fullmatch(login) else None


def _rendition(playlist: dict[str, Any]) -> Rendition:
    """The rendition that a playlist's name and resolution describe."""
    name, group = playlist["name"], playlist["group_id"]
    matches = [match for text in (name, group) if (match := _QUALITY.match(text))]
    rates = [int(match[2]) for match in matches if match[2]]
    fps = rates[0] if rates else 30 if matches else None
    width = height = None
    if shape := _RESOLUTION.fullmatch(playlist["resolution"] or ""):
        width, height = int(shape[1]), int(shape[2])
    elif matches:  # Twitch's own are 16:9, where it says nothing else
        height = int(matches[0][1])
        width = height * 16 // 9
    return Rendition(name, group, width, height, fps, playlist["is_source"])


def _chapter(chapter: dict[str, Any]) -> Span:
    start = chapter["positionMilliseconds"] / 1000
    return Span(start, start + chapter["durationMilliseconds"] / 1000, storable(chapter["description"] or ""))


def fetch(
    vod: TwitchVod,
    rendition: Rendition,
    folder: Path,
    *,
    start: float = 0.0,
    stop: float | None = None,
    clock: float | None = None,
    advance: Callable[[float], None] = lambda _: None,
    watch: Watch | None = None,
    hold: int | None = None,
) -> Segments:
    """Downloads the segments that hold [start, stop), except for those that the folder has already.

    Args:
        rendition: one of the VOD's.
        folder: for this VOD and rendition only; the segments stay there.
        start, stop: seconds of the VOD; None is its end.
        clock: see `Segments`, where it is known; else the first segment of all is fetched too, for its timestamp.
        advance: called with the seconds of video that have just come.
        watch: called with each segment from the VOD's beginning on, in order, as soon as it is there, and
            with where it begins by the lengths of those before it, in seconds.
        hold: a file descriptor that twitch-dl keeps open as long as it runs: a lock on the folder
            that outlives this process when it is killed.

    Raises:
        VodNotFound: Twitch has the VOD's page but not its video any more.
        TwitchError: the connection dropped again and again, or Twitch answered with an error.
    """
    first = max(0, int(start) - _MARGIN)
    if first > 0 and clock is None and not any(folder.glob("00000.*")):
        _download(vod.id, rendition.group, folder, ["--end=00:00:01"], _SegmentProgress(folder, 0, 0), hold)
    parts = [f"--start={_clock(first)}"] if first > 0 else []
    parts += [f"--end={_clock(int(stop) + 1 + _MARGIN)}"] if stop is not None else []
    progress = _SegmentProgress(folder, start, vod.seconds if stop is None else stop, advance, watch)
    _download(vod.id, rendition.group, folder, parts, progress, hold)

    playlist = (folder / "playlist.m3u8").read_text()
    downloaded_playlist = folder / "playlist_downloaded.m3u8"
    downloaded = downloaded_playlist.read_text()
    names = [name for name, _ in listed(downloaded)]
    if not names:
        raise UsageError(f"VOD {vod.id} has no video from {grid.format_time(start)}: choose another --start")
    if "#EXT-X-ENDLIST" not in downloaded:  # else ffmpeg would wait for more
        downloaded_playlist.write_text(f"{downloaded}\n#EXT-X-ENDLIST\n")
    numbers = [int(Path(name).stem) for name in names]
    borders, addresses = borders_of(playlist), [address for address, _ in listed(playlist)]
    muted = [Span(borders[n], borders[n + 1], "muted") for n in numbers if "-muted" in addresses[n]]
    if clock is None:
        clock = _stamp(folder, f"00000{Path(names[0]).suffix}", downloaded)
    begin = begin_of(_stamp(folder, names[0], downloaded) - clock, borders[numbers[0]])
    return Segments(downloaded_playlist, begin, clock, merge(muted, gap=0.01))


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def listed(playlist: str) -> Iterator[tuple[str, float]]:
    """Yields name and length in seconds of each segment of a playlist."""
    seconds = 0.0
    for line in playlist.splitlines():
        if line.startswith("#EXTINF:"):
            seconds = float(line.removeprefix("#EXTINF:").split(",")[0])
        elif line.strip() and not line.startswith("#"):
            yield line.strip(), seconds


def borders_of(playlist: str) -> list[float]:
    """Where the segments begin, and where the last one ends, by their lengths in seconds."""
    return [0.0, *itertools.accumulate(seconds for _, seconds in listed(playlist))]


def begin_of(by_stamps: float, by_lengths: float) -> float:
    """Where a segment begins, by its timestamp; by the lengths before it where those began anew."""
    by_stamps = (by_stamps + _WRAP / 2) % _WRAP - _WRAP / 2
    return by_stamps if abs(by_stamps - by_lengths) < _JUMP else by_lengths


def _stamp(folder: Path, name: str, listing: str) -> float:
    """The first timestamp in a segment, in seconds."""
    header = re.search(r'#EXT-X-MAP:.*?URI="([^"]+)"', listing)
    if not header:
        return probe(folder / name).start_time
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".mp4") as whole:
        whole.write((folder / Path(header[1]).name).read_bytes() + (folder / name).read_bytes())
        whole.flush()
        return probe(Path(whole.name)).start_time


def _download(
    vod: str, rendition: str, folder: Path, parts: list[str], progress: "_SegmentProgress", hold: int | None
) -> None:
    """Runs twitch-dl, again and again as long as each run brings something new."""
    folder.mkdir(parents=True, exist_ok=True)
    arguments = ["download", vod, f"--quality={rendition}", f"--cache-dir={_literal(folder)}", *parts]
    arguments += ["--no-join", "--overwrite"]
    while True:
        before = _segment_names(folder)
        try:
            _run(vod, arguments, folder, progress.look, hold)
            progress.look()
            return
        except TwitchError as error:
            if _segment_names(folder) <= before:
                raise
            log.warning("%s; trying again", error)
            time.sleep(_PAUSE)


def _segment_names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if _SEGMENT.fullmatch(path.name)}


class _SegmentProgress:
    """Reports which segments have come, and how many seconds of [start, stop) they hold.

    Attributes:
        counted: names of the segments that were reported to `advance`.
        waiting: number → name of the segments that wait until `watch` was called with all before them.
        next: the number of the segment that `watch` is called with next.
        borders: see `borders_of`; empty until the playlist has come.
    """

    def __init__(
        self,
        folder: Path,
        start: float,
        stop: float,
        advance: Callable[[float], None] = lambda _: None,
        watch: Watch | None = None,
    ) -> None:
        self.folder, self.start, self.stop, self.advance, self.watch = folder, start, stop, advance, watch
        self.counted: set[str] = set()
        self.waiting: dict[int, str] = {}
        self.next = 0
        self.borders: list[float] = []

    def look(self) -> None:
        """Calls `advance` and `watch` with what has come since the last look."""
        if not self.borders:
            with suppress(OSError):
                self.borders = borders_of((self.folder / "playlist.m3u8").read_text())
        for name in _segment_names(self.folder) - self.counted if self.borders else ():
            self.counted.add(name)
            number = int(name.split(".")[0])
            if number + 1 < len(self.borders):
                begin, end = max(self.borders[number], self.start), min(self.borders[number + 1], self.stop)
                self.advance(max(0.0, end - begin))
                self.waiting[number] = name
        while self.watch and (name := self.waiting.pop(self.next, "")):
            self.watch(self.folder / name, self.borders[self.next])
            self.next += 1


def chat(vod: str, folder: Path) -> list[Comment]:
    """All that was written in the VOD's chat, in order of time.

    Raises:
        TwitchError: Twitch does not give it.
    """
    target = folder / "chat.json"
    _, stderr = _run(vod, ["chat", "json", vod, f"--output={_literal(target)}", "--overwrite"], folder, ends_badly=True)
    if not target.exists():
        if "IndexError" in stderr:  # how twitch-dl takes a page without comments
            return []
        raise _error(vod, stderr)
    comments = json.loads(target.read_text())["comments"]
    target.unlink()
    return [
        Comment(
            time=float(comment["contentOffsetSeconds"]),
            user=comment["commenter"]["displayName"] if comment["commenter"] else "",
            text="".join(fragment["text"] for fragment in comment["message"]["fragments"]),
        )
        for comment in comments
    ]


def _literal(path: Path) -> str:
    """A path as twitch-dl takes it: braces would be filled in."""
    return str(path.absolute()).replace("{", "{{").replace("}", "}}")


def _run(
    vod: str,
    arguments: list[str],
    folder: Path,
    look: Callable[[], None] = lambda: None,
    hold: int | None = None,
    *,
    ends_badly: bool = False,
) -> tuple[str, str]:
    """Runs twitch-dl, and returns what it writes to stdout and stderr.

    It prints progress to stdout, some times a second. That is read, and `look` called, as it
    comes; once nobody reads it any more, twitch-dl ends: it does not outlive a killed parent by much.
    """
    # -P: nothing in the working folder is taken for a module of twitch-dl.
    command = [sys.executable, "-P", "-m", "twitchdl", *arguments]
    token = os.environ.get(_TOKEN)
    tokens = {"TWITCH_DL_INFO_AUTH_TOKEN": token, "TWITCH_DL_DOWNLOAD_AUTH_TOKEN": token} if token else {}
    stdout = bytearray()
    with tempfile.TemporaryFile() as errors:
        running = process.start(
            command,
            *(*process.NETWORK, *process.PYTHON),
            stdout=subprocess.PIPE,
            stderr=errors,
            extra=tokens,
            cwd=folder,
            pass_fds=() if hold is None else (hold,),
        )
        try:
            assert running.stdout is not None
            while data := os.read(running.stdout.fileno(), 65536):
                stdout += data
                look()
            code = running.wait()
        finally:
            running.kill()
            running.wait()
        errors.seek(0)
        stderr = errors.read().decode(errors="replace")
    if code < 0:
        raise TwitchError(f"VOD {vod}: twitch-dl was killed by signal {-code}: run again, it goes on where it was")
    if code != 0 and not ends_badly:
        raise _error(vod, stderr)
    return stdout.decode(errors="replace"), stderr


_STATUS = re.compile(r"(?:Client|Server) error '(\d{3})[^']*' for url '([^']*)'")
_FAILED = re.compile(r"^(?:httpx|httpcore|ssl)\.(\w+): ?(.*)$", re.MULTILINE)


def _subscribers(vod: str) -> SubscriberOnly:
    return SubscriberOnly(
        f"VOD {vod} is for subscribers of its channel only: set {_TOKEN} to the auth-token cookie of one"
    )


def _error(vod: str, stderr: str) -> TwitchError | ToolMissing | MachineError:
    """The error that twitch-dl's stderr tells of, in one plain sentence."""
    if shortage := machine.shortage(stderr):
        return MachineError(f"VOD {vod}: twitch-dl failed ({os.strerror(shortage)}): {machine.advice(shortage)}")
    if "No module named twitchdl" in stderr:
        return ToolMissing("twitch-dl is missing: pip install twitch-dl")
    if "subscriber-only" in stderr or "AuthRequiredError" in stderr:
        return _subscribers(vod)
    if re.search(r"^Error: Video \S+ not found", stderr, re.MULTILINE):
        return VodNotFound(f"Twitch has no VOD {vod}: it never was, was deleted, or has expired; check the id")
    if "auth token is not valid" in stderr:
        return SubscriberOnly(f"VOD {vod}: Twitch does not accept the token in {_TOKEN}: copy it anew from a browser")
    if refusals := _STATUS.findall(stderr):
        return _refused(vod, *refusals[-1])
    if failures := _FAILED.findall(stderr):
        name, why = failures[-1]
        return TwitchError(f"VOD {vod}: the connection to Twitch failed ({why or name}): run again, it goes on")
    lines = [line.strip() for line in stderr.splitlines() if line.strip()] or ["it gave no reason"]
    complaint = next((line.removeprefix("Error: ") for line in lines if line.startswith("Error: ")), lines[-1])
    return TwitchError(f"VOD {vod}: twitch-dl failed: {complaint[:300]}")


def _refused(vod: str, status: str, url: str) -> TwitchError:
    address = urlsplit(url)
    if status[0] == "5" or status == "429":
        return TwitchError(f"VOD {vod}: Twitch answered {status} ({address.hostname}): run again later, it goes on")
    if address.hostname == "usher.ttvnw.net" and status in ("404", "410"):
        return VodNotFound(f"VOD {vod} was deleted: Twitch still has its page, but no video")
    if address.path.endswith(".m3u8"):
        return VodNotFound(f"VOD {vod} has expired: Twitch still lists it, but its video is gone (answer {status})")
    name = address.path.rsplit("/", 1)[-1]
    return TwitchError(f"VOD {vod}: Twitch answered {status} for {name}: run again later, or try another --quality")
