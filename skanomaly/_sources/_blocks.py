"""Samples as a network reads them: float32, block by block."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np

# What has fewer values is read at once, and shuffled as a whole: 128 MB of float32.
LARGEST_IN_MEMORY = 2**25


class BlockSource(ABC):
    """Samples in blocks of consecutive ones, of which each is read by itself.

    A subclass sets `shape` (n_samples, ...), `columns` (None without names) and
    `starts`: the first sample of each block, and the number of all.
    """

    shape: tuple[int, ...]
    columns: list[str] | None = None
    starts: np.ndarray

    @abstractmethod
    def _values(self, block: int) -> np.ndarray:
        """Return the numbers of a block as float32, in C order."""

    @abstractmethod
    def head(self) -> Any:
        """Return some of the first samples, as a detector takes them."""

    @abstractmethod
    def place(self, row: int) -> str:
        """Tell where a sample is: the file, and the row in it."""

    @property
    def n_blocks(self) -> int:
        """Number of blocks."""
        return len(self.starts) - 1

    def read(self, block: int) -> np.ndarray:
        """Return a block; raise if it holds what is no finite number."""
        with np.errstate(over="ignore", invalid="ignore"):
            values = self._values(block)
            if not np.isfinite(values.sum()):  # in one pass, without a mask
                self._refuse_infinite(values, int(self.starts[block]))
        return values

    def _refuse_infinite(self, values: np.ndarray, start: int) -> None:
        """Name the first value that is not finite, if there is any."""
        flat = values.reshape(len(values), -1)
        is_bad = ~np.isfinite(flat)
        if not is_bad.any():
            return
        row, column = np.argwhere(is_bad)[0].tolist()
        too_large = "infinity or a value too large for float32"
        what = "NaN" if np.isnan(flat[row, column]) else too_large
        name = self.columns[column] if self.columns else column
        raise ValueError(
            f"Input X contains {what}: column {name!r} in {self.place(start + row)}. "
            "Networks need finite numbers; skanomaly.out_of_core.fit_batches trains a "
            "Pipeline that imputes."
        )

    def by_block(
        self, rows: np.ndarray
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yield each block that has some rows, which they are, and where in it."""
        block_of = np.searchsorted(self.starts, rows, side="right") - 1
        for block in np.unique(block_of).tolist():
            here = np.flatnonzero(block_of == block)
            yield block, here, rows[here] - self.starts[block]

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Return some samples in the order asked for."""
        rows = np.arange(self.shape[0])[rows]
        taken = np.empty((len(rows), *self.shape[1:]), np.float32)
        for block, here, positions in self.by_block(rows):
            taken[here] = self.read(block)[positions]
        return taken

    def load(self, sample_shape: tuple[int, ...]) -> Any:
        """Return samples of a shape: an array if it is small, else a source."""
        if math.prod(self.shape) > LARGEST_IN_MEMORY:
            return ReshapedRows(self, sample_shape)
        loaded = np.empty(self.shape, np.float32)
        for block in range(self.n_blocks):
            loaded[self.starts[block] : self.starts[block + 1]] = self.read(block)
        return loaded.reshape(-1, *sample_shape)


class ReshapedRows(BlockSource):
    """Rows as samples of a shape."""

    def __init__(self, rows: BlockSource, sample_shape: tuple[int, ...]):
        self._rows = rows
        self.shape = (rows.shape[0], *sample_shape)
        self.starts = rows.starts

    def place(self, row: int) -> str:
        """Tell where a sample is."""
        return self._rows.place(row)

    def head(self) -> Any:
        """Return the first samples."""
        return self.read(0)

    def read(self, block: int) -> np.ndarray:
        """Return the samples of a block, which the rows have checked."""
        return self._values(block)

    def _values(self, block: int) -> np.ndarray:
        return self._rows.read(block).reshape(-1, *self.shape[1:])
