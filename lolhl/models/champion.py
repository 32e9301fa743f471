"""The champion: the model that the name `champion` stands for.

models/champion.json is the one place that scoring reads: it names the champion, and all champions before
it, and is replaced by one write. The alias `champion` of MLflow's registry goes with it, see `point`.
"""

import json
from dataclasses import asdict, dataclass

from lolhl import manifest
from lolhl.errors import Conflict, MissingInput, StorageError, UsageError
from lolhl.models import tracking
from lolhl.models.tracking import CHAMPION
from lolhl.results import Model
from lolhl.storage import Root, check_name

KEY = "models/champion.json"


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
        return Champions((), None)
    try:
        listed = tuple(Champion(**one) for one in json.loads(found[0])["champions"])
        for one in listed:
            check_name(one.model, "model")
    except (UsageError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StorageError(
            f"{root.url}/{KEY} is no list of champions: remove it, and `lolhl retrain` finds a champion anew"
        ) from error
    return Champions(listed, found[1])


def resolve(root: Root, name: str) -> str:
    """The model that is meant: `champion` means the present champion, any other name itself.

    Raises:
        MissingInput: there is no champion yet.
    """
    if check_name(name, "model") != CHAMPION:
        return name
    model = champions(root).model
    if model is None:
        raise MissingInput(f"{root.url} has no champion yet: run `lolhl retrain`, or name a model")
    return model


def check_new(name: str) -> str:
    """The name itself, if a model may be trained under it. Raises UsageError when it cannot."""
    if check_name(name, "model") == CHAMPION:
        raise UsageError(f"{CHAMPION!r} is no name for a new model: it means whichever is champion; choose another")
    return name


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
    made = manifest.load(root, f"models/{name}/model.json", Model, f"lolhl train {name}")
    tracking.give_alias(root, name, made, CHAMPION)
    data = json.dumps({"champions": [asdict(one) for one in listed]}, indent=1) + "\n"
    root.write_if(KEY, data.encode(), etag)
