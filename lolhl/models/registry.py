"""The kinds of models. To add one, write a file like `lolhl.models.video` and name its class here."""

from collections.abc import Mapping

from lolhl.models.gru import GruModel
from lolhl.models.image import ImageModel
from lolhl.models.model import ModelSettings, TrackModel
from lolhl.models.tcn import TcnModel
from lolhl.models.video import VideoModel

MODELS: dict[str, type[TrackModel]] = {
    "image": ImageModel,
    "video": VideoModel,
    "tcn": TcnModel,
    "gru": GruModel,
}
"""Name → class of the model. The class has its settings as `Settings`, and is made of settings and widths."""


def settings_types() -> Mapping[str, type[ModelSettings]]:
    """The classes of the settings of all kinds, as they are registered now."""
    return {name: kind.Settings for name, kind in MODELS.items()}
