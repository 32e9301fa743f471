"""Parquet files that are whole but wrong are one line that names the file."""

import io
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from lolhl.data.samples import read_sides
from lolhl.errors import StorageError
from lolhl.tables import read_scores, read_table

SCORES = pl.DataFrame({"frame": [0, 1, 2], "time": [0.0, 0.5, 1.0], "score": [0.1, 0.2, 1.0]}).cast(
    {"score": pl.Float32}
)
SAMPLES = pl.DataFrame(
    {
        "vod": ["a", "a", "b"],
        "frame": [0, 4, 2],
        "label": [True, False, True],
        "chunk": ["a/0", "a/1", "b/0"],
        "split": ["train", "validation", "train"],
    }
)


def parquet(table: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    return buffer.getvalue()


def scores(data: bytes, count: int = 3) -> Any:
    return read_scores(data, "root/scores.parquet", "lolhl infer m a --force", count)


def sides(data: bytes) -> Any:
    return read_sides(data, ["a", "b"], "root/samples.parquet", "lolhl dataset d a b --force")


def test_what_was_written_is_read() -> None:
    assert scores(parquet(SCORES)).tolist() == SCORES["score"].to_list()
    found = sides(parquet(SAMPLES))
    assert found["train"].vods == ("a", "b")
    assert found["train"].vod.tolist() == [0, 1]
    assert found["validation"].frame.tolist() == [4]


@pytest.mark.parametrize(
    ("read", "table", "why"),
    [
        (scores, SCORES.drop("score"), "no column score"),
        (scores, SCORES.cast({"score": pl.String}), "column score holds String"),
        (scores, SCORES.cast({"frame": pl.Int32}), "column frame"),
        (scores, SCORES[:2], "2 rows in place of 3"),
        (scores, pl.concat([SCORES, SCORES]), "6 rows"),
        (scores, SCORES.reverse(), "in order"),
        (scores, SCORES.with_columns(score=pl.lit(1.5, pl.Float32)), "probability"),
        (scores, SCORES.with_columns(score=pl.lit(float("nan"), pl.Float32)), "score has values"),
        (scores, SCORES.with_columns(score=pl.lit(None, pl.Float32)), "score has values"),
        (scores, pl.DataFrame(), "no column|no table|wrong"),
        (sides, SAMPLES.drop("label"), "no column label"),
        (sides, SAMPLES.cast({"label": pl.Int64}), "column label"),
        (sides, SAMPLES.with_columns(vod=pl.lit("c")), "VODs that the dataset"),
        (sides, SAMPLES.with_columns(split=pl.lit("test")), "neither train nor"),
        (sides, SAMPLES.with_columns(frame=pl.lit(-1, pl.Int64)), "before the first"),
        (sides, SAMPLES.reverse(), "out of order"),
        (sides, pl.concat([SAMPLES[:1], SAMPLES]), "twice"),
        (sides, SAMPLES.with_columns(frame=pl.lit(None, pl.Int64)), "frame has values"),
    ],
)
def test_what_is_wrong_is_one_line(read: Callable[[bytes], Any], table: pl.DataFrame, why: str) -> None:
    with pytest.raises(StorageError, match=rf"root/s\w+\.parquet is wrong .*({why}).*run `lolhl") as caught:
        read(parquet(table))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [b"", b"PAR1 PAR1", b"\xff" * 1000, parquet(SCORES)[:-9], parquet(SCORES)[9:]])
def test_what_is_no_parquet_is_one_line(data: bytes) -> None:
    with pytest.raises(StorageError, match=r"root/x is wrong") as caught:
        read_table(data, {"frame": pl.Int64}, "root/x", "lolhl x")
    assert "\n" not in str(caught.value)
