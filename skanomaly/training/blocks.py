"""Batches of samples that are read block by block, and shuffled so."""

from collections.abc import Iterator
from math import prod

import numpy as np
import torch
from torch import Tensor

from skanomaly._sources import BlockSource

# Blocks whose rows are shuffled together have about so many values: 128 MB of float32.
VALUES_PER_BUFFER = 2**25


class BlockBatches:
    """All samples in batches; in a new order each time, if there is a generator.

    Rows at random would be read one by one, or decoded with all of their row group.
    Instead the blocks are read in a random order, as many as fill a buffer, and the
    rows within the buffer are shuffled. So rows of blocks that are far from each other
    meet in a batch, and what a batch holds is random as long as a buffer has several
    blocks.

    Parameters
    ----------
    source : BlockSource
        All samples.
    rows : ndarray of int or None
        Which of them are meant, in order; None means all.
    batch_size : int
        Samples in a batch; the last one may have fewer.
    device : torch.device
        Where batches are wanted.
    generator : torch.Generator or None, default=None
        Shuffles the samples; None keeps their order.
    """

    def __init__(
        self,
        source: BlockSource,
        rows: np.ndarray | None,
        batch_size: int,
        device: torch.device,
        generator: torch.Generator | None = None,
    ):
        self.source = source
        self.rows = rows
        # Where the rows of each block begin among those that are meant.
        starts = source.starts
        self.edges = starts if rows is None else np.searchsorted(rows, starts)
        self.n_rows = int(self.edges[-1])
        self.batch_size = batch_size
        self.device = device
        self.generator = generator

    def __len__(self) -> int:
        return -(-self.n_rows // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, None]]:
        rest = np.empty((0, *self.source.shape[1:]), np.float32)
        for blocks in self._buffers():
            buffer = self._fill(rest, blocks)
            order = self._order(len(buffer))
            # What makes no whole batch waits for the next buffer.
            n_whole = len(buffer) - len(buffer) % self.batch_size
            for start in range(0, n_whole, self.batch_size):
                rows = order[start : start + self.batch_size]
                yield torch.from_numpy(buffer[rows]).to(self.device), None
            rest = buffer[order[n_whole:]]
            del buffer  # before there is another
        if len(rest):
            yield torch.from_numpy(rest).to(self.device), None

    def _buffers(self) -> Iterator[list[int]]:
        """Yield the numbers of the blocks that are shuffled together."""
        n_in_block = np.diff(self.edges)
        blocks = np.flatnonzero(n_in_block)
        blocks = blocks[self._order(len(blocks))]
        if self.generator is None:
            yield from ([block] for block in blocks.tolist())
            return
        n_values = n_in_block[blocks].cumsum() * prod(self.source.shape[1:])
        number_of = (n_values - 1) // VALUES_PER_BUFFER
        for number in np.unique(number_of):
            yield blocks[number_of == number].tolist()

    def _order(self, n: int) -> np.ndarray:
        if self.generator is None:
            return np.arange(n)
        return torch.randperm(n, generator=self.generator).numpy()

    def _fill(self, rest: np.ndarray, blocks: list[int]) -> np.ndarray:
        """Put the rows of blocks into one array, after those that are left."""
        n_rows = len(rest) + sum(self.edges[b + 1] - self.edges[b] for b in blocks)
        buffer = np.empty((n_rows, *self.source.shape[1:]), np.float32)
        buffer[: len(rest)] = rest
        start = len(rest)
        for block in blocks:
            values = self._read(block)
            buffer[start : start + len(values)] = values
            start += len(values)
        return buffer

    def _read(self, block: int) -> np.ndarray:
        """Read those rows of a block that are meant."""
        values = self.source.read(block)
        if self.rows is None:
            return values
        rows = self.rows[self.edges[block] : self.edges[block + 1]]
        return values[rows - self.source.starts[block]]
