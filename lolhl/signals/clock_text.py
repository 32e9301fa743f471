"""Reads the digits of a clock on a small piece of a picture, and looks for clocks on a whole one.

The networks are PP-OCR's, Apache-2.0 as the package rapidocr that holds them, and onnxruntime computes them. Both are
optional: `pip install 'lolhl[clock]'`. Of rapidocr only files are used: it is not imported, and fetches nothing.
"""

import importlib
import importlib.metadata
import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation

from lolhl.errors import ToolMissing
from lolhl.vod.rectangle import Rectangle
from lolhl.vod.view import Picture

VERSION = 3  # of this file and of `lolhl.signals.clock`: raise it whenever they read other clocks than before

_PACKAGE, _ENGINE = "rapidocr", "onnxruntime"
_HEIGHT = 48  # pixels of a line of text
_WIDEST = 6.0  # times as wide as high is a line at most: a clock has some three
_LETTERS = {**{digit: digit for digit in "0123456789"}, ":": ":", "：": ":"}
# Small pictures lose the colon now and then, or show it as a stroke: 1234 and 12134 are 12:34.
_CLOCK = re.compile(r"(\d{1,2}):?([0-5]\d)|(\d\d)1([0-5]\d)", re.ASCII)
_AMBIGUOUS = re.compile(r"\d1\d\d", re.ASCII)  # 1123 is 11:23 or 1:23
_WIDER = 1.8  # times as wide is what is ambiguous when it is read again
# The distance of the first and the third letter, by that of the third and the fourth: 2 or more (read wider, 2.2) where
# the colon between the second and the third is lost, and 1.3 to 2 where the second is the colon, shown as a stroke.
_STROKE = 2.0
_SURE = 0.3  # the least probability of a letter
_LOOKED_AT = 1280  # pixels: the width of a picture in which text is looked for
_LEAST_HIGH, _MOST_HIGH = 0.008, 0.06  # of the picture: the height of a clock's digits
_TEXT = 0.3  # the probability from which on a pixel belongs to text, as in PP-OCR
_GROWTH = 0.6  # of its height, by which what is marked as text is smaller than that on each side


def clock_of(text: str) -> int | None:
    """The seconds that a clock with this text shows, perhaps without its colon. None where it is no clock."""
    match = _CLOCK.fullmatch(text)
    if not match:
        return None
    minutes, seconds = (group for group in match.groups() if group)
    return int(minutes) * 60 + int(seconds)


def read_clock(piece: Picture) -> int | None:
    """The seconds that the clock on this piece of a picture shows. None where nothing on it looks like a clock.

    Args:
        piece: uint8 [h, w], grey: little more than the clock itself.

    Raises:
        ToolMissing: the networks are not installed.
    """
    height, width = piece.shape
    if height < 4 or width > _WIDEST * height:
        return None
    text, places = _letters(piece)
    if _AMBIGUOUS.fullmatch(text) and not _is_stroke(places):
        text, places = _letters(piece, _WIDER)  # where letters lie can be told better
    if _AMBIGUOUS.fullmatch(text) and _is_stroke(places):
        text = f"{text[0]}:{text[2:]}"
    return clock_of(text)


def _is_stroke(places: npt.NDArray[np.int64]) -> bool:
    """Whether the second of four letters is a colon: then the first and the third digit lie near to each other."""
    return bool(places[2] - places[0] < _STROKE * (places[3] - places[2]))


def _letters(piece: Picture, wider: float = 1.0) -> tuple[str, npt.NDArray[np.int64]]:
    """The digits and colons on a piece of a picture, and their places from left to right: int64 [len(text)].

    Args:
        piece: uint8 [h, w], grey.
        wider: by which it is stretched.
    """
    height, width = piece.shape
    session, numbers, letters = _recogniser()
    line = _scaled(piece, max(_HEIGHT, round(wider * _HEIGHT * width / height)), _HEIGHT)
    (answer,) = session.run(None, {session.get_inputs()[0].name: _as_input(line)})
    # Greedy decoding of connectionist temporal classification (Graves et al. 2006), of digits and colons alone.
    scores = answer[0][:, numbers]
    best = scores.argmax(axis=1)
    places = np.flatnonzero((best > 0) & np.concatenate([[True], best[1:] != best[:-1]]))
    if not len(places) or scores.max(axis=1)[places].min() < _SURE:
        return "", places[:0]
    return "".join(letters[number] for number in best[places]), places


def text_boxes(picture: Picture) -> list[Rectangle]:
    """Pieces of a picture with text as small and short as a clock's.

    Args:
        picture: uint8 [H, W], grey.

    Raises:
        ToolMissing: the networks are not installed.
    """
    from scipy import ndimage

    height, width = picture.shape
    wide, high = _LOOKED_AT, max(32, round(_LOOKED_AT * height / width / 32) * 32)
    session = _session("det")
    (answer,) = session.run(None, {session.get_inputs()[0].name: _as_input(_scaled(picture, wide, high))})
    marked, _ = ndimage.label(answer[0, 0] > _TEXT)
    boxes = []
    for rows, columns in ndimage.find_objects(marked):
        tall, long = rows.stop - rows.start, columns.stop - columns.start
        grown = _GROWTH * tall
        if _LEAST_HIGH <= (tall + 2 * grown) / high <= _MOST_HIGH and tall <= long + grown <= _WIDEST * tall:
            left, top = max(0.0, columns.start - grown), max(0.0, rows.start - grown)
            right, bottom = min(wide, columns.stop + grown), min(high, rows.stop + grown)
            boxes.append(Rectangle(left / wide, top / high, (right - left) / wide, (bottom - top) / high))
    return boxes


def _scaled(picture: Picture, width: int, height: int) -> Picture:
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="gray")
    scaled = frame.reformat(width, height, interpolation=Interpolation.BICUBIC)
    return np.asarray(scaled.to_ndarray(), dtype=np.uint8)


def _as_input(picture: Picture) -> npt.NDArray[np.float32]:
    """float32 [1, 3, h, w] from -1 to 1: the networks are for colours."""
    values = picture.astype(np.float32) / 127.5 - 1
    return np.ascontiguousarray(np.broadcast_to(values, (1, 3, *values.shape)))


@lru_cache(maxsize=1)
def _recogniser() -> tuple[Any, npt.NDArray[np.int64], Sequence[str]]:
    """The network, the places of blank, digits and colons in what it says, and these letters."""
    session = _session("rec")
    alphabet = ["", *session.get_modelmeta().custom_metadata_map["character"].splitlines()]
    numbers = [number for number, letter in enumerate(alphabet) if number == 0 or letter in _LETTERS]
    return session, np.array(numbers), [_LETTERS.get(alphabet[number], "") for number in numbers]


@lru_cache(maxsize=2)
def _session(kind: str) -> Any:
    path = _model(kind)
    try:
        onnxruntime = importlib.import_module(_ENGINE)
    except ImportError:
        raise _not_installed() from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # several threads read clocks side by side
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _model(kind: str) -> Path:
    """The file of a network: "det" finds text, "rec" reads it."""
    try:
        files = importlib.metadata.files(_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        raise _not_installed() from None
    for file in files:
        if file.suffix == ".onnx" and f"_{kind}_" in file.name:
            return Path(str(file.locate()))
    raise _not_installed()


def _not_installed() -> ToolMissing:
    return ToolMissing(
        "the game's clock is not read, since rapidocr and onnxruntime are not there: pip install 'lolhl[clock]'"
    )
