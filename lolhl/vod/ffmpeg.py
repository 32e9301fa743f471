"""Runs ffmpeg, and opens files with its libraries: the one place where its path, its safe options and its
errors are known.

ffmpeg opens files from strangers. So it may read that one file only: of the protocols just `file`, and no
format that names other files (playlists, lists, manifests) or devices. It never asks a question, and takes
input names as `file:…`, so that no name is taken for an option or a protocol.
"""

import functools
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, TypeVar

import av
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from lolhl import machine
from lolhl.errors import LolhlError, MachineError, ToolMissing, VideoError
from lolhl.vod import process

S = TypeVar("S", VideoStream, AudioStream)

QUIET = ("-hide_banner", "-nostdin", "-v", "error")

# Formats (ffmpeg calls them demuxers) that hold pictures and name no other file. Not among them, on purpose:
# hls, dash, imf, concat, image2, sdp, rtsp, rtp, webm_dash_manifest, lavfi, devices, still pictures, sound alone.
# What .mp4 can name ("data references") is off by default: `enable_drefs`, `use_absolute_path`.
FORMATS = (
    *("mov", "matroska", "mpegts", "mpeg", "avi", "flv", "live_flv", "asf", "asf_o", "ogg", "mxf", "gxf", "nut", "rm"),
    *("wtv", "nsv", "nuv", "dv", "ivf", "gif", "apng", "yuv4mpegpipe", "mpjpeg", "mjpeg", "mpegvideo", "m4v"),
    *("h261", "h263", "h264", "hevc", "vvc", "av1", "obu", "vc1", "vc1test", "dirac", "cavsvideo"),
)
_PROTOCOLS = "file"

# A picture of a .gif may claim 0.01 s. FFmpeg before 8 shows it for 0.1 s, as browsers do; later ones as it says. Our
# two FFmpegs, the program and the libraries, may be of both kinds, and have to agree.
_DELAYS_OF_GIF = {"min_delay": "1", "default_delay": "10"}
_START_OF_GIF = b"GIF8"

_HEAD = 4096  # bytes of a file that are looked at to say what it is, when it is no video
_STARTS_OF_PICTURES = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"II*\0", b"MM\0*", b"\xff\x0a", b"\0\0\0\x0cJXL ")
_BRANDS_OF_PICTURES = (b"ftypavif", b"ftypheic", b"ftypheix", b"ftypmif1")
_STARTS_OF_LISTS = (b"#EXTM3U", b"ffconcat", b"v=0")

# A filter: x264 wants even sizes for yuv420p, the one pixel format that every player knows.
EVEN = "pad=max(iw\\,2):max(ih\\,2),crop=trunc(iw/2)*2:trunc(ih/2)*2,format=yuv420p"

# How ffmpeg says that it was built without something.
_LACKS = ("Unknown encoder", "Unknown decoder", "Unrecognized option", "Option not found", "Requested output format")
_SPEAKER = re.compile(r"^(?:\[[^\]]* @ 0x[0-9a-f]+\] ?)+")
_SAYS_NOTHING = (
    "Error initializing output stream",
    "Could not write header",
    "Conversion failed",
    "Error opening output",
)
_NO_PROGRAM = (126, 127)  # a shell's exit codes: it may not be run, it is not there
_CRASHES = {signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGBUS, signal.SIGILL}


@functools.cache
def path() -> str:
    """The ffmpeg on PATH, else the one that the imageio-ffmpeg package carries (without ffprobe).

    Raises:
        ToolMissing: there is neither.
    """
    if program := shutil.which("ffmpeg"):
        return program
    try:
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except (ImportError, RuntimeError) as error:
        raise ToolMissing("ffmpeg is missing: install it (apt-get install ffmpeg)") from error


def open_video(video: Path) -> InputContainer:
    """Opens a file with ffmpeg's libraries.

    Raises:
        VideoError: it is no video, or none that ffmpeg knows.
        MachineError: it may not be read, or there is too little memory.
    """
    options = {"protocol_whitelist": _PROTOCOLS, "format_whitelist": ",".join(FORMATS)}
    head = b""
    try:
        with video.open("rb") as file:
            head = file.read(_HEAD)
        if head[4:12] in _BRANDS_OF_PICTURES:  # in the format of .mp4
            raise VideoError(_no_video(video, head, ""))
        options |= _options_by_start(head)
        container: InputContainer = av.open(f"file:{video}", options=options, metadata_errors="replace")
    except (FFmpegError, OSError) as error:
        if machine.shortage(str(error.strerror)):
            raise MachineError(f"{video} cannot be read ({error.strerror}): {machine.advice(error.errno)}") from error
        raise VideoError(_no_video(video, head, f" ({error.strerror})")) from error
    return container


def packets(container: InputContainer, stream: S) -> Iterator["av.Packet[S]"]:
    """The packets of one stream, and an empty one at the end.

    Raises:
        FFmpegError: the file cannot be read on.
    """
    # A damaged file can show one more stream on the way. At the end PyAV looks for it among those it knows.
    with suppress(IndexError):
        yield from container.demux(stream)


def _no_video(video: Path, head: bytes, why: str) -> str:
    """What a file is that ffmpeg's libraries did not open as a video, by how it begins."""
    if head.startswith(_STARTS_OF_LISTS) or b"<MPD" in head:
        return f"{video} is a playlist and no video: give the video itself"
    if head.startswith(_STARTS_OF_PICTURES) or head[8:12] == b"WEBP" or head[4:12] in _BRANDS_OF_PICTURES:
        return still_picture(video)
    advice = "give an .mp4, .ts, .mkv or other video file, or download it again"
    return f"{video} is no video that ffmpeg can read{why}: {advice}"


def still_picture(video: Path) -> str:
    """The message for a file that holds one picture."""
    return f"{video} is a still picture and no video: give an .mp4, .ts, .mkv or other video file"


def source(video: Path, *options: str, formats: Sequence[str] = FORMATS) -> list[str]:
    """Arguments that open this file for reading, and nothing but files.

    Args:
        options: input options, such as ("-ss", "10").
        formats: that it may have. One that names other files is for lists that we wrote ourselves.
    """
    safe = ["-protocol_whitelist", _PROTOCOLS, "-format_whitelist", ",".join(formats)]
    start = b""
    with suppress(OSError), video.open("rb") as file:  # ffmpeg says best why it cannot be read
        start = file.read(_HEAD)
    delays = [word for name, value in _options_by_start(start).items() for word in (f"-{name}", value)]
    return [*safe, *delays, *options, "-i", f"file:{video}"]


def _options_by_start(start: bytes) -> dict[str, str]:
    """Options that one format alone has, for a file that begins so."""
    return _DELAYS_OF_GIF if start.startswith(_START_OF_GIF) else {}


def start(arguments: Sequence[str], *, stdout: int, stderr: int | IO[bytes]) -> "subprocess.Popen[bytes]":
    """Starts ffmpeg, to be read from.

    Raises:
        ToolMissing, MachineError: it cannot be started.
    """
    return process.start([path(), *QUIET, *arguments], *process.GPU, stdout=stdout, stderr=stderr)


def run(arguments: Sequence[str], video: Path, target: Path) -> None:
    """Runs ffmpeg to its end.

    Args:
        arguments: all but the program's name and what it writes to.
        video: the file it is about, for the error's message.
        target: the file it writes, which may be there.

    Raises:
        VideoError: ffmpeg failed; says why in one line.
        ToolMissing: ffmpeg does not work, or lacks a part that is needed.
        MachineError: the disk is full, memory too small …; says what to do.
    """
    done = process.run([path(), *QUIET, *arguments, "-y", f"file:{target}"], *process.GPU)
    if done.returncode != 0:
        raise failure(done.returncode, done.stderr, video, target)
    if not target.exists():
        check()


def failure(code: int, stderr: bytes, video: Path, target: Path | None = None) -> LolhlError:
    """Why ffmpeg failed: an error that blames ffmpeg itself, the machine, or else the video.

    Args:
        code: its exit code.
        target: what it wrote to.
    """
    why = reason(stderr)
    if not _works(path()):
        return _broken("it does not say its version")
    text = stderr.decode(errors="replace").replace(str(video), "").replace(str(target), "")
    if code in _NO_PROGRAM or any(lack in text for lack in _LACKS):
        return _broken(why)
    if shortage := machine.shortage(text):
        place = target.parent if target and machine.is_of_disk(shortage) and os.access(video, os.R_OK) else video
        return MachineError(f"{place}: ffmpeg failed ({os.strerror(shortage)}): {machine.advice(shortage)}")
    if code < 0 and -code in _CRASHES:
        return VideoError(f"{video}: ffmpeg crashed ({_name(-code)}): install a newer ffmpeg, or encode the video anew")
    if code < 0:
        return MachineError(f"{video}: ffmpeg was killed ({_name(-code)}): run again, where memory was short with more")
    return VideoError(f"{video}: ffmpeg failed ({why}): if it does not play, download it again")


def _name(number: int) -> str:
    """A signal's name, as SIGKILL."""
    return signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"


def check() -> None:
    """Checks ffmpeg where it did not fail, but gave nothing.

    Raises:
        ToolMissing: what is called ffmpeg is none.
    """
    if not _works(path()):
        raise _broken("it does not say its version")


def _broken(why: str) -> ToolMissing:
    return ToolMissing(f"{path()} is no ffmpeg that works here ({why}): install one (apt-get install ffmpeg)")


@functools.cache
def _works(program: str) -> bool:
    done = process.run([program, "-version"], *process.GPU)
    return done.returncode == 0 and done.stdout.startswith(b"ffmpeg version")


@functools.cache
def has_filter(name: str) -> bool:
    """Whether the ffmpeg that is used has the filter of this name."""
    lines = process.run([path(), "-hide_banner", "-filters"], *process.GPU).stdout.decode(errors="replace").splitlines()
    return any(line.split()[1:2] == [name] for line in lines)


def reason(stderr: bytes) -> str:
    """What ffmpeg says of its failure, in one line."""
    lines = [_SPEAKER.sub("", line).strip() for line in stderr.decode(errors="replace").splitlines()]
    lines = [line for line in lines if line] or ["it gave no reason"]
    return next((line for line in reversed(lines) if not line.startswith(_SAYS_NOTHING)), lines[-1])[:300]
