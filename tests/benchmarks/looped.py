"""Long VODs for benchmarks: a stream said over and over, its pictures copied and its labels with them."""

import subprocess
from pathlib import Path

from lolhl.labels.rows import ANY
from lolhl.labels.spans import Span
from lolhl.labels.tables import read_table, write_table
from lolhl.vod import ffmpeg
from tests.benchmarks import inputs


def looped(stream: str, name: str, seconds: float, folder: Path) -> tuple[Path, Path]:
    """The stream's 360p30 rendition `seconds` long, and its table of highlights, as VOD `name`.

    Args:
        seconds: a multiple of the stream's own length, or less than that.
        folder: where both files are made.
    """
    video, table = folder / f"{name}.mp4", folder / f"{name}.tsv"
    source = inputs.video(stream, "360p30")
    subprocess.run(
        [
            *(ffmpeg.path(), *ffmpeg.QUIET, "-y", "-stream_loop", "-1", "-i", str(source)),
            *("-c", "copy", "-t", str(seconds), str(video)),
        ],
        check=True,
    )
    spans = read_table(inputs.labels(stream).read_bytes(), stream, ANY)[stream]
    turns = range(-(-int(seconds) // inputs.SECONDS))
    again = [
        Span(turn * inputs.SECONDS + span.start, turn * inputs.SECONDS + span.stop) for turn in turns for span in spans
    ]
    table.write_bytes(write_table(name, [span for span in again if span.stop <= seconds]))
    return video, table
