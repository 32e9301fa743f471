"""Where the camera lies in a channel's pictures: cameras/channel-<name>.json.

A VOD whose channel nobody has named has a file of its own, cameras/vod-<name>.json.

A rectangle is what a person has set. No stage makes it up, and no `--force` removes it.
"""

from dataclasses import astuple

import msgspec

from lolhl import layout
from lolhl.errors import UsageError
from lolhl.review.revisions import Revised, load_revised, save_revised
from lolhl.storage import Root
from lolhl.vod.rectangle import Rectangle

Fractions = tuple[float, float, float, float]  # left, top, width and height


class Camera(Revised, frozen=True, forbid_unknown_fields=True):
    """What is set.

    Attributes:
        rectangle: as fractions of the picture; None where there is no camera.
    """

    rectangle: Fractions | None = None

    @property
    def seen(self) -> Rectangle | None:
        """The rectangle itself."""
        return Rectangle.given(*self.rectangle) if self.rectangle else None


_DECODER = msgspec.json.Decoder(Camera)  # made once, before there are threads: see `lolhl.manifest`


def camera_key(vod: str, channel: str | None) -> str:
    """Where the camera of a VOD is kept: with its channel, where that is known."""
    return layout.channel_camera(channel) if channel else layout.vod_camera(vod)


def load_camera(root: Root, key: str) -> tuple[Camera, str | None]:
    """What is set, and the etag of the stored file. Raises as `load_revised`."""
    return load_revised(root, key, Camera(), parse_camera, "move it away, and set the camera anew")


def parse_camera(data: bytes) -> Camera:
    """Reads a camera from JSON. Raises UsageError for anything else."""
    try:
        camera = _DECODER.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UsageError(f"this is no camera: {str(error)[:200]}") from error
    _ = camera.seen  # raises
    return camera


def save_camera(root: Root, key: str, camera: Camera) -> Camera:
    """Stores a camera. Raises and returns as `save_revised`, and StorageError where the stored file is damaged."""
    return save_revised(root, key, camera, load_camera(root, key), "the camera was set elsewhere")


def set_camera(root: Root, key: str, rectangle: Rectangle | None) -> None:
    """Stores a rectangle, or that there is no camera, whatever was set before.

    Raises:
        Conflict: somebody else saved at the same moment.
        StorageError: the stored file is damaged.
    """
    stored, _ = load_camera(root, key)
    fractions: Fractions | None = astuple(rectangle) if rectangle else None
    if stored.rectangle != fractions:
        save_camera(root, key, Camera(stored.revision, fractions))
