"""Passes over whole data in bounded memory, batch by batch."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor

from skanomaly.nn import DetectorModule

from .batches import device_of
from .rounding import sizes_alike

# Batches of one fixed shape, with the number of rows that are no padding.
PaddedBatches = Iterable[tuple[int, Tensor]]


def map_batches(
    fn: Callable[[Tensor], Tensor], batches: PaddedBatches
) -> Iterator[Tensor]:
    """Apply a function to each batch and leave out the padding.

    Parameters
    ----------
    fn : callable
        Takes a batch and returns a tensor with a row for each of its rows.
    batches : iterable of (int, Tensor)
        Each with the number of its rows that count.

    Yields
    ------
    values : Tensor of shape (n_rows, ...)
        What the function returned for them.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.training.passes import map_batches
    >>> [y.tolist() for y in map_batches(torch.neg, [(1, torch.ones(3))])]
    [[-1.0]]
    """
    for n_rows, x in batches:
        yield fn(x)[:n_rows]


def collect(
    values: Iterable[Tensor], n_rows: int, device: str | torch.device = "cpu"
) -> Tensor:
    """Put the values of all batches into one tensor that is allocated once.

    Parameters
    ----------
    values : iterable of Tensor
        Of the shapes (n, ...), as from `map_batches`.
    n_rows : int
        Rows of all of them.
    device : str or torch.device, default="cpu"
        Where they are wanted.

    Returns
    -------
    collected : Tensor of shape (n_rows, ...)
        In float64, or in float32 on Apple's MPS, which has no other.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.training.passes import collect
    >>> collect([torch.zeros(2), torch.ones(1)], 3).tolist()
    [0.0, 0.0, 1.0]
    """
    device = torch.device(device)
    dtype = torch.float32 if device.type == "mps" else torch.float64
    collected, start = None, 0
    for part in values:
        if part.shape[0] == n_rows:  # all in one batch
            return part.to(device).to(dtype)
        if collected is None:
            shape = (n_rows, *part.shape[1:])
            collected = torch.empty(shape, dtype=dtype, device=device)
        # In float32 to the other device: it may be the one that has float64.
        collected[start : start + len(part)] = part.to(device)
        start += len(part)
    if collected is None:  # no rows at all
        return torch.empty(0, dtype=dtype, device=device)
    return collected


def evaluate(module: DetectorModule, method: str, data: Any) -> Tensor:
    """Apply a method of a module, which is in evaluation mode, to samples.

    Parameters
    ----------
    module : DetectorModule
        Whose batches have those of its `batch_sizes` that round a sample alike.
    method : str
        Name of a method that takes a batch, such as ``"score"``.
    data : Data
        The samples.

    Returns
    -------
    values : Tensor of shape (n_samples, ...)
        What it returned for each sample, as from `collect`, on the device of the
        samples; the same to the bit whatever other samples there are.

    Examples
    --------
    >>> import numpy as np
    >>> from skanomaly import Autoencoder
    >>> from skanomaly.training.data import Data
    >>> from skanomaly.training.passes import evaluate
    >>> X = np.zeros((50, 4), dtype=np.float32)
    >>> evaluate(Autoencoder(max_epochs=1).fit(X).module_, "score", Data(X)).shape
    torch.Size([50])
    """
    with torch.no_grad():
        sizes = sizes_alike(module, method, len(data))
        values = data.map(getattr(module, method), sizes)
        return collect(values, len(data), device_of(data.source))


def mean(values: Iterable[Tensor]) -> Tensor:
    """Average over the rows of all batches, in float64.

    Parameters
    ----------
    values : iterable of Tensor
        Of the shapes (n, ...), as from `map_batches`.

    Returns
    -------
    mean : Tensor of shape (...)
        In float64 on the CPU.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.training.passes import mean
    >>> mean([torch.zeros(2), torch.ones(2)]).item()
    0.5
    """
    total, n_rows = torch.zeros((), dtype=torch.float64), 0
    for part in values:
        total = total + part.cpu().sum(0, dtype=torch.float64)
        n_rows += len(part)
    return total / n_rows


def any_row(values: Iterable[Tensor]) -> Tensor:
    """Tell where a value is not zero in any row of any batch.

    Parameters
    ----------
    values : iterable of Tensor
        Of the shapes (n, ...), as from `map_batches`.

    Returns
    -------
    found : Tensor of shape (...), dtype bool
        On the CPU.

    Examples
    --------
    >>> import torch
    >>> from skanomaly.training.passes import any_row
    >>> any_row([torch.eye(3)[:1], torch.eye(3)[1:2]]).tolist()
    [True, True, False]
    """
    found = torch.zeros((), dtype=torch.bool)
    for part in values:
        found = found | (part != 0).any(0).cpu()
    return found
