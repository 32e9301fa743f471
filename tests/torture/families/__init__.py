"""The kinds of hostile cases; to add one, write its file and name it here."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.torture.families import (
    calls,
    exports,
    http,
    jobs,
    labels,
    manifests,
    pages,
    pairs,
    reviews,
    signals,
    stored,
    videos,
)
from tests.torture.sandbox import Sandbox

Case = Callable[[Sandbox], None]


@dataclass(frozen=True)
class Family:
    """Cases of one kind.

    Attributes:
        named: what was found once, by a name.
        draw: another case, by the chances of its sandbox.
        share: of the random cases, as a weight.
    """

    named: Mapping[str, Case]
    draw: Case
    share: float


FAMILIES = {
    "videos": Family(videos.NAMED, videos.draw, 0.8),
    "manifests": Family(manifests.NAMED, manifests.draw, 2.0),
    "http": Family(http.NAMED, http.draw, 1.5),
    "pairs": Family(pairs.NAMED, pairs.draw, 0.8),
    "calls": Family(calls.NAMED, calls.draw, 2.0),
    "labels": Family(labels.NAMED, labels.draw, 4.0),
    "jobs": Family(jobs.NAMED, jobs.draw, 2.0),
    "pages": Family(pages.NAMED, pages.draw, 0.2),
    "exports": Family(exports.NAMED, exports.draw, 0.6),
    "reviews": Family(reviews.NAMED, reviews.draw, 0.6),
    "signals": Family(signals.NAMED, signals.draw, 0.8),
    "stored": Family(stored.NAMED, stored.draw, 1.0),
}


def case(name: str) -> tuple[Case, random.Random]:
    """The case with this id, FAMILY:NAME or FAMILY:SEED, and its chances. Raises KeyError when there is none."""
    family, _, which = name.partition(":")
    kind = FAMILIES[family]
    draw = kind.draw if which.isdecimal() else kind.named[which]
    return draw, random.Random(name)


def corpus(*families: str) -> list[str]:
    """The ids of all named cases."""
    return [f"{family}:{name}" for family in families or FAMILIES for name in FAMILIES[family].named]
