"""The hand-marked labels of two real streams, where the checkout stands beside them, and a table like them."""

from pathlib import Path

import pytest

REAL = Path(__file__).parents[3] / "shared" / "data" / "highlights.tsv"

# The same habits: leading zeros, two VODs, a pair that overlaps, no newline at the end.
OWN = b"""vid_id\tstart\tstop
1863051677\t00:11:56\t00:12:20
1863051677\t00:12:33\t00:13:10
1863051677\t00:13:05\t00:13:40
1863051677\t01:02:03\t01:02:04
1886367077\t00:00:10\t00:00:25
1886367077\t01:11:42\t01:12:27"""


def real_labels() -> bytes:
    if not REAL.exists():
        pytest.skip("the labels of the real streams are not here")
    return REAL.read_bytes()
