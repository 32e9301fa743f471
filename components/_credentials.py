"""Which credentials a job gets besides those of the storage, which every stage needs.

A component declares them in its role's metadata, and the schedulers hand over no others: a container that decodes
strangers' video holds no key of the model registry.
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from torchx.specs import Role

MLFLOW = "mlflow"
RIOT = "riot"
TWITCH = "twitch"
# The environment variables of each.
VARIABLES = {MLFLOW: "MLFLOW_*", RIOT: "LOLHL_RIOT_KEY", TWITCH: "LOLHL_TWITCH_TOKEN"}
_KEY = "lolhl.credentials"


def declare(role: Role, credentials: Iterable[str]) -> None:
    """Says which of MLFLOW, RIOT and TWITCH the role's containers need."""
    if named := sorted(credentials):
        role.metadata[_KEY] = named


def declared(role: Role) -> frozenset[str]:
    """The credentials that the role's component asked for; none where another component made it."""
    return frozenset(role.metadata.get(_KEY, ()))


def may_have(role: Role, variable: str) -> bool:
    """Whether the role's containers may get this environment variable."""
    return all(
        credential in declared(role) or not fnmatchcase(variable, pattern) for credential, pattern in VARIABLES.items()
    )
