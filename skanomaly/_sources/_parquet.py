"""Rows of a Parquet data set: one file, a folder of files, or many."""

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset

from ._table import TableRows, check_columns


class ParquetDataset(TableRows):
    """Rows of the files of a data set; a block is a row group of a file."""

    def __init__(
        self, dataset: pyarrow.dataset.Dataset, columns: Sequence[str] | None = None
    ):
        fragments = _fragments_of(dataset)
        self.schema = dataset.schema
        self.name = f"the Parquet data set of {len(fragments)} file(s)"
        self.columns = check_columns(self.name, self.schema.names, columns)
        self._set_fragments(fragments)
        _check_schemas(fragments, self.schema)

    def _set_fragments(self, fragments: list[Any]) -> None:
        self.fragments = fragments
        # The number of the file, of the row group in it, and of its rows.
        found = [
            (nth, group.id, group.num_rows)
            for nth, fragment in enumerate(fragments)
            for group in fragment.row_groups
        ]
        self._groups = np.array(found, dtype=np.int64).reshape(-1, 3)
        self.starts = np.append(0, self._groups[:, 2].cumsum())
        self.shape = (int(self.starts[-1]), len(self.columns))

    def batches(
        self, block: int, columns: Sequence[str], size: int
    ) -> Iterator[pa.RecordBatch]:
        """Read a row group; raise if it isn't there any more as it was."""
        nth, group, n_expected = self._groups[block]
        fragment, n_rows = self.fragments[nth], 0
        try:
            one = fragment.subset(row_group_ids=[int(group)])
            for batch in one.to_batches(
                schema=self.schema, columns=list(columns), batch_size=size
            ):
                n_rows += len(batch)
                yield batch
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(fragment, error) from error
        if n_rows != n_expected:
            raise _unreadable(fragment, f"{n_rows} rows instead of {n_expected}")

    def stamp(self) -> str:
        """Return the sizes of the files, and when they were changed."""
        found = [f.filesystem.get_file_info(f.path) for f in self.fragments]
        return f"{self.shape[0]} " + " ".join(
            f"{info.path} {info.size} {info.mtime_ns}" for info in found
        )

    def parts(self) -> "list[ParquetDataset]":
        """Return a part for each file, empty ones, too."""
        return [self._of([fragment]) for fragment in self.fragments]

    def _of(self, fragments: list[Any]) -> "ParquetDataset":
        part = copy.copy(self)
        part.name = ", ".join(fragment.path for fragment in fragments)
        part._set_fragments(fragments)
        return part

    def place(self, row: int) -> str:
        """Count rows in their file."""
        block = int(np.searchsorted(self.starts, row, side="right") - 1)
        nth = self._groups[block, 0]
        first = self.starts[np.searchsorted(self._groups[:, 0], nth)]
        return f"row {row - first} of {self.fragments[nth].path}"


def _fragments_of(dataset: pyarrow.dataset.Dataset) -> list[Any]:
    """Return the files with what their footers say of them."""
    try:
        fragments = list(dataset.get_fragments())
    except ValueError as error:
        raise ValueError(
            "A filtered data set can't be read by row groups. Write the rows that are "
            "meant to a data set of their own, by pyarrow.dataset.write_dataset."
        ) from error
    for fragment in fragments:
        if not isinstance(fragment, pyarrow.dataset.ParquetFileFragment):
            raise TypeError(
                "Expected a data set of Parquet files, got one of "
                f"{type(fragment).__name__}. Write it by pyarrow.dataset.write_dataset("
                "dataset, folder, format='parquet')."
            )
        try:
            fragment.ensure_complete_metadata()
        except (OSError, pa.ArrowException) as error:
            raise _unreadable(fragment, error) from error
    return fragments


def _unreadable(fragment: Any, reason: Any) -> OSError:
    return OSError(
        f"The Parquet file {fragment.path} can't be read, as if it was truncated, or "
        f"changed since it was opened: {reason}. Restore it and open the data anew."
    )


def _check_schemas(fragments: list[Any], schema: pa.Schema) -> None:
    """Raise if a file lacks a column, or has it in another type, than the data set."""
    partitions: set[str] = set()
    for fragment in fragments:
        keys = pyarrow.dataset.get_partition_keys(fragment.partition_expression)
        partitions |= keys.keys()
    for fragment in fragments:
        own = fragment.physical_schema
        for field in schema:
            if field.name in partitions:
                continue
            if field.name not in own.names:
                raise ValueError(
                    f"{fragment.path} lacks the column {field.name!r}, which other "
                    f"files of the data set have. It has {own.names}."
                )
            if not own.field(field.name).type.equals(field.type):
                raise ValueError(
                    f"The column {field.name!r} has the type "
                    f"{own.field(field.name).type} in {fragment.path}, but {field.type}"
                    " in others. Write all files with one schema."
                )
