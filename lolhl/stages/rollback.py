"""rollback: makes the champion before the present one champion again. A second rollback goes back one more."""

import logging
from dataclasses import dataclass

from lolhl.errors import MissingInput
from lolhl.models import champion
from lolhl.storage import Root

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RolledBack:
    """The champion now, the champion until now, and how many champions there were before."""

    champion: str
    instead_of: str
    before: int


def rollback(root: Root) -> RolledBack:
    """Gives the name `champion`, and the alias in MLflow's registry, back to the champion before.

    Retraining does not undo it: it has nothing to do until labels, frames or settings change.

    Raises:
        MissingInput: there is no champion before, or its model is gone.
        LolhlError: MLflow does not answer or refuses; nothing has changed then.
    """
    champions = champion.champions(root)
    if len(champions.listed) < 2:
        now = f"{champions.model} is the first champion" if champions.model else "there is no champion"
        raise MissingInput(f"{root.url} has nothing to roll back to: {now}; `lolhl retrain` may find a better one")
    *left, last = champions.listed
    champion.point(root, tuple(left), champions.etag)
    log.info("rollback: %s is champion again, in place of %s", left[-1].model, last.model)
    return RolledBack(left[-1].model, last.model, len(left) - 1)
