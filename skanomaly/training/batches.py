"""Whole batches by index: no row is ever handled on its own.

A generic loader fetches rows one by one and stacks them again, which costs several
times the training of a small network. Here a batch is one gather from the caller's
own array.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor
from torch.utils.data import Dataset, Subset

# Rows live on an accelerator while they need less than this share of its free memory.
_SHARE_OF_DEVICE_MEMORY = 0.25
# About so many values are scored at once: enough to keep the processor busy, little
# enough that the batch stays in its cache and that a single row is answered at once.
_VALUES_PER_SCORED_BATCH = 2**17
_BLOCK = 32


class BatchLoader:
    """Iterate over whole batches of a data set, as skorch's ``iterator_train``.

    Parameters
    ----------
    dataset : skorch.dataset.Dataset or torch.utils.data.Subset of one
        Its ``X`` is a float32 array of shape (n_samples, ...) or a CSR
        matrix. Rows of an array are copied batch by batch, so it may be read-only or a
        memory map; rows of a matrix are made dense batch by batch.
    batch_size : int
        Rows in a batch; the last one may have fewer and is never dropped.
    shuffle : bool, default=False
        Whether each iteration takes the rows in a new order.
    generator : torch.Generator or None, default=None
        The source of the order.
    device : str or torch.device, default="cpu"
        Where the batches are wanted.

    Yields
    ------
    x : Tensor of shape (batch_size, ...)
        A fresh copy of the rows.
    y : None
        No detector looks at labels.

    Examples
    --------
    >>> import numpy as np
    >>> from skorch.dataset import Dataset
    >>> from skanomaly.training.batches import BatchLoader
    >>> X = np.zeros((5, 3), dtype=np.float32)
    >>> [len(x) for x, _ in BatchLoader(Dataset(X), batch_size=2)]
    [2, 2, 1]
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int,
        *,
        shuffle: bool = False,
        generator: torch.Generator | None = None,
        device: str | torch.device = "cpu",
    ):
        self.rows: np.ndarray | None = None
        while isinstance(dataset, Subset):
            indices = np.asarray(dataset.indices)
            self.rows = indices if self.rows is None else indices[self.rows]
            dataset = dataset.dataset
        self.samples = _place(dataset.X, torch.device(device))  # type: ignore[attr-defined] # skorch's Dataset, which carries no types
        self.n_rows = len(dataset) if self.rows is None else len(self.rows)  # type: ignore[arg-type] # torch's Dataset declares no __len__
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.generator = generator

    def __len__(self) -> int:
        return -(-self.n_rows // self.batch_size)

    def __iter__(self) -> Iterator[tuple[Tensor, None]]:
        order = (
            torch.randperm(self.n_rows, generator=self.generator).numpy()
            if self.shuffle
            else np.arange(self.n_rows)
        )
        if self.rows is not None:
            order = self.rows[order]
        for start in range(0, self.n_rows, self.batch_size):
            yield self.samples[order[start : start + self.batch_size]], None


class _TensorSamples:
    """Rows that torch can gather by itself, where the network is."""

    def __init__(self, X: Tensor):
        self.X = X

    def __getitem__(self, rows: np.ndarray) -> Tensor:
        return self.X.index_select(0, torch.from_numpy(rows).to(self.X.device))


class _HostSamples:
    """Rows that are gathered by numpy or scipy, and then sent to the device."""

    def __init__(self, X: Any, device: torch.device):
        self.X = X
        self.device = device

    def __getitem__(self, rows: np.ndarray) -> Tensor:
        X = self.X
        batch = X[rows].toarray() if sparse.issparse(X) else X.take(rows, axis=0)
        return torch.from_numpy(batch).to(self.device)


def _place(X: Any, device: torch.device) -> _TensorSamples | _HostSamples:
    """Choose who gathers, without ever copying the data within a memory."""
    # torch warns when it is shown memory that it must not write to.
    if sparse.issparse(X) or not X.flags.writeable:
        return _HostSamples(X, device)
    samples = torch.from_numpy(X)
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        if X.nbytes > _SHARE_OF_DEVICE_MEMORY * free:
            return _HostSamples(X, device)
    elif device.type != "cpu":
        return _HostSamples(X, device)
    return _TensorSamples(samples.to(device))


def scored_batches(
    X: Any, device: str | torch.device, max_rows: int = 1024
) -> Iterator[tuple[slice, Tensor]]:
    """Cut samples into batches of one fixed shape, the last one padded with zeros.

    Matrix products of different shapes differ in their last bits. With one shape, a
    sample's score is the same to the bit whatever is scored beside it.

    Parameters
    ----------
    X : ndarray of shape (n_samples, ...) or CSR matrix
        The samples, float32.
    device : str or torch.device
        Where the batches are wanted.
    max_rows : int, default=1024
        Rows in a batch, at the most; wide samples come in smaller ones.

    Yields
    ------
    rows : slice
        Which samples of `X` are in the batch; the rest of the batch is padding.
    x : Tensor of shape (batch_size, ...)
        The same shape for every batch of every `X` with this sample shape.

    Examples
    --------
    >>> import numpy as np
    >>> from skanomaly.training.batches import scored_batches
    >>> X = np.ones((1030, 3), dtype=np.float32)
    >>> [(rows.stop - rows.start, x.shape) for rows, x in scored_batches(X, "cpu")]
    [(1024, torch.Size([1024, 3])), (6, torch.Size([1024, 3]))]
    """
    n_samples, *sample_shape = X.shape
    n_values = int(np.prod(sample_shape))
    n_rows = min(max(_VALUES_PER_SCORED_BATCH // n_values, 1), max_rows)
    if n_rows > _BLOCK:  # rows that fill no block of a kernel are rounded differently
        n_rows -= n_rows % _BLOCK
    for start in range(0, n_samples, n_rows):
        rows = slice(start, min(start + n_rows, n_samples))
        part = X[rows].toarray() if sparse.issparse(X) else X[rows]
        padded = np.zeros((n_rows, *sample_shape), dtype=np.float32)
        padded[: len(part)] = part
        yield rows, torch.from_numpy(padded).to(device)
