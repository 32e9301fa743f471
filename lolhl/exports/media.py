"""What programs for editing have to know of a video file, read from the file."""

from contextlib import suppress
from fractions import Fraction
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath
from urllib.parse import quote

from lolhl.errors import UsageError
from lolhl.exports.cut_list import Media
from lolhl.timecode import Rate, is_drop_frame, parse_timecode
from lolhl.vod.probe import probe


def describe(video: Path, name: str, address: str, duration: float) -> Media:
    """The video as cuts refer to it.

    Timecode that is embedded in it is respected. Without such, frames are counted from 0, by drop-frame timecode where
    the rate has it.

    Args:
        name: the file name that the other program finds it by.
        address: see `Media`.
        duration: its seconds, for files that do not say.

    Raises:
        VideoError: it has no video that ffmpeg knows.
    """
    info = probe(video)
    rate = Rate.nearest(info.fps)
    seconds = info.video_duration or Fraction(info.duration or duration)
    first_frame, drop = 0, rate.drops
    if info.timecode:
        with suppress(UsageError):  # no program can read it either
            first_frame, drop = parse_timecode(info.timecode, rate), is_drop_frame(info.timecode) and rate.drops
    return Media(
        name=name,
        address=address,
        rate=rate,
        frames=max(1, rate.frame_at(seconds)),
        width=info.width,
        height=info.height,
        channels=info.channels,
        sample_rate=info.sample_rate,
        first_frame=first_frame,
        drop=drop,
    )


def address_in(folder: str | None, name: str) -> str:
    """The percent-encoded file URL of a file in a folder; the name alone where the folder is not known.

    Args:
        folder: as the machine has it on which the highlights are edited: /videos, or D:\\videos on Windows.
    """
    if folder is None:
        return quote(name)
    path: PurePath = PureWindowsPath(folder) if PureWindowsPath(folder).drive else PurePosixPath(folder)
    if not path.is_absolute():
        raise UsageError(f"--media-folder {folder!r}: give the whole path, as /videos or D:\\videos")
    return (path / name).as_uri()
