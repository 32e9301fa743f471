"""What the GPU benchmarks need, made where games can be rendered and small enough to be carried (45 MB).

    python -m tests.benchmarks.gpu.inputs      # into lolhl-data/bench/gpu; some minutes after the other inputs

Cuts of bench-b that are looped by stream copy on the machine with the card, and a model that learnt on
bench-a. A looped cut has the bit rate and the GOP of the whole, which is what decoding speed hangs on.
Cuts are encoded anew: cut by stream copy they lack pictures at their end, and each seam would be a gap.
"""

import shutil
import subprocess
import tempfile
from pathlib import Path

from lolhl.errors import MissingInput
from lolhl.storage import open_root
from lolhl.vod import ffmpeg
from tests.benchmarks import inputs
from tests.benchmarks.infer import MODEL, learn

FOLDER = inputs.FOLDER / "gpu"
CUTS = {"1080p60": 12, "720p60": 24, "360p30": 120}  # seconds, whole GOPs


def cut(rendition: str) -> Path:
    """The carried file of a rendition.

    Raises:
        MissingInput: it was not made, or not carried here.
    """
    path = FOLDER / f"{rendition}.mp4"
    if not path.exists():
        raise MissingInput(f"{path} is missing: run python -m tests.benchmarks.gpu.inputs and carry {FOLDER} here")
    return path


def model() -> Path:
    """The root in which the carried model lies, and nothing else.

    Raises:
        MissingInput: it was not made, or not carried here.
    """
    root = FOLDER / "root"
    if not root.exists():
        raise MissingInput(f"{root} is missing: run python -m tests.benchmarks.gpu.inputs and carry {FOLDER} here")
    return root


def looped(rendition: str, seconds: int, folder: Path) -> Path:
    """A VOD in `folder`, the cut said over and over until it is at least this long."""
    path = folder / f"{rendition}-{seconds}.mp4"
    turns = -(-seconds // CUTS[rendition])
    _ffmpeg("-stream_loop", str(turns - 1), "-i", str(cut(rendition)), "-c", "copy", str(path))
    return path


def make() -> None:
    """Makes what is not there yet."""
    inputs.make()
    FOLDER.mkdir(exist_ok=True)
    for rendition in inputs.RENDITIONS:
        if rendition.name in CUTS and not (FOLDER / f"{rendition.name}.mp4").exists():
            _encode(rendition)
    if (FOLDER / "root").exists():
        return
    with tempfile.TemporaryDirectory(prefix="lolhl-") as scratch:
        learn(open_root(scratch), inputs.video("bench-a", inputs.SMALLEST), inputs.labels("bench-a"))
        shutil.copytree(Path(scratch) / "models" / MODEL, FOLDER / "root" / "models" / MODEL)


def _encode(rendition: inputs.Rendition) -> None:
    source, partial = inputs.video("bench-b", rendition.name), FOLDER / f".{rendition.name}.mp4"
    rate = ["-b:v", rendition.rate, "-maxrate", rendition.rate, "-bufsize", rendition.rate]
    gop = ["-g", str(2 * rendition.fps), "-keyint_min", str(2 * rendition.fps), "-sc_threshold", "0"]
    encoder = ["-c:v", "libx264", "-preset", "veryfast", "-bf", "2", *rate, *gop, "-pix_fmt", "yuv420p", "-an"]
    _ffmpeg("-t", str(CUTS[rendition.name]), "-i", str(source), *encoder, "-f", "mp4", str(partial))
    partial.replace(FOLDER / f"{rendition.name}.mp4")


def _ffmpeg(*arguments: str) -> None:
    subprocess.run([ffmpeg.path(), *ffmpeg.QUIET, "-y", *arguments], check=True)


if __name__ == "__main__":
    make()
