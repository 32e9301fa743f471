"""Small streams with a game's clock on them: drawn with a font and a look of their own, over moving pictures."""

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from lolhl.vod.rectangle import Rectangle

CORNER = Rectangle(0.955, 0.0, 0.045, 0.036)
FONTS = Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@dataclass(frozen=True)
class Played:
    """A game as it was played: when its clock is 0, how long it lasts by its clock, and pauses as (clock, seconds)."""

    start: float
    clock: float
    pauses: tuple[tuple[float, float], ...] = ()

    @property
    def stop(self) -> float:
        return self.start + self.clock + sum(seconds for _, seconds in self.pauses)

    def shows(self, time: float) -> int | None:
        """The whole seconds that its clock shows. None where it does not last."""
        if not self.start <= time < self.stop:
            return None
        clock = time - self.start
        for at, seconds in self.pauses:
            if clock > at:
                clock = max(at, clock - seconds)
        return int(clock)


@dataclass(frozen=True)
class Look:
    """What a clock looks like. `box` is where it stands, in fractions of the picture."""

    box: Rectangle = CORNER
    font: str = "DejaVuSans-Bold.ttf"
    colour: tuple[int, int, int] = (225, 220, 200)
    ground: tuple[int, int, int, int] = (12, 30, 34, 235)
    leading_zero: bool = True


def clock_video(
    path: Path,
    played: Sequence[Played],
    *,
    seconds: float,
    look: Look = Look(),
    size: tuple[int, int] = (854, 480),
    fps: int = 5,
    rate: str = "400k",
    background: Sequence[str] = (),
) -> Path:
    """H.264 with a key frame every 2 s, and the clocks of these games.

    Args:
        rate: the mean bit rate.
        background: input options of ffmpeg for what lies below; by default a moving test picture.
    """
    width, height = round(look.box.width * size[0]), round(look.box.height * size[1])
    below = background or ("-f", "lavfi", "-i", f"testsrc2=s={size[0]}x{size[1]}:r={fps}:d={seconds}")
    place = f"{round(look.box.left * size[0])}:{round(look.box.top * size[1])}"
    graph = f"[0]scale={size[0]}:{size[1]},fps={fps},noise=alls=12:allf=t[below];[below][1]overlay={place}"
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", *below, "-f", "rawvideo", "-pix_fmt", "rgba"]
    command += ["-s", f"{width}x{height}", "-r", str(fps), "-i", "pipe:0", "-filter_complex", graph]
    command += ["-t", str(seconds), "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-b:v", rate]
    command += ["-maxrate", rate, "-bufsize", rate, "-g", str(2 * fps), "-sc_threshold", "0", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for picture in _pictures(played, seconds, fps, width, height, look):
            process.stdin.write(picture)
        process.stdin.close()
        assert process.wait() == 0
    return path


def _pictures(
    played: Sequence[Played], seconds: float, fps: int, width: int, height: int, look: Look
) -> Iterator[bytes]:
    for number in range(round(seconds * fps)):
        clock = next((clock for game in played if (clock := game.shows(number / fps)) is not None), None)
        yield drawn(clock, width, height, look)


@lru_cache(maxsize=4096)
def drawn(clock: int | None, width: int, height: int, look: Look) -> bytes:
    """A clock, as bytes of RGBA [height, width, 4]. Nothing where it is None."""
    if clock is None:
        return bytes(4 * width * height)
    picture = Image.new("RGBA", (width, height), look.ground)
    text = f"{clock // 60:{'02' if look.leading_zero else ''}}:{clock % 60:02}"
    font = ImageFont.truetype(str(FONTS / look.font), max(6, round(height * 0.62)))
    ImageDraw.Draw(picture).text((width / 2, height / 2), text, font=font, fill=look.colour, anchor="mm")
    return picture.tobytes()
