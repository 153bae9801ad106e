"""Rows of arrays: in memory, and in a file that is mapped into memory."""

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ._rows import ROWS_PER_FRAME, VALUES_PER_BLOCK, RowSource, cut_into_parts

# Workers of joblib get large arrays as maps: with n_jobs, as without, they are arrays.
_OF_JOBLIB = "joblib_memmapping_folder"


class ArrayRows(RowSource):
    """Rows of an array."""

    def __init__(self, X: np.ndarray, name: str = "X"):
        self.name = name
        self.X = X
        self.shape = X.shape
        self.starts = _starts_of_blocks(X.shape)

    def frames(
        self,
        block: int,
        columns: Sequence[str] | None = None,
        keep: Sequence[str] = (),
    ) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Yield arrays of few rows."""
        rows = self._slice(self.starts[block], self.starts[block + 1])
        for start in range(0, len(rows), ROWS_PER_FRAME):
            yield rows[start : start + ROWS_PER_FRAME], {}

    def stamp(self) -> str:
        """Return the shape."""
        return f"{self.name} {self.shape}"

    def sample(self, rows: np.ndarray, columns: Sequence[str] | None = None) -> Any:
        """Return some rows as an array."""
        found = [
            self._slice(self.starts[block], self.starts[block + 1])[positions]
            for block, _, positions in self.by_block(rows)
        ]
        return np.concatenate(found)

    def parts(self) -> "list[ArrayRows]":
        """Cut the rows after each million."""
        return [self._part(blocks) for blocks in cut_into_parts(self.starts)]

    def _part(self, blocks: range) -> "ArrayRows":
        return ArrayRows(self.X[self._extent(blocks)], self.name)

    def _extent(self, blocks: range) -> slice:
        return slice(self.starts[blocks.start], self.starts[blocks.stop])

    def _slice(self, start: int, stop: int) -> np.ndarray:
        return self.X[start:stop]

    def _values(self, block: int) -> np.ndarray:
        rows = self._slice(self.starts[block], self.starts[block + 1])
        if rows.dtype.kind in "mM":
            raise TypeError(
                f"Networks take numbers only, and {self.name} holds {rows.dtype}. Turn "
                "dates into numbers first, for example into seconds."
            )
        return np.ascontiguousarray(rows, dtype=np.float32)


class MemoryMap(ArrayRows):
    """Rows of a memory map, read from its file.

    Reading through the map would count all its pages as memory of this process, and
    kill it, by a signal that Python can't catch, if the file has become shorter. Only
    the place in the file is kept, so that workers get a name and no data.
    """

    def __init__(self, X: np.memmap):
        root = _root(X)
        self.file = Path(str(root.filename))
        self.name = str(self.file)
        self.dtype = X.dtype
        self.shape = X.shape
        self.starts = _starts_of_blocks(X.shape)
        self.first_row = 0
        self._offset = root.offset + X.ctypes.data - root.ctypes.data
        self._bytes_per_row = X.strides[0]

    def _part(self, blocks: range) -> "MemoryMap":
        extent, part = self._extent(blocks), copy.copy(self)
        part.shape = (extent.stop - extent.start, *self.shape[1:])
        part.starts = self.starts[blocks.start : blocks.stop + 1] - extent.start
        part.first_row = self.first_row + extent.start
        return part

    def stamp(self) -> str:
        """Return the shape, and when the file was changed."""
        found = self.file.stat()
        return f"{super().stamp()} {self.first_row} {found.st_size} {found.st_mtime_ns}"

    def place(self, row: int) -> str:
        """Count rows from the beginning of the map."""
        return super().place(self.first_row + row)

    def _slice(self, start: int, stop: int) -> np.ndarray:
        rows = np.empty((stop - start, *self.shape[1:]), self.dtype)
        position = self._offset + (self.first_row + start) * self._bytes_per_row
        try:
            with self.file.open("rb", buffering=0) as file:
                file.seek(position)
                n_read = _fill(file, rows)
        except OSError as error:
            raise OSError(f"The memory map {self.file} can't be read: {error}") from (
                error
            )
        if n_read < rows.nbytes:
            raise OSError(
                _is_truncated(self.file, self.place(start), position + n_read)
            )
        return rows


def check_not_truncated(X: np.memmap) -> None:
    """Raise if the file of a memory map is shorter than the map."""
    root = _root(X)
    if root.filename is None or not Path(str(root.filename)).exists():
        return  # while it is mapped, what was deleted is there
    end = root.offset + X.ctypes.data - root.ctypes.data + X.nbytes
    if Path(root.filename).stat().st_size < end:
        size = Path(root.filename).stat().st_size
        raise OSError(_is_truncated(root.filename, f"{len(X)} rows", size))


def is_readable_by_name(X: np.memmap) -> bool:
    """Tell whether the file holds what the map shows, row after row."""
    root = _root(X)
    is_named = root.filename is not None and root.mode != "c"
    if _OF_JOBLIB in str(root.filename):
        return False
    return is_named and X.flags.c_contiguous and X.ndim > 1 and X.dtype.kind in "biuf"


def _is_truncated(file: Any, wanted: str, end: int) -> str:
    return (
        f"The memory map {file} is truncated: the file ends at byte {end}, before the "
        f"end of {wanted}. Write it again and open it anew."
    )


def _fill(file: Any, rows: np.ndarray) -> int:
    """Read until an array is full or the file ends; return the number of bytes."""
    view, n_read = rows.reshape(-1).view(np.uint8).data, 0
    while n_read < len(view) and (n := file.readinto(view[n_read:])):
        n_read += n
    return n_read


def _root(X: np.memmap) -> np.memmap:
    """Return the map that a view is of: only its offset is right."""
    while isinstance(X.base, np.memmap):
        X = X.base
    return X


def _starts_of_blocks(shape: tuple[int, ...]) -> np.ndarray:
    n_rows, n_values = shape[0], int(np.prod(shape[1:]))
    step = max(VALUES_PER_BLOCK // max(n_values, 1), 1)
    return np.append(np.arange(0, n_rows, step), n_rows)
