"""Parquet files of a root, read as what they should hold."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lolhl.errors import StorageError


def read_table(
    data: bytes, schema: Mapping[str, Any], place: str, redo: str, *, rows: int | None = None
) -> pl.DataFrame:
    """The columns that the schema names, with values in every row.

    Args:
        data: of the file.
        schema: name → type of polars. Other columns are left out.
        place: the file's name, for the error's message.
        redo: the command that makes it anew, for the same.
        rows: how many there must be; None for any number.

    Raises:
        StorageError: the file holds something else. One that only claims to hold many rows is not read.
    """

    def wrong(why: str) -> StorageError:
        return StorageError(f"{place} is wrong ({why}): run `{redo}`")

    try:
        # Bytes, not a file of bytes: from that polars reads by Python's methods, and panics when a signal comes then.
        there = pl.read_parquet_schema(data)
        for name, kind in schema.items():
            if name not in there:
                raise wrong(f"it has no column {name}")
            if there[name] != kind:
                raise wrong(f"its column {name} holds {there[name]} in place of {kind}")
        count = pl.scan_parquet(data).select(pl.len()).collect().item()
        if rows is not None and count != rows:
            raise wrong(f"it has {count} rows in place of {rows}")
        table = pl.read_parquet(data, columns=list(schema))
    except (pl.exceptions.PolarsError, OSError) as error:
        raise wrong(str(error).splitlines()[0][:200]) from error
    for name in schema:
        column = table[name]
        if column.null_count() or (column.dtype.is_float() and not column.is_finite().all()):
            raise wrong(f"its column {name} has values that are none")
    return table


def part_column(signal: str) -> str:
    """The column of a scores.parquet that holds what a signal adds to the log-odds."""
    return f"log_odds_of_{signal}"


def read_parts(
    data: bytes, place: str, redo: str, count: int, signals: Sequence[str]
) -> dict[str, npt.NDArray[np.float32]]:
    """Signal → what it adds to the log-odds of each instant, in a scores.parquet: float32 [count]. As `read_table`."""
    columns = {part_column(signal): signal for signal in signals}
    parts = read_table(data, dict.fromkeys(columns, pl.Float32), place, redo, rows=count) if signals else pl.DataFrame()
    return {signal: parts[column].to_numpy() for column, signal in columns.items()}


def read_scores(data: bytes, place: str, redo: str, count: int) -> npt.NDArray[np.float32]:
    """The probabilities on the grid in a scores.parquet: float32 [count]. Else as `read_table`."""
    scores = read_table(data, {"frame": pl.Int64, "score": pl.Float32}, place, redo, rows=count)
    in_order = np.array_equal(scores["frame"].to_numpy(), np.arange(count))
    if not in_order or not scores["score"].is_between(0, 1).all():
        raise StorageError(f"{place} is wrong (it is not one probability a frame, in order): run `{redo}`")
    return scores["score"].to_numpy()
