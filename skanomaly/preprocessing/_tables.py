"""Columns of a table as numpy arrays, whatever holds the table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from scipy.sparse import issparse

_EXPECTED = "Expected a frame or an array of shape (n_samples, n_features), got"


@dataclass(frozen=True)
class Column:
    """The values of a column, and what its dtype says about them.

    Numbers are float64 (durations in seconds), dates datetime64[us] as the clock on the
    wall shows them, and all else is object with None where a value is missing.
    """

    values: np.ndarray
    kind: str | None  # "number", "date", "category"; None: the values must tell


class Table:
    """A frame, an array, or rows that are mappings; read column by column."""

    def __init__(self, X: Any, names: Sequence[str] | None = None):
        """Take a table; rows as mappings need the names of their columns."""
        self.names: list[str] | None = None
        self._rows = _as_rows(X, names)
        self._frame = self._array = None
        if self._rows is not None:
            known = set().union(*self._rows)
            self.names = [name for name in names or () if name in known]
            self.shape = (len(self._rows), len(self.names))
            return
        _refuse_other_containers(X)
        if nw.dependencies.is_into_dataframe(X):
            self._frame = nw.from_native(X, eager_only=True)
            columns = list(self._frame.columns)
            self.names = columns if all(isinstance(c, str) for c in columns) else None
            self.shape = self._frame.shape
        else:
            self._array = _as_array(X)
            self.shape = self._array.shape

    def column(self, position: int) -> Column:
        """Read the column at a position."""
        if self._frame is not None:
            return _read_series(self._frame.get_column(self._frame.columns[position]))
        if self._array is not None:
            return _read_array(self._array[:, position])
        name = (self.names or [])[position]
        return Column(_objects(row.get(name) for row in self._rows or ()), None)


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
