"""Cuts highlight clips out of a video, and joins them to a reel.

A copy takes no time and no quality, but starts at the key frame before (up to 2 s early in a Twitch
stream). An exact clip is encoded anew and holds just the pictures within the span.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from lolhl.errors import UsageError, VideoError
from lolhl.labels.spans import Span
from lolhl.vod import ffmpeg
from lolhl.vod.probe import probe

_SOUND = ["-c:a", "aac", "-b:a", "160k"]
_EXACT = ["-c:v", "libx264", "-preset", "veryfast", "-crf", "20", *_SOUND]
# Each picture keeps its own time: none is shown twice or left out to make the rate even.
_EXACT += ["-fps_mode", "vfr", "-enc_time_base", "1:90000"]
_COPY = ["-c", "copy"]
# Nothing of the source's metadata or of ffmpeg's version: the same clip gives the same bytes.
_PLAIN = ["-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact", "-movflags", "+faststart", "-f", "mp4"]

# ffmpeg's seek in an MPEG-TS lands up to a second before the time asked for and not on a key frame,
# so that the first picture to be decoded may come too late. So the key frame is looked up, the seek
# goes to well before it, and what comes before it is dropped by its own time.
_SEEK_MARGIN = Fraction(2)
_LOOK_BACK = (Fraction(10), Fraction(60))  # seconds in which to look for a key frame, before looking everywhere
_STILL_RATE = 10  # pictures a second of a clip in which nothing moves
_TICK = Fraction(1, 1000)  # seconds: containers round times to as little as that


def clip(video: Path, span: Span, target: Path, *, exact: bool, pictures: str = ffmpeg.EVEN) -> None:
    """Writes [start, stop) of the video as an .mp4, with its sound if it has any.

    Args:
        exact: True encodes anew (H.264, AAC); False copies, from the key frame at or before the start. Where no
            picture begins in the span, an exact clip shows the one before.
        pictures: the filter graph that an exact clip's pictures go through. Each keeps its time.

    Raises:
        UsageError: the span is empty.
        VideoError: ffmpeg cannot read the video, or cannot put it into an .mp4.
        ToolMissing, MachineError: as of `ffmpeg.run`.
    """
    start, stop = Fraction(span.start), Fraction(span.stop)
    if not 0 <= start < stop:
        raise UsageError(f"{video}: cannot cut from {span.start:g} s to {span.stop:g} s: the span is empty")
    key_frame = _key_frame_before(video, start)
    begin = max(Fraction(0), start if exact else key_frame.decoded - _TICK)
    with _finished(target) as unfinished:
        arguments = [*_from(video, begin, key_frame), "-t", _ffmpeg_time(stop - begin)]
        arguments += ["-map", "0:V:0", "-map", "0:a:0?", *(["-vf", pictures, *_EXACT] if exact else _COPY), *_PLAIN]
        ffmpeg.run(arguments, video, unfinished)
        if exact and not _has_picture(unfinished):
            ffmpeg.run(_still(video, start, stop, key_frame, pictures), video, unfinished)
            if not _has_picture(unfinished):
                raise VideoError(f"{video}: no picture can be decoded at {span.start:g} s or before")


def _has_picture(clip: Path) -> bool:
    """Whether a clip has pictures. ffmpeg also writes clips without streams, or with sound alone, without an error."""
    with suppress(VideoError), closing(ffmpeg.open_video(clip)) as container:
        return bool(container.streams.video)
    return False


def _still(video: Path, start: Fraction, stop: Fraction, key_frame: "_KeyFrame", pictures: str) -> list[str]:
    """Arguments for a span in which no picture begins: the one before it stays on screen."""
    seek = max(Fraction(0), key_frame.decoded - _SEEK_MARGIN)
    begin = f"{float(start - seek):.6f}"
    # The last picture of a video stays too, where its sound goes on.
    stays = "tpad=stop_mode=clone:stop=-1"
    picture = f"{stays},fps={_STILL_RATE}:start_time={begin}:round=up,setpts=PTS-{begin}/TB,{pictures}"
    sound = f"atrim=start={begin},asetpts=PTS-{begin}/TB"
    arguments = [*_sought(video, seek), "-t", _ffmpeg_time(stop - start), "-map", "0:V:0", "-map", "0:a:0?"]
    return [*arguments, *_EXACT, "-vf", picture, "-af", sound, *_PLAIN]


def reel(clips: Sequence[Path], target: Path, *, fade: float = 0.0, loudness: float | None = None) -> None:
    """Joins clips of one source, cut in one way, in the order given.

    Nothing is encoded anew but what fades and loudness need: pictures and sound of faded clips, sound of even loudness.

    Args:
        fade: seconds by which each clip comes out of black and silence and goes back to it, at most half of it.
        loudness: integrated loudness of the reel in LUFS, evened by ffmpeg's loudnorm (EBU R128); None leaves it.

    Raises:
        VideoError: ffmpeg cannot join them.
        ToolMissing, MachineError: as of `ffmpeg.run`.
    """
    with _finished(target) as unfinished, tempfile.TemporaryDirectory(prefix="lolhl-") as scratch:
        parts = [clip.resolve() for clip in clips]
        if fade:
            parts = [_faded(clip, Path(scratch) / f"{number}.mp4", fade) for number, clip in enumerate(parts)]
        listing = Path(scratch) / "clips.ffconcat"
        listing.write_text("ffconcat version 1.0\n" + "".join(f"file {_quoted(part)}\n" for part in parts))
        source = ffmpeg.source(listing, "-f", "concat", "-safe", "0", formats=("concat", "mov"))
        evened = [] if loudness is None else [*_SOUND, "-ar", "48000", "-af", f"loudnorm=I={loudness:g}:TP=-1.5:LRA=11"]
        ffmpeg.run([*source, "-map", "0", "-c", "copy", *evened, *_PLAIN], target, unfinished)


def _faded(clip: Path, target: Path, fade: float) -> Path:
    """The clip, encoded anew, out of black and silence and back to it."""
    length = probe(clip).duration
    fade = min(fade, length / 2)
    times = [f"t=in:d={fade:.3f}", f"t=out:st={length - fade:.3f}:d={fade:.3f}"]
    pictures, sound = (",".join(f"{name}={time}" for time in times) for name in ("fade", "afade"))
    arguments = [
        *ffmpeg.source(clip),
        "-map",
        "0:V:0",
        "-map",
        "0:a:0?",
        "-vf",
        pictures,
        "-af",
        sound,
        *_EXACT,
        *_PLAIN,
    ]
    ffmpeg.run(arguments, clip, target)
    return target


class _KeyFrame(NamedTuple):
    """When a key frame is shown, and when its decoding begins (earlier where pictures are reordered): seconds."""

    shown: Fraction
    decoded: Fraction


def _key_frame_before(video: Path, seconds: Fraction) -> _KeyFrame:
    """The last key frame that is shown at or before this time; the start when there is none."""
    for look_back in (*_LOOK_BACK, seconds):
        seek = max(Fraction(0), seconds - look_back)
        key_frames = _key_frames(video, seek, seconds - seek + _TICK)
        if before := [key_frame for key_frame in key_frames if key_frame.shown <= seconds + _TICK]:
            return max(before)
    return _KeyFrame(Fraction(0), Fraction(0))


def _key_frames(video: Path, seek: Fraction, length: Fraction) -> list[_KeyFrame]:
    """The key frames from `seek` for `length` seconds. Nothing is decoded."""
    with tempfile.TemporaryDirectory(prefix="lolhl-") as scratch:
        listing = Path(scratch) / "packets"
        arguments = [*_sought(video, seek), "-t", _ffmpeg_time(length)]
        ffmpeg.run([*arguments, "-map", "0:V:0", "-c", "copy", "-f", "framecrc"], video, listing)
        lines = listing.read_text().splitlines()
    unit = Fraction(next((line.removeprefix("#tb 0:") for line in lines if line.startswith("#tb 0:")), "1"))
    # stream, time of decoding, of showing, duration, size, checksum; then flags (F=…) where it is no key frame
    packets = [line.split(",") for line in lines if not line.startswith("#")]
    keys = [packet for packet in packets if not any("F=" in extra for extra in packet[6:])]
    return [_KeyFrame(seek + int(packet[2]) * unit, seek + int(packet[1]) * unit) for packet in keys]


def _from(video: Path, begin: Fraction, key_frame: _KeyFrame) -> list[str]:
    """Arguments that read the video and drop what comes before `begin`."""
    seek = max(Fraction(0), key_frame.decoded - _SEEK_MARGIN)
    return [*_sought(video, seek), *(["-ss", _ffmpeg_time(begin - seek)] if begin > seek else [])]


def _sought(video: Path, seek: Fraction) -> list[str]:
    """Opens the video at this time. At 0 nothing is sought: in an MPEG-TS that would miss the first key frame."""
    return ffmpeg.source(video, *(["-ss", _ffmpeg_time(seek)] if seek else []))


def _ffmpeg_time(seconds: Fraction) -> str:
    """In ffmpeg's own unit, rounded down: a picture that begins at `seconds` is never left out at the
    start nor let in at the stop."""
    return f"{int(seconds * 1_000_000)}us"


def _quoted(path: Path) -> str:
    return "'file:" + str(path).replace("'", "'\\''") + "'"


@contextmanager
def _finished(target: Path) -> Iterator[Path]:
    """A name beside the target to write to; it becomes the target only if all went well."""
    unfinished = target.with_name(f".unfinished-{target.name}")
    try:
        yield unfinished
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
