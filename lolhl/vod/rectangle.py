"""A part of a picture, and how a person writes it: x,y,w,h as fractions of the picture or in pixels."""

import math
import re
from dataclasses import astuple, dataclass

from lolhl.errors import UsageError
from lolhl.vod.view import Picture

SMALLEST = 0.01  # share of the picture that what a person gives is wide and high at least
_ROUNDING = 1e-6  # by which it may reach beyond the picture


@dataclass(frozen=True)
class Rectangle:
    """A part of a picture, in fractions of its width and height, from its left upper corner."""

    left: float
    top: float
    width: float
    height: float

    @classmethod
    def given(cls, left: float, top: float, width: float, height: float) -> "Rectangle":
        """One that a person gives.

        Raises:
            UsageError: it reaches beyond the picture, or is smaller than a hundredth of it.
        """
        rectangle = cls(left, top, width, height)
        if not all(map(math.isfinite, astuple(rectangle))):
            raise UsageError(f"{rectangle} has numbers that are none: give fractions from 0 to 1")
        if left < 0 or top < 0 or max(left + width, top + height) > 1 + _ROUNDING:
            raise UsageError(f"{rectangle} reaches beyond the picture, which ends, as fractions, at 0 and 1")
        if min(width, height) < SMALLEST:
            raise UsageError(f"{rectangle} is less than {SMALLEST:.0%} of the picture wide or high")
        return rectangle

    def __str__(self) -> str:
        return ",".join(f"{part:.6g}" for part in astuple(self))

    def cut(self, picture: Picture) -> Picture:
        """This part of a picture, which is uint8 [H, W]: uint8 [h, w], at least one pixel."""
        height, width = picture.shape
        left, top = min(width - 1, round(self.left * width)), min(height - 1, round(self.top * height))
        right, bottom = round((self.left + self.width) * width), round((self.top + self.height) * height)
        return picture[top : max(top + 1, bottom), left : max(left + 1, right)]


def check_rectangle(option: str, text: str) -> None:
    """Raises UsageError where x,y,w,h is no rectangle, as far as that is known without the size of the picture.

    Args:
        option: of the command line, for the message.
    """
    try:
        numbers = _numbers(text)
        if max(numbers) <= 1:
            Rectangle.given(*numbers)
    except UsageError as error:
        raise UsageError(f"{option} {error}") from None


def parse_rectangle(text: str, width: int, height: int) -> Rectangle:
    """Reads x,y,w,h: the left upper corner, width and height.

    Args:
        text: fractions of the picture where no number is greater than 1, else pixels.
        width, height: of the picture, in pixels.

    Raises:
        UsageError: it is no rectangle, or lies outside of the picture.
    """
    numbers = _numbers(text)
    if max(numbers) <= 1:
        return Rectangle.given(*numbers)
    left, top, wide, high = numbers
    if left + wide > width or top + high > height:
        raise UsageError(f"{text} reaches beyond the picture, which has {width} x {height} pixels")
    return Rectangle.given(left / width, top / height, wide / width, high / height)


def _numbers(text: str) -> tuple[float, float, float, float]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != 4 or not all(re.fullmatch(r"\d{1,6}(\.\d{1,9})?|\.\d{1,9}", part, re.ASCII) for part in parts):
        raise UsageError(
            f"{text[:60]!r} is no rectangle: write x,y,w,h as fractions of the picture (0.75,0.7,0.25,0.3) or in pixels"
        )
    left, top, width, height = map(float, parts)
    return left, top, width, height
