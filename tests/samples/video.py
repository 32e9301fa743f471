"""A sample stream: H.264 at 30 fps with sound, the table of its highlights, and a chat."""

import contextlib
import itertools
import subprocess
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lolhl.errors import VideoError
from lolhl.labels import tables
from lolhl.labels.spans import Span
from lolhl.progress import Advance
from lolhl.vod import ffmpeg
from tests.samples.chat import chat
from tests.samples.game import FPS, SOUND_RATE, Moment, Rules, listen, play
from tests.samples.highlights import Event, highlights
from tests.samples.sound import mix
from tests.samples.streams import Stream

SCENE = 40  # seconds on one map. Long enough for a fight; short, so that colours do not tell where the fights are


def render(
    path: Path,
    labels: Path,
    stream: Stream,
    *,
    seconds: int,
    seed: int,
    size: tuple[int, int],
    advance: Advance = lambda _: None,
) -> None:
    """Plays, and writes exactly seconds · 30 pictures with their sound, the highlights among them, and a chat.

    All files appear when they are whole, the video last.

    Args:
        path: the video, .mp4; its name without the ending is the name of the VOD.
        labels: the table of highlights, .tsv. The chat lies beside it, .chat.json.
        stream: what is played.
        seconds: length of the stream.
        seed: of the game, the player, music, shouts and chat; the same seed gives the same game.
        size: width and height, one of ViZDoom's screen resolutions.
        advance: called with 1 after each second of video.

    Raises:
        ToolMissing: ViZDoom or ffmpeg is not installed.
        UsageError: ViZDoom has no such resolution.
        VideoError: ffmpeg failed.
    """
    events: list[Event] = []
    scenes: list[Span] = []
    sounds: list[npt.NDArray[np.int16]] = []
    partial = path.with_name(f".{path.stem}.partial.mp4")
    with _encoder(partial, size) as write:
        number = 0
        for scene in film(stream, seed, size):
            begin = number
            pressed = []
            with contextlib.closing(scene.moments()) as moments:
                for moment in itertools.islice(moments, seconds * FPS - begin):
                    write(moment.picture.tobytes())
                    pressed.append(moment.pressed)
                    if moment.damage or moment.decisive:
                        events.append(Event(number / FPS, moment.damage, moment.decisive))
                    number += 1
                    if number % FPS == 0:
                        advance(1)
            sounds.append(_fitted(scene.sound(pressed), begin, number))
            scenes.append(Span(begin / FPS, number / FPS))
            if number == seconds * FPS:
                break
    spans = highlights(events, scenes, stream.least_damage)
    _write(labels, tables.write_table(path.stem, spans))
    comments = chat(path.stem, spans, seconds, seed=seed, a_minute=stream.chat)
    _write(labels.with_suffix(".chat.json"), comments)
    sound = mix(np.concatenate(sounds), seed=seed, music=stream.music, shouts=stream.shouts)
    _join(partial, sound, path)
    partial.unlink()


@dataclass(frozen=True)
class Scene:
    """A game on one map, until the scene or the game is over."""

    place: str
    seed: int
    size: tuple[int, int]
    rules: Rules

    def moments(self) -> Generator[Moment, None, None]:
        """At most 40 s of the game."""
        with contextlib.closing(play(self.place, seed=self.seed, size=self.size, rules=self.rules)) as moments:
            yield from itertools.islice(moments, SCENE * FPS)

    def sound(self, pressed: Sequence[Sequence[float]]) -> npt.NDArray[np.int16]:
        """What the game sounds like where these buttons are pressed: int16 [samples, 2]."""
        return listen(self.place, seed=self.seed, rules=self.rules, pressed=pressed)


def film(stream: Stream, seed: int, size: tuple[int, int]) -> Iterator[Scene]:
    """Scenes without end: one map after another, each with a seed of its own."""
    for number, place in enumerate(itertools.cycle(stream.maps)):
        yield Scene(place, seed * 1000 + number, size, stream.rules)


def _fitted(sound: npt.NDArray[np.int16], begin: int, end: int) -> npt.NDArray[np.int16]:
    """The sound, as long as pictures `begin` to `end` are shown: a game that ends early may end between two tics."""
    samples = end * SOUND_RATE // FPS - begin * SOUND_RATE // FPS
    return np.pad(sound[:samples], ((0, max(0, samples - len(sound))), (0, 0)))


def _write(path: Path, data: bytes) -> None:
    partial = path.with_name(f".{path.name}")
    partial.write_bytes(data)
    partial.replace(path)


def _join(pictures: Path, sound: npt.NDArray[np.int16], path: Path) -> None:
    """The video with its sound, which does not touch the pictures."""
    partial = path.with_name(f".{path.stem}.joined.mp4")
    command = [ffmpeg.path(), *ffmpeg.QUIET, "-y", "-i", f"file:{pictures}"]
    command += ["-f", "s16le", "-ar", str(SOUND_RATE), "-ac", "2", "-i", "pipe:0", "-map", "0:v", "-map", "1:a"]
    command += ["-c:v", "copy", "-c:a", "aac", "-b:a", "128k", "-ar", "48000", "-movflags", "+faststart"]
    done = subprocess.run([*command, f"file:{partial}"], input=sound.tobytes(), stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise VideoError(f"{path}: ffmpeg failed: {ffmpeg.reason(done.stderr)}")
    partial.replace(path)


@contextlib.contextmanager
def _encoder(path: Path, size: tuple[int, int]) -> Iterator[Callable[[bytes], object]]:
    """Takes pictures in RGB; the block's end closes the video."""
    command = [ffmpeg.path(), *ffmpeg.QUIET, "-y"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", str(FPS), "-i", "pipe:0"]
    # As a stream is: a key frame every 2 s, 2 B-frames.
    command += ["-c:v", "libx264", "-preset", "superfast", "-crf", "27", "-bf", "2", "-pix_fmt", "yuv420p"]
    command += ["-g", str(2 * FPS), "-sc_threshold", "0", f"file:{path}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        try:
            with contextlib.suppress(BrokenPipeError):
                yield process.stdin.write
        except BaseException:
            process.kill()
            raise
        _, stderr = process.communicate()
    if process.returncode != 0:
        raise VideoError(f"{path}: ffmpeg failed: {ffmpeg.reason(stderr)}")
