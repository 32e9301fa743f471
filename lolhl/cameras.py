"""Where the camera lies in a channel's pictures: cameras/channel-<name>.json.

A VOD whose channel nobody has named has a file of its own, cameras/vod-<name>.json.

A rectangle is what a person has set. No stage makes it up, and no `--force` removes it.
"""

from dataclasses import astuple
from typing import Annotated

import msgspec
from msgspec import Meta

from lolhl import layout
from lolhl.errors import Conflict, StorageError, UsageError
from lolhl.storage import Root
from lolhl.vod.vertical import Rectangle

Fractions = tuple[float, float, float, float]  # left, top, width and height


class Camera(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is set.

    Attributes:
        revision: how often it was saved. Whoever saves names the revision that he has seen.
        rectangle: as fractions of the picture; None where there is no camera.
    """

    revision: Annotated[int, Meta(ge=0)] = 0
    rectangle: Fractions | None = None

    @property
    def seen(self) -> Rectangle | None:
        """The rectangle itself."""
        return Rectangle(*self.rectangle) if self.rectangle else None


_DECODER = msgspec.json.Decoder(Camera)  # made once, before there are threads: see `lolhl.manifest`


def camera_key(vod: str, channel: str | None) -> str:
    """Where the camera of a VOD is kept: with its channel, where that is known."""
    return layout.channel_camera(channel) if channel else layout.vod_camera(vod)


def load_camera(root: Root, key: str) -> tuple[Camera, str | None]:
    """What is set, and the etag of the stored file. Where nobody has set anything that is nothing, at revision 0.

    Raises:
        StorageError: the file is damaged.
    """
    stored = root.find(key)
    if stored is None:
        return Camera(), None
    try:
        return parse_camera(stored[0]), stored[1]
    except UsageError as error:
        raise StorageError(f"{root.url}/{key} is damaged ({error}): move it away, and set the camera anew") from error


def parse_camera(data: bytes) -> Camera:
    """Reads a camera from JSON. Raises UsageError for anything else."""
    try:
        camera = _DECODER.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise UsageError(f"this is no camera: {str(error)[:200]}") from error
    _ = camera.seen  # raises
    return camera


def save_camera(root: Root, key: str, camera: Camera) -> Camera:
    """Stores a camera whose revision is the stored one, and returns it with the next revision.

    Raises:
        Conflict: somebody saved in between. Nothing was stored.
        StorageError: the stored file is damaged.
    """
    stored, etag = load_camera(root, key)
    if stored.revision != camera.revision:
        raise Conflict(
            f"the camera was set elsewhere in the meantime (revision {stored.revision}, not {camera.revision}): "
            "load the page again"
        )
    saved = msgspec.structs.replace(camera, revision=camera.revision + 1)
    root.write_if(key, msgspec.json.format(msgspec.json.encode(saved), indent=1) + b"\n", etag)
    return saved


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
