"""The same stream as it may reach lolhl otherwise: each variant keeps the labels and the chat of its stream."""

import re
import subprocess
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

from lolhl.errors import VideoError
from lolhl.labels import tables
from lolhl.vod import ffmpeg
from lolhl.vod.probe import probe
from tests.samples.game import SOUND_RATE
from tests.samples.sound import shouts

_LOUDER = 10.0  # shouts a minute on top of the stream's own
_X264 = ("-c:v", "libx264", "-preset", "superfast", "-bf", "2", "-g", "60", "-sc_threshold", "0")


def _muted(video: Path) -> list[str]:
    """The middle third is silent, as where Twitch mutes a song."""
    third = probe(video).duration / 3
    return ["-c:v", "copy", "-af", f"volume=0:enable='between(t,{third:.3f},{2 * third:.3f})'"]


def _masked(_video: Path) -> list[str]:
    """The game's status bar and the line of its messages are covered: the lowest and the highest part."""
    boxes = "drawbox=y=ih*0.83:h=ih:t=fill:color=gray,drawbox=y=0:h=ih*0.06:t=fill:color=gray"
    return ["-vf", boxes, *_X264, "-crf", "27", "-c:a", "copy"]


def _small(_video: Path) -> list[str]:
    """As Twitch's smallest rendition: 160p at 230 kbit/s."""
    return ["-vf", "scale=284:160", *_X264, "-b:v", "230k", "-maxrate", "230k", "-bufsize", "460k", "-c:a", "copy"]


def _shouted(_video: Path) -> list[str]:
    """With ten more shouts a minute."""
    pcm = ["-f", "s16le", "-ar", str(SOUND_RATE), "-ac", "2", "-i", "pipe:0"]
    both = "[0:a][1:a]amix=inputs=2:normalize=0:duration=first[a]"
    return [*pcm, "-filter_complex", both, "-map", "0:v", "-map", "[a]", "-c:v", "copy"]


VARIANTS: Mapping[str, Callable[[Path], list[str]]] = {
    "muted": _muted,
    "masked": _masked,
    "160p": _small,
    "shouted": _shouted,
}


def make(folder: Path, stream: str, variant: str) -> str:
    """Makes folder/STREAM-VARIANT.mp4 with its table of highlights and its chat, unless they are there.

    Args:
        folder: where STREAM.mp4, STREAM.tsv and STREAM.chat.json lie.
        variant: one of `VARIANTS`.

    Returns:
        The name of the variant's VOD.

    Raises:
        VideoError: ffmpeg failed.
    """
    name = f"{stream}-{variant}"
    source, target = folder / f"{stream}.mp4", folder / f"{name}.mp4"
    if target.exists() and target.stat().st_mtime >= source.stat().st_mtime:
        return name
    arguments = VARIANTS[variant](source)
    sound = b""
    if "pipe:0" in arguments:
        sound = shouts(probe(source).duration, seed=zlib.crc32(stream.encode()), a_minute=_LOUDER).tobytes()
    partial = folder / f".{name}.partial.mp4"
    command = [ffmpeg.path(), *ffmpeg.QUIET, "-y", "-i", f"file:{source}", *arguments, f"file:{partial}"]
    done = subprocess.run(command, input=sound, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise VideoError(f"{target}: ffmpeg failed: {ffmpeg.reason(done.stderr)}")
    labels = folder / f"{stream}.tsv"
    spans = tables.read_table(labels.read_bytes(), labels.name)[stream]
    (folder / f"{name}.tsv").write_bytes(tables.write_table(name, spans))
    comments = (folder / f"{stream}.chat.json").read_text()
    (folder / f"{name}.chat.json").write_text(re.sub('"vod": "[^"]*"', f'"vod": "{name}"', comments, count=1))
    partial.replace(target)
    return name
