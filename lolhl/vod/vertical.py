"""Makes vertical videos (shorts): the camera's part of the picture above the play, or the whole picture where there is
no camera.

Editors of shorts fill the screen. Below a camera the middle of the play is shown, as high as the picture is, since the
fight is in the middle and bars are wasted space. A third of the picture's width says too little by itself, so without a
camera the whole picture is shown, in front of an enlarged and blurred copy of it.
"""

import re
import tempfile
import unicodedata
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Literal

from lolhl.errors import ToolMissing, UsageError
from lolhl.labels.spans import Span
from lolhl.vod import cut, ffmpeg
from lolhl.vod.rectangle import Rectangle

Play = Literal["auto", "crop", "whole"]

_CAMERA = (0.2, 0.45)  # share of the height that a camera takes at least and at most where nothing is said
_BLURRED = 8  # times smaller is what is blurred: that costs next to nothing, and nobody sees it
_DIMMED = 0.35  # share of black over what is blurred, so that the picture stands out

_MOST_LINES = 3  # of a title
_TITLE_SIZES = (13, 18)  # the output's width in heights of a title's letters, for short titles and for long ones
_TITLE_WIDTH = 0.92  # share of the width that a title may take
_TITLE_TOP = 0.15  # where a title's middle lies in a picture that has neither camera nor bars, as share of the height
_LINE = 1.25  # heights of letters from line to line
_FONTS = ("DejaVuSans-Bold", "LiberationSans-Bold", "NotoSans-Bold", "Arial Bold", "arialbd", "Arial_Bold")
_FONT_FOLDERS = (
    *("/usr/share/fonts", "/usr/local/share/fonts", "~/.local/share/fonts", "~/.fonts"),
    *("/Library/Fonts", "/System/Library/Fonts", "~/Library/Fonts", "C:/Windows/Fonts"),
)
_STARTS_OF_FONTS = (b"\0\1\0\0", b"OTTO", b"true", b"ttcf")
_NO_FONT = "install one (apt-get install fonts-dejavu-core), name one by --shorts-font, or leave --shorts-title out"


@dataclass(frozen=True)
class Box:
    """A part of a picture in pixels. All numbers are even, since colours are stored for pairs of pixels."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Band:
    """A part of the output, as wide as it.

    Attributes:
        seen: what of the source is drawn in it.
        behind: what of the source fills it, blurred, behind that; None where nothing is left to fill.
        width, height: of the band.
        drawn: width and height of what is drawn, in the band's middle.
    """

    seen: Box
    behind: Box | None
    width: int
    height: int
    drawn: tuple[int, int]


@dataclass(frozen=True)
class Arrangement:
    """What of a video is shown where.

    Attributes:
        source: the size that the source's pictures get first: its own, in even numbers.
        bands: from top to bottom, one or two.
        title: the row in which the middle of a title lies.
    """

    source: tuple[int, int]
    bands: tuple[Band, ...]
    title: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the output."""
        return self.bands[0].width, sum(band.height for band in self.bands)


def arrange(
    source: tuple[int, int],
    camera: Rectangle | None,
    *,
    pixel_shape: Fraction = Fraction(1),
    size: tuple[int, int] = (1080, 1920),
    share: float | None = None,
    play: Play = "auto",
) -> Arrangement:
    """Decides what of a video is shown where.

    Args:
        source: width and height of its pictures as shown, in pixels.
        camera: where the camera lies in them.
        pixel_shape: width of one of these pixels over its height.
        size: width and height of the output, even numbers.
        share: of the height that the camera takes; what does not fit is cut off on both sides. None takes what shows
            the whole rectangle, within 20 % and 45 %.
        play: "crop" fills the rest with the middle of the play, "whole" shows all of it before a blurred copy. "auto"
            is "crop" below a camera, else "whole".
    """
    width, height = size
    whole = Box(0, 0, _even(source[0]), _even(source[1]))
    bands = []
    if camera:
        rectangle = _box(camera, whole)
        shape = float(rectangle.width * pixel_shape / rectangle.height)
        least, most = _CAMERA
        part = min(max(width / shape / height, least), most) if share is None else share
        band = (width, _even(part * height))
        bands.append(Band(_cover(rectangle, band, pixel_shape), None, *band, band))
    rest = (width, height - sum(band.height for band in bands))
    if play == "crop" or (play == "auto" and camera):
        bands.append(Band(_cover(whole, rest, pixel_shape), None, *rest, rest))
    else:
        drawn = _fit(whole, rest, pixel_shape)
        behind = None if drawn == rest else _cover(whole, rest, pixel_shape)
        bands.append(Band(whole, behind, *rest, drawn))
    above = (rest[1] - bands[-1].drawn[1]) // 2  # rows above the play
    title = bands[0].height if camera else above // 2 if above > 2 * _TITLE_TOP * height else round(_TITLE_TOP * height)
    return Arrangement((whole.width, whole.height), tuple(bands), title)


def _even(pixels: float | Fraction) -> int:
    return max(2, 2 * round(pixels / 2))


def _box(rectangle: Rectangle, whole: Box) -> Box:
    def side(start: float, length: float, pixels: int) -> tuple[int, int]:
        first = min(2 * round(start * pixels / 2), pixels - 2)
        return first, min(_even((start + length) * pixels - first), pixels - first)

    left, width = side(rectangle.left, rectangle.width, whole.width)
    top, height = side(rectangle.top, rectangle.height, whole.height)
    return Box(left, top, width, height)


def _cover(box: Box, size: tuple[int, int], pixel_shape: Fraction) -> Box:
    """The greatest part of the box, in its middle, that has the shape of this size."""
    shape = Fraction(*size) / pixel_shape  # columns over rows, in pixels of the source
    width = min(box.width, _even(box.height * shape))
    height = min(box.height, _even(box.width / shape))
    left, top = (2 * ((whole - part) // 4) for whole, part in ((box.width, width), (box.height, height)))
    return Box(box.left + left, box.top + top, width, height)


def _fit(box: Box, size: tuple[int, int], pixel_shape: Fraction) -> tuple[int, int]:
    """The greatest width and height within this size that keep the box's shape."""
    shape = box.width * pixel_shape / box.height
    width, height = size
    return min(width, _even(height * shape)), min(height, _even(width / shape))


@dataclass(frozen=True)
class Title:
    """Text over a video: lines without characters that fonts lack, the height of their letters, and a font's file."""

    lines: tuple[str, ...]
    size: int
    font: Path


def title(text: str, width: int, font: Path) -> Title | None:
    """A title of at most three lines that fits into this width, in pixels. None where nothing of the text can be drawn.

    How wide a line becomes is estimated, on the safe side.
    """
    words = _drawable(text).split()
    size = 0
    lines: list[str] = []
    for part in _TITLE_SIZES:
        size = max(8, width // part)
        lines = _wrapped(words, _TITLE_WIDTH * width / size)
        if len(lines) <= _MOST_LINES:
            break
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], lines[_MOST_LINES - 1][:-1].rstrip() + "…"]
    return Title(tuple(lines), size, font) if lines else None


def _drawable(text: str) -> str:
    """The text without what moves the cursor or turns the direction, halves of characters, and pictures."""
    kept = []
    for character in unicodedata.normalize("NFC", text[:2000]):
        kind, code = unicodedata.category(character), ord(character)
        if kind in ("Cc", "Zl", "Zp"):
            kept.append(" ")
        elif kind[0] != "C" and not 0x1F000 <= code < 0x20000 and not 0xFE00 <= code <= 0xFE0F:
            kept.append(character)
    return "".join(kept)


def _wrapped(words: Sequence[str], most: float) -> list[str]:
    """The words in lines of at most so many heights of letters. A word that is too long is broken."""
    lines = [""]
    for word in words:
        joined = f"{lines[-1]} {word}" if lines[-1] else word
        if _length(joined) <= most:
            lines[-1] = joined
            continue
        lines += [""] if lines[-1] else []
        for character in word:
            if lines[-1] and _length(lines[-1] + character) > most:
                lines.append("")
            lines[-1] += character
    return [line for line in lines if line]


def _length(line: str) -> float:
    return sum(map(_width, line))


def _width(character: str) -> float:
    """About the width of a bold letter, in heights of letters."""
    if character in " .,:;'|!ijlI":
        return 0.4
    if character in "WMmw@%…—" or unicodedata.east_asian_width(character) in ("W", "F"):
        return 1.1
    return 0.85 if character.isupper() else 0.72


def check_titles() -> None:
    """Raises ToolMissing where ffmpeg cannot draw text."""
    if not ffmpeg.has_filter("drawtext"):
        raise ToolMissing(
            f"{ffmpeg.path()} draws no titles (it was built without drawtext): install another (apt-get install "
            "ffmpeg), or leave --shorts-title out"
        )


def check_font(name: str) -> None:
    """Raises UsageError where the file of this name holds no font."""
    start = b""
    with suppress(OSError, ValueError), Path(name).open("rb") as file:  # the latter for a zero byte
        start = file.read(4)
    if start not in _STARTS_OF_FONTS:
        raise UsageError(f"--shorts-font {name[:200]!r} is no file of a font: give a .ttf or .otf")


@cache
def usual_font(folders: tuple[str, ...] = _FONT_FOLDERS) -> Path:
    """A bold font that is installed in one of these folders; any other one where there is no such.

    Raises:
        ToolMissing: there is no font.
    """
    places = [Path(folder).expanduser() for folder in folders]
    files = sorted(file for place in places for file in place.rglob("*") if file.suffix.lower() in (".ttf", ".otf"))
    by_name = {file.stem: file for file in reversed(files)}
    font = next((by_name[name] for name in _FONTS if name in by_name), next(iter(files), None))
    if font is None:
        raise ToolMissing(f"there is no font here for titles: {_NO_FONT}")
    return font


def short(video: Path, span: Span, target: Path, arrangement: Arrangement, title: Title | None = None) -> None:
    """Writes [start, stop) of the video as an upright .mp4, with its sound if it has any, exact to the picture.

    Raises:
        UsageError, VideoError, ToolMissing, MachineError: as of `cut.clip`.
    """
    with tempfile.TemporaryDirectory(prefix="lolhl-") as scratch:
        graph = filters(arrangement) + _drawn(arrangement, title, Path(scratch))
        cut.clip(video, span, target, exact=True, pictures=graph)


def filters(arrangement: Arrangement) -> str:
    """ffmpeg's filter graph of an arrangement, without a title."""
    width, height = arrangement.source
    parts = [part for number, band in enumerate(arrangement.bands) for part in _band(number, band)]
    inputs = [f"[{name}]" for band in range(len(arrangement.bands)) for name in _inputs(band, arrangement.bands[band])]
    # Also what changes its size on the way gets the size that the boxes are in.
    first = f"scale={width}:{height},format=yuv420p,setsar=1,split={len(inputs)}{''.join(inputs)}"
    stacked = "".join(f"[band{number}]" for number in range(len(arrangement.bands)))
    last = f"{stacked}vstack" if len(arrangement.bands) > 1 else f"{stacked}null"
    return ";".join([first, *parts, f"{last},setsar=1,format=yuv420p"])


def _inputs(number: int, band: Band) -> list[str]:
    return [f"seen{number}", *([f"behind{number}"] if band.behind else [])]


def _band(number: int, band: Band) -> list[str]:
    seen = f"[seen{number}]{_cropped(band.seen)},scale={band.drawn[0]}:{band.drawn[1]}"
    if not band.behind:
        return [f"{seen}[band{number}]"]
    small = f"scale={_even(band.width / _BLURRED)}:{_even(band.height / _BLURRED)}"
    blurred = f"{_cropped(band.behind)},{small},gblur=sigma=3,scale={band.width}:{band.height}"
    return [
        f"{seen}[picture{number}]",
        f"[behind{number}]{blurred},drawbox=color=black@{_DIMMED}:t=fill[blurred{number}]",
        f"[blurred{number}][picture{number}]overlay=(W-w)/2:(H-h)/2[band{number}]",
    ]


def _cropped(box: Box) -> str:
    return f"crop={box.width}:{box.height}:{box.left}:{box.top}"


def _drawn(arrangement: Arrangement, title: Title | None, scratch: Path) -> str:
    """Filters that draw a title. Its text goes by files: in the graph some of its characters would be commands."""
    if title is None:
        return ""
    graph = ""
    middle = (len(title.lines) - 1) / 2
    for number, line in enumerate(title.lines):
        file = scratch / f"line{number}"
        file.write_bytes(line.encode())
        base = round(arrangement.title + (number - middle) * _LINE * title.size + 0.36 * title.size)  # of the letters
        graph += (
            f",drawtext=fontfile={_escaped(title.font)}:textfile={_escaped(file)}:expansion=none:fontsize={title.size}:"
            f"fontcolor=white:bordercolor=black:borderw={max(1, title.size // 10)}:x=(w-text_w)/2:y={base}-ascent"
        )
    return graph


def _escaped(path: Path) -> str:
    """A path as the value of an option in a filter graph: escaped for the option, and that for the graph."""
    option = re.sub(r"([\\':])", r"\\\1", str(path))
    return re.sub(r"([\\'\[\],;])", r"\\\1", option)
