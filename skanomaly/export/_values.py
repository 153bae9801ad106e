"""What flows between the steps of an estimator: columns of numbers and of text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ._graph import Graph


@dataclass(frozen=True)
class Block:
    """Columns of one dtype in one value of the graph; text is object."""

    value: str
    n_columns: int
    dtype: Any

    @property
    def is_text(self) -> bool:
        """Whether it holds strings."""
        return np.dtype(self.dtype) == object


@dataclass(frozen=True)
class Values:
    """Blocks beside each other; those of a table have the names of its columns."""

    blocks: tuple[Block, ...]
    names: tuple[str, ...] | None = None

    def of(self, estimator: Any) -> "Values":
        """Return the columns that an estimator was fitted on, in its order."""
        if self.names is None:
            return self
        blocks = dict(zip(self.names, self.blocks, strict=True))
        return Values(tuple(blocks[name] for name in column_names(estimator)))

    def column(self, name: str) -> str:
        """Return the value of a column of a table."""
        return self.blocks[(self.names or ()).index(name)].value

    def select(self, graph: Graph, positions: Sequence[int]) -> "Values":
        """Return some of the columns."""
        if len(self.blocks) == 1 and self.blocks[0].n_columns != 1:
            (block,) = self.blocks
            taken = graph.take(block.value, positions)
            return Values((Block(taken, len(positions), block.dtype),))
        columns = [each for block in self.blocks for each in _split(graph, block)]
        return Values(tuple(columns[position] for position in positions))

    def columns(self, graph: Graph) -> list[Block]:
        """Return each column as a block of its own."""
        return [each for block in self.blocks for each in _split(graph, block)]

    def numbers(self, graph: Graph, dtype: Any = np.float64) -> str:
        """Return all columns as one value of numbers."""
        if any(block.is_text for block in self.blocks):
            raise TypeError("A step takes numbers, and is given text.")
        return graph.concat(
            [
                each.value if each.dtype == dtype else graph.cast(each.value, dtype)
                for each in self.blocks
            ]
        )

    @property
    def dtype(self) -> Any:
        """float32 if all columns are, and float64 otherwise."""
        are_float32 = all(block.dtype == np.float32 for block in self.blocks)
        return np.float32 if are_float32 else np.float64

    @property
    def n_columns(self) -> int:
        """How many columns there are."""
        return sum(block.n_columns for block in self.blocks)


def numbers(value: str, n_columns: int, dtype: Any = np.float64) -> Values:
    """Return one value of numbers as columns without names."""
    return Values((Block(value, n_columns, dtype),))


def column_names(estimator: Any) -> list[str]:
    """Return the names of the columns seen in fit, by position if they had none."""
    if hasattr(estimator, "feature_names_in_"):
        return [str(name) for name in estimator.feature_names_in_]
    return [f"x{position}" for position in range(estimator.n_features_in_)]


def _split(graph: Graph, block: Block) -> list[Block]:
    """Return the columns of a block."""
    if block.n_columns == 1:
        return [block]
    return [
        Block(graph.take(block.value, [position]), 1, block.dtype)
        for position in range(block.n_columns)
    ]
