"""Parquet files that are whole but wrong are one line that names the file."""

import io
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import polars as pl
import pytest

from lolhl.data import stretches
from lolhl.errors import StorageError
from lolhl.labels.spans import Span
from lolhl.tables import read_scores, read_table

SCORES = pl.DataFrame({"frame": [0, 1, 2], "time": [0.0, 0.5, 1.0], "score": [0.1, 0.2, 1.0]}).cast(
    {"score": pl.Float32}
)
STRETCHES = pl.DataFrame(
    {"vod": ["a", "a", "b"], "first": [0, 90, 2], "end": [60, 100, 5], "side": ["train", "validation", "train"]}
)
SPANS = pl.DataFrame({"vod": ["a", "a"], "start": [1.0, 31.0], "stop": [1.7, 40.0]})


def parquet(table: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    table.write_parquet(buffer)
    return buffer.getvalue()


def scores(data: bytes, count: int = 3) -> Any:
    return read_scores(data, "root/scores.parquet", "lolhl infer m a --force", count)


def split(table: bytes, labelled: bytes) -> Any:
    places = ("root/stretches.parquet", "root/spans.parquet")
    return stretches.from_files((table, labelled), ["a", "b"], Fraction(3), places, "lolhl dataset d a b --force")


def parts(data: bytes) -> Any:
    return split(data, parquet(SPANS))


def spans(data: bytes) -> Any:
    return split(parquet(STRETCHES), data)


def test_what_was_written_is_read() -> None:
    assert scores(parquet(SCORES)).tolist() == SCORES["score"].to_list()
    first, second = split(parquet(STRETCHES), parquet(SPANS))
    assert (first.vod, first.spans) == ("a", [Span(1.0, 1.7), Span(31.0, 40.0)])
    assert first.sides == {"train": [(0, 60)], "validation": [(90, 100)]}
    assert (second.vod, second.spans, second.sides) == ("b", [], {"train": [(2, 5)], "validation": []})
    written = stretches.to_files("d", [first, second])
    assert split(*written.values()) == [first, second]


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
        (parts, STRETCHES.drop("side"), "no column side"),
        (parts, STRETCHES.cast({"first": pl.String}), "column first"),
        (parts, STRETCHES.with_columns(vod=pl.lit("c")), "VODs that the dataset"),
        (parts, STRETCHES.with_columns(side=pl.lit("test")), "neither train nor"),
        (parts, STRETCHES.with_columns(first=pl.lit(-1, pl.Int64)), "no video has"),
        (parts, STRETCHES.with_columns(end=pl.lit(10**15, pl.Int64)), "no video has"),
        (parts, STRETCHES.with_columns(end="first"), "without an instant"),
        (parts, STRETCHES.reverse(), "out of order"),
        (parts, pl.concat([STRETCHES[:1], STRETCHES]), "overlap"),
        (parts, STRETCHES.with_columns(end=pl.lit(None, pl.Int64)), "end has values"),
        (spans, SPANS.drop("stop"), "no column stop"),
        (spans, SPANS.cast({"start": pl.Int64}), "column start"),
        (spans, SPANS.with_columns(vod=pl.lit("c")), "VODs that the dataset"),
        (spans, SPANS.with_columns(stop=pl.lit(1e300)), "no video has"),
        (spans, SPANS.with_columns(stop=pl.lit(float("nan"))), "stop has values"),
        (spans, SPANS.with_columns(stop=pl.lit(0.5)), "end before they begin"),
        (spans, SPANS.reverse(), "out of order"),
        (spans, SPANS.with_columns(stop=pl.lit(40.0)), "overlap"),
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
