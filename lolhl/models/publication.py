"""What MLflow was given of a model: models/<name>/publication.json.

It is written before the model's manifest, and again when MLflow has all: a failure or a kill in between costs no
model, and the same command publishes what is not published yet. Without the file all was published: lolhl 0.1 did that
before it wrote the manifest.
"""

import json
from contextlib import suppress
from dataclasses import asdict, dataclass, replace

from lolhl.errors import LolhlError, StorageError, UsageError
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


def key(model: str) -> str:
    return f"models/{model}/publication.json"


def announce(root: Root, model: str, wanted: Publication) -> None:
    """Says what is to be published, before the model's manifest is written."""
    root.write(key(model), _bytes(wanted))


def publish(root: Root, model: str, made: Manifest[Model], register: str, alias: str) -> None:
    """Publishes a finished model, unless it was published under this name and alias the last time.

    Raises:
        LolhlError: MLflow does not answer or refuses. The model stays, and the same call repeats it.
    """
    wanted = Publication(made.digest, register, alias)
    if find(root, model, made) == replace(wanted, done=True):
        return
    try:
        tracking.publish(root, model, made, register, alias)
    except LolhlError as error:
        raise LolhlError(
            f"model {model} is finished, but not published: {error}; the same command repeats it"
        ) from error
    announce(root, model, replace(wanted, done=True))


def find(root: Root, model: str, made: Manifest[Model]) -> Publication:
    """What was published of this model the last time, or is to be."""
    found = root.find(key(model))
    if found:
        with suppress(ValueError, TypeError, RecursionError):  # damaged: to publish again costs little
            recorded = Publication(**json.loads(found[0]))
            if isinstance(recorded.register, str):
                return recorded
    try:
        tracking.check_names(made.config["register"], made.config["alias"])
    except (UsageError, KeyError, TypeError) as error:
        where = f"{root.url}/models/{model}/model.json"
        raise StorageError(f"{where} is damaged: its config says not how it is registered: train again") from error
    return Publication(made.digest, made.config["register"], made.config["alias"], done=found is None)


def _bytes(publication: Publication) -> bytes:
    return (json.dumps(asdict(publication), indent=1) + "\n").encode()
