"""The champion is the model that the name `champion` stands for.

models/champion.json is the one place that scoring reads. It names the champion and all champions before it, and
one write replaces it. The alias `champion` of MLflow's registry follows it, see `point`.
"""

import json
from dataclasses import asdict, dataclass

from lolhl import layout, manifest, storage
from lolhl.errors import Conflict, MissingInput, StorageError, UsageError
from lolhl.models import publication, tracking, unsupervised
from lolhl.models.tracking import CHAMPION
from lolhl.results import Model
from lolhl.storage import Root, check_name

_RESERVED = (CHAMPION, f"{CHAMPION}.json")


@dataclass(frozen=True)
class Champion:
    """A model that became champion.

    Attributes:
        model: its name under models/.
        by: the digest of the retraining that promoted it.
    """

    model: str
    by: str


@dataclass(frozen=True)
class Champions:
    """All champions, of which the last is the present one, and the etag of the list when it was read."""

    listed: tuple[Champion, ...]
    etag: str | None

    @property
    def model(self) -> str | None:
        """The present champion's name."""
        return self.listed[-1].model if self.listed else None


def champions(root: Root) -> Champions:
    """Reads the list of champions. Raises StorageError when it is damaged."""
    stored = root.find(layout.CHAMPION)
    if stored is None:
        if root.stat(f"{layout.CHAMPION}/model.json"):  # lolhl 0.1 trained models of any name
            raise StorageError(
                f"{root.url}/{layout.CHAMPION} is the folder of a model, and the list of champions belongs there: "
                "rename the folder"
            )
        return Champions((), None)
    try:
        listed = tuple(Champion(**entry) for entry in json.loads(stored[0])["champions"])
        for entry in listed:
            if check_name(entry.model, "model").lower() in _RESERVED or not isinstance(entry.by, str):
                raise ValueError(entry)
    except (UsageError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StorageError(
            f"{root.url}/{layout.CHAMPION} is no list of champions: remove it, and `lolhl retrain` finds a champion "
            "anew"
        ) from error
    return Champions(listed, stored[1])


def resolve(root: Root, name: str) -> str:
    """The name of the model that is meant. `champion` means the present champion; any other name means itself.

    Raises:
        MissingInput: there is no champion yet, or its model is gone.
    """
    if check_name(name, "model") != CHAMPION:
        return name
    model = champions(root).model
    if model is None:
        raise MissingInput(f"{root.url} has no champion yet: run `lolhl retrain`, or name a model")
    check_exists(root, model)
    return model


def check_exists(root: Root, model: str) -> None:
    """Raises MissingInput where a champion's model is gone. `retrain` trained it, so no `train` makes it anew."""
    if root.stat(layout.model(model)) is None:
        raise MissingInput(
            f"{root.url}/{layout.model(model)} does not exist, and {model} is in the list of champions: bring it back, "
            "or run `lolhl retrain --force`, which finds a champion anew"
        )


def check_new(root: Root, name: str) -> str:
    """Returns the name if a model may be trained under it. Raises UsageError if not."""
    if name.lower() in _RESERVED:
        raise UsageError(f"{name!r} is no name for a new model: {CHAMPION} means whichever is champion; choose another")
    if name.lower() in (unsupervised.NAME, unsupervised.EVENTS):
        raise UsageError(f"{name!r} is no name for a new model: it means to score without a model; choose another")
    return storage.check_new(root, layout.model(name), name, "model")


def check_built_in(root: Root, name: str) -> None:
    """Raises UsageError where a model has the name of this method that is built in: nobody could say which is meant."""
    if root.stat(layout.model(name)):
        raise UsageError(
            f"{name!r} is a method that is built in, and {root.url}/{layout.model(name)} a model: train the model "
            "under another name"
        )


def point(root: Root, listed: tuple[Champion, ...], etag: str | None) -> None:
    """Makes the last of the list champion, first in MLflow's registry and then, by one write, in the root.

    So a failure of MLflow changes nothing here, and the same call repeats what was cut off in between.

    Args:
        root: where the data lies.
        listed: all champions, of which the last is to be the present one.
        etag: the etag of the list when it was read.

    Raises:
        Conflict: another run changed the list.
        MissingInput: the model is gone.
        LolhlError: MLflow does not answer or refuses.
    """
    now = root.stat(layout.CHAMPION)
    if (now.etag if now else None) != etag:  # seen before MLflow is told
        raise Conflict(f"{root.url}/{layout.CHAMPION}: another run changed the champion in the meantime: run again")
    name = listed[-1].model
    check_exists(root, name)
    model = manifest.load(root, layout.model(name), Model)
    tracking.publish(root, name, model, publication.registered_name(root, name, model), CHAMPION)
    data = json.dumps({"champions": [asdict(entry) for entry in listed]}, indent=1) + "\n"
    root.write_if(layout.CHAMPION, data.encode(), etag)
