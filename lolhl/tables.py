"""Parquet files of a root: read as what they should hold; and that of a VOD's scores, which is also written here."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lolhl import grid
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


@dataclass(frozen=True)
class Scored:
    """The scores of a VOD on its grid.

    Attributes:
        probabilities: calibrated, float32 [n].
        parts: signal → what it adds to the log-odds before calibration, float32 [n], 0 where it is not known. Empty
            for a model that does not tell its signals apart.
    """

    probabilities: npt.NDArray[np.float32]
    parts: Mapping[str, npt.NDArray[np.float32]] = field(default_factory=dict)


def write_scored(scored: Scored, fps: Fraction) -> bytes:
    """The bytes of a scores.parquet: frame, time in seconds, score, and a column for the part of each signal.

    Parts have two decimals, which say why a moment was picked and take little room.
    """
    count = len(scored.probabilities)
    columns = {"frame": np.arange(count), "time": grid.times(count, fps), "score": scored.probabilities}
    parts = {_part_column(signal): np.round(part, 2) for signal, part in scored.parts.items()}
    buffer = io.BytesIO()
    pl.DataFrame({**columns, **parts}).write_parquet(buffer)
    return buffer.getvalue()


def read_scored(data: bytes, place: str, redo: str, count: int, signals: Sequence[str]) -> Scored:
    """What `write_scored` wrote.

    Args:
        data, place, redo: as of `read_table`.
        count: instants of the grid.
        signals: those that have parts.

    Raises:
        StorageError: the file holds something else.
    """
    probabilities = read_scores(data, place, redo, count)
    columns = {_part_column(signal): signal for signal in signals}
    parts = read_table(data, dict.fromkeys(columns, pl.Float32), place, redo, rows=count) if signals else pl.DataFrame()
    return Scored(probabilities, {signal: parts[column].to_numpy() for column, signal in columns.items()})


def read_scores(data: bytes, place: str, redo: str, count: int) -> npt.NDArray[np.float32]:
    """The probabilities on the grid in a scores.parquet: float32 [count]. Else as `read_table`."""
    scores = read_table(data, {"frame": pl.Int64, "score": pl.Float32}, place, redo, rows=count)
    in_order = np.array_equal(scores["frame"].to_numpy(), np.arange(count))
    if not in_order or not scores["score"].is_between(0, 1).all():
        raise StorageError(f"{place} is wrong (it is not one probability a frame, in order): run `{redo}`")
    return scores["score"].to_numpy()


def _part_column(signal: str) -> str:
    return f"log_odds_of_{signal}"
