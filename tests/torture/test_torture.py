"""Every hostile case that has a name, and some that a fixed seed draws; `make torture` runs them for an hour."""

import itertools
from pathlib import Path

import pytest

from tests.torture.families import FAMILIES, corpus
from tests.torture.runner import make, random_cases, run
from tests.torture.world import finished

SEED = 9
DRAWN = 4  # of each family


def drawn() -> list[str]:
    return [name for family in FAMILIES for name in itertools.islice(random_cases(SEED, [family]), DRAWN)]


@pytest.fixture(scope="session")
def root() -> Path:
    return make(finished)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", [*corpus(), *drawn()])
def test_a_hostile_case_does_no_harm(case: str, root: Path) -> None:
    result = run(case, root)
    assert result.problems == [], f"python -m tests.torture --case {case}"


def test_the_same_seed_draws_the_same_cases() -> None:
    first, again, other = (list(itertools.islice(random_cases(seed, FAMILIES), 50)) for seed in (1, 1, 2))
    assert first == again != other
