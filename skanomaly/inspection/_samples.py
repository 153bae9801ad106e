"""The samples of a caller: a frame, an array, or rows that are mappings."""

from collections.abc import Mapping, Sequence
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from scipy.sparse import issparse


def read_samples(X: Any, names: Sequence | None = None) -> "Samples":
    """Return samples by position of their columns; the names are those seen in fit."""
    if isinstance(X, Mapping):
        X = [X]
    if isinstance(X, list) and X and isinstance(X[0], Mapping):
        return Rows(X, names)
    if nw.dependencies.is_into_dataframe(X):
        return Frame(X, names)
    return Array(X, names)


class Array:
    """Samples in an array, sparse or dense."""

    frame = None

    def __init__(self, X: Any, names: Sequence | None):
        """Take an array of two dimensions."""
        self._array: Any = X.tocsr() if issparse(X) else np.asarray(X)
        if self._array.ndim != 2:
            raise TypeError(
                "Expected a table, whose columns are the reasons, got an array of "
                f"{self._array.ndim} dimensions. Where images and clips are abnormal, "
                "anomaly_map tells."
            )
        self.names = list(range(self._array.shape[1]) if names is None else names)

    def __len__(self) -> int:
        """Return the number of samples."""
        return self._array.shape[0]

    def __getitem__(self, rows: Any) -> Any:
        """Return some of the samples as they were given."""
        return self._array[rows]

    def values(self, position: int, rows: np.ndarray) -> np.ndarray:
        """Return what a column has in these rows, None for what is missing."""
        column = self._array[rows, position]
        return objects(np.asarray(column.todense() if issparse(column) else column))

    def replace(self, position: int, other: "Array", row: int) -> Any:
        """Return the samples with the value of another in a column."""
        replaced = (
            self._array.toarray() if issparse(self._array) else self._array.copy()
        )
        replaced[:, position] = other._array[row, position]
        return replaced


class Frame:
    """Samples in a frame of any library."""

    def __init__(self, X: Any, names: Sequence | None):
        """Take a frame."""
        self.frame = nw.from_native(X, eager_only=True)
        self.names = list(self.frame.columns if names is None else names)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.frame)

    def __getitem__(self, rows: Any) -> Any:
        """Return some of the samples as they were given."""
        return self.frame[rows].to_native()

    def values(self, position: int, rows: np.ndarray) -> np.ndarray:
        """Return what a column has in these rows, None for what is missing."""
        return objects(self._column(position)[rows.tolist()].to_list())

    def replace(self, position: int, other: "Frame", row: int) -> Any:
        """Return the samples with the value of another in a column."""
        value = other._column(position)[[row] * len(self)]
        name = self._column(position).name
        return self.frame.with_columns(value.alias(name)).to_native()

    def _column(self, position: int) -> Any:
        """Return a column by its name, or by its position if it has another."""
        name = self.names[position]
        is_named = name in self.frame.columns
        return self.frame.get_column(name) if is_named else self.frame[:, position]


class Rows:
    """Samples that are mappings from column to value."""

    frame = None

    def __init__(self, X: list, names: Sequence | None):
        """Take rows; without names the columns are those of the first."""
        self._rows = X
        self.names = list(X[0] if names is None else names)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self._rows)

    def __getitem__(self, rows: Any) -> Any:
        """Return some of the samples as they were given."""
        return [self._rows[row] for row in np.arange(len(self))[rows]]

    def values(self, position: int, rows: np.ndarray) -> np.ndarray:
        """Return what a column has in these rows, None for what is missing."""
        return objects([self._rows[row].get(self.names[position]) for row in rows])

    def replace(self, position: int, other: "Rows", row: int) -> Any:
        """Return the samples with the value of another in a column."""
        name = self.names[position]
        return [{**each, name: other._rows[row].get(name)} for each in self._rows]


Samples = Array | Frame | Rows


def objects(values: list | np.ndarray) -> np.ndarray:
    """Return values as objects, None for what is missing."""
    array = np.empty(len(values), dtype=object)
    if isinstance(values, np.ndarray) and values.dtype.kind in "iuf":
        array[:] = values.tolist()
        array[np.isnan(values)] = None
        return array
    array[:] = [None if _is_missing(value) else value for value in values]
    return array


def _is_missing(value: Any) -> bool:
    """Tell None, NaN, NaT and NA."""
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas.NA
        return True
