"""A sample stream: H.264 at 30 fps, and the table of its highlights."""

import contextlib
import itertools
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from lolhl.errors import VideoError
from lolhl.labels import tables
from lolhl.labels.spans import Span
from lolhl.progress import Advance
from lolhl.vod import ffmpeg
from tests.samples.game import FPS, Moment, play
from tests.samples.highlights import Event, highlights

SCENE = 40  # seconds on one map. Long enough for a fight; short, so that colours do not tell where the fights are


def render(
    path: Path,
    labels: Path,
    *,
    seconds: int,
    seed: int,
    maps: Sequence[str],
    size: tuple[int, int],
    advance: Advance = lambda _: None,
) -> None:
    """Plays, and writes exactly seconds · 30 pictures and the highlights among them.

    Both files appear when they are whole, the video last.

    Args:
        path: the video, .mp4; its name without the ending is the name of the VOD.
        labels: the table of highlights, .tsv.
        seconds: length of the stream.
        seed: of the game and the player; the same seed gives the same game.
        maps: "wad/map", played in turn, 40 s each.
        size: width and height, one of ViZDoom's screen resolutions.
        advance: called with 1 after each second of video.

    Raises:
        ToolMissing: ViZDoom or ffmpeg is not installed.
        UsageError: ViZDoom has no such resolution.
        VideoError: ffmpeg failed.
    """
    events: list[Event] = []
    scenes: list[Span] = []
    partial = path.with_name(f".{path.stem}.partial.mp4")
    with _encoder(partial, size, seconds) as write:
        for number, (scene, moment) in enumerate(itertools.islice(film(maps, seed, size), seconds * FPS)):
            write(moment.picture.tobytes())
            if moment.damage or moment.decisive:
                events.append(Event(number / FPS, moment.damage, moment.decisive))
            if scene == len(scenes):
                scenes.append(Span(number / FPS, number / FPS))
            scenes[scene] = Span(scenes[scene].start, (number + 1) / FPS)
            if number % FPS == FPS - 1:
                advance(1)
    table = labels.with_name(f".{labels.stem}.partial.tsv")
    table.write_bytes(tables.write_table(path.stem, highlights(events, scenes)))
    table.replace(labels)
    partial.replace(path)


def film(maps: Sequence[str], seed: int, size: tuple[int, int]) -> Iterator[tuple[int, Moment]]:
    """Moments without end, each with the number of its scene: one map after another, 40 s each."""
    for scene, place in enumerate(itertools.cycle(maps)):
        with contextlib.closing(play(place, seed=seed * 1000 + scene, size=size)) as moments:
            for moment in itertools.islice(moments, SCENE * FPS):
                yield scene, moment


@contextlib.contextmanager
def _encoder(path: Path, size: tuple[int, int], seconds: int) -> Iterator[Callable[[bytes], object]]:
    """Takes pictures in RGB; the block's end closes the video. The sound is silence: the game gives none."""
    command = [ffmpeg.path(), *ffmpeg.QUIET, "-y"]
    command += ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{size[0]}x{size[1]}", "-r", str(FPS), "-i", "pipe:0"]
    command += ["-f", "lavfi", "-t", str(seconds), "-i", "anullsrc=r=48000:cl=stereo", "-c:a", "aac", "-b:a", "64k"]
    # As a stream is: a key frame every 2 s, 2 B-frames.
    command += ["-c:v", "libx264", "-preset", "superfast", "-crf", "27", "-bf", "2", "-pix_fmt", "yuv420p"]
    command += ["-g", str(2 * FPS), "-sc_threshold", "0", "-movflags", "+faststart", f"file:{path}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdin is not None
        try:
            with contextlib.suppress(BrokenPipeError):
                yield process.stdin.write
        except BaseException:
            process.kill()
            raise
        _, said = process.communicate()
    if process.returncode != 0:
        raise VideoError(f"{path}: ffmpeg failed: {ffmpeg.reason(said)}")
