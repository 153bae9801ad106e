"""Columns of a table as numpy arrays, whatever holds the table."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from scipy.sparse import issparse

_EXPECTED = "Expected a frame or an array of shape (n_samples, n_features), got"
# Of pandas: numbers that can't be missing other than as NaN, and what is a list of
# objects, with what its dtype tells.
_NUMERIC = frozenset(map(np.dtype, "bhilqBHILQfd"))
_KINDS_OF_OBJECTS = {
    "object": None,
    "str": None,
    "string": None,
    "bool": "category",
    "category": "category",
}
_MOST_BITS = 63  # of a whole number that is surely a float64


@dataclass(frozen=True)
class Column:
    """The values of a column, and what its dtype says about them.

    Numbers are float64 (durations in seconds), dates datetime64[us] as the clock on the
    wall shows them, and all else is object with None where a value is missing.
    """

    values: np.ndarray
    kind: str | None  # "number", "date", "category"; None: the values must tell


class Table(ABC):
    """A frame, an array, or rows that are mappings; read column by column.

    Attributes: `names` of the columns, None if they are not all strings, and `shape`.
    """

    names: list[str] | None = None
    shape: tuple[int, int]

    @abstractmethod
    def column(self, position: int) -> Column:
        """Read the column at a position."""

    def is_numeric(self, position: int) -> bool:
        """Tell whether `numbers` can read a column."""
        return False

    def numbers(self, positions: list[int]) -> np.ndarray:
        """Read several numeric columns at once, as float64."""
        raise NotImplementedError


def as_table(X: Any, names: Sequence[str] | None = None) -> Table:
    """Return a table to read; rows as mappings need the names of their columns."""
    rows = _as_rows(X, names)
    if rows is not None:
        return _Rows(rows, names or ())
    _refuse_other_containers(X)
    if nw.dependencies.is_pandas_dataframe(X) and X.columns.is_unique:
        return _PandasFrame(X)
    return _Frame(X) if nw.dependencies.is_into_dataframe(X) else _Array(_as_array(X))


class _Rows(Table):
    """Rows that are mappings from name to value."""

    def __init__(self, rows: list[Mapping], names: Sequence[str]):
        known = set().union(*rows)
        self._rows = rows
        self._names = [name for name in names if name in known]
        self.names = self._names
        self.shape = (len(rows), len(self._names))

    def column(self, position: int) -> Column:
        name = self._names[position]
        return Column(_objects(row.get(name) for row in self._rows), None)

    def is_numeric(self, position: int) -> bool:
        name = self._names[position]
        return all(_is_plain_number(row.get(name)) for row in self._rows)

    def numbers(self, positions: list[int]) -> np.ndarray:
        names = [self._names[position] for position in positions]
        values = [[row.get(name) for name in names] for row in self._rows]
        return np.array(values, dtype=np.float64)


class _Array(Table):
    """An array, whose columns have no names."""

    def __init__(self, array: np.ndarray):
        self._array = array
        self.shape = array.shape

    def column(self, position: int) -> Column:
        return _read_array(self._array[:, position])

    def is_numeric(self, position: int) -> bool:
        return self._array.dtype.kind in "iuf"

    def numbers(self, positions: list[int]) -> np.ndarray:
        return self._array[:, positions].astype(np.float64, copy=False)


class _Frame(Table):
    """A frame of any library that narwhals knows."""

    def __init__(self, X: Any):
        self._native = X
        self._set_names(list(self._frame.columns))
        self.shape = self._frame.shape

    @cached_property
    def _frame(self) -> nw.DataFrame:
        return nw.from_native(self._native, eager_only=True)

    def _set_names(self, columns: list[Any]) -> None:
        self._columns = columns
        self.names = columns if all(isinstance(c, str) for c in columns) else None

    def column(self, position: int) -> Column:
        return _read_series(self._frame.get_column(self._columns[position]))


class _PandasFrame(_Frame):
    """A frame of pandas: what it has most of is read without a detour.

    Through narwhals, a row of it takes ten times as long.
    """

    def __init__(self, X: Any):
        self._native = X
        self._set_names(X.columns.tolist())
        self._dtypes = X.dtypes.tolist()
        self.shape = X.shape

    def column(self, position: int) -> Column:
        dtype = self._dtypes[position].name
        if dtype not in _KINDS_OF_OBJECTS:
            return super().column(position)
        values = self._native[self._columns[position]].to_list()
        return Column(_objects(values), _KINDS_OF_OBJECTS[dtype])

    def is_numeric(self, position: int) -> bool:
        return self._dtypes[position] in _NUMERIC

    def numbers(self, positions: list[int]) -> np.ndarray:
        return self._native.take(positions, axis=1).to_numpy(np.float64)


def _as_rows(X: Any, names: Sequence[str] | None) -> list[Mapping] | None:
    """Return rows that are mappings as a list; None if X is something else."""
    if names is None:
        return None
    is_series = hasattr(X, "index") and hasattr(X, "to_dict") and np.ndim(X) == 1
    if is_series and any(name in X.index for name in names):
        return [X.to_dict()]
    if isinstance(X, Mapping) and not all(_is_column(value) for value in X.values()):
        return [X]
    if isinstance(X, list | tuple) and X and all(isinstance(r, Mapping) for r in X):
        return list(X)
    return None


def _is_column(value: Any) -> bool:
    """Tell a column of a mapping of columns from a single value."""
    return not isinstance(value, str | bytes) and np.ndim(value) > 0


def _refuse_other_containers(X: Any) -> None:
    """Raise an error that says how to make a table of what is none."""
    kind = type(X).__name__
    if issparse(X):
        raise TypeError(
            f"{_EXPECTED} sparse data ({kind}). Pass X.toarray() if it fits into "
            "memory; otherwise put MaxAbsScaler, which keeps it sparse, before the "
            "detector instead of make_tabular_pipeline."
        )
    is_rows = isinstance(X, list | tuple) and X and isinstance(X[0], Mapping)
    if isinstance(X, Mapping) or is_rows:
        raise TypeError(
            f"{_EXPECTED} {'mappings' if is_rows else 'a mapping'} ({kind}). Pass "
            "pandas.DataFrame(X), or pandas.DataFrame([X]) if it is one row. What was "
            "fitted on a frame takes rows as mappings from column to value, too."
        )
    if hasattr(X, "collect") and not hasattr(X, "shape"):
        raise TypeError(f"{_EXPECTED} a lazy frame ({kind}). Pass X.collect().")


def _as_array(X: Any) -> np.ndarray:
    """Return a 2-d array, or raise an error that says how to make one."""
    if isinstance(X, np.ma.MaskedArray):
        array = X.data.astype(object)
        array[np.ma.getmaskarray(X)] = None
    elif hasattr(X, "__array__"):
        array = np.asarray(X)
    else:  # numpy would make strings of the numbers in a list of mixed rows
        array = np.array(X, dtype=object)
    kind = type(X).__name__
    if array.ndim == 1:
        raise ValueError(
            f"{_EXPECTED} one dimension ({kind} of length {len(array)}). Reshape your "
            "data: select one row as frame.iloc[[0]] or array[[0]], and one column as "
            "frame[['name']] or array[:, [0]]."
        )
    if array.ndim != 2:
        raise ValueError(f"{_EXPECTED} {array.ndim} dimensions ({kind}).")
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported. {_EXPECTED} {array.dtype}.")
    return array


def _read_series(series: Any) -> Column:
    dtype = series.dtype
    if dtype.is_numeric():
        return Column(series.cast(nw.Float64).to_numpy(), "number")
    if dtype == nw.Duration:
        values = series.cast(nw.Duration("us")).to_numpy()
        return Column(values / np.timedelta64(1, "s"), "number")
    if dtype == nw.Datetime:
        local = series.dt.replace_time_zone(None)
        return Column(local.cast(nw.Datetime("us")).to_numpy(), "date")
    if dtype == nw.Date:
        return Column(series.cast(nw.Datetime("us")).to_numpy(), "date")
    is_category = dtype in (nw.Boolean, nw.Categorical, nw.Enum)
    return Column(_objects(series.to_list()), "category" if is_category else None)


def _read_array(values: np.ndarray) -> Column:
    kind = values.dtype.kind
    if kind in "iuf":
        return Column(values.astype(np.float64), "number")
    if kind == "m":
        return Column(values / np.timedelta64(1, "s"), "number")
    if kind == "M":
        return Column(values.astype("datetime64[us]"), "date")
    return Column(_objects(values.tolist()), "category" if kind == "b" else None)


def _objects(values: Iterable[Any]) -> np.ndarray:
    """Return values as objects, None for each that is missing."""
    present = [None if _is_missing(value) else value for value in values]
    array = np.empty(len(present), dtype=object)
    array[:] = present
    return array


def _is_plain_number(value: Any) -> bool:
    """Tell what numpy makes a number of without a second look; None is NaN."""
    kind = type(value)
    if kind is int:
        return value.bit_length() <= _MOST_BITS
    return kind is float or value is None


def _is_missing(value: Any) -> bool:
    """Tell None, NaN, NaT, pandas.NA and blank strings."""
    if isinstance(value, str):
        return not value or value.isspace()
    if value is None:
        return True
    try:
        return bool(value != value)  # NaN and NaT
    except TypeError:  # pandas.NA
        return True
    except ValueError:  # an array
        return False
