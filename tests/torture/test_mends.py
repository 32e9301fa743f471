"""The list of mends: it fits the code, and some of them, taken back, are found."""

from pathlib import Path

import pytest

from tests.torture.families import corpus
from tests.torture.mends import CHECKOUT
from tests.torture.mends.__main__ import verdicts
from tests.torture.mends.known import MENDS
from tests.torture.runner import make
from tests.torture.world import finished

SOME = ("restarts", "twins", "endpoint-path", "page-width", "pods-secrets", "no-gang-of-replicas")


def test_each_text_that_is_taken_back_stands_once_in_its_file() -> None:
    assert {mend.name: problems for mend in MENDS if (problems := mend.problems(CHECKOUT))} == {}


def test_each_fault_has_a_mend_and_each_mend_a_name_and_a_case() -> None:
    assert {mend.item for mend in MENDS} == set(range(1, 16))
    assert len({mend.name for mend in MENDS}) == len(MENDS)
    assert {mend.case for mend in MENDS} <= {*corpus()}


def test_a_copy_differs_by_its_edit_alone(tmp_path: Path) -> None:
    mend = next(mend for mend in MENDS if mend.name == "twins")
    copy = mend.take_back(tmp_path)
    files = [path.relative_to(copy) for path in copy.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    changed = [file.as_posix() for file in files if (copy / file).read_bytes() != (CHECKOUT / file).read_bytes()]
    assert changed == ["lolhl/storage/__init__.py"]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_some_mends_that_are_taken_back_are_found() -> None:
    chosen = [mend for mend in MENDS if mend.name in SOME]
    assert [str(verdict) for verdict in verdicts(chosen, make(finished), jobs=2) if not verdict.is_found] == []
