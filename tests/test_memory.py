"""Peaks of memory, seen from processes that take a known amount of it."""

import json
import subprocess
import sys
from typing import Any

TAKE = "x = bytearray({}_000_000); "
TELL = "import json; from lolhl import memory; print(json.dumps(memory.peaks()))"
RUN = "import subprocess, sys; subprocess.run([sys.executable, '-c', {!r}], stdout=sys.stderr); "


def peaks(code: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures


def test_what_was_taken_and_given_back_counts() -> None:
    plain = peaks(TELL)["resident"]
    assert 0 < plain < 150
    assert 190 < peaks(TAKE.format(200) + "del x; " + TELL)["resident"] - plain < 260


def test_the_program_that_started_this_one_does_not_count() -> None:
    large = bytearray(300_000_000)
    assert peaks(TELL)["resident"] < 150
    assert len(large) == 300_000_000


def test_a_child_counts_where_it_had_more() -> None:
    assert peaks(RUN.format("pass") + TELL)["largest_child"] is None
    assert 200 < peaks(RUN.format(TAKE.format(200)) + TELL)["largest_child"] < 300
    # A child that began in a large process is not taken for a large one.
    assert peaks(TAKE.format(200) + RUN.format("pass") + TELL)["largest_child"] is None
