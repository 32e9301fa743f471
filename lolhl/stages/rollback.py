"""rollback: the champion before is champion again. Done twice, the one before that."""

import logging
from dataclasses import dataclass

from lolhl.errors import MissingInput
from lolhl.models import champion
from lolhl.storage import Root

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RolledBack:
    """Who is champion now, who was, and how many champions there were before."""

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
    there = champion.champions(root)
    if len(there.listed) < 2:
        now = f"{there.model} is the first champion" if there.model else "there is no champion"
        raise MissingInput(f"{root.url} has nothing to roll back to: {now}; `lolhl retrain` may find a better one")
    *left, last = there.listed
    champion.point(root, tuple(left), there.etag)
    log.info("rollback: %s is champion again, in place of %s", left[-1].model, last.model)
    return RolledBack(left[-1].model, last.model, len(left) - 1)
