"""The qualities that Twitch offers a VOD in."""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True)
class Rendition:
    """One quality that a VOD can be had in.

    Attributes:
        name: as people see it: "1080p60", "360p".
        group: Twitch's own name of it: "chunked", "360p30".
        width, height: in pixels; None when Twitch does not say.
        fps: None when Twitch does not say.
        is_source: it is what the streamer sent.
    """

    name: str
    group: str
    width: int | None
    height: int | None
    fps: int | None
    is_source: bool

    def serves(self, size: int, fps: Fraction) -> bool:
        """Whether frames of size × size pixels at this rate lose nothing to its smallness.

        The source serves by definition where Twitch does not say what it is; nothing else does.
        """
        if self.width is None or self.height is None:
            return self.is_source
        return min(self.width, self.height) >= size and (self.fps is None or self.fps >= fps)

    @property
    def cost(self) -> tuple[float, float, bool, str]:
        """A key to compare renditions by: the smaller it is, the less there is to fetch and to decode."""
        pixels = self.width * self.height if self.width and self.height else float("inf")
        return pixels, self.fps or float("inf"), self.is_source, self.group
