"""What MLflow was given of a model: models/<name>/publication.json.

It is written before the model's manifest, and again when MLflow has all: a failure or a kill in between costs no
model, and the same command publishes what is not published yet. Without the file all was published: lolhl 0.1 did that
before it wrote the manifest.
"""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from lolhl import layout
from lolhl.errors import LolhlError, MissingInput, StorageError, UsageError
from lolhl.manifest import Manifest
from lolhl.models import tracking
from lolhl.results import Model
from lolhl.storage import Root


@dataclass(frozen=True)
class Publication:
    """Under which name and alias of the registry a model is to be found.

    Attributes:
        digest: of the training.
        done: whether MLflow has it.
    """

    digest: str
    register: str
    alias: str
    done: bool = False


def announce(root: Root, model: str, wanted: Publication) -> None:
    """Says what is to be published, before the model's manifest is written."""
    root.write(layout.publication(model), _bytes(wanted))


def publish(root: Root, model: str, made: Manifest[Model], register: str, alias: str) -> None:
    """Publishes a finished model, unless it was published under this name and alias the last time.

    Raises:
        LolhlError: MLflow does not answer or refuses. The model stays, and the same call repeats it.
    """
    wanted = Publication(made.digest, register, alias)
    if _find(root, model, made) == replace(wanted, done=True):
        return
    try:
        tracking.publish(root, model, made, register, alias)
    except LolhlError as error:
        raise LolhlError(
            f"model {model} is finished, but not published: {error}; the same command repeats it"
        ) from error
    announce(root, model, replace(wanted, done=True))


def registered_name(root: Root, model: str, made: Manifest[Model]) -> str:
    """The name under which the model was published the last time, or is to be.

    Raises:
        MissingInput: nothing says it.
        StorageError: what says it is no name.
    """
    publication = _find(root, model, made)
    if publication is None:
        raise MissingInput(
            f"{root.url}/{layout.publication(model)} is gone or damaged: run `lolhl train {model}` with the settings "
            "of its training, which publishes it again"
        )
    return publication.register


def _find(root: Root, model: str, made: Manifest[Model]) -> Publication | None:
    """What was published of this model the last time, or is to be; None where nothing says it."""
    stored = root.find(layout.publication(model))
    if stored:
        with suppress(ValueError, TypeError, RecursionError):  # damaged: to publish again costs little
            recorded = Publication(**json.loads(stored[0]))
            if isinstance(recorded.register, str):
                return recorded
    if "register" not in made.config:
        return None
    # Of a model of lolhl 0.1, which recorded the names in its manifest.
    try:
        tracking.check_names(made.config["register"], made.config["alias"])
    except (UsageError, KeyError, TypeError) as error:
        where = f"{root.url}/{layout.model(model)}"
        raise StorageError(f"{where} is damaged: its config says not how it is registered: train again") from error
    return Publication(made.digest, made.config["register"], made.config["alias"], done=stored is None)


def _bytes(publication: Publication) -> bytes:
    return (json.dumps(asdict(publication), indent=1) + "\n").encode()
