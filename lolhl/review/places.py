"""Where something lies in a channel's pictures: the camera in cameras/, the game's clock in clock-places/.

A VOD whose channel nobody has named has a file of its own. A rectangle is what a person has set. No stage makes it up,
and no `--force` removes it.
"""

from dataclasses import astuple

import msgspec

from lolhl import layout
from lolhl.errors import UsageError
from lolhl.review.revisions import Revised, load_revised, save_revised
from lolhl.storage import Root
from lolhl.vod.rectangle import Rectangle

Fractions = tuple[float, float, float, float]  # left, top, width and height


class Place(Revised, frozen=True, forbid_unknown_fields=True):
    """What is set.

    Attributes:
        rectangle: as fractions of the picture; None where it lies nowhere, or nobody knows.
    """

    rectangle: Fractions | None = None

    @property
    def seen(self) -> Rectangle | None:
        """The rectangle itself."""
        return Rectangle.given(*self.rectangle) if self.rectangle else None


_DECODER = msgspec.json.Decoder(Place)  # made once, before there are threads: see `lolhl.manifest`


def camera_key(vod: str, channel: str | None) -> str:
    """Where the place of a VOD's camera is kept: with its channel, where that is known."""
    return layout.channel_camera(channel) if channel else layout.vod_camera(vod)


def clock_key(vod: str, channel: str | None) -> str:
    """Where the place of a VOD's clock is kept, as that of its camera."""
    return layout.channel_clock(channel) if channel else layout.vod_clock(vod)


def load_place(root: Root, key: str) -> tuple[Place, str | None]:
    """What is set, and the etag of the stored file. Raises as `load_revised`."""
    return load_revised(root, key, Place(), parse_place, f"move it away, and set {_name(key)} anew")


def parse_place(data: bytes) -> Place:
    """Reads a place from JSON. Raises UsageError for anything else."""
    try:
        place = _DECODER.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UsageError(f"this is no place in a picture: {str(error)[:200]}") from error
    _ = place.seen  # raises
    return place


def save_place(root: Root, key: str, place: Place) -> Place:
    """Stores a place. Raises and returns as `save_revised`, and StorageError where the stored file is damaged."""
    return save_revised(root, key, place, load_place(root, key), f"{_name(key)} was set elsewhere")


def set_place(root: Root, key: str, rectangle: Rectangle | None) -> None:
    """Stores a rectangle, or that there is none, whatever was set before.

    Raises:
        Conflict: somebody else saved at the same moment.
        StorageError: the stored file is damaged.
    """
    stored, _ = load_place(root, key)
    fractions: Fractions | None = astuple(rectangle) if rectangle else None
    if stored.rectangle != fractions:
        save_place(root, key, Place(stored.revision, fractions))


def _name(key: str) -> str:
    """What lies there, for people."""
    return "the clock's place" if key.startswith(layout.CLOCK_PLACES) else "the camera"
