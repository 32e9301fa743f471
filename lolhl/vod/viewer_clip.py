"""What is known of a clip that a viewer made of a VOD."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta


@dataclass(frozen=True)
class ViewerClip:
    """A clip on Twitch.

    Attributes:
        slug: its name in its address.
        start, stop: in seconds of the whole VOD.
        title: as its viewer wrote it, in one line of printable characters.
        views: how often it was seen.
    """

    slug: str
    start: Annotated[float, Meta(ge=0, le=1e9)]
    stop: Annotated[float, Meta(ge=0, le=1e9)]
    title: str
    views: Annotated[int, Meta(ge=0, le=10**12)]
