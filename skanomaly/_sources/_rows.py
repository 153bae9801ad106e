"""What is asked of rows that needn't fit into memory."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ._blocks import BlockSource

# Enough values for one reading to be worth it; many such blocks fit into a buffer.
VALUES_PER_BLOCK = 2**19
# Of what is no folder of files, so many rows are scored as a part.
ROWS_PER_PART = 1_000_000
# A frame for an estimator has no more rows than this.
ROWS_PER_FRAME = 2**16
_ROWS_OF_THE_HEAD = 1000


class RowSource(BlockSource):
    """Rows that are read as numbers for networks, and as frames for other estimators.

    A subclass sets `name`, too: the file, or what else they are.
    """

    name: str

    @abstractmethod
    def frames(
        self,
        block: int,
        columns: Sequence[str] | None = None,
        keep: Sequence[str] = (),
    ) -> Iterator[tuple[Any, dict[str, Any]]]:
        """Yield few rows of a block at a time, and those to keep as Arrow has them."""

    @property
    def all_columns(self) -> list[str] | None:
        """Name what can be read, selected or not."""
        return self.columns

    def first_frame(
        self, n_rows: int = _ROWS_OF_THE_HEAD, columns: Sequence[str] | None = None
    ) -> Any:
        """Return some of the first rows as an estimator takes them."""
        frames = (f for b in range(self.n_blocks) for f, _ in self.frames(b, columns))
        return next(frame[:n_rows] for frame in frames if len(frame))

    @abstractmethod
    def sample(self, rows: np.ndarray, columns: Sequence[str] | None = None) -> Any:
        """Return some rows, sorted, as an estimator takes them."""

    @abstractmethod
    def stamp(self) -> str:
        """Tell by a few words whether the rows are those of another time."""

    @abstractmethod
    def parts(self) -> "Sequence[RowSource]":
        """Cut the rows into parts of which each is scored as a whole."""

    def place(self, row: int) -> str:
        """Tell where a row is."""
        return f"row {row} of {self.name}"

    def head(self) -> Any:
        """Return the first rows as an array of float32."""
        if not self.shape[0]:
            return np.empty(self.shape, np.float32)
        first = int(np.flatnonzero(np.diff(self.starts))[0])
        return self.read(first)[:_ROWS_OF_THE_HEAD]


def cut_into_parts(starts: np.ndarray) -> list[range]:
    """Return the blocks of each part, of about as many rows as a part has."""
    part_of = starts[:-1] // ROWS_PER_PART
    edges = [0, *(np.flatnonzero(np.diff(part_of)) + 1).tolist(), len(starts) - 1]
    return [range(*pair) for pair in pairwise(edges)]
