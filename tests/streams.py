"""Small streams with highlights that can be learnt in seconds, put into a root by the real stages."""

import subprocess
from pathlib import Path

import numpy as np

from lolhl.labels.spans import Span
from lolhl.stages.download import download
from lolhl.stages.labels import labels
from lolhl.storage import Root
from tests.made_once import made_once


def action_video(path: Path, spans: list[Span], *, seconds: float, seed: int = 0) -> Path:
    """Slow colours, with a busy test picture over them during the spans: 160 × 96 pixels at 15 fps."""
    during = "+".join(f"between(t,{span.start},{span.stop - 0.001})" for span in spans) or "0"
    # ffmpeg draws colours that are not given anew each time, whatever the seed.
    calm = f"gradients=s=160x96:r=15:d={seconds}:seed={seed}:speed=0.02:c0=0x1c4a2c:c1=0x2c3a70"
    busy = f"testsrc2=s=160x96:r=15:d={seconds},hue=h={seed * 40}"
    command = ["ffmpeg", "-v", "error", "-nostdin", "-f", "lavfi", "-i", calm, "-f", "lavfi", "-i", busy]
    command += ["-f", "lavfi", "-i", f"sine=frequency=300:duration={seconds}", "-c:a", "aac"]
    command += ["-filter_complex", f"[0][1]overlay=enable='{during}',noise=alls=5:allf=t", "-map", "2:a"]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "30", "-bitexact"]
    return made_once(path, lambda path: subprocess.run([*command, str(path)], check=True), command)


def some_spans(seconds: float, seed: int) -> list[Span]:
    """A span of 4 to 9 s about every 25 s, on whole tenths of a second."""
    rng = np.random.default_rng(seed)
    starts = np.arange(8, seconds - 12, 25) + rng.integers(0, 80, len(np.arange(8, seconds - 12, 25))) / 10
    return [Span(round(float(s), 1), round(float(s + rng.integers(40, 90) / 10), 1)) for s in starts]


def write_stream(folder: Path, name: str, *, seconds: float = 120, seed: int = 0) -> list[Span]:
    """Writes a new action video and its label table, NAME.mp4 and NAME.tsv. Returns the labels."""
    spans = some_spans(seconds, seed)
    action_video(folder / f"{name}.mp4", spans, seconds=seconds, seed=seed)
    rows = [
        f"{name}\t0:{s.start // 60:02.0f}:{s.start % 60:04.1f}\t0:{s.stop // 60:02.0f}:{s.stop % 60:04.1f}"
        for s in spans
    ]
    (folder / f"{name}.tsv").write_text("vid_id\tstart\tstop\n" + "\n".join(rows) + "\n")
    return spans


def add_stream(root: Root, folder: Path, name: str, *, seconds: float = 120, seed: int = 0) -> list[Span]:
    """Downloads a new action video as VOD `name`, and imports its labels. Returns them."""
    spans = write_stream(folder, name, seconds=seconds, seed=seed)
    download(root, str(folder / f"{name}.mp4"))
    labels(root, folder / f"{name}.tsv")
    return spans
