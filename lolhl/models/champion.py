"""The champion: the model that the name `champion` stands for.

models/champion.json is the one place that scoring reads: it names the champion, and all champions before
it, and is replaced by one write. The alias `champion` of MLflow's registry goes with it, see `point`.
"""

import json
from dataclasses import asdict, dataclass

from lolhl import manifest, storage
from lolhl.errors import Conflict, MissingInput, StorageError, UsageError
from lolhl.models import publication, tracking
from lolhl.models.tracking import CHAMPION
from lolhl.results import Model
from lolhl.storage import Root, check_name

KEY = "models/champion.json"
_RESERVED = (CHAMPION, f"{CHAMPION}.json")


def manifest_key(name: str) -> str:
    return f"models/{name}/model.json"


@dataclass(frozen=True)
class Champion:
    """A model that became champion.

    Attributes:
        model: its name under models/.
        by: digest of the retraining that promoted it.
    """

    model: str
    by: str


@dataclass(frozen=True)
class Champions:
    """All champions, the present one last, and the etag of the list as it was read."""

    listed: tuple[Champion, ...]
    etag: str | None

    @property
    def model(self) -> str | None:
        """The present champion's name."""
        return self.listed[-1].model if self.listed else None


def champions(root: Root) -> Champions:
    """Raises StorageError when the list is damaged."""
    found = root.find(KEY)
    if found is None:
        if root.stat(f"{KEY}/model.json"):  # lolhl 0.1 trained models of any name
            raise StorageError(
                f"{root.url}/{KEY} is the folder of a model, and the list of champions belongs there: rename the folder"
            )
        return Champions((), None)
    try:
        listed = tuple(Champion(**one) for one in json.loads(found[0])["champions"])
        for one in listed:
            if check_name(one.model, "model").lower() in _RESERVED or not isinstance(one.by, str):
                raise ValueError(one)
    except (UsageError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StorageError(
            f"{root.url}/{KEY} is no list of champions: remove it, and `lolhl retrain` finds a champion anew"
        ) from error
    return Champions(listed, found[1])


def resolve(root: Root, name: str) -> str:
    """The model that is meant: `champion` means the present champion, any other name itself.

    Raises:
        MissingInput: there is no champion yet, or its model is gone.
    """
    if check_name(name, "model") != CHAMPION:
        return name
    model = champions(root).model
    if model is None:
        raise MissingInput(f"{root.url} has no champion yet: run `lolhl retrain`, or name a model")
    check_there(root, model)
    return model


def check_there(root: Root, model: str) -> None:
    """Raises MissingInput where a champion's model is gone. `retrain` trained it, so no `train` makes it anew."""
    if root.stat(manifest_key(model)) is None:
        raise MissingInput(
            f"{root.url}/{manifest_key(model)} does not exist, and {model} is in the list of champions: bring it back, "
            "or run `lolhl retrain --force`, which finds a champion anew"
        )


def check_new(root: Root, name: str) -> str:
    """The name itself, if a model may be trained under it. Raises UsageError when it cannot."""
    if name.lower() in _RESERVED:
        raise UsageError(f"{name!r} is no name for a new model: {CHAMPION} means whichever is champion; choose another")
    return storage.check_new(root, manifest_key(name), name, "model")


def point(root: Root, listed: tuple[Champion, ...], etag: str | None) -> None:
    """Makes the last of the list champion: in MLflow's registry first, and then, by one write, in the root.

    MLflow that fails thus changes nothing here, and the same call repeats what was cut off in between.

    Args:
        etag: of the list as it was read.

    Raises:
        Conflict: another run changed the list.
        MissingInput: the model is gone.
        LolhlError: MLflow does not answer or refuses.
    """
    now = root.stat(KEY)
    if (now.etag if now else None) != etag:  # seen before MLflow is told
        raise Conflict(f"{root.url}/{KEY}: another run changed the champion in the meantime: run again")
    name = listed[-1].model
    check_there(root, name)
    made = manifest.load(root, manifest_key(name), Model, f"lolhl train {name}")
    tracking.publish(root, name, made, publication.registered_name(root, name, made), CHAMPION)
    data = json.dumps({"champions": [asdict(one) for one in listed]}, indent=1) + "\n"
    root.write_if(KEY, data.encode(), etag)
