"""The benchmarks' input: two streams of a real game, with highlights, as Twitch has them.

    python -m tests.benchmarks.inputs      # made once, kept in lolhl-data/bench/

Both are rendered by the sample generator at 1280 × 720. bench-b is upscaled and encoded as streamers
do (x264, 6 Mbit/s, 1080p60, a key frame every 2 s, B-frames), and again as Twitch's renditions of it:
it is what is decoded and judged. bench-a is only learnt from, in the smallest rendition; no map is
in both.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

from lolhl.vod import ffmpeg
from tests.samples.__main__ import main as render

FOLDER = Path("lolhl-data/bench")
SECONDS = 600


@dataclass(frozen=True)
class Rendition:
    """One encoding: picture size, frame rate, and mean bit rate as ffmpeg writes it."""

    name: str
    width: int
    height: int
    fps: int
    rate: str


RENDITIONS = (
    Rendition("1080p60", 1920, 1080, 60, "6000k"),
    Rendition("720p60", 1280, 720, 60, "3000k"),
    Rendition("480p30", 852, 480, 30, "1300k"),
    Rendition("360p30", 640, 360, 30, "630k"),
)
SMALLEST = RENDITIONS[-1].name
_STREAMS = {"bench-b": ("demo-a", RENDITIONS), "bench-a": ("demo-b", RENDITIONS[-1:])}  # name → game, renditions


def video(stream: str, rendition: str) -> Path:
    """The file of a stream in a rendition."""
    return FOLDER / f"{stream}-{rendition}.mp4"


def labels(stream: str) -> Path:
    """Its table of highlights; the VOD in it is called as the stream."""
    return FOLDER / f"{stream}.tsv"


def make() -> None:
    """Renders and encodes what is not there yet: some 30 minutes on 2 cores, 1.4 GB."""
    for stream, (game, renditions) in _STREAMS.items():
        todo = [r for r in renditions if not video(stream, r.name).exists()]
        if not todo and labels(stream).exists():
            continue
        arguments = ["--name", game, "--seconds", str(SECONDS), "--size", "1280x720"]
        if render(["--out", str(FOLDER / "games"), *arguments]) != 0:
            raise SystemExit(1)
        labels(stream).write_text((FOLDER / f"games/{game}.tsv").read_text().replace(game, stream))
        for rendition in todo:
            print(f"encoding {stream} as {rendition.name}", flush=True)
            _encode(FOLDER / f"games/{game}.mp4", rendition, video(stream, rendition.name))


def _encode(source: Path, rendition: Rendition, target: Path) -> None:
    partial = target.with_name(f".{target.name}")
    gop = str(2 * rendition.fps)
    rate = ["-b:v", rendition.rate, "-maxrate", rendition.rate, "-bufsize", rendition.rate]
    subprocess.run(
        [
            *(ffmpeg.path(), *ffmpeg.QUIET, "-y", "-i", str(source)),
            *("-vf", f"scale={rendition.width}:{rendition.height},fps={rendition.fps}"),
            *("-c:v", "libx264", "-preset", "veryfast", "-bf", "2", *rate),
            *("-g", gop, "-keyint_min", gop, "-sc_threshold", "0", "-pix_fmt", "yuv420p", "-an"),
            *("-f", "mp4", str(partial)),
        ],
        check=True,
    )
    partial.replace(target)


if __name__ == "__main__":
    make()
