"""Decoding on an NVIDIA card: lolhl's sessions side by side, other libraries, and the blog's one session.

    python -m tests.benchmarks.gpu.decode      # some 6 minutes on an H200

See `tests.benchmarks.gpu` for what must be installed. Each session has the same stretch of video to
decode, so a card with 7 engines (H100, H200) should take as long for 7 sessions as for one. All ways
but the blog's and the bare engine give the frames of the 3 fps grid at 224 px; the libraries' frames
stay on the card, those of lolhl come to the host, as its stages take them. How far their pictures lie
from those of the CPU decoder stands beside them: 2 or 3 of 255 levels are rounding and another
scaler, 10 would be the wrong picture.
"""

import importlib
import importlib.util
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.dlpack import from_dlpack

from lolhl.vod import decode, ffmpeg
from lolhl.vod.decode import View
from lolhl.vod.probe import probe
from tests.benchmarks import blog, result
from tests.benchmarks.gpu import card, inputs
from tests.benchmarks.result import Table, measured

VIEW = View(Fraction(3), 224, "squeeze")
SECONDS = {"1080p60": 120, "720p60": 120, "360p30": 600}  # of video for each session
ENGINES = 7  # of an H100 or H200 (NVIDIA, Video Codec SDK 13, support matrix)
MANY, FEW = (1, 2, 4, 7, 8, 10), (1, 7)
COMPARED = 30  # frames whose pictures are compared with the CPU decoder's
GOAL_BLOG, GOAL_ENGINES = 6.0, 0.9

_BATCH = 16  # full-size pictures on the card at once

# The frames first … stop - 1 of the grid, as tensors uint8 [S, S, 3].
Pictures = Callable[[Path, int, int], Iterable[Tensor]]


@dataclass(frozen=True)
class Way:
    """A way to decode: `run` decodes the first `frames` frames of a file in so many sessions; `pictures` yields some
    of them, where they can be looked at; `needs` is the module that must be installed."""

    name: str
    sessions: tuple[int, ...]
    run: Callable[[Path, int, int], None]
    pictures: Pictures | None = None
    needs: str | None = None


def in_parallel(pictures: Pictures, video: Path, frames: int, sessions: int) -> None:
    """Decodes the first `frames` frames in equal stretches, each by a thread of its own, and drops them.

    Raises:
        RuntimeError: a stretch came short.
    """

    def stretch(number: int) -> int:
        first, stop = (frames * n // sessions for n in (number, number + 1))
        return sum(1 for _ in pictures(video, first, stop)) - (stop - first)

    with ThreadPoolExecutor(sessions) as threads:
        short = list(threads.map(stretch, range(sessions)))
    if any(short):
        raise RuntimeError(f"{sessions} sessions gave {short} frames too many")


def by_pyav(device: str, video: Path, first: int, stop: int) -> Iterator[Tensor]:
    """PyAV; on "cuda" by its hardware decoder, frames staying on the card."""
    import av
    from av.codec.hwaccel import HWAccel

    accelerated: Any = HWAccel("cuda", allow_software_fallback=False, is_hw_owned=True) if device == "cuda" else None
    wanted = _numbers(video, first, stop)
    rate = probe(video).fps
    with av.open(str(video), hwaccel=accelerated) as container:
        stream = container.streams.video[0]
        assert stream.time_base is not None
        begin = stream.start_time or 0
        container.seek(begin + int(wanted[0] / rate / stream.time_base), stream=stream)
        numbers = iter(wanted)
        number = next(numbers)
        for frame in container.decode(stream):
            assert frame.pts is not None
            at = round((frame.pts - begin) * stream.time_base * rate)
            if at < number:
                continue
            nv12 = frame if device == "cuda" else frame.reformat(format="nv12")
            yield from_nv12(*(from_dlpack(plane) for plane in nv12.planes))
            following = next(numbers, None)
            if following is None:
                return
            number = following


def by_pynvvideocodec(video: Path, first: int, stop: int) -> Iterator[Tensor]:
    """PyNvVideoCodec's ThreadedDecoder: it decodes ahead in a thread, pictures come as RGB on the card."""
    nvc = importlib.import_module("PyNvVideoCodec")
    wanted = _numbers(video, first, stop)
    decoder = nvc.ThreadedDecoder(
        str(video),
        2 * _BATCH,
        use_device_memory=True,
        output_color_type=nvc.OutputColorType.RGBP,
        start_frame=wanted[0],
    )
    try:
        numbers, number = set(wanted), wanted[0]
        while number <= wanted[-1] and (batch := decoder.get_batch_frames(_BATCH)):
            for frame in batch:
                if number in numbers:
                    yield scaled(from_dlpack(frame))
                number += 1
    finally:
        decoder.end()


def by_torchcodec(device: str, video: Path, first: int, stop: int) -> Iterator[Tensor]:
    """torchcodec, some frames at a time; those in between it decodes and drops."""
    decoders = importlib.import_module("torchcodec.decoders")
    decoder = decoders.VideoDecoder(str(video), device=device, seek_mode="approximate")
    numbers = _numbers(video, first, stop)
    for at in range(0, len(numbers), _BATCH):
        for picture in decoder.get_frames_at(numbers[at : at + _BATCH]).data:
            yield scaled(picture)


def by_lolhl(decoder: decode.Decoder, video: Path, first: int, stop: int) -> Iterator[Tensor]:
    """lolhl's own decoder, in one session."""
    for picture in decode.decode(video, VIEW, decoder=decoder, first=first, stop=stop, workers=1):
        yield torch.from_numpy(picture.copy())


def scaled(picture: Tensor) -> Tensor:
    """uint8 [3, H, W] → uint8 [S, S, 3], with each output pixel the weighted mean of all that it covers."""
    small = functional.interpolate(picture[None].float(), (VIEW.size, VIEW.size), mode="bilinear", antialias=True)[0]
    return _finished(small.permute(1, 2, 0))


def from_nv12(luma: Tensor, chroma: Tensor) -> Tensor:
    """Luma uint8 [H, W] and chroma uint8 [H/2, W/2, 2] → scaled RGB uint8 [S, S, 3].

    Scaled first: the matrix is linear, and it is less work. BT.601, limited range (ITU-R BT.601-7), which is
    what files without a colour tag are taken for.
    """
    size = (VIEW.size, VIEW.size)
    y = functional.interpolate(luma[None, None].float(), size, mode="bilinear", antialias=True)[0, 0] - 16
    uv = chroma.reshape(chroma.shape[0], -1, 2).permute(2, 0, 1)[None].float()
    u, v = functional.interpolate(uv, size, mode="bilinear", antialias=True)[0] - 128
    y = y * (255 / 219)
    kr, kb = 0.299, 0.114
    red = y + v * (2 * (1 - kr) * 255 / 224)
    blue = y + u * (2 * (1 - kb) * 255 / 224)
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    return _finished(torch.stack([red, green, blue], -1))


def _finished(picture: Tensor) -> Tensor:
    """As bytes, and truly there: a decoder may fill the full-size picture's memory anew as soon as this returns."""
    made = picture.round().clamp(0, 255).byte()
    if made.is_cuda:
        torch.cuda.current_stream().synchronize()
    return made


def difference(pictures: Pictures, video: Path) -> float:
    """Mean distance of the first frames from those of lolhl's CPU decoder, in levels of 255."""
    expected = decode.decode(video, VIEW, stop=COMPARED)
    distances = [
        float(np.mean(np.abs(mine.cpu().numpy().astype(int) - its)))
        for mine, its in zip(pictures(video, 0, COMPARED), expected, strict=True)
    ]
    return float(np.mean(distances))


def ways(folder: Path, decoder: decode.Decoder = "cuda") -> list[Way]:
    """All ways; with `decoder` "cpu" those that can run without a card do the same work there."""

    def blog_run(video: Path, frames: int, _sessions: int) -> None:
        with tempfile.TemporaryDirectory(dir=folder) as pictures:
            command = blog.command(video, Path(pictures), gpu=decoder == "cuda")
            subprocess.run([*command[:-1], "-t", str(float(frames / VIEW.fps)), command[-1]], check=True)

    def engines_run(video: Path, frames: int, sessions: int) -> None:
        seconds = float(frames / VIEW.fps) / sessions
        on_card = ["-hwaccel", "cuda", "-hwaccel_output_format", "cuda"] if decoder == "cuda" else []
        processes = [
            subprocess.Popen(
                [
                    *(ffmpeg.path(), *ffmpeg.QUIET, *on_card, "-ss", str(seconds * number), "-t", str(seconds)),
                    *("-i", str(video), "-map", "0:V:0", "-fps_mode", "passthrough", "-f", "null", "-"),
                ]
            )
            for number in range(sessions)
        ]
        codes = [process.wait() for process in processes]
        if any(codes):
            raise RuntimeError("ffmpeg failed")

    def lolhl_run(video: Path, frames: int, sessions: int) -> None:
        total = sum(1 for _ in decode.decode(video, VIEW, decoder=decoder, stop=frames, workers=sessions))
        if total != frames:
            raise RuntimeError(f"lolhl gave {total} of {frames} frames")

    def library(name: str, sessions: tuple[int, ...], pictures: Pictures, needs: str) -> Way:
        run = lambda video, frames, count: in_parallel(pictures, video, frames, count)  # noqa: E731
        return Way(name, sessions, run, pictures, needs)

    device: Any = decoder
    return [
        Way("blog: ffmpeg to full-size JPEG", (1,), blog_run),
        Way("bare: ffmpeg decodes and drops", FEW, engines_run),
        Way("lolhl", MANY, lolhl_run, lambda *given: by_lolhl(decoder, *given)),
        library("PyNvVideoCodec", MANY, by_pynvvideocodec, "PyNvVideoCodec"),
        library("torchcodec", FEW, lambda *given: by_torchcodec(device, *given), "torchcodec"),
        library("PyAV", FEW, lambda *given: by_pyav(device, *given), "av"),
    ]


def main() -> None:
    card.require()
    with tempfile.TemporaryDirectory(prefix="lolhl-") as scratch:
        tables = [compare(rendition, SECONDS[rendition], ways(Path(scratch)), Path(scratch)) for rendition in SECONDS]
    result.write(
        "gpu-decode",
        [table for pair in tables for table in pair],
        "python -m tests.benchmarks.gpu.decode",
        f"""
Each way ran once. The input is a cut of {inputs.CUTS} seconds, looped by stream copy. A goal is for an H200;
"bare" is what the card's engines give when nothing is done with their pictures, so it is the limit.""",
    )


def compare(rendition: str, seconds: int, among: list[Way], folder: Path) -> tuple[Table, Table]:
    """All ways on one rendition, and what the best of them comes to; `seconds` of video for each session."""
    most = max(count for way in among for count in way.sessions)
    video = inputs.looped(rendition, seconds * most, folder)
    rate = probe(video).fps
    rows: list[list[object]] = []
    speeds: dict[tuple[str, int], float] = {}
    for way in among:
        if way.needs and not importlib.util.find_spec(way.needs):
            rows.append([f"{way.name}: skipped, not installed", *[None] * 6])
            continue
        try:
            distance = difference(way.pictures, video) if way.pictures else None
            for sessions in way.sessions:
                with measured() as timing:
                    way.run(video, int(sessions * seconds * VIEW.fps), sessions)
                speed = sessions * seconds * float(rate) / timing.wall
                speeds[way.name, sessions] = speed
                shown = [way.name, sessions, timing.wall, speed / float(rate), speed, speed / sessions, distance]
                rows.append(shown)
        except Exception as error:  # a library that does not work here is a result, too
            rows.append([f"{way.name}: failed, {(str(error).splitlines() or [repr(error)])[0][:120]}", *[None] * 6])
    video.unlink()
    columns = ("way", "sessions", "wall s", "x real time", "pictures/s", "per session", "levels from CPU")
    table = Table(f"{rendition}, {seconds} s of video for each session", columns, rows)
    return table, _summary(rendition, speeds)


def _summary(rendition: str, speeds: dict[tuple[str, int], float]) -> Table:
    """The best way of those that give frames, beside the blog's session, one session of its own, and the engines."""
    giving = {key: speed for key, speed in speeds.items() if not key[0].startswith(("blog", "bare"))}
    (name, sessions), best = max(giving.items(), key=lambda item: item[1])

    def share(base: float | None, goal: float) -> str | None:
        return None if not base else f"{best / base:.2f} ({'met' if best / base >= goal else 'missed'}: {goal:g})"

    columns = ("best way", "sessions", "pictures/s", "x blog's session", f"of {ENGINES} x one session", "of bare")
    blogs = next((speed for (way, _), speed in speeds.items() if way.startswith("blog")), None)
    bare = next((speed for (way, count), speed in speeds.items() if way.startswith("bare") and count == ENGINES), None)
    one = speeds.get((name, 1))
    row = [
        *(name, sessions, best, share(blogs, GOAL_BLOG), share(one and ENGINES * one, GOAL_ENGINES)),
        best / bare if bare else None,
    ]
    return Table(f"{rendition}: goals", columns, [row])


def _numbers(video: Path, first: int, stop: int) -> list[int]:
    """Numbers of the pictures on screen at these instants of the grid, in a video of constant rate."""
    rate = probe(video).fps
    return [int(frame * rate / VIEW.fps) for frame in range(first, stop)]


if __name__ == "__main__":
    main()
