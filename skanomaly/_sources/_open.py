"""From what a user has to a source of rows."""

import os
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from . import _blocks
from ._array import ArrayRows, MemoryMap, check_not_truncated, is_readable_by_name
from ._blocks import BlockSource
from ._rows import RowSource


def open_source(source: Any, columns: Sequence[str] | None = None) -> RowSource:
    """Open data that needn't fit into memory.

    Detectors take what can be opened here as it is; this is for a choice of columns.

    Parameters
    ----------
    source : path, list of paths, pyarrow.dataset.Dataset, pyarrow.Table, \
            list of pyarrow.RecordBatch, memory map, DataFrame or ndarray
        Paths are those of Parquet files, of folders of them, or of one ``.npy`` file.
        Folders named ``key=value`` add a column.
    columns : list of str or None, default=None
        Columns that are read, in this order; None means all. For tables only.

    Returns
    -------
    source : RowSource
        To be passed to ``fit``, ``score_samples``, `fit_batches` or `score_batches`. It
        has `shape`, `columns` (None without names), and ``source[rows]`` returns some
        rows as float32.

    Raises
    ------
    ValueError
        If a file lacks a column, or has it in another type than the others.
    OSError
        If a file is truncated or not there.
    TypeError
        If it is something else.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from skanomaly.out_of_core import open_source
    >>> table = pa.table({"key": ["a", "b"], "x": [0.5, 1.5], "y": [1, 2]})
    >>> open_source(table, columns=["x", "y"])[[1]]
    array([[1.5, 2. ]], dtype=float32)
    """
    if isinstance(source, RowSource):
        if columns is not None:
            raise ValueError("columns is for what is not opened yet.")
        return source
    if _is_path(source) and Path(source).suffix == ".npy":
        source = _map_file(source)
    if isinstance(source, np.ndarray):
        if columns is not None:
            raise ValueError("columns is for tables; select those of an array by X[:].")
        _check_array(source)
        if isinstance(source, np.memmap) and is_readable_by_name(source):
            return MemoryMap(source)
        return ArrayRows(source)
    return _open_table(source, columns)


def as_source(X: Any) -> BlockSource | None:
    """Return what is read block by block as a source, and None for all else.

    A small memory map is none: it is an array, once its file is known to be whole.
    """
    if type(X) is np.ndarray:  # the most common
        return None
    if isinstance(X, BlockSource):
        return X
    if isinstance(X, np.memmap):
        check_not_truncated(X)
        is_large = X.size > _blocks.LARGEST_IN_MEMORY and is_readable_by_name(X)
        return MemoryMap(X) if is_large else None
    is_table = _is_arrow(X) or _is_path(X) or _is_list_of_parts(X)
    return open_source(X) if is_table else None


def check_pyarrow() -> None:
    """Name the extra that installs pyarrow if it isn't there."""
    try:
        for name in ("pyarrow", "pyarrow.dataset"):
            import_module(name)
    except ImportError as error:
        raise ImportError(
            "Arrow tables and Parquet files need pyarrow: pip install "
            "'skanomaly[arrow]'."
        ) from error


def _open_table(source: Any, columns: Sequence[str] | None) -> RowSource:
    """Open what has named columns; only here pyarrow is needed."""
    check_pyarrow()
    import pyarrow as pa
    import pyarrow.dataset

    from ._parquet import ParquetDataset
    from ._table import ArrowTable

    are_paths = isinstance(source, list) and bool(source) and all(map(_is_path, source))
    if _is_path(source) or are_paths:
        source = _open_files(source)
    if isinstance(source, pyarrow.dataset.Dataset):
        return ParquetDataset(source, columns)
    if isinstance(source, pa.RecordBatch):
        source = [source]
    if _is_list_of_parts(source):
        source = _join(source)
    if not isinstance(source, pa.Table):
        source = _as_table(source)
    return ArrowTable(source, columns)


def _map_file(path: Any) -> np.memmap:
    """Map an array of a file, or say that there is none."""
    try:
        return np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        is_missing = isinstance(error, FileNotFoundError)
        kind = FileNotFoundError if is_missing else OSError
        raise kind(f"{path} can't be read as an array of numbers: {error}") from error


def _check_array(X: np.ndarray) -> None:
    """Refuse an array that has no rows of values."""
    if X.ndim < 2:
        raise ValueError(
            f"Expected an array of shape (n_samples, n_features), got {X.shape}. "
            "Reshape it by X.reshape(-1, 1) if it has one feature."
        )
    if X.dtype.kind in "cV":
        raise TypeError(f"Expected an array of numbers or objects, got {X.dtype}.")


def _join(parts: list[Any]) -> Any:
    """Return tables and record batches of one schema as one table."""
    import pyarrow as pa

    tables = [
        pa.Table.from_batches([part]) if isinstance(part, pa.RecordBatch) else part
        for part in parts
    ]
    if not all(isinstance(table, pa.Table) for table in tables):
        raise TypeError("A list must hold paths, or else tables and record batches.")
    try:
        return pa.concat_tables(tables)
    except pa.ArrowInvalid as error:
        raise ValueError(f"The record batches have several schemas: {error}") from error


def _open_files(paths: Any) -> Any:
    """Open Parquet files, or say which can't be."""
    import pyarrow as pa
    import pyarrow.dataset

    names = [os.fspath(p) for p in (paths if isinstance(paths, list) else [paths])]
    for name in names:
        if "://" not in name and not Path(name).exists():
            raise FileNotFoundError(f"There is no file or folder {name}.")
    try:
        return pyarrow.dataset.dataset(
            names if isinstance(paths, list) else names[0],
            format="parquet",
            partitioning="hive",
        )
    except (OSError, pa.ArrowException) as error:
        raise OSError(
            f"{', '.join(names)} can't be read as Parquet: {error}"
        ) from error


def _as_table(frame: Any) -> Any:
    """Return a frame of pandas or polars as an Arrow table."""
    import narwhals.stable.v2 as nw

    if not nw.dependencies.is_into_dataframe(frame):
        raise TypeError(
            "Expected a path of Parquet files, a data set or a table of pyarrow, a "
            f"memory map, a frame or an array, got {type(frame).__name__}."
        )
    return nw.from_native(frame, eager_only=True).to_arrow()


def _is_path(X: Any) -> bool:
    return isinstance(X, str | os.PathLike)


def _is_arrow(X: Any) -> bool:
    """Tell what pyarrow holds, without importing it."""
    if not type(X).__module__.startswith("pyarrow"):
        return False
    return type(X).__name__ in ("Table", "RecordBatch") or hasattr(X, "get_fragments")


def _is_list_of_parts(X: Any) -> bool:
    is_list = isinstance(X, list) and bool(X)
    return is_list and all(_is_path(x) or _is_arrow(x) for x in X)
