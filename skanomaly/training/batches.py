"""Whole batches for training: one gather each, from the caller's own array."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from scipy import sparse
from torch import Tensor

# Rows live on an accelerator while they need less than this fraction of its free
# memory.
_FRACTION_OF_DEVICE_MEMORY = 0.25


class Batches:
    """All samples in batches, in a new order each time, as skorch iterates over them.

    Parameters
    ----------
    X : ndarray, memory map, Tensor or CSR matrix or array
        All samples, float32.
    rows : ndarray of int or None
        Which of them are meant; None means all.
    batch_size : int
        Samples in a batch.
    device : torch.device
        Where batches are wanted.
    generator : torch.Generator or None
        Shuffles the samples; None keeps their order.
    """

    def __init__(
        self,
        X: Any,
        rows: np.ndarray | None,
        batch_size: int,
        device: torch.device,
        generator: torch.Generator | None = None,
    ):
        self.rows = rows
        self.n_rows = X.shape[0] if rows is None else len(rows)
        self.place, self.gather = _gatherer(X, device)
        self.batch_size = batch_size
        self.generator = generator

    def __len__(self) -> int:
        return -(-self.n_rows // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, None]]:
        order = (
            np.arange(self.n_rows)
            if self.generator is None
            else torch.randperm(self.n_rows, generator=self.generator).numpy()
        )
        if self.rows is not None:
            order = self.rows[order]
        order = self.place(order)
        for start in range(0, self.n_rows, self.batch_size):
            yield self.gather(order[start : start + self.batch_size]), None


class Rounds:
    """A number of batches, handed out in rounds of which each goes on after the last.

    Parameters
    ----------
    batches : Batches
        All samples, which come again and again.
    n_batches : int
        Batches of all rounds together.
    n_per_round : int
        Batches of a round; the last one may have fewer.
    """

    def __init__(self, batches: Batches, n_batches: int, n_per_round: int):
        again_and_again = itertools.chain.from_iterable(itertools.repeat(batches))
        self.left = itertools.islice(again_and_again, n_batches)
        self.n_per_round = n_per_round

    def __iter__(self) -> Iterator[tuple[Tensor, None]]:
        return itertools.islice(self.left, self.n_per_round)


def _gatherer(
    X: Any, device: torch.device
) -> tuple[Callable[[np.ndarray], Any], Callable[[Any], Tensor]]:
    """Choose who gathers rows, without ever copying the data within a memory.

    Returns what takes the numbers of an epoch's rows to where they are wanted, and what
    gathers some of those rows.
    """
    # torch warns when it is shown memory that it must not write to.
    is_numpy = isinstance(X, np.ndarray)
    if isinstance(X, Tensor) or (is_numpy and X.flags.writeable):
        samples = X if isinstance(X, Tensor) else torch.from_numpy(X)
        if _fits(samples, device):
            on_device = samples.to(device)
            return (
                lambda order: torch.from_numpy(order).to(device),
                lambda rows: on_device.index_select(0, rows),
            )
    return (
        lambda order: order,
        lambda rows: dense(X[rows] if not is_numpy else X.take(rows, axis=0)).to(
            device
        ),
    )


def _fits(samples: Tensor, device: torch.device) -> bool:
    """Tell whether the device may hold all samples."""
    if samples.device.type == device.type:
        return True
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return samples.nbytes < _FRACTION_OF_DEVICE_MEMORY * free


def device_of(X: Any) -> torch.device:
    """Return where samples are, which need not be where batches are wanted."""
    return X.device if isinstance(X, Tensor) else torch.device("cpu")


def pad(x: Tensor, n_rows: int) -> Tensor:
    """Return a copy of a batch, zeros below it, in memory that begins as torch's does.

    Kernels may round by where a batch begins.
    """
    return F.pad(x, (0, 0) * (x.ndim - 1) + (0, n_rows - x.shape[0]))


def dense(rows: Any) -> Tensor:
    """Return rows of whatever kind as a tensor."""
    if isinstance(rows, Tensor):
        return rows
    if sparse.issparse(rows):
        rows = rows.toarray()
    if not rows.flags.writeable:
        rows = rows.copy()
    return torch.from_numpy(rows)
