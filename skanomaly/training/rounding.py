"""Which sizes of a batch round a sample alike, found out by trying."""

from collections.abc import Callable
from math import prod

import torch
from torch import Tensor

from skanomaly.nn import DetectorModule

# About so many values are scored at once: enough to keep the processor busy, little
# enough that the batch stays in its cache.
_VALUES_PER_BATCH = 2**18
_BLOCK = 32
# Sums in another order are equal more often than not, so one sample proves nothing.
# Prime, so that a sample comes to stand at many places of a kernel's blocks.
_N_PROBES = 251
# A map may take dozens of gradients, and each of its numbers is a proof.
_LARGEST_BATCH_OF_MAPS, _N_MAPPED_PROBES = 512, 37


def largest_size(sample_shape: tuple[int, ...], limit: int) -> int:
    """Return how many samples of a shape are scored at once.

    Parameters
    ----------
    sample_shape : tuple of int
        Shape of a sample.
    limit : int
        How many at the most.

    Returns
    -------
    size : int
        Fewer, the wider a sample is.
    """
    size = min(max(_VALUES_PER_BATCH // prod(sample_shape), 1), limit)
    # Rows that fill no block of a kernel are rounded differently.
    return size - size % _BLOCK if size > _BLOCK else size


def sizes_alike(module: DetectorModule, method: str, n_rows: int) -> tuple[int, ...]:
    """Return the sizes of batches in which a module's method rounds a sample alike.

    In which order a matrix product is added depends on the number of rows, on their
    place, and on the processor. No size but the largest can be relied on everywhere; so
    the others are tried out with the network itself, once in its life and only when
    there are rows for them.

    Parameters
    ----------
    module : DetectorModule
        In evaluation mode.
    method : str
        Name of a method that takes a batch, such as ``"score"``.
    n_rows : int
        How many rows there are to score.

    Returns
    -------
    sizes : tuple of int
        Those of the module's `batch_sizes` that do, increasing; the largest at least.

    Examples
    --------
    >>> from skanomaly import Autoencoder
    >>> from skanomaly.training.rounding import sizes_alike
    >>> module = Autoencoder(max_epochs=1).fit([[0.0], [1.0]]).module_
    >>> sizes_alike(module, "score", 3)[-1]  # the largest is always there
    2048
    """
    # Threads share the rows of a product, so their number counts, too.
    key = (method, torch.get_num_threads())
    if key in module.sizes_alike:
        return module.sizes_alike[key]
    limit, n_probes = module.batch_sizes[-1], _N_PROBES
    if method == "anomaly_map":
        limit, n_probes = min(limit, _LARGEST_BATCH_OF_MAPS), _N_MAPPED_PROBES
    largest = largest_size(tuple(module.center.shape), limit)
    smaller = tuple(size for size in module.batch_sizes if size < largest)
    if not smaller or not 0 < n_rows % largest <= smaller[-1]:
        return (largest,)
    probes = _draw_probes(module.center, n_probes)
    alike = _try_out(getattr(module, method), probes, (*smaller, largest))
    module.sizes_alike[key] = alike
    return alike


def _draw_probes(center: Tensor, n_probes: int) -> Tensor:
    """Draw samples around the center, always the same."""
    generator = torch.Generator().manual_seed(0)
    shape = (n_probes, *center.shape)
    probes = torch.randn(shape, generator=generator, dtype=torch.float32)
    return center + probes.to(center.device)


def _try_out(
    fn: Callable[[Tensor], Tensor], probes: Tensor, sizes: tuple[int, ...]
) -> tuple[int, ...]:
    """Return the sizes at which samples get the values that they get in the largest."""
    expected, _ = _repeat(fn, probes, sizes[-1])
    alike = []
    for size in sizes[:-1]:
        values, order = _repeat(fn, probes, size)
        if torch.equal(values, expected[order]):
            alike.append(size)
    return (*alike, sizes[-1])


def _repeat(
    fn: Callable[[Tensor], Tensor], probes: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    """Fill batches of one size with the probes; return values, and which probe's."""
    n_batches = -(-len(probes) // size)
    order = torch.arange(n_batches * size, device=probes.device) % len(probes)
    return torch.cat([fn(probes[rows]) for rows in order.split(size)]), order
