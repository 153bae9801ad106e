"""Rows of tables with named columns, as pyarrow holds and reads them."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from ._rows import ROWS_PER_FRAME, VALUES_PER_BLOCK, RowSource, cut_into_parts

# Rows whose columns are converted together stay in a processor's cache.
_VALUES_CONVERTED_AT_ONCE = 2**17


class TableRows(RowSource):
    """Rows with named columns; estimators get them as frames of pandas."""

    columns: list[str]
    schema: pa.Schema

    @property
    def all_columns(self) -> list[str]:
        """Name all columns."""
        return self.schema.names

    @abstractmethod
    def batches(
        self, block: int, columns: Sequence[str], size: int
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a block in batches of at most `size`."""

    def frames(
        self,
        block: int,
        columns: Sequence[str] | None = None,
        keep: Sequence[str] = (),
    ) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Yield frames of pandas of few rows."""
        names = list(columns or self.columns)
        read = list(dict.fromkeys([*names, *keep]))
        for batch in self.batches(block, read, ROWS_PER_FRAME):
            kept = {name: batch.column(name) for name in keep}
            yield to_pandas(batch.select(names)), kept

    def sample(self, rows: np.ndarray, columns: Sequence[str] | None = None) -> Any:
        """Return some rows as a frame of pandas."""
        names = list(columns or self.columns)
        found = [self.schema.empty_table().select(names)]
        for block, _, positions in self.by_block(rows):
            whole = pa.Table.from_batches(self.batches(block, names, ROWS_PER_FRAME))
            found.append(whole.take(positions))
        return to_pandas(pa.concat_tables(found, promote_options="permissive"))

    def check_numbers(self) -> None:
        """Name columns whose type is not numeric."""
        fields = [self.schema.field(name) for name in self.columns]
        others = [f"{f.name!r} ({f.type})" for f in fields if not _is_number(f.type)]
        if others:
            raise TypeError(
                f"Networks take numbers only, and {self.name} has the columns "
                f"{', '.join(others)}. Select columns by skanomaly.out_of_core."
                "open_source(..., columns=[...]), or train a Pipeline of "
                "skanomaly.make_tabular_pipeline by skanomaly.out_of_core.fit_batches."
            )

    def head(self) -> Any:
        """Return the first rows as a table of float32."""
        self.check_numbers()
        first = super().head()
        return pa.table(dict(zip(self.columns, first.T, strict=True)))

    def _values(self, block: int) -> np.ndarray:
        n_rows = self.starts[block + 1] - self.starts[block]
        values, start = np.empty((n_rows, len(self.columns)), np.float32), 0
        size = max(_VALUES_CONVERTED_AT_ONCE // len(self.columns), 1)
        for batch in self.batches(block, self.columns, size):
            for position, name in enumerate(self.columns):
                part = values[start : start + len(batch), position]
                part[...] = _to_numpy(batch.column(name))
            start += len(batch)
        return values


class ArrowTable(TableRows):
    """Rows of an Arrow table, in memory or mapped into it."""

    def __init__(self, table: pa.Table, columns: Sequence[str] | None = None):
        self.name = "the table"
        self.table = table
        self.schema = table.schema
        self.columns = check_columns(self.name, table.schema.names, columns)
        self.shape = (len(table), len(self.columns))
        step = max(VALUES_PER_BLOCK // max(len(self.columns), 1), 1)
        self.starts = np.append(np.arange(0, len(table), step), len(table))

    def batches(
        self, block: int, columns: Sequence[str], size: int
    ) -> Iterator[pa.RecordBatch]:
        """Yield views."""
        start, stop = self.starts[block], self.starts[block + 1]
        part = self.table.select(list(columns)).slice(start, stop - start)
        yield from part.to_batches(max_chunksize=size)

    def stamp(self) -> str:
        """Return shape and columns."""
        return f"{self.name} {len(self.table)} {self.table.schema.names}"

    def parts(self) -> "list[ArrowTable]":
        """Cut the rows after each million."""
        extents = [
            (self.starts[blocks.start], self.starts[blocks.stop])
            for blocks in cut_into_parts(self.starts)
        ]
        return [
            ArrowTable(self.table.slice(start, stop - start), self.columns)
            for start, stop in extents
        ]

    def __getstate__(self) -> dict[str, Any]:
        """Pickle only rows that are meant: pyarrow pickles all of which they are."""
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self.schema) as stream:
            stream.write_table(self.table)
        return {**self.__dict__, "table": sink.getvalue().to_pybytes()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        table = pa.ipc.open_stream(state["table"]).read_all()
        self.__dict__.update(state, table=table)


def check_columns(
    name: str, known: Sequence[str], wanted: Sequence[str] | None
) -> list[str]:
    """Return the columns that are read, or name those that are missing or twice."""
    if wanted is not None and (isinstance(wanted, str) or not len(wanted)):
        raise ValueError(f"columns must be a list of names, got {wanted!r}.")
    columns = list(known if wanted is None else wanted)
    missing = [column for column in columns if column not in known]
    if missing:
        raise ValueError(f"{name} lacks the columns {missing}. It has {list(known)}.")
    twice = sorted(
        {c for names in (known, columns) for c in names if list(names).count(c) > 1}
    )
    if twice:
        raise ValueError(f"{name} has several columns of the names {twice}.")
    return columns


def to_pandas(rows: Any) -> Any:
    """Return Arrow rows as a frame of pandas, which every Pipeline takes."""
    try:
        return rows.to_pandas()
    except ImportError as error:
        raise ImportError(
            "Estimators get tables as frames of pandas: pip install 'skanomaly[frames]'"
        ) from error


def _is_number(kind: pa.DataType) -> bool:
    known = (
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_boolean,
        pa.types.is_decimal,
    )
    return any(is_known(kind) for is_known in known)


def _to_numpy(column: pa.Array) -> np.ndarray:
    """Return numbers, with NaN where one is missing."""
    if not pa.types.is_floating(column.type):
        column = column.cast(pa.float64(), safe=False)
    return column.to_numpy(zero_copy_only=False)
